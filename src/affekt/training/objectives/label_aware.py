"""The label-aware objective (row B4) and its second network, Ψ."""

from typing import Any

import torch
from torch import nn

from affekt.encoders import Encoded
from affekt.losses import label_aware_contrastive
from affekt.losses.common import unit_rows, without_half
from affekt.networks.network import TASK, Network
from affekt.recipe.objectives import LabelAware
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import LogitLoss, Terms
from affekt.training.processes import gathered


class LabelAwareObjective(Objective):
    """Classification by Φ and Ψ, and a contrastive loss on Φ's vectors weighted by Ψ's labels."""

    spec: LabelAware

    def __init__(
        self,
        network: Network,
        spec: LabelAware,
        losses: LogitLoss | dict[str, LogitLoss],
        weighting: Network,
    ) -> None:
        super().__init__(network, spec, losses)
        self.weighting = weighting
        self.warm = spec.warmup_epochs == 0

    def encoders(self) -> dict[str, Any]:
        """Φ's tokens, Ψ's tokens, and for synonym views the changed texts."""
        inputs = {"text": self.network.encoder, "weighting": self.weighting.encoder}
        return inputs | ({"view": self.network.encoder} if self.spec.changes_texts else {})

    def extra_networks(self) -> list[nn.Module]:
        """Ψ."""
        return [self.weighting]

    def start_step(self, progress: float) -> None:
        """Let the contrastive term in after the warm-up."""
        self.warm = progress >= self.spec.warmup_epochs

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return L = λ (L_Φ + L_Ψ) + (1−λ) L_LCL, term by term."""
        encoded = self.network.encode(inputs["text"])
        weight_logits = self.weighting.logits(self.weighting.encode(inputs["weighting"]), task)
        share = self.spec.balance
        terms = {name: share * term for name, term in self.classified(encoded, targets, task).items()}
        of_weighting = self.losses[task](weight_logits, targets)
        terms |= {f"weighting {name}": share * term for name, term in of_weighting.items()}
        if share < 1 and self.warm:
            terms["label-aware"] = (1 - share) * self._contrast(inputs, encoded, weight_logits, targets)
        return terms

    def _contrast(
        self, inputs: Inputs, encoded: Encoded, weight_logits: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        first = encoded.vectors
        source = {"copy": None, "dropout": "text", "synonym": "view"}[self.spec.views]
        second = first if source is None else self.network.encode(inputs[source]).vectors
        # in bfloat16 the weights would sum to 1 to three digits only
        weights = (without_half(weight_logits) / self.spec.weighting_temperature).softmax(1)
        if self.spec.detach_weights:
            weights = weights.detach()
        h, w, z = (gathered(part) for part in (torch.cat([first, second]), weights, targets))
        # gathered views come process by process; weights and targets are repeated in the same order
        world = len(h) // (2 * len(first))
        w, z = (torch.cat([b for b in part.chunk(world) for _ in range(2)]) for part in (w, z))
        return label_aware_contrastive(
            unit_rows(without_half(h)),
            z,
            w,
            temperature=self.spec.temperature,
            positive_weight=self.spec.positive_weight,
        )
