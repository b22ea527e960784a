"""The figures against scikit-learn's on random data, worked cases, and what happens at the edges."""

import warnings

import numpy as np
import pytest
from sklearn import metrics

from affekt.errors import DataError
from affekt.evaluation import classification, classification_intervals
from affekt.evaluation.classification import rare_labels


def multi_label(seed=0, rows=200, count=6, share=0.2):
    random = np.random.default_rng(seed)
    targets = (random.random((rows, count)) < share).astype(np.float64)
    probabilities = np.clip(0.4 * targets + 0.6 * random.random((rows, count)), 0, 1)
    return targets, probabilities


def single_label(seed=0, rows=200, count=5):
    random = np.random.default_rng(seed)
    classes = random.integers(0, count, rows)
    targets = np.eye(count)[classes]
    probabilities = random.dirichlet(np.ones(count), rows) * 0.6 + 0.4 * targets
    return classes, targets, probabilities


def scikit_learn(truth, predicted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = {}
        for average in ("macro", "micro", "weighted"):
            options = {"average": average, "zero_division": 0}
            result[f"f1_{average}"] = metrics.f1_score(truth, predicted, **options)
            result[f"precision_{average}"] = metrics.precision_score(truth, predicted, **options)
            result[f"recall_{average}"] = metrics.recall_score(truth, predicted, **options)
        del result["precision_weighted"], result["recall_weighted"]
        result["f1_std"] = np.std(metrics.f1_score(truth, predicted, average=None, zero_division=0))
        result["jaccard"] = metrics.jaccard_score(truth, predicted, average="samples", zero_division=1)
        result["jaccard_empty_zero"] = metrics.jaccard_score(
            truth, predicted, average="samples", zero_division=0
        )
        result["accuracy"] = metrics.accuracy_score(truth, predicted)
        result["hamming"] = metrics.hamming_loss(truth, predicted)
    return result


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_multi_label_figures_equal_scikit_learns(seed, share):
    targets, probabilities = multi_label(seed, share=share)
    thresholds = np.random.default_rng(seed + 99).uniform(0.2, 0.8, targets.shape[1])
    predicted = (probabilities > thresholds).astype(int)

    ours = classification(targets, probabilities, thresholds)

    for name, value in scikit_learn(targets.astype(int), predicted).items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name
    assert ours["average_precision_macro"] == pytest.approx(
        metrics.average_precision_score(targets, probabilities, average="macro")
    )
    assert ours["roc_auc_macro"] == pytest.approx(
        metrics.roc_auc_score(targets, probabilities, average="macro")
    )


@pytest.mark.parametrize("seed", range(5))
def test_single_label_figures_equal_scikit_learns_on_classes(seed):
    classes, targets, probabilities = single_label(seed)
    predicted = probabilities.argmax(axis=1)

    ours = classification(targets, probabilities, single_label=True)

    for average in ("macro", "weighted", "micro"):
        assert ours[f"f1_{average}"] == pytest.approx(metrics.f1_score(classes, predicted, average=average))
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(classes, predicted))
    assert ours["kappa"] == pytest.approx(metrics.cohen_kappa_score(classes, predicted))
    assert ours["mcc"] == pytest.approx(metrics.matthews_corrcoef(classes, predicted))
    assert ours["jaccard"] == pytest.approx(ours["accuracy"])


def test_per_label_figures_carry_the_names_given_or_the_column_numbers():
    targets, probabilities = multi_label(count=3)
    predicted = probabilities > 0.5
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        targets.astype(int), predicted.astype(int), zero_division=0
    )

    named = classification(targets, probabilities, labels=["joy", "anger", "fear"])["per_label"]
    numbered = classification(targets, probabilities)["per_label"]

    assert named["anger"] == pytest.approx(
        {
            "precision": precision[1],
            "recall": recall[1],
            "f1": f1[1],
            "support": support[1],
            "predicted": predicted[:, 1].sum(),
        }
    )
    assert list(numbered) == [0, 1, 2]
    assert list(named.values()) == list(numbered.values())


def test_the_two_jaccard_conventions_differ_by_the_share_of_empty_rows():
    targets = np.array([[1, 0], [0, 0], [0, 0], [1, 1]])
    probabilities = np.array([[0.9, 0.1], [0.1, 0.1], [0.9, 0.1], [0.9, 0.1]])

    ours = classification(targets, probabilities)

    assert ours["jaccard"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert ours["jaccard_empty_zero"] == pytest.approx((1 + 0 + 0 + 0.5) / 4)


def test_a_probability_on_the_threshold_is_not_predicted():
    ours = classification([[1.0], [1.0]], [[0.5], [0.5000001]], 0.5)

    assert ours["per_label"][0]["predicted"] == 1


def test_soft_targets_hold_above_half_the_vote_or_with_most_votes_where_single_label():
    votes = [[0.4, 0.6], [0.5, 0.5], [0.4, 0.2]]

    multi = classification(votes, np.full((3, 2), 0.1))
    single = classification(votes, np.full((3, 2), 0.5), single_label=True)

    assert [multi["per_label"][label]["support"] for label in (0, 1)] == [0, 1]
    assert [single["per_label"][label]["support"] for label in (0, 1)] == [2, 1]


def test_single_label_data_takes_the_largest_probability_even_below_the_threshold():
    ours = classification([[1, 0, 0]], [[0.4, 0.3, 0.3]], 0.5, single_label=True)

    assert ours["accuracy"] == 1


def test_labels_never_predicted_are_counted():
    ours = classification([[1, 0, 1], [0, 1, 0]], [[0.9, 0.1, 0.2], [0.9, 0.2, 0.1]])

    assert ours["never_predicted"] == 2


@pytest.mark.parametrize(
    ("targets", "probabilities", "single"),
    [
        (np.zeros((4, 3)), np.full((4, 3), 0.1), False),  # no positive, none predicted
        (np.ones((4, 3)), np.full((4, 3), 0.9), False),
        (np.zeros((4, 3)), np.full((4, 3), 0.9), False),
        (np.array([[1, 0]]), np.array([[0.2, 0.7]]), False),  # one row
        (np.array([[1], [0]]), np.array([[0.7], [0.7]]), False),  # one label
        (np.ones((3, 1)), np.ones((3, 1)), True),  # one class
        (np.eye(3)[[0, 0, 0]], np.eye(3)[[0, 0, 0]], True),
        (np.eye(3)[[0, 0, 0]], np.eye(3)[[1, 2, 1]], True),
    ],
)
def test_degenerate_data_gives_finite_figures(targets, probabilities, single):
    ours = classification(targets, probabilities, single_label=single)
    ours.pop("per_label")

    assert all(isinstance(value, float) and np.isfinite(value) for value in ours.values())


def test_ranking_figures_use_only_labels_with_both_classes_and_are_left_out_without_one():
    targets, probabilities = multi_label(count=3)
    targets[:, 1], targets[:, 2] = 0, 1

    ours = classification(targets, probabilities)

    assert ours["roc_auc_macro"] == pytest.approx(metrics.roc_auc_score(targets[:, 0], probabilities[:, 0]))
    assert "roc_auc_macro" not in classification(targets[:, 1:], probabilities[:, 1:])


def test_lists_and_tensors_will_do():
    import torch

    targets, probabilities = multi_label()

    from_tensors = classification(torch.tensor(targets), torch.tensor(probabilities))

    assert from_tensors == classification(targets.tolist(), probabilities.tolist())


@pytest.mark.parametrize(
    ("targets", "probabilities", "options", "message"),
    [
        ([[1, 0]], [[0.5, 0.5, 0.5]], {}, r"same shape.*\(1, 2\).*\(1, 3\)"),
        ([[1, 0]], [[np.nan, 0.5]], {}, "nan at row 0, column 0"),
        ([[1, 0]], [[1.5, 0.5]], {}, "1.5 is among them"),
        ([[1, 0]], [[-0.5, 0.5]], {}, "-0.5 is among them"),
        ([[2, 0]], [[0.5, 0.5]], {}, "targets must lie between 0 and 1"),
        ([1, 0], [0.5, 0.5], {}, "non-empty matrix"),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}, "non-empty matrix"),
        ([["a"]], [[0.5]], {}, "must be numbers"),
        ([[1, 0]], [[0.5, 0.5]], {"thresholds": [0.5, 0.5, 0.5]}, "one per label"),
        ([[1, 0]], [[0.5, 0.5]], {"thresholds": -2.0}, "not logits"),
        ([[1, 0]], [[0.5, 0.5]], {"labels": ["joy"]}, "1 label names"),
        ([[1, 0], [0, 0]], [[0.5, 0.5]] * 2, {"single_label": True}, "row 1 .* has no label"),
    ],
)
def test_unusable_input_is_a_data_error_that_says_what_was_seen(targets, probabilities, options, message):
    with pytest.raises(DataError, match=message):
        classification(targets, probabilities, **options)


def test_softmax_rounding_above_one_is_forgiven():
    assert classification([[1.0]], [[1.0000001]])["accuracy"] == 1


class TestIntervals:
    def test_equal_a_loop_of_scikit_learn_over_the_same_resamples(self):
        targets, probabilities = multi_label(rows=60, count=4, share=0.1)
        predicted = probabilities > 0.5
        random = np.random.default_rng(3)
        draws = random.integers(0, 60, size=(50, 60))
        drawn = [scikit_learn(targets[rows].astype(int), predicted[rows].astype(int)) for rows in draws]

        ours = classification_intervals(targets, predicted, resamples=50, seed=3, level=0.9)

        whole = classification(targets, probabilities)
        for name in drawn[0]:
            low, high = np.quantile([figures[name] for figures in drawn], (0.05, 0.95))
            expected = {"value": whole[name], "low": low, "high": high}
            assert ours[name] == pytest.approx(expected, abs=1e-12), name

    def test_per_label_gives_the_figures_and_the_limits_of_f1(self):
        targets, probabilities = multi_label(rows=120, count=2)
        predicted = probabilities > 0.5
        draws = np.random.default_rng(0).integers(0, 120, size=(40, 120))
        f1 = [metrics.f1_score(targets[rows, 1], predicted[rows, 1], zero_division=0) for rows in draws]

        ours = classification_intervals(targets, predicted, labels=["joy", "fear"], resamples=40)["per_label"]

        low, high = np.quantile(f1, (0.025, 0.975))
        expected = classification(targets, probabilities)["per_label"][1] | {"low": low, "high": high}
        assert ours["fear"] == pytest.approx(expected)

    def test_a_label_of_few_rows_has_no_interval_and_is_named(self):
        targets = np.zeros((200, 4))
        targets[:20, 0] = targets[:19, 1] = targets[:, 3] = 1
        found = classification_intervals(targets, targets, labels=["joy", "grief", "pride", "any"])[
            "per_label"
        ]
        assert [label for label, row in found.items() if "low" in row] == ["joy", "any"]
        assert rare_labels(found) == ["grief"]  # nothing is known of pride, and nothing is said of it

    def test_single_label_adds_kappa_and_mcc(self):
        classes, targets, probabilities = single_label(rows=50)
        predicted = np.eye(5)[probabilities.argmax(axis=1)]
        draws = np.random.default_rng(0).integers(0, 50, size=(30, 50))
        chosen = probabilities.argmax(axis=1)
        expected = np.quantile(
            [metrics.matthews_corrcoef(classes[rows], chosen[rows]) for rows in draws], 0.025
        )

        ours = classification_intervals(targets, predicted, single_label=True, resamples=30)

        assert ours["mcc"]["low"] == pytest.approx(expected)
        assert ours["kappa"]["low"] <= ours["kappa"]["value"] <= ours["kappa"]["high"]

    def test_chunks_do_not_change_the_figures(self, monkeypatch):
        targets, probabilities = multi_label(rows=50)
        whole = classification_intervals(targets, probabilities > 0.5, resamples=20)
        monkeypatch.setattr("affekt.evaluation.intervals.CHUNK", 50 * 6)

        assert classification_intervals(targets, probabilities > 0.5, resamples=20) == whole

    def test_perfect_and_empty_predictions_have_intervals_without_width(self):
        targets = np.eye(2)[[0, 1] * 10]

        perfect = classification_intervals(targets, targets, resamples=20)
        empty = classification_intervals(np.zeros((3, 2)), np.zeros((3, 2)), resamples=20)

        assert perfect["f1_micro"] == {"value": 1, "low": 1, "high": 1}
        assert empty["f1_macro"] == {"value": 0, "low": 0, "high": 0}
        assert empty["jaccard"] == {"value": 1, "low": 1, "high": 1}

    def test_probabilities_in_the_place_of_decisions_are_refused(self):
        with pytest.raises(DataError, match="not probabilities"):
            classification_intervals([[1, 0]], [[0.7, 0.2]])
