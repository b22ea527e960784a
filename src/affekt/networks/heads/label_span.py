"""The label-aware head (SpanEmo): one logit from the hidden state of each label's words in the input.

Alhuzali and Ananiadou 2021, "SpanEmo: Casting Multi-label Emotion Classification as Span-prediction".
"""

import torch
from torch import nn

from affekt.encoders import Encoded
from affekt.encoders.fast import Dropout
from affekt.errors import ModelError


class LabelSpanHead(nn.Module):
    """Per label: mean state of its pieces → Linear → Tanh → Dropout → Linear(1).

    Args:
        dimension: Width of the encoder's states.
        spans: Per label, the first position of its pieces and the one after the last.
        dropout: Share of the hidden units dropped while training.
    """

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

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k)."""
        if encoded.tokens is None:
            raise ModelError("a label-span head needs an encoder with one vector per position.")
        pooling = torch.as_tensor(self.pooling)
        states = pooling.to(encoded.tokens.dtype) @ encoded.tokens[:, : pooling.shape[1]]  # (n, k, d)
        hidden = self.dropout(torch.tanh(self.dense(states)))
        return self.out(hidden).squeeze(-1) + self.bias  # type: ignore[no-any-return]
