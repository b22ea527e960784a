"""Several runs side by side: how sure their differences are, figures, labels won, rows disputed."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affekt.evaluation.figures import MAIN, SPACE, figure
from affekt.report import page, plots
from affekt.report.compared import OTHER_TEXTS, Comparison, Difference, verdict, verdicts, winner
from affekt.report.numbers import figure_rows, held_labels
from affekt.report.pictures import choice_name, figures_of
from affekt.report.style import styles
from affekt.runs.compare import Pair, disagreements, pair
from affekt.runs.folder import RunFolder
from affekt.runs.metrics import headline, judged_split, space_figures

Named = Mapping[str, RunFolder]


def write_comparison(compared: Comparison, out: Path) -> None:
    """Write a page that holds several runs side by side.

    The first run is the one the others are compared with: by paired bootstrap over the rows they share, label
    by label, and by the texts on which they differ most.
    """
    named, first = compared.runs, compared.first
    splits = {split for split, held in map(figures_of, named.values()) if held}
    shown = page.render(
        "comparison.html",
        title="Runs compared – affekt",
        scripts=[page.asset("sort.js")],
        first=first,
        runs=named,
        said=[_sentence(first, other, found) for other, found in compared.differences.items()],
        warnings=_warnings(compared),
        looks=styles(named[first].labels),
        pairs=[_paired(compared, other) for other in compared.differences],
        splits=" and ".join(sorted(splits)),
        figures=_figures(compared),
        space=_space(named),
    )
    page.write(out, shown)


def _warnings(compared: Comparison) -> list[str]:
    """Return what makes figures of these runs hard to compare."""
    said, named = [], compared.runs
    digests = {(run.metrics.get("data") or {}).get("digest") for run in named.values()}
    if len({tuple(run.labels) for run in named.values()}) > 1:
        said.append("The runs have different labels: their figures do not measure the same thing.")
    elif not compared.same_texts:
        said.append(OTHER_TEXTS)
    elif len(digests) > 1:
        said.append("The runs were trained on different data (the digests differ).")
    for name, run in named.items():
        if run.metrics.get("status", "complete") != "complete":
            said.append(f"{name} is not complete.")
        said += [f"{name}: {one}" for one in run.metrics.get("warnings") or []]
    return said


# --- how one run differs from the first


def _sentence(first: str, other: str, found: Difference | None) -> str:
    """Return what the paired test supports, in words."""
    if found is None:
        return f"{first} and {other} share no predicted rows with the same labels: nothing can be paired."
    better: dict[str, list[str]] = {}
    for key, one in found.figures.items():
        better.setdefault(verdict(one, first, other), []).append(figure(key).title)
    said = "; ".join(f"{what} on {', '.join(keys)}" for what, keys in better.items())
    return f"{other} against {first}: {said}."


def _paired(compared: Comparison, other: str) -> dict[str, Any]:
    """Return how one run differs from the first: on the whole, by label, by row."""
    first, named, found = compared.first, compared.runs, compared.differences[other]
    if found is None:
        return {"other": other, "found": None}
    labels = sorted(found.labels, key=lambda one: one.first - one.second)
    won = [(one, winner(one, first, other)) for one in labels]
    # texts are read from dev, so that test stays unread
    seen = pair(named[first], named[other], "dev") or found.rows
    return {
        "other": other,
        "found": found,
        "verdicts": {key: verdict(one, first, other) for key, one in found.figures.items()},
        "labels": won,
        "won": {name: [one for one, better in won if better == name] for name in (first, other)},
        "split": seen.split,
        "rows": [_disputed(seen, row, label) for row, label in disagreements(seen)],
    }


def _disputed(of: Pair, row: int, label: int) -> dict[str, Any]:
    sides = [
        (float(part.probabilities[row, label]), held_labels(part.predicted[row], of.labels))
        for part in (of.first, of.second)
    ]
    true = held_labels(of.first.true[row], of.labels)
    return {"text": of.first.texts[row], "true": true, "label": of.labels[label], "sides": sides}


# --- figures side by side


def _figures(compared: Comparison) -> list[dict[str, Any]]:
    """Return the figures by choice of thresholds, the first run's best first; tests are of what runs use."""
    measured = {name: figures_of(run)[1] for name, run in compared.runs.items()}
    first = compared.runs[compared.first]
    known = dict.fromkeys(choice for held in measured.values() for choice in held)
    choices = sorted(known, key=lambda choice: choice != headline(first.metrics))
    shown = []
    for choice in choices:
        sides = {name: held[choice] for name, held in measured.items() if choice in held}
        rows = figure_rows(list(sides.values()), single_label=first.single_label)
        tested = choice == ("fitted" if "fitted" in choices else choices[0]) and len(sides) == len(measured)
        name = choice_name(choice, first)
        heading = name[:1].upper() + name[1:] if len(choices) > 1 else ""
        table = {"heading": heading, "sides": list(sides), "rows": rows, "image": _drawn(list(sides), rows)}
        shown.append(table | {"verdicts": verdicts(compared) if tested else {}})
    return shown


def _drawn(sides: Sequence[str], rows: Sequence[tuple[str, Any]]) -> page.Image | None:
    measured = {
        figure(key).title: {name: value for name, value in zip(sides, values, strict=True) if value}
        for key, values in [row for row in rows if row[0] in MAIN][:6]
    }
    if not measured:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.png"
        plots.intervals(measured, path)
        return page.image(path)


def _space(named: Named) -> dict[str, Any] | None:
    found = {name: space_figures(run.metrics) for name, run in named.items()}
    keys = ("n", "dimension", *SPACE)
    sides = {name: space for name, space in found.items() if any(key in space for key in keys)}
    if not sides:
        return None
    splits = " and ".join(sorted({judged_split(named[name].metrics) for name in sides}))
    rows = figure_rows(list(sides.values()), keys)
    return {"splits": splits, "sides": list(sides), "rows": rows}
