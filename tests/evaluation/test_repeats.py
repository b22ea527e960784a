"""Figures of several runs: means, spreads and intervals over rows and runs."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from affekt.errors import DataError
from affekt.evaluation import repeated_classification


def runs_of(n=200, k=3, runs=4, right=0.7, seed=0):
    """True classes as one-hot rows, and the decisions of runs that are right so often."""
    random = np.random.default_rng(seed)
    classes = random.integers(k, size=n)
    guesses = [np.where(random.random(n) < right, classes, random.integers(k, size=n)) for _ in range(runs)]
    return np.eye(k)[classes], [np.eye(k)[guess] for guess in guesses]


def test_values_are_the_means_of_scikit_learn_s_over_the_runs():
    targets, predictions = runs_of()
    found = repeated_classification(targets, predictions, single_label=True, label=2)
    truth = targets.argmax(axis=1)
    macro = [f1_score(truth, run.argmax(axis=1), average="macro") for run in predictions]
    of_label = [f1_score(truth == 2, run.argmax(axis=1) == 2) for run in predictions]
    assert found["f1_macro"].runs == pytest.approx(macro)
    assert found["f1_macro"].value == pytest.approx(np.mean(macro))
    assert found["f1_macro"].spread == pytest.approx(np.std(macro, ddof=1))
    assert found["f1"].runs == pytest.approx(of_label)


def test_intervals_are_of_means_over_drawn_runs_on_drawn_rows():
    targets, predictions = runs_of(n=40, runs=3)
    found = repeated_classification(targets, predictions, single_label=True, resamples=4000)["accuracy"]
    right = np.stack([(run * targets).sum(axis=1) for run in predictions])
    random = np.random.default_rng(5)
    slow = [
        np.mean([right[run, rows].mean() for run in random.integers(3, size=3)])
        for rows in random.integers(40, size=(4000, 40))
    ]
    assert found.drawn.std() == pytest.approx(np.std(slow), rel=0.06)
    assert found.interval()[1:] == pytest.approx(np.quantile(slow, (0.025, 0.975)), abs=0.015)


def test_one_run_has_the_interval_of_its_rows_and_no_spread():
    from affekt.evaluation import classification_intervals

    targets, [predicted] = runs_of(runs=1)
    found = repeated_classification(targets, [predicted], single_label=True)["f1_macro"]
    alone = classification_intervals(targets, predicted, single_label=True)["f1_macro"]
    assert found.spread is None
    assert tuple(found.interval()) == pytest.approx((alone["value"], alone["low"], alone["high"]))


def test_differences_are_paired():
    targets, predictions = runs_of(n=300, right=0.6)
    worse = [run.copy() for run in predictions]
    for run, guess in zip(worse, predictions, strict=True):
        run[:15] = np.roll(targets[:15], 1, axis=1)  # wrong in some rows more, the same ones in each run
        assert (run != guess).any()
    better, worse = (
        repeated_classification(targets, runs, single_label=True)["accuracy"] for runs in (predictions, worse)
    )
    apart = better.less(worse)
    assert apart.value == pytest.approx(better.value - worse.value)
    low, high = apart.interval()[1:]
    assert 0 < low < apart.value < high
    assert high - low < better.interval().high - better.interval().low
    nothing = better.less(better).interval()
    assert tuple(nothing) == (0.0, 0.0, 0.0)


def test_averages_may_be_over_the_labels_that_some_row_holds():
    targets, predictions = runs_of()
    wider = [np.hstack([run, np.zeros((len(run), 1))]) for run in (targets, *predictions)]
    about = {"single_label": True, "resamples": 20}
    whole = repeated_classification(targets, predictions, **about)["f1_macro"].value
    assert repeated_classification(wider[0], wider[1:], **about)["f1_macro"].value < whole
    present = repeated_classification(wider[0], wider[1:], only_present=True, **about)
    assert present["f1_macro"].value == pytest.approx(whole)


def test_runs_of_other_numbers_or_none_are_refused():
    targets, predictions = runs_of()
    four = repeated_classification(targets, predictions, single_label=True)["accuracy"]
    three = repeated_classification(targets, predictions[:3], single_label=True)["accuracy"]
    with pytest.raises(DataError, match="4 and 3 runs are not to be paired"):
        four.less(three)
    with pytest.raises(DataError, match="no run"):
        repeated_classification(targets, [])
