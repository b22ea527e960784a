"""What the styles share: passes repeated until they settle, a memory of words, HTML entities."""

import re
from collections.abc import Callable
from functools import lru_cache

_MOST_PASSES = 100
LONGEST_KEPT = 64  # longer pieces are rare and would only fill the caches


def settle(one_pass: Callable[[str], str], text: str) -> str:
    """Repeat `one_pass` until it changes nothing; a pass that would leave nothing is not taken."""
    for _ in range(_MOST_PASSES):
        changed = one_pass(text)
        if not changed or changed == text:
            break
        text = changed
    return text


def remembered(function: Callable[[str], str]) -> Callable[[str], str]:
    """Cache a function of one word: words come back, texts don't."""
    kept = lru_cache(maxsize=1 << 15)(function)
    return lambda word: kept(word) if len(word) <= LONGEST_KEPT else function(word)


def replace_entities(text: str, resolve: Callable[[str], str | None]) -> str:
    """Replace each `&body;` by `resolve(body)`, nested ones too (`&amp;lt;`), in a single walk.

    None leaves an entity as it is. What an entity stands for is read as if it had been written there.
    """
    if "&" not in text or ";" not in text:
        return text
    pending = re.split(r"([&;\s])", text)[::-1]
    done: list[str] = []
    ampersands: list[int] = []  # places in `done` where an entity may have begun
    while pending:
        piece = pending.pop()
        if piece == ";" and ampersands and len(done) > ampersands[-1] + 1:
            start = ampersands.pop()
            meaning = resolve("".join(done[start + 1 :]))
            if meaning is not None:
                del done[start:]
                pending.extend(reversed(meaning))
                continue
        if piece == "&":
            ampersands.append(len(done))
        elif piece == ";" or piece.isspace():
            ampersands.clear()
        if piece:
            done.append(piece)
    return "".join(done)
