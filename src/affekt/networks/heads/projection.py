"""Projections: the space in which a contrastive loss compares texts. What is kept is the encoder's space."""

from itertools import pairwise

import torch
from torch import nn

from affekt.encoders.fast import Dropout
from affekt.errors import UsageError, unknown_name

PROJECTIONS = ("linear", "mlp")


class Projection(nn.Module):
    """vector → out (linear), or vector → hidden → ReLU → Dropout → out (mlp, row A1: 768 → 512 → 128).

    Args:
        dimension: Width of the encoder's vectors.
        out: Width of the projection.
        kind: "linear" or "mlp".
        hidden: Width between, for "mlp"; two thirds of the encoder's by default, as 512 is of 768.
        dropout: Share of the hidden units dropped while training.
    """

    def __init__(
        self, dimension: int, out: int, *, kind: str = "mlp", hidden: int | None = None, dropout: float = 0.3
    ) -> None:
        super().__init__()
        if kind not in PROJECTIONS:
            raise UsageError(unknown_name("projection", kind, PROJECTIONS))
        self.kind = kind
        width = hidden or round(dimension * 2 / 3)
        sizes = [dimension, out] if kind == "linear" else [dimension, width, out]
        self.width = out
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.dropout = Dropout(dropout)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return (n, out), not normalised: each loss normalises as it needs."""
        for layer in self.layers[:-1]:
            vectors = self.dropout(torch.relu(layer(vectors)))
        return self.layers[-1](vectors)  # type: ignore[no-any-return]

    def linear_layers(self) -> list[nn.Linear]:
        """The linear layers, input first, for a saved encoder that ends in the projection."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]
