"""How far a figure would move on other rows from the same source.

By percentile bootstrap over rows where a figure is made of what each row says by itself, and by halves of the
rows where rows meet each other.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation import arrays, counts
from affekt.evaluation.arrays import Floats
from affekt.evaluation.figures import figure

FEWEST_ROWS = 100
FEWEST_WRONG = 20  # rows, at least so many of which must keep a figure from 1
MOST_DRAWN = 2_000  # the cost of distances grows with the square of the rows
CHUNK = 2**22  # entries of one block of draws: 32 MiB of float64

_Z = 1.959964  # of a 95 % interval

Metric = Callable[..., float]


class Interval(NamedTuple):
    """A figure and where the middle of its resampled values lies."""

    value: float
    low: float
    high: float


def bootstrap(
    metric: Metric, *data: ArrayLike, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return metric(*data) with its percentile interval over resampled rows.

    The arrays are resampled together. A resample on which the metric is not finite (a class that was not
    drawn, say) is left out; DataError where none is finite.
    """
    values, whole = _resampled(metric, data, resamples, seed)
    return Interval(whole, *percentile_limits(values, level).tolist())


def _resampled(metric: Metric, data: Sequence[ArrayLike], resamples: int, seed: int) -> tuple[Floats, float]:
    """Return a metric of arrays on resampled rows, and on all rows."""
    rows = [np.asarray(array) for array in data]
    lengths = {array.shape[0] if array.ndim else 0 for array in rows}
    if len(lengths) != 1 or 0 in lengths:
        shapes = " and ".join(str(array.shape) for array in rows) or "none"
        raise DataError(
            f"arrays to resample must have the same number of rows, at least one, but have {shapes}."
        )
    values = [
        float(metric(*(array[draw] for array in rows)))
        for draws in resampled_rows(lengths.pop(), resamples, seed)
        for draw in draws
    ]
    return np.asarray(values), float(metric(*rows))


def paired_bootstrap(
    targets: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    metric: str | Metric = "f1_macro",
    single_label: bool = False,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Compare two sets of predictions on the same rows; each resample draws the same rows for both.

    Args:
        targets: One entry per row; (n, k) for a named metric.
        first: Predictions of one run; (n, k) decisions for a named metric.
        second: Predictions of the other.
        metric: A figure of `classification_intervals` by name (fast), or a function (targets, predictions) →
            float.
        single_label: As in `classification`, for named metrics.
        resamples: How many resamples.
        level: Share of resampled differences within the interval.
        seed: Of the draws.

    Returns:
        difference (first − second), low, high, and p: twice the smaller share of resamples on either side of
        no difference (two-sided; never 0, since the run itself is counted as one more resample).
    """
    if callable(metric):
        of_one = metric

        def less(targets: Any, first: Any, second: Any) -> float:
            return float(of_one(targets, first)) - float(of_one(targets, second))

        differences, difference = _resampled(less, (targets, first, second), resamples, seed)
    else:
        truth = arrays.true_labels(targets, single_label=single_label)
        tables = [counts.columns(truth, arrays.decisions(run, truth)) for run in (first, second)]
        differences, difference = _named_differences(metric, tables, single_label, resamples, seed)
    low, high = percentile_limits(differences, level).tolist()
    kept = differences[np.isfinite(differences)]
    tail = min(int((kept <= 0).sum()), int((kept >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (len(kept) + 1))
    return {"difference": difference, "low": low, "high": high, "p": p}


def _named_differences(
    metric: str, tables: list[Floats], single_label: bool, resamples: int, seed: int
) -> tuple[Floats, float]:
    count = len(tables[0])

    def difference(sums: list[Floats]) -> Floats:
        left, right = (counts.figures(part, count, single_label=single_label) for part in sums)
        if metric not in left:
            raise UsageError(unknown_name("metric", metric, left))
        return left[metric] - right[metric]

    whole = float(difference([table.sum(axis=0) for table in tables]))
    draws = resampled_counts(count, resamples, seed)
    drawn = [difference([weights @ table for table in tables]) for weights in draws]
    return np.concatenate(drawn), whole


def resampled_rows(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield (chunk, count) row numbers drawn with replacement, `resamples` draws in all, chunk by chunk."""
    if resamples < 1:
        raise UsageError(f"resamples must be at least 1, but is {resamples}.")
    random = np.random.default_rng(seed)
    chunk = max(1, CHUNK // count)
    for start in range(0, resamples, chunk):
        yield random.integers(0, count, size=(min(chunk, resamples - start), count))


def resampled_counts(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield (chunk, count) weights: how often each row was drawn in each of the same resamples."""
    for draws in resampled_rows(count, resamples, seed):
        places = draws + np.arange(len(draws))[:, None] * count
        weights = np.bincount(places.ravel(), minlength=draws.size)
        yield weights.reshape(draws.shape).astype(np.float64)


def part_limits(
    figures: Mapping[str, float],
    of_part: Callable[[NDArray[np.int64]], Mapping[str, float]],
    count: int,
    *,
    resamples: int,
    seed: int,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Return low and high of figures by computing them anew on parts of the rows, drawn without repeats.

    For figures in which rows meet each other (neighbours, distances within and between groups): rows that a
    bootstrap draws twice would meet themselves. The mean of a share f of them varies about that of all rows
    by (1 − f) / f times the variance that the latter has over samples: as much for halves, more for less.

    `of_part` gives the figures, or some, of the rows with these numbers; each of the `resamples` parts is
    half of the `count` rows and at most 2,000. Of fewer than 100 rows there are no limits: their halves say
    too little, and none of figures that are alike in all parts, nor of one near 1 of which
    (1 − value) · count is below 20, as with 19 rows wrong. Limits of shares stay within [0, 1].
    """
    if count < FEWEST_ROWS:
        return {}
    random, size = np.random.default_rng(seed), min(count // 2, MOST_DRAWN)
    drawn = [of_part(random.permutation(count)[:size]) for _ in range(resamples)]
    scale = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(size / (count - size))
    found = {}
    for name, value in figures.items():
        known = figure(name)
        parts = np.array([part[name] for part in drawn if name in part and known.says(part[name])])
        if known.better is None or not known.says(value) or len(parts) < 2 or not parts.std():
            continue
        if known.better == "higher" and (1 - value) * count < FEWEST_WRONG:
            continue
        reach = scale * float(parts.std(ddof=1))
        low, high = value - reach, value + reach
        is_share = min(value, parts.min()) >= 0 and max(value, parts.max()) <= 1
        found[name] = (max(low, 0.0), min(high, 1.0)) if is_share else (low, high)
    return found


def percentile_limits(values: Floats, level: float) -> Floats:
    """Return the (2, …) limits between which the middle `level` of values lies along the first axis."""
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, but is {level}.")
    if values.ndim == 1:
        values = values[np.isfinite(values)]
    if not len(values) or not np.isfinite(values).all():
        raise DataError("the metric is finite on no resample; there is no interval to give.")
    tail = (1 - level) / 2
    return np.asarray(np.quantile(values, (tail, 1 - tail), axis=0))


def wilson(count: float, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share, z2 = count / of, _Z * _Z / of
    reach = _Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of))
    return max((share + z2 / 2 - reach) / (1 + z2), 0.0), min((share + z2 / 2 + reach) / (1 + z2), 1.0)
