"""Texts that stand for many: typical of an emotion, unlike all others, and the words of groups."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from affekt.data.dates import Every, period_name
from affekt.evaluation.arrays import Bools
from affekt.explore.clusters import distinctive_words
from affekt.explore.tally import Part
from affekt.inference.model import Model

ROWS = 10_000  # texts kept for words
_ENCODED = 2_000  # of them, for typical texts and outliers
_WIDEST = 4_096  # wider vectors are counts of terms
_SHOWN = 600  # characters kept of a text
_NEIGHBOURS = 5


class Sample:
    """A fixed number of texts, each of a stream with the same chance, with what they were found to hold."""

    def __init__(self, seed: int, size: int = ROWS) -> None:
        self.size, self.met = size, 0
        self.texts: list[str] = []
        self.decided: list[np.ndarray] = []
        self.parts: list[list[Part]] = []
        self._random = random.Random(seed)

    def add(self, texts: Sequence[str], decided: Bools, parts: Sequence[Iterable[Part]]) -> None:
        """Meet some more texts."""
        for text, held, own in zip(texts, decided, parts, strict=True):
            self.met += 1
            if len(self.texts) < self.size:
                at = len(self.texts)
                self.texts.append("")
                self.decided.append(held)
                self.parts.append([])
            elif (at := self._random.randrange(self.met)) >= self.size:
                continue
            self.texts[at], self.parts[at] = text[:_SHOWN], list(own)
            self.decided[at] = held.copy()  # not a view, which would keep all rows that came with it

    def told(self, model: Model, labels: Sequence[str]) -> dict[str, Any]:
        """Return typical texts and distinctive words of each label, and the texts unlike all others."""
        held = np.stack(self.decided)
        encoded = np.sort(np.random.default_rng(0).permutation(len(self.texts))[:_ENCODED])
        texts = [self.texts[at] for at in encoded]
        has_space = model.runtime.dimension <= _WIDEST
        vectors = model.embed(texts).astype(np.float64) if has_space else np.zeros((len(texts), 0))
        emotions = {}
        for at, label in enumerate(labels):
            own = held[:, at]
            words = distinctive_words(self.texts, own.astype(int).tolist()).get(1, ()) if own.any() else ()
            emotions[label] = {
                "typical": _nearest(texts, vectors, np.flatnonzero(held[encoded, at])),
                "words": list(words),
            }
        return {"emotions": emotions, "outliers": _outliers(texts, vectors), "sample": len(self.texts)}


def _nearest(texts: Sequence[str], vectors: np.ndarray, rows: np.ndarray, most: int = 3) -> list[str]:
    """Return the different texts nearest the middle of some."""
    if not len(rows):
        return []
    away = np.linalg.norm(vectors[rows] - vectors[rows].mean(axis=0), axis=1)
    ordered = (texts[row] for row in rows[np.argsort(away, kind="stable")])
    return list(dict.fromkeys(ordered))[:most]


def _outliers(texts: Sequence[str], vectors: np.ndarray, most: int = 8) -> list[str]:
    """Return the different texts whose nearest others are farthest away."""
    if len(texts) <= 10 * _NEIGHBOURS or not vectors.shape[1]:
        return []
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    near = np.partition(alike, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS:].mean(axis=1)
    ordered = (texts[row] for row in np.argsort(near, kind="stable"))
    return list(dict.fromkeys(ordered))[:most]


def sample_words(
    sample: Sample, groups: Mapping[str, Sequence[str]], starts: Sequence[date], every: Every
) -> dict[str, dict[str, list[str]]]:
    """Return the words that set groups apart from others of their column, and periods from others."""
    found: dict[str, dict[str, list[str]]] = {}
    for column in groups:
        found[column] = _words(sample, {(column, value, None): value for value in groups[column]})
    if len(starts) > 1:
        names: dict[Part, str] = {("", "", start): period_name(start, every) for start in starts}
        found["periods"] = _words(sample, names)
    return found


def _words(sample: Sample, names: Mapping[Part, str]) -> dict[str, list[str]]:
    """Return the words of each of some parts, which a text is in one of."""
    codes = {part: at for at, part in enumerate(names)}
    rows = [
        (text, codes[part])
        for text, own in zip(sample.texts, sample.parts, strict=True)
        for part in own
        if part in codes
    ]
    if not rows:
        return {}
    texts, numbers = zip(*rows, strict=True)
    words = distinctive_words(texts, numbers)
    return {name: list(words.get(codes[part], ())) for part, name in names.items()}
