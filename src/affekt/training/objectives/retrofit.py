"""Supervised contrast that stays near the starting encoder (rows D1 to D3)."""

import copy
from typing import Self

import torch

from affekt.losses import space_preservation, supervised_contrastive
from affekt.networks.network import TASK, Network
from affekt.recipe.objectives import Retrofit
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import LogitLoss, Terms
from affekt.training.processes import gathered


class RetrofitObjective(Objective):
    """Contrastive on projections, while sentence vectors stay near a frozen copy's.

    The vectors that are held near are encoded again without dropout, as the copy's are: with it the term
    would not be 0 where nothing has moved.
    """

    spec: Retrofit

    def __init__(self, network: Network, spec: Retrofit, losses: LogitLoss | dict[str, LogitLoss]) -> None:
        super().__init__(network, spec, losses)
        self.reference = copy.deepcopy(network.encoder).eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Train the network; the frozen copy always evaluates."""
        super().train(mode)
        self.reference.eval()
        return self

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the contrastive and the preservation term."""
        encoded = self.network.encode(inputs["text"])
        value = supervised_contrastive(
            gathered(self.projected(encoded)), gathered(targets), temperature=self.spec.temperature
        )
        if self.spec.preservation == 0:
            return {"contrastive": value}
        with torch.no_grad():
            before = self.reference(inputs["text"]).vectors
        encoder, training = self.network.encoder, self.network.encoder.training
        encoder.eval()
        try:
            after = encoder(inputs["text"]).vectors
        finally:
            encoder.train(training)
        kept = self.spec.preservation * space_preservation(gathered(after), gathered(before))
        return {"contrastive": value, "preservation": kept}
