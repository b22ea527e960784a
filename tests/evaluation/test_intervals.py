"""Bootstrap intervals: what is drawn, what is returned, and that they cover as often as they promise."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from affekt.errors import DataError, UsageError
from affekt.evaluation import bootstrap, paired_bootstrap
from affekt.evaluation.intervals import resampled_counts, resampled_rows


def test_the_interval_is_the_percentiles_of_the_metric_over_resampled_rows():
    values = np.random.default_rng(0).normal(size=30)
    draws = np.random.default_rng(5).integers(0, 30, size=(200, 30))

    interval = bootstrap(np.mean, values, resamples=200, level=0.9, seed=5)

    assert interval.value == pytest.approx(values.mean())
    low, high = np.quantile(values[draws].mean(axis=1), (0.05, 0.95))
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_arrays_are_resampled_together():
    left = np.arange(20)

    interval = bootstrap(lambda a, b: float(np.abs(a - b).max()), left, left.copy(), resamples=20)

    assert interval == (0, 0, 0)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(0).normal(size=30)

    assert bootstrap(np.mean, values, seed=1) == bootstrap(np.mean, values, seed=1)
    assert bootstrap(np.mean, values, seed=1) != bootstrap(np.mean, values, seed=2)


def test_ninety_percent_intervals_of_a_mean_hold_the_true_mean_about_ninety_times_in_a_hundred():
    random = np.random.default_rng(0)
    intervals = [
        bootstrap(np.mean, random.normal(size=60), resamples=200, level=0.9, seed=s) for s in range(200)
    ]

    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])

    assert 0.82 < covered < 0.96


def test_weights_count_how_often_each_row_was_drawn():
    draws = np.concatenate(list(resampled_rows(7, 10, seed=2)))
    weights = np.concatenate(list(resampled_counts(7, 10, seed=2)))

    assert weights.tolist() == [[(draw == row).sum() for row in range(7)] for draw in draws]


def test_draws_come_in_chunks_of_bounded_size(monkeypatch):
    monkeypatch.setattr("affekt.evaluation.intervals.CHUNK", 100)

    shapes = [chunk.shape for chunk in resampled_rows(30, 10, seed=0)]

    assert shapes == [(3, 30), (3, 30), (3, 30), (1, 30)]


def test_resamples_on_which_the_metric_is_undefined_are_left_out():
    def share_of_defined(values):
        return np.nan if values[0] == 0 else 1.0

    assert bootstrap(share_of_defined, np.array([1, 0]), resamples=50) == (1, 1, 1)
    with pytest.raises(DataError, match="finite on no resample"):
        bootstrap(lambda values: np.nan, np.array([1, 0]), resamples=5)


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (([1, 2], [1]), {}, DataError, "same number of rows"),
        (([],), {}, DataError, "at least one"),
        ((), {}, DataError, "at least one"),
        (([1, 2],), {"resamples": 0}, UsageError, "resamples must be at least 1"),
        (([1, 2],), {"level": 95}, UsageError, "level must lie between 0 and 1"),
    ],
)
def test_unusable_calls_are_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        bootstrap(lambda *arrays: 0.0, *data, **options)


class TestPaired:
    def runs(self, rows=300, quality=(0.9, 0.9), seed=0):
        random = np.random.default_rng(seed)
        targets = random.random((rows, 4)) < 0.3
        runs = [np.where(random.random((rows, 4)) < share, targets, ~targets) for share in quality]
        return targets, *runs

    def test_a_named_metric_gives_what_the_same_metric_as_a_function_gives(self):
        targets, first, second = self.runs(rows=60)

        def macro_f1(truth, predicted):
            return f1_score(truth, predicted, average="macro", zero_division=0)

        by_name = paired_bootstrap(targets, first, second, metric="f1_macro", resamples=50)
        by_function = paired_bootstrap(targets, first, second, metric=macro_f1, resamples=50)

        assert by_name == pytest.approx(by_function)

    def test_a_clearly_better_run_has_a_small_p_and_a_positive_interval(self):
        result = paired_bootstrap(*self.runs(quality=(0.95, 0.8)))

        assert result["p"] < 0.01
        assert 0 < result["low"] < result["difference"] < result["high"]

    def test_equal_runs_have_p_one_and_no_difference(self):
        targets, first, _ = self.runs()

        assert paired_bootstrap(targets, first, first) == {"difference": 0, "low": 0, "high": 0, "p": 1}

    def test_swapping_the_runs_turns_the_sign(self):
        targets, first, second = self.runs()

        forward, backward = (
            paired_bootstrap(targets, *pair, metric="jaccard") for pair in ((first, second), (second, first))
        )

        assert backward["difference"] == pytest.approx(-forward["difference"])
        assert backward["low"] == pytest.approx(-forward["high"])
        assert backward["p"] == pytest.approx(forward["p"])

    def test_equally_good_runs_are_called_different_about_as_rarely_as_the_level_promises(self):
        ps = [paired_bootstrap(*self.runs(rows=150, seed=s), resamples=200, seed=s)["p"] for s in range(100)]

        assert np.mean(np.array(ps) < 0.05) < 0.12
        assert np.mean(np.array(ps) < 0.5) > 0.3  # and p is not merely always large

    def test_single_label_runs_are_compared_by_their_own_figures(self):
        targets = np.eye(3)[[0, 1, 2, 0, 1, 2] * 5]
        worse = np.eye(3)[[0, 1, 2, 0, 1, 1] * 5]

        result = paired_bootstrap(targets, targets, worse, metric="kappa", single_label=True, resamples=50)

        assert result["difference"] == pytest.approx(0.25)

    def test_an_unknown_metric_is_answered_with_the_near_ones(self):
        with pytest.raises(UsageError, match="did you mean f1_macro"):
            paired_bootstrap(*self.runs(), metric="f1_marco")
