"""Scores as the interfaces of others name and order them."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import TypedDict

from affekt.decisions.rules import sigmoid
from affekt.serving.batching import about_tokens
from affekt.serving.refusals import Refusal
from affekt.serving.routes.native import numbers
from affekt.serving.service import Service

_SMALLEST = 1e-7  # beside 0 and 1, where logits would be infinite


class Score(TypedDict):
    """A label with its score."""

    label: str
    score: float


async def scored(service: Service, texts: Sequence[str], function: str | None = None) -> np.ndarray:
    """Return (n, k) scores of texts.

    Args:
        service: Whose model is asked.
        texts: What it is asked of.
        function: "sigmoid", "softmax" or "none" over calibrated logits; the model's own unless said, which
            is a probability for each label by itself where several may hold.
    """
    probabilities = await service.probabilities(texts)
    own = "softmax" if service.facts.single_label else "sigmoid"
    if function in (None, own):
        return probabilities
    logits = _logits(probabilities, own)
    if function == "none":
        return logits
    if function == "sigmoid":
        return sigmoid(logits)
    if function == "softmax":
        spread = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(spread / spread.sum(axis=1, keepdims=True))
    raise Refusal(422, "function_to_apply is one of sigmoid, softmax and none.")


def _logits(probabilities: np.ndarray, function: str) -> np.ndarray:
    kept = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.log(kept) if function == "softmax" else np.log(kept) - np.log1p(-kept)


def ranked(labels: Sequence[str], rows: np.ndarray, top: int | None = None) -> list[list[Score]]:
    """Return each row's labels with their scores, the highest first."""
    found = []
    for row in rows:
        scores = numbers(row)
        order = np.argsort(-row, kind="stable")[:top]
        found.append([Score(label=labels[i], score=scores[i]) for i in order])
    return found


def tokens_of(texts: Sequence[str]) -> int:
    """Return how many tokens texts have, estimated."""
    return sum(map(about_tokens, texts))
