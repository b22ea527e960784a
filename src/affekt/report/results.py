"""The parts of a report that say how good the model is and where it errs."""

from collections.abc import Mapping, Sequence
from typing import Any

from affekt.decisions.rules import plain_threshold
from affekt.evaluation.figures import HEADLINES, figure
from affekt.report.html import (
    Cell,
    Column,
    Markup,
    Section,
    interval_strip,
    join,
    picture,
    table,
    tag,
)
from affekt.report.names import (
    Interval,
    as_interval,
    as_number,
    count_text,
    figure_text,
    ordered,
)
from affekt.report.pictures import choice_name, figures_of, fitted_thresholds
from affekt.report.sections import Pictures
from affekt.runs.folder import RunFolder
from affekt.runs.metrics import space_part


def figures_section(run: RunFolder, pictures: Pictures) -> Section | None:
    """Return the final figures with their intervals beside the published ones."""
    split, choices = figures_of(run)
    if not choices:
        return None
    rows = ((run.metrics.get("data") or {}).get("splits") or {}).get(split, {}).get("n")
    about = f"On {count_text(rows)} {split} texts" if rows else f"On {split}"
    seed = f", seed {run.metrics['seed']}" if run.metrics.get("seed") is not None else ""
    note = f"{about}{seed}. Ranges are 95 % bootstrap intervals over the texts."
    if split == "dev":
        note += (
            " There is no test split: dev also chose the epoch and the thresholds, so these figures flatter."
        )
    body = [
        tag("p", note, class_="note"),
        _tiles(run, choices),
        picture(
            pictures["figures"],
            "Main figures with their intervals and the published values; the table has the numbers.",
        )
        if "figures" in pictures
        else "",
        _figures_table(run, choices, "Figures"),
        _reading_notes(run),
    ]
    if split == "test" and run.metrics.get("dev"):
        dev = _figures_table(run, run.metrics["dev"], "Figures on dev", published=False)
        body.append(tag("details", tag("summary", "The same figures on dev"), dev))
    return Section("figures", "Figures", join(body))


def _tiles(run: RunFolder, choices: Mapping[str, Mapping[str, Any]]) -> Markup:
    choice = "fitted" if "fitted" in choices else next(iter(choices))
    tiles = []
    for key in HEADLINES[run.single_label]:
        value = as_interval(choices[choice].get(key))
        if value is not None:
            more = [
                tag("span", _range(value), class_="more"),
                tag("span", choice_name(choice, run), class_="more"),
            ]
            more += [tag("span", text, class_="more") for text in _comparable(run, key, choice)]
            tiles.append(
                tag(
                    "li",
                    tag("span", figure(key).title, class_="name"),
                    tag("span", figure_text(value[0]), class_="value"),
                    join(more),
                )
            )
    return tag("ul", join(tiles), class_="tiles") if tiles else Markup()


def _range(value: Interval) -> str:
    return f"{figure_text(value[1])} to {figure_text(value[2])}" if value[1] != value[2] else ""


def _published(run: RunFolder, key: str) -> list[str]:
    """Return each published value of a metric with the encoder it belongs to."""
    found = []
    for value, entry in _entries(run, key):
        about = [str(entry[name]) for name in ("encoder", "source") if entry.get(name)]
        if entry.get("thresholds") and not run.single_label:
            about.insert(1, f"thresholds {entry['thresholds']}")
        found.append(f"{figure_text(value)} ({', '.join(about)})" if about else figure_text(value))
    return found


def _comparable(run: RunFolder, key: str, choice: str) -> list[str]:
    """Return the highest published value of a metric that was decided in the same way, with its encoder."""
    same = [
        (value, str(entry.get("encoder") or "its own encoder"))
        for value, entry in _entries(run, key)
        if run.single_label or entry.get("thresholds") in (None, choice)
    ]
    return [f"published {figure_text(value)} ({encoder})" for value, encoder in sorted(same)[-1:]]


def _entries(run: RunFolder, key: str) -> list[tuple[float, Mapping[str, Any]]]:
    entries = [one for one in run.metrics.get("published") or [] if one.get("metric") == key]
    values = [(as_number(one.get("value")), one) for one in entries]
    return [(value, one) for value, one in values if value is not None]


def _figures_table(
    run: RunFolder, choices: Mapping[str, Mapping[str, Any]], name: str, *, published: bool = True
) -> Markup:
    known = dict.fromkeys(key for choice in choices.values() for key in choice)
    theirs = {key: _published(run, key) for key in known} if published else {}
    encoder = (run.metrics.get("encoder") or {}).get("name") or "ours"
    columns = [Column("Figure"), *(Column(choice_name(choice, run), numeric=True) for choice in choices)]
    columns += [Column("Published (its encoder)")] if any(theirs.values()) else []
    rows = []
    for key in ordered(known, single_label=run.single_label):
        values = [as_interval(choice.get(key)) for choice in choices.values()]
        if any(value is not None for value in values):
            row: list[str | Cell] = [figure(key).title, *(_value_cell(key, value) for value in values)]
            if len(columns) > len(row):
                row.append(_published_cell(theirs.get(key, [])))
            rows.append(row)
    return table(columns, rows, name=name, caption=f"Ours: {encoder}")


def _published_cell(said: Sequence[str]) -> Cell:
    return Cell(join((tag("span", one) for one in said), "<br>"), classes="about")


def _value_cell(key: str, value: Interval | None) -> Cell:
    if value is None:
        return Cell("–")
    if figure(key).form == "count":
        return Cell(count_text(value[0]))
    return Cell(join([figure_text(value[0]), " ", tag("span", _range(value), class_="range")]))


def _reading_notes(run: RunFolder) -> Markup:
    if run.single_label:
        return Markup()
    return tag(
        "p",
        "Accuracy asks for every label of a text to be right. Jaccard counts a text with no true and no "
        "predicted label as 1; “empty rows 0” counts it as 0.",
        class_="note",
    )


def per_label_section(run: RunFolder) -> Section | None:
    """Return precision, recall and F1 of every label."""
    choices = run.metrics.get("per_label") or {}
    if not choices:
        return None
    best = "fitted" if "fitted" in choices else next(iter(choices))
    beside = "fixed" if best == "fitted" and "fixed" in choices else None
    thresholds = fitted_thresholds(run)
    columns = [
        Column("Label"),
        Column("F1", numeric=True),
        Column("95 % interval", numeric=True),
        Column("Precision", numeric=True),
        Column("Recall", numeric=True),
        Column("True texts", numeric=True),
    ]
    columns += (
        [Column(f"F1 at {plain_threshold(run.metrics.get('decisions'))}", numeric=True)] if beside else []
    )
    columns += [Column("Threshold", numeric=True)] if thresholds else []
    rows = []
    for label, figures in sorted(
        choices[best].items(), key=lambda item: -(as_number(item[1].get("f1")) or 0)
    ):
        row = [label, *_label_cells(figures)]
        if beside:
            row.append(_sortable((choices[beside].get(label) or {}).get("f1")))
        if thresholds:
            row.append(_sortable(thresholds.get(label)))
        rows.append(row)
    note = (
        f"Decided by: {choice_name(best, run)}. Choose a heading to sort by it. "
        "A label with few true texts has a wide interval."
    )
    return Section(
        "labels",
        "Label by label",
        join([tag("p", note, class_="note"), table(columns, rows, name="Label by label", sorted_by=1)]),
    )


def _label_cells(figures: Mapping[str, Any]) -> list[str | Cell]:
    f1, low, high = (as_number(figures.get(name)) for name in ("f1", "low", "high"))
    span: str | Cell = "–"
    if f1 is not None and low is not None and high is not None:
        span = Cell(
            join([tag("span", _range((f1, low, high)), class_="range"), " ", interval_strip(f1, low, high)]),
            high - low,
        )
    support = as_number(figures.get("support"))
    return [
        _sortable(f1),
        span,
        _sortable(figures.get("precision")),
        _sortable(figures.get("recall")),
        Cell(count_text(support), support),
    ]


def _sortable(value: Any) -> Cell:
    number = as_number(value)
    return Cell(figure_text(number), "" if number is None else number)


def space_section(run: RunFolder) -> Section | None:
    """Return how the space groups and retrieves: clustering, retrieval, shift."""
    parts = {
        "Clustering": "clustering",
        "Retrieval": "retrieval",
        "Retrieval of texts that share a label": "overlap_retrieval",
        "Shift from the starting encoder": "space_shift",
    }
    found = {name: space_part(run.metrics, part) for name, part in parts.items()}
    body = [join([tag("h3", name), _plain_figures(run, part, name)]) for name, part in found.items() if part]
    note = (
        "Silhouette and Davies–Bouldin (lower is better) judge how compact groups are, not whether they are "
        "the emotions: read them beside the agreement with the labels."
    )
    return Section("space", "The space", join([tag("p", note, class_="note"), *body])) if body else None


def _plain_figures(run: RunFolder, part: Mapping[str, Any], name: str) -> Markup:
    """Return a table of figures by name, or of several such dicts side by side, and the published ones."""
    nested = {key: value for key, value in part.items() if isinstance(value, dict) and "value" not in value}
    flat = {key: value for key, value in part.items() if key not in nested}
    sides = ({"value": flat} if flat else {}) | nested
    keys = dict.fromkeys(key for side in sides.values() for key in side)
    theirs = {key: _published(run, key) for key in keys}
    columns = [Column("Figure"), *(Column(side, numeric=True) for side in sides)]
    columns += [Column("Published (its encoder)")] if any(theirs.values()) else []
    rows: list[list[str | Cell]] = []
    for key in keys:
        values = [as_interval(side.get(key)) for side in sides.values()]
        if any(value is not None for value in values):
            row: list[str | Cell] = [figure(key).title, *(_value_cell(key, value) for value in values)]
            rows.append(row if len(columns) == len(row) else [*row, _published_cell(theirs[key])])
    return table(columns, rows, name=name)
