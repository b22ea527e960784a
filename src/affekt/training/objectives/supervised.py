"""Supervised contrast, alone or beside classification."""

import torch

from affekt.losses import supervised_contrastive
from affekt.networks.network import TASK
from affekt.recipe.objectives import SupervisedContrastive
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import Terms
from affekt.training.processes import gathered


class SupervisedContrastiveObjective(Objective):
    """Supervised contrastive loss on projections, with or without classification beside it."""

    spec: SupervisedContrastive

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the contrastive term and the classification terms."""
        spec, encoded = self.spec, self.network.encode(inputs["text"])
        vectors, labels = self.projected(encoded), targets
        if spec.views == "dropout":
            vectors = torch.cat([vectors, self.projected(self.network.encode(inputs["text"]))])
            labels = torch.cat([targets, targets])
        value = supervised_contrastive(
            gathered(vectors), gathered(labels), temperature=spec.temperature, overlap=spec.overlap
        )
        terms = {"contrastive": spec.contrastive * value}
        if spec.classifies:
            logit_terms = self.classified(encoded, targets, task)
            terms |= {name: spec.classification * term for name, term in logit_terms.items()}
        return terms
