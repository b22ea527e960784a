"""Typos by design: a fixed, documented corruption of texts, to see what a model makes of misspelt words.

What happens to a text, with a share s:

- It is cut at blanks, which stay as they are. Left alone are handles, hashtags, addresses (of mail and web),
  placeholders in brackets ([NAME], <user>) and whatever has no three letters in a row.
- Of each other word the first run of three or more letters is misspelt with probability s, by one of four
  edits drawn evenly from those that change it: two neighbouring letters change places, a letter is lost, a
  letter is doubled, or a letter gives way to one beside it on a QWERTY keyboard (in the same case; only for
  a to z). Where in the run is drawn evenly too.

The draws of a text depend on the seed and on that text alone. What is drawn for a word does not depend on s:
the words misspelt at a smaller share are misspelt in the same way at a larger one.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

from affekt.errors import check_share

Option = TypeVar("Option")

_UNIT = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_LEFT_ALONE = re.compile(r"[@#]|://|^\W*(?:https?|www\.)|\w\.\w+/|\[\w+\]|<\w+>", re.IGNORECASE)

_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))  # keys, and how far a row is shifted


_PLACES = {key: (row, shift + at) for row, (keys, shift) in enumerate(_ROWS) for at, key in enumerate(keys)}
# for each key the next ones in its own row, and those less than 0.9 keys off in the rows above and below
NEIGHBOURS = {
    key: "".join(
        other
        for other, (row, column) in _PLACES.items()
        if other != key and abs(row - at[0]) <= 1 and abs(column - at[1]) < (1.1 if row == at[0] else 0.9)
    )
    for key, at in _PLACES.items()
}


def with_typos(text: str, share: float, *, seed: int) -> str:
    """Return a text in which about a share of the words has a typo each.

    Args:
        text: Any text, not normalised: handles and addresses are known by their form.
        share: Probability with which a word is misspelt, from 0 to 1.
        seed: The same seed and text give the same typos.

    >>> with_typos("@ann this was absolutely wonderful", 1.0, seed=0).split()[0]
    '@ann'
    """
    check_share("the share of words with a typo", share)
    key = f"{seed}:".encode() + text.encode("utf-8", "surrogatepass")
    draws = random.Random(hashlib.sha256(key).digest())
    done, at = [], 0
    for start, end in words_of(text):
        wanted, edit, place = draws.random(), draws.random(), draws.random()
        neighbour = draws.random()
        if wanted < share:
            done += [text[at:start], _misspelt(text[start:end], edit, place, neighbour)]
            at = end
    return "".join([*done, text[at:]])


def words_of(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the words that may get a typo begin and end."""
    for unit in _UNIT.finditer(text):
        if not _LEFT_ALONE.search(unit[0]) and (word := _LETTERS.search(unit[0])):
            yield unit.start() + word.start(), unit.start() + word.end()


def _misspelt(word: str, edit: float, place: float, neighbour: float) -> str:
    """Return a word with one edit, chosen by three numbers in [0, 1)."""
    swaps = [i for i in range(len(word) - 1) if word[i] != word[i + 1]]
    keys = [i for i, letter in enumerate(word) if letter.lower() in NEIGHBOURS]
    anywhere = list(range(len(word)))
    ways = {"swap": swaps, "loss": anywhere, "doubling": anywhere, "neighbour": keys}
    possible = [way for way, places in ways.items() if places]
    way = _chosen(possible, edit)
    i = _chosen(ways[way], place)
    if way == "swap":
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if way == "loss":
        return word[:i] + word[i + 1 :]
    if way == "doubling":
        return word[: i + 1] + word[i:]
    key = _chosen(NEIGHBOURS[word[i].lower()], neighbour)
    return word[:i] + (key.upper() if word[i].isupper() else key) + word[i + 1 :]


def _chosen(options: Sequence[Option], number: float) -> Option:
    return options[int(number * len(options))]
