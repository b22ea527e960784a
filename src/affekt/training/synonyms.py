"""Synonym views: some words of a text replaced by near neighbours among word vectors."""

from collections.abc import Sequence


def replace_words(texts: Sequence[str], *, seed: int, share: float = 0.15) -> list[str]:
    """Return each text with a share of its words replaced."""
    raise NotImplementedError
