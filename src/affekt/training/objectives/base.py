"""The ground of all objectives, the network that is trained and a batch, and the plainest of them."""

from typing import Any

import torch
from torch import nn

from affekt.encoders import Batch, Encoded
from affekt.networks.network import TASK, Network
from affekt.recipe.objectives import ObjectiveSection
from affekt.training.objectives.logits import LogitLoss, Terms

Inputs = dict[str, Batch]  # "text", and for some objectives "view" or "weighting"


class Objective(nn.Module):
    """What a batch costs. Its forward pass returns the terms of the loss by name, weighted.

    Args:
        network: What is trained.
        spec: The recipe's objective section.
        losses: Each task's terms of the logits.
    """

    def __init__(
        self, network: Network, spec: ObjectiveSection, losses: LogitLoss | dict[str, LogitLoss]
    ) -> None:
        super().__init__()
        self.network, self.spec = network, spec
        self.losses = losses if isinstance(losses, dict) else {TASK: losses}

    def encoders(self) -> dict[str, Any]:
        """The encoder that tokenises each input."""
        return {"text": self.network.encoder}

    def extra_networks(self) -> list[nn.Module]:
        """Networks trained beside the main one."""
        return []

    def start_step(self, progress: float) -> None:
        """Hear how far training is: epochs done, as a fraction too."""

    def projected(self, encoded: Encoded) -> torch.Tensor:
        """The vectors in the space that is contrasted."""
        projection = self.network.projection
        return encoded.vectors if projection is None else projection(encoded.vectors)

    def classified(self, encoded: Encoded, targets: torch.Tensor, task: str) -> Terms:
        """The classification terms of a task's rows."""
        return self.losses[task](self.network.logits(encoded, task), targets)


class ClassifyObjective(Objective):
    """Classification alone."""

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the classification terms."""
        return self.classified(self.network.encode(inputs["text"]), targets, task)


def total(terms: Terms) -> torch.Tensor:
    """The loss: the sum of its terms."""
    return torch.stack(list(terms.values())).sum()
