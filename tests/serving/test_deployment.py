"""The steps of the container: what they copy is there, and what they run has the options it is given."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from affekt.cli import app
from affekt.files import ready_model
from affekt.inference.model import load
from affekt.inference.runtimes.onnx import OnnxRuntime
from serving.client import listening, made_up

ROOT = Path(__file__).parents[2]

if not (ROOT / "Dockerfile").exists():
    pytest.skip("the tests do not stand in the repository", allow_module_level=True)


@pytest.fixture(scope="module")
def steps():
    """The container's steps, a line each."""
    return (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def commands(steps):
    """What RUN runs, word by word."""
    lines = re.findall(r"^RUN (.+)$", steps, flags=re.M)
    return [shlex.split(command) for line in lines for command in line.split("&&")]


def test_what_is_copied_is_there_and_is_let_through(steps):
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for copied in re.findall(r"^COPY (?!--from)(.+) \./", steps, flags=re.M):
        for name in copied.split():
            assert (name, (ROOT / name).exists(), f"!{name}" in ignored) == (name, True, True)


def test_what_is_installed_can_be_had(steps):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = [words for words in commands(steps) if words[:2] == ["pip", "install"]]
    asked = [
        extra for words in installed for extra in words[-1].partition("[")[2].rstrip("]").split(",") if extra
    ]
    assert set(asked) == {"train", "export", "serve"} <= set(project["optional-dependencies"])
    [torch] = re.findall(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.M)
    assert f"torch=={torch}" in [words[-1] for words in installed]
    last = steps.rpartition("\nFROM ")[2]
    assert "torch" not in last.replace("without torch", "")
    assert '".[serve]"' in last


def test_no_weights_come_along_in_a_build_folder(steps):
    """pip builds in the tree and packs what an earlier build left there."""
    assert "./models" not in " ".join(
        word for words in commands(steps) if words[0] == "pip" for word in words
    )
    assert "**/build" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_ready_model_is_inside_as_a_graph(steps):
    [export] = [words for words in commands(steps) if words[:2] == ["affekt", "export"]]
    assert export[2:] == ["models/affekt-small/affekt_small/model", "--to", "onnx", "--out", "/build/graph"]
    helped = CliRunner().invoke(app, ["export", "--help"], env={"COLUMNS": "200"}).output
    assert all(option in helped for option in ("--to", "--out"))
    if (folder := ready_model()) is not None:
        assert folder.parts[-2:] == ("affekt_small", "model")
        assert ["rm", "-r", "models/affekt-small/affekt_small/model"] in commands(steps)


def test_it_runs_as_nobody_in_particular_says_how_it_is_and_listens_where_prometheus_asks(steps):
    last = steps.rpartition("\nFROM ")[2]
    assert last.index("\nUSER affekt") > last.index("RUN pip")
    assert "/ready" in re.search(r"^HEALTHCHECK .+$", last, flags=re.M)[0]
    assert 'ENTRYPOINT ["affekt", "serve", "--host", "0.0.0.0"]' in last
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    asked = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    assert asked["scrape_configs"][0]["static_configs"] == [{"targets": ["affekt:8000"]}]
    assert "EXPOSE 8000" in last
    assert compose["services"]["affekt"]["read_only"]


def test_its_export_leaves_a_graph_in_the_ready_model_s_place(steps, ready, tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="export needs onnx")
    package = tmp_path / "models" / "affekt-small" / "affekt_small"
    shutil.copytree(ready.parent, package)
    monkeypatch.chdir(tmp_path)
    line = re.search(r"^RUN (affekt export .+)$", steps, flags=re.M)[1]
    for command in line.replace("/build/", f"{tmp_path}/").split("&&"):
        words = shlex.split(command)
        if words[0] == "affekt":
            CliRunner().invoke(app, words[1:], catch_exceptions=False)
        else:
            subprocess.run(words, check=True)
    opened, before = load(package / "model"), load(ready)
    assert isinstance(opened.runtime, OnnxRuntime)
    np.testing.assert_allclose(
        opened.probabilities(["so happy"]), before.probabilities(["so happy"]), atol=1e-4
    )


def test_its_healthcheck_tells_a_service_that_is_ready_from_one_that_is_not_there(steps):
    said = json.loads(re.search(r"^HEALTHCHECK .+ CMD (.+)$", steps, flags=re.M)[1])
    with listening(made_up()) as port:
        check = [sys.executable, *(word.replace("8000", str(port)) for word in said[1:])]
        assert subprocess.run(check).returncode == 0
    assert subprocess.run(check, stderr=subprocess.DEVNULL).returncode == 1


def test_what_it_starts_is_a_verb_with_these_options(steps):
    said = json.loads(re.search(r"^ENTRYPOINT (.+)$", steps, flags=re.M)[1])
    helped = CliRunner().invoke(app, [said[1], "--help"], env={"COLUMNS": "200"}).output
    assert (said[0], [word for word in said if word.startswith("--") and word not in helped]) == (
        "affekt",
        [],
    )
