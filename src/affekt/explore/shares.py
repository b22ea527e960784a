"""Shares of labels in parts of the texts, with intervals, and what differs between parts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from affekt.data.dates import Every, Order, period_name
from affekt.errors import UsageError, unknown_name
from affekt.evaluation.prevalence import Prevalences, prevalence
from affekt.evaluation.significance import difference, holm
from affekt.explore.tally import WHOLE, Count, Part, Tally

FEW = 100  # rows of a part below which it is marked
FEWEST = 100  # rows of a part below which nothing is compared with it
OTHER = "(other)"  # the rarer values of a column
LIKELY = 0.05  # corrected p-values below it are told in words


@dataclass(frozen=True)
class Asked:
    """What is to be told of a file's texts.

    Attributes:
        by: Columns whose values are groups of texts.
        time: The column with the date.
        every: How long a period is.
        compare: Two groups of one column, or two periods, of which only these are compared.
        labels: "labels" (the model's own), "ekman" or "sentiment".
        document: How long texts are scored: None as they are, else sentence by sentence and then by the
            "mean" over sentences or their "max".
        zone: Where times with a zone are brought.
        order: Whether 03/04/2026 has the day or the month first; unless said, as other dates show.
        resamples: Of the texts and of dev.
        seed: Of resamples, and of the texts that are shown.
    """

    by: tuple[str, ...] = ()
    time: str | None = None
    every: Every = "month"
    compare: tuple[str, str] | None = None
    labels: str = "labels"
    document: Literal["mean", "max"] | None = None
    zone: tzinfo = UTC
    order: Order | None = None
    resamples: int = 1000
    seed: int = 0


class Shares:
    """Shares of the labels in all parts, drawn together."""

    def __init__(self, tally: Tally, asked: Asked) -> None:
        self.tally, self.asked = tally, asked
        self.parts = list(tally.counts)

    def of(self, counts: Sequence[Count]) -> Prevalences:
        """Return the shares of some counted texts and their draws; plain ones where dev is not known."""
        cells = self.tally.cells
        if cells is None:
            return _plain(counts, self.asked)
        stacked = np.stack([one.cells for one in counts])
        return prevalence(cells, stacked, resamples=self.asked.resamples, seed=self.asked.seed)

    def told(self, part: Part) -> dict[str, Any]:
        """Return rows and shares of a part."""
        count = self.tally.counts[part]
        found = self.of([count])
        low, high = found.limits()[:, 0]
        rows = zip(
            self.tally.labels, count.decided / max(count.rows, 1), found.values[0], low, high, strict=True
        )
        shares = [
            {
                "label": label,
                "count": _number(plain),
                "value": _number(value),
                "low": _number(down),
                "high": _number(up),
            }
            for label, plain, value, down, up in rows
        ]
        return {"rows": count.rows, "few": count.rows < FEW, "shares": shares}

    def differences(self, pairs: Sequence["Compared"]) -> list[dict[str, Any]]:
        """Return all labels' differences between pairs of counts, corrected for their number by Holm."""
        found = []
        for pair in pairs:
            both = self.of([pair.before, pair.after])
            for at, label in enumerate(self.tally.labels):
                value = float(both.values[1, at] - both.values[0, at])
                one = difference(value, both.draws[:, 1, at] - both.draws[:, 0, at])
                if np.isfinite(one.value):
                    found.append((pair, label, one))
        corrected = holm([one.p for *_, one in found])
        told = [
            {
                "label": label,
                "kind": pair.kind,
                "from": pair.names[0],
                "to": pair.names[1],
                **one._asdict(),
                "p_holm": float(p),
                "said": pair.sentence(label, *one[:3]),
            }
            for (pair, label, one), p in zip(found, corrected, strict=True)
        ]
        return sorted(told, key=lambda one: (one["p_holm"] >= LIKELY, -abs(one["value"])))


def _plain(counts: Sequence[Count], asked: Asked) -> Prevalences:
    """Return plain counts as shares, with draws over texts alone."""
    drawn = np.random.default_rng(asked.seed)
    sizes = np.array([[one.rows] for one in counts])
    values = np.stack([one.decided for one in counts]) / np.maximum(sizes, 1)
    draws = drawn.binomial(sizes, values, (asked.resamples, *values.shape)) / np.maximum(sizes, 1)
    return Prevalences(np.where(sizes > 0, values, np.nan), draws)


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


@dataclass(frozen=True)
class Compared:
    """Two counts of texts that are compared."""

    kind: Literal["periods", "groups", "rest"]
    names: tuple[str, str]
    before: Count
    after: Count

    def sentence(self, label: str, value: float, low: float, high: float) -> str:
        """Return a difference in words.

        >>> nothing = Count(0, np.zeros(0), np.zeros((1, 0)))
        >>> pair = Compared("periods", ("March 2026", "April 2026"), nothing, nothing)
        >>> pair.sentence("anger", 0.041, 0.022, 0.06)
        'anger is up 4.1 points (2.2 to 6.0) from March 2026 to April 2026'
        """
        if value < 0:
            low, high = -high, -low
        size = f"{abs(value) * 100:.1f} points ({low * 100:.1f} to {high * 100:.1f})".replace("-", "−")
        before, after = self.names
        if self.kind == "periods":
            return f"{label} is {'down' if value < 0 else 'up'} {size} from {before} to {after}"
        return f"{label} is {size} {'lower' if value < 0 else 'higher'} in {after} than in {before}"


def check_compared(asked: Asked, groups: Iterable[str], starts: Iterable[date]) -> None:
    """Refuse to compare what is not there, before a model is opened."""
    if not asked.compare:
        return
    names = [*groups, *(name for start in starts for name in _period_names(start, asked))]
    if not names:
        raise UsageError("compare needs groups or periods: name a column for by or for time.")
    for one in asked.compare:
        if one not in names:
            raise UsageError(f"compare: {unknown_name('group or period', one, dict.fromkeys(names))}")


def _period_names(start: date, asked: Asked) -> tuple[str, ...]:
    return (
        start.isoformat(),
        start.isoformat()[:7] if asked.every == "month" else "",
        period_name(start, asked.every),
    )


def compared(
    asked: Asked, tally: Tally, groups: Mapping[str, Sequence[str]], starts: Sequence[date]
) -> Iterator[Compared]:
    """Yield what is compared: the two that were named, else periods with the next, groups with the rest."""
    counts = tally.counts
    if asked.compare:
        yield from _named(asked, counts, groups, starts)
        return
    enough = [start for start in starts if counts["", "", start].rows >= FEWEST]
    for before, after in pairwise(enough):
        names = (period_name(before, asked.every), period_name(after, asked.every))
        yield Compared("periods", names, counts["", "", before], counts["", "", after])
    for column, own in groups.items():
        for value in own if len(own) > 2 else own[:1]:
            one, rest = counts[column, value, None], counts[WHOLE] - counts[column, value, None]
            if min(one.rows, rest.rows) >= FEWEST and value != OTHER:
                name = "the rest" if len(own) > 2 else own[1]
                yield Compared("rest", (name, value), rest, one)


def _named(
    asked: Asked, counts: Mapping[Part, Count], groups: Mapping[str, Sequence[str]], starts: Sequence[date]
) -> Iterator[Compared]:
    first, second = asked.compare or ("", "")
    for column, own in groups.items():
        if first in own and second in own:
            yield Compared(
                "groups", (first, second), counts[column, first, None], counts[column, second, None]
            )
            return
    found = [start for name in (first, second) for start in starts if name in _period_names(start, asked)]
    if len(found) < 2:
        raise UsageError(f"compare: {first!r} and {second!r} are not both groups of a column, or periods.")
    names = (period_name(found[0], asked.every), period_name(found[1], asked.every))
    yield Compared("periods", names, counts["", "", found[0]], counts["", "", found[1]])
