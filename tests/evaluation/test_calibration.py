"""Reliability against plain loops and cases worked by hand."""

import numpy as np
import pytest

from affekt.errors import DataError, UsageError
from affekt.evaluation import calibration


def expected_gap(promised, came_true, bins):
    """ECE by a plain loop over bins ]low, high], the first with its lower edge."""
    total = 0.0
    for part in range(bins):
        low, high = part / bins, (part + 1) / bins
        inside = [i for i, p in enumerate(promised) if (low < p <= high) or (part == 0 and p == 0)]
        if inside:
            gap = abs(np.mean([promised[i] for i in inside]) - np.mean([came_true[i] for i in inside]))
            total += len(inside) * gap
    return total / len(promised)


def data(seed=0, rows=300, count=4):
    random = np.random.default_rng(seed)
    probabilities = random.beta(0.5, 2, (rows, count))
    return (random.random((rows, count)) < probabilities**1.5).astype(float), probabilities


def test_multi_label_ece_pools_all_entries_and_ece_macro_averages_the_labels():
    targets, probabilities = data()

    ours = calibration(targets, probabilities, bins=10)

    assert ours["ece"] == pytest.approx(expected_gap(probabilities.ravel(), targets.ravel(), 10))
    macro = np.mean([expected_gap(probabilities[:, c], targets[:, c], 10) for c in range(4)])
    assert ours["ece_macro"] == pytest.approx(macro)
    assert ours["brier"] == pytest.approx(np.mean((targets - probabilities) ** 2))


def test_ece_macro_may_average_over_the_labels_that_some_row_holds():
    targets, probabilities = data()
    targets[:, 1] = 0.0

    ours = calibration(targets, probabilities, bins=10, only_present=True)

    macro = np.mean([expected_gap(probabilities[:, c], targets[:, c], 10) for c in (0, 2, 3)])
    assert ours["ece_macro"] == pytest.approx(macro)
    assert calibration(targets, probabilities, bins=10)["ece_macro"] != ours["ece_macro"]
    nothing = np.zeros_like(targets)
    averaged = calibration(nothing, probabilities, only_present=True)["ece_macro"]
    assert averaged == calibration(nothing, probabilities)["ece_macro"]
    one = np.eye(3)[[0, 0, 2]]
    found = calibration(one, np.full((3, 3), 1 / 3), single_label=True, only_present=True)
    assert found["ece_macro"] == pytest.approx((1 / 3 + 0) / 2)


def test_single_label_ece_is_of_the_most_probable_label_and_brier_sums_over_labels():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), 200)
    classes = random.integers(0, 3, 200)
    best = probabilities.argmax(axis=1)

    ours = calibration(np.eye(3)[classes], probabilities, single_label=True)

    assert ours["ece"] == pytest.approx(expected_gap(probabilities.max(axis=1), best == classes, 15))
    assert ours["brier"] == pytest.approx(np.mean(((np.eye(3)[classes] - probabilities) ** 2).sum(axis=1)))


def test_reliability_lists_the_bins_that_hold_something():
    """Promises .1 .1 .9 1 in two halves: below, mean .1 came true half the time; above, mean .95 always."""
    ours = calibration([[0], [1], [1], [1]], [[0.1], [0.1], [0.9], [1.0]], bins=4)

    below, above = ours["reliability"]
    assert below == pytest.approx({"low": 0, "high": 0.25, "confidence": 0.1, "frequency": 0.5, "n": 2})
    assert above == pytest.approx({"low": 0.75, "high": 1, "confidence": 0.95, "frequency": 1, "n": 2})
    assert ours["ece"] == pytest.approx((2 * 0.4 + 2 * 0.05) / 4)
    assert ours["mce"] == pytest.approx(0.4)


def test_bins_of_equal_mass_hold_equally_many_promises():
    targets, probabilities = data(rows=100, count=3)

    reliability = calibration(targets, probabilities, bins=6, scheme="mass")["reliability"]

    assert [part["n"] for part in reliability] == [50] * 6
    assert all(part["low"] <= part["confidence"] <= part["high"] for part in reliability)


def test_equal_mass_survives_ties():
    ours = calibration(np.zeros((50, 1)), np.full((50, 1), 0.3), scheme="mass")

    assert ours["ece"] == pytest.approx(0.3)
    assert [part["n"] for part in ours["reliability"]] == [50]


def test_true_probabilities_are_calibrated_and_sharpened_ones_are_not():
    random = np.random.default_rng(0)
    probabilities = random.random((5000, 2))
    targets = random.random((5000, 2)) < probabilities
    sharp = np.where(probabilities > 0.5, 0.99, 0.01)

    assert calibration(targets, probabilities)["ece"] < 0.02
    assert calibration(targets, sharp)["ece"] > 0.2


def test_soft_targets_count_with_their_share_of_the_vote():
    assert calibration([[0.25]], [[0.25]])["ece"] == 0
    assert calibration([[0.25, 0.75]], [[0.25, 0.75]], single_label=True)["ece"] == 0


@pytest.mark.parametrize("single", [False, True])
def test_one_row_and_one_label_have_finite_figures(single):
    ours = calibration([[1]], [[0.6]], single_label=single)

    assert ours["ece"] == pytest.approx(0.4)
    assert ours["brier"] == pytest.approx(0.16)


def test_unusable_calls_are_refused():
    with pytest.raises(DataError, match="same shape"):
        calibration([[1, 0]], [[0.5]])
    with pytest.raises(DataError, match="logits, perhaps"):
        calibration([[1]], [[3.0]])
    with pytest.raises(UsageError, match="bins must be at least 1"):
        calibration([[1]], [[0.5]], bins=0)
    with pytest.raises(UsageError, match="did you mean mass"):
        calibration([[1]], [[0.5]], scheme="mas")
