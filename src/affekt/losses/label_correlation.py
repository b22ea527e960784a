"""Label-correlation losses: within one text, present labels should score above absent ones.

    p = σ(logits);  Y¹ the present, Y⁰ the absent labels of a row

    label_correlation        mean over rows of  mean over i∈Y⁰, j∈Y¹ of exp(p_i − p_j)
    intra_group_correlation  the same over the pairs (i, j) of one group
    inter_group_correlation  the same over the pairs (i, j) of different groups
    same_side_correlation    mean over rows of  ½ [ mean over i<j∈Y⁰ of exp(p_i + p_j)
                                                  + mean over i<j∈Y¹ of exp(−p_i − p_j) ]

Papers: Alhuzali and Ananiadou (2021), SpanEmo, for `label_correlation`. Chochlakis et al. (2022),
Leveraging Label Correlations in a Multi-label Setting: A Case Study in Emotion (Demux, arXiv 2210.15842),
divide its pairs by the gold labels of the text: their "inter" term is `label_correlation` itself and their
"intra" term is `same_side_correlation`. Here that term uses probabilities throughout, bounded by e², and
means over the pairs it names; their code gives it raw logits, and averages over the masked half of the
matrix too. The two `group` terms divide the pairs by a fixed grouping of the labels instead, such as a
sentiment hierarchy: intra tells emotions of one family apart, inter the families.

Shapes: logits and targets (n, k), the latter in [0, 1]; groups (k,), each label's. A row without a pair (no
label, all labels, or none in the group) contributes 0 and still counts in the mean. Soft targets weigh a pair
by (1 − t_i) t_j, i ≠ j. Every value is attached to the graph, also when it is 0.
"""

import torch
from torch import Tensor

from affekt.losses.common import full_precision, other_rows

Side = tuple[Tensor, Tensor]  # values and weights of one factor of a pair, (n, k) each


@full_precision
def label_correlation(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over rows of the mean of exp(p_absent − p_present) over all pairs of labels."""
    return _absent_over_present(logits, targets, other_rows(logits.T))


@full_precision
def intra_group_correlation(logits: Tensor, targets: Tensor, groups: Tensor) -> Tensor:
    """Return the correlation term over pairs of labels of the same group."""
    return _absent_over_present(logits, targets, (groups[:, None] == groups) & other_rows(logits.T))


@full_precision
def inter_group_correlation(logits: Tensor, targets: Tensor, groups: Tensor) -> Tensor:
    """Return the correlation term over pairs of labels of different groups."""
    return _absent_over_present(logits, targets, groups[:, None] != groups)


@full_precision
def same_side_correlation(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the term that lowers absent labels together and raises present labels together.

    Where a row has pairs on one side only, that side's mean stands alone.
    """
    absent, present, pairs = *_sides(logits, targets), other_rows(logits.T)
    absent_mean, has_absent = _pair_mean(absent, absent, pairs)
    present_mean, has_present = _pair_mean(present, present, pairs)
    return _row_mean((absent_mean + present_mean) / (has_absent.int() + has_present).clamp(min=1))


def _absent_over_present(logits: Tensor, targets: Tensor, pairs: Tensor) -> Tensor:
    """Average exp(p_i − p_j) over the absent i and present j that `pairs` (k, k) allows, then over rows."""
    return _row_mean(_pair_mean(*_sides(logits, targets), pairs)[0])


def _sides(logits: Tensor, targets: Tensor) -> tuple[Side, Side]:
    """Return exp(p) with the weights of the absent labels, and exp(−p) with those of the present ones."""
    probabilities, present = logits.sigmoid(), targets.to(logits.dtype)
    return (probabilities.exp(), 1 - present), ((-probabilities).exp(), present)


def _pair_mean(first: Side, second: Side, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Average first_i · second_j over allowed pairs, weighed, without forming (n, k, k).

    exp(a + b) = exp(a) exp(b), so the double sum is a matrix product with `pairs` between the factors.

    Returns:
        (n,) means, 0 for a row without a pair, and (n,) bool saying which rows have one.
    """
    (left, left_weight), (right, right_weight) = first, second
    allowed = pairs.to(left.dtype)
    totals = ((left * left_weight) @ allowed * (right * right_weight)).sum(dim=1)
    counts = (left_weight @ allowed * right_weight).sum(dim=1)
    has_pair = counts > 0
    return totals / torch.where(has_pair, counts, 1.0), has_pair


def _row_mean(values: Tensor) -> Tensor:
    return values.sum() / max(len(values), 1)
