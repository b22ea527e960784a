"""How answers change when a word changes that should not matter."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import DataError
from affekt.evaluation.arrays import Floats
from affekt.evaluation.intervals import percentile_limits, resampled_counts

FLIPS = 9_999  # draws of the permutation test: the smallest p-value is 1 in 10,000
_BLOCK = 500


class Change(NamedTuple):
    """How an answer to the second texts of pairs differs from that to the first."""

    mean: float  # over frames, each the mean of its pairs
    low: float
    high: float
    p: float  # two-sided, of there being no difference
    absolute: float  # mean size over pairs, whatever the direction
    worst: int  # the pair with the largest


def changes(
    first: ArrayLike,
    second: ArrayLike,
    frames: Sequence[str],
    *,
    resamples: int = 1000,
    flips: int = FLIPS,
    level: float = 0.95,
    seed: int = 0,
) -> list[Change]:
    """Return how each of k answers changes from the first to the second texts of pairs.

    Pairs of one frame, such as one sentence with several names in turn, are no independent witnesses: the
    bootstrap draws frames, and the sign-flip permutation test turns whole frames around. Both speak of other
    sentences with the same words, not of other words.

    Args:
        first: (n, k) answers to the first texts.
        second: (n, k) answers to the second.
        frames: n names: what a pair's texts have in common.
        resamples: Draws behind the intervals.
        flips: Draws behind the p-values.
        level: Share of draws within an interval.
        seed: Of all draws.

    Raises:
        DataError: When shapes differ, answers are not finite, or there are fewer than two frames.
    """
    before, after = (np.asarray(answers, dtype=np.float64) for answers in (first, second))
    if before.ndim != 2 or before.shape != after.shape or len(frames) != len(before):
        raise DataError(
            f"answers to pairs have the shapes {before.shape} and {after.shape}, with {len(frames)} frames; "
            "give a row for each pair."
        )
    names, places = np.unique(np.asarray(frames, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"the pairs are of {len(names)} frame; a comparison needs two frames or more.")
    moved = after - before
    if not np.isfinite(moved).all():
        raise DataError("answers to pairs must be finite numbers.")
    sums = np.zeros((len(names), moved.shape[1]))
    np.add.at(sums, places, moved)
    means = sums / np.bincount(places)[:, None]
    draws = np.concatenate([w @ means for w in resampled_counts(len(names), resamples, seed)]) / len(names)
    low, high = percentile_limits(draws, level)
    p = _sign_flips(means, flips, seed)
    sizes = np.abs(moved)
    columns = (means.mean(axis=0), low, high, p, sizes.mean(axis=0), sizes.argmax(axis=0))
    return [Change(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _sign_flips(means: Floats, flips: int, seed: int) -> Floats:
    """Return for each column the share of random signs of its rows that move its mean as far from 0."""
    random = np.random.default_rng(seed)
    seen = np.abs(means.mean(axis=0)) - 1e-12  # equal sums may differ in the last bit
    beyond = np.zeros(means.shape[1])
    for start in range(0, flips, _BLOCK):
        signs = random.choice((-1.0, 1.0), size=(min(_BLOCK, flips - start), len(means)))
        beyond += (np.abs(signs @ means) / len(means) >= seen).sum(axis=0)
    return np.asarray((beyond + 1) / (flips + 1))


def of_same_size(reference: ArrayLike, sizes: ArrayLike, answers: ArrayLike, *, bins: int = 10) -> float:
    """Return the mean answer over texts weighted so that their sizes are spread as those of a reference.

    Bins are quantiles of the reference's sizes; those without any of the texts are left out.
    """
    wanted, held = np.asarray(reference, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    values = np.asarray(answers, dtype=np.float64)
    edges = np.unique(np.quantile(wanted, np.linspace(0, 1, bins + 1)[1:-1]))
    target = np.bincount(np.searchsorted(edges, wanted), minlength=len(edges) + 1)
    places = np.searchsorted(edges, held)
    counts = np.bincount(places, minlength=len(edges) + 1)
    there = counts > 0
    if not (target * there).any():
        return float("nan")
    means = np.bincount(places, values, minlength=len(edges) + 1)[there] / counts[there]
    return float(np.average(means, weights=target[there]))
