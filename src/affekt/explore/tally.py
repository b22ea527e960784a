"""Texts of a file counted by group and period in one pass: what shares with intervals are made of."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from affekt.evaluation.arrays import Bools, Floats
from affekt.evaluation.prevalence import ScoreCells
from affekt.inference.model import Model
from affekt.text.sentences import sentences

# of a part of the texts: the column and its value, "" and "" for all; and the period, None for all
Part = tuple[str, str, date | None]
WHOLE: Part = ("", "", None)


@dataclass
class Count:
    """Counted texts: how many, how many were given each label, and how many scored in each cell."""

    rows: int
    decided: np.ndarray  # (k,)
    cells: np.ndarray  # (m, c), of width 0 where nothing is known of dev

    def __add__(self, other: "Count") -> "Count":
        return Count(self.rows + other.rows, self.decided + other.decided, self.cells + other.cells)

    def __sub__(self, other: "Count") -> "Count":
        return Count(self.rows - other.rows, self.decided - other.decided, self.cells - other.cells)


@dataclass
class Tally:
    """Counts of all parts of a file's texts, and how many texts hold two labels at once."""

    labels: tuple[str, ...]
    cells: ScoreCells | None  # how dev scored; None where nothing is known of that
    counts: dict[Part, Count] = field(default_factory=dict)
    together: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def add(self, scores: Floats, decided: Bools, parts: Sequence[Iterable[Part]]) -> None:
        """Count rows, each of which belongs to some parts."""
        rows_of: dict[Part, list[int]] = defaultdict(list)
        for row, own in enumerate(parts):
            for part in own:
                rows_of[part].append(row)
        for part, rows in rows_of.items():
            counted = self._count(scores[rows], decided[rows])
            self.counts[part] = self.counts[part] + counted if part in self.counts else counted
        held = decided.astype(np.int64)
        if not self.together.size:
            self.together = np.zeros((held.shape[1],) * 2, dtype=np.int64)
        self.together += held.T @ held

    def _count(self, scores: Floats, decided: Bools) -> Count:
        tallied = self.cells.tally(scores) if self.cells else np.zeros((1, 0), dtype=np.int64)
        return Count(len(decided), decided.sum(axis=0), tallied)


def document_scores(model: Model, texts: Sequence[str], how: str) -> Floats:
    """Return probabilities of texts scored sentence by sentence: the mean over sentences, or the largest.

    Where texts have one label each, the largest are made to sum to 1 again.
    """
    pieces = [sentences(text) for text in texts]
    found = model.probabilities([piece for own in pieces for piece in own]).astype(np.float64)
    starts = np.cumsum([0, *(len(own) for own in pieces)])[:-1]
    if how == "mean":
        return np.asarray(np.add.reduceat(found, starts) / [[len(own)] for own in pieces])
    most = np.maximum.reduceat(found, starts)
    return np.asarray(most / most.sum(axis=1, keepdims=True) if model.single_label else most)
