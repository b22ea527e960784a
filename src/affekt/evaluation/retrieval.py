"""Whether a text's nearest neighbours share its emotion.

Exact search in blocks: memory stays bounded whatever the number of rows and however large the classes (MAP@R
looks as deep as a class is large, so a fixed number of neighbours would not do). References are shuffled
first: equal similarities then come in random order, and a collapsed space scores what chance scores.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation import arrays, counts
from affekt.evaluation.arrays import Bools, Floats
from affekt.evaluation.intervals import part_limits

METRICS = ("cosine", "euclidean")
BLOCK_BYTES = 2**26
DEPTH = 10  # of the graded figure
DISCOUNTS = 1.0 / np.log2(np.arange(2, DEPTH + 2))
LOWEST = np.finfo(np.float32).min  # a query's similarity to itself where it is among the references

Numbers = NDArray[Any]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Search:
    """Queries against shuffled references."""

    queries: Floats  # (q, d)
    references: Floats  # (n, d)
    query_labels: Numbers  # (q,) codes or (q, k) multi-hot
    reference_labels: Numbers  # (n,) or (n, k)
    bias: Floats  # (n,) added to each product
    own: Integers | None  # (q,) the column of each query among the references, where it is one of them

    @property
    def reachable(self) -> int:
        """How many references a query can find."""
        return len(self.references) - (self.own is not None)


def retrieval(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    queries: ArrayLike | None = None,
    query_labels: ArrayLike | None = None,
    metric: str = "cosine",
    resamples: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Return how well nearest neighbours share the query's label.

    Every row is searched for among all the others, or, where queries are given, every query among the rows. A
    query with nothing relevant to find (the only member of its class) is left out. With R the number of
    relevant references of a query, definitions are those of pytorch-metric-learning's AccuracyCalculator with
    k=None.

    Args:
        embeddings: (n, d) vectors that are searched.
        labels: (n,) classes, numbers or strings: the same class is relevant. Or (n, k) multi-hot: a row that
            shares any label is relevant.
        queries: (q, d) vectors to search with, from another split.
        query_labels: Their labels, in the same form.
        metric: "cosine" or "euclidean".
        resamples: How many parts of the rows are drawn for intervals; 0 gives none.
        seed: Of those draws.

    Returns:
        mrr: mean of 1 / rank of the first relevant reference. precision_at_1: share whose nearest is
        relevant. map_at_r: mean over queries of (1/R) · Σ over relevant ranks r ≤ R of the precision among
        the first r. n: how many queries were averaged. For multi-hot labels also ndcg_at_10, where a
        reference's gain is the Jaccard overlap of its labels with the query's. With resamples also intervals:
        {figure: (low, high)}, 95 %, from parts of the rows, queries and references alike: every row is the
        others' neighbour, so rows drawn twice would find themselves.
    """
    search = _prepare(embeddings, labels, queries, query_labels, metric)
    found = _means(search)
    if not found:
        raise DataError("no query shares a label with another row, so there is nothing to retrieve.")
    if resamples:
        random, count = np.random.default_rng(seed + 1), len(search.references)

        def of_part(rows: Integers) -> dict[str, Any]:
            asked = random.permutation(len(search.queries))[: len(search.queries) * len(rows) // count]
            return _means(_part(search, rows, asked))

        found["intervals"] = part_limits(found, of_part, count, resamples=resamples, seed=seed)
    return found


def _means(search: _Search) -> dict[str, Any]:
    """Return the figures' means over the queries that have something to find, and how many those are."""
    relevant = _relevant_counts(search)
    order = np.flatnonzero(relevant)
    if not len(order):
        return {}
    order = order[np.argsort(relevant[order], kind="stable")]  # blocks of queries that look equally deep
    size = max(16, BLOCK_BYTES // (16 * len(search.references)))
    blocks = [order[start : start + size] for start in range(0, len(order), size)]
    found = zip(*(_block(search, rows, relevant[rows]) for rows in blocks), strict=True)
    reciprocal, first, precision, gain = map(np.concatenate, found)
    of_queries = {"mrr": reciprocal, "precision_at_1": first, "map_at_r": precision}
    if search.query_labels.ndim == 2:
        of_queries["ndcg_at_10"] = gain / _best_gain(search)[order]
    return {name: float(values.mean()) for name, values in of_queries.items()} | {"n": len(order)}


def _part(search: _Search, rows: Integers, queries: Integers) -> _Search:
    """Return the search among some references, by themselves or else by some of the queries."""
    own = None
    if search.own is not None:
        queries, own = np.argsort(search.own)[rows], np.arange(len(rows))
    return _Search(
        search.queries[queries],
        search.references[rows],
        search.query_labels[queries],
        search.reference_labels[rows],
        search.bias[rows],
        own,
    )


def _prepare(
    embeddings: ArrayLike,
    labels: ArrayLike,
    queries: ArrayLike | None,
    query_labels: ArrayLike | None,
    metric: str,
) -> _Search:
    if metric not in METRICS:
        raise UsageError(unknown_name("metric", metric, METRICS))
    if (queries is None) != (query_labels is None):
        raise UsageError("queries and query_labels go together: give both or neither.")
    references = arrays.matrix(embeddings, "embeddings")
    searched = references if queries is None else arrays.matrix(queries, "queries")
    if searched.shape[1] != references.shape[1]:
        raise DataError(f"queries have {searched.shape[1]} dimensions, embeddings {references.shape[1]}.")
    found = _labels(labels, len(references), "labels")
    wanted = found if query_labels is None else _labels(query_labels, len(searched), "query_labels")
    if wanted.shape[1:] != found.shape[1:]:
        raise DataError(f"labels and query_labels differ in form: {found.shape} and {wanted.shape}.")
    if found.ndim == 1:
        codes = np.unique(np.concatenate((found, wanted)), return_inverse=True)[1].astype(np.int32)
        found, wanted = codes[: len(found)], codes[len(codes) - len(wanted) :]
    shuffle = np.random.default_rng(0).permutation(len(references))
    searched, references, bias = _comparable(searched, references, metric)
    own = np.argsort(shuffle) if queries is None else None
    return _Search(searched, references[shuffle], wanted, found[shuffle], bias[shuffle], own)


def _labels(labels: ArrayLike, rows: int, name: str) -> Numbers:
    array = np.asarray(labels)
    if array.ndim == 2:
        array = (arrays.unit_matrix(array, name) > 0.5).astype(np.float32)
    if array.ndim not in (1, 2) or len(array) != rows:
        raise DataError(
            f"{name} must be (rows,) or (rows, labels) for {rows} rows, but the shape is {array.shape}."
        )
    return array


def _comparable(queries: Floats, references: Floats, metric: str) -> tuple[Floats, Floats, Floats]:
    """Return float32 vectors and a bias such that product + bias is larger the nearer two vectors are."""
    if metric == "cosine":
        queries, references = (
            counts.ratio(points, np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
            for points in (queries, references)
        )
        return queries, references, np.zeros(len(references), dtype=np.float32)
    centre = references.mean(axis=0, dtype=np.float64)  # small numbers lose less to rounding
    queries, references = ((points - centre).astype(np.float32) for points in (queries, references))
    return queries, references, -0.5 * (references**2).sum(axis=1)


def _block(search: _Search, rows: Integers, relevant: Integers) -> tuple[Floats, ...]:
    """Return reciprocal rank, precision at 1, average precision at R and gain at 10 of some queries."""
    similarity = search.queries[rows] @ search.references.T + search.bias
    truth = _is_relevant(search.query_labels[rows], search.reference_labels)
    if search.own is not None:
        itself = (np.arange(len(rows)), search.own[rows])
        similarity[itself], truth[itself] = LOWEST, False
    depth = min(max(int(relevant.max()), DEPTH), search.reachable)
    start = similarity.shape[1] - depth
    nearest = np.argpartition(similarity, start, axis=1)[:, start:]
    order = np.argsort(np.take_along_axis(similarity, nearest, 1), axis=1)[:, ::-1]
    nearest = np.take_along_axis(nearest, order, 1)
    hits = np.take_along_axis(truth, nearest, 1)
    ranks = np.arange(1, depth + 1)
    counted = hits & (ranks <= relevant[:, None])
    precision = (np.cumsum(counted, axis=1, dtype=np.int32) / ranks * counted).sum(axis=1) / relevant
    reciprocal = 1.0 / _first_rank(hits, similarity, truth)
    return reciprocal, hits[:, 0].astype(np.float64), precision, _gain(search, rows, nearest[:, :DEPTH])


def _is_relevant(wanted: Numbers, found: Numbers) -> Bools:
    """Return (b, n): same class, or for multi-hot rows any label shared."""
    if wanted.ndim == 1:
        return np.asarray(wanted[:, None] == found[None, :])
    return np.asarray(wanted @ found.T > 0)


def _first_rank(hits: Bools, similarity: Floats, truth: Bools) -> Integers:
    """Return the rank of the first relevant reference: among the nearest, else by counting what is nearer."""
    ranks: Integers = hits.argmax(axis=1) + 1
    for row in np.flatnonzero(~hits.any(axis=1)):
        ranks[row] = 1 + (similarity[row] > similarity[row, truth[row]].max()).sum()
    return ranks


def _relevant_counts(search: _Search) -> Integers:
    """Return (q,) how many references are relevant to each query."""
    if search.query_labels.ndim == 1:
        sizes = np.bincount(search.reference_labels, minlength=int(search.query_labels.max()) + 1)
        return np.asarray(sizes[search.query_labels] - (search.own is not None))
    wanted, place = np.unique(search.query_labels, axis=0, return_inverse=True)
    found, sizes = np.unique(search.reference_labels, axis=0, return_counts=True)
    blocks = max(1, len(wanted) * len(found) * 4 // BLOCK_BYTES)  # of a float32 product
    relevant = np.concatenate([_is_relevant(part, found) @ sizes for part in np.array_split(wanted, blocks)])
    if search.own is not None:
        relevant -= wanted.any(axis=1)
    return np.asarray(relevant[place])


def _gain(search: _Search, rows: Integers, nearest: Integers) -> Floats:
    """Return (b,) the discounted gain of the nearest references, 0 where labels are classes."""
    if search.query_labels.ndim == 1:
        return np.zeros(len(rows))
    wanted, found = search.query_labels[rows][:, None], search.reference_labels[nearest]
    return np.asarray(_overlap(wanted, found) @ DISCOUNTS[: nearest.shape[1]])


def _overlap(wanted: Numbers, found: Numbers) -> Floats:
    """Return the Jaccard overlap of multi-hot rows along the last axis; 0 where both are empty."""
    return counts.ratio(np.minimum(wanted, found).sum(axis=-1), np.maximum(wanted, found).sum(axis=-1))


def _best_gain(search: _Search) -> Floats:
    """Return (q,) the largest discounted gain of any order; label sets are few, so each is done once."""
    wanted, place = np.unique(search.query_labels, axis=0, return_inverse=True)
    found, sizes = np.unique(search.reference_labels, axis=0, return_counts=True)
    copies = np.minimum(sizes, DEPTH)  # no more of one label set can be among the first ten
    starts = np.cumsum(copies) - copies
    depth = min(DEPTH, search.reachable)
    best = np.zeros(len(wanted))
    for row, pattern in enumerate(wanted):
        gains = np.repeat(_overlap(pattern, found), copies)
        same = np.flatnonzero((found == pattern).all(axis=1))
        if search.own is not None and sizes[same[0]] <= DEPTH:
            gains[starts[same[0]]] = 0.0  # the query itself is no find
        top = np.sort(gains)[::-1][:depth]
        best[row] = top @ DISCOUNTS[: len(top)]
    return np.asarray(best[place])
