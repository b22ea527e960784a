"""Heads that read the vector of a text."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from affekt.encoders import Encoded
from affekt.encoders.fast import Dropout, linear
from affekt.errors import UsageError, unknown_name

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "relu": nn.functional.relu,
    "gelu": nn.functional.gelu,
}


class ClassificationHead(nn.Module):
    """vector → Linear → activation → Dropout → Linear(k): the head of row B3, and transformers' own.

    Args:
        dimension: Width of the encoder's vectors.
        labels: How many labels.
        dropout: Share of the hidden units dropped while training.
        activation: One of `ACTIVATIONS`.
    """

    def __init__(
        self, dimension: int, labels: int, *, dropout: float = 0.3, activation: str = "tanh"
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise UsageError(unknown_name("activation", activation, ACTIVATIONS))
        self.activation = activation
        self.labels = labels
        self.dense = nn.Linear(dimension, dimension)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(dimension, labels)
        for layer in (self.dense, self.out):
            nn.init.xavier_normal_(layer.weight)  # pooled vectors are short: a smaller start learns slowly
            nn.init.zeros_(layer.bias)

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k)."""
        hidden = ACTIVATIONS[self.activation](linear(self.dense, encoded.vectors))
        return self.out(self.dropout(hidden))  # type: ignore[no-any-return]


class LinearHead(nn.Module):
    """vector → Linear(k): logistic regression as a head, optionally on vectors of unit length."""

    def __init__(self, dimension: int, labels: int, *, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit
        self.labels = labels
        self.out = nn.Linear(dimension, labels)

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k)."""
        vectors = nn.functional.normalize(encoded.vectors, dim=1) if self.unit else encoded.vectors
        return self.out(vectors)  # type: ignore[no-any-return]


def set_bias_to_prior(out: nn.Linear, targets: np.ndarray, *, single_label: bool) -> None:
    """Start the output at the labels' shares, so that the first steps need not learn them.

    The bias is log p for one label per text and log p/(1−p) for several; the shares are smoothed by one row.
    """
    n, k = targets.shape
    prior = (targets.sum(0) + 1 / max(k, 2)) / (n + 1)
    bias = np.log(prior) if single_label else np.log(prior / (1 - prior))
    with torch.no_grad():
        out.bias.copy_(torch.as_tensor(np.clip(bias, -math.log(1e6), math.log(1e6)), dtype=out.bias.dtype))
