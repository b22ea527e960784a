"""What a look at a data set should tell before anything is trained on it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from affekt.data.corpus import Corpus
from affekt.data.splits import fold

_QUANTILES = {"min": 0.0, "median": 0.5, "p95": 0.95, "max": 1.0}


def inspect(splits: Mapping[str, Corpus]) -> dict[str, Any]:
    """Describe splits: sizes, labels, lengths, duplicates, and texts that two splits share.

    Texts are compared without case and spacing.

    Returns:
        A JSON-able dict: name, labels, single_label; per split n, label_counts, labels_per_text, empty (rows
        without a label), words and characters (mean and quantiles), duplicates (rows that repeat an earlier
        text), conflicts (texts that occur with different labels) and skipped rows; and under "shared" per
        pair of splits, as in "train/test", how many rows of the second are in the first.
    """
    first = next(iter(splits.values()))
    folded = {split: [fold(text) for text in corpus.texts] for split, corpus in splits.items()}
    return {
        "name": first.name,
        "labels": list(first.labels),
        "single_label": first.single_label,
        "splits": {split: _describe(corpus, folded[split]) for split, corpus in splits.items()},
        "shared": {
            f"{one}/{other}": _shared(folded[one], folded[other]) for one, other in combinations(splits, 2)
        },
    }


def _describe(corpus: Corpus, folded: list[str]) -> dict[str, Any]:
    per_text = np.count_nonzero(corpus.present, axis=1)
    counted = sorted(Counter(per_text.tolist()).items())
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
        "conflicts": _conflicts(corpus, folded),
        "skipped": [{"where": row.where, "reason": row.reason} for row in corpus.skipped],
    }


def _quantiles(lengths: Iterable[int]) -> dict[str, float]:
    values = np.array(list(lengths))
    points = np.quantile(values, list(_QUANTILES.values()), method="inverted_cdf").tolist()
    return {"mean": round(float(values.mean()), 2), **dict(zip(_QUANTILES, points, strict=True))}


def _conflicts(corpus: Corpus, folded: list[str]) -> int:
    """Return how many distinct texts occur with different targets."""
    targets: dict[str, set[bytes]] = {}
    for text, row in zip(folded, corpus.targets, strict=True):
        targets.setdefault(text, set()).add(row.tobytes())
    return sum(len(rows) > 1 for rows in targets.values())


def _shared(one: list[str], other: list[str]) -> int:
    known = set(one)
    return sum(text in known for text in other)
