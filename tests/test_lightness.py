"""What is loaded by what: one fresh process forks once for each question and answers all of them."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import affekt

HEAVY = {"torch", "transformers", "sklearn", "scipy", "matplotlib", "pandas", "polars"}
HEAVIER_THAN_HELP = HEAVY | {"numpy", "pyarrow", "pydantic", "accelerate", "nltk", "emoji"}
UNLIKE_VERBS = HEAVIER_THAN_HELP - {"pydantic"}  # typer's own, to read a verb's options

# what must not be loaded after a statement
LIGHT = {
    "import affekt; dir(affekt)": HEAVIER_THAN_HELP,
    "import affekt.text": HEAVY | {"nltk", "emoji", "numpy"},
    "import affekt.sampling": HEAVY,
    "import affekt.evaluation": HEAVY,
    "import affekt.decisions": HEAVY,
    "import affekt.inference": HEAVIER_THAN_HELP,
    "import affekt.inference.model": HEAVY | {"accelerate", "nltk", "emoji", "pydantic"},
    "import affekt.cli.data": UNLIKE_VERBS,
    "import affekt.cli.inference": UNLIKE_VERBS | {"rich.progress"},
}
HELP = {"--help": HEAVIER_THAN_HELP} | {
    f"{verb} --help": UNLIKE_VERBS for verb in ("train", "predict", "data list")
}

# Reads {name: code}, writes {name: [modules loaded by the code, its exit status, what it said]}.
PROGRAM = """
import json, os, sys
answers = {}
for name, code in json.load(sys.stdin).items():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        fault = ""
        try:
            exec(code, {})
        except SystemExit as ended:
            fault = "" if ended.code in (0, None) else f"exit {ended.code}"
        except BaseException as raised:
            fault = repr(raised)
        with os.fdopen(writer, "w") as pipe:
            json.dump([sorted(sys.modules), fault], pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answers[name] = json.load(pipe)
    os.wait()
json.dump(answers, sys.stdout)
"""


def without_torch() -> list[str]:
    """The modules of the rooms that must not know torch."""
    rooms = ("text", "evaluation", "data", "decisions", "recipe", "runs", "report")
    paths = {room: [str(Path(affekt.__file__).parent / room)] for room in rooms}
    found = [
        module.name
        for room, path in paths.items()
        for module in pkgutil.walk_packages(path, f"affekt.{room}.")
    ]
    return [*(f"affekt.{room}" for room in rooms), *found, "affekt.inference.model"]


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The modules that are loaded after each statement, and after each help."""
    helps = {
        name: f"import sys; sys.argv = ['affekt', *{name.split()}]; from affekt.cli import main; main()"
        for name in HELP
    }
    together = "; ".join(f"import {module}" for module in without_torch())
    questions = {**{code: code for code in LIGHT}, **helps, "rooms without torch": together}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)
    assert {name: fault for name, (_, fault) in answers.items() if fault} == {}
    return {name: set(modules) for name, (modules, _) in answers.items()}


@pytest.mark.parametrize(("statement", "heavy"), [*LIGHT.items(), *HELP.items()], ids=[*LIGHT, *HELP])
def test_what_is_heavy_is_loaded_only_where_it_is_needed(loaded, statement, heavy):
    assert sorted(loaded[statement] & heavy) == []
    assert "affekt" in loaded[statement]


def test_the_rooms_below_training_know_no_torch(loaded):
    assert set(without_torch()) <= loaded["rooms without torch"]
    assert sorted(loaded["rooms without torch"] & {"torch", "transformers"}) == []


def test_help_answers_in_half_a_second():
    """By the processor's clock, the same on a busy machine; the best of three."""
    program = "import sys, time; sys.argv = ['affekt', '--help']; from affekt.cli import main\n"
    program += "try: main()\nfinally: sys.stderr.write(str(time.process_time()))"

    def seconds() -> float:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return float(done.stderr)

    assert any(seconds() < 0.5 for _ in range(3))
