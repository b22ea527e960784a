"""Search for the texts nearest to some words or examples: exact, a window of texts in memory at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from affekt.decisions import Decisions
from affekt.errors import UsageError, unknown_name

WINDOW = 1024  # texts in memory at once

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """A text that was found."""

    row: int  # which of the texts, counted from 0
    text: str
    score: float  # cosine with what was looked for; of an emotion alone its probability


class Searchable(Protocol):
    """What search needs of a model."""

    labels: tuple[str, ...]

    def deciding(self) -> Decisions:
        """Return the decisions of a classifier; ModelError for an encoder without one."""
        ...

    def embed(self, texts: list[str]) -> Floats:
        """Return (n, d) vectors of length 1."""
        ...

    def probabilities(self, texts: list[str]) -> Floats:
        """Return (n, k) probabilities."""
        ...

    def logits_and_vectors(self, texts: list[str]) -> tuple[Floats, Floats]:
        """Return what both need, every text encoded once."""
        ...


def search(
    model: Searchable,
    query: str | None,
    texts: Iterable[str],
    *,
    like: str | Sequence[str] = (),
    emotion: str | None = None,
    k: int = 10,
) -> list[Hit]:
    """Return the k best of some texts, the best first; of equally good ones the earlier.

    Args:
        model: Any model; a classifier where an emotion is asked for.
        query: Words to look for by what they say; None or "" for none.
        texts: Any number of texts; they are gone through once.
        like: Texts that those looked for should be like; with a query, the mean of all is looked for.
        emotion: Only texts that hold this label by the model's decisions.
        k: How many to return at most.

    Raises:
        UsageError: When there is nothing to look for, or the model has no such label.
        ModelError: When an emotion is asked of an encoder without a classifier.
    """
    examples = examples_of(query, like, emotion, k)
    label = None
    if emotion is not None:
        model.deciding()
        if emotion not in model.labels:
            raise UsageError(unknown_name("emotion", emotion, model.labels))
        label = model.labels.index(emotion)
    aim = model.embed(examples).mean(axis=0) if examples else None
    if aim is not None:
        aim = aim / max(float(np.linalg.norm(aim)), 1e-12)
    best: list[Hit] = []
    first = 0
    left = iter(texts)
    while window := list(islice(left, WINDOW)):
        scores, held = _scored(model, window, aim, label)
        found = np.flatnonzero(held)
        order = found[np.argsort(-scores[found], kind="stable")][:k]
        best += [Hit(first + int(i), window[i], float(scores[i])) for i in order]
        best = sorted(best, key=lambda hit: (-hit.score, hit.row))[:k]
        first += len(window)
    return best


def examples_of(query: str | None, like: str | Sequence[str], emotion: str | None, k: int) -> list[str]:
    """Return what is looked for by what it says, after refusing what asks for nothing."""
    examples = [*([query] if query and query.strip() else []), *([like] if isinstance(like, str) else like)]
    if not examples and emotion is None:
        raise UsageError(
            "there is nothing to look for: give words, a text that others should be like, or an emotion."
        )
    if k < 1:
        raise UsageError(f"k = {k!r}: ask for at least 1 text.")
    return examples


def _scored(
    model: Searchable, texts: list[str], aim: Floats | None, label: int | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how near each text is to the aim, and which texts may be found."""
    if label is None:
        assert aim is not None  # noqa: S101  one of the two is there
        return _cosines(model.embed(texts), aim), np.ones(len(texts), dtype=bool)
    decisions = model.deciding()
    if aim is None:
        probabilities = model.probabilities(texts)
        return probabilities[:, label], decisions.decide(probabilities)[:, label]
    logits, vectors = model.logits_and_vectors(texts)
    return _cosines(vectors, aim), decisions.decide(decisions.probabilities(logits))[:, label]


def _cosines(vectors: Floats, aim: Floats) -> Floats:
    """Return the products of unit vectors with the aim, each summed alike whatever stands beside it."""
    found: Floats = np.einsum("nd,d->n", vectors, aim)
    return found
