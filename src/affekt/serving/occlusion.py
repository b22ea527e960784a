"""Which words carry an emotion: how much less likely it is when a word is left out."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

MOST = 64  # words of a text that are left out in turn, its first
_SHOWN = 3  # labels of which it is told, at least


class Piece(TypedDict):
    """A part of a text; all parts together are the text."""

    text: str
    carries: dict[str, float]  # by how much a label is less likely without it


def pieces_of(text: str) -> list[str]:
    """Return the words of a text and what stands between them.

    >>> pieces_of(" so  happy!")
    [' ', 'so', '  ', 'happy!']
    """
    return re.findall(r"\s+|\S+", text)


async def carried(
    texts: Sequence[str],
    rows: np.ndarray,
    held: np.ndarray,
    labels: Sequence[str],
    probabilities: Callable[[list[str]], Awaitable[np.ndarray]],
) -> list[list[Piece]]:
    """Return each text's pieces with what they carry of the labels decided on and the likeliest ones.

    Args:
        texts: The texts.
        rows: (n, k) their probabilities.
        held: (n, k) which labels were decided on.
        labels: The k labels.
        probabilities: Gives those of other texts.
    """
    return [
        await _of_one(text, row, chosen, labels, probabilities)
        for text, row, chosen in zip(texts, rows, held, strict=True)
    ]


async def _of_one(
    text: str, row: np.ndarray, held: np.ndarray, labels: Sequence[str], probabilities: Any
) -> Any:
    pieces = pieces_of(text)
    words = [i for i, piece in enumerate(pieces) if not piece.isspace()][:MOST]
    without = ["".join(pieces[:i] + pieces[i + 1 :]) for i in words]
    found = [Piece(text=piece, carries={}) for piece in pieces]
    if not words:
        return found
    asked = {int(i) for i in (*np.flatnonzero(held), *np.argsort(-row)[:_SHOWN])}
    for i, change in zip(words, row - await probabilities(without), strict=True):
        found[i]["carries"] = {labels[j]: round(float(change[j]), 4) for j in sorted(asked)}
    return found
