"""What a look at a data set should tell before anything is trained on it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from affekt.data.corpus import Corpus
from affekt.data.splits import fold

_SEPARATORS = (",", "|", ";", "/", "+", "&")  # that labels may be joined by
_QUANTILES = {"min": 0.0, "median": 0.5, "p95": 0.95, "max": 1.0}


def inspect(splits: Mapping[str, Corpus]) -> dict[str, Any]:
    """Describe splits: sizes, labels, lengths, duplicates, and texts that two splits share.

    Texts are compared without case and spacing.

    Returns:
        A JSON-able dict: name, labels, single_label; per split n, label_counts, labels_per_text, empty (rows
        without a label), words and characters (mean and quantiles), duplicates (rows that repeat an earlier
        text), conflicts (texts that occur with different labels) and skipped rows; under "shared" per pair of
        splits, as in "train/test", how many rows of the second are in the first; under "alike" the labels
        that differ only in case and spacing, as in [["Joy", "joy"]]; and under "joined" by what some labels
        look joined, as in {"separator": ",", "labels": ["joy,love"]}, or None.
    """
    first = next(iter(splits.values()))
    folded = {split: [fold(text) for text in corpus.texts] for split, corpus in splits.items()}
    alike: dict[str, list[str]] = {}
    for label in first.labels:
        alike.setdefault(fold(label), []).append(label)
    known = {split: set(texts) for split, texts in folded.items()}
    return {
        "name": first.name,
        "labels": list(first.labels),
        "single_label": first.single_label,
        "alike": [group for group in alike.values() if len(group) > 1],
        "joined": _joined(first.labels),
        "splits": {split: _describe(corpus, folded[split]) for split, corpus in splits.items()},
        "shared": {
            f"{one}/{other}": sum(text in known[one] for text in folded[other])
            for one, other in combinations(splits, 2)
        },
    }


def _joined(labels: Sequence[str]) -> dict[str, Any] | None:
    """Return the separator that explains most labels as several, whose parts are met in other labels too."""
    found: dict[str, list[str]] = {}
    for separator in _SEPARATORS:
        parts = {label: [fold(part) for part in label.split(separator)] for label in labels}
        times = Counter(part for pieces in parts.values() for part in set(pieces))
        found[separator] = [
            label
            for label, pieces in parts.items()
            if len(pieces) > 1 and all(pieces) and any(times[piece] > 1 for piece in pieces)
        ]
    separator = max(found, key=lambda one: len(found[one]))
    return {"separator": separator, "labels": found[separator]} if found[separator] else None


def _describe(corpus: Corpus, folded: list[str]) -> dict[str, Any]:
    per_text = np.count_nonzero(corpus.present, axis=1)
    counted = sorted(Counter(per_text.tolist()).items())
    targets: dict[str, set[bytes]] = {}
    for text, row in zip(folded, corpus.targets, strict=True):
        targets.setdefault(text, set()).add(row.tobytes())
    return {
        "n": len(corpus),
        "label_counts": corpus.label_counts,
        "labels_per_text": {
            "mean": round(float(per_text.mean()), 4),
            "counts": {str(labels): texts for labels, texts in counted},
        },
        "empty": int((per_text == 0).sum()) if corpus.labels else 0,
        "words": _quantiles(len(text.split()) for text in corpus.texts),
        "characters": _quantiles(len(text) for text in corpus.texts),
        "duplicates": len(folded) - len(set(folded)),
        "conflicts": sum(len(kinds) > 1 for kinds in targets.values()),
        "skipped": [{"where": row.where, "reason": row.reason} for row in corpus.skipped],
    }


def _quantiles(lengths: Iterable[int]) -> dict[str, float]:
    values = np.array(list(lengths))
    points = np.quantile(values, list(_QUANTILES.values()), method="inverted_cdf").tolist()
    return {"mean": round(float(values.mean()), 2), **dict(zip(_QUANTILES, points, strict=True))}
