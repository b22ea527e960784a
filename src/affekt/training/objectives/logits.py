"""The classification terms of a recipe, as a function of logits and targets."""

import torch

from affekt.errors import RecipeError
from affekt.losses import (
    Focus,
    classification_loss,
    inter_group_correlation,
    intra_group_correlation,
    label_correlation,
    same_side_correlation,
)
from affekt.recipe.objectives import ClassifyLoss
from affekt.training.processes import gathered

_GROUPED = {"intra": intra_group_correlation, "inter": inter_group_correlation}

Terms = dict[str, torch.Tensor]


class LogitLoss:
    """The classification terms of a recipe's loss, times `weight`.

    `groups` (k,) are the labels' for grouped correlation.
    """

    def __init__(
        self,
        spec: ClassifyLoss,
        *,
        single_label: bool,
        label_weights: torch.Tensor | None = None,
        groups: torch.Tensor | None = None,
        weight: float = 1.0,
    ) -> None:
        self.kind = spec.loss if spec.loss != "auto" else "cross-entropy" if single_label else "bce"
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
        self.spec, self.label_weights, self.groups = spec, label_weights, groups
        self.single_label, self.weight = single_label, weight
        self.focus = Focus(spec.gamma, spec.gamma_negative, spec.gamma_positive, spec.clip)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> Terms:
        """Return the terms by name for (n, k) logits and targets, those of all processes joined."""
        return self.of(gathered(logits), gathered(targets))

    def of(self, logits: torch.Tensor, targets: torch.Tensor) -> Terms:
        """Return the terms of rows that are joined already."""
        weights = None if self.label_weights is None else self.label_weights.to(logits)
        value = classification_loss(
            logits,
            targets,
            kind=self.kind,
            label_weights=weights,
            smoothing=self.spec.smoothing,
            focus=self.focus,
        )
        alpha = self.spec.correlation
        terms: Terms = {self.kind: value}
        if alpha:
            terms = {
                self.kind: (1 - alpha) * value,
                "correlation": alpha * self._correlation(logits, targets),
            }
        return {name: self.weight * term for name, term in terms.items()} if self.weight != 1 else terms

    def _correlation(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        form = self.spec.correlation_form
        if form in _GROUPED and self.groups is not None:
            return _GROUPED[form](logits, targets, self.groups.to(logits.device))
        return (same_side_correlation if form == "same-side" else label_correlation)(logits, targets)
