"""Lone surrogates: what stands in a string for bytes that are not UTF-8, and halves of escaped pairs."""

import re

SURROGATES = "\ud800-\udfff"  # as part of a regular expression's set

_LONE = re.compile(f"[{SURROGATES}]")


def is_sound(text: str) -> bool:
    """Whether UTF-8 can hold a text."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def fault_of(text: str) -> str:
    r"""Return what keeps a text from being UTF-8, or "".

    >>> fault_of("caf\udce9")
    'holds the byte 0xe9 at character 4, which is not UTF-8'
    """
    if text.isascii() or not (lone := _LONE.search(text)):
        return ""
    code = ord(lone[0])
    odd = f"the byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else "half a surrogate pair"
    return f"holds {odd} at character {lone.start() + 1}, which is not UTF-8"


def mended(text: str) -> str:
    r"""Return a text that UTF-8 can hold: each lone surrogate is U+FFFD, so that places stay the same.

    >>> mended("caf\udce9")
    'caf\ufffd'
    """
    return text if is_sound(text) else _LONE.sub("\ufffd", text)


def paired(text: str) -> str:
    r"""Return a text with halves that belong together made whole, and U+FFFD for the others.

    >>> paired("\ud83d\ude42 \ud83d")
    '🙂 \ufffd'
    """
    if is_sound(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
