"""`affekt map` and `affekt cluster`: texts in a model's space."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from affekt.cli import console
from affekt.cli.options import BadRows, Data, ModelName, SafeCells, Split, TaskName, columns_as_options
from affekt.data.columns import Columns

_LABELS = "The column with the labels; without labels the model says the emotions."


@columns_as_options(labels=None, labels_help=_LABELS)
def map_texts(
    data: Data,
    columns: Columns,
    model: ModelName = None,
    task: TaskName = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            help="A page (.html), with a PNG beside it, or a table (.parquet), or both by -o twice.",
        ),
    ] = None,
    split: Split = None,
    on_bad_row: BadRows = "skip",
    colour: Annotated[
        Literal["label", "sentiment", "cluster"] | None,
        typer.Option(help="What colours the picture, and the page at first; labels where there are any."),
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(min=2, help="How many clusters; as many as labels by default, up to 12.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Draw at most this many texts.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of clusters and layout.")] = 0,
    picture: Annotated[Path | None, typer.Option(help="Where the PNG goes; beside the page.")] = None,
) -> None:
    """Draw texts in two dimensions: an interactive page and a PNG, a table for embedding-atlas, or both."""
    from affekt.explore.space import Grouping, check_map, colourings, draw_map, read_texts
    from affekt.inference.model import load

    outs, grouping = out or [Path("map.html")], Grouping(clusters, seed=seed)
    pictures = check_map(outs, picture, data)
    corpus = read_texts(data, split, columns, on_bad_row=on_bad_row, limit=limit, seed=seed)
    console.say_left_out(corpus.skipped, len(corpus.skipped), corpus.notes)
    if corpus.labels:
        colourings(corpus, corpus.labels, colour)  # what cannot be had is said before the model is opened
    written = draw_map(
        load(model, task=task),
        corpus,
        outs,
        grouping,
        colour=colour,
        picture=picture,
        source=data,
        columns=columns,
    )
    for path in written:
        what = "page" if path in pictures else "picture" if path in pictures.values() else "table"
        console.say(f"{what}: {path}")


@columns_as_options(labels=None, labels_help=_LABELS)
def cluster(
    data: Data,
    columns: Columns,
    model: ModelName = None,
    task: TaskName = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", help="A table (csv, …) or a page (.html), or both by -o twice."),
    ] = None,
    split: Split = None,
    on_bad_row: BadRows = "skip",
    clusters: Annotated[
        int | None, typer.Option(help="How many, for kmeans; 5 to 12, by silhouette, if left out.")
    ] = None,
    safe_cells: SafeCells = False,
    method: Annotated[str, typer.Option(help="kmeans or hdbscan.")] = "kmeans",
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the clusters as JSON.")] = False,
) -> None:
    """Group texts by their place in the space, and say what each group holds."""
    from affekt.explore.space import Grouping, check_outputs, cluster_corpus, read_texts
    from affekt.inference.model import load

    outs = out or [Path("clusters.csv")]
    check_outputs(outs, data)
    grouping = Grouping(clusters, method, seed)
    corpus = read_texts(data, split, columns, on_bad_row=on_bad_row)
    console.say_left_out(corpus.skipped, len(corpus.skipped), corpus.notes)
    grouping.check(len(corpus))
    summaries = cluster_corpus(
        load(model, task=task), corpus, outs, grouping, data, columns, safe_cells=safe_cells
    )
    if json:
        console.result_json(summaries)
    else:
        rows = []
        for one in summaries:
            emotions = [f"{name} {score:.2f}" for name, score in list(one["emotions"].items())[:3]]
            words = ", ".join(one["words"][:6])
            rows.append([one["name"], f"{one['size']:,}", ", ".join(emotions), words])
        console.table(f"{len(rows)} clusters", ["cluster", "size", "emotions", "distinctive words"], rows)
    for path in outs:
        console.say(f"wrote {path}")
