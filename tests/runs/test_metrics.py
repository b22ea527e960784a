"""What metrics.json says: its form, and the figures that come first."""

import json
from pathlib import Path

import pytest

from affekt.errors import DataError
from affekt.runs.metrics import check_epoch, check_metrics, headline

KEPT = sorted((Path(__file__).parents[2] / "docs" / "results" / "runs").glob("*.json"))


def decided(fixed, fitted):
    return {"fixed": {"f1_macro": {"value": fixed}}, "fitted": {"f1_macro": {"value": fitted}}}


@pytest.mark.parametrize(
    ("fixed", "fitted", "first"), [(0.4, 0.5, "fitted"), (0.5, 0.4, "fixed"), (0.5, 0.5, "fixed")]
)
def test_the_way_of_deciding_that_does_better_on_dev_comes_first(fixed, fitted, first):
    metrics = {"dev": decided(fixed, fitted), "test": decided(0.9, 0.1)}
    assert headline(metrics) == first


def test_without_figures_on_dev_fitted_thresholds_come_first_and_without_them_what_there_is():
    assert headline({"test": decided(0.5, 0.4)}) == "fitted"
    assert headline({"test": {"fixed": {}}}) == "fixed"
    assert headline({}) == "fixed"


def test_all_metrics_kept_with_the_tables_are_of_the_form():
    assert KEPT
    for path in KEPT:
        check_metrics(json.loads(path.read_text(encoding="utf-8")), path.name)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"data": []}, "m: data is not as training writes it"),
        ({"data": {"labels": ["joy", 1]}}, r"m: data\.labels\.1 is not"),
        ({"test": {"fixed": {"f1_macro": 0.5}}}, r"m: test\.fixed\.f1_macro"),
        ({"test": {"fixed": {"f1_macro": {"value": float("nan")}}}}, r"m: test\.fixed\.f1_macro\.value"),
        ({"baselines": {"tfidf": {"accuracy": "much"}}}, r"m: baselines\.tfidf\.accuracy"),
        ({"timing": {"epochs": -1}}, r"m: timing\.epochs"),
        ({"seed": True}, "m: seed is not"),
        ([], "m: the whole is not"),
    ],
)
def test_the_first_key_that_is_wrong_is_named(metrics, said):
    with pytest.raises(DataError, match=said):
        check_metrics(metrics, "m")


def test_a_loss_of_the_history_may_be_no_number_and_nothing_else():
    check_epoch({"epoch": 1, "train_loss": float("nan"), "dev": {"loss": float("inf")}}, "h")
    with pytest.raises(DataError, match="h: seconds"):
        check_epoch({"seconds": float("nan")}, "h")
