"""Whether a probability of .7 comes true seven times in ten."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import UsageError, unknown_name
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Floats

SCHEMES = ("width", "mass")


def calibration(
    targets: ArrayLike,
    probabilities: ArrayLike,
    *,
    bins: int = 15,
    single_label: bool = False,
    scheme: str = "width",
    only_present: bool = False,
) -> dict[str, Any]:
    """Return how far probabilities are from the frequencies they promise.

    Multi-label: every (row, label) entry is one promise, pooled over labels. Single-label: each row promises
    the probability of its likeliest label. Soft targets count with their share of the vote.

    Args:
        targets: (n, k) in [0, 1].
        probabilities: (n, k) in [0, 1].
        bins: How many bins.
        single_label: One label per row.
        scheme: "width": bins of equal width over [0, 1], each with its upper edge (comparable with published
            figures); "mass": bins of equally many promises.
        only_present: Average ece_macro over the labels that some row holds, as in `classification`.

    Returns:
        ece: mean gap between promise and frequency over bins, weighted by their size. mce: the largest gap.
        ece_macro: each label's own ECE, averaged. brier: mean squared error of the probabilities, per entry
        for multi-label, summed over the labels of a row for single-label. reliability: for each bin that is
        not empty low, high, confidence (mean promise), frequency and n.
    """
    if scheme not in SCHEMES:
        raise UsageError(unknown_name("binning scheme", scheme, SCHEMES))
    if bins < 1:
        raise UsageError(f"bins must be at least 1, but is {bins}.")
    truth = arrays.unit_matrix(targets, "targets")
    scores = arrays.unit_matrix(probabilities, "probabilities")
    arrays.same_shape(truth, scores, "targets and probabilities")
    if single_label:
        best = arrays.one_hot_argmax(scores)
        promised, came_true = scores[best], truth[best]
    else:
        promised, came_true = scores.ravel(), truth.ravel()
    reliability = _reliability(promised, came_true, bins, scheme)
    held = arrays.true_labels(truth, single_label=single_label) if only_present else truth > 0
    per_label = [
        _expected_gap(_reliability(scores[:, column], truth[:, column], bins, scheme))
        for column in np.flatnonzero(arrays.averaged(held, only_present=only_present))
    ]
    squared = (scores - truth) ** 2
    return {
        "ece": _expected_gap(reliability),
        "mce": max(_gap(part) for part in reliability),
        "ece_macro": float(np.mean(per_label)),
        "brier": float(squared.sum(axis=1).mean() if single_label else squared.mean()),
        "reliability": reliability,
    }


def _reliability(promised: Floats, came_true: Floats, bins: int, scheme: str) -> list[dict[str, Any]]:
    if scheme == "width":
        edges = np.linspace(0.0, 1.0, bins + 1)
    else:
        edges = np.unique(np.quantile(promised, np.linspace(0.0, 1.0, bins + 1)))
    place = np.searchsorted(edges[1:-1], promised, side="left")  # a value on an edge belongs to the bin below
    size = np.bincount(place, minlength=bins)
    confidence = np.bincount(place, weights=promised, minlength=bins)
    frequency = np.bincount(place, weights=came_true, minlength=bins)
    return [
        {
            "low": float(edges[part]),
            "high": float(edges[min(part + 1, len(edges) - 1)]),
            "confidence": float(confidence[part] / size[part]),
            "frequency": float(frequency[part] / size[part]),
            "n": int(size[part]),
        }
        for part in np.flatnonzero(size).tolist()
    ]


def _gap(part: dict[str, float]) -> float:
    return abs(part["confidence"] - part["frequency"])


def _expected_gap(reliability: list[dict[str, float]]) -> float:
    total = sum(part["n"] for part in reliability)
    return float(sum(part["n"] * _gap(part) for part in reliability) / total)
