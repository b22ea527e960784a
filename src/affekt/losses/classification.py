"""Classification losses on logits, for one label per text or several.

With x = `logits` and t = `targets` (n, k), w = `label_weights` (k,) or 1, p = σ(x), ε = `smoothing`:

    cross-entropy  Σ_ic w_c t̃_ic (−log softmax(x_i)_c) / Σ_ic w_c t_ic,  t̃ = (1 − ε) t + (ε / k) Σ_c t_ic
    bce            mean over n·k of  w t B(1 − ε/2) + (1 − t) B(ε/2),    B(q) = −q log p − (1 − q) log(1 − p)
    focal          mean over n·k of  (1 − p_t)^γ · [ −w t log p − (1 − t) log(1 − p) ],
                   p_t = t p + (1 − t)(1 − p)
    asymmetric     mean over n·k of  −w t (1 − p)^γ₊ log p − (1 − t) p_m^γ₋ log(1 − p_m),
                   p_m = max(p − clip, 0)

Papers: Lin et al. (2017), Focal Loss for Dense Object Detection; Ridnik et al. (2021), Asymmetric Loss for
Multi-Label Classification (whose code sums where this takes the mean).

A row without labels leaves the mean of cross-entropy, where it says nothing. For the three binary losses it
says that every label is absent, and counts. In cross-entropy w weighs rows by their class; in the binary
losses it weighs the presence of a label against its absence (torch's `pos_weight`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from affekt.errors import UsageError, unknown_name
from affekt.losses.common import full_precision


@dataclass(frozen=True)
class Focus:
    """How far focal and asymmetric losses play down what is already right.

    The fields are γ of the focal loss, and γ₋, γ₊ and clip of the asymmetric one.
    """

    gamma: float = 2.0
    gamma_negative: float = 4.0
    gamma_positive: float = 1.0
    clip: float = 0.05


def _cross_entropy(
    logits: Tensor, targets: Tensor, label_weights: Tensor, smoothing: float, _: Focus
) -> Tensor:
    labelled = targets.sum(dim=1, keepdim=True)
    smoothed = (1 - smoothing) * targets + smoothing / max(logits.shape[1], 1) * labelled
    total = (label_weights * smoothed * -logits.log_softmax(dim=1)).sum()
    mass = (label_weights * targets).sum()
    return total / torch.where(mass > 0, mass, 1.0)


def _bce(logits: Tensor, targets: Tensor, label_weights: Tensor, smoothing: float, _: Focus) -> Tensor:
    present, absent = label_weights * targets, 1 - targets
    half = smoothing / 2  # of what is present counts as absent and the reverse, with the weight of what it is
    for_present = (1 - half) * present + half * absent
    for_absent = half * present + (1 - half) * absent
    log_present, log_absent = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return -_mean(for_present * log_present + for_absent * log_absent)


def _focal(logits: Tensor, targets: Tensor, label_weights: Tensor, _: float, focus: Focus) -> Tensor:
    # log(1 − p_t) rather than 1 − p_t: its power has a finite derivative where p saturates.
    log_miss = torch.logaddexp(
        targets.log() + functional.logsigmoid(-logits), (1 - targets).log() + functional.logsigmoid(logits)
    )
    costs = functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=label_weights, reduction="none"
    )
    return _mean((focus.gamma * log_miss).exp() * costs)


def _asymmetric(logits: Tensor, targets: Tensor, label_weights: Tensor, _: float, focus: Focus) -> Tensor:
    log_absent = functional.logsigmoid(-logits)
    present = (
        label_weights * targets * (focus.gamma_positive * log_absent).exp() * functional.logsigmoid(logits)
    )
    shifted = logits.sigmoid() - focus.clip  # p_m where above zero
    costly = shifted > 0
    power = torch.where(costly, shifted, 1.0).pow(focus.gamma_negative)
    log_rest = torch.log1p(-torch.where(costly, shifted, 0.0)) if focus.clip > 0 else log_absent
    absent = (1 - targets) * torch.where(costly, power, 0.0) * log_rest
    return -_mean(present + absent)


CLASSIFICATION_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor, float, Focus], Tensor]] = {
    "cross-entropy": _cross_entropy,
    "bce": _bce,
    "focal": _focal,
    "asymmetric": _asymmetric,
}
SMOOTHED = ("cross-entropy", "bce")


@full_precision
def classification_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    kind: str,
    label_weights: Tensor | None = None,
    smoothing: float = 0.0,
    focus: Focus = Focus(),
) -> Tensor:
    """Return one of the classification losses by name.

    Args:
        logits: (n, k), before softmax or sigmoid.
        targets: (n, k) in [0, 1]; for cross-entropy rows sum to 1, soft rows included.
        kind: a key of CLASSIFICATION_LOSSES.
        label_weights: (k,) weights; None weighs all labels equal.
        smoothing: label smoothing in [0, 1), for cross-entropy and bce.
        focus: the exponents of focal and asymmetric.

    Returns:
        A scalar; 0 attached to the graph where nothing counts.

    Raises:
        UsageError: for an unknown kind, or smoothing where the kind has none.
    """
    if kind not in CLASSIFICATION_LOSSES:
        raise UsageError(unknown_name("classification loss", kind, CLASSIFICATION_LOSSES))
    if smoothing and kind not in SMOOTHED:
        raise UsageError(f"smoothing is {smoothing} but {kind} has none: use {' or '.join(SMOOTHED)}, or 0.")
    weights = torch.ones(logits.shape[1]) if label_weights is None else label_weights
    return CLASSIFICATION_LOSSES[kind](logits, targets.to(logits), weights.to(logits), smoothing, focus)


def _mean(costs: Tensor) -> Tensor:
    return costs.sum() / max(costs.numel(), 1)
