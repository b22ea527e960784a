"""Clusters of texts in words: how many texts, which emotions, which are typical, what sets them apart."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import DataError
from affekt.evaluation.arrays import Floats
from affekt.inference.explain import Carried

NOISE = "noise"  # what HDBSCAN leaves outside every cluster
_WORD = re.compile(r"[#@]?[^\W_][\w']*|[\U0001F300-\U0001FAFF\u2600-\u27BF]")
_LINK = re.compile(r"https?\b\S*|www\.\S*|\b[\w-]+(?:\.[\w-]+)*\.(?:com|co|org|net|ly|uk|de)\b\S*|\bt\.co\S*")
_PLACEHOLDER = re.compile(r"<\w+>|\[\w+\]|@user\b")  # as data sets write a name that they hide
_LEFTOVERS = frozenset(
    {
        *("user", "url", "http", "https", "httpurl", "www", "html", "href", "img", "src"),
        *("amp", "lt", "gt", "quot", "nbsp", "apos", "rt", "via"),
    }
)
_EMOTIONS = 4  # that are told of a cluster, at most
_BESIDE = 0.75  # of what the first emotion has: then a second one is in the cluster's name


@dataclass(frozen=True)
class ClusterSummary:
    """One cluster in words."""

    number: int  # −1 is what stands outside every cluster
    name: str  # by its emotions and words; no other cluster has it
    size: int
    share: float  # of all texts
    emotions: tuple[tuple[str, float], ...] = ()  # the dominant ones, each with its mean score in the cluster
    typical: tuple[str, ...] = ()  # the texts nearest the centre
    words: tuple[str, ...] = ()  # those that set it apart
    carried: tuple[tuple[Carried, ...], ...] = ()  # the typical texts in pieces; or none


def summarise_clusters(
    texts: Sequence[str],
    vectors: ArrayLike,
    assignments: ArrayLike,
    labels: Sequence[str] = (),
    scores: ArrayLike | None = None,
) -> list[ClusterSummary]:
    """Return what each cluster holds, the largest first and noise last; DataError where lengths differ.

    Of n texts, `vectors` are (n, d) in the space that was clustered, `assignments` (n,) the numbers of their
    clusters, −1 for none, and `scores` (n, k) probabilities or true labels of the k emotions.
    """
    points = np.asarray(vectors, dtype=np.float64)
    numbers = np.asarray(assignments, dtype=np.int64)
    held = None if scores is None else np.asarray(scores, dtype=np.float64)
    count, shape = len(texts), None if held is None else held.shape
    if len(points) != count or len(numbers) != count or shape not in (None, (count, len(labels))):
        raise DataError(
            f"clusters of {count} texts need as many vectors and assignments (there are {len(points)} and "
            f"{len(numbers)}) and scores of shape ({count}, {len(labels)}) or none (the shape is {shape})."
        )
    words = distinctive_words(texts, numbers.tolist())
    summaries: list[ClusterSummary] = []
    for number, size in Counter(numbers.tolist()).most_common():
        rows = np.flatnonzero(numbers == number)
        means = np.zeros(0) if held is None else held[rows].mean(axis=0)
        own = () if number < 0 else words[number]
        apart = () if held is None else _apart_by(means, held.mean(axis=0), labels)
        name = NOISE if number < 0 else _name(number, apart, own, {one.name for one in summaries})
        typical = () if number < 0 else _typical(texts, points, rows)
        most = np.argsort(-means, kind="stable")[:_EMOTIONS]
        dominant = tuple((labels[i], float(means[i])) for i in most if means[i] >= 0.01)
        summaries.append(ClusterSummary(number, name, size, size / len(texts), dominant, typical, own))
    return sorted(summaries, key=lambda one: one.number < 0)


def cluster_names(assignments: ArrayLike, summaries: Sequence[ClusterSummary]) -> list[str]:
    """Return the name of each row's cluster."""
    names = {one.number: one.name for one in summaries}
    return [names[number] for number in np.asarray(assignments).tolist()]


def _apart_by(means: Floats, overall: Floats, labels: Sequence[str]) -> list[str]:
    """Return the emotion, or the two, by which a cluster stands out of all texts; else its strongest.

    Where most texts are neutral, most clusters are, and no name would tell them apart.
    """
    above = means - overall
    measured = above if above.max(initial=0) > 0.01 else means
    order = np.argsort(-measured, kind="stable")[:2]
    return [labels[i] for i in order if measured[i] >= max(0.01, _BESIDE * measured[order[0]])]


def _name(number: int, emotions: Sequence[str], words: Sequence[str], taken: set[str]) -> str:
    """Return "joy: birthday, cake" for a cluster, or as much of it as there is."""
    told = [name for name in words if name not in emotions]
    feeling, about = " and ".join(emotions), ", ".join(told[: 2 if emotions else 3])
    name = ": ".join(part for part in (feeling, about) if part) or f"cluster {number + 1}"
    return f"{name} ({number + 1})" if name in taken else name


def _typical(texts: Sequence[str], points: Floats, rows: np.ndarray, most: int = 4) -> tuple[str, ...]:
    """Return the different texts nearest the cluster's centre."""
    distances = np.linalg.norm(points[rows] - points[rows].mean(axis=0), axis=1)
    nearest = (texts[row] for row in rows[np.argsort(distances, kind="stable")])
    return tuple(dict.fromkeys(nearest))[:most]


def distinctive_words(
    texts: Sequence[str], clusters: Sequence[int], most: int = 10
) -> dict[int, tuple[str, ...]]:
    """Return for each cluster the words that set it apart from the rest.

    With a of the cluster's A texts holding a word, and b of the B others, words are ordered by the log-odds
    ratio log((a / (A − a)) / (b / (B − b))), ½ added to each count, over its standard error. Counting texts
    keeps one text's refrain from being a cluster's word; words of fewer than two of the cluster's texts,
    English function words, single letters, numbers, links and what stands for a hidden name are left out.
    """
    inside: dict[int, Counter[str]] = {number: Counter() for number in clusters}
    everywhere: Counter[str] = Counter()
    for text, number in zip(texts, clusters, strict=True):
        words = _words(text)
        inside[number].update(words)
        everywhere.update(words)
    sizes = Counter(clusters)
    return {
        number: _apart(counted, everywhere, (sizes[number], len(texts)), most)
        for number, counted in inside.items()
    }


def _words(text: str) -> set[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    plain = unescape(text).lower().replace("’", "'")
    found = set(_WORD.findall(_PLACEHOLDER.sub(" ", _LINK.sub(" ", plain))))
    return {
        word
        for word in found
        if not {word, word.split("'")[0]} & (ENGLISH_STOP_WORDS | _LEFTOVERS)
        and (len(word) > 1 or not word.isalnum() or not word.isascii())
        and not word.lstrip("#@").isnumeric()
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
