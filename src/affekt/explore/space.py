"""Texts in a model's space: the map of a corpus, and the clusters of texts."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from affekt.data import catalog
from affekt.data.columns import Columns, split_named
from affekt.data.corpus import Corpus
from affekt.data.read import OnBadRow
from affekt.data.taxonomies import sentiment_of
from affekt.data.writing import format_of
from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation.clustering import k_means, silhouette
from affekt.explore.clusters import ClusterSummary, cluster_names, summarise_clusters
from affekt.explore.map import write_map
from affekt.explore.projection import project
from affekt.files import written_aside
from affekt.inference.model import Model
from affekt.report.html import check_page

_SILHOUETTE_ROWS = 5_000  # enough to choose the number of clusters
_MOST_CLUSTERS = 12
_TEXTS_ALONE = Columns(labels=None)
_FEWEST = {"kmeans": 3, "hdbscan": 10}  # texts; HDBSCAN calls nothing smaller than five a cluster
METHODS = tuple(_FEWEST)
TABLES = (".csv", ".jsonl", ".parquet")
Colour = Literal["label", "sentiment", "cluster"]


@dataclass(frozen=True)
class Grouping:
    """How texts are to be grouped; what cannot be done is refused when this is made, before any work.

    Attributes:
        clusters: How many, for kmeans; None for the number with the best silhouette, from 2 to 12.
        method: One of `METHODS`.
        seed: Of K-Means.
    """

    clusters: int | None = None
    method: str = "kmeans"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(unknown_name("clustering method", self.method, METHODS))
        if self.clusters is not None and self.method != "kmeans":
            raise UsageError(
                f"{self.method} finds the number of clusters itself; leave it out, or use kmeans."
            )
        if self.clusters is not None and self.clusters < 2:
            raise UsageError(f"clusters must be at least 2, but is {self.clusters}.")

    def check(self, count: int) -> None:
        """Raise DataError when there are too few texts."""
        fewest = _FEWEST[self.method]
        if count < fewest:
            raise DataError(f"{count:,} texts are too few for {self.method}; give at least {fewest}.")
        if self.clusters is not None and self.clusters > count:
            raise DataError(f"{self.clusters} clusters were asked for, but there are only {count:,} texts.")


def read_split(data: str, split: str | None, columns: Columns, on_bad_row: OnBadRow = "fail") -> Corpus:
    """Return one split of a known data set, of a folder of split files, or a file.

    Without a split it is "test", or the only one there is.
    """
    corpora = catalog.read(data, columns=columns, on_bad_row=on_bad_row)
    if split is None and len(corpora) == 1:
        return next(iter(corpora.values()))
    wanted = split_named(split or "test")
    if wanted not in corpora:
        there = ", ".join(name for name in corpora if name != "all") or "none: it is one file"
        raise DataError(f"{data}: has no split {wanted!r}; its splits are {there}.")
    return corpora[wanted]


def read_texts(
    data: str,
    split: str | None = None,
    columns: Columns = _TEXTS_ALONE,
    *,
    on_bad_row: OnBadRow = "fail",
    limit: int | None = None,
    seed: int = 0,
) -> Corpus:
    """Return a split of a known data set, or a file; at most `limit` rows of it, drawn evenly.

    Labels of a file are read only from columns that are named.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1 text, but is {limit}.")
    corpus = read_split(data, split, columns, on_bad_row)
    if limit is None or len(corpus) <= limit:
        return corpus
    drawn = np.random.default_rng(seed).choice(len(corpus), limit, replace=False)
    return corpus.select(np.sort(drawn))


# --- the map


def draw_map(
    model: Model,
    corpus: Corpus,
    page: Path,
    *,
    colour: Colour | None = None,
    clusters: int | None = None,
    seed: int = 0,
) -> tuple[Path, Path]:
    """Write the map of a corpus in a model's space: the page, and a PNG beside it.

    The picture is coloured by `colour`, and so is the page until another is chosen: the corpus's labels or
    else what the model decides, their sentiment where it is known, or K-Means clusters; by default the first
    of these that there is. A text with several labels is coloured by the first of them, or the surest.
    """
    check_page(page)
    grouping = Grouping(clusters, seed=seed)
    names, scores, dominant = _emotions(model, corpus)
    colours = _emotion_colours(corpus, dominant) if names else {}
    order = _chosen_first([*colours, "cluster"], colour, corpus.name)
    vectors = model.embed(corpus.texts)
    count = grouping.clusters or max(2, min(len(names) or 8, _MOST_CLUSTERS))
    assignments = _grouped(vectors, min(count, len(corpus)), seed)
    colours["cluster"] = cluster_names(assignments)
    colours = {name: colours[name] for name in order}
    summaries = summarise_clusters(corpus.texts, vectors, assignments, names, scores if names else None)
    picture = page.with_suffix(".png")
    places = project(vectors, seed=seed)
    write_map(places, corpus.texts, colours, summaries, page, picture, f"Map of {corpus.name}")
    return page, picture


def _emotion_colours(corpus: Corpus, dominant: Sequence[str]) -> dict[str, Sequence[str]]:
    """Colour each text by its foremost emotion, and by that one's sentiment where any is known."""
    colours = {"label" if corpus.labels else "predicted emotion": dominant}
    sentiments = [sentiment_of(name) or "other" for name in dominant]
    if set(sentiments) - {"other"}:
        colours["sentiment"] = sentiments
    return colours


def _chosen_first(names: list[str], colour: Colour | None, corpus: str) -> list[str]:
    """Put the chosen colouring before the others."""
    if colour is None:
        return names
    own = {"predicted emotion": "label"}  # what the model decides stands for labels
    chosen = [name for name in names if own.get(name, name) == colour]
    if not chosen:
        can = ", ".join(own.get(name, name) for name in names)
        raise UsageError(f"{corpus}: has nothing to colour by {colour}; choose from {can}.")
    return [*chosen, *(name for name in names if name not in chosen)]


def _emotions(model: Model, corpus: Corpus) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    """The emotions' names, each text's scores and foremost one: of the corpus, else of the model, or none."""
    if corpus.labels:
        scores = np.asarray(corpus.targets)
        return corpus.labels, scores, _foremost(corpus.labels, scores)
    if model.decisions is None:
        return (), np.zeros((len(corpus), 0)), []
    scores = model.probabilities(corpus.texts)
    decided = np.where(model.decisions.decide(scores), scores, 0.0)
    return model.labels, scores, _foremost(model.labels, decided)


def _foremost(names: Sequence[str], scores: np.ndarray) -> list[str]:
    return [names[row.argmax()] if row.max() > 0 else "none" for row in scores]


# --- clusters


def _grouped(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    return largest_first(np.asarray(k_means(vectors.astype(np.float64), count, seed)))


def largest_first(assignments: np.ndarray) -> np.ndarray:
    """Number clusters by their size, the largest 0; what is in none (−1) stays so."""
    held = assignments >= 0
    sizes = np.bincount(assignments[held])
    numbers = np.empty(len(sizes), dtype=np.int64)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    numbered = np.full(len(assignments), -1, dtype=np.int64)
    numbered[held] = numbers[assignments[held]]
    return numbered


def cluster_texts(vectors: np.ndarray, grouping: Grouping) -> np.ndarray:
    """Return the cluster of each vector; −1 where HDBSCAN leaves it out.

    Without a number, K-Means is tried with 2 to 12 clusters and the best silhouette is kept.
    """
    grouping.check(len(vectors))
    if grouping.method == "hdbscan":
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(min_cluster_size=max(5, len(vectors) // 100), copy=True).fit_predict(vectors)
        return largest_first(np.asarray(found))
    return _grouped(vectors, grouping.clusters or _best_number(vectors, grouping.seed), grouping.seed)


def _best_number(vectors: np.ndarray, seed: int) -> int:
    sample = np.random.default_rng(seed).permutation(len(vectors))[:_SILHOUETTE_ROWS]
    points = vectors[sample].astype(np.float64)
    tried = range(2, min(_MOST_CLUSTERS, len(points) - 1) + 1)
    return max(tried, key=lambda count: silhouette(points, k_means(points, count, seed), seed))


def check_table(out: Path, source: str) -> str:
    """Return which of `TABLES` an output is; refuse another ending, and the file that is to be read."""
    kind = format_of(out, TABLES)
    if out.exists() and Path(source).exists() and out.samefile(source):
        raise UsageError(f"{out}: is the file to be read; name another one to write.")
    return kind


def cluster_corpus(model: Model, corpus: Corpus, out: Path, grouping: Grouping) -> list[dict[str, Any]]:
    """Group a corpus's texts, write id, text and cluster of each, and return what each cluster holds.

    Returns:
        For each cluster, the largest first: "name", "size", "share", "emotions" (name → mean score of the
        strongest; of the corpus's labels or else the model's), "typical" texts and distinctive "words".
    """
    kind = format_of(out, TABLES)
    grouping.check(len(corpus))
    vectors = model.embed(corpus.texts)
    assignments = cluster_texts(vectors, grouping)
    names, scores, _ = _emotions(model, corpus)
    summaries = summarise_clusters(corpus.texts, vectors, assignments, names, scores if names else None)
    columns = {"id": corpus.ids, "text": corpus.texts, "cluster": cluster_names(assignments)}
    _write_table(out, kind, columns)
    return [_plain(summary) for summary in summaries]


def _write_table(path: Path, kind: str, columns: dict[str, list[str]]) -> None:
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    table = pa.table(columns)
    with written_aside(path) as aside:
        if kind == ".parquet":
            pq.write_table(table, aside)
        elif kind == ".csv":
            pc.write_csv(table, aside)
        else:
            lines = [json.dumps(row, ensure_ascii=False) for row in table.to_pylist()]
            aside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _plain(summary: ClusterSummary) -> dict[str, Any]:
    """Return a summary as JSON has it."""
    return {**asdict(replace(summary, emotions=())), "emotions": dict(summary.emotions)}
