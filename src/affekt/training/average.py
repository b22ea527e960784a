"""Averages of weights: over the steps of one run, and over runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn


@torch.no_grad()
def mean_weights(modules: Sequence[nn.Module]) -> None:
    """Give the first of several modules of one form the mean of all their weights, taken in float32."""
    first, *others = (module.state_dict() for module in modules)
    for name, value in first.items():
        if value.is_floating_point():
            same = torch.stack([value.float(), *(state[name].float() for state in others)])
            value.copy_(same.mean(dim=0))


class MovingAverage:
    """The exponential moving average of a module's parameters.

    After t steps with decay d it is Σ_i d^(t−i) w_i / Σ_i d^(t−i), over the weights w_1 … w_t after each
    step: the weights before the first have no part in it, so that it holds for short runs too.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.own = dict(module.named_parameters())
        self.weights = {name: value.detach().clone() for name, value in self.own.items()}

    @torch.no_grad()
    def take(self, step: int) -> None:
        """Take the weights of a step in, counted from 1."""
        share = (1 - self.decay) / (1 - self.decay**step)
        torch._foreach_lerp_(list(self.weights.values()), list(self.own.values()), share)

    def restore(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Go on from weights that were kept."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    @torch.no_grad()
    def put_in(self) -> None:
        """Give the module the averaged weights."""
        for name, value in self.own.items():
            value.copy_(self.weights[name])

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let the module have the averaged weights for a while."""
        trained = {name: value.detach().clone() for name, value in self.own.items()}
        self.put_in()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in self.own.items():
                    value.copy_(trained[name])
