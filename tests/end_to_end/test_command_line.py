"""`affekt train`: from a file of tweets to a run folder; and every fault as one message."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from affekt.runs.folder import MARKER, RunFolder
from training.toys import SEVERAL, run_recipe

Data = dict[str, Any]
Affekt = Callable[..., Any]
Written = Callable[[Any], Path]
Tiny = Callable[[str], str]


def test_training_on_files_leaves_a_complete_run_folder_that_predicts(
    affekt: Affekt, written: Written, tiny: Tiny, sample: Data, tmp_path: Path
) -> None:
    out = tmp_path / "runs" / "first"
    path = written(run_recipe(tiny("bert"), {**sample, **SEVERAL}))
    said = affekt("train", path, "--set", "training.epochs=1", "--set", "name=changed", "--out", out)
    assert said.code == 0, said.err
    files = {entry.name for entry in out.iterdir() if not entry.name.startswith(".")}
    assert {
        "recipe.yaml",
        "metrics.json",
        "history.jsonl",
        "predictions.parquet",
        "model",
        "report.html",
    } <= files
    assert [entry.name for entry in out.iterdir() if entry.name.startswith(".")] == [MARKER]
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["name"] == "changed"
    assert metrics["command"].startswith("affekt train ")
    assert "--set training.epochs=1" in metrics["command"]
    assert yaml.safe_load((out / "recipe.yaml").read_text())["training"]["epochs"] == 1
    assert len((out / "history.jsonl").read_text().splitlines()) == 1
    assert pq.read_table(out / "predictions.parquet").num_rows == 48
    assert "f1_macro" in said.out
    assert "train 42, dev 24, test 24" in said.err
    again = affekt("train", path, "--out", out)
    assert again.code == 2
    assert "holds a run already" in again.err
    other = affekt("train", path, "--out", out, "--resume")
    assert other.code == 2
    assert "another recipe" in other.err  # whose epochs are two
    changes = ("--set", "training.epochs=1", "--set", "name=changed")
    resumed = affekt("train", path, *changes, "--out", out, "--resume", "--json", "--no-report")
    assert resumed.code == 0
    assert json.loads(resumed.out) == metrics
    predicted = affekt("predict", "-m", out, "so happy today")
    assert predicted.code == 0
    assert "joy" in predicted.out


# --- faults


def recipe_of(tiny: Tiny, data: Data, **sections: Any) -> Any:
    return run_recipe(tiny("bert"), data, training={"epochs": 1}, **sections)


def table(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def good_rows(label: str = "") -> str:
    return "".join(f"text number {i},{label or ('joy', 'fear')[i % 2]}\n" for i in range(20))


def wrong_column(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "emotion,labels\njoy,joy\nanger,anger\n")}


def test_a_text_column_of_another_name_is_found_and_said(
    affekt: Affekt, written: Written, tiny: Tiny, tmp_path: Path
) -> None:
    data = {"train": table(tmp_path / "t.csv", "tweet,labels\n" + good_rows())}
    said = affekt("train", written(recipe_of(tiny, data)), "--out", tmp_path / "run")
    assert said.code == 0, said.err
    assert "t.csv has no column 'text': texts are taken from 'tweet'" in said.err


def wrong_label_column(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "text,labels\n" + good_rows()), "labels": "emotion"}


def missing_file(folder: Path) -> Data:
    return {"train": str(folder / "nowhere.csv")}


def empty_file(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "")}


def header_alone(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "text,labels\n")}


def one_class(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "text,labels\n" + good_rows("joy"))}


def unknown_label(folder: Path) -> Data:
    train = table(folder / "train.csv", "text,labels\n" + good_rows())
    return {"train": train, "dev": table(folder / "dev.csv", "text,labels\nfine,joy\nodd,gloom\n")}


def empty_text(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "text,labels\n" + good_rows() + " ,joy\n")}


def too_few(folder: Path) -> Data:
    return {"train": table(folder / "t.csv", "text,labels\na,joy\nb,fear\n")}


def not_text(folder: Path) -> Data:
    path = folder / "t.csv"
    path.write_bytes("text,labels\né,joy\nà,joy\n".encode() + b"\xff\x00joy,joy\n")
    return {"train": str(path)}


def unknown_data_set(folder: Path) -> Data:
    return {"name": "goemotion"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (wrong_column, "t.csv has no column 'text'"),
        (wrong_label_column, "t.csv has no column 'emotion'"),
        (missing_file, "nowhere.csv"),
        (empty_file, "t.csv"),
        (header_alone, "t.csv has no rows"),
        (one_class, "only the label 'joy'; training needs texts with different labels"),
        (unknown_label, "dev.csv:3"),
        (empty_text, "t.csv:22"),
        (too_few, "too few texts"),
        (not_text, "t.csv"),
        (unknown_data_set, "did you mean goemotions"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_data_that_cannot_be_used_is_one_message_and_nothing_is_left(
    make: Callable[[Path], Data],
    message: str,
    affekt: Affekt,
    written: Written,
    tiny: Tiny,
    tmp_path: Path,
) -> None:
    said = affekt("train", written(recipe_of(tiny, make(tmp_path))), "--out", tmp_path / "run")
    assert said.code == 2
    *log, fault = said.err.splitlines()
    assert fault.startswith("affekt: ")
    assert message in fault
    assert all(line.startswith("train ") for line in log)  # how many texts were read
    assert said.out == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"encoder": {"name": "no/such-encoder"}}, "no/such-encoder"),
        ({"encoder": {"kind": "bilstm", "options": {"hiden": 3}}}, "did you mean hidden"),
        ({"encoder": {"kind": "word-average", "vectors": "nowhere.txt"}}, "nowhere.txt"),
        ({"head": {"kind": "label-span"}}, "label words"),
        ({"data": {"style": "twiter"}}, "twiter"),
        ({"objective": {"kind": "label-aware", "weighting": {"name": "no/such"}}}, "no/such"),
        ({"objective": {"kind": "classify", "correlation": 0.2, "correlation_form": "intra"}}, "hierarchy"),
    ],
)
def test_a_recipe_that_cannot_be_carried_out_is_one_message(
    sections: Data, message: str, affekt: Affekt, written: Written, tiny: Tiny, sample: Data, tmp_path: Path
) -> None:
    data = {**sample, **sections.pop("data", {})}
    if "correlation" in sections.get("objective", {}):  # labels that stand in no hierarchy
        data = {"train": table(tmp_path / "t.csv", "text,labels\n" + good_rows("zest") + good_rows())}
    said = affekt("train", written(recipe_of(tiny, data, **sections)), "--out", tmp_path / "run")
    assert said.code == 2
    lines = [line for line in said.err.splitlines() if not line.startswith("train ")]  # the log's first line
    assert lines[0].startswith("affekt: ")
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert not (tmp_path / "run" / "model").exists()


def test_all_faults_of_a_recipe_come_at_once(affekt: Affekt, tmp_path: Path) -> None:
    path = table(tmp_path / "r.yaml", "name: x\ntrainig: {}\nencoder: {pooling: max}\n")
    said = affekt("train", path, "--set", "training.epochs=0", "--out", tmp_path / "run")
    assert said.code == 2
    assert "has 3 faults:" in said.err
    assert not (tmp_path / "run").exists()


def test_an_unknown_recipe_is_answered_with_the_near_ones(affekt: Affekt) -> None:
    said = affekt("train", "goemotions-dirct")
    assert said.code == 2
    assert "did you mean goemotions-direct" in said.err


def test_a_folder_in_use_is_refused(
    affekt: Affekt, written: Written, tiny: Tiny, sample: Data, tmp_path: Path
) -> None:
    with RunFolder(tmp_path / "run").claimed(resume=False):
        said = affekt("train", written(recipe_of(tiny, sample)), "--out", tmp_path / "run", "--resume")
    assert said.code == 2
    assert "another process is training into this folder" in said.err


def test_the_installed_command_exits_with_two_and_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "affekt", "train", str(tmp_path / "nowhere.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("affekt: ")
    assert "Traceback" not in done.stderr
