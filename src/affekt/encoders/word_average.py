"""The mean of the vectors of a text's words (row A3): nothing here is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affekt.encoders import Batch, Encoded, Encoder, Order
from affekt.encoders.saving import Size, read_encoder, read_options, restore, write_encoder
from affekt.encoders.vectors import WordVectors, read_vectors
from affekt.encoders.vocabulary import UNKNOWN, WordVocabulary, pad_rows, starting_matrix
from affekt.errors import UsageError, not_whole


@dataclass(frozen=True)
class WordAverageOptions:
    """What a `WordAverageEncoder` is made of.

    Attributes:
        max_words: Keep vectors for at most so many words, those of the training texts first; None for all.
        max_length: Words read of a text; None for all.
    """

    max_words: Size | None = None
    max_length: Size | None = None


class WordAverageEncoder(Encoder):
    """The mean of the vectors of a text's words.

    Words without a vector are left out of the mean; a text with none is the zero vector. All words of the
    vector file are kept, so that words no training text holds count too.
    """

    kind = "word-average"
    takes_vectors = True
    by_direction = False  # the lengths carry meaning
    matrix: torch.Tensor  # (words, d); rows 0 (padding) and 1 (unknown) are zero

    def __init__(self, vocabulary: WordVocabulary, options: WordAverageOptions, matrix: torch.Tensor) -> None:
        super().__init__()
        self.vocabulary, self.options = vocabulary, options
        self.dimension = matrix.shape[1]
        self.register_buffer("matrix", matrix)

    @classmethod
    def build(
        cls, texts: Sequence[str], *, vectors: WordVectors | None = None, seed: int = 0, **options: Any
    ) -> "WordAverageEncoder":
        """Make an encoder of word vectors; the training texts only say which words to keep first."""
        if vectors is None:
            raise UsageError("a word average needs word vectors; give a file of them.")
        made = read_options(cls.kind, WordAverageOptions, options)
        vocabulary = WordVocabulary.build(
            texts, vectors, min_count=None, max_size=made.max_words, all_vectors=True
        )
        matrix = starting_matrix(vocabulary, vectors, dimension=vectors.matrix.shape[1], seed=seed)
        matrix[UNKNOWN] = 0
        return cls(vocabulary, made, matrix)

    @classmethod
    def from_order(cls, order: Order) -> "WordAverageEncoder":
        """Make an encoder of the word vectors."""
        vectors = read_vectors(order.vectors) if order.vectors else None
        return cls.build(order.texts, vectors=vectors, seed=order.seed, **order.options)

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the word ids of each text."""
        return self.vocabulary.rows(texts, self.options.max_length)

    def collate(self, rows: Sequence[NDArray[np.int32]]) -> Batch:
        """Return `ids` and `mask`, each (n, t)."""
        return pad_rows(rows)

    def forward(self, batch: Batch) -> Encoded:
        """Return the mean vectors (n, d)."""
        counts = (batch["ids"] > UNKNOWN).sum(dim=1, keepdim=True)
        sums = functional.embedding_bag(batch["ids"], self.matrix, mode="sum")
        return Encoded(sums / counts.clamp(min=1))

    def save(self, folder: Path) -> None:
        """Write vocab.txt, encoder.safetensors and encoder.json."""
        self.vocabulary.save(folder)
        write_encoder(folder, self.kind, self.options, self.state_dict())

    @classmethod
    def load(cls, folder: Path) -> "WordAverageEncoder":
        """Read an encoder that `save` wrote, set to evaluation."""
        with not_whole(folder, "word-average encoder"):
            options, tensors = read_encoder(folder, cls.kind, WordAverageOptions)
            vocabulary = WordVocabulary.load(folder)
            encoder = cls(vocabulary, options, torch.zeros(len(vocabulary), tensors["matrix"].shape[1]))
            restore(encoder, tensors, folder)
            return encoder
