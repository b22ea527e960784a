"""Objectives: what a batch costs. Each combines encoder, heads and losses, and owns any further network.

An objective is a torch module. Its forward pass takes a batch of rows tokenised for each of its inputs, the
targets and the task they belong to, and returns the terms of the loss by name, already weighted: their sum is
what is minimised.
"""

from collections.abc import Callable
from typing import Any

from affekt.errors import UsageError
from affekt.networks.network import Network
from affekt.training.objectives.base import ClassifyObjective, Objective, total
from affekt.training.objectives.contrastive import (
    ContrastiveObjective,
    FewShotObjective,
    SupervisedContrastiveObjective,
    UnsupervisedObjective,
)
from affekt.training.objectives.distil import DistilObjective
from affekt.training.objectives.label_aware import LabelAwareObjective
from affekt.training.objectives.logits import LogitLoss, Terms
from affekt.training.objectives.retrofit import RetrofitObjective

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "classify": ClassifyObjective,
    "contrastive": ContrastiveObjective,
    "contrastive-unsupervised": UnsupervisedObjective,
    "supervised-contrastive": SupervisedContrastiveObjective,
    "few-shot": FewShotObjective,
    "label-aware": LabelAwareObjective,
    "retrofit": RetrofitObjective,
    "distil": DistilObjective,
}


def build_objective(
    spec: Any,
    network: Network,
    losses: LogitLoss | dict[str, LogitLoss],
    weighting: Network | None = None,
) -> Objective:
    """Make the objective of a recipe's section; `weighting` is its second network, where it has one."""
    kind = getattr(spec, "kind", spec)
    if not hasattr(spec, "kind") or kind not in OBJECTIVES:
        raise UsageError(f"{kind!r} is no objective that is trained by gradients.")
    if spec.weighting_network is None:
        return OBJECTIVES[kind](network, spec, losses)
    if weighting is None:
        raise TypeError(f"a {kind} objective needs a weighting network")
    return OBJECTIVES[kind](network, spec, losses, weighting)


__all__ = [
    "OBJECTIVES",
    "ClassifyObjective",
    "ContrastiveObjective",
    "DistilObjective",
    "FewShotObjective",
    "LabelAwareObjective",
    "LogitLoss",
    "Objective",
    "RetrofitObjective",
    "SupervisedContrastiveObjective",
    "Terms",
    "UnsupervisedObjective",
    "build_objective",
    "total",
]
