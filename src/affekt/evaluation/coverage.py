"""What is gained by leaving out the rows that a model is least sure of: risk over coverage."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from affekt.evaluation import arrays

_POINTS = 20  # of the curve


def risk_coverage(
    targets: ArrayLike,
    probabilities: ArrayLike,
    thresholds: float | ArrayLike = 0.5,
    *,
    single_label: bool = False,
) -> dict[str, Any]:
    """Return how often decisions are wrong among the rows that a model is surest of, for shares of the rows.

    One label: a row's risk is whether its decision is wrong, and it is as sure as its largest probability.
    Several: the risk is the share of labels decided or true that are not both (1 − Jaccard), and a row is as
    sure as the label nearest its threshold, in probability, is far from it.

    Args:
        targets: (n, k) in [0, 1].
        probabilities: (n, k) in [0, 1].
        thresholds: As in `classification`.
        single_label: One label per row.

    Returns:
        aurc: the mean risk over all shares of rows (of rows in random order it is the risk of all). risk: of
        all rows. curve: "coverage" and "risk" at twenty shares of the rows, the surest first.
    """
    truth = arrays.true_labels(targets, single_label=single_label)
    scores = arrays.unit_matrix(probabilities, "probabilities")
    arrays.same_shape(truth, scores, "targets and probabilities")
    given = arrays.decide(scores, thresholds, single_label=single_label)
    if single_label:
        risks, sure = np.where((given & truth).any(axis=1), 0.0, 1.0), scores.max(axis=1)
    else:
        both, either = (given & truth).sum(axis=1), (given | truth).sum(axis=1)
        risks = np.where(either > 0, 1 - both / np.maximum(either, 1), 0.0)
        sure = np.abs(scores - np.asarray(thresholds, dtype=np.float64)).min(axis=1)
    order = np.argsort(-sure, kind="stable")
    running = np.cumsum(risks[order]) / np.arange(1, len(risks) + 1)
    ends = np.unique(np.ceil(np.arange(1, _POINTS + 1) / _POINTS * len(risks)).astype(int))
    curve = [{"coverage": float(end / len(risks)), "risk": float(running[end - 1])} for end in ends]
    return {"aurc": float(running.mean()), "risk": float(running[-1]), "curve": curve}
