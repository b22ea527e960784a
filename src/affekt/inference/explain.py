"""Which words carry each emotion of a text: how much less likely it is when a word is left out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from affekt.evaluation.arrays import Floats

MOST = 128  # words of a text that are left out in turn, its first

Scoring = Callable[[list[str]], np.ndarray]  # (n, k) probabilities of texts


@dataclass(frozen=True)
class Explanation:
    """What the words of a text carry.

    Attributes:
        pieces: Words and what stands between them; together they are the text.
        carries: For each label, by how much each piece makes it likelier; 0 for spaces.
    """

    pieces: tuple[str, ...]
    carries: Mapping[str, tuple[float, ...]]


def pieces_of(text: str) -> tuple[str, ...]:
    """Return the words of a text and what stands between them.

    >>> pieces_of(" so  happy!")
    (' ', 'so', '  ', 'happy!')
    """
    return tuple(re.findall(r"\s+|\S+", text))


def explain(texts: Sequence[str], labels: Sequence[str], probabilities: Scoring) -> list[Explanation]:
    """Explain texts by occlusion, through anything that gives probabilities; one call for all of them."""
    parted = [pieces_of(text) for text in texts]
    words = [[at for at, piece in enumerate(pieces) if not piece.isspace()][:MOST] for pieces in parted]
    without = [_left(pieces, {at}) for pieces, own in zip(parted, words, strict=True) for at in own]
    found = probabilities([*texts, *without]).astype(np.float64)
    whole, rest = found[: len(texts)], iter(found[len(texts) :])
    told = []
    for row, pieces, own in zip(whole, parted, words, strict=True):
        change = np.zeros((len(pieces), len(labels)))
        for at in own:
            change[at] = row - next(rest)
        told.append(Explanation(pieces, dict(zip(labels, map(tuple, change.T.tolist()), strict=True))))
    return told


def deletion(
    pieces: Sequence[str], order: Sequence[int], probability: Callable[[list[str]], Floats]
) -> float:
    """Return the mean probability of a label while words go one by one, in an order, until none is left.

    The lower, the better the order names the words that carry it; `order` has the places of pieces.
    """
    texts = [_left(pieces, set(order[:gone])) for gone in range(len(order) + 1)]
    return float(np.mean(probability(texts)))


def _left(pieces: Sequence[str], gone: set[int]) -> str:
    return "".join(piece for at, piece in enumerate(pieces) if at not in gone)
