"""Encoders: from texts to vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from affekt.errors import installed

with installed():
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
    layers: Sequence[int] | None = None  # of the pretrained encoder, that are kept


class Encoder(nn.Module):
    """Base of every encoder. Texts are tokenised once, collated per batch, encoded per step."""

    kind: ClassVar[str]  # its name in `ENCODERS`
    has_name: ClassVar[bool] = False  # opened by one, rather than fitted on the training texts
    takes_label_words: ClassVar[bool] = False
    takes_vectors: ClassVar[bool] = False
    takes_layers: ClassVar[bool] = False  # of which some may be kept
    takes_options: ClassVar[bool] = True  # of its own, beside those of every encoder
    in_transformers: ClassVar[bool] = False  # its folder opens there, and in SentenceTransformer
    by_direction: ClassVar[bool] = True  # how vectors are compared; the lengths of others carry meaning
    dimension: int

    @classmethod
    def from_order(cls, order: Order) -> Self:
        """Make an encoder as a recipe says."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save` wrote, set to evaluation."""
        raise NotImplementedError

    def tokenize(self, texts: Sequence[str]) -> list[Any]:
        """Return a row per text, never empty; its `len` is its cost in positions, by which it is bucketed."""
        raise NotImplementedError

    def collate(self, rows: Sequence[Any]) -> Batch:
        """Return the padded tensors of some rows."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Encoded:
        """Encode a collated batch."""
        raise NotImplementedError

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the trained parameters from the input upwards, a group per depth, for layer-wise rates."""
        return []

    def save(self, folder: Path) -> None:
        """Write the encoder's files (safetensors, JSON, vocabularies) into an existing folder."""
        raise NotImplementedError


def pooled(tokens: torch.Tensor, mask: torch.Tensor, pooling: str) -> Encoded:
    """Return states with their vectors: the first position's (cls), or the mean over the text's (mean)."""
    mask = mask[:, : tokens.shape[1]]
    if pooling == "cls":
        return Encoded(tokens[:, 0], tokens, mask)
    weights = mask.to(tokens.dtype)[:, :, None]
    return Encoded((tokens * weights).sum(1) / weights.sum(1), tokens, mask)
