"""`affekt evaluate`: a model against labelled data."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from affekt.cli import console
from affekt.cli.options import BadRows, Data, ModelName, Split, TaskName, columns_as_options, spoken
from affekt.data.columns import Columns

_SECTIONS = {
    "classification": "classification",
    "calibration": "calibration",
    "risk_coverage": "risk over coverage",
    "clustering": "clustering",
    "retrieval": "retrieval",
    "overlap_retrieval": "retrieval of texts that share a label",
}


_LABELS = (
    "The column with the labels; ekman or sentiment for labels of that taxonomy, the data's and the model's; "
    "both as emotion,ekman."
)


@columns_as_options(labels_help=_LABELS)
def evaluate(
    data: Data,
    columns: Columns,
    model: ModelName = None,
    task: TaskName = None,
    split: Split = None,
    on_bad_row: BadRows = "fail",
    map_: Annotated[
        str,
        typer.Option("--map", help="Other names for labels of the data, as others=neutral,disgust=anger."),
    ] = "",
    known: Annotated[
        bool, typer.Option("--only-known", help="Leave out labels that the model does not know.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Judge a model on labelled texts: classification, calibration, clustering, retrieval."""
    from affekt.data.catalog import read_split, with_taxonomy
    from affekt.data.taxonomies import pairs
    from affekt.errors import DataError
    from affekt.inference.evaluate import evaluate_by, evaluate_model
    from affekt.inference.model import load

    names = pairs(map_) if map_ else {}
    columns, taxonomy = with_taxonomy(data, columns)
    corpus = read_split(data, split, columns, on_bad_row)
    console.say_left_out(corpus.skipped, len(corpus.skipped), corpus.notes)
    judged, read = load(model, task=task), len(corpus)
    only = judged.labels if known and judged.decisions is not None and taxonomy is None else None
    if names or only:
        corpus = corpus.map_labels(names, only_known=only, ignore_case=True)
    with spoken(_options):
        if taxonomy is None:
            figures = evaluate_model(judged, corpus)
        else:
            figures = evaluate_by(judged, corpus, taxonomy, only_known=known)
    if left := read - figures["n"]:
        console.say(f"{left:,} of {read:,} texts have labels the model does not know: left out")
    if not any(figures.get(section) for section in _SECTIONS):
        raise DataError(
            f"{data}: nothing can be judged, since the model has no classifier and fewer than three texts, "
            "or texts of one label alone, have exactly one label."
        )
    if taxonomy is not None:
        _say_taxonomy(figures, data)
    _say_absent(figures.get("absent_labels") or [], data)
    _say_rare(figures.get("per_label") or {}, data)
    (console.result_json if json else _show)(figures)


def _options(message: str) -> str:
    return message.replace("Corpus.map_labels", "--map").replace("its only_known", "--only-known")


def _say_taxonomy(figures: Mapping[str, Any], data: str) -> None:
    shared, others = (", ".join(figures[key]) for key in ("judged_labels", "other_labels"))
    more = f"; the model's {others} {'are' if ',' in others else 'is'} not judged" if others else ""
    console.say(f"labels by {figures['taxonomy']}: averages are over those of {data} alone, {shared}{more}")


def _say_absent(absent: Sequence[str], data: str) -> None:
    if absent:
        console.say(f"no text of {data} has {', '.join(absent)}: averages over labels are of the others.")


def _say_rare(per_label: Mapping[str, Any], data: str) -> None:
    from affekt.evaluation.classification import FEWEST_OF_LABEL, rare_labels

    rare = ", ".join(f"{label} ({per_label[label]['support']:.0f})" for label in rare_labels(per_label))
    if rare:
        console.say(
            f"fewer than {FEWEST_OF_LABEL} texts of {data} have {rare}: too few to judge these labels, and "
            "averages over labels are less sure than their intervals say."
        )


def _show(figures: Mapping[str, Any]) -> None:
    from affekt.runs.metrics import space_part

    for section, title in _SECTIONS.items():
        rows = [
            [name, console.figure(name, value)]
            for name, value in space_part(figures, section).items()
            if isinstance(value, dict | int | float)
        ]
        if rows:
            console.table(f"{title} (n = {figures['n']:,})", ["figure", "value"], rows)
    rows = []
    for label, row in (figures.get("per_label") or {}).items():
        shown = ({"value": row["precision"]}, {"value": row["recall"]}, {**row, "value": row["f1"]})
        rows.append([label, *map(console.interval, shown), f"{row['support']:,.0f}"])
    if rows:
        console.table("by label", ["label", "precision", "recall", "F1", "texts"], rows)
