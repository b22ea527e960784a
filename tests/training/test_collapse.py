"""The collapse watch speaks when a run collapses, and only then."""

import math
from typing import Any

import pytest

from affekt.training.collapse import collapse_warnings, new_rank_warnings, rank_warnings


def label(support: int, predicted: int) -> dict[str, float]:
    return {"support": float(support), "predicted": float(predicted)}


def metrics(*rows: tuple[int, int], labels: int = 10) -> dict[str, Any]:
    per_label = {f"label {i}": label(*row) for i, row in enumerate(rows)}
    return {"per_label": {"fixed": per_label}, "data": {"labels": [str(i) for i in range(labels)]}}


def history(*ranks: float, start: float | None = None) -> list[dict[str, Any]]:
    first = {} if start is None else {"starting_rank": start}
    return [{"epoch": i + 1, "dev": {"effective_rank": rank, **first}} for i, rank in enumerate(ranks)]


def test_a_run_that_predicts_few_of_the_labels_is_warned_of() -> None:
    (warning,) = collapse_warnings(metrics((5, 9), (5, 0), (5, 0), (5, 1)), [])
    assert "only 2 of 4 labels are ever predicted" in warning
    assert "head.bias: prior" in warning  # what may help


def test_labels_without_test_rows_do_not_count() -> None:
    assert collapse_warnings(metrics((5, 9), (0, 0), (0, 0), (5, 1)), []) == []


@pytest.mark.parametrize(("used", "warned"), [(5, True), (6, False), (10, False)])
def test_six_labels_of_ten_are_enough(used: int, warned: bool) -> None:
    rows = [(3, 1)] * used + [(3, 0)] * (10 - used)
    assert bool(collapse_warnings(metrics(*rows), [])) is warned


def test_a_space_that_falls_far_below_its_labels_is_warned_of() -> None:
    (warning,) = collapse_warnings(metrics(labels=28), history(120.0, 60.0, 3.5))
    assert "effective rank fell from 120.0 to 3.5 directions" in warning


def test_a_fall_in_the_first_epoch_is_seen_from_the_start() -> None:
    assert rank_warnings(history(3.0, start=150.0), 28)
    assert rank_warnings(history(3.0), 28) == []


def test_a_good_run_that_ends_with_a_direction_per_label_is_left_in_peace() -> None:
    assert rank_warnings(history(100.0, 30.0, 14.5, start=200.0), 28) == []
    assert rank_warnings(history(40.0, 6.0, start=60.0), 6) == []
    assert rank_warnings(history(40.0, 2.1, start=60.0), 2) == []


def test_a_space_of_one_direction_is_a_collapse_for_two_labels_too() -> None:
    assert rank_warnings(history(40.0, 1.2), 2)


def test_a_small_space_that_never_fell_is_left_in_peace() -> None:
    assert rank_warnings(history(3.0, 2.9, start=3.1), 28) == []


def test_the_log_hears_of_a_collapse_once_and_again_after_a_recovery() -> None:
    ranks = [100.0, 3.0, 2.0, 80.0, 2.0]
    heard = [bool(new_rank_warnings(history(*ranks[:n]), 28)) for n in range(1, len(ranks) + 1)]
    assert heard == [False, True, False, False, True]


@pytest.mark.parametrize("figures", [{}, {"per_label": None, "data": None}, {"per_label": {}}])
def test_a_run_without_a_classifier_or_ranks_has_nothing_to_warn_of(figures: dict[str, Any]) -> None:
    assert collapse_warnings(figures, [{"epoch": 1, "dev": {}}, {"epoch": 2}]) == []


# --- the weighting encoder


def label_aware(*, single_label: bool = False, **objective: Any) -> dict[str, Any]:
    """A run on 100 rows, of which 50 have one label and 10 the other."""
    train = {"n": 100, "label_counts": {"joy": 50.0, "fear": 10.0}}
    spec = {"kind": "label-aware", "balance": 0.5, "class_weights": "none", "smoothing": 0.0} | objective
    data = {"labels": [], "single_label": single_label, "splits": {"train": train}}
    return {"objective": spec, "data": data}


PRIOR = (math.log(2) - 0.1 * math.log(0.1) - 0.9 * math.log(0.9)) / 2  # of the two labels, apart


@pytest.mark.parametrize(("loss", "warned"), [(PRIOR + 0.01, True), (PRIOR - 0.01, False)])
def test_a_weighting_encoder_worse_than_the_label_shares_is_warned_of(loss: float, warned: bool) -> None:
    ended = [{"terms": {"weighting bce": term, "bce": 9.0}} for term in (0.01, loss / 2)]
    warnings = collapse_warnings(label_aware(), ended)
    assert bool(warnings) is warned
    if warned:
        assert f"the weighting encoder's loss is {loss:.3f}" in warnings[0]
        assert f"would give {PRIOR:.3f}" in warnings[0]
        assert "objective.detach_weights" in warnings[0]


def test_with_one_label_per_text_the_shares_give_their_entropy() -> None:
    entropy = -(0.5 * math.log(0.5) + 0.1 * math.log(0.1))
    for loss, warned in ((entropy + 0.01, True), (entropy - 0.01, False)):
        ended = [{"terms": {"weighting cross-entropy": loss / 2}}]
        assert bool(collapse_warnings(label_aware(single_label=True), ended)) is warned


def test_the_share_of_a_correlation_term_is_no_part_of_the_loss_compared() -> None:
    for loss, warned in ((PRIOR + 0.01, True), (PRIOR - 0.01, False)):
        ended = [{"terms": {"weighting bce": loss * 0.5 * 0.8, "weighting correlation": 9.0}}]
        assert bool(collapse_warnings(label_aware(correlation=0.2), ended)) is warned


def test_the_shares_are_compared_by_the_loss_that_was_taken() -> None:
    """Binary losses on one label per text: their mean over labels, not the entropy over labels."""
    for loss, warned in ((PRIOR + 0.01, True), (PRIOR - 0.01, False)):
        ended = [{"terms": {"weighting bce": loss / 2}}]
        assert bool(collapse_warnings(label_aware(single_label=True), ended)) is warned


@pytest.mark.parametrize(
    "other",
    [{"class_weights": "balanced"}, {"smoothing": 0.1}, {"balance": 0.0}, {"correlation": 1.0}],
)
def test_losses_on_another_scale_say_nothing_of_the_shares(other: dict[str, Any]) -> None:
    assert collapse_warnings(label_aware(**other), [{"terms": {"weighting bce": 9.0}}]) == []
