"""A convolutional network over trainable word vectors: row E1."""

from dataclasses import dataclass

import torch
from torch import nn

from affekt.encoders import Batch, Encoded
from affekt.encoders.saving import Depth, Share, Size, start_for_relu
from affekt.encoders.vocabulary import WordVocabulary
from affekt.encoders.word_encoder import WordEncoder
from affekt.errors import ModelError


@dataclass(frozen=True)
class WordCnnOptions:
    """What a `WordCnnEncoder` is made of.

    Attributes:
        filters: Channels of every convolution, and so the size of a text's vector.
        blocks: Blocks of convolution, dropout and max-pooling.
        kernel: Words each convolution sees; odd.
        pool: Positions each max-pooling joins.
        dropout: Share of a block's values dropped.
        max_length: Words read of a text: 128 for tweets, 750 for comments.
        word_dimension: Size of the word vectors where none are given; given ones decide it.
        min_count: Occurrences that a word without a given vector needs for a row of its own.
        max_words: Size of the vocabulary at most; None for no limit.
    """

    filters: Size = 128
    blocks: Depth = 5
    kernel: Size = 5
    pool: Size = 2
    dropout: Share = 0.2
    max_length: Size = 128
    word_dimension: Size = 100
    min_count: Size = 2
    max_words: Size | None = None


class WordCnnEncoder(WordEncoder):
    """Convolutions and max-pooling over words, then the maximum over all positions.

    A batch is padded to its own longest text, not to `max_length`. Each convolution keeps the length (zeros
    on both sides) and each pooling rounds up, so that no text is too short; before each, the positions past a
    text's end are set to zero, where they are the same zeros as at the end of a text encoded alone. After
    ReLU zeros never win a maximum. So the vector of a text does not depend on its batch.
    """

    kind = "word-cnn"
    Options = WordCnnOptions

    def __init__(self, vocabulary: WordVocabulary, options: WordCnnOptions) -> None:
        if options.kernel % 2 == 0:
            raise ModelError(f"kernel is {options.kernel}: it must be odd to keep the length.")
        super().__init__(vocabulary, options)
        self.dimension = options.filters
        sizes = [options.word_dimension] + [options.filters] * (options.blocks - 1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, options.filters, options.kernel, padding=options.kernel // 2) for size in sizes
        )
        self.dropout = nn.Dropout(options.dropout)
        self.pool = nn.MaxPool1d(options.pool, ceil_mode=True)
        start_for_relu(self.convolutions)

    def forward(self, batch: Batch) -> Encoded:
        """Encode a batch into vectors (n, filters); pooled positions are no tokens, so there are none."""
        lengths = batch["mask"].sum(dim=1, keepdim=True)  # (n, 1)
        hidden = self.embedding(batch["ids"]).transpose(1, 2)  # (n, channels, positions); padding is zero
        for convolution in self.convolutions:
            inside = torch.arange(hidden.shape[2], device=hidden.device) < lengths
            hidden = torch.relu_(convolution(hidden)) * inside[:, None]
            hidden = self.pool(self.dropout(hidden))
            lengths = -(-lengths // self.options.pool)
        return Encoded(hidden.amax(dim=2))

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the word vectors, then the parameters of each block."""
        return [list(self.embedding.parameters()), *(list(block.parameters()) for block in self.convolutions)]
