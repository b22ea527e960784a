"""`affekt cascade` as it is typed."""

import json

import pytest

import affekt
from affekt.errors import UsageError


def test_a_cascade_is_written_and_predict_compares_rows_with_the_second(verb, classifier, tmp_path):
    folder = tmp_path / "made"
    assert verb("cascade", classifier, classifier, "--data", "sample", "--out", folder) == f"{folder}\n"
    assert affekt.load(folder).about["cascade"]["loss_allowed"] == 0.01
    (tmp_path / "texts.csv").write_text("text\nso happy\nso sad\n")
    how = (tmp_path / "texts.csv", "--model", folder, "--check", "2", "--json")
    found = json.loads(verb("predict", *how))["check"]
    assert (found["n"], found["agreement"]["value"]) == (2, 1.0)
    with pytest.raises(UsageError, match="is for the rows of a file"):
        verb("predict", "so happy", "--model", folder, "--check", "2")
    with pytest.raises(UsageError, match="leave --shards out"):
        verb("predict", tmp_path / "texts.csv", "--model", folder, "--check", "2", "--shards", "1")
