"""Objectives: what a batch costs. Each combines encoder, heads and losses, and owns any further network.

An objective is a torch module. Its forward pass takes a batch of rows tokenised for each of its inputs, the
targets and the task they belong to, and returns the terms of the loss by name, already weighted: their sum is
what is minimised.
"""

from collections.abc import Callable
from typing import Any

from affekt.errors import UsageError
from affekt.networks.network import Network
from affekt.training.objectives.base import Inputs, Objective, total
from affekt.training.objectives.classify import ClassifyObjective
from affekt.training.objectives.contrastive import ContrastiveObjective
from affekt.training.objectives.label_aware import LabelAwareObjective
from affekt.training.objectives.logits import LogitLoss, Terms
from affekt.training.objectives.retrofit import RetrofitObjective
from affekt.training.objectives.supervised import SupervisedContrastiveObjective
from affekt.training.objectives.unsupervised import UnsupervisedObjective

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "classify": ClassifyObjective,
    "contrastive": ContrastiveObjective,
    "contrastive-unsupervised": UnsupervisedObjective,
    "supervised-contrastive": SupervisedContrastiveObjective,
    "label-aware": LabelAwareObjective,
    "retrofit": RetrofitObjective,
}


def build_objective(
    spec: Any,
    network: Network,
    losses: LogitLoss | dict[str, LogitLoss],
    weighting: Callable[[], Network] | None = None,
) -> Objective:
    """Make the objective of a recipe.

    Args:
        spec: The recipe's objective section.
        network: What is trained.
        losses: How logits are compared with targets, for each task.
        weighting: Makes the weighting network, for an objective that has one.
    """
    kind = getattr(spec, "kind", spec)
    if not hasattr(spec, "kind") or kind not in OBJECTIVES:
        raise UsageError(f"{kind!r} is no objective that is trained by gradients.")
    if spec.weighting_network is None:
        return OBJECTIVES[kind](network, spec, losses)
    if weighting is None:
        raise TypeError(f"a {kind} objective needs a weighting network")
    return OBJECTIVES[kind](network, spec, losses, weighting())


__all__ = [
    "OBJECTIVES",
    "ClassifyObjective",
    "ContrastiveObjective",
    "Inputs",
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
