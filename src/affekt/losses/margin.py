"""Contrastive margin loss: rows that share an emotion are drawn together, others pushed to a margin.

    pair_contrastive    L = mean over pairs of  ½ [ y d² + (1 − y) max(0, m − d)² ]
    margin_contrastive  L = ½ · mean over P of ½ d²  +  ½ · mean over N of ½ max(0, m − d)²

with d = ‖left − right‖ (Euclidean, no epsilon inside), y = `same`, m = `margin`; P are the
pairs of the batch that share a label, N those that share none.

Paper: Hadsell, Chopra and LeCun (2006), Dimensionality Reduction by Learning an Invariant Mapping. Giving P
and N the same weight is this project's way of balancing pairs without drawing them: with as many positive
as negative pairs, both functions agree.

At d = 0 the distance has no derivative; the gradient there is 0, so a negative pair of identical rows is
not pushed apart until something else separates it.
"""

import torch
from torch import Tensor

from affekt.losses.common import full_precision, mean_where, other_rows, shared_labels


@full_precision
def pair_contrastive(left: Tensor, right: Tensor, same: Tensor, *, margin: float) -> Tensor:
    """Return the contrastive margin loss over given pairs.

    Args:
        left: (n, d) first row of each pair.
        right: (n, d) second row of each pair.
        same: (n,) bool, or float in [0, 1]: 1 draws the pair together, 0 pushes it apart.
        margin: the distance beyond which a negative pair costs nothing.

    Returns:
        A scalar; 0 attached to the graph where there are no pairs.
    """
    squared = (left - right).square().sum(dim=-1)  # (n,)
    apart = squared > 0
    distance = torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)
    likeness = same.to(squared.dtype)
    costs = likeness * squared + (1 - likeness) * (margin - distance).clamp(min=0).square()
    return 0.5 * costs.sum() / max(len(costs), 1)


@full_precision
def margin_contrastive(embeddings: Tensor, targets: Tensor, *, margin: float = 1.5) -> Tensor:
    """Return the contrastive margin loss over all pairs of a batch, both kinds weighing equal.

    Where the batch has pairs of one kind only, that kind's mean is the loss; where it has none, the loss is
    0. A row without labels takes part in no pair; a row without a positive still takes part in its negative
    pairs.

    Args:
        embeddings: (n, d).
        targets: (n, k) in [0, 1]; two rows are positive when some label is above zero in both.
        margin: the distance beyond which a negative pair costs nothing.

    Returns:
        A scalar, attached to the graph.
    """
    # Differences, not inner products: exact for near rows, and the gradient at distance 0 is 0. (n, n)
    distance = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    labelled = (targets > 0).any(dim=1)
    positive = shared_labels(targets)
    negative = labelled[:, None] & labelled & other_rows(embeddings) & ~positive
    attraction = mean_where(0.5 * distance.square(), positive)
    repulsion = mean_where(0.5 * (margin - distance).clamp(min=0).square(), negative)
    kinds = positive.any().int() + negative.any().int()
    return (attraction + repulsion) / kinds.clamp(min=1)
