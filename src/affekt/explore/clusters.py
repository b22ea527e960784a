"""What the clusters of a space hold: how many texts, which emotions, which texts are typical, which words."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import DataError
from affekt.evaluation.arrays import Floats

NOISE = "noise"  # what HDBSCAN leaves outside every cluster
_WORD = re.compile(r"[#@]?[^\W_][\w']*|[\U0001F300-\U0001FAFF\u2600-\u27BF]")


@dataclass(frozen=True)
class ClusterSummary:
    """One cluster in words."""

    name: str
    size: int
    share: float  # of all texts
    emotions: tuple[tuple[str, float], ...] = ()  # the dominant ones, each with its mean score in the cluster
    typical: tuple[str, ...] = ()  # the texts nearest the centre
    words: tuple[str, ...] = ()  # those that set it apart


def cluster_names(assignments: ArrayLike) -> list[str]:
    """Return a name for each row's cluster: "cluster 1" for the number 0; −1 is noise; names stay."""
    return [_name(one) for one in np.asarray(assignments).tolist()]


def _name(assigned: int | str) -> str:
    if isinstance(assigned, str):
        return assigned
    return NOISE if assigned < 0 else f"cluster {assigned + 1}"


def summarise_clusters(
    texts: Sequence[str],
    vectors: ArrayLike,
    assignments: ArrayLike,
    labels: Sequence[str] = (),
    scores: ArrayLike | None = None,
) -> list[ClusterSummary]:
    """Return what each cluster holds, the largest first and noise last.

    Args:
        texts: The n texts.
        vectors: (n, d), in the space that was clustered.
        assignments: (n,) the cluster of each text, numbers or names; −1 or "noise" is no cluster.
        labels: The k emotions, where there are scores.
        scores: (n, k) probabilities or true labels of the texts.

    Raises:
        DataError: When the lengths differ.
    """
    points = np.asarray(vectors, dtype=np.float64)
    names = np.asarray(cluster_names(assignments), dtype=object)
    held = None if scores is None else np.asarray(scores, dtype=np.float64)
    _check(len(texts), points, names, labels, held)
    words = distinctive_words(texts, names.tolist())
    summaries = []
    for name, size in Counter(names.tolist()).most_common():
        rows = np.flatnonzero(names == name)
        summaries.append(
            ClusterSummary(
                name,
                size,
                size / len(texts),
                () if held is None else _dominant(held[rows].mean(axis=0), labels),
                () if name == NOISE else _typical(texts, points, rows),
                () if name == NOISE else words[name],
            )
        )
    return sorted(summaries, key=lambda one: one.name == NOISE)


def _check(
    count: int, points: Floats, names: np.ndarray, labels: Sequence[str], scores: Floats | None
) -> None:
    shape = None if scores is None else scores.shape
    if len(points) != count or len(names) != count or (shape is not None and shape != (count, len(labels))):
        raise DataError(
            f"clusters of {count} texts need as many vectors and assignments (there are {len(points)} and "
            f"{len(names)}) and scores of shape ({count}, {len(labels)}) or none (the shape is {shape})."
        )


def _dominant(means: Floats, labels: Sequence[str], most: int = 4) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-means, kind="stable")[:most]
    return tuple((labels[i], float(means[i])) for i in order if means[i] >= 0.01)


def _typical(texts: Sequence[str], points: Floats, rows: np.ndarray, most: int = 4) -> tuple[str, ...]:
    """Return the different texts nearest the cluster's centre."""
    distances = np.linalg.norm(points[rows] - points[rows].mean(axis=0), axis=1)
    found: dict[str, None] = {}
    for row in rows[np.argsort(distances, kind="stable")]:
        found.setdefault(texts[row])
        if len(found) == most:
            break
    return tuple(found)


def distinctive_words(
    texts: Sequence[str], names: Sequence[str], most: int = 10
) -> dict[str, tuple[str, ...]]:
    """Return for each cluster the words that set it apart from the rest.

    With a of the cluster's A texts holding a word, and b of the B others, words are ordered by the log-odds
    ratio log((a / (A − a)) / (b / (B − b))), ½ added to each count, over its standard error. Counting texts
    keeps one text's refrain from being a cluster's word; words of fewer than two of the cluster's texts,
    English function words and single letters are left out.
    """
    inside: dict[str, Counter[str]] = {name: Counter() for name in names}
    for text, name in zip(texts, names, strict=True):
        inside[name].update(_words(text))
    everywhere: Counter[str] = Counter()
    for counted in inside.values():
        everywhere.update(counted)
    sizes = Counter(names)
    return {
        name: _apart(counted, everywhere, (sizes[name], len(texts)), most) for name, counted in inside.items()
    }


def _words(text: str) -> set[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found = set(_WORD.findall(text.lower().replace("’", "'")))
    return {
        word
        for word in found
        if not (word in ENGLISH_STOP_WORDS or word.split("'")[0] in ENGLISH_STOP_WORDS)
        and (len(word) > 1 or not word.isalnum() or not word.isascii())
    }


def _apart(
    inside: Counter[str], everywhere: Counter[str], sizes: tuple[int, int], most: int
) -> tuple[str, ...]:
    words = [word for word, count in inside.items() if count >= 2]
    if not words:
        return ()
    here, whole = sizes
    a = np.asarray([inside[word] for word in words]) + 0.5
    b = np.asarray([everywhere[word] - inside[word] for word in words]) + 0.5
    cells = (a, here + 1 - a, b, whole - here + 1 - b)
    odds = np.log(a / cells[1]) - np.log(b / cells[3])
    standing = odds / np.sqrt(sum(1 / cell for cell in cells))
    order = sorted(range(len(words)), key=lambda i: (-standing[i], words[i]))
    return tuple(words[i] for i in order[:most] if standing[i] > 1.0)
