"""How figures, counts and times are written, and in which order figures stand."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from affekt.evaluation.figures import MAIN, figure

Interval = tuple[float, float, float]  # value, low, high


def held_labels(held: Any, labels: Sequence[str]) -> str:
    """Return the labels that a row of a (n, k) matrix holds, as people read them.

    >>> held_labels([True, False, True], ["joy", "fear", "love"]), held_labels([False], ["joy"])
    ('joy, love', 'none')
    """
    return ", ".join(label for label, one in zip(labels, held, strict=True) if one) or "none"


def ordered(keys: Iterable[str], *, single_label: bool = False) -> list[str]:
    """Return metric keys, the main ones first, the others as they came.

    With one label per text, figures that only say accuracy again are left out.
    """
    told = [key for key in keys if not (single_label and figure(key).says_accuracy)]
    return [key for key in MAIN if key in told] + [key for key in told if key not in MAIN]


def as_number(value: Any) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def as_interval(entry: Any) -> Interval | None:
    """Return (value, low, high) of a figure given with or without its interval, else None.

    >>> as_interval({"value": 0.5, "low": 0.4, "high": 0.6}), as_interval(0.5)
    ((0.5, 0.4, 0.6), (0.5, 0.5, 0.5))
    """
    held = entry if isinstance(entry, dict) else {"value": entry}
    value, low, high = (as_number(held.get(name)) for name in ("value", "low", "high"))
    if value is None:
        return None
    return (value, value if low is None else low, value if high is None else high)


def points(value: float, low: float, high: float) -> str:
    """Return how large a difference of shares is, whichever its sign, with its interval seen from there.

    >>> points(0.041, 0.022, 0.06), points(-0.02, -0.05, 0.01)
    ('4.1 points (2.2 to 6.0)', '2.0 points (−1.0 to 5.0)')
    """
    near, far = (low, high) if value >= 0 else (-high, -low)
    return f"{100 * abs(value):.1f} points ({100 * near:z.1f} to {100 * far:z.1f})".replace("-", "−")


def figure_text(value: float | None) -> str:
    """Return a figure with three decimals, as tables of this field have it.

    >>> figure_text(0.4619), figure_text(1.0), figure_text(-0.02), figure_text(12.34), figure_text(None)
    ('.462', '1.000', '−.020', '12.340', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{abs(value):.3f}".removeprefix("0") if abs(value) < 0.9995 else f"{abs(value):.3f}"
    return f"−{text}" if value < 0 and text != ".000" else text


def value_text(value: Any, key: str = "") -> str:
    """Return a figure as its kind is written: counts whole, small ones with four decimals.

    >>> value_text(182.0, "n"), value_text(0.00612, "mean_squared_difference"), value_text(0.5, "accuracy")
    ('182', '.0061', '.500')
    """
    form, number = figure(key).form, as_number(value)
    if form == "count":
        return count_text(value)
    return (
        f"{number:.4f}".removeprefix("0") if form == "small" and number is not None else figure_text(number)
    )


def signed_text(value: float) -> str:
    """Return a difference with its sign.

    >>> signed_text(0.0123), signed_text(-0.5), signed_text(0.0)
    ('+.012', '−.500', '.000')
    """
    text = figure_text(value)
    return f"+{text}" if value > 0 and text != ".000" else text


def times_text(share: float) -> str:
    """Return a share as people say it, never rounded to never or always.

    >>> times_text(0.71), times_text(0.968), times_text(0.004), times_text(1.0)
    ('7 times in 10', '97 times in 100', 'less than once in 100', 'always')
    """
    if share in (0.0, 1.0):
        return "always" if share else "never"
    if 0.095 <= share < 0.905:
        tenths = round(share * 10)
        return f"{tenths} times in 10" if tenths > 1 else "once in 10"
    hundredths = min(99, round(share * 100))
    if not hundredths:
        return "less than once in 100"
    return f"{hundredths} times in 100" if hundredths > 1 else "once in 100"


def figure_rows(
    sides: Sequence[Mapping[str, Any]], keys: Iterable[str] = (), *, single_label: bool = False
) -> list[tuple[str, list[Interval | None]]]:
    """Return each figure that any side has, with the value and interval of every side.

    Unless `keys` says which and in which order, all are, as they are `ordered`.
    """
    known = dict.fromkeys(key for side in sides for key in side)
    wanted = list(keys) or ordered(known, single_label=single_label)
    rows = [(key, [as_interval(side.get(key)) for side in sides]) for key in wanted]
    return [(key, values) for key, values in rows if any(values)]


def probability_text(value: float) -> str:
    """Return a probability, never rounded to certainty.

    >>> probability_text(0.5), probability_text(0.0001), probability_text(0.9999)
    ('.500', '<.001', '>.999')
    """
    if value < 0.0005:
        return "<.001"
    return ">.999" if value >= 0.9995 else figure_text(value)


def count_text(value: Any) -> str:
    """Return a count, whole and with thousands set apart."""
    number = as_number(value)
    return "–" if number is None else f"{round(number):,}"


def duration_text(value: Any) -> str:
    """Return a time as people say it.

    >>> duration_text(0.42), duration_text(75.2), duration_text(4000)
    ('0.42 s', '1 min 15 s', '1 h 7 min')
    """
    seconds = as_number(value)
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def size_text(parameters: Any) -> str:
    """Return a number of parameters in millions.

    >>> size_text(22713216), size_text(5000)
    ('22.7 M', '5,000')
    """
    number = as_number(parameters)
    if number is None:
        return "–"
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{int(number):,}"
