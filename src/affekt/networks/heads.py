"""Heads, from an encoded batch to label logits, and projections, the space in which texts are compared.

The label-aware head is SpanEmo's: Alhuzali and Ananiadou 2021, "SpanEmo: Casting Multi-label Emotion
Classification as Span-prediction".
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from affekt.encoders import Encoded
from affekt.encoders.fast import Dropout, linear
from affekt.errors import ModelError, UsageError, unknown_name
from affekt.networks.families import family_of

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "relu": nn.functional.relu,
    "gelu": nn.functional.gelu,
}


class ClassificationHead(nn.Module):
    """vector → Linear → activation → Dropout → Linear(k): the head of row B3, and transformers' own."""

    kind: ClassVar[str] = "classification"

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

    def describe(self) -> dict[str, Any]:
        """Return the options of `build_head` that make a head of this form."""
        return {"kind": self.kind, "activation": self.activation, "dropout": self.dropout.p}

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k)."""
        hidden = ACTIVATIONS[self.activation](linear(self.dense, encoded.vectors))
        return self.out(self.dropout(hidden))  # type: ignore[no-any-return]


class LinearHead(nn.Module):
    """vector → Linear(k): logistic regression as a head, optionally on vectors of unit length."""

    kind: ClassVar[str] = "linear"

    def __init__(self, dimension: int, labels: int, *, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit
        self.labels = labels
        self.out = nn.Linear(dimension, labels)

    def describe(self) -> dict[str, Any]:
        """Return the options of `build_head` that make a head of this form."""
        return {"kind": self.kind, "unit": self.unit}

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k)."""
        vectors = nn.functional.normalize(encoded.vectors, dim=1) if self.unit else encoded.vectors
        return self.out(vectors)  # type: ignore[no-any-return]


class LabelSpanHead(nn.Module):
    """Per label: mean state of its pieces → Linear → Tanh → Dropout → Linear(1).

    `spans` has for each label the first position of its pieces and the one after the last.
    """

    kind: ClassVar[str] = "label-span"

    def __init__(self, dimension: int, spans: tuple[tuple[int, int], ...], *, dropout: float = 0.1) -> None:
        super().__init__()
        self.spans = spans
        self.labels = len(spans)
        self.dense = nn.Linear(dimension, dimension)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(dimension, 1)
        width = max(end for _, end in spans)
        pooling = torch.zeros(len(spans), width)  # (k, positions): row i averages the pieces of label i
        for i, (start, end) in enumerate(spans):
            pooling[i, start:end] = 1 / (end - start)
        self.register_buffer("pooling", pooling, persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(spans)))  # starts at the label prior

    def describe(self) -> dict[str, Any]:
        """Return the options of `build_head` that make a head of this form."""
        return {"kind": self.kind, "dropout": self.dropout.p}

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k)."""
        if encoded.tokens is None:
            raise ModelError("a label-span head needs an encoder with one vector per position.")
        pooling = torch.as_tensor(self.pooling)
        states = pooling.to(encoded.tokens.dtype) @ encoded.tokens[:, : pooling.shape[1]]  # (n, k, d)
        hidden = self.dropout(torch.tanh(self.dense(states)))
        return self.out(hidden).squeeze(-1) + self.bias  # type: ignore[no-any-return]


Head = ClassificationHead | LinearHead | LabelSpanHead

HEADS: dict[str, type[Head]] = {head.kind: head for head in (ClassificationHead, LinearHead, LabelSpanHead)}


def build_head(encoder: Any, labels: int, *, kind: str, **options: Any) -> Head:
    """Make a head for an encoder; options are `dropout`, `activation` or `unit`, where the kind has them."""
    if kind not in HEADS:
        raise ModelError(unknown_name("head", kind, HEADS))
    if kind == "linear":
        return LinearHead(encoder.dimension, labels, unit=options.get("unit", False))
    if kind == "label-span":
        prefix = getattr(encoder, "prefix", None)
        if prefix is None or len(prefix.spans) != labels:
            raise ModelError(
                f"a label-span head needs an encoder with one word or phrase for each of the {labels} labels."
            )
        return LabelSpanHead(encoder.dimension, prefix.spans, dropout=options.get("dropout", 0.1))
    family = family_of(encoder)
    activation = options.get("activation") or (family.activation if family else "tanh")
    dropout = options.get("dropout", 0.3)
    return ClassificationHead(encoder.dimension, labels, dropout=dropout, activation=activation)


def start_as(head: Head, other: Head | None, labels: Sequence[str], known: Sequence[str]) -> bool:
    """Start a head at what another of the same form knows, labels of the same names at its own.

    A label that the other does not have starts at the mean of those that it has, no likelier than they are.
    Beside a head of another form, or without a common label, a head stays as it is, and False is returned.

    Args:
        head: What is to be trained.
        other: A trained head on vectors of the same kind.
        labels: Of `head`.
        known: Of `other`.
    """
    if not (isinstance(head, ClassificationHead) and isinstance(other, ClassificationHead)):
        return False
    shared = [label for label in labels if label in known]
    if not shared or head.activation != other.activation:
        return False
    rows = [known.index(label) for label in shared]
    head.dense.load_state_dict(other.dense.state_dict())
    with torch.no_grad():
        for place, label in enumerate(labels):
            of = [known.index(label)] if label in known else rows
            head.out.weight[place] = other.out.weight[of].mean(0)
            head.out.bias[place] = other.out.bias[of].mean()
    return True


def set_bias_to_prior(out: nn.Linear, targets: np.ndarray, *, single_label: bool) -> None:
    """Start the output at the labels' shares, so that the first steps need not learn them.

    The bias is log p for one label per text and log p/(1−p) for several; the shares are smoothed by one row.
    """
    n, k = targets.shape
    prior = (targets.sum(0) + 1 / max(k, 2)) / (n + 1)
    bias = np.log(prior) if single_label else np.log(prior / (1 - prior))
    with torch.no_grad():
        out.bias.copy_(torch.as_tensor(np.clip(bias, -math.log(1e6), math.log(1e6)), dtype=out.bias.dtype))


PROJECTIONS = ("linear", "mlp")


class Projection(nn.Module):
    """vector → out (linear), or vector → hidden → ReLU → Dropout → out (mlp, row A1: 768 → 512 → 128).

    Unless given, `hidden` is two thirds of the encoder's width, as 512 is of 768.
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

    def describe(self) -> dict[str, Any]:
        """Return the arguments that make a projection of this form."""
        first, *later = self.linear_layers()
        return {"kind": self.kind, "out": self.width, "hidden": first.out_features if later else None}

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return (n, out), not normalised: each loss normalises as it needs."""
        for layer in self.layers[:-1]:
            vectors = self.dropout(torch.relu(layer(vectors)))
        return self.layers[-1](vectors)  # type: ignore[no-any-return]

    def linear_layers(self) -> list[nn.Linear]:
        """The linear layers, input first, for a saved encoder that ends in the projection."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]
