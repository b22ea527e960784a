"""What pages show of predictions beyond the metrics: matrices and mistakes. Arrays in, arrays out."""

from dataclasses import dataclass

import numpy as np

from affekt.decisions.rules import log_sum_exp, sigmoid
from affekt.evaluation.arrays import Bools, Floats


@dataclass(frozen=True)
class Mistake:
    """One wrong decision: a label given that does not hold, or a label missed that does."""

    row: int
    label: int
    probability: float


def shares(true: Bools, predicted: Bools) -> Floats:
    """Return (k, k): of the rows that truly hold label i, the share predicted to hold label j.

    For one label a row this is the row-normalised confusion matrix. Labels that no row holds give NaN rows.
    """
    together = true.T.astype(np.float64) @ predicted.astype(np.float64)
    support = true.sum(axis=0)[:, None]
    divided: Floats = np.divide(together, support, out=np.full_like(together, np.nan), where=support > 0)
    return divided


def raw_probabilities(logits: Floats, *, single_label: bool) -> Floats:
    """Return the probabilities before calibration: softmax over the labels, or a sigmoid for each."""
    if single_label:
        return np.asarray(np.exp(logits - log_sum_exp(logits)[:, None]))
    return sigmoid(logits)


def wrongly_given(true: Bools, predicted: Bools, probabilities: Floats, most: int) -> list[Mistake]:
    """Return the rows with the surest wrongly given label, the surest first, each row once."""
    return _per_row(np.where(predicted & ~true, probabilities, -np.inf), probabilities, most)


def wrongly_missed(true: Bools, predicted: Bools, probabilities: Floats, most: int) -> list[Mistake]:
    """Return the rows with the most firmly missed true label, the firmest first, each row once."""
    return _per_row(np.where(true & ~predicted, -probabilities, -np.inf), probabilities, most)


def _per_row(scores: Floats, probabilities: Floats, most: int) -> list[Mistake]:
    if scores.size == 0:
        return []
    label = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), label]
    order = np.argsort(-best, kind="stable")[:most]
    return [
        Mistake(int(row), int(label[row]), float(probabilities[row, label[row]]))
        for row in order
        if np.isfinite(best[row])
    ]
