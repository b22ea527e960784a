"""Several runs side by side: figures, how sure their differences are, labels won, rows disputed."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from affekt.evaluation.figures import MAIN, SPACE, figure
from affekt.files import written_aside
from affekt.report import figures
from affekt.report.compared import Comparison, Difference
from affekt.report.html import (
    Cell,
    Column,
    Markup,
    Section,
    asset,
    contents,
    join,
    laid_out,
    page,
    picture,
    table,
    tag,
)
from affekt.report.names import (
    Interval,
    as_interval,
    as_number,
    count_text,
    duration_text,
    figure_text,
    held_labels,
    ordered,
    probability_text,
    size_text,
)
from affekt.report.pictures import choice_name, figures_of
from affekt.runs.compare import LabelDifference, Pair, disagreements, pair
from affekt.runs.folder import RunFolder
from affekt.runs.metrics import judged_split, space_figures

Named = Mapping[str, RunFolder]


def write_comparison(compared: Comparison, out: Path) -> None:
    """Write a page that holds several runs side by side.

    The first run is the one the others are compared with: by paired bootstrap over the rows they share, label
    by label, and by the texts on which they differ most.
    """
    text = _render(compared)
    with written_aside(out) as aside:
        aside.write_text(text, encoding="utf-8")


def _render(compared: Comparison) -> str:
    named, first, others = compared.runs, compared.first, list(compared.differences)
    sections = [_runs_section(named), _figures_section(named), _space_section(named)]
    for other in others:
        sections += _pair_sections(compared, other)
    shown = [one for one in sections if one is not None]
    lede = f"{first} against {', '.join(others)}."
    body = join(
        [
            tag("header", tag("h1", "Runs compared"), tag("p", lede, class_="lede"), class_="top"),
            contents(shown),
            _warnings(named),
            tag("main", laid_out(shown)),
            tag("footer", "Written by affekt from the run folders alone."),
        ]
    )
    return page("Runs compared – affekt", body, [asset("sort.js")])


def _warnings(named: Named) -> Markup:
    """Say what makes figures of these runs hard to compare."""
    said = []
    digests = {(run.metrics.get("data") or {}).get("digest") for run in named.values()}
    if len({tuple(run.labels) for run in named.values()}) > 1:
        said.append("The runs have different labels: their figures do not measure the same thing.")
    elif len(digests) > 1:
        said.append("The runs were trained on different data (the digests differ).")
    for name, run in named.items():
        if run.metrics.get("status", "complete") != "complete":
            said.append(f"{name} is not complete.")
        said += [f"{name}: {one}" for one in run.metrics.get("warnings") or []]
    if not said:
        return Markup()
    return tag(
        "div",
        tag("strong", "Before comparing"),
        tag("ul", join(tag("li", one) for one in said)),
        class_="warning",
        role="alert",
    )


def _runs_section(named: Named) -> Section:
    rows: list[list[str | Cell]] = []
    for name, run in named.items():
        encoder, timing = run.metrics.get("encoder") or {}, run.metrics.get("timing") or {}
        memory = as_number(timing.get("peak_memory_mb"))
        rows.append(
            [
                name,
                f"{encoder.get('name', '–')} ({size_text(encoder.get('parameters'))})",
                str((run.metrics.get("objective") or {}).get("kind", "–")),
                str((run.metrics.get("data") or {}).get("name", "–")),
                str(run.metrics.get("seed", "–")),
                count_text(timing.get("epochs")),
                duration_text(as_number(timing.get("total_seconds"))),
                "–" if memory is None else f"{memory:,.0f} MB",
            ]
        )
    heads = [Column(name) for name in ("Run", "Encoder", "Objective", "Data")]
    heads += [Column(name, numeric=True) for name in ("Seed", "Epochs", "Total time", "Peak memory")]
    return Section("runs", "The runs", table(heads, rows, name="The runs"))


def _figures_section(named: Named) -> Section | None:
    measured = {name: figures_of(run) for name, run in named.items()}
    choices = list(dict.fromkeys(choice for _, held in measured.values() for choice in held))
    if not choices:
        return None
    first = next(iter(named.values()))
    splits = {split for split, held in measured.values() if held}
    note = (
        f"On {' and '.join(sorted(splits))}, with 95 % bootstrap intervals; the best value of a row is bold."
    )
    body: list[Markup] = [tag("p", note, class_="note")]
    for choice in choices:
        sides = {name: held[choice] for name, (_, held) in measured.items() if choice in held}
        several = len(choices) > 1
        heading = choice_name(choice, first)
        body.append(tag("h3", heading[:1].upper() + heading[1:]) if several else Markup())
        single = first.single_label
        body += [_drawn(sides, single_label=single), _side_by_side(sides, heading, single_label=single)]
    return Section("figures", "Figures", join(body))


def _space_section(named: Named) -> Section | None:
    shown = ("n", "dimension", *SPACE)
    found = {name: space_figures(run.metrics) for name, run in named.items()}
    sides = {name: {key: space[key] for key in shown if key in space} for name, space in found.items()}
    sides = {name: side for name, side in sides.items() if side}
    if not sides:
        return None
    splits = " and ".join(sorted({judged_split(named[name].metrics) for name in sides}))
    note = (
        f"On {splits}, over the rows with exactly one label (any shared label: over all). "
        "Silhouette and Davies–Bouldin judge how compact groups are, not whether they are the emotions: read "
        "them beside the agreement with the labels."
    )
    numbers = _side_by_side(sides, "the space", single_label=False)
    return Section("space", "The space", join([tag("p", note, class_="note"), numbers]))


def _drawn(sides: Mapping[str, Mapping[str, Any]], *, single_label: bool) -> Markup:
    known = dict.fromkeys(key for side in sides.values() for key in side)
    keys = [key for key in ordered(known, single_label=single_label) if key in MAIN][:6]
    rows = {key: {name: as_interval(side.get(key)) for name, side in sides.items()} for key in keys}
    measured = {
        figure(key).title: {name: value for name, value in row.items() if value is not None}
        for key, row in rows.items()
        if any(row.values())
    }
    if not measured:
        return Markup()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.png"
        figures.intervals(measured, path)
        return picture(path, "Main figures of the runs with intervals; the table below has the numbers.")


def _side_by_side(sides: Mapping[str, Mapping[str, Any]], name: str, *, single_label: bool) -> Markup:
    keys = dict.fromkeys(key for side in sides.values() for key in side)
    rows: list[list[str | Cell]] = []
    for key in ordered(keys, single_label=single_label):
        values = [as_interval(side.get(key)) for side in sides.values()]
        if any(value is not None for value in values):
            best = figure(key).best(value[0] for value in values if value is not None)
            bold = [value is not None and value[0] == best for value in values]
            rows.append([figure(key).title, *map(partial(_figure, key), values, bold)])
    return table(
        [Column("Figure"), *(Column(side, numeric=True) for side in sides)], rows, name=f"Figures, {name}"
    )


def _figure(key: str, value: Interval | None, bold: bool) -> Cell:
    if value is None:
        return Cell("–")
    if figure(key).form == "count":
        return Cell(count_text(value[0]), classes="best" if bold else "")
    span = f"{figure_text(value[1])} to {figure_text(value[2])}" if value[1] != value[2] else ""
    return Cell(
        join([figure_text(value[0]), " ", tag("span", span, class_="range")]), classes="best" if bold else ""
    )


def _pair_sections(compared: Comparison, other: str) -> list[Section]:
    """Return how one run differs from the first: on the whole, by label, by row."""
    first, named, found = compared.first, compared.runs, compared.differences[other]
    single = len(compared.differences) == 1
    against = "" if single else f": {other}"
    at = "" if single else f"-{list(named).index(other)}"
    if found is None:
        note = f"{first} and {other} share no predicted rows with the same labels: nothing can be paired."
        return [Section(f"difference{at}", f"Differences{against}", tag("p", note))]
    # texts are read from dev, so that test stays unread
    seen = pair(named[first], named[other], "dev") or found.rows
    return [
        Section(f"difference{at}", f"Differences{against}", _differences(found, first, other)),
        Section(f"labels{at}", f"Who wins which label{against}", _labels(found.labels, first, other)),
        Section(f"rows{at}", f"Where they differ most{against}", _rows(seen, first, other)),
    ]


def _differences(of: Difference, first: str, other: str) -> Markup:
    rows: list[list[str | Cell]] = []
    for metric, one in of.figures.items():
        span = f"{_signed(one['low'])} to {_signed(one['high'])}"
        rows.append(
            [
                figure(metric).title,
                _signed(one["difference"]),
                span,
                figure_text(one["p"]),
                _verdict(one, first, other),
            ]
        )
    note = (
        f"{other} minus {first} on the {len(of.rows.first.texts):,} {of.rows.split} texts that both "
        "predicted, each as it decides. Intervals (95 %) and p are from a paired bootstrap over these texts; "
        "they say nothing of other seeds."
    )
    heads = [Column("Figure"), *(Column(name, numeric=True) for name in ("Difference", "95 % interval", "p"))]
    return join([tag("p", note, class_="note"), table([*heads, Column("So")], rows, name="Differences")])


def _verdict(one: Mapping[str, float], first: str, other: str) -> str:
    if one["low"] > 0:
        return f"{other} is better"
    return f"{first} is better" if one["high"] < 0 else "no clear difference"


def _signed(value: float) -> str:
    text = figure_text(value)
    return f"+{text}" if value > 0 and text != ".000" else text


def _labels(differences: Sequence[LabelDifference], first: str, other: str) -> Markup:
    found = sorted(differences, key=lambda one: one.first - one.second)
    rows: list[list[str | Cell]] = []
    for one in found:
        gain = one.second - one.first
        winner = "" if gain == 0 else other if gain > 0 else first
        rows.append(
            [
                one.label,
                Cell(figure_text(one.first), one.first, "best" if gain < 0 else ""),
                Cell(figure_text(one.second), one.second, "best" if gain > 0 else ""),
                Cell(_signed(gain), gain),
                Cell(f"{_signed(one.low)} to {_signed(one.high)}", one.low),
                f"{winner} (clearly)" if one.is_clear else winner or "tie",
            ]
        )
    won = {
        first: [one for one in found if one.first > one.second],
        other: [one for one in found if one.second > one.first],
    }
    said = ", ".join(
        f"{name} wins {len(those)} ({sum(one.is_clear for one in those)} clearly)"
        for name, those in won.items()
    )
    note = (
        f"Of {len(found)} labels {said}. Clearly: the 95 % interval of the difference in F1 leaves out zero; "
        "of twenty labels without any true difference one would be expected to."
    )
    heads = [
        Column("Label"),
        *(Column(name, numeric=True) for name in (first, other, "Difference", "95 % interval")),
    ]
    numbers = table([*heads, Column("Wins")], rows, name="F1 by label", sorted_by=3)
    return join([tag("p", note, class_="note"), numbers])


def _rows(of: Pair, first: str, other: str) -> Markup:
    rows: list[list[str | Cell]] = []
    for row, label in disagreements(of):
        sides = [
            Cell(
                join(
                    [
                        f"{of.labels[label]} {probability_text(float(part.probabilities[row, label]))}",
                        tag("span", f"gives: {held_labels(part.predicted[row], of.labels)}", class_="more"),
                    ]
                )
            )
            for part in (of.first, of.second)
        ]
        rows.append(
            [Cell(of.first.texts[row], classes="text"), held_labels(of.first.true[row], of.labels), *sides]
        )
    if not rows:
        return tag("p", "They give every text the same probabilities.")
    note = f"The {of.split} texts for which a label's probabilities lie furthest apart."
    heads = [Column("Text"), Column("True"), Column(first), Column(other)]
    return join(
        [tag("p", note, class_="note"), table(heads, rows, name="Rows that differ most", stacks=True)]
    )
