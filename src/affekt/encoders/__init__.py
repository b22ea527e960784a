"""Encoders: from texts to vectors. Every encoder is a torch module with the face below."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import nn

from affekt.hardware import bound_kernel_caches, compute_alone_when_forked

bound_kernel_caches()  # here, since every product comes after this import
compute_alone_when_forked()

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """What an encoder makes of a batch of n texts."""

    vectors: torch.Tensor  # (n, d) one vector per text
    tokens: torch.Tensor | None = None  # (n, t, d) one vector per position, where the encoder has them
    mask: torch.Tensor | None = None  # (n, t) true where a position holds text


@dataclass(frozen=True)
class Order:
    """All that a recipe says of an encoder, and the texts it is to be trained on."""

    texts: Sequence[str]
    seed: int
    name: str
    revision: str | None
    pooling: str
    max_length: int
    label_words: Sequence[str] | None
    vectors: Path | None  # of a file for `affekt.encoders.vectors.read_vectors`
    options: Mapping[str, Any]


class TokenRow(Protocol):
    """One tokenised text; its length is its cost in positions, by which batches are bucketed."""

    def __len__(self) -> int:
        """Positions this text takes."""
        ...


class Encoder(Protocol):
    """The face of an encoder. Texts are tokenised once, collated per batch, encoded per step."""

    kind: ClassVar[str]  # its name in `ENCODERS`
    has_name: ClassVar[bool] = False  # opened by one, rather than fitted on the training texts
    takes_label_words: ClassVar[bool] = False
    takes_vectors: ClassVar[bool] = False
    takes_options: ClassVar[bool] = True  # of its own, beside those of every encoder
    in_transformers: ClassVar[bool] = False  # its folder opens there, and in SentenceTransformer
    by_direction: ClassVar[bool] = True  # how vectors are compared; the lengths of others carry meaning
    dimension: int

    @classmethod
    def from_order(cls, order: Order) -> Self:
        """Make an encoder as a recipe says."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save` wrote, set to evaluation."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[Any]:
        """Return one `TokenRow` per text, truncated to the encoder's maximum length; never empty."""
        ...

    def collate(self, rows: Sequence[Any]) -> Batch:
        """Return the padded tensors of some rows."""
        ...

    def __call__(self, batch: Batch) -> Encoded:
        """Encode a collated batch (the module's forward)."""
        ...

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the parameters from the input upwards, a group per depth, for layer-wise rates."""
        ...

    def save(self, folder: Path) -> None:
        """Write the encoder's files (safetensors, JSON, vocabularies) into an existing folder."""
        ...

    # the rest is what every torch module has

    def parameters(self) -> Iterable[nn.Parameter]:
        """All parameters."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Switch dropout on or off."""
        ...

    def eval(self) -> Any:
        """Switch dropout off."""
        ...
