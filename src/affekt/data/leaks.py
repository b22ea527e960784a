"""Texts of one data set that another holds too, exactly or nearly: what must not be trained on."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from affekt.data.splits import fold

SIMILAR = 0.65  # from which share of common shingles two texts are nearly the same
SHORT = 24  # letters below which texts are the same or not, and never nearly so
_SHINGLE = 3  # letters
_BANDS, _BAND = 24, 3  # two texts that agree in one of 24 bands of 3 numbers may be compared
_NEIGHBOURS = 2  # on each side in the order of a band, with which a text is compared
_LIKELY = SIMILAR - 0.25  # share of all numbers: what agrees in fewer is not similar, by four deviations
_AT_ONCE = 4096  # texts
_MIXER, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)  # an odd number without a pattern, and bits

_Numbers = npt.NDArray[np.uint32]

_MARK_RUN = re.compile("[\u0300-\u036f]{4,}")  # in which NFKC is quadratic
_WRITTEN_NEWLINE = re.compile(r"\\+[nr](?![a-z])|\\n")
_NAMES = re.compile(
    r"(?:https?://|www\.|(?<![\w.-])(?:[\w-]+\.)+[a-z]{2,}/)\S+|<(?:user|url|email|phone)>"
    r"|(?<!\w)(?:rt )?@\w+|\b(?:https?|httpurl)\b"
)


class _Only(dict[int, str | None]):
    """What `str.translate` leaves of a text: the characters of some Unicode categories, by their initials."""

    def __init__(self, categories: str) -> None:
        super().__init__(dict.fromkeys(map(ord, "`´ʼ")))  # apostrophes that Unicode takes for something else
        self.categories = tuple(categories)

    def __missing__(self, code: int) -> str | None:
        is_variant = 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF  # of the emoji before it
        is_left = unicodedata.category(chr(code)).startswith(self.categories) and not is_variant
        self[code] = chr(code) if is_left else None
        return self[code]


_LETTERS, _EMOJI = _Only("LMN"), _Only("S")


@dataclass(frozen=True)
class Leak:
    """A text that a guarded data set holds too.

    Attributes:
        row: Its position.
        where: The guarded data set's name.
        met: The position of the text there.
        similarity: 1 where both are the same, less where they are nearly so.
    """

    row: int
    where: str
    met: int
    similarity: float


def leaks(train_texts: Sequence[str], guarded: Mapping[str, Sequence[str]]) -> list[Leak]:
    """Find every text that a guarded data set holds too, exactly or nearly.

    Two texts are the same if the same letters and digits are left of them, in order: without case, spacing,
    punctuation, emoji, the marks of hashtags, links, mentions of users and what stands for these (`@user`,
    `http`, `<url>`), with HTML entities resolved and letters of one form (NFKC). They are nearly the same
    if they have 65 % of their shingles in common (`SIMILAR`; a shingle is three letters in a row, and the
    share is of those that either has), as with a word changed in ten, a few more words at the end, or with
    their parts in another order.

    Short texts of under 24 letters (`SHORT`), such as "thanks!", are met by chance. They count if they are
    the same with the same emoji, since a model that saw one knows the answer to the other, and never nearly.
    Texts without any letter or emoji are the same where they differ in case and spacing alone.

    The same is found always. Nearly the same is found by minhash, that is with probability: 99.9 % at 65 %
    and more above. Time grows as that of sorting the texts does.

    Args:
        train_texts: The texts that may be known already.
        guarded: The texts of each data set that must stay unseen, by its name.

    Returns:
        One entry for each text and each guarded data set that holds it, by row; the first that is the same
        there, else one that is nearly.
    """
    mine = Fingerprints(train_texts)
    found = [leak for name, texts in guarded.items() for leak in shared(mine, Fingerprints(texts), name)]
    return sorted(found, key=lambda leak: leak.row)


def overlaps(splits: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return what each two of several splits share.

    Returns:
        For each pair, in order: "one" and "other", the names; "one_in_other" and "other_in_one", each with
        how many rows of the first the second holds too: "same" and "nearly".
    """
    prints = {name: Fingerprints(texts) for name, texts in splits.items()}

    def counts(one: str, other: str) -> dict[str, int]:
        found = shared(prints[one], prints[other], other)
        same = sum(leak.similarity == 1 for leak in found)
        return {"same": same, "nearly": len(found) - same}

    return [
        {"one": one, "other": other, "one_in_other": counts(one, other), "other_in_one": counts(other, one)}
        for one, other in combinations(splits, 2)
    ]


class Fingerprints:
    """What is compared of texts.

    Attributes:
        keys: What is left of each text; the same for texts that are the same.
        rows: The positions of those long enough to be nearly another.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.keys = [_key(text) for text in texts]
        self.rows = np.flatnonzero(np.array([len(key) >= SHORT for key in self.keys], dtype=bool))

    @cached_property
    def first(self) -> dict[str, int]:
        """The first row of each key."""
        rows: dict[str, int] = {}
        for row, key in enumerate(self.keys):
            if key:
                rows.setdefault(key, row)
        return rows

    @cached_property
    def signatures(self) -> _Numbers:
        """(rows, bands, numbers of a band): the minhash of the shingles of the texts in `rows`."""
        keys = [self.keys[row] for row in self.rows]
        parts = [_minhash(keys[at : at + _AT_ONCE]) for at in range(0, len(keys), _AT_ONCE)]
        return np.concatenate(parts or [np.empty((0, _BANDS, _BAND), np.uint32)])

    @cached_property
    def orders(self) -> list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]:
        """Of each band, its sorted numbers, and the positions in `rows` in that order."""
        orders = [(band, np.argsort(band, kind="stable")) for band in self.bands.T]
        return [(band[order], order) for band, order in orders]

    @cached_property
    def bands(self) -> npt.NDArray[np.uint64]:
        """(rows, bands): each band's numbers as one; the lower half, to order those alike, is the next's."""
        whole = np.zeros(self.signatures.shape[:2], np.uint64)
        for at in range(_BAND):
            whole = (whole ^ self.signatures[:, :, at]) * _MIXER
            whole ^= whole >> np.uint64(31)
        high = whole >> _HALF
        return (high << _HALF) | np.roll(high, 1, axis=1)


def shared(one: Fingerprints, other: Fingerprints, name: str) -> list[Leak]:
    """Return the texts of one that the other, of that name, holds too."""
    found = {
        row: Leak(row, name, other.first[key], 1.0) for row, key in enumerate(one.keys) if key in other.first
    }
    for row, met in _candidates(one, other):
        if row not in found and (likeness := _jaccard(one.keys[row], other.keys[met])) >= SIMILAR:
            found[row] = Leak(row, name, met, round(likeness, 4))
    return [found[row] for row in sorted(found)]


def _key(text: str) -> str:
    """Return what is compared of a text."""
    plain = unescape(unescape(text)) if "&" in text else text
    if not plain.isascii():
        plain = unicodedata.normalize("NFKC", _MARK_RUN.sub("", plain))
    plain = plain.casefold()
    if "\\" in plain:
        plain = _WRITTEN_NEWLINE.sub(" ", plain)
    if any(mark in plain for mark in ("@", "http", "www.", "<", "/")):
        plain = _NAMES.sub(" ", plain)
    letters = plain.translate(_LETTERS)
    if len(letters) >= SHORT:
        return letters
    return letters + (plain.translate(_EMOJI) if not plain.isascii() else "") or fold(text)


def _shingles(key: str) -> set[str]:
    return {key[at : at + _SHINGLE] for at in range(len(key) - _SHINGLE + 1)}


def _jaccard(one: str, other: str) -> float:
    a, b = _shingles(one), _shingles(other)
    return len(a & b) / len(a | b)


def _minhash(keys: Sequence[str]) -> _Numbers:
    """Return (n, bands, numbers of a band): the least of each hash over the shingles of each key."""
    codes = np.frombuffer("".join(keys).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    lengths = np.array([len(key) for key in keys])
    ends = lengths.cumsum()
    hashes = np.zeros(len(codes) - _SHINGLE + 1, np.uint64)
    for at in range(_SHINGLE):
        hashes = (hashes ^ codes[at : at + len(hashes)]) * _MIXER
        hashes ^= hashes >> np.uint64(29)
    within = np.ones(len(codes), dtype=bool)
    for at in range(1, _SHINGLE):
        within[ends - at] = False  # a shingle that begins here would run into the next text
    ground = (hashes[within[: len(hashes)]] >> np.uint64(16)).astype(np.uint32)
    starts = np.concatenate([[0], (lengths - _SHINGLE + 1).cumsum()[:-1]])
    draw = np.random.default_rng(0)
    factors = draw.integers(0, 2**31, _BANDS * _BAND, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    shifts = draw.integers(0, 2**32, _BANDS * _BAND, dtype=np.uint32)
    least = [np.minimum.reduceat((ground ^ b) * a, starts) for a, b in zip(factors, shifts, strict=True)]
    return np.stack(least, axis=1).reshape(-1, _BANDS, _BAND)


def _candidates(one: Fingerprints, other: Fingerprints) -> list[tuple[int, int]]:
    """Return for the texts of one that agree with any of the other in a band the one most like it."""
    if not (len(one.rows) and len(other.rows)):
        return []
    best = np.zeros(len(one.rows), dtype=np.int64)  # how many numbers agree
    partner = np.zeros(len(one.rows), dtype=np.int64)
    for mine, (theirs, order) in zip(one.bands.T, other.orders, strict=True):
        first = np.searchsorted(theirs, mine)
        for step in range(-_NEIGHBOURS, _NEIGHBOURS):
            places = np.clip(first + step, 0, len(theirs) - 1)
            agrees = np.flatnonzero(theirs[places] >> _HALF == mine >> _HALF)
            there = order[places[agrees]]
            alike = np.count_nonzero(one.signatures[agrees] == other.signatures[there], axis=(1, 2))
            better = alike > best[agrees]
            best[agrees[better]], partner[agrees[better]] = alike[better], there[better]
    likely = np.flatnonzero(best > _LIKELY * _BANDS * _BAND)
    return [(int(one.rows[at]), int(other.rows[partner[at]])) for at in likely]
