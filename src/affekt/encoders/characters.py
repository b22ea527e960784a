"""The character-level convolutional network of Zhang, Zhao and LeCun (2015), arXiv:1509.01626: row B1.

Characters are kept as places in the alphabet and become one-hot columns only inside the batch. A text is
followed by zero columns up to the fixed length; what the network makes of those is the same at every place,
so it is worked out once and repeated: a tweet costs what its own characters cost, with the same result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn
from torch.nn import functional

from affekt.encoders import Batch, Encoded, Encoder, Order
from affekt.encoders.saving import (
    Share,
    Size,
    drawn_from,
    read_encoder,
    read_options,
    restore,
    start_for_relu,
    write_encoder,
)
from affekt.errors import ModelError, not_whole

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
# 26 letters, 10 digits, 33 others: every mark of ASCII, and the new line.
# The paper counts 70, since it lists "-" twice.
ALPHABET = _LETTERS + "-,;.!?:'\"/\\|_@#$%^&*~`+=<>()[]{}\n"
# the authors' program: "-" twice, of which the second counts, and no new line
CREPE_ALPHABET = _LETTERS + "-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{}"

BLOCKS = ((7, 3), (7, 3), (3, 1), (3, 1), (3, 1), (3, 3))  # (kernel, pool) of each convolution


def _reach() -> tuple[int, int]:
    """Return how many input positions lie under one position of the last block, and from one to the next."""
    size, stride = 1, 1
    for kernel, pool in BLOCKS:
        size += (kernel - 1) * stride + (pool - 1) * stride
        stride *= pool
    return size, stride


FIELD, STRIDE = _reach()  # 123, 27


@dataclass(frozen=True)
class CharacterCnnOptions:
    """What a `CharacterCnnEncoder` is made of.

    Attributes:
        length: Characters read of a text, at least 123.
        features: Channels of every convolution.
        hidden: Size of the two dense layers, and so of a text's vector.
        dropout: Share of components dropped after each dense layer.
        alphabet: The characters that have a column; empty for the usual one.
        compatible: `crepe` reads texts as the authors' program does (`Quantizer.crepe`); "" does not.
    """

    length: Annotated[int, Field(ge=FIELD)] = 1014
    features: Size = 256
    hidden: Size = 1024
    dropout: Share = 0.5
    alphabet: Annotated[str, Field(max_length=255)] = ""
    compatible: Literal["", "crepe"] = ""


class Quantizer:
    """Turns characters into their places in an alphabet, counted from 1; a character outside it is 0.

    Texts are lower-cased and read forwards, a character (code point) at a time, from their beginning.
    `Quantizer.crepe` is the form of the authors' program: byte by byte, so that a character beyond ASCII
    gives several zeros, backwards, so that a longer text keeps its end, and only A to Z lower-cased.
    """

    def __init__(self, alphabet: str = ALPHABET, length: int = 1014, *, crepe: bool = False) -> None:
        if not 0 < len(alphabet) < 256:
            raise ModelError(f"the alphabet has {len(alphabet)} characters; it must have 1 to 255.")
        self.alphabet, self.length, self._crepe = alphabet, length, crepe
        codes = list(alphabet.encode("latin-1", "replace") if crepe else map(ord, alphabet))
        self._places = np.zeros(max(codes) + 2, dtype=np.uint8)  # the last stands for all codes beyond
        self._places[codes] = np.arange(1, len(codes) + 1)  # of a character that occurs twice the last counts

    @classmethod
    def crepe(cls, length: int = 1014, alphabet: str = CREPE_ALPHABET) -> "Quantizer":
        """Return the quantizer that agrees with the authors' program."""
        return cls(alphabet, length, crepe=True)

    def __call__(self, text: str) -> NDArray[np.uint8]:
        """Return the places of a text's characters, `length` of them at most, at least one."""
        if self._crepe:
            raw = text.encode("utf-8", "surrogatepass").lower()
            codes = np.frombuffer(raw, dtype=np.uint8)[-self.length :][::-1]
        else:
            raw = text.lower()[: self.length].encode("utf-32-le", "surrogatepass")
            codes = np.frombuffer(raw, dtype="<u4")
        if not len(codes):
            return np.zeros(1, dtype=np.uint8)
        places: NDArray[np.uint8] = self._places[np.minimum(codes, len(self._places) - 1)]
        return places


class CharacterCnnEncoder(Encoder):
    """Six convolutions over one-hot characters, then two dense layers with dropout."""

    kind = "character-cnn"
    identity: torch.Tensor

    def __init__(self, options: CharacterCnnOptions) -> None:
        super().__init__()
        crepe = options.compatible == "crepe"
        alphabet = options.alphabet or (CREPE_ALPHABET if crepe else ALPHABET)
        self.options = options
        self.quantizer = Quantizer(alphabet, options.length, crepe=crepe)
        self.columns = (options.length - FIELD) // STRIDE + 1  # positions left after the last block
        self.dimension = options.hidden
        one_hot = torch.cat([torch.zeros(1, len(alphabet)), torch.eye(len(alphabet))])
        self.register_buffer("identity", one_hot, persistent=False)
        sizes = [len(alphabet)] + [options.features] * (len(BLOCKS) - 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv1d(size, options.features, kernel), nn.ReLU(), nn.MaxPool1d(pool))
            for size, (kernel, pool) in zip(sizes, BLOCKS, strict=True)
        )
        widths = [options.features * self.columns, options.hidden]
        self.dense = nn.ModuleList(
            nn.Sequential(nn.Linear(width, options.hidden), nn.ReLU(), nn.Dropout(options.dropout))
            for width in widths
        )

    @classmethod
    def build(cls, texts: Sequence[str], *, seed: int = 0, **options: Any) -> "CharacterCnnEncoder":
        """Make an encoder with random weights; the texts do not matter, since the alphabet is fixed."""
        made = read_options(cls.kind, CharacterCnnOptions, options)
        with drawn_from(seed):
            encoder = cls(made)
            start_for_relu(encoder)
        return encoder

    @classmethod
    def from_order(cls, order: Order) -> "CharacterCnnEncoder":
        """Make an encoder with random weights."""
        return cls.build(order.texts, seed=order.seed, **order.options)

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.uint8]]:
        """Return the places of each text's characters in the alphabet."""
        return [self.quantizer(text) for text in texts]

    def collate(self, rows: Sequence[NDArray[np.uint8]]) -> Batch:
        """Return `ids` (n, longest row), zero past a row's end."""
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
        return {"ids": torch.from_numpy(ids)}

    def forward(self, batch: Batch) -> Encoded:
        """Encode a batch into vectors (n, hidden)."""
        hidden = self.convolve(batch["ids"]).flatten(1)
        for layer in self.dense:
            hidden = layer(hidden)
        return Encoded(hidden)

    def convolve(self, ids: torch.Tensor) -> torch.Tensor:
        """Return what the last block makes of characters and the zeros after them: (n, features, columns)."""
        longest = ids.shape[1]
        # column j looks at positions from j · STRIDE on: from this one all look at nothing but padding
        padding = -(-longest // STRIDE)
        columns = min(padding + 1, self.columns)
        read = FIELD + (columns - 1) * STRIDE  # the positions that those columns look at
        ids = functional.pad(ids[:, :read], (0, max(0, read - longest)))
        hidden = functional.embedding(ids, self.identity).transpose(1, 2)  # (n, alphabet, positions)
        for block in self.blocks:
            hidden = block(hidden)
        repeated = hidden[:, :, -1:].expand(-1, -1, self.columns - columns)
        return torch.cat([hidden, repeated], dim=2)

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the convolutions, then of the dense layers."""
        return [list(block.parameters()) for block in (*self.blocks, *self.dense)]

    def save(self, folder: Path) -> None:
        """Write encoder.safetensors and encoder.json."""
        write_encoder(folder, self.kind, self.options, self.state_dict())

    @classmethod
    def load(cls, folder: Path) -> "CharacterCnnEncoder":
        """Read an encoder that `save` wrote, set to evaluation."""
        with not_whole(folder, "character-cnn encoder"):
            options, tensors = read_encoder(folder, cls.kind, CharacterCnnOptions)
            encoder = cls(options)
            restore(encoder, tensors, folder)
            return encoder
