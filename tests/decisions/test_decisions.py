"""Calibration and thresholds: what is fitted, that it holds on other rows, and what is refused."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from affekt.decisions import Calibration, Decisions, fit, fit_calibration, fit_thresholds
from affekt.decisions.doubts import usable_thresholds
from affekt.decisions.rules import plain_threshold, way_name
from affekt.errors import DataError, ModelError, UsageError
from affekt.evaluation import calibration as reliability
from affekt.evaluation import classification


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def multi_label(seed=0, rows=2000, count=4, heat=3.0):
    """Rows whose true logits are `heat` times smaller than the ones the model gives."""
    random = np.random.default_rng(seed)
    true = random.normal(-1.5, 1.5, (rows, count))
    return heat * true, (random.random((rows, count)) < sigmoid(true)).astype(np.float64)


def single_label(seed=0, rows=2000, count=4, heat=3.0):
    random = np.random.default_rng(seed)
    true = random.normal(0, 1.2, (rows, count))
    classes = (softmax(true).cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    return heat * true, np.eye(count)[classes]


def macro_f1(targets, decided):
    return f1_score(targets, decided, average="macro", zero_division=0)


def best_cut(scores, outcomes, weights):
    """The logit midway between two neighbouring scores with the best weighted F1, by a plain loop."""
    logits = np.log(scores / (1 - scores))
    levels = sorted(set(logits), reverse=True)
    best, found = -1.0, None
    for upper, lower in pairwise(levels):
        chosen = logits >= upper
        f1 = 2 * (weights * outcomes)[chosen].sum() / (weights[chosen].sum() + (weights * outcomes).sum())
        if f1 > best + 1e-12:
            best, found = f1, (upper + lower) / 2
    return found


class TestCalibration:
    def test_none_changes_nothing(self):
        logits, targets = multi_label()

        line = fit_calibration(logits, targets, kind="none")

        assert line == Calibration.none(4)
        assert np.array_equal(line(logits), logits)

    def test_temperature_finds_how_much_too_hot_the_logits_are(self):
        for single, (logits, targets) in ((False, multi_label()), (True, single_label())):
            line = fit_calibration(logits, targets, kind="temperature", single_label=single)

            assert line.slopes == pytest.approx([1 / 3] * 4, rel=0.1)
            assert line.intercepts == (0, 0, 0, 0)

    def test_the_temperature_is_the_one_of_least_surprise(self):
        logits, targets = single_label(rows=300)
        slopes = np.linspace(0.1, 1, 901)
        surprise = [-(targets * np.log(softmax(slope * logits))).sum() for slope in slopes]

        line = fit_calibration(logits, targets, kind="temperature", single_label=True)

        assert line.slopes[0] == pytest.approx(slopes[np.argmin(surprise)], abs=0.003)

    def test_platt_finds_each_labels_own_line_where_there_are_rows_enough(self):
        random = np.random.default_rng(0)
        logits = random.normal(0, 2, (20_000, 3))
        slopes, intercepts = np.array([0.8, 1.0, 1.25]), np.array([-0.5, 0.0, 0.5])
        targets = random.random(logits.shape) < sigmoid(slopes * logits + intercepts)

        line = fit_calibration(logits, targets, kind="platt")

        assert line.slopes == pytest.approx(slopes, abs=0.06)
        assert line.intercepts == pytest.approx(intercepts, abs=0.08)

    def test_platt_keeps_the_line_of_a_rare_label_nearer_to_that_of_all_than_free_fitting_does(self):
        ours, free = [], []
        for seed in range(10):
            random = np.random.default_rng(seed)
            logits = random.normal(-1.5, 1.5, (1000, 5))
            logits[:, 0] -= 4  # about ten positives in a thousand rows
            targets = random.random(logits.shape) < sigmoid(logits)
            unpenalised = LogisticRegression(C=1e6).fit(logits[:, :1], targets[:, 0])
            ours.append(fit_calibration(logits, targets, kind="platt").slopes[0])
            free.append(unpenalised.coef_[0, 0])

        assert np.std(ours) < np.std(free) * 0.8
        assert np.mean(ours) == pytest.approx(1, abs=0.1)

    @pytest.mark.parametrize("value", [0, 1])
    def test_platt_gives_a_label_of_one_class_a_finite_line_on_its_side(self, value):
        logits, targets = multi_label(rows=500, heat=1.0)
        targets[:, 0] = value

        line = fit_calibration(logits, targets, kind="platt")

        before, after = (sigmoid(values)[:, 0].mean() for values in (logits, line(logits)))
        assert abs(value - after) < abs(value - before)
        assert np.abs(line.intercepts).max() < 10

    @pytest.mark.parametrize("kind", ["temperature", "platt"])
    def test_probabilities_of_other_rows_come_true_more_nearly(self, kind):
        for heat in (0.4, 3.0):
            line = fit_calibration(*multi_label(0, heat=heat), kind=kind)
            logits, targets = multi_label(1, heat=heat)
            before, after = (reliability(targets, sigmoid(values)) for values in (logits, line(logits)))

            assert after["ece"] < before["ece"] / 2
            assert after["brier"] < before["brier"]

    def test_single_label_probabilities_of_other_rows_come_true_more_nearly(self):
        line = fit_calibration(*single_label(0), kind="temperature", single_label=True)
        logits, targets = single_label(1)
        before, after = (
            reliability(targets, softmax(values), single_label=True) for values in (logits, line(logits))
        )

        assert after["ece"] < before["ece"] / 2
        assert after["brier"] < before["brier"]

    @pytest.mark.parametrize("kind", ["temperature", "platt"])
    def test_calibrated_logits_are_left_nearly_alone(self, kind):
        logits, targets = multi_label(heat=1.0)
        other, truth = multi_label(1, heat=1.0)

        line = fit_calibration(logits, targets, kind=kind)

        before, after = (reliability(truth, sigmoid(values))["brier"] for values in (other, line(other)))
        assert after == pytest.approx(before, rel=0.01)

    @pytest.mark.parametrize("kind", ["temperature", "platt"])
    def test_the_ranking_within_a_label_stays_even_where_scores_are_upside_down(self, kind):
        logits, targets = multi_label(rows=200)

        line = fit_calibration(-logits, targets, kind=kind)

        assert min(line.slopes) > 0
        assert np.array_equal(np.argsort(line(logits), axis=0), np.argsort(logits, axis=0))

    @pytest.mark.parametrize("kind", ["temperature", "platt"])
    @pytest.mark.parametrize("rows", [1, 2, 30])
    def test_perfectly_separated_rows_give_finite_lines(self, kind, rows):
        targets = np.eye(2)[np.arange(rows) % 2]

        line = fit_calibration(20 * targets - 10, targets, kind=kind)

        assert np.isfinite(line.slopes + line.intercepts).all()

    def test_soft_votes_are_met_as_shares(self):
        logits = np.random.default_rng(0).normal(size=(3000, 2))

        line = fit_calibration(2 * logits, sigmoid(logits), kind="temperature")

        assert line.slopes[0] == pytest.approx(0.5, rel=0.01)

    def test_platt_is_refused_for_single_label_data(self):
        with pytest.raises(UsageError, match="there is temperature"):
            fit_calibration(*single_label(), kind="platt", single_label=True)

    def test_an_unknown_kind_is_answered_with_the_near_one(self):
        with pytest.raises(UsageError, match="did you mean platt"):
            fit_calibration(*multi_label(), kind="plat")


class TestThresholds:
    def test_the_plain_form_is_the_threshold_of_best_f1_per_label(self):
        logits, targets = multi_label(rows=150)
        scores = sigmoid(logits)

        ours = fit_thresholds(targets, scores, resamples=0, prior_positives=0)

        ones = np.ones(150)
        expected = [sigmoid(best_cut(scores[:, label], targets[:, label], ones)) for label in range(4)]
        assert ours == pytest.approx(expected)

    def test_bagging_averages_the_best_logits_of_resamples(self):
        logits, targets = multi_label(rows=60, count=2)
        scores = sigmoid(logits)
        draws = np.random.default_rng(7).integers(0, 60, size=(8, 60))
        weights = [np.bincount(draw, minlength=60).astype(float) for draw in draws]

        ours = fit_thresholds(targets, scores, resamples=8, prior_positives=0, seed=7)

        for label in range(2):
            cuts = [best_cut(scores[:, label], targets[:, label], weight) for weight in weights]
            assert ours[label] == pytest.approx(sigmoid(np.mean(cuts)))

    def test_fixed_is_one_half_and_global_one_number_for_all(self):
        logits, targets = multi_label()

        assert fit_thresholds(targets, sigmoid(logits), method="fixed") == (0.5,) * 4
        assert len(set(fit_thresholds(targets, sigmoid(logits), method="global"))) == 1

    @pytest.mark.parametrize("number", [0, 0.0, 0.3, 1e-9, 1])
    def test_any_number_may_be_the_threshold_of_all_labels(self, number):
        logits, targets = multi_label(rows=150)

        decisions = fit(logits, targets, single_label=False, thresholds=number)

        assert fit_thresholds(targets, sigmoid(logits), method=number) == (number,) * 4
        assert (decisions.method, decisions.thresholds) == ("fixed", (number,) * 4)
        assert Decisions.from_json(json.loads(json.dumps(decisions.to_json()))) == decisions

    @pytest.mark.parametrize("number", [-0.1, 1.0001, 30, float("nan"), float("inf"), True, None, "0.3"])
    def test_what_is_no_number_from_0_to_1_is_no_threshold(self, number):
        with pytest.raises(UsageError, match=r"a number from 0 to 1\.$"):
            fit_thresholds([[1.0]], [[0.7]], method=number)

    def test_the_global_threshold_is_about_as_good_as_the_best_of_a_grid(self):
        logits, targets = multi_label()
        scores = sigmoid(logits / 3)

        shared = fit_thresholds(targets, scores, method="global")

        best = max(macro_f1(targets, scores > limit) for limit in np.linspace(0.01, 0.99, 99))
        assert macro_f1(targets, scores > np.array(shared)) > best - 0.005
        assert best > macro_f1(targets, scores > 0.5) + 0.02  # so that the threshold matters here

    def test_the_threshold_for_jaccard_is_about_as_good_as_the_best_of_a_grid(self):
        logits, targets = multi_label()
        scores = sigmoid(logits / 3)

        def jaccard(limit):
            return classification(targets, scores, limit)["jaccard"]

        shared = fit_thresholds(targets, scores, method="global-jaccard")

        assert len(set(shared)) == 1
        assert jaccard(shared[0]) > max(map(jaccard, np.linspace(0.01, 0.99, 99))) - 0.005
        assert jaccard(shared[0]) > jaccard(fit_thresholds(targets, scores, method="global")[0]) + 0.01

    def test_rows_without_labels_count_for_jaccard_where_none_is_predicted(self):
        scores = np.array([[0.3], [0.3], [0.3], [0.6]])
        targets = np.array([[0.0], [0.0], [0.0], [1.0]])

        [limit] = fit_thresholds(targets, scores, method="global-jaccard")

        assert 0.3 < limit < 0.6

    def test_common_labels_get_about_their_own_best_threshold(self):
        random = np.random.default_rng(0)
        scores = random.random((20_000, 2))
        targets = np.column_stack((random.random(20_000) < scores[:, 0], scores[:, 1] > 0.8))

        limits = fit_thresholds(targets, scores)

        golden = (3 - 5**0.5) / 2  # where F1 of uniform calibrated scores, 2 (1 − t²) / (3 − 2t), is largest
        assert limits[0] == pytest.approx(golden, abs=0.03)
        assert limits[1] == pytest.approx(0.8, abs=0.03)

    @staticmethod
    def rare(seed, rows=1500, count=24):
        """Beta-distributed scores of labels that hold in 3 to 90 of 1,500 rows, with different best cuts."""
        random = np.random.default_rng(seed)
        shares = np.geomspace(0.002, 0.06, count)
        targets = random.random((rows, count)) < shares
        strength = np.linspace(1.0, 5.0, count)[np.random.default_rng(0).permutation(count)]
        positive = random.beta(strength, 3.0, (rows, count))
        negative = random.beta(0.4, 12.0, (rows, count))
        return targets, np.where(targets, positive, negative)

    def test_on_resampled_dev_sets_with_rare_labels_shrinking_beats_the_plain_and_the_global_threshold(self):
        test_targets, test_scores = self.rare(1000, rows=20_000)
        gains = []
        for seed in range(8):
            dev = self.rare(seed)
            ours, plain, shared = (
                macro_f1(test_targets, test_scores > np.array(limits))
                for limits in (
                    fit_thresholds(*dev, resamples=30),
                    fit_thresholds(*dev, resamples=0, prior_positives=0),
                    fit_thresholds(*dev, method="global"),
                )
            )
            gains.append((ours - plain, ours - shared))

        over_plain, over_global = np.array(gains).T
        assert over_plain.mean() > 0.01
        assert (over_plain > 0).mean() > 0.6
        assert over_global.mean() > 0

    def test_the_threshold_of_a_rare_label_depends_little_on_which_rows_hold_it(self):
        drawn = [self.rare(seed) for seed in range(8)]

        ours = np.array([fit_thresholds(*dev, resamples=30)[:4] for dev in drawn])
        plain = np.array([fit_thresholds(*dev, resamples=0, prior_positives=0)[:4] for dev in drawn])

        assert ours.std(axis=0).mean() < plain.std(axis=0).mean() * 0.8

    def test_a_label_with_no_positive_or_the_same_score_everywhere_gets_the_global_threshold(self):
        logits, targets = multi_label(count=5)
        scores = sigmoid(logits)
        targets[:, 1] = 0
        scores[:, 3] = 0.2

        limits = fit_thresholds(targets, scores)

        shared = fit_thresholds(targets, scores, method="global")[0]
        assert limits[1] == shared
        assert limits[3] == shared
        assert shared not in (limits[0], limits[2], limits[4])

    @pytest.mark.parametrize("method", ["fixed", "global", "global-jaccard", "per-label"])
    @pytest.mark.parametrize(
        ("targets", "scores"),
        [
            ([[1.0]], [[0.7]]),
            ([[0.0], [0.0]], [[0.0], [0.0]]),
            ([[1.0], [1.0]], [[1.0], [0.3]]),
            ([[1.0], [0.0]], [[1.0], [0.0]]),
            ([[0.0], [1.0], [0.0]], [[0.9], [0.1], [0.4]]),  # upside down
            ([[0.6, 0.4], [0.2, 0.8]], [[0.6, 0.4], [0.3, 0.7]]),  # soft
        ],
    )
    def test_degenerate_rows_give_thresholds_inside_zero_and_one(self, method, targets, scores):
        assert all(0 < limit < 1 for limit in fit_thresholds(targets, scores, method=method))

    def test_the_same_seed_gives_the_same_thresholds(self):
        logits, targets = multi_label(rows=200)

        assert fit_thresholds(targets, sigmoid(logits)) == fit_thresholds(targets, sigmoid(logits))

    def test_an_unknown_method_is_answered_with_the_near_one(self):
        logits, targets = multi_label()
        with pytest.raises(UsageError, match="did you mean global"):
            fit_thresholds(targets, sigmoid(logits), method="globl")


class TestDecisions:
    def test_multi_label_logits_become_sigmoids_of_the_calibrated_line_and_labels_strictly_above(self):
        decisions = Decisions("threshold", (0.5, 0.5), Calibration("platt", (2.0, 1.0), (0.0, 1.0)))

        probabilities = decisions.probabilities([[1.0, -1.0]])

        assert probabilities.dtype == np.float32
        assert probabilities[0] == pytest.approx([sigmoid(2), 0.5])
        assert decisions.decide(probabilities).tolist() == [[True, False]]

    def test_single_label_logits_become_a_softmax_and_the_largest_one_label(self):
        decisions = Decisions("argmax", (), Calibration("temperature", (0.5,) * 3, (0.0,) * 3))
        logits = np.array([[2.0, 0.0, 1.0], [0.0, 900.0, 900.0]])

        probabilities = decisions.probabilities(logits)

        assert probabilities == pytest.approx(softmax(logits / 2), abs=1e-6)
        assert decisions.decide(probabilities).tolist() == [[True, False, False], [False, True, False]]

    def test_unfitted_decisions_are_argmax_or_one_half(self):
        single, multi = (Decisions.unfitted(3, single_label=flag) for flag in (True, False))

        assert (single.rule, single.thresholds, single.fitted_on) == ("argmax", (), {})
        assert (multi.rule, multi.thresholds) == ("threshold", (0.5,) * 3)

    def test_no_rows_give_no_probabilities_and_no_decisions(self):
        for single in (True, False):
            decisions = Decisions.unfitted(3, single_label=single)
            probabilities = decisions.probabilities(np.zeros((0, 3)))

            assert probabilities.shape == decisions.decide(probabilities).shape == (0, 3)

    @pytest.mark.parametrize("calibration", ["none", "temperature", "platt"])
    @pytest.mark.parametrize("thresholds", ["fixed", "global", "global-jaccard", "per-label"])
    def test_fit_combines_calibration_and_thresholds_and_says_on_what(self, calibration, thresholds):
        logits, targets = multi_label()

        decisions = fit(
            logits,
            targets,
            single_label=False,
            thresholds=thresholds,
            calibration=calibration,
            split="dev",
            digest="abc",
        )

        assert decisions.calibration == fit_calibration(logits, targets, kind=calibration)
        probabilities = decisions.probabilities(logits)
        assert decisions.thresholds == fit_thresholds(targets, probabilities, method=thresholds)
        assert (decisions.rule, decisions.method) == ("threshold", thresholds)
        assert decisions.fitted_on == {"split": "dev", "digest": "abc", "n": 2000}

    def test_fitted_thresholds_raise_macro_f1_on_other_rows(self):
        decisions = fit(*multi_label(0), single_label=False)
        logits, targets = multi_label(1)
        unfitted = Decisions.unfitted(4, single_label=False)

        before, after = (
            macro_f1(targets, rule.decide(rule.probabilities(logits))) for rule in (unfitted, decisions)
        )

        assert after > before + 0.02

    def test_single_label_data_is_decided_by_argmax_whatever_thresholds_are_asked_for(self):
        logits, targets = single_label()

        decisions = fit(logits, targets, single_label=True, thresholds="per-label")

        assert (decisions.rule, decisions.method, decisions.thresholds) == ("argmax", "fixed", ())
        assert np.array_equal(
            decisions.decide(decisions.probabilities(logits)).argmax(axis=1), logits.argmax(axis=1)
        )

    @pytest.mark.parametrize(
        "split",
        [
            "test",
            "Test",
            " TEST\n",
            "Testing",
            "test.csv",
            "data/Test.tsv.gz",
            "test-00000.parquet",
            "test[:9]",
        ],
    )
    def test_nothing_is_fitted_on_a_split_called_test(self, split):
        logits, targets = multi_label(rows=20)

        with pytest.raises(UsageError, match="not fitted on the test split"):
            fit(logits, targets, single_label=False, split=split)
        with pytest.raises(UsageError, match="not fitted on the test split"):
            fit_calibration(logits, targets, kind="temperature", split=split)
        with pytest.raises(UsageError, match="not fitted on the test split"):
            fit_thresholds(targets, sigmoid(logits), split=split)

    @pytest.mark.parametrize("split", ["dev.csv", "test/dev.csv", "latest", "contest.csv", "fold-3", ""])
    def test_other_splits_may_be_called_anything(self, split):
        assert fit(*multi_label(rows=20), single_label=False, split=split).fitted_on["split"] == split

    @pytest.mark.parametrize(
        ("logits", "targets", "message"),
        [
            (np.zeros((0, 2)), np.zeros((0, 2)), "split 'dev', but it has none"),
            ([[np.nan, 0.0]], [[1, 0]], "nan at row 0"),
            ([[0.0, 0.0]], [[1, 0, 0]], "same shape"),
            ([[0.0, 0.0]], [[1, 3]], "targets must lie between 0 and 1"),
        ],
    )
    def test_unusable_rows_are_a_data_error(self, logits, targets, message):
        with pytest.raises(DataError, match=message):
            fit(logits, targets, single_label=False)

    def test_logits_in_the_place_of_probabilities_are_refused(self):
        with pytest.raises(DataError, match="logits, perhaps"):
            fit_thresholds(*reversed(multi_label()))

    def test_logits_or_probabilities_of_another_number_of_labels_are_refused(self):
        decisions = Decisions.unfitted(3, single_label=False)

        with pytest.raises(DataError, match="2 labels meet a calibration of 3"):
            decisions.probabilities([[0.0, 1.0]])
        with pytest.raises(DataError, match="one per label"):
            decisions.decide([[0.1, 0.9]])

    @given(st.integers(1, 5), st.booleans(), st.floats(1e-6, 1 - 1e-6), st.floats(1e-3, 1e3))
    def test_decisions_survive_json(self, count, single, limit, slope):
        decisions = Decisions(
            "argmax" if single else "threshold",
            () if single else (limit,) * count,
            Calibration("temperature", (slope,) * count, (0.0,) * count),
            "per-label",
            {"split": "dev", "digest": "abc", "n": 7},
        )

        assert Decisions.from_json(json.loads(json.dumps(decisions.to_json()))) == decisions

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"thresholds": [0.5]}, "need 2 thresholds, but have 1"),
            ({"thresholds": [0.5, 1.1]}, "between 0 and 1"),
            ({"thresholds": [0.5, float("nan")]}, "between 0 and 1"),
            ({"thresholds": ["low", "high"]}, "cannot be read"),
            ({"rule": "treshold"}, "did you mean threshold"),
            ({"method": "oracle"}, "unknown threshold method"),
            ({"calibration": {"kind": "platt", "slopes": [1.0], "intercepts": []}}, "1 and 0"),
            ({"calibration": {"kind": "platt", "slopes": [1.0, -1.0], "intercepts": [0, 0]}}, "positive"),
            (
                {"calibration": {"kind": "isotonic", "slopes": [1.0], "intercepts": [0]}},
                "unknown calibration",
            ),
            ({"calibration": None}, "cannot be read"),
        ],
    )
    def test_stored_decisions_that_make_no_sense_are_a_model_error(self, change, message):
        plain = Decisions.unfitted(2, single_label=False).to_json()

        with pytest.raises(ModelError, match=message):
            Decisions.from_json(plain | change)

    def test_stored_decisions_with_a_part_missing_are_a_model_error(self):
        plain = Decisions.unfitted(2, single_label=False).to_json()
        for key in plain:
            with pytest.raises(ModelError, match=key):
                Decisions.from_json({name: part for name, part in plain.items() if name != key})


class TestEdges:
    """Scores and thresholds are compared as float32."""

    NUMBERS = (0.0, 1e-6, 0.1, 0.3, 0.5, 0.7, 0.9, 1 - 1e-6, 1.0)

    @pytest.mark.parametrize("limit", NUMBERS)
    @pytest.mark.parametrize("kind", [np.float32, np.float64])
    def test_a_score_equal_to_the_threshold_is_not_above_it_and_the_next_one_is(self, limit, kind):
        decisions = Decisions.unfitted(1, single_label=False, threshold=limit)
        higher = np.nextafter(np.float32(limit), np.float32(2))

        for score, above in (
            (limit, False),
            (np.nextafter(np.float32(limit), np.float32(-1)), False),
            (higher, True),
        ):
            assert decisions.decide(np.array([[score]], dtype=kind)).tolist() == [[above]]

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_rounding_a_score_to_float32_changes_no_decision(self, score, limit):
        decisions = Decisions.unfitted(1, single_label=False, threshold=limit)
        scores = np.array([[score]])

        assert np.array_equal(decisions.decide(scores), decisions.decide(scores.astype(np.float32)))
        assert decisions.decide(scores).item() <= (score > limit)

    @pytest.mark.parametrize("limit", [0.1, 0.3, 0.7])
    def test_figures_of_both_kinds_of_scores_are_the_same(self, limit):
        scores = np.array([[limit], [limit], [0.05], [0.95]])
        targets = np.array([[1.0], [0.0], [0.0], [1.0]])

        single, double = (classification(targets, scores.astype(kind), limit) for kind in (np.float32, float))

        assert single["f1_macro"] == double["f1_macro"] == pytest.approx(2 / 3)


class TestDoubts:
    """Thresholds that are no use are replaced, and small dev splits are warned of."""

    @staticmethod
    def noise(rows=24, count=6, seed=0):
        """Scores that have nothing to do with the labels, of which each row holds one in four."""
        random = np.random.default_rng(seed)
        return random.normal(-1, 0.3, (rows, count)), (random.random((rows, count)) < 0.25).astype(float)

    @pytest.mark.parametrize("method", ["per-label", "global", "global-jaccard"])
    @pytest.mark.parametrize("seed", range(4))
    def test_no_label_is_given_to_nearly_every_text_that_mostly_does_not_hold_it(self, method, seed):
        logits, targets = self.noise(seed=seed)

        decisions = fit(logits, targets, single_label=False, thresholds=method)

        given = decisions.decide(decisions.probabilities(logits))
        assert (given.mean(axis=0) < 0.75).sum() >= (6 if method == "per-label" else 3)

    def test_what_was_fitted_to_noise_is_replaced_and_the_reason_is_kept(self):
        logits, targets = self.noise()

        fitted = fit_thresholds(targets, Decisions.unfitted(6, single_label=False).probabilities(logits))
        decisions = fit(logits, targets, single_label=False, calibration="none", labels=list("abcdef"))

        given = sigmoid(logits) > np.array(fitted)
        useless = (given.mean(axis=0) >= 0.75) & (
            (given & (targets == 0)).sum(axis=0) > given.sum(axis=0) / 2
        )
        assert useless.any()
        for limit, before, replaced in zip(decisions.thresholds, fitted, useless, strict=True):
            assert (limit != before) == replaced
        *replacements, small = decisions.warnings
        said = " ".join(replacements)
        assert {name for name in "abcdef" if re.search(rf"\b{name}\b[^;]* to nearly every text", said)} == {
            name for name, replaced in zip("abcdef", useless, strict=True) if replaced
        }
        assert small.startswith("dev has 24 texts: ")
        assert Decisions.from_json(json.loads(json.dumps(decisions.to_json()))) == decisions

    def test_a_label_gets_the_global_threshold_where_that_one_is_of_use(self):
        random = np.random.default_rng(0)
        targets = np.zeros((60, 4))
        targets[:, 0] = random.random(60) < 0.2
        targets[:, 1:] = random.random((60, 3)) < 0.5
        probabilities = np.where(targets == 1, 0.8, 0.55) + random.normal(0, 0.02, (60, 4))
        probabilities[:, 0] = random.normal(0.4, 0.01, 60)
        logits = np.log(probabilities / (1 - probabilities))

        decisions = fit(logits, targets, single_label=False, calibration="none")

        scores = decisions.probabilities(logits)
        shared = fit_thresholds(targets, scores, method="global")[0]
        assert decisions.thresholds == (shared, *fit_thresholds(targets, scores)[1:])
        assert f"gave 0 to nearly every text, mostly wrongly; {shared:.3g} is used" in decisions.warnings[0]

    def test_a_label_that_most_texts_hold_may_be_given_to_all(self):
        logits, targets = self.noise(rows=200)
        targets[:, 0] = np.arange(200) % 5 > 0
        logits[:, 0] += 3

        decisions = fit(logits, targets, single_label=False, calibration="none")

        assert decisions.decide(decisions.probabilities(logits))[:, 0].mean() > 0.75

    def test_thresholds_worse_than_one_half_on_the_very_rows_they_come_from_are_not_used(self):
        truth = np.array([[True], [False], [True], [False]])
        scores = np.array([[0.6], [0.4], [0.7], [0.2]])

        for jaccard, name in ((False, "macro-F1"), (True, "Jaccard")):
            used, reasons = usable_thresholds(np.array([0.65]), 0.65, truth, scores, ["joy"], jaccard=jaccard)

            assert used.tolist() == [0.5]
            assert len(reasons) == 1
            assert f"do worse there than .5 ({name} " in reasons[0]

    def test_many_labels_are_not_all_named(self):
        decisions = fit(*self.noise(rows=120, count=28), single_label=False)

        assert re.search(r" and [0-9]+ more to nearly every text", decisions.warnings[0])
        assert max(map(len, decisions.warnings)) < 250

    @pytest.mark.parametrize("single", [True, False])
    def test_a_small_dev_split_is_warned_of_only_where_something_is_fitted(self, single):
        rows = (single_label if single else multi_label)(rows=30)
        large = (single_label if single else multi_label)(rows=400)

        assert len(fit(*rows, single_label=single).warnings) == 1
        assert fit(*rows, single_label=single, thresholds="fixed", calibration="none").warnings == ()
        assert fit(*large, single_label=single).warnings == ()

    def test_rare_labels_are_warned_of(self):
        logits, targets = multi_label(rows=400)
        targets[5:, 1] = 0

        decisions = fit(logits, targets, single_label=False, labels=["joy", "awe", "fear", "calm"])

        assert [warning.split(":")[0] for warning in decisions.warnings] == [
            "fewer than 10 dev texts hold awe"
        ]

    def test_the_number_of_a_runs_fixed_figures_is_read_from_the_decisions_it_kept(self):
        logits, targets = multi_label(rows=150)
        at_a_number = fit(logits, targets, single_label=False, thresholds=0.25)

        assert plain_threshold(at_a_number.to_json()) == ".25"
        assert plain_threshold(fit(logits, targets, single_label=False).to_json()) == ".5"
        assert plain_threshold(fit(*single_label(), single_label=True).to_json()) == ".5"
        assert plain_threshold(None) == ".5"
        assert way_name("fitted", at_a_number.to_json()) == "calibrated, thresholds at .25"
        assert way_name("fitted", {"method": "per-label"}) == "thresholds fitted on dev"
        assert way_name("fixed", None) == "thresholds at .5"

    def test_decisions_without_warnings_are_written_as_they_always_were(self):
        assert "warnings" not in Decisions.unfitted(2, single_label=False).to_json()
