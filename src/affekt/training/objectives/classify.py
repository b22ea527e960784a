"""Classification alone."""

import torch

from affekt.networks.network import TASK
from affekt.recipe.objectives import Classify
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import Terms


class ClassifyObjective(Objective):
    """Logits against targets."""

    spec: Classify

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the classification terms."""
        return self.classified(self.network.encode(inputs["text"]), targets, task)
