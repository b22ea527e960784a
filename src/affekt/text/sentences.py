"""Long texts cut into sentences."""

import re

_END = re.compile(r"(?<=[.!?…。！？])\s+|(?<=[.!?…。！？][\"'”’)\]])\s+|\n+")
_SHORT = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|inc|jr|sr)|\b[A-Z])\.[\"'”’)\]]*$", re.IGNORECASE
)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in order, those that end in an abbreviation joined to the next.

    >>> sentences("Mr. Smith left. Why?! nobody knows…")
    ['Mr. Smith left.', 'Why?!', 'nobody knows…']
    """
    found: list[str] = []
    for part in _END.split(text):
        piece = part.strip()
        if found and _SHORT.search(found[-1]) and piece:
            found[-1] += f" {piece}"
        elif piece:
            found.append(piece)
    return found or [text]
