"""Objectives that draw texts together: pairs with a margin (row A1), dropout views, texts of a label."""

import torch

from affekt.losses import (
    margin_contrastive,
    pair_contrastive,
    supervised_contrastive,
    unsupervised_contrastive,
)
from affekt.networks.network import TASK
from affekt.recipe.objectives import Contrastive, ContrastiveUnsupervised, FewShot, SupervisedContrastive
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


class UnsupervisedObjective(Objective):
    """Two passes of the same texts, their dropout the only difference."""

    spec: ContrastiveUnsupervised

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the contrastive loss; the targets are not read."""
        left, right = (gathered(self.projected(self.network.encode(inputs["text"]))) for _ in range(2))
        return {"contrastive": unsupervised_contrastive(left, right, temperature=self.spec.temperature)}


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


class FewShotObjective(Objective):
    """Supervised contrastive loss on the encoder's own vectors, on which a head is fitted afterwards."""

    spec: FewShot

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the contrastive term."""
        vectors = gathered(self.projected(self.network.encode(inputs["text"])))
        temperature, overlap = self.spec.temperature, self.spec.overlap
        value = supervised_contrastive(vectors, gathered(targets), temperature=temperature, overlap=overlap)
        return {"contrastive": value}
