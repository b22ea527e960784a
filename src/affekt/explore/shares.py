"""Shares of labels in parts of the texts, with intervals, and what differs between parts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from affekt.data.dates import Every, Order, period_name
from affekt.errors import UsageError, unknown_name
from affekt.evaluation.prevalence import Prevalences, misfit, prevalence
from affekt.evaluation.significance import difference, holm
from affekt.explore.tally import WHOLE, Count, Part, Tally
from affekt.report.numbers import points

FEW = 100  # rows of a part below which it is marked
FEWEST = 100  # rows of a part below which nothing is compared with it
FEWEST_NAMED = 30  # the same where the comparison is asked for: with fewer, intervals are too narrow
OTHER = "(other)"  # the rarer values of a column
_SURE = 4  # decimals of shares that are compared: further ones are the estimate's own noise
LIKELY = 0.05  # corrected p-values below it are told in words
UNLIKE = 0.01  # corrected p-values below which texts are of another kind than dev's,
MOVED = 0.02  # if this share of them at least would have to score otherwise


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", tuple(dict.fromkeys(self.by)))  # a column named twice counts once


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

    def unlike(self) -> list[str]:
        """Return the labels by which the texts score as no mixture of dev's rows does, beyond chance."""
        cells, labels = self.tally.cells, self.tally.labels
        if cells is None:
            return []
        found = misfit(cells, self.tally.counts[WHOLE].cells)
        clear = (holm(found.p) < UNLIKE) & (found.moved >= MOVED)
        return [label for label, one in zip(labels, np.broadcast_to(clear, len(labels)), strict=True) if one]

    def differences(self, pairs: Sequence["Compared"]) -> list[dict[str, Any]]:
        """Return all labels' differences between pairs of counts, corrected for their number by Holm."""
        found = []
        for pair in pairs:
            both = self.of([pair.before, pair.after])
            values, draws = both.values.round(_SURE), both.draws.round(_SURE)
            for at, label in enumerate(self.tally.labels):
                value = float(values[1, at] - values[0, at])
                one = difference(value, draws[:, 1, at] - draws[:, 0, at])
                if np.isfinite(one.value):
                    found.append((pair, label, one))
        corrected = holm([one.p for *_, one in found])
        told = [
            {
                "label": label,
                "kind": pair.kind,
                "column": pair.column,
                "from": pair.names[0],
                "to": pair.names[1],
                **one._asdict(),
                "p_holm": float(p),
                "said": pair.sentence(label, *one[:3]) + self._of_column(pair),
            }
            for (pair, label, one), p in zip(found, corrected, strict=True)
        ]
        return sorted(told, key=lambda one: (one["p_holm"] >= LIKELY, -abs(one["value"])))

    def _of_column(self, pair: "Compared") -> str:
        """Return whose groups a sentence is about, where several columns may have groups of one name."""
        return f" ({pair.column})" if pair.column and len(self.asked.by) > 1 else ""


def _plain(counts: Sequence[Count], asked: Asked) -> Prevalences:
    """Return plain counts as shares, with draws of what others' would be (of Jeffreys' prior)."""
    random = np.random.default_rng(asked.seed)
    sizes = np.array([[one.rows] for one in counts])
    held = np.stack([one.decided for one in counts])
    draws = random.beta(held + 0.5, sizes - held + 0.5, (asked.resamples, *held.shape))
    return Prevalences(np.where(sizes > 0, held / np.maximum(sizes, 1), np.nan), draws)


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


@dataclass(frozen=True)
class Compared:
    """Two counts of texts that are compared."""

    kind: Literal["periods", "groups", "rest"]
    column: str  # whose groups they are, "" for periods
    names: tuple[str, str]
    before: Count
    after: Count

    def sentence(self, label: str, value: float, low: float, high: float) -> str:
        """Return a difference in words.

        >>> nothing = Count(0, np.zeros(0), np.zeros((1, 0)))
        >>> pair = Compared("periods", "", ("March 2026", "April 2026"), nothing, nothing)
        >>> pair.sentence("anger", 0.041, 0.022, 0.06)
        'anger is up 4.1 points (2.2 to 6.0) from March 2026 to April 2026'
        """
        size, (before, after) = points(value, low, high), self.names
        if self.kind == "periods":
            return f"{label} is {'down' if value < 0 else 'up'} {size} from {before} to {after}"
        return f"{label} is {size} {'lower' if value < 0 else 'higher'} in {after} than in {before}"


def check_compared(
    asked: Asked, groups: Mapping[str, Iterable[str]], starts: Iterable[date]
) -> list[tuple[Part, Part]]:
    """Return the parts whose comparison is asked for; UsageError when they are not there, or are one."""
    if not asked.compare:
        return []
    first, second = asked.compare
    of_columns = {column: set(values) for column, values in groups.items()}
    periods = {name: start for start in starts for name in _period_names(start, asked)}
    names = {*periods}.union(*of_columns.values())
    if not names:
        raise UsageError("compare needs groups or periods: name a column for by or for time.")
    for one in asked.compare:
        if one not in names:
            raise UsageError(f"compare: {unknown_name('group or period', one, names)}")
    found: list[tuple[Part, Part]] = [
        ((column, first, None), (column, second, None))
        for column, own in of_columns.items()
        if {first, second} <= own
    ]
    if not found and {first, second} <= periods.keys():
        found = [(("", "", periods[first]), ("", "", periods[second]))]
    if not found:
        raise UsageError(f"compare: {first!r} and {second!r} are not both groups of a column, or periods.")
    if found[0][0] == found[0][1]:
        raise UsageError(f"compare: {first!r} and {second!r} are the same texts; name two.")
    return found


def _period_names(start: date, asked: Asked) -> tuple[str, ...]:
    whole = start.isoformat()
    return (whole, *([whole[:7]] if asked.every == "month" else []), period_name(start, asked.every))


def compared(
    named: Sequence[tuple[Part, Part]],
    every: Every,
    tally: Tally,
    groups: Mapping[str, Sequence[str]],
    starts: Sequence[date],
) -> Iterator[Compared]:
    """Yield what is compared: the parts that were named, else periods with the next, groups with the rest.

    What has too few texts is left out.
    """
    counts = tally.counts
    enough = [start for start in starts if counts["", "", start].rows >= FEWEST]
    successive: list[tuple[Part, Part]] = [
        (("", "", one), ("", "", other)) for one, other in pairwise(enough)
    ]
    for one, other in named or successive:
        if min(counts[one].rows, counts[other].rows) >= FEWEST_NAMED:
            kind: Literal["groups", "periods"] = "groups" if one[0] else "periods"
            names = (part_name(one, every), part_name(other, every))
            yield Compared(kind, one[0], names, counts[one], counts[other])
    if named:
        return
    for column, own in groups.items():
        for value in own if len(own) > 2 else own[:1]:
            own_count = counts[column, value, None]
            rest = counts[WHOLE] - own_count
            if min(own_count.rows, rest.rows) >= FEWEST and value != OTHER:
                name = "the rest" if len(own) > 2 else own[1]
                yield Compared("rest", column, (name, value), rest, own_count)


def part_name(part: Part, every: Every) -> str:
    """Return what a group or a period is called."""
    _, value, start = part
    return period_name(start, every) if start else value
