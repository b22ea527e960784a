"""The run folder as training writes it: one run, one writer, and never a file that is not the run's."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from affekt.data.corpus import Corpus, SkippedRow
from affekt.decisions import Decisions
from affekt.errors import UsageError
from affekt.runs.folder import CHECKPOINT, MARKER, RunFolder

CORPUS = Corpus.build(["so happy", "so sad", "oh"], ["joy", "sadness", "joy"])


def refused(path: Path, why: str, *, resume: bool = False) -> None:
    with pytest.raises(UsageError, match=why), RunFolder(path).claimed(resume=resume):
        pytest.fail("the folder was claimed")


def interrupted(folder: RunFolder, written: list[str]) -> None:
    with folder.claimed(resume=False):
        for file in written:
            (folder.path / file).touch()
        raise KeyboardInterrupt


def test_a_folder_is_made_and_held_by_one_writer_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    with folder.claimed(resume=False):
        refused(folder.path, "another process is training into this folder", resume=True)
        assert folder.path.is_dir()
    with folder.claimed(resume=False):
        pass  # and free again


@pytest.mark.parametrize("file", ["metrics.json", CHECKPOINT])
@pytest.mark.parametrize(
    "known", [MARKER, "recipe.yaml"]
)  # a folder of before there were markers has a recipe
def test_a_folder_with_a_run_is_taken_up_only_when_asked(file: str, known: str, tmp_path: Path) -> None:
    for name in (file, known):
        (tmp_path / name).touch()
    refused(tmp_path, "holds a run already; add --resume")
    assert {entry.name for entry in tmp_path.iterdir()} == {file, known}
    with RunFolder(tmp_path).claimed(resume=True) as folder:
        assert folder.path == tmp_path
    assert {entry.name for entry in tmp_path.iterdir()} == {file, known, MARKER}


OTHERS = [
    ["recipe.yaml"],
    ["predictions.parquet", "report.html"],
    ["metrics.json", "figures.png"],
    [CHECKPOINT],
    [".hidden"],
    ["recipe.yaml", ".lock"],
]


@pytest.mark.parametrize("names", OTHERS)
@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_of_other_files_is_never_written_into(
    names: list[str], resume: bool, tmp_path: Path
) -> None:
    for name in (*names, ".recipe.yaml.swp", ".recipe.yaml.0123456789ab"):
        (tmp_path / name).write_text("mine")
    (tmp_path / ".model.old").mkdir()
    (tmp_path / ".model.old" / "weights").write_text("mine")
    before = contents(tmp_path)
    refused(tmp_path, r"holds other files, such as .*; name a new or an empty folder", resume=resume)
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, Any]:
    return {str(path): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_that_was_only_taken_for_one_is_left_without_a_marker(tmp_path: Path) -> None:
    for name in ("recipe.yaml", "metrics.json"):
        (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="no run"), RunFolder(tmp_path).claimed(resume=True):
        raise UsageError("no run")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("foreign", "kind"),
    [("model", "folder"), ("model", "file"), (CHECKPOINT, "empty"), ("history.jsonl", "empty")],
)
def test_what_is_not_the_run_s_in_its_own_folder_is_refused_before_training(
    foreign: str, kind: str, tmp_path: Path
) -> None:
    with RunFolder(tmp_path).claimed(resume=False):
        (tmp_path / "recipe.yaml").touch()  # so that the folder stays a run's
    if kind == "file":
        (tmp_path / foreign).touch()
    else:
        (tmp_path / foreign).mkdir()
    if kind == "folder":
        (tmp_path / foreign / "thesis.doc").touch()
    refused(tmp_path, f"{foreign}: is not of a run, and stands where training writes", resume=True)


def test_an_empty_folder_or_an_earlier_model_may_stand_at_the_model_s_place(tmp_path: Path) -> None:
    for name in ("recipe.yaml", MARKER):
        (tmp_path / name).touch()
    (tmp_path / "model").mkdir()
    with RunFolder(tmp_path).claimed(resume=False):
        (tmp_path / "model" / "affekt.json").touch()
    with RunFolder(tmp_path).claimed(resume=False):
        pass


def test_a_file_is_no_run_folder(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("mine")
    refused(path, "is a file")
    refused(path / "below", "cannot be written to")
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_said_to_be_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        refused(tmp_path / "run", "cannot be written to")
    finally:
        tmp_path.chmod(0o700)


def test_a_fault_before_anything_was_written_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data"), RunFolder(tmp_path / "run").claimed(resume=False):
        raise UsageError("no data")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_leaves_a_folder_that_was_there_and_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, written in (("empty", []), ("begun", ["recipe.yaml"])):
        folder = RunFolder(tmp_path / name)
        with pytest.raises(KeyboardInterrupt):
            interrupted(folder, written)
        left = {entry.name for entry in folder.path.iterdir()}
        assert left == ({*written, MARKER} if written else set())


def test_what_a_killed_run_was_writing_is_swept_away(tmp_path: Path) -> None:
    hexadecimal = "0123456789ab"
    (tmp_path / MARKER).touch()
    (tmp_path / f".model.{hexadecimal}").mkdir()
    (tmp_path / f".model.{hexadecimal}" / "config.json").touch()
    (tmp_path / ".model.old").mkdir()
    others = {".hidden", "notes.txt", ".recipe.yaml.swp", ".metrics.json.x2", ".notes.txt.0123456789ab"}
    for name in (f".{CHECKPOINT}.{hexadecimal}", f".metrics.json.{hexadecimal}", *others):
        (tmp_path / name).touch()
    with RunFolder(tmp_path).claimed(resume=False):
        left = {entry.name for entry in tmp_path.iterdir()}
    assert left == {MARKER, ".model.old", *others}  # other people's files stay


def test_the_start_of_a_run_is_its_recipe_and_the_rows_left_out(tmp_path: Path) -> None:
    skipped = [SkippedRow("tweets.csv:7", "column 'text' is empty")]
    RunFolder(tmp_path).write_start("name: tiny\n", skipped)
    assert (tmp_path / "recipe.yaml").read_text() == "name: tiny\n"
    (line,) = (tmp_path / "skipped.jsonl").read_text().splitlines()
    assert json.loads(line) == {"where": "tweets.csv:7", "reason": "column 'text' is empty"}


def test_the_start_of_a_run_that_has_a_checkpoint_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).touch()
    (tmp_path / "recipe.yaml").write_text("the first one")
    RunFolder(tmp_path).write_start("name: tiny\n", [])
    assert (tmp_path / "recipe.yaml").read_text() == "the first one"


def test_predictions_stand_row_by_row_with_all_that_was_decided(tmp_path: Path) -> None:
    logits = np.array([[2.0, -1.0], [0.0, 3.0], [1.0, 1.5]], dtype=np.float32)
    decisions = Decisions.unfitted(2, single_label=True)
    RunFolder(tmp_path).write_predictions(
        {"dev": (CORPUS, logits, decisions), "test": (CORPUS, -logits, decisions)}
    )
    table = pq.read_table(tmp_path / "predictions.parquet")
    rows = table.to_pylist()
    assert table.column_names == [
        *("split", "id", "text", "targets", "logits", "probabilities", "predicted"),
    ]
    assert [row["split"] for row in rows] == ["dev"] * 3 + ["test"] * 3
    assert rows[1]["text"] == "so sad"
    assert rows[1]["targets"] == [0.0, 1.0]
    assert rows[1]["logits"] == [0.0, 3.0]
    assert rows[1]["probabilities"][1] == pytest.approx(1 / (1 + np.exp(-3)))
    assert [row["predicted"] for row in rows[:3]] == [[True, False], [False, True], [False, True]]


def test_without_predictions_no_file_is_written(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_predictions({})
    assert list(tmp_path.iterdir()) == []
