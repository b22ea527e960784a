"""`affekt map` and `affekt cluster`: texts in a model's space."""

from pathlib import Path
from typing import Annotated

import typer

from affekt.cli import console


def map_texts(
    model: Annotated[str, typer.Argument(help="A model folder, a run folder, or an encoder's name.")],
    data: Annotated[str, typer.Argument(help="A known data set, or a file of texts.")],
    out: Annotated[Path, typer.Option(help="The page to write; a PNG goes beside it.")] = Path("map.html"),
    split: Annotated[str, typer.Option(help="Which split of a known data set.")] = "test",
    text: Annotated[str, typer.Option(help="The file's text column.")] = "text",
    labels: Annotated[str | None, typer.Option(help="The file's label column, if it has one.")] = None,
    clusters: Annotated[
        int | None, typer.Option(help="How many clusters; as many as labels by default.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Draw at most this many texts.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of clusters and layout.")] = 0,
) -> None:
    """Draw texts in two dimensions: an interactive page and a PNG."""
    from affekt.model import load
    from affekt.report.space import draw_map, read_texts

    corpus = read_texts(data, split, text=text, labels=labels, limit=limit, seed=seed)
    page, picture = draw_map(load(model), corpus, out, clusters=clusters, seed=seed)
    console.say(f"page: {page}\npicture: {picture}")


def cluster(
    model: Annotated[str, typer.Argument(help="A model folder, a run folder, or an encoder's name.")],
    file: Annotated[Path, typer.Argument(help="A file of texts.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="csv, jsonl or parquet.")] = Path("clusters.csv"),
    clusters: Annotated[
        int | None, typer.Option(help="How many, for kmeans; chosen by silhouette if left out.")
    ] = None,
    method: Annotated[str, typer.Option(help="kmeans or hdbscan.")] = "kmeans",
    text: Annotated[str, typer.Option(help="The file's text column.")] = "text",
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the clusters as JSON.")] = False,
) -> None:
    """Group the texts of a file without labels, and say what each group holds."""
    from affekt.model import load
    from affekt.report.space import cluster_file

    summaries = cluster_file(load(model), file, out, clusters=clusters, method=method, text=text, seed=seed)
    if json:
        console.result_json(summaries)
        return
    rows = [
        [str(s["name"]), f"{s['size']:,}", ", ".join(s["emotions"][:3]), ", ".join(s["words"][:6])]
        for s in summaries
    ]
    console.table(f"{len(summaries)} clusters", ["cluster", "size", "emotions", "distinctive words"], rows)
    console.say(f"assignments: {out}")
