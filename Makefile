# `make demo` and `make test` are all a newcomer needs; both build .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TWO := -n 2 --dist worksteal
READY := $(wildcard models/affekt-small/affekt_small/model/affekt.json)

.PHONY: demo test test-all lint types unit clean

demo: $(VENV)/installed
	$(BIN)/affekt demo --out demo

test: lint types unit

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/mypy --strict

unit: $(VENV)/installed
	$(BIN)/pytest $(TWO)

# Nightly: what `make test` runs, and the tests that take minutes (simulations, long fuzzing).
test-all: lint types
	$(BIN)/pytest $(TWO) -m ""

$(VENV)/installed: pyproject.toml constraints.txt $(READY)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt "torch==2.13.0"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[train,offline,serve,dev]"
	rm -rf models/affekt-small/build  # pip would pack what an earlier one held
	$(if $(READY),$(BIN)/pip install --quiet --no-deps ./models/affekt-small)
	touch $@

clean:
	rm -rf $(VENV) demo
