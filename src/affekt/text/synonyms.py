"""Synonym views: some words of a text replaced by words of like meaning, from a small bundled table.

`synonyms.txt` holds one group of everyday English words a line; every word stands in one group only.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from affekt.errors import check_share

_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
_GLUE = set("@#/_.&-")  # beside these a word is part of a name, a tag or an address


@cache
def synonym_groups() -> dict[str, tuple[str, ...]]:
    """Return for each known word the other words of its group, all in lower case."""
    lines = (files("affekt.text") / "synonyms.txt").read_text(encoding="utf-8").splitlines()
    groups = [tuple(line.split()) for line in lines if line.strip()]
    return {word: tuple(other for other in group if other != word) for group in groups for word in group}


def replace_words(texts: Sequence[str], *, seed: int, share: float = 0.15) -> list[str]:
    """Return each text with some of its known words replaced by synonyms.

    Args:
        texts: Any texts; one without a known word stays as it is.
        seed: Decides which words and by what: a text at a place is always changed the same way.
        share: How many of a text's words are replaced, rounded, as far as the table knows them; at least one.
    """
    check_share("share", share)
    return [_replaced(text, np.random.default_rng([seed, row]), share) for row, text in enumerate(texts)]


def _replaced(text: str, rng: np.random.Generator, share: float) -> str:
    words = list(_WORD.finditer(text))
    known = [word for word in words if _is_known(text, word)]
    if not known or share == 0:
        return text
    count = min(len(known), max(1, round(share * len(words))))
    parts, end = [], 0
    for word in (known[place] for place in sorted(rng.permutation(len(known))[:count])):
        others = synonym_groups()[word[0].lower()]
        parts += [text[end : word.start()], _cased(others[rng.integers(len(others))], word[0])]
        end = word.end()
    return "".join(parts) + text[end:]


def _is_known(text: str, word: re.Match[str]) -> bool:
    before, after = text[max(0, word.start() - 1) : word.start()], text[word.end() : word.end() + 1]
    inside_name = before in _GLUE or (after in _GLUE and text[word.end() + 1 : word.end() + 2].isalnum())
    return word[0].lower() in synonym_groups() and not inside_name and not (before + after).isdigit()


def _cased(synonym: str, word: str) -> str:
    """Write a synonym as the word it replaces is written: JOY, Joy or joy."""
    if len(word) > 1 and word.isupper():
        return synonym.upper()
    return synonym.capitalize() if word[0].isupper() else synonym
