"""Which words carry each emotion of a text: how much less likely it is when a word is left out."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from affekt.evaluation.arrays import Floats

MOST = 128  # words of a text that are left out in turn, its first
LEAST = 0.02  # a word that makes a label likelier by less is not said to carry it

Carried = tuple[str, str, float]  # a piece, the label that it carries ("" for none), and by how much
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


@dataclass(frozen=True)
class Parted:
    """A text in pieces, of which the words are left out in turn.

    Attributes:
        pieces: Words and what stands between them.
        words: The places of the words that are left out.
    """

    pieces: tuple[str, ...]
    words: tuple[int, ...]

    @property
    def without(self) -> list[str]:
        """The text without each of the words."""
        return [_left(self.pieces, {at}) for at in self.words]

    def carries(self, whole: np.ndarray, without: Iterable[np.ndarray]) -> Floats:
        """Return by how much each piece makes each label likelier; 0 for what is not left out.

        Args:
            whole: (k,) probabilities of the text.
            without: Those of the texts of `without`, (k,) each.
        """
        change = np.zeros((len(self.pieces), len(whole)))
        for at, row in zip(self.words, without, strict=True):
            change[at] = whole - row
        return change


def parted(text: str) -> Parted:
    """Return a text in pieces, of which the first words are left out in turn."""
    pieces = pieces_of(text)
    words = [at for at, piece in enumerate(pieces) if not piece.isspace()]
    return Parted(pieces, tuple(words[:MOST]))


def explain(texts: Sequence[str], labels: Sequence[str], probabilities: Scoring) -> list[Explanation]:
    """Explain texts by occlusion, through anything that gives probabilities; one call for all of them."""
    parts = [parted(text) for text in texts]
    found = probabilities([*texts, *(other for part in parts for other in part.without)]).astype(np.float64)
    whole, rest = found[: len(texts)], iter(found[len(texts) :])
    told = []
    for row, part in zip(whole, parts, strict=True):
        carries = part.carries(row, islice(rest, len(part.words)))
        told.append(Explanation(part.pieces, dict(zip(labels, map(tuple, carries.T.tolist()), strict=True))))
    return told


def carried(explanation: Explanation, labels: Sequence[str]) -> list[Carried]:
    """Return each piece with the label, of some, that it carries most, and by how much it makes it likelier.

    Of a piece that carries none of them by `LEAST`, or by a fifth of what the strongest one carries, the
    label is "" and what it carries 0.
    """
    none = [(0.0, "")]
    found = [
        max([(explanation.carries[label][at], label) for label in labels] or none)
        for at in range(len(explanation.pieces))
    ]
    least = max(LEAST, max(found, default=none[0])[0] / 5)
    told = (one if one[0] >= least else none[0] for one in found)
    return [(piece, label, by) for piece, (by, label) in zip(explanation.pieces, told, strict=True)]


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
