"""Characters of texts: which row of the embedding a character has, and which characters a word-piece spans.

No loop over characters but `reference_characters`, which repeats how published checkpoints were fed:
all texts of a chunk become one array of code points, and a fast tokenizer's offsets rows and spans in it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affekt.errors import ModelError
from affekt.text.surrogates import mended

Ints = NDArray[np.int64]

SEPARATOR = 0  # the row between pieces, of special tokens, and of padding
SPACE_MARK = "Ġ"  # how byte-level tokenizers write the space before a word
REFERENCE_CHARACTERS = 6  # characters per position in the reference's fixed-length input
LONGEST_PIECE = 32  # characters read of one piece: bounds what an unknown 100-letter word can cost
CODE_POINTS = 0x110000
CHUNK = 1024  # texts laid out at once

# Inclusive ranges of code points with a row of their own in the default vocabulary; the rest share buckets.
DEFAULT_BLOCKS = (
    (0x21, 0x7E),  # ASCII
    (0xA1, 0x11F),  # Latin-1 and Latin Extended-A, but not SPACE_MARK (0x120)
    (0x121, 0x17F),
    (0x200D, 0x200D),  # joiner of emoji sequences
    (0x2010, 0x2027),  # dashes, quotation marks, ellipsis
    (0x20AC, 0x20AC),  # euro
    (0x2600, 0x27BF),  # weather, faces, dingbats, hearts
    (0xFE0F, 0xFE0F),  # emoji variant
    (0x1F1E6, 0x1F1FF),  # flags
    (0x1F300, 0x1F64F),  # pictographs, skin tones, faces
    (0x1F680, 0x1F6FF),  # transport
    (0x1F900, 0x1FAFF),  # newer faces, hands, hearts, things
)
DEFAULT_BUCKETS = 256  # a code point's low byte: no two letters of one 256-aligned block share a bucket


@dataclass(frozen=True)
class CharacterVocabulary:
    """The embedding row of every character.

    `entries[i]` is the character of row i; an entry that is not one character is a row no text reaches.
    Characters without an entry share the `buckets` rows from `unknown` on, by code point modulo `buckets`.
    Row 0 separates pieces and stands for special tokens and padding.
    """

    entries: tuple[str, ...]
    unknown: int
    buckets: int = 1

    def __len__(self) -> int:
        """Return the number of embedding rows."""
        return max(len(self.entries), self.unknown + self.buckets)

    @classmethod
    def default(cls) -> "CharacterVocabulary":
        """Return the vocabulary for new models: rows for Latin letters, marks and emoji, else buckets."""
        characters = [chr(code) for low, high in DEFAULT_BLOCKS for code in range(low, high + 1)]
        entries = (" ", *characters)
        return cls(entries, unknown=len(entries), buckets=DEFAULT_BUCKETS)

    @classmethod
    def from_file(cls, path: Path) -> "CharacterVocabulary":
        r"""Read the published form: one character a line, line i being row i, the last line the unknown row.

        Lines end at "\n" only, since other separators may be entries. Of two equal lines the later counts.
        """
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"character vocabulary {path} cannot be read as UTF-8 text: {error}.") from error
        lines = [line if len(line) < 2 else line.removesuffix("\r") for line in text.split("\n")]
        if lines[-1] == "":  # what follows the final line end
            lines.pop()
        if len(lines) < 2:
            raise ModelError(
                f"character vocabulary {path} has {len(lines)} lines: give one character a line, "
                "the first the separator's and the last the unknown row."
            )
        return cls(tuple(lines), unknown=len(lines) - 1)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {"entries": list(self.entries), "unknown": self.unknown, "buckets": self.buckets}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CharacterVocabulary":
        """Rebuild a vocabulary."""
        return cls(tuple(data["entries"]), int(data["unknown"]), int(data["buckets"]))

    @cached_property
    def table(self) -> NDArray[np.int32]:
        """Return the row of every code point, (1114112,)."""
        table = (self.unknown + np.arange(CODE_POINTS) % self.buckets).astype(np.int32)
        for row, entry in enumerate(self.entries):
            if len(entry) == 1:
                table[ord(entry)] = row
        return table

    @cached_property
    def space_mark(self) -> int | None:
        """The row of the space mark, where the vocabulary has one (the published RoBERTa form)."""
        return int(self.table[ord(SPACE_MARK)]) if SPACE_MARK in self.entries else None


@dataclass(frozen=True, eq=False)
class CharacterRow:
    """One tokenised text: its pieces, all its characters, and where each piece's characters begin and end."""

    pieces: NDArray[np.int32]  # (t,) token ids
    characters: NDArray[np.int32]  # (c,) embedding rows
    firsts: NDArray[np.int32]  # (t,) into characters
    lasts: NDArray[np.int32]  # (t,) into characters, inclusive

    def __len__(self) -> int:
        return len(self.pieces)


class CharacterSlots(NamedTuple):
    """Where the characters of consecutive pieces go: each piece's own slots, then one separator."""

    firsts: Ints  # (p,)
    lasts: Ints  # (p,)
    source: Ints  # (s,) which code points are read ...
    target: Ints  # (s,) ... into which slots
    slots: int


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """Return the ranges start, start + 1, ... of the given lengths, one after another.

    >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def lay_out(begins: Ints, lengths: Ints, marks: Ints) -> CharacterSlots:
    """Give every piece its slots: a space mark where `marks` is 1, then its characters; at least one slot."""
    used = np.maximum(lengths + marks, 1)
    firsts = np.cumsum(used + 1) - (used + 1)
    return CharacterSlots(
        firsts=firsts,
        lasts=firsts + used - 1,
        source=_ranges(begins, lengths),
        target=_ranges(firsts + marks, lengths),
        slots=int((used + 1).sum()),
    )


class CharacterReader:
    """Tokenises texts and gives every piece the characters of the text it came from.

    The characters are the text's own, found by the tokenizer's offsets: an uncased piece keeps its capitals,
    an unknown word and an emoji keep their characters, a "#" is a character like others, and the byte pieces
    of one character all span that character. Special tokens span one slot with the separator's row.
    """

    def __init__(self, tokenizer: Any, vocabulary: CharacterVocabulary, max_length: int) -> None:
        if not tokenizer.is_fast:
            raise ModelError(
                f"tokenizer {type(tokenizer).__name__} reports no offsets: CharBERT needs a fast tokenizer, "
                "or compatible=True to spell the pieces themselves."
            )
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.max_length = max_length
        pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        self._special = np.zeros(len(pieces), dtype=bool)
        self._special[[i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id]] = True
        self._marked = np.zeros(len(pieces), dtype=np.int64)
        if vocabulary.space_mark is not None:
            self._marked[:] = [(piece or "").startswith(SPACE_MARK) for piece in pieces]

    def read(self, texts: Sequence[str]) -> list[CharacterRow]:
        """Return one row per text, truncated to `max_length` pieces; never empty."""
        return [
            row for start in range(0, len(texts), CHUNK) for row in self._chunk(texts[start : start + CHUNK])
        ]

    def _chunk(self, texts: Sequence[str]) -> Iterator[CharacterRow]:
        texts = list(map(mended, texts))  # no tokenizer takes half a surrogate pair
        pieces, offsets = self._encode(texts)
        counts = np.array([len(row) for row in pieces])
        ids = np.fromiter(chain.from_iterable(pieces), dtype=np.int64)
        begins, ends = offsets.T
        codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4")
        text_starts = np.cumsum([0, *map(len, texts)])[:-1]

        lengths = np.where(self._special[ids], 0, np.minimum(ends - begins, LONGEST_PIECE))
        marks = self._marked[ids]
        layout = lay_out(begins + np.repeat(text_starts, counts), lengths, marks)
        characters = np.full(layout.slots, SEPARATOR, dtype=np.int32)
        characters[layout.target] = self.vocabulary.table[codes[layout.source]]
        characters[layout.firsts[marks == 1]] = self.vocabulary.space_mark or SEPARATOR

        piece_bounds = np.cumsum([0, *counts])
        slot_bounds = np.append(layout.firsts, layout.slots)[piece_bounds]
        shift = np.repeat(slot_bounds[:-1], counts)
        per_piece = [a.astype(np.int32) for a in (ids, layout.firsts - shift, layout.lasts - shift)]
        for row in range(len(texts)):
            own = slice(piece_bounds[row], piece_bounds[row + 1])
            slots = slice(slot_bounds[row], slot_bounds[row + 1])
            row_ids, firsts, lasts = (array[own] for array in per_piece)
            yield CharacterRow(row_ids, characters[slots], firsts, lasts)

    def _encode(self, texts: list[str]) -> tuple[list[list[int]], Ints]:
        """Return the pieces of each text and the (begin, end) of all pieces in their own text, (p, 2)."""
        encoded = self.tokenizer(
            texts, truncation=True, max_length=self.max_length, padding=False, return_offsets_mapping=True
        )
        pieces, offsets = encoded["input_ids"], encoded["offset_mapping"]
        for row in range(len(texts)):
            if not pieces[row]:  # a tokenizer without special tokens, an empty text
                pieces[row], offsets[row] = [nothing_id(self.tokenizer)], [(0, 0)]
        flat = chain.from_iterable(chain.from_iterable(offsets))
        return pieces, np.fromiter(flat, dtype=np.int64).reshape(-1, 2)


def nothing_id(tokenizer: Any) -> int:
    """Return the id that stands for a text of no pieces: the unknown piece's, else the padding's, else 0."""
    known = (i for i in (tokenizer.unk_token_id, tokenizer.pad_token_id) if i is not None)
    return int(next(known, 0))


def reference_characters(
    pieces: Sequence[str],
    max_length: int,
    vocabulary: CharacterVocabulary,
    *,
    special: Collection[str],
    padding_takes_slots: bool = True,
) -> tuple[list[int], list[int], list[int]]:
    """Return character rows, firsts and lasts as the published checkpoints' own fine-tuning code made them.

    Its faults are kept: "#" at either end of a piece is dropped; a piece of nothing but "#" gets no span, so
    every later span belongs to the piece before; a piece cut off by the fixed length (6 characters a
    position) has a beginning but no end; what is missing points to the last slot.

    Args:
        pieces: the word-pieces with the special tokens, without padding, at most `max_length`.
        max_length: positions after padding.
        vocabulary: a published vocabulary.
        special: the special tokens, the unknown piece among them: one slot with the separator's row each.
        padding_takes_slots: as for classifying sentences; for tagging, padding points to the last slot.
    """
    limit = REFERENCE_CHARACTERS * max_length
    characters: list[int] = []
    firsts: list[int] = []
    lasts: list[int] = []
    spelled = [None if piece in special else piece.strip("#") for piece in pieces]
    if padding_takes_slots:
        spelled += [None] * (max_length - len(pieces))
    for piece in spelled:
        rows = [SEPARATOR] if piece is None else [int(vocabulary.table[ord(c)]) for c in piece]
        kept = rows[: limit - len(characters)]
        if kept:
            firsts.append(len(characters))
            if len(kept) == len(rows):
                lasts.append(len(characters) + len(rows) - 1)
        characters += [*kept, SEPARATOR]
        if len(characters) >= limit:
            break
    characters = (characters + [SEPARATOR] * limit)[:limit]
    firsts += [limit - 1] * (max_length - len(firsts))
    lasts += [limit - 1] * (max_length - len(lasts))
    return characters, firsts, lasts


@dataclass(frozen=True)
class ReferenceReader:
    """Tokenises texts as `reference_characters` spells them, all rows of one fixed length."""

    tokenizer: Any
    vocabulary: CharacterVocabulary
    max_length: int

    def read(self, texts: Sequence[str]) -> list[CharacterRow]:
        """Return one row per text, truncated to `max_length` pieces; never empty."""
        texts = list(map(mended, texts))  # no tokenizer takes half a surrogate pair
        if not texts:
            return []
        encoded = self.tokenizer(texts, truncation=True, max_length=self.max_length, padding=False)
        return [self._row(ids or [nothing_id(self.tokenizer)]) for ids in encoded["input_ids"]]

    def _row(self, ids: list[int]) -> CharacterRow:
        pieces, special = self.tokenizer.convert_ids_to_tokens(ids), set(self.tokenizer.all_special_tokens)
        spelled = reference_characters(pieces, self.max_length, self.vocabulary, special=special)
        return CharacterRow(*(np.array(values, dtype=np.int32) for values in (ids, *spelled)))
