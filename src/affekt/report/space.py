"""Texts in a model's space: the map of a corpus, and the clusters of a file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from affekt import catalog
from affekt.columns import Columns
from affekt.corpus import Corpus
from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation.clustering import k_means, silhouette
from affekt.files import written_aside
from affekt.labels import sentiment_of
from affekt.model import Model
from affekt.report.clusters import ClusterSummary, cluster_names, summarise_clusters
from affekt.report.map import write_map
from affekt.report.projection import project

_SILHOUETTE_ROWS = 5_000  # enough to choose the number of clusters
_MOST_CLUSTERS = 12
METHODS = ("kmeans", "hdbscan")


def read_texts(
    data: str,
    split: str,
    *,
    text: str = "text",
    labels: str | None = None,
    limit: int = 20_000,
    seed: int = 0,
) -> Corpus:
    """Return a split of a known data set, or a file; at most `limit` rows of it, drawn evenly."""
    corpora = catalog.read(data, columns=Columns(text=text, labels=labels))
    if len(corpora) > 1 and split not in corpora:
        raise DataError(f"{data}: has no split {split!r}, only {', '.join(corpora)}.")
    corpus = corpora[split] if split in corpora else next(iter(corpora.values()))
    if len(corpus) <= limit:
        return corpus
    drawn = np.random.default_rng(seed).choice(len(corpus), limit, replace=False)
    return corpus.select(np.sort(drawn))


def draw_map(
    model: Model, corpus: Corpus, page: Path, *, clusters: int | None = None, seed: int = 0
) -> tuple[Path, Path]:
    """Write the map of a corpus in a model's space: the page, and a PNG beside it.

    Colours: the corpus's labels or else the model's, their sentiment where it is known, and K-Means clusters.
    A text with several labels is coloured by the first of them.
    """
    vectors = model.embed(corpus.texts)
    names, scores = _emotions(model, corpus)
    count = clusters or max(2, min(len(names) or 8, _MOST_CLUSTERS))
    assignments = _grouped(vectors, count, seed)
    colours: dict[str, Sequence[str]] = {}
    if names:
        dominant = [
            names[i] if row.max() > 0 else "none" for row, i in zip(scores, scores.argmax(1), strict=True)
        ]
        colours["label" if corpus.labels else "predicted emotion"] = dominant
        sentiments = [sentiment_of(name) or "other" for name in dominant]
        if set(sentiments) - {"other"}:
            colours["sentiment"] = sentiments
    colours["cluster"] = cluster_names(assignments)
    summaries = summarise_clusters(corpus.texts, vectors, assignments, names, scores if names else None)
    picture = page.with_suffix(".png")
    write_map(
        project(vectors, seed=seed), corpus.texts, colours, summaries, page, picture, f"Map of {corpus.name}"
    )
    return page, picture


def _emotions(model: Model, corpus: Corpus) -> tuple[tuple[str, ...], np.ndarray]:
    """The emotions of each text: the corpus's own labels, or what the model says, or none."""
    if corpus.labels:
        return corpus.labels, np.asarray(corpus.targets)
    if model.labels:
        return model.labels, model.probabilities(corpus.texts)
    return (), np.zeros((len(corpus), 0))


def _grouped(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    points = vectors.astype(np.float64)
    return np.asarray(k_means(points, min(count, len(points)), seed))


def cluster_texts(vectors: np.ndarray, *, clusters: int | None, method: str, seed: int) -> np.ndarray:
    """Return the cluster of each vector; −1 where HDBSCAN leaves it out.

    Without a number, K-Means is tried with 2 to 12 clusters and the best silhouette is kept.
    """
    if method not in METHODS:
        raise UsageError(unknown_name("clustering method", method, METHODS))
    if len(vectors) < 3:
        raise DataError(f"{len(vectors)} texts are too few to cluster; give at least 3.")
    if method == "hdbscan":
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(min_cluster_size=max(5, len(vectors) // 100), copy=True).fit_predict(vectors)
        return np.asarray(found)
    if clusters is not None:
        return _grouped(vectors, clusters, seed)
    sample = np.random.default_rng(seed).permutation(len(vectors))[:_SILHOUETTE_ROWS]
    points = vectors[sample].astype(np.float64)
    tried = range(2, min(_MOST_CLUSTERS, len(points) - 1) + 1)
    best = max(tried, key=lambda count: silhouette(points, k_means(points, count, seed), seed))
    return _grouped(vectors, best, seed)


def cluster_file(
    model: Model,
    path: Path,
    out: Path,
    *,
    clusters: int | None = None,
    method: str = "kmeans",
    text: str = "text",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Group the texts of a file, write each text's cluster, and return what each cluster holds."""
    corpus = Corpus.read(path, columns=Columns(text=text, labels=None))
    vectors = model.embed(corpus.texts)
    assignments = cluster_texts(vectors, clusters=clusters, method=method, seed=seed)
    names, scores = _emotions(model, corpus)
    summaries = summarise_clusters(corpus.texts, vectors, assignments, names, scores if names else None)
    _write_table(out, {"id": corpus.ids, "text": corpus.texts, "cluster": cluster_names(assignments)})
    return [_plain(summary) for summary in summaries]


def _write_table(path: Path, columns: dict[str, list[str]]) -> None:
    """Write csv, jsonl or parquet, by the name's ending."""
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    table = pa.table(columns)
    with written_aside(path) as aside:
        if path.suffix == ".parquet":
            pq.write_table(table, aside)
        elif path.suffix == ".jsonl":
            lines = [json.dumps(row, ensure_ascii=False) for row in table.to_pylist()]
            aside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        elif path.suffix == ".csv":
            pc.write_csv(table, aside)
        else:
            raise UsageError(f"{path}: name a file that ends in .csv, .jsonl or .parquet.")


def _plain(summary: ClusterSummary) -> dict[str, Any]:
    return {**asdict(summary), "emotions": [name for name, _ in summary.emotions]}
