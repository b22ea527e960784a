"""A profile of texts as a page, a table and JSON."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from affekt.data.dates import next_period
from affekt.data.writing import check_output, format_of, harmless
from affekt.explore.shares import LIKELY
from affekt.files import write_json, written_aside
from affekt.report import page
from affekt.report.style import styles

KINDS = (*page.PAGES, ".json", ".csv")
_DRAWN = 9  # emotions over time
_SAID = 12  # differences in words
_WIDTH, _HEIGHT = 300.0, 96.0  # of a drawing; lines keep their width when it is stretched
_FIELDS = ("column", "value", "period", "label", "texts", "count", "share", "low", "high")


def check_outputs(outs: Sequence[Path], source: Path) -> None:
    """Raise UsageError for an output that is neither page, table nor JSON, or is the source."""
    for out in outs:
        check_output(out, KINDS, source)


def write_profile(told: Mapping[str, Any], out: Path, *, safe: bool = False) -> Path:
    """Write a profile as a page, as JSON, or as a csv with a line for each label of each part.

    With `safe`, names of groups that a spreadsheet would run get an apostrophe before them in a csv.
    """
    kind = format_of(out, KINDS)
    if kind == ".json":
        write_json(out, told)
    elif kind == ".csv":
        with written_aside(out) as aside, aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(map(_harmless, table_rows(told)) if safe else table_rows(told))
    else:
        page.write(out, _page(told))
    return out


def _harmless(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: harmless(cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def table_rows(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each label of all texts, of each group and of each period of both."""
    parts = [({"column": "", "value": "", "period": ""}, told["all"])]
    parts += [({"column": "", "value": "", "period": one["period"]}, one) for one in told["periods"]]
    for column, groups in told["groups"].items():
        for group in groups:
            place = {"column": column, "value": group["value"]}
            parts.append(({**place, "period": ""}, group))
            parts += [({**place, "period": one["period"]}, one) for one in group["periods"]]
    for place, part in parts:
        for one in part["shares"]:
            yield {
                **place,
                "label": one["label"],
                "texts": part["rows"],
                "count": one["count"],
                "share": one["value"],
                "low": one["low"],
                "high": one["high"],
            }


# --- the page


@dataclass(frozen=True)
class Curve:
    """A label's share over time, in the units of its drawing."""

    label: str
    lines: tuple[str, ...]  # points of the unbroken stretches
    bands: tuple[str, ...]  # their intervals, as polygons
    dots: tuple[tuple[float, float, bool], ...]  # x, y, and whether the rows are few
    top: float  # the share at the upper edge
    first: str
    last: str
    said: str


def _page(told: Mapping[str, Any]) -> str:
    shares = sorted(told["all"]["shares"], key=lambda one: -best(one))
    likely = [one for one in told["differences"] if one["p_holm"] < LIKELY]
    most = max((one["high"] or one["count"] for one in shares), default=1) or 1
    return page.render(
        "profile.html",
        title=f"What {told['file']} says",
        told=told,
        shares=shares,
        most=most,
        likely=likely[:_SAID],
        more=max(len(likely) - _SAID, 0),
        curves=curves(told, [one["label"] for one in shares[:_DRAWN]]),
        looks=styles(told["labels"]),
        emotions=[
            (one["label"], told["emotions"][one["label"]])
            for one in shares
            if told["emotions"][one["label"]]["typical"]
        ],
        size=(_WIDTH, _HEIGHT),
    )


def best(share: Mapping[str, Any]) -> float:
    """Return a label's share as it is known best: the plain count where there is no estimate."""
    return float(share["count"] if share["value"] is None else share["value"])


def curves(told: Mapping[str, Any], labels: Sequence[str]) -> list[Curve]:
    """Return the curves of labels over time; none for a single period."""
    periods = told["periods"]
    if len(periods) < 2:
        return []
    days = [date.fromisoformat(one["period"]).toordinal() for one in periods]
    places = [(day - days[0]) / (days[-1] - days[0]) * _WIDTH for day in days]
    found = []
    for at, label in ((told["labels"].index(label), label) for label in labels):
        shares = [one["shares"][at] for one in periods]
        if any(one["value"] is None for one in shares):
            shares = [one | dict.fromkeys(("value", "low", "high"), one["count"]) for one in shares]
        sure = [one for one, period in zip(shares, periods, strict=True) if not period["few"]] or shares
        top = max(max(one["high"] for one in sure) * 1.05, 0.01)  # few texts reach beyond the drawing
        found.append(_curve(label, periods, places, shares, top, _stretches(told)))
    return found


def _stretches(told: Mapping[str, Any]) -> list[range]:
    """Return the places of periods that follow each other without a gap."""
    days = [date.fromisoformat(one["period"]) for one in told["periods"]]
    ends = [
        at
        for at, (before, after) in enumerate(pairwise(days), start=1)
        if next_period(before, told["every"]) < after
    ]
    starts = [0, *ends, len(days)]
    return [range(first, last) for first, last in pairwise(starts)]


def _curve(
    label: str,
    periods: Sequence[Mapping[str, Any]],
    places: Sequence[float],
    shares: Sequence[Mapping[str, Any]],
    top: float,
    stretches: Sequence[range],
) -> Curve:
    def height(share: float) -> float:
        return _HEIGHT * (1 - min(share / top, 1.0))

    def point(at: int, key: str) -> str:
        return f"{places[at]:.1f},{height(shares[at][key]):.1f}"

    lines = tuple(" ".join(point(at, "value") for at in part) for part in stretches)
    bands = tuple(
        " ".join([*(point(at, "high") for at in part), *(point(at, "low") for at in reversed(part))])
        for part in stretches
    )
    heights = [height(one["value"]) for one in shares]
    dots = tuple((x, y, bool(one["few"])) for x, y, one in zip(places, heights, periods, strict=True))
    first, last = periods[0]["name"], periods[-1]["name"]
    said = f"{label}: {shares[0]['value']:.1%} in {first}, {shares[-1]['value']:.1%} in {last}"
    return Curve(label, lines, bands, dots, top, first, last, said)
