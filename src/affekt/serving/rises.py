"""Rises: when emotions are commoner among the latest posts than before, by more than chance explains."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from affekt.evaluation.intervals import wilson

WINDOW = 50  # posts that a rise is looked for in
_BEFORE = 10  # windows of posts that the latest are compared with


class Rise(TypedDict):
    """An emotion that has become commoner: shares with their 95 % intervals."""

    label: str
    share: float
    low: float
    high: float
    before: float
    before_low: float
    before_high: float


class Rises:
    """Watches posts one after another.

    A rise is told once, when the interval of the latest posts begins above the end of that of the posts
    before them; again only after the two have met in between.

    Args:
        labels: What posts may hold.
        window: How many posts are the latest.
    """

    def __init__(self, labels: Sequence[str], window: int) -> None:
        self._labels = tuple(labels)
        self._latest: deque[np.ndarray] = deque()
        self._before: deque[np.ndarray] = deque()
        self._window = window
        self._counts = np.zeros((2, len(self._labels)), int)  # of the latest, and before
        self._up = np.zeros(len(self._labels), bool)

    def add(self, held: np.ndarray) -> list[Rise]:
        """Take the labels of a post and return the rises that begin with it."""
        self._latest.append(held)
        self._counts[0] += held
        if len(self._latest) > self._window:
            old = self._latest.popleft()
            self._before.append(old)
            self._counts += np.stack([-1 * old, 1 * old])
        if len(self._before) > _BEFORE * self._window:
            self._counts[1] -= self._before.popleft()
        if len(self._before) < self._window:
            return []
        rises = []
        for i, label in enumerate(self._labels):
            low, high = wilson(now := self._counts[0, i], len(self._latest))
            before_low, before_high = wilson(then := self._counts[1, i], len(self._before))
            if low > before_high and not self._up[i]:
                share, before = float(now / len(self._latest)), float(then / len(self._before))
                rises.append(Rise(label=label, share=share, low=low, high=high, before=before,
                                  before_low=before_low, before_high=before_high))  # fmt: skip
            self._up[i] = low > before_high
        return rises
