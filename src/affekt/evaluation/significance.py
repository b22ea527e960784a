"""Differences between estimates that are drawn together: intervals, p-values, and their correction."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import DataError
from affekt.evaluation.arrays import Floats
from affekt.evaluation.intervals import percentile_limits

_ENOUGH = 10  # draws beyond no difference, below which the tail is that of a normal distribution


class Contrast(NamedTuple):
    """How much larger one estimate is than another."""

    value: float
    low: float
    high: float
    p: float  # two-sided, of there being no difference


def difference(value: float, draws: ArrayLike, *, level: float = 0.95) -> Contrast:
    """Return a difference with its interval and p-value; all NaN where it or its draws are not finite.

    p is twice the share of draws that are not on the difference's side of 0, and 1 of no difference. Of fewer
    than ten draws there a share says little, and never less than 1 in all draws: then p is that of a normal
    distribution with their spread.

    Args:
        value: The one estimate less the other.
        draws: (r,) the same on r resamples, in each of which both are estimated.
        level: Share of draws within the interval.
    """
    drawn = np.asarray(draws, dtype=np.float64)
    if not (np.isfinite(drawn).all() and math.isfinite(value) and len(drawn)):
        return Contrast(math.nan, math.nan, math.nan, math.nan)
    low, high = percentile_limits(drawn, level).tolist()
    beyond = int((drawn * np.sign(value) <= 0).sum())
    if beyond >= _ENOUGH:
        return Contrast(value, low, high, min(1.0, 2 * beyond / len(drawn)))
    spread = float(drawn.std())
    p = math.erfc(abs(value) / spread / math.sqrt(2)) if spread else float(value == 0)
    return Contrast(value, low, high, p)


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values corrected for there being several, by Holm's step-down method; NaN stays.

    Of those that are then below .05 the chance that any is a false find is at most .05, however they hang
    together.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    if given.ndim != 1 or ((given < 0) | (given > 1)).any():
        raise DataError("p-values to correct must be a list of numbers from 0 to 1.")
    corrected = np.full(len(given), np.nan)
    places = np.flatnonzero(np.isfinite(given))
    order = places[np.argsort(given[places], kind="stable")]
    steps = given[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
