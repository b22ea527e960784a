"""What encoders over trainable word vectors share: their words, their start, their files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affekt.encoders import Batch, Encoder, Order
from affekt.encoders.saving import drawn_from, read_encoder, read_options, restore, write_encoder
from affekt.encoders.vectors import WordVectors, read_vectors
from affekt.encoders.vocabulary import PAD, WordVocabulary, pad_rows, spellings, starting_matrix
from affekt.errors import RecipeError, first_line, not_whole


class WordEncoder(Encoder):
    """Base of an encoder with a trainable vector per word.

    A subclass names its `kind` and its `Options`, a dataclass with `max_length` (words read of a text),
    `word_dimension` (overruled by given vectors), `min_count` and `max_words`, and adds its layers.
    """

    takes_vectors = True
    Options: ClassVar[type[Any]]

    def __init__(self, vocabulary: WordVocabulary, options: Any) -> None:
        super().__init__()
        self.vocabulary, self.options = vocabulary, options
        self.embedding = nn.Embedding(len(vocabulary), options.word_dimension, padding_idx=PAD)

    @classmethod
    def build(
        cls, texts: Sequence[str], *, vectors: WordVectors | None = None, seed: int = 0, **options: Any
    ) -> Self:
        """Make an encoder for the words of the training texts, starting from word vectors where given.

        Raises:
            RecipeError: Where torch refuses an encoder of such a size.
        """
        chosen = read_options(cls.kind, cls.Options, options)
        if vectors is not None:
            chosen = replace(chosen, word_dimension=vectors.matrix.shape[1])
        vocabulary = WordVocabulary.build(
            texts, vectors, min_count=chosen.min_count, max_size=chosen.max_words
        )
        try:
            with drawn_from(seed), torch.no_grad():
                encoder = cls(vocabulary, chosen)
                encoder(encoder.collate([np.zeros(1, np.int32)]))  # some sizes are refused only here
        except RuntimeError as fault:
            sizes = ", ".join(f"{name} = {value}" for name, value in options.items())
            raise RecipeError(
                f"encoder.options: a {cls.kind} with {sizes or 'these vectors'} can't be made here "
                f"({first_line(fault)}); lower its sizes."
            ) from fault
        start = starting_matrix(vocabulary, vectors, dimension=chosen.word_dimension, seed=seed)
        encoder.embedding.load_state_dict({"weight": start})
        return encoder

    @classmethod
    def from_order(cls, order: Order) -> Self:
        """Make an encoder for the words of the training texts."""
        options = {"max_length": order.max_length, **order.options}
        vectors = read_vectors(order.vectors, spellings(order.texts)) if order.vectors else None
        return cls.build(order.texts, vectors=vectors, seed=order.seed, **options)

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the word ids of each text."""
        return self.vocabulary.rows(texts, self.options.max_length)

    def collate(self, rows: Sequence[NDArray[np.int32]]) -> Batch:
        """Return `ids` and `mask`, each (n, t)."""
        return pad_rows(rows)

    def word_embeddings(self) -> nn.Embedding:
        """Return the word vectors."""
        return self.embedding

    def save(self, folder: Path) -> None:
        """Write vocab.txt, encoder.safetensors and encoder.json."""
        self.vocabulary.save(folder)
        write_encoder(folder, self.kind, self.options, self.state_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an encoder that `save` wrote, set to evaluation."""
        with not_whole(folder, f"{cls.kind} encoder"):
            options, tensors = read_encoder(folder, cls.kind, cls.Options)
            encoder = cls(WordVocabulary.load(folder), options)
            restore(encoder, tensors, folder)
            return encoder
