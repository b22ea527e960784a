"""Supervised and label-free contrastive losses on unit vectors.

    supervised_contrastive
        s_ij = z_i·z_j / τ
        L_i  = − 1/Σ_p o_ip · Σ_{p≠i} o_ip · ( s_ip − log Σ_{j≠i} exp s_ij )
        L    = mean of L_i over the anchors i with Σ_p o_ip > 0

    unsupervised_contrastive
        the same with 2n rows, left then right, where the only positive of a row is its other view

with z = `embeddings` scaled to length one inside, τ = `temperature` and o_ip = `overlap` of the two label
sets.

Papers: Khosla et al. (2020), Supervised Contrastive Learning (the form with the sum outside the logarithm);
Chen et al. (2020), SimCLR, and Gao et al. (2021), SimCSE, for two views that differ by dropout alone.

An anchor without a positive leaves the mean and stays a negative of the others; a row without labels is
such an anchor: nothing says that it is like the rest, and the denominators keep the size of the batch. A
batch of one class has no negatives and is still drawn together. There is no τ/τ₀ factor in front: the
published two-view code multiplies by temperature / 0.07.
"""

import torch
from torch import Tensor
from torch.nn import functional

from affekt.errors import UsageError, unknown_name
from affekt.losses.common import (
    full_precision,
    masked_logsumexp,
    mean_where,
    other_rows,
    require_temperature,
    shared_labels,
    unit_rows,
)


def _jaccard(targets: Tensor) -> Tensor:
    """Weigh a pair by Σ min / Σ max of its targets, which for label sets is |A∩B| / |A∪B|."""
    sizes = targets.sum(dim=1)
    together = sizes[:, None] + sizes  # Σ min + Σ max, (n, n)
    apart = torch.cdist(targets, targets, p=1.0)  # Σ max − Σ min
    shared = shared_labels(targets)  # exact, where the difference above is only nearly zero
    return torch.where(shared, (together - apart) / torch.where(shared, together + apart, 1.0), 0.0)


OVERLAPS = {"any": shared_labels, "jaccard": _jaccard}


@full_precision
def supervised_contrastive(
    embeddings: Tensor, targets: Tensor, *, temperature: float = 0.1, overlap: str = "any"
) -> Tensor:
    """Return the supervised contrastive loss of a batch, single- or multi-label.

    Args:
        embeddings: (n, d), normalised inside.
        targets: (n, k) in [0, 1].
        temperature: divides the similarities.
        overlap: how a positive is weighed: "any" by 1, "jaccard" by the share of labels in common
            (Σ min / Σ max of the targets).

    Returns:
        A scalar; 0 attached to the graph where no anchor has a positive.
    """
    require_temperature(temperature)
    if overlap not in OVERLAPS:
        raise UsageError(unknown_name("overlap", overlap, OVERLAPS))
    targets = targets.to(embeddings.dtype)
    weights = OVERLAPS[overlap](targets).to(targets.dtype)  # (n, n), zero on the diagonal
    units = unit_rows(embeddings)
    similarity = units @ units.T / temperature
    log_share = similarity - masked_logsumexp(similarity, other_rows(units))[:, None]
    totals = weights.sum(dim=1)
    has_positive = totals > 0
    per_anchor = -torch.where(weights > 0, weights * log_share, 0.0).sum(dim=1)
    return mean_where(per_anchor / torch.where(has_positive, totals, 1.0), has_positive)


@full_precision
def unsupervised_contrastive(left: Tensor, right: Tensor, *, temperature: float = 0.05) -> Tensor:
    """Return the symmetric two-view loss (NT-Xent): each text must find its other view among the whole batch.

    Args:
        left: (n, d) one view of each text, normalised inside.
        right: (n, d) another view of the same texts, row by row.
        temperature: divides the similarities.

    Returns:
        A scalar; 0 attached to the graph for an empty batch or a single text, which has no negatives.
    """
    require_temperature(temperature)
    units = unit_rows(torch.cat((left, right)))
    if not len(left):
        return units.sum()
    similarity = (units @ units.T / temperature).masked_fill(~other_rows(units), torch.finfo(units.dtype).min)
    other_view = torch.arange(len(units), device=units.device).roll(len(left))
    return functional.cross_entropy(similarity, other_view)
