"""The run folder: one run and one writer at a time, nothing half-written, nothing left by a fault."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from affekt.data.corpus import Corpus, SkippedRow
from affekt.decisions import Decisions
from affekt.errors import UsageError
from affekt.training.checkpoint import FILE
from affekt.training.folder import RunFolder
from training.toys import recipe

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


@pytest.mark.parametrize("file", ["metrics.json", FILE])
def test_a_folder_with_a_run_is_taken_up_only_when_asked(file: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    refused(tmp_path, "holds a run already; add --resume")
    with RunFolder(tmp_path).claimed(resume=True) as folder:
        assert folder.path == tmp_path
    assert (tmp_path / file).exists()


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
        left = {entry.name for entry in folder.path.iterdir()} - {".lock"}
        assert left == set(written)


def test_what_a_killed_run_was_writing_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".model.abc").mkdir()
    (tmp_path / ".model.abc" / "config.json").touch()
    for name in (f".{FILE}.x1", ".metrics.json.x2", ".hidden", "notes.txt"):
        (tmp_path / name).touch()
    with RunFolder(tmp_path).claimed(resume=False):
        left = {entry.name for entry in tmp_path.iterdir()}
    assert left == {".lock", ".hidden", "notes.txt"}  # other people's files stay


def test_the_start_of_a_run_is_its_recipe_and_the_rows_left_out(tmp_path: Path) -> None:
    from dataclasses import replace

    skipped = replace(CORPUS, skipped=(SkippedRow("tweets.csv:7", "column 'text' is empty"),))
    RunFolder(tmp_path).write_start(recipe(), {"train": skipped, "dev": CORPUS})
    assert (tmp_path / "recipe.yaml").read_text() == recipe().to_yaml()
    (line,) = (tmp_path / "skipped.jsonl").read_text().splitlines()
    assert json.loads(line) == {"where": "tweets.csv:7", "reason": "column 'text' is empty"}


def test_the_start_of_a_run_that_has_a_checkpoint_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    (tmp_path / "recipe.yaml").write_text("the first one")
    RunFolder(tmp_path).write_start(recipe(), {"train": CORPUS})
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
