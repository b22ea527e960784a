"""A cache of recent answers, bounded by what it holds in bytes; the least recently used go first."""

import sys
from collections import OrderedDict
from typing import Any

import numpy as np

_OVERHEAD = 300  # bytes of an entry beside its text and its numbers


class Cache:
    """Answers by kind and text.

    Args:
        most: Bytes it may hold; 0 keeps nothing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self.bytes = 0

    def get(self, kind: str, text: str) -> Any:
        """Return the answer to a text, or None."""
        if (found := self._held.get((kind, text))) is not None:
            self._held.move_to_end((kind, text))
        return found

    def put(self, kind: str, text: str, answer: Any) -> None:
        """Keep an answer, and let go of the oldest beyond the bound. What has no known size is not kept."""
        if not isinstance(answer, np.ndarray) or (kind, text) in self._held:
            return
        if (size := _size(text, answer)) > self._most:
            return
        self._held[kind, text] = answer
        self.bytes += size
        while self.bytes > self._most:
            (_, old), gone = self._held.popitem(last=False)
            self.bytes -= _size(old, gone)


def _size(text: str, answer: np.ndarray) -> int:
    return sys.getsizeof(text) + answer.nbytes + _OVERHEAD
