"""Figures as functions of column sums.

Every classification figure here is a function of sums over rows: per label the hits, predictions and
supports, and a few sums per row. A bootstrap resample only weighs the rows anew, so its figures come from a
weighted sum of the same columns: `weights @ columns` gives a thousand resamples in one matrix product.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affekt.evaluation.arrays import Bools, Floats

ROW_SUMS = ("jaccard", "jaccard_empty_zero", "accuracy", "hamming")
PER_LABEL = ("precision", "recall", "f1", "support", "predicted")


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """Divide; 0 where the denominator is 0."""
    zeros = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    return np.asarray(np.divide(numerator, denominator, out=zeros, where=np.asarray(denominator) > 0))


def columns(truth: Bools, predicted: Bools) -> Floats:
    """Return the (n, 3k + 4) columns whose sums over rows give every figure of `figures`."""
    both = (truth & predicted).sum(axis=1)
    either = (truth | predicted).sum(axis=1)
    overlap = ratio(both, either)
    official = np.where(either == 0, 1.0, overlap)  # the scorers' convention: nothing to find, nothing found
    rows = official, overlap, both == either, (either - both) / truth.shape[1]
    return np.column_stack((truth & predicted, predicted, truth, *rows)).astype(np.float64)


def label_figures(sums: Floats) -> dict[str, Floats]:
    """Return the (…, k) per-label figures of (…, 3k + 4) column sums."""
    count = (sums.shape[-1] - len(ROW_SUMS)) // 3
    hits, predicted, support = (sums[..., i * count : (i + 1) * count] for i in range(3))
    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, support),
        "f1": ratio(2 * hits, predicted + support),
        "support": support,
        "predicted": predicted,
        "hits": hits,
    }


def figures(
    sums: Floats, rows: int, *, single_label: bool, averaged: Bools | None = None
) -> dict[str, Floats]:
    """Return the figures, each of shape (…), of (…, 3k + 4) column sums over (weighted) rows.

    Averages over labels are of those that (k,) `averaged` marks; of all where it is None.
    """
    label = label_figures(sums)
    of_average = slice(None) if averaged is None else averaged
    f1, precision, recall = (label[name][..., of_average] for name in ("f1", "precision", "recall"))
    hits, predicted, support = (label[name].sum(axis=-1) for name in ("hits", "predicted", "support"))
    result: dict[str, Floats] = {
        "f1_macro": f1.mean(axis=-1),
        "f1_micro": ratio(2 * hits, predicted + support),
        "f1_weighted": ratio((label["f1"] * label["support"]).sum(axis=-1), support),
        "f1_std": f1.std(axis=-1),
        "precision_macro": precision.mean(axis=-1),
        "recall_macro": recall.mean(axis=-1),
        "precision_micro": ratio(hits, predicted),
        "recall_micro": ratio(hits, support),
    }
    for place, name in enumerate(ROW_SUMS):
        result[name] = sums[..., place - len(ROW_SUMS)] / rows
    if single_label:
        result |= _chance_corrected(hits, label["predicted"], label["support"], rows)
    return result


def _chance_corrected(hits: Floats, predicted: Floats, support: Floats, rows: int) -> dict[str, Floats]:
    """Cohen's kappa and Matthews' correlation for several classes; 0 where they are undefined."""
    agreement = hits * rows
    chance = (predicted * support).sum(axis=-1)
    spread_predicted = rows**2 - (predicted**2).sum(axis=-1)
    spread_true = rows**2 - (support**2).sum(axis=-1)
    return {
        "kappa": ratio(agreement - chance, rows**2 - chance),
        "mcc": ratio(agreement - chance, np.sqrt(np.maximum(spread_predicted * spread_true, 0))),
    }
