"""How well decisions and probabilities agree with the true labels.

Labels are columns: single-label data is the case of one true column per row, and is decided by the largest
probability. Every label counts in the macro figures; one that is neither true nor predicted anywhere has
precision, recall and F1 of 0 (scikit-learn's zero_division=0 over all labels), unless averages are asked for
over the labels that some row holds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from affekt.evaluation import arrays, counts
from affekt.evaluation.arrays import Bools, Floats
from affekt.evaluation.intervals import percentile_limits, resampled_counts

FEWEST_OF_LABEL = 20  # rows that hold a label, for its F1 to have an interval


def rare_labels(per_label: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the labels that some rows hold, but too few for intervals that tell the truth."""
    return [label for label, row in per_label.items() if 0 < row["support"] < FEWEST_OF_LABEL]


def classification(
    targets: ArrayLike,
    probabilities: ArrayLike,
    thresholds: float | ArrayLike = 0.5,
    *,
    labels: Sequence[str] | None = None,
    single_label: bool = False,
    only_present: bool = False,
) -> dict[str, Any]:
    """Return the figures of probabilities against targets, by name.

    Args:
        targets: (n, k) in [0, 1]. Soft votes are made hard: > 0.5, or the most voted where single-label.
        probabilities: (n, k) in [0, 1].
        thresholds: One number or one per label; a label is predicted where its probability is strictly above.
        labels: Names for `per_label`; without them its keys are the column numbers.
        single_label: One label per row: the largest probability decides and thresholds are not used.
        only_present: Average over the labels that some row holds, as for data that lacks some of a model's.

    Returns:
        Floats: f1_macro, f1_micro, f1_weighted, f1_std (spread over labels, population form),
        precision_macro, recall_macro, precision_micro, recall_micro, accuracy (all labels of the row right),
        hamming (share of wrong entries), jaccard (mean over rows; a row with no true and no predicted label
        counts 1, as in the SemEval and scikit-learn scorers with zero_division=1), jaccard_empty_zero (such a
        row counts 0), never_predicted (how many labels are predicted nowhere); average_precision_macro and
        roc_auc_macro over the labels that have both true and false rows, left out where no label has; for
        single-label data also kappa and mcc. And `per_label`: for each label precision, recall, f1, support
        and predicted.
    """
    truth = arrays.true_labels(targets, single_label=single_label)
    scores = arrays.unit_matrix(probabilities, "probabilities")
    arrays.same_shape(truth, scores, "targets and probabilities")
    predicted = arrays.decide(scores, thresholds, single_label=single_label)
    averaged = arrays.averaged(truth, only_present=only_present)
    sums = counts.columns(truth, predicted).sum(axis=0)
    figures = counts.figures(sums, len(truth), single_label=single_label, averaged=averaged)
    result: dict[str, Any] = {name: float(value) for name, value in figures.items()}
    result["never_predicted"] = float((averaged & ~predicted.any(axis=0)).sum())
    result |= _ranking_figures(truth, scores)
    result["per_label"] = _per_label(sums, arrays.label_names(labels, truth.shape[1]))
    return result


def _per_label(sums: Floats, names: Sequence[str | int]) -> dict[str | int, dict[str, float]]:
    label = counts.label_figures(sums)
    return {
        name: {figure: float(label[figure][column]) for figure in counts.PER_LABEL}
        for column, name in enumerate(names)
    }


def _ranking_figures(truth: Bools, scores: Floats) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    mixed = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
    if not len(mixed):
        return {}
    pairs = [(truth[:, column], scores[:, column]) for column in mixed]
    return {
        "average_precision_macro": float(np.mean([average_precision_score(*pair) for pair in pairs])),
        "roc_auc_macro": float(np.mean([roc_auc_score(*pair) for pair in pairs])),
    }


def classification_intervals(
    targets: ArrayLike,
    predicted: ArrayLike,
    *,
    labels: Sequence[str] | None = None,
    single_label: bool = False,
    only_present: bool = False,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[Any, Any]]:
    """Return percentile bootstrap intervals over rows for the figures that (n, k) decisions give.

    What is not said here is as in `classification`; n rows are drawn with replacement `resamples` times, and
    `level` is the share of resampled values within an interval.

    Returns:
        {figure: {"value", "low", "high"}} for every figure but average_precision_macro, roc_auc_macro and
        never_predicted; and `per_label`: {label: {"precision", "recall", "f1", "support", "predicted",
        "low", "high"}} where low and high are of the label's F1, and are left out where fewer than
        20 rows hold it: resamples of so few rows say too little of what others would be like.
    """
    truth = arrays.true_labels(targets, single_label=single_label)
    table = counts.columns(truth, arrays.decisions(predicted, truth))
    names = arrays.label_names(labels, truth.shape[1])
    averaged = arrays.averaged(truth, only_present=only_present)
    about: dict[str, Any] = {"single_label": single_label, "averaged": averaged}
    value = counts.figures(table.sum(axis=0), len(truth), **about)
    drawn: dict[str, list[Floats]] = {name: [] for name in (*value, "label_f1")}
    for weights in resampled_counts(len(truth), resamples, seed):
        sums = weights @ table  # (resamples of this chunk, 3k + 4)
        for name, values in counts.figures(sums, len(truth), **about).items():
            drawn[name].append(values)
        drawn["label_f1"].append(counts.label_figures(sums)["f1"])
    limits = {name: percentile_limits(np.concatenate(values), level) for name, values in drawn.items()}
    result: dict[str, dict[Any, Any]] = {
        name: {"value": float(value[name]), "low": float(limits[name][0]), "high": float(limits[name][1])}
        for name in value
    }
    per_label = _per_label(table.sum(axis=0), names)
    for figures, low, high in zip(per_label.values(), *limits["label_f1"], strict=True):
        figures |= {"low": float(low), "high": float(high)} if figures["support"] >= FEWEST_OF_LABEL else {}
    result["per_label"] = per_label
    return result
