"""Objectives: what a batch costs. Each combines encoder, head and losses, and owns any extra network.

An objective is a torch module. Its forward pass takes a batch of rows tokenised for each of its inputs and
the targets, and returns the terms of the loss by name, already weighted: their sum is what is minimised.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from affekt.encoders import Batch, Encoded
from affekt.errors import RecipeError, UsageError
from affekt.losses import (
    classification_loss,
    inter_group_correlation,
    intra_group_correlation,
    label_aware_contrastive,
    label_correlation,
    margin_contrastive,
    pair_contrastive,
    same_side_correlation,
    space_preservation,
    supervised_contrastive,
    unsupervised_contrastive,
)
from affekt.losses.common import unit_rows, without_half
from affekt.networks.network import Network
from affekt.recipe.objectives import (
    Classify,
    ClassifyLoss,
    Contrastive,
    ContrastiveUnsupervised,
    LabelAware,
    Retrofit,
    SupervisedContrastive,
)
from affekt.training.processes import gathered

_GROUPED = {"intra": intra_group_correlation, "inter": inter_group_correlation}

Terms = dict[str, torch.Tensor]
Inputs = dict[str, Batch]  # "text", and for some objectives "view" or "weighting"


class LogitLoss:
    """The classification terms of a recipe, as a function of logits and targets.

    Args:
        spec: Which loss, with its options.
        single_label: Whether each text has exactly one label.
        label_weights: (k,) weights of the labels, or None.
        groups: (k,) group of each label, for the grouped correlation terms.
    """

    def __init__(
        self,
        spec: ClassifyLoss,
        *,
        single_label: bool,
        label_weights: torch.Tensor | None = None,
        groups: torch.Tensor | None = None,
    ) -> None:
        automatic = "cross-entropy" if single_label else "bce"
        self.kind = automatic if spec.loss == "auto" else spec.loss
        if self.kind == "cross-entropy" and not single_label:
            raise RecipeError(
                "objective.loss = 'cross-entropy': is for one label per text, and these texts may have "
                "several; bce, focal and asymmetric are for them."
            )
        if spec.correlation > 0 and spec.correlation_form in _GROUPED and groups is None:
            raise RecipeError(
                f"objective.correlation_form = {spec.correlation_form!r}: needs labels that stand in a known "
                "hierarchy; all and same-side do not."
            )
        self.spec = spec
        self.label_weights = label_weights
        self.groups = groups

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> Terms:
        """Return the terms by name for (n, k) logits and targets, those of all processes joined."""
        logits, targets = gathered(logits), gathered(targets)
        weights = None if self.label_weights is None else self.label_weights.to(logits)
        value = classification_loss(
            logits, targets, kind=self.kind, label_weights=weights, smoothing=self.spec.smoothing
        )
        alpha = self.spec.correlation
        if alpha == 0:
            return {self.kind: value}
        return {self.kind: (1 - alpha) * value, "correlation": alpha * self._correlation(logits, targets)}

    def _correlation(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        form = self.spec.correlation_form
        if form in _GROUPED and self.groups is not None:
            return _GROUPED[form](logits, targets, self.groups.to(logits.device))
        return (same_side_correlation if form == "same-side" else label_correlation)(logits, targets)


class Objective(nn.Module):
    """What all objectives share: the network that is trained, and which texts each input is made of."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def encoders(self) -> dict[str, Any]:
        """The encoder that tokenises each input."""
        return {"text": self.network.encoder}

    def extra_networks(self) -> list[nn.Module]:
        """Networks trained beside the main one."""
        return []

    def start_step(self, progress: float) -> None:
        """Hear how far training is: epochs done, as a fraction too."""


class ClassifyObjective(Objective):
    """Logits against targets."""

    def __init__(self, network: Network, loss: LogitLoss) -> None:
        super().__init__(network)
        self.loss = loss

    def forward(self, inputs: Inputs, targets: torch.Tensor) -> Terms:
        """Return the classification terms."""
        return self.loss(self.network(inputs["text"]), targets)


def _projected(network: Network, encoded: Encoded) -> torch.Tensor:
    return encoded.vectors if network.projection is None else network.projection(encoded.vectors)


class ContrastiveObjective(Objective):
    """Margin loss on projections. With drawn pairs, a batch's first half is paired with its second half."""

    def __init__(self, network: Network, spec: Contrastive) -> None:
        super().__init__(network)
        self.spec = spec

    def forward(self, inputs: Inputs, targets: torch.Tensor) -> Terms:
        """Return the margin loss."""
        vectors = _projected(self.network, self.network.encode(inputs["text"]))
        if self.spec.pairs == "in-batch":
            return {
                "margin": margin_contrastive(gathered(vectors), gathered(targets), margin=self.spec.margin)
            }
        left, right = (gathered(side) for side in vectors.chunk(2))
        a, b = (gathered(side) for side in targets.chunk(2))
        same = ((a * b).sum(1) > 0).to(vectors.dtype)
        return {"margin": pair_contrastive(left, right, same, margin=self.spec.margin)}


class UnsupervisedObjective(Objective):
    """Two passes of the same texts, their dropout the only difference."""

    def __init__(self, network: Network, spec: ContrastiveUnsupervised) -> None:
        super().__init__(network)
        self.spec = spec

    def forward(self, inputs: Inputs, targets: torch.Tensor) -> Terms:
        """Return the contrastive loss; the targets are not read."""
        left = _projected(self.network, self.network.encode(inputs["text"]))
        right = _projected(self.network, self.network.encode(inputs["text"]))
        value = unsupervised_contrastive(gathered(left), gathered(right), temperature=self.spec.temperature)
        return {"contrastive": value}


class SupervisedContrastiveObjective(Objective):
    """Supervised contrastive loss on projections, with or without classification beside it."""

    def __init__(self, network: Network, spec: SupervisedContrastive, loss: LogitLoss) -> None:
        super().__init__(network)
        self.spec = spec
        self.loss = loss

    def forward(self, inputs: Inputs, targets: torch.Tensor) -> Terms:
        """Return the contrastive term and the classification terms."""
        encoded = self.network.encode(inputs["text"])
        vectors, labels = _projected(self.network, encoded), targets
        if self.spec.views == "dropout":
            vectors = torch.cat([vectors, _projected(self.network, self.network.encode(inputs["text"]))])
            labels = torch.cat([targets, targets])
        value = supervised_contrastive(
            gathered(vectors), gathered(labels), temperature=self.spec.temperature, overlap=self.spec.overlap
        )
        terms = {"contrastive": self.spec.contrastive * value}
        if self.spec.classification > 0:
            logit_terms = self.loss(self.network.logits(encoded), targets)
            terms |= {name: self.spec.classification * term for name, term in logit_terms.items()}
        return terms


class LabelAwareObjective(Objective):
    """Row B4: classification by Φ and Ψ, and a contrastive loss on Φ's vectors weighted by Ψ's labels."""

    def __init__(self, network: Network, weighting: Network, spec: LabelAware, loss: LogitLoss) -> None:
        super().__init__(network)
        self.weighting = weighting
        self.spec = spec
        self.loss = loss
        self.warm = spec.warmup_epochs == 0

    def encoders(self) -> dict[str, Any]:
        """Φ's tokens, Ψ's tokens, and for synonym views the changed texts."""
        inputs = {"text": self.network.encoder, "weighting": self.weighting.encoder}
        return inputs | ({"view": self.network.encoder} if self.spec.views == "synonym" else {})

    def extra_networks(self) -> list[nn.Module]:
        """Ψ."""
        return [self.weighting]

    def start_step(self, progress: float) -> None:
        """Let the contrastive term in after the warm-up."""
        self.warm = progress >= self.spec.warmup_epochs

    def forward(self, inputs: Inputs, targets: torch.Tensor) -> Terms:
        """Return L = λ (L_Φ + L_Ψ) + (1−λ) L_LCL, term by term."""
        encoded = self.network.encode(inputs["text"])
        weight_logits = self.weighting(inputs["weighting"])
        share = self.spec.balance
        terms = {
            name: share * term for name, term in self.loss(self.network.logits(encoded), targets).items()
        }
        terms |= {
            f"weighting {name}": share * term for name, term in self.loss(weight_logits, targets).items()
        }
        if share < 1 and self.warm:
            terms["label-aware"] = (1 - share) * self._contrast(inputs, encoded, weight_logits, targets)
        return terms

    def _contrast(
        self, inputs: Inputs, encoded: Encoded, weight_logits: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        first = encoded.vectors
        if self.spec.views == "copy":
            second = first
        else:
            second = self.network.encode(inputs["text" if self.spec.views == "dropout" else "view"]).vectors
        weights = without_half(weight_logits).softmax(1)  # in bfloat16 they sum to 1 to three digits only
        if self.spec.detach_weights:
            weights = weights.detach()
        h, w, z = (gathered(part) for part in (torch.cat([first, second]), weights, targets))
        # gathered views come process by process; weights and targets are repeated in the same order
        world = h.shape[0] // (2 * first.shape[0])
        w, z = (_twice(part, world) for part in (w, z))
        return label_aware_contrastive(
            unit_rows(without_half(h)),
            z,
            w,
            temperature=self.spec.temperature,
            positive_weight=self.spec.positive_weight,
        )


def _twice(rows: torch.Tensor, world: int) -> torch.Tensor:
    """Repeat each process's rows once behind themselves, the order in which two views were gathered."""
    return torch.cat([part for block in rows.chunk(world) for part in (block, block)])


class RetrofitObjective(Objective):
    """Rows D1 to D3: contrastive on projections, while sentence vectors stay near a frozen copy's."""

    def __init__(self, network: Network, spec: Retrofit) -> None:
        super().__init__(network)
        self.spec = spec
        self.reference = copy.deepcopy(network.encoder).eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "RetrofitObjective":
        """Train the network; the frozen copy always evaluates."""
        super().train(mode)
        self.reference.eval()
        return self

    def forward(self, inputs: Inputs, targets: torch.Tensor) -> Terms:
        """Return the contrastive and the preservation term."""
        encoded = self.network.encode(inputs["text"])
        value = supervised_contrastive(
            gathered(_projected(self.network, encoded)), gathered(targets), temperature=self.spec.temperature
        )
        if self.spec.preservation == 0:
            return {"contrastive": value}
        with torch.no_grad():
            before = self.reference(inputs["text"]).vectors
        kept = self.spec.preservation * space_preservation(gathered(encoded.vectors), gathered(before))
        return {"contrastive": value, "preservation": kept}


def build_objective(
    spec: Any, network: Network, loss: LogitLoss, weighting: Callable[[], Network] | None = None
) -> Objective:
    """Make the objective of a recipe.

    Args:
        spec: The recipe's objective section.
        network: What is trained.
        loss: How logits are compared with targets.
        weighting: Makes Ψ, for the label-aware objective.
    """
    if isinstance(spec, Contrastive):
        return ContrastiveObjective(network, spec)
    if isinstance(spec, ContrastiveUnsupervised):
        return UnsupervisedObjective(network, spec)
    if isinstance(spec, SupervisedContrastive):
        return SupervisedContrastiveObjective(network, spec, loss)
    if isinstance(spec, Retrofit):
        return RetrofitObjective(network, spec)
    if isinstance(spec, LabelAware):
        if weighting is None:
            raise TypeError("a label-aware objective needs a weighting network")
        return LabelAwareObjective(network, weighting(), spec, loss)
    if isinstance(spec, Classify):
        return ClassifyObjective(network, loss)
    raise UsageError(f"{getattr(spec, 'kind', spec)!r} is no objective that is trained by gradients.")


def total(terms: Terms) -> torch.Tensor:
    """The loss: the sum of its terms."""
    values: Sequence[torch.Tensor] = list(terms.values())
    return torch.stack(tuple(values)).sum()
