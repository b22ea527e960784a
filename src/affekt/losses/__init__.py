"""Losses: functions of tensors that never see a model, a tokenizer or a label name.

Each file holds one family, its formula in the docstring. Every loss is finite and attached to the graph, in
value and gradient, for any batch: no positives, one class, one row, no rows.
"""

from collections.abc import Callable

from affekt.errors import installed

with installed():
    from torch import Tensor

from affekt.losses.classification import CLASSIFICATION_LOSSES, Focus, classification_loss
from affekt.losses.distillation import distillation
from affekt.losses.label_aware import label_aware_contrastive
from affekt.losses.label_correlation import (
    inter_group_correlation,
    intra_group_correlation,
    label_correlation,
    same_side_correlation,
)
from affekt.losses.margin import margin_contrastive, pair_contrastive
from affekt.losses.preservation import space_preservation
from affekt.losses.supervised import supervised_contrastive, unsupervised_contrastive

LOSSES: dict[str, Callable[..., Tensor]] = {
    loss.__name__: loss
    for loss in (
        classification_loss,
        distillation,
        inter_group_correlation,
        intra_group_correlation,
        label_aware_contrastive,
        label_correlation,
        margin_contrastive,
        pair_contrastive,
        same_side_correlation,
        space_preservation,
        supervised_contrastive,
        unsupervised_contrastive,
    )
}

__all__ = [
    "CLASSIFICATION_LOSSES",
    "LOSSES",
    "Focus",
    "classification_loss",
    "distillation",
    "inter_group_correlation",
    "intra_group_correlation",
    "label_aware_contrastive",
    "label_correlation",
    "margin_contrastive",
    "pair_contrastive",
    "same_side_correlation",
    "space_preservation",
    "supervised_contrastive",
    "unsupervised_contrastive",
]
