"""A bidirectional LSTM over trainable word vectors: row B2."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from affekt.encoders import Batch, Encoded
from affekt.encoders.saving import Depth, Share, Size
from affekt.encoders.vocabulary import WordVocabulary
from affekt.encoders.word_encoder import WordEncoder


@dataclass(frozen=True)
class BiLstmOptions:
    """What a `BiLstmEncoder` is made of.

    Attributes:
        hidden: Size of each direction's state; a text's vector has twice as many components.
        layers: LSTM layers, each in both directions.
        dropout: Share of components dropped between layers and from what the encoder returns.
        pooling: `last` joins the last states of both directions, `max` and `mean` pool over the words.
        max_length: Words read of a text.
        word_dimension: Size of the word vectors where none are given; given ones decide it.
        min_count: Occurrences that a word without a given vector needs for a row of its own.
        max_words: Size of the vocabulary at most; None for no limit.
    """

    hidden: Size = 256
    layers: Depth = 2
    dropout: Share = 0.7
    pooling: Literal["last", "max", "mean"] = "last"
    max_length: Size = 128
    word_dimension: Size = 200
    min_count: Size = 2
    max_words: Size | None = None


class BiLstmEncoder(WordEncoder):
    """Reads word vectors in both directions; padding is packed away, so a text's vector is its own."""

    kind = "bilstm"
    Options = BiLstmOptions

    def __init__(self, vocabulary: WordVocabulary, options: BiLstmOptions) -> None:
        super().__init__(vocabulary, options)
        self.dimension = 2 * options.hidden
        self.lstm = nn.LSTM(
            options.word_dimension,
            options.hidden,
            options.layers,
            batch_first=True,
            bidirectional=True,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, batch: Batch) -> Encoded:
        """Encode a batch; the tokens are the last layer's states, both directions joined."""
        ids, mask = batch["ids"], batch["mask"]
        lengths = mask.sum(dim=1).cpu()  # packing wants them there
        packed = pack_padded_sequence(
            self.embedding(ids), lengths, batch_first=True, enforce_sorted=False
        )  # so that the backward direction starts at a text's own last word
        states, (last, _) = self.lstm(packed)
        tokens, _ = pad_packed_sequence(states, batch_first=True, total_length=ids.shape[1])
        vectors = self._pool(tokens, mask, last)
        return Encoded(self.dropout(vectors), self.dropout(tokens), mask)

    def _pool(self, tokens: torch.Tensor, mask: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        if self.options.pooling == "last":
            return torch.cat([last[-2], last[-1]], dim=1)  # the last layer's forward and backward direction
        if self.options.pooling == "max":
            return tokens.masked_fill(~mask[:, :, None], -torch.inf).amax(dim=1)
        return tokens.sum(dim=1) / mask.sum(dim=1, keepdim=True)  # padded positions are zero

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the word vectors, then the parameters of each LSTM layer."""
        layers = [
            [parameter for name, parameter in self.lstm.named_parameters() if f"_l{layer}" in name]
            for layer in range(self.options.layers)
        ]
        return [list(self.embedding.parameters()), *layers]
