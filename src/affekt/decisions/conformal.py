"""Sets of labels that hold the true ones with a promised chance: split-conformal prediction.

How little probability a dev row's least likely true label has is compared with that of new rows: where rows
are exchangeable, all of a new text's labels have at least the (n + 1) (1 − coverage)-th lowest of n such
probabilities with the chance promised (Vovk et al., 2005; of one label, Sadinle et al., 2019). A set is every
label that has as much.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import ModelError, UsageError
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Bools

_FROM, _TO = 50, 99  # percent that can be promised


@dataclass(frozen=True)
class LabelSets:
    """What probability a label needs to be in a set, for each promise.

    Attributes:
        n: Dev rows behind it.
        floors: The least probabilities for sets of 50, 51, …, 99 % coverage, falling.
    """

    n: int
    floors: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.floors) != _TO - _FROM + 1 or self.n < 1 or not arrays.all_shares(np.array(self.floors)):
            raise ModelError(f"label sets need {_TO - _FROM + 1} probabilities, and the rows behind them.")

    @classmethod
    def fit(cls, targets: ArrayLike, probabilities: ArrayLike, *, single_label: bool) -> "LabelSets":
        """Return the sets that dev's rows promise.

        Args:
            targets: (n, k) in [0, 1].
            probabilities: (n, k), as the model gives them.
            single_label: One label per row. Where there may be several, all of them must be in the set;
                a row without any is in every set.
        """
        truth = arrays.true_labels(targets, single_label=single_label)
        scores = arrays.unit_matrix(probabilities, "probabilities").astype(np.float32)
        arrays.same_shape(truth, scores, "targets and probabilities")
        least = np.sort(np.where(truth, scores, 1.0).min(axis=1))
        places = [math.floor((len(least) + 1) * (100 - percent) / 100) for percent in range(_FROM, _TO + 1)]
        return cls(len(least), tuple(float(least[at - 1]) if at else 0.0 for at in places))

    def hold(self, probabilities: ArrayLike, coverage: float) -> Bools:
        """Return (n, k) which labels are in each row's set; none may be, where no label is likely enough.

        Raises:
            UsageError: When so much or so little cannot be promised.
        """
        floor = np.float32(self.floors[percent_of(coverage) - _FROM])
        return np.asarray(np.asarray(probabilities, dtype=np.float32) >= floor, dtype=np.bool_)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {"n": self.n, "floors": list(self.floors)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "LabelSets":
        """Return the sets of `to_json`."""
        return cls(int(plain["n"]), tuple(float(floor) for floor in plain["floors"]))


def promised(sets: LabelSets | None, coverage: float) -> LabelSets:
    """Return the sets of a model; ModelError where it knows none, UsageError for what cannot be promised."""
    percent_of(coverage)
    if sets is None:
        raise ModelError("this model knows no sets of a promised coverage; train it again to have them.")
    return sets


def percent_of(coverage: float) -> int:
    """Return how many times in 100 a coverage is; UsageError when so much or so little cannot be promised."""
    percent = math.ceil(round(coverage * 100, 6)) if math.isfinite(coverage) else 0
    if not _FROM <= percent <= _TO:
        raise UsageError(f"coverage = {coverage}: promise .{_FROM} to .{_TO}.")
    return percent


def too_wide(held: Bools) -> Bools:
    """Return (n,) whether sets say nothing: they hold no label, or more than half of them.

    >>> too_wide(np.array([[True, False], [True, True], [False, False]])).tolist()
    [False, True, True]
    """
    size = held.sum(axis=1)
    return np.asarray((size == 0) | (2 * size > held.shape[1]))
