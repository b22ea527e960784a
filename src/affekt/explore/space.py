"""Texts in a model's space: the map of a corpus, and the clusters of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from affekt.data import catalog
from affekt.data.columns import Columns, OnBadRow
from affekt.data.corpus import Corpus
from affekt.data.read import stream
from affekt.data.taxonomies import sentiment_of
from affekt.data.writing import ROWS, TypeFinder, check_output, format_of, header_of, rows_to
from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation.clustering import k_means, silhouette
from affekt.explore.clusters import ClusterSummary, cluster_names, summarise_clusters
from affekt.explore.map import is_map, name_places, shown_text, write_clusters, write_map
from affekt.explore.map_table import write_map_table
from affekt.explore.projection import project
from affekt.files import written_aside
from affekt.inference.explain import carried
from affekt.inference.model import Model
from affekt.report.page import PAGES

_SILHOUETTE_ROWS = 5_000  # enough to choose the number of clusters
_LEAST_CLUSTERS, _MOST_CLUSTERS = 5, 12
_TEXTS_ALONE = Columns(labels=None)
_FEWEST = {"kmeans": 3, "hdbscan": 10}  # texts; HDBSCAN calls nothing smaller than five a cluster
METHODS = tuple(_FEWEST)
MAPS = (*PAGES, ".parquet")
Colour = Literal["label", "sentiment", "cluster"]


def check_seed(seed: int) -> None:
    """Raise UsageError for a seed that no generator takes."""
    if not 0 <= seed < 2**32:
        raise UsageError(f"the seed must be from 0 to {2**32 - 1}, but is {seed}.")


@dataclass(frozen=True)
class Grouping:
    """How texts are to be grouped; what cannot be done is refused when this is made, before any work.

    Without a number, kmeans takes the one from 5 to 12 (fewer where there are fewer texts) with the best
    silhouette: two big halves say little of what texts are about.
    """

    clusters: int | None = None
    method: str = "kmeans"  # one of `METHODS`
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(unknown_name("clustering method", self.method, METHODS))
        if self.clusters is not None and self.method != "kmeans":
            raise UsageError(
                f"{self.method} finds the number of clusters itself; leave it out, or use kmeans."
            )
        check_seed(self.seed)
        if self.clusters is not None and self.clusters < 2:
            raise UsageError(f"clusters must be at least 2, but is {self.clusters}.")

    def check(self, count: int) -> None:
        """Raise DataError when there are too few texts."""
        fewest = _FEWEST[self.method]
        if count < fewest:
            raise DataError(f"{count:,} texts are too few for {self.method}; give at least {fewest}.")
        if self.clusters is not None and self.clusters > count:
            raise DataError(f"{self.clusters} clusters were asked for, but there are only {count:,} texts.")


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
    check_seed(seed)
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1 text, but is {limit}.")
    corpus = catalog.read_split(data, split, columns, on_bad_row)
    if limit is None or len(corpus) <= limit:
        return corpus
    return corpus.select(np.sort(np.random.default_rng(seed).choice(len(corpus), limit, replace=False)))


# --- the map


def check_map(outs: Sequence[Path], picture: Path | None = None, source: str = "") -> dict[Path, Path]:
    """Return the pictures of those of a map's outputs that are pages: beside them unless said.

    UsageError when an output has neither a page's name nor .parquet, is the file to be read, or has a picture
    beside it that is no earlier map's and would be lost.
    """
    check_outputs(outs, source, MAPS)
    pages = [out for out in outs if out.name.lower().endswith(PAGES)]
    if picture is not None and len(pages) != 1:
        raise UsageError(f"{picture}: is the picture of one page, but there are {len(pages)}; name one.")
    for page in pages if picture is None else ():
        if page.with_suffix(".png").exists() and not is_map(page):
            raise UsageError(
                f"{page.with_suffix('.png')}: is there already, and no map's; "
                "name another page, or the picture with --picture."
            )
    return {page: picture or page.with_suffix(".png") for page in pages}


def colourings(corpus: Corpus, labels: Sequence[str], colour: Colour | None = None) -> list[str]:
    """Return what a map can be coloured by, the chosen one first; UsageError where that is not there.

    Labels are the model's emotions where the corpus has none.
    """
    own = "label" if corpus.labels else "predicted emotion"
    known = {own: bool(labels), "sentiment": any(map(sentiment_of, labels)), "cluster": True}
    names = [name for name, there in known.items() if there]
    chosen = own if colour == "label" else colour
    if chosen is not None and chosen not in names:
        can = ", ".join("label" if name == own else name for name in names)
        raise UsageError(f"{corpus.name}: has nothing to colour by {colour}; choose from {can}.")
    return sorted(names, key=lambda name: name != chosen)


def draw_map(
    model: Model,
    corpus: Corpus,
    outs: Path | Sequence[Path],
    grouping: Grouping | None = None,
    *,
    colour: Colour | None = None,
    picture: Path | None = None,
    source: str = "",
    columns: Columns | None = None,
) -> list[Path]:
    """Write the map of a corpus in a model's space and return the files: a page, a table, or several.

    A page has a PNG beside it, or where it is said. Both are first coloured by `colour`, or else the first
    that there is: the corpus's labels or else what the model decides (of several the first, or the surest),
    their sentiment, K-Means clusters. A table (.parquet) holds all of these, the columns of the `source` file
    that the texts come from, and the model's probabilities where it decides.
    """
    files, grouping = [outs] if isinstance(outs, Path) else list(outs), grouping or Grouping()
    pictures = check_map(files, picture, source)
    order = colourings(corpus, corpus.labels or model.labels, colour)
    found = _encoded(model, corpus)
    count = grouping.clusters or max(2, min(len(found.labels) or 8, _MOST_CLUSTERS))
    assignments = _grouped(found.vectors, min(count, len(corpus)), grouping.seed)
    summaries = found.summarised(corpus.texts, assignments)
    summaries = _explained(model, summaries) if pictures else summaries
    colours = {
        "label": found.foremost,
        "predicted emotion": found.foremost,
        "sentiment": [sentiment_of(name) or "other" for name in found.foremost],
        "cluster": cluster_names(assignments, summaries),
    }
    places = project(found.vectors, seed=grouping.seed)
    chosen = {name: colours[name] for name in order}
    names = name_places(places, assignments, summaries)
    for out in files:
        if (drawn := pictures.get(out)) is not None:
            write_map(places, corpus.texts, chosen, summaries, names, out, drawn, f"Map of {corpus.name}")
            continue
        told = {"label" if name == "predicted emotion" else name: held for name, held in chosen.items()}
        scores = {} if corpus.labels else dict(zip(found.labels, found.scores.T, strict=True))
        rows = _source_rows(corpus, source, columns)
        own = [rows[name] for name in corpus.ids]
        write_map_table(out, corpus.texts, places, found.vectors, told, scores, own)
    return [file for out in files for file in (out, pictures.get(out)) if file is not None]


@dataclass(frozen=True)
class _Encoded:
    """A corpus's vectors, its or else the model's emotions, each text's scores of them and foremost one."""

    vectors: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    foremost: list[str]

    def summarised(self, texts: Sequence[str], assignments: np.ndarray) -> list[ClusterSummary]:
        scores = self.scores if self.labels else None
        return summarise_clusters(texts, self.vectors, assignments, self.labels, scores)


def _encoded(model: Model, corpus: Corpus) -> _Encoded:
    """Encode every text once."""
    if corpus.labels:
        scores = np.asarray(corpus.targets)
        return _Encoded(model.embed(corpus.texts), corpus.labels, scores, _foremost(corpus.labels, scores))
    if model.decisions is None:
        return _Encoded(model.embed(corpus.texts), (), np.zeros((len(corpus), 0)), [])
    logits, vectors = model.logits_and_vectors(corpus.texts)
    scores = model.decisions.probabilities(logits)
    decided = np.where(model.decisions.decide(scores), scores, 0.0)
    return _Encoded(vectors, model.labels, scores, _foremost(model.labels, decided))


def _explained(model: Model, summaries: Sequence[ClusterSummary]) -> list[ClusterSummary]:
    """Return clusters with which words of their typical texts carry what a classifier finds there."""
    if model.decisions is None:
        return list(summaries)
    texts = list(dict.fromkeys(shown_text(text) for one in summaries for text in one.typical))
    told = zip(model.predict(texts), model.explain(texts), strict=True)
    carries = dict(zip(texts, (tuple(carried(why, p.labels)) for p, why in told), strict=True))
    return [
        replace(one, carried=tuple(carries[shown_text(text)] for text in one.typical)) for one in summaries
    ]


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
    """Return the cluster of each vector; −1 where HDBSCAN leaves it out."""
    grouping.check(len(vectors))
    if grouping.method == "hdbscan":
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(min_cluster_size=max(5, len(vectors) // 100), copy=True).fit_predict(vectors)
        return largest_first(np.asarray(found))
    return _grouped(vectors, grouping.clusters or _best_number(vectors, grouping.seed), grouping.seed)


def _best_number(vectors: np.ndarray, seed: int) -> int:
    sample = np.random.default_rng(seed).permutation(len(vectors))[:_SILHOUETTE_ROWS]
    points = vectors[sample].astype(np.float64)
    most = min(_MOST_CLUSTERS, len(points) - 1)
    tried = range(min(_LEAST_CLUSTERS, most), most + 1)
    return max(tried, key=lambda count: silhouette(points, k_means(points, count, seed), seed))


def check_outputs(outs: Sequence[Path], source: str, known: Sequence[str] = (*ROWS, *PAGES)) -> None:
    """Raise UsageError for an output of no known kind, and for the file that is to be read."""
    for out in outs:
        check_output(out, known, Path(source))


def cluster_corpus(
    model: Model,
    corpus: Corpus,
    outs: Sequence[Path],
    grouping: Grouping,
    source: str = "",
    columns: Columns | None = None,
    *,
    safe_cells: bool = False,
) -> list[dict[str, Any]]:
    """Group a corpus's texts, write the cluster of each, and return what each cluster holds.

    A page (.html) says what clusters hold; a table has the columns of the `source` file that the texts come
    from, then the cluster (where they come from none id, text and cluster). Safe cells are those of a csv or
    tsv with an apostrophe before what a spreadsheet would run.

    Returns:
        For each cluster, the largest first: "number", "name", "size", "share", "emotions" (name → mean score
        of the strongest; of the corpus's labels or else the model's), "typical" texts and distinctive
        "words".
    """
    check_outputs(outs, source)
    grouping.check(len(corpus))
    found = _encoded(model, corpus)
    assignments = cluster_texts(found.vectors, grouping)
    summaries = found.summarised(corpus.texts, assignments)
    named = dict(zip(corpus.ids, cluster_names(assignments, summaries), strict=True))
    for out in outs:
        if out.name.lower().endswith(PAGES):
            write_clusters(
                _explained(model, summaries), found.labels, found.foremost, out, f"Clusters of {corpus.name}"
            )
        else:
            _write_table(out, _source_rows(corpus, source, columns), named, safe_cells)
    return [_plain(one) for one in summaries]


def _plain(one: ClusterSummary) -> dict[str, Any]:
    told = asdict(replace(one, emotions=())) | {"emotions": dict(one.emotions)}
    del told["carried"]  # of pages alone
    return told


def _source_rows(corpus: Corpus, source: str, columns: Columns | None) -> dict[str, Mapping[str, Any]]:
    """Return each text's row as its file has it, by id; only id and text where there is no file."""
    if not Path(source).is_file():
        return {name: {"id": name, "text": text} for name, text in zip(corpus.ids, corpus.texts, strict=True)}
    wanted = set(corpus.ids)
    rows: dict[str, Mapping[str, Any]] = {}
    for window in stream(source, columns=columns, on_bad_row="skip"):
        for row in window:
            if row.id in wanted:
                rows.setdefault(row.id, row.columns)  # a repeated id is left out of the corpus too
    return rows


def _write_table(
    out: Path, rows: Mapping[str, Mapping[str, Any]], named: Mapping[str, str], safe: bool
) -> None:
    kind = format_of(out, ROWS)
    columns = tuple(dict.fromkeys(name for row in rows.values() for name in row))
    finder = TypeFinder()
    if kind == ".parquet":
        finder.add(list(rows.values()), columns)
    header = header_of(columns, kind, "cluster", (), several=False, types=finder.types())
    with written_aside(out) as aside, rows_to(aside, kind, header, safe=safe) as write:
        write(list(rows.values()), [[named[one]] for one in rows], np.zeros((len(rows), 0), dtype=np.float32))
