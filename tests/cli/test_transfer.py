"""`affekt transfer` as it is typed."""

import json

import pytest

from affekt.errors import UsageError

QUICK = ("--ways", "probe", "--shots", "2,3", "--draws", "2")


def test_models_stand_side_by_side_on_data(verb, tiny, classifier, tmp_path):
    models = ("--model", tiny("bert"), "-m", classifier)
    printed = verb("transfer", "sample", *models, *QUICK, "--out", tmp_path / "study")
    assert "sample: Macro F1, test, n = 300" in printed
    assert "probe, frozen, 3 per label" in printed
    assert (tmp_path / "study" / "transfer.html").exists()
    before = ("transfer", tiny("bert"), classifier, "sample")  # as well
    content = json.loads(verb(*before, *QUICK, "--out", tmp_path / "study", "--json"))
    assert len(content["results"]) == 4
    assert content["plan"]["shots"] == [2, 3]


def test_the_ready_model_is_tried_where_none_is_named(verb, ready, tmp_path):
    content = json.loads(verb("transfer", "sample", "--ways", "mapped", "-o", tmp_path / "study", "--json"))
    [found] = content["results"]
    assert found["model"] == "affekt-small"
    assert found["n"] == 300


def test_the_column_of_a_file_s_labels_is_said(verb, tiny, tmp_path):
    rows = "".join(f"so {word} {i},{word}\n" for i in range(20) for word in ("happy", "sad"))
    (tmp_path / "posts.csv").write_text("post,feeling\n" + rows)
    words = (
        "--text",
        "post",
        "--labels",
        "feeling",
        "--model",
        tiny("bert"),
        *QUICK,
        "-o",
        tmp_path / "study",
    )
    assert "posts: Macro F1" in verb("transfer", tmp_path / "posts.csv", *words)


def test_numbers_that_are_none_are_refused(verb, tiny, tmp_path):
    for option in ("--shots", "--seeds"):
        with pytest.raises(UsageError, match=f"{option} few: write whole numbers"):
            verb("transfer", "sample", "-m", tiny("bert"), "-o", tmp_path / "study", option, "few")
    assert not (tmp_path / "study").exists()
