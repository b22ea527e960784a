"""Contrast of two dropout views; labels are not read."""

import torch

from affekt.losses import unsupervised_contrastive
from affekt.networks.network import TASK
from affekt.recipe.objectives import ContrastiveUnsupervised
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import Terms
from affekt.training.processes import gathered


class UnsupervisedObjective(Objective):
    """Two passes of the same texts, their dropout the only difference."""

    spec: ContrastiveUnsupervised

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the contrastive loss; the targets are not read."""
        left, right = (gathered(self.projected(self.network.encode(inputs["text"]))) for _ in range(2))
        return {"contrastive": unsupervised_contrastive(left, right, temperature=self.spec.temperature)}
