"""`affekt evaluate`: a model against labelled data."""

from typing import Annotated

import typer

from affekt.cli import console


def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, a run folder, or an encoder's name.")],
    data: Annotated[str, typer.Argument(help="A known data set, or a file.")],
    split: Annotated[str, typer.Option(help="Which split of a known data set.")] = "test",
    text: Annotated[str, typer.Option(help="The file's text column.")] = "text",
    labels: Annotated[str, typer.Option(help="The file's label column.")] = "labels",
    separator: Annotated[str | None, typer.Option(help="What separates labels in the column.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Judge a model on labelled texts: classification, calibration, clustering, retrieval."""
    from affekt import catalog
    from affekt.columns import Columns
    from affekt.errors import DataError
    from affekt.judge import evaluate_model
    from affekt.model import load

    corpora = catalog.read(data, columns=Columns(text=text, labels=labels, separator=separator))
    if len(corpora) > 1 and split not in corpora:
        raise DataError(f"{data}: has no split {split!r}, only {', '.join(corpora)}.")
    corpus = corpora[split] if split in corpora else next(iter(corpora.values()))
    figures = evaluate_model(load(model), corpus)
    if json:
        console.result_json(figures)
        return
    for section in ("classification", "calibration", "clustering", "retrieval"):
        rows = [
            [name, console.interval(value) if isinstance(value, dict) else console.interval({"value": value})]
            for name, value in (figures.get(section) or {}).items()
            if isinstance(value, dict | int | float) and name != "per_label"
        ]
        if rows:
            console.table(f"{section} (n = {figures['n']:,})", ["figure", "value"], rows)
