"""Figures of several runs on the same rows: draws of training rows, or seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import DataError
from affekt.evaluation import arrays, counts
from affekt.evaluation.arrays import Floats
from affekt.evaluation.intervals import Interval, percentile_limits, resampled_counts


@dataclass(frozen=True, eq=False)
class Repeated:
    """A figure of several runs.

    Attributes:
        runs: (r,) its value in each run.
        drawn: (resamples,) means over runs drawn with replacement, on rows drawn with replacement; figures of
            as many runs on as many rows were drawn alike, so that their differences are paired.
    """

    runs: Floats
    drawn: Floats

    @property
    def value(self) -> float:
        """The mean over the runs."""
        return float(self.runs.mean())

    @property
    def spread(self) -> float | None:
        """The standard deviation over the runs, dividing by r − 1; None of one run."""
        return float(self.runs.std(ddof=1)) if len(self.runs) > 1 else None

    def interval(self, level: float = 0.95) -> Interval:
        """Return the mean and where the middle of the resampled means lies."""
        return Interval(self.value, *percentile_limits(self.drawn, level).tolist())

    def less(self, other: "Repeated") -> "Repeated":
        """Return how much more this is than another, run by run: of as many runs on the same rows."""
        if self.runs.shape != other.runs.shape or self.drawn.shape != other.drawn.shape:
            raise DataError(f"{len(self.runs)} and {len(other.runs)} runs are not to be paired.")
        return Repeated(self.runs - other.runs, self.drawn - other.drawn)


def repeated_classification(
    targets: ArrayLike,
    predictions: Sequence[ArrayLike],
    *,
    single_label: bool = False,
    only_present: bool = False,
    label: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Repeated]:
    """Return the figures of several runs' decisions on the same rows.

    A resample draws the rows, the same for all runs, and as many runs as there are; its figure is their mean.
    So an interval says how far the mean would move on other rows and with other draws or seeds.

    Args:
        targets: (n, k) in [0, 1].
        predictions: (n, k) decisions of each run.
        single_label: One label per row.
        only_present: Average over the labels that some row holds.
        label: The column of the label that "precision", "recall" and "f1" are of; they are left out without.
        resamples: How many resamples.
        seed: Of the draws.
    """
    truth = arrays.true_labels(targets, single_label=single_label)
    if not predictions:
        raise DataError("there is no run's predictions to take figures of.")
    tables = [counts.columns(truth, arrays.decisions(run, truth)) for run in predictions]
    averaged = arrays.averaged(truth, only_present=only_present)

    def figures(sums: Floats) -> dict[str, Floats]:
        found = counts.figures(sums, len(truth), single_label=single_label, averaged=averaged)
        if label is not None:
            of_label = counts.label_figures(sums)
            found |= {name: of_label[name][..., label] for name in ("precision", "recall", "f1")}
        return found

    runs = figures(np.stack([table.sum(axis=0) for table in tables]))
    drawn: dict[str, list[Floats]] = {name: [] for name in runs}
    for weights, chosen in _draws(len(truth), len(tables), resamples, seed):
        of_all = figures(np.stack([weights @ table for table in tables], axis=1))  # (chunk, runs)
        for name, values in of_all.items():
            drawn[name].append(np.take_along_axis(values, chosen, axis=1).mean(axis=1))
    return {name: Repeated(np.asarray(runs[name]), np.concatenate(drawn[name])) for name in runs}


def _draws(rows: int, runs: int, resamples: int, seed: int) -> Iterator[tuple[Floats, np.ndarray]]:
    """Yield how often each row was drawn, (chunk, rows), and which runs were, (chunk, runs)."""
    random = np.random.default_rng([seed, 1])
    for weights in resampled_counts(rows, resamples, seed):
        yield weights, random.integers(runs, size=(len(weights), runs))
