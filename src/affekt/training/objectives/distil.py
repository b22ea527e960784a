"""Distillation (one teacher or several) beside the true labels."""

import torch

from affekt.losses import distillation
from affekt.networks.network import TASK
from affekt.recipe.objectives import Distil
from affekt.training.objectives.base import Inputs, Objective
from affekt.training.objectives.logits import Terms
from affekt.training.processes import gathered

TAUGHT = "taught"  # the input with what the teachers say of each row, and whether it has labels


class DistilObjective(Objective):
    """L = hard · L_labels + (1 − hard) · L_teachers, each the mean over the rows of the batch.

    L_labels is the loss on the rows with labels times their share of the batch, so that a labelled row weighs
    the same in every batch; L_teachers is `losses.distillation` on all rows.
    """

    spec: Distil

    def forward(self, inputs: Inputs, targets: torch.Tensor, task: str = TASK) -> Terms:
        """Return the terms of the labels and of the teachers."""
        loss, hard = self.losses[task], self.spec.hard
        logits = gathered(self.network.logits(self.network.encode(inputs["text"]), task))
        taught = {name: gathered(values) for name, values in inputs[TAUGHT].items()}
        soft = distillation(
            logits,
            taught["probabilities"],
            temperature=self.spec.temperature,
            single_label=loss.single_label,
        )
        terms = {"teachers": (1 - hard) * soft}
        if hard == 0:
            return terms
        labelled = taught["labelled"]
        weight = hard * labelled.to(logits).mean()
        of_labels = loss.of(logits[labelled], gathered(targets)[labelled])
        return {name: weight * term for name, term in of_labels.items()} | terms
