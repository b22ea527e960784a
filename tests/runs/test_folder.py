import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.errors import DataError
from affekt.runs.folder import read_run


def test_a_run_is_read_whole(multi_run):
    run = read_run(multi_run)
    assert run.name == "multi"
    assert len(run.labels) == 8
    assert not run.single_label
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert run.recipe.startswith("name: mock")
    assert set(run.predictions) == {"dev", "test"}
    test = run.predictions["test"]
    assert (
        test.true.shape == test.predicted.shape == test.probabilities.shape == test.logits.shape == (160, 8)
    )
    assert run.final is test


def test_soft_targets_of_one_label_per_text_hold_at_their_largest(single_run):
    path = single_run / "predictions.parquet"
    table = pq.read_table(path)
    soft = [[0.4, 0.3, 0.3, 0.0, 0.0, 0.0]] * table.num_rows
    at = table.column_names.index("targets")
    pq.write_table(table.set_column(at, "targets", pa.array(soft)), path)
    true = read_run(single_run).predictions["test"].true
    np.testing.assert_array_equal(true.sum(axis=1), 1)
    assert true[:, 0].all()


@pytest.mark.parametrize("name", ["recipe.yaml", "history.jsonl", "predictions.parquet"])
def test_a_missing_file_but_the_metrics_is_no_fault(single_run, name):
    (single_run / name).unlink()
    assert read_run(single_run).name == "single"


def test_a_folder_without_metrics_is_no_run(tmp_path):
    with pytest.raises(DataError, match=r"holds no metrics\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1, 2]"])
def test_broken_metrics_are_said(single_run, content):
    (single_run / "metrics.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"metrics\.json: is not"):
        read_run(single_run)


def test_a_broken_line_of_the_history_is_named_by_its_number(single_run):
    (single_run / "history.jsonl").write_text('{"epoch": 1}\n\n{"epoch": \n', encoding="utf-8")
    with pytest.raises(DataError, match=r"history\.jsonl:3"):
        read_run(single_run)


def test_predictions_that_are_no_parquet_are_said(single_run):
    (single_run / "predictions.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"predictions\.parquet: cannot be read"):
        read_run(single_run)


def test_predictions_without_a_column_or_with_too_few_values_are_said(single_run):
    path = single_run / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["targets"]), path)
    with pytest.raises(DataError, match="has no column targets"):
        read_run(single_run)
    at = table.column_names.index("probabilities")
    pq.write_table(table.set_column(at, "probabilities", pa.array([[0.5]] * table.num_rows)), path)
    with pytest.raises(DataError, match="does not hold 6 values a row"):
        read_run(single_run)


def test_ids_and_logits_may_be_absent_and_rows_may_be_none(single_run):
    path = single_run / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["id", "logits"]), path)
    part = read_run(single_run).predictions["test"]
    assert part.logits is None
    assert part.ids[:2] == ["0", "1"]
    pq.write_table(table.slice(0, 0), path)
    assert read_run(single_run).predictions == {}


def test_an_unlabelled_run_has_no_predictions_to_read(single_run):
    metrics = json.loads((single_run / "metrics.json").read_text(encoding="utf-8"))
    metrics["data"]["labels"] = []
    (single_run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    assert read_run(single_run).predictions == {}
