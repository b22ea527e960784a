"""Margin loss on pairs of texts (row A1)."""

import torch

from affekt.losses import margin_contrastive, pair_contrastive
from affekt.networks.network import TASK
from affekt.recipe.objectives import Contrastive
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import Terms
from affekt.training.processes import gathered


class ContrastiveObjective(Objective):
    """Margin loss on projections. With drawn pairs, a batch's first half is paired with its second half."""

    spec: Contrastive

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the margin loss."""
        vectors, margin = self.projected(self.network.encode(inputs["text"])), self.spec.margin
        if not self.spec.draws_pairs:
            return {"margin": margin_contrastive(gathered(vectors), gathered(targets), margin=margin)}
        left, right = (gathered(side) for side in vectors.chunk(2))
        a, b = (gathered(side) for side in targets.chunk(2))
        same = ((a * b).sum(1) > 0).to(vectors.dtype)
        return {"margin": pair_contrastive(left, right, same, margin=margin)}
