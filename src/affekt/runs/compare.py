"""Two runs on the same rows: how sure a difference is, which labels each wins, where they disagree most."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from affekt.evaluation import paired_bootstrap
from affekt.evaluation.arrays import Floats
from affekt.evaluation.counts import columns, label_figures
from affekt.evaluation.figures import HEADLINES
from affekt.evaluation.intervals import percentile_limits, resampled_counts
from affekt.runs.folder import RunFolder
from affekt.runs.predictions import Predictions

RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Pair:
    """The rows of one split that two runs have in common, as each of them sees them."""

    split: str
    first: Predictions
    second: Predictions
    labels: list[str]
    single_label: bool


@dataclass(frozen=True)
class LabelDifference:
    """The F1 of one label in both runs and the interval of the difference, second less first."""

    label: str
    first: float
    second: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def pair(first: RunFolder, second: RunFolder, split: str) -> Pair | None:
    """Return the rows of a split that both runs predicted; None when there are none or the labels differ.

    Rows are the same when id, text and true labels are.
    """
    left, right = first.predictions.get(split), second.predictions.get(split)
    alike = first.labels == second.labels and first.single_label == second.single_label
    if left is None or right is None or not alike:
        return None
    places = {key: row for row, key in enumerate(_keys(right))}
    shared = [(row, places[key]) for row, key in enumerate(_keys(left)) if key in places]
    if not shared:
        return None
    here, there = (np.asarray(rows) for rows in zip(*shared, strict=True))
    return Pair(split, _rows(left, here), _rows(right, there), first.labels, first.single_label)


def _keys(part: Predictions) -> list[tuple[str, str, bytes]]:
    return list(zip(part.ids, part.texts, (row.tobytes() for row in part.true), strict=True))


def _rows(part: Predictions, rows: Any) -> Predictions:
    return Predictions(
        part.split,
        [part.ids[i] for i in rows],
        [part.texts[i] for i in rows],
        part.targets[rows],
        part.true[rows],
        part.predicted[rows],
        part.probabilities[rows],
        None if part.logits is None else part.logits[rows],
    )


def differences(of: Pair) -> dict[str, dict[str, float]]:
    """Return metric → difference (second less first), low, high, p, by paired bootstrap."""
    return {
        metric: paired_bootstrap(
            of.first.true,
            of.second.predicted,
            of.first.predicted,
            metric=metric,
            single_label=of.single_label,
            resamples=RESAMPLES,
        )
        for metric in HEADLINES[of.single_label]
    }


def label_differences(of: Pair, seed: int = 0) -> list[LabelDifference]:
    """Return each label's F1 in both runs with the paired bootstrap interval of the difference."""
    left, right = (columns(of.first.true, part.predicted) for part in (of.first, of.second))
    draws = resampled_counts(len(left), RESAMPLES, seed)
    drawn = [_f1(weights @ right) - _f1(weights @ left) for weights in draws]
    low, high = percentile_limits(np.concatenate(drawn), 0.95)
    values = zip(of.labels, _f1(left.sum(axis=0)), _f1(right.sum(axis=0)), low, high, strict=True)
    return [LabelDifference(label, *(float(one) for one in numbers)) for label, *numbers in values]


def _f1(sums: Floats) -> Floats:
    return label_figures(sums)["f1"]


def disagreements(of: Pair, most: int = 20) -> list[tuple[int, int]]:
    """Return (row, label) where the two runs' probabilities lie furthest apart, each row once."""
    gap = np.abs(of.first.probabilities - of.second.probabilities)
    label = gap.argmax(axis=1)
    widest = gap[np.arange(len(gap)), label]
    order = np.argsort(-widest, kind="stable")[:most]
    return [(int(row), int(label[row])) for row in order if widest[row] > 0]
