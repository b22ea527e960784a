"""Data files as tables of rows: csv, tsv, jsonl, json and txt, plain or gzipped, xlsx and parquet.

Reading is lazy, and memory holds a few hundred rows at a time.
"""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from affekt.data.arrow import open_parquet
from affekt.data.spreadsheets import open_spreadsheet
from affekt.data.tables import CHUNK, Batch, Row, Table, distinct, in_batches, readable
from affekt.errors import DataError, reachable

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
MORE_FORMATS = (".json", ".txt", ".xlsx")  # read where a file is named, and not looked for in folders

_FIELD_LIMIT = 1 << 24  # characters; a longer field is taken for a quote that is never closed
_CELLS = 1 << 18  # of a batch at most, where there are many columns
_PEEK = 100  # rows of a jsonl file whose keys make its columns
_NOT_TEXT = {
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "is compressed; add .gz to its name",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; name it .xlsx, or save it as csv",
    b"PAR1": "is a parquet file; give it the extension .parquet",
}
_WINDOWS = "cp1252"  # what spreadsheets of western Europe and America write
_MARKS = re.compile(  # a letter of UTF-8, or a byte that is part of none
    rb"([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})|[\x80-\xff]"
)
_ESCAPE = "affekt.escape"


class _Escape:
    """The error handler "surrogateescape", which counts: where it meets nothing, no text need be checked."""

    met = 0

    def __call__(self, fault: UnicodeError) -> tuple[str | bytes, int]:
        self.met += 1
        return codecs.lookup_error("surrogateescape")(fault)


_escape = _Escape()
codecs.register_error(_ESCAPE, _escape)


def open_table(
    path: str | Path,
    *,
    delimiter: str | None = None,
    quoted: bool = True,
    encoding: str | None = None,
    only: Collection[str] | None = None,
    size: int = CHUNK,
) -> AbstractContextManager[Table]:
    """Open a csv, tsv, jsonl, json, txt, xlsx or parquet file; the text formats may end in .gz.

    Args:
        path: The file.
        delimiter: What parts the columns of a csv or tsv file, where it is not a tab and the
            header does not show it.
        quoted: Whether quotes enclose fields in csv and tsv; if not, they are ordinary characters.
        encoding: Of a text format. Unless said UTF-8, or cp1252 where most of what is not ASCII shows that,
            which the table's notes then say.
        only: The columns that are needed; others may be left out of the rows.
        size: Rows of a batch, at most.
    """
    path = Path(path)
    with reachable(path):
        suffix = _format_of(path)
    if suffix == ".parquet":
        return open_parquet(path, only, size)
    if suffix == ".xlsx":
        return open_spreadsheet(path, size)
    if suffix in _OPENED:
        return _OPENED[suffix](path, encoding, size)
    return _open_delimited(path, delimiter or ("\t" if suffix == ".tsv" else None), quoted, encoding, size)


def _format_of(path: Path) -> str:
    """Return the extension that says how to read a file, after checking that there is something to read."""
    known = (*FORMATS, *MORE_FORMATS)
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it ({', '.join(known)})")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if zipped else suffixes[-1:])
    if suffix not in known or (zipped and suffix in (".parquet", ".xlsx")):
        raise DataError(
            f"{path} has no extension that says its format; known are {', '.join(known)}, "
            "with .gz after it for compressed text"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    return suffix


@contextmanager
def _open_text(
    path: Path, newline: str | None, encoding: str | None
) -> Iterator[tuple[io.TextIOWrapper, tuple[str, ...]]]:
    """Open a text file, with what is to be said of its encoding.

    Bytes that are not in its encoding become lone surrogates, to be found later by row.
    """
    if encoding:
        try:
            io.TextIOWrapper(io.BytesIO(), encoding)
        except (LookupError, ValueError) as fault:
            raise DataError(f"{encoding!r} is no encoding; name one such as utf-8, cp1252, utf-16") from fault
    try:
        file = _bytes_of(path)
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}") from fault
    with file:
        with _whole(path):
            head = file.peek(4)[:4]
        if not head:
            raise DataError(f"{path} is empty")
        for start, remedy in _NOT_TEXT.items():
            if not encoding and head.startswith(start):
                raise DataError(f"{path} {remedy}")
        if head.startswith(codecs.BOM_UTF8) and encoding in (None, "utf-8-sig"):
            file.read(len(codecs.BOM_UTF8))
            encoding = "utf-8"
        notes: tuple[str, ...] = ()
        if not (encoding or _is_utf8(path)):
            encoding = _WINDOWS
            notes = (f"{path.name} is not UTF-8: it is read as {encoding}, unless you name its encoding",)
        yield io.TextIOWrapper(file, encoding or "utf-8", _ESCAPE, newline), notes


def _bytes_of(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _is_utf8(path: Path) -> bool:
    """Whether a file's first thousand marks outside ASCII are letters of UTF-8 rather than single bytes."""
    letters = others = 0
    with _bytes_of(path) as file, _whole(path):
        while letters + others < 1000 and (block := file.read(1 << 18) + file.readline(1 << 16)):
            if not block.isascii():  # a block ends with a line, so that no letter is cut in two
                found = Counter(bool(mark[1]) for mark in islice(_MARKS.finditer(block), 1000))
                letters, others = letters + found[True], others + found[False]
    return letters >= others


def _whole(path: Path) -> AbstractContextManager[None]:
    """Say of what fails while reading that the file is damaged."""
    return readable((OSError, EOFError, zlib.error, UnicodeError), f"{path} is damaged or cut off")


# --- csv and tsv


@dataclass(frozen=True)
class _Records(Batch):
    """Rows as lists of cells, in the order of the columns."""

    places: Mapping[str, int]  # of the columns
    records: Sequence[Sequence[str | None]]

    @cached_property
    def columns(self) -> Sequence[Sequence[str | None]]:
        return list(zip(*self.records, strict=True)) or [()] * len(self.places)

    def names(self) -> Iterable[str]:
        return self.places

    def column(self, name: str) -> Sequence[Any]:
        return self.columns[self.places[name]]

    def values(self, position: int) -> Mapping[str, Any]:
        return dict(zip(self.places, self.records[position], strict=True))


def _parting(header: str) -> str:
    """Return what parts the columns of a header: a comma, or what spreadsheets of other countries write."""
    other = max(";\t|", key=header.count)
    return other if "," not in header and other in header else ","


@contextmanager
def _open_delimited(
    path: Path, delimiter: str | None, quoted: bool, encoding: str | None, size: int
) -> Iterator[Table]:
    with _open_text(path, "", encoding) as (lines, notes):
        before = _escape.met
        with _whole(path):
            first = lines.readline()
        if delimiter is None:
            delimiter = _parting(first)
            if delimiter != ",":
                notes += (f"{path.name}: its columns are parted by {delimiter!r}, unless you name another",)
        try:
            reader = csv.reader(
                chain([first] if first else [], lines),
                delimiter=delimiter,
                quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
                strict=True,
            )
        except (TypeError, ValueError) as fault:
            raise DataError(f"{delimiter!r} can't part columns: {fault}") from fault
        number, header = 1, _records(reader, 1, path)
        while header == ([[]], {}):
            number, header = number + 1, _records(reader, 1, path)
        records, errors = header
        if not records:
            raise DataError(f"{path} is empty")
        if errors:
            raise DataError(f"{path}: the header can't be read: {_quote_fault(errors[0])}")
        columns = distinct([cell.strip() for cell in records[0]], str(path))
        places = {name: place for place, name in enumerate(columns)}
        size = min(size, max(1, _CELLS // len(places)))
        chunks = iter(lambda: _records(reader, size, path), ([], {}))
        numbers = count(number + 1, size)
        batches = (
            _batch(chunk, first, places, sound=not encoding and _escape.met == before)
            for chunk, first in zip(chunks, numbers, strict=False)
        )
        yield Table(path.name, columns, frozenset(), batches, notes)


_Chunk = tuple[list[list[str]], dict[int, csv.Error]]


def _records(read: Iterator[list[str]], size: int, path: Path) -> _Chunk:
    """Return the next records, blank lines as empty ones, and the faults of those that can't be read."""
    records: list[list[str]] = []
    errors: dict[int, csv.Error] = {}
    before = csv.field_size_limit(_FIELD_LIMIT)  # shared by the whole process, so it is put back
    try:
        while True:
            try:
                with _whole(path):
                    records.extend(islice(read, size - len(records)))
                return records, errors
            except csv.Error as fault:
                errors[len(records)] = fault
                records.append([])
    finally:
        csv.field_size_limit(before)


def _batch(chunk: _Chunk, first: int, places: Mapping[str, int], *, sound: bool) -> _Records:
    records, errors = chunk
    if set(map(len, records)) == {len(places)}:
        return _Records(range(first, first + len(records)), {}, sound, places, records)
    numbers: list[int] = []
    kept: list[Sequence[str | None]] = []
    faults: dict[int, str] = {}
    for position, record in enumerate(records):
        if position in errors:
            faults[len(kept)] = _quote_fault(errors[position])
        elif not record:
            continue
        elif len(record) != len(places):
            faults[len(kept)] = f"the row has {len(record)} fields where the header has {len(places)}"
        numbers.append(first + position)
        kept.append([*record, *[None] * (len(places) - len(record))][: len(places)])
    return _Records(numbers, faults, sound and not faults, places, kept)


def _quote_fault(fault: csv.Error) -> str:
    reason = str(fault)
    if "unexpected end" in reason or "field limit" in reason:
        reason = "a quote opened in this row is never closed"
    elif "expected after" in reason:
        reason = "a closing quote is followed by more text"
    return f"{reason}; if quotes are ordinary characters in this file, read it with quoted=False"


# --- json, jsonl and plain lines


_JSON = json.JSONDecoder(strict=False)


@contextmanager
def _open_lines(path: Path, encoding: str | None, size: int) -> Iterator[Table]:
    """Open a file with a text a line; blank lines are counted but are no rows."""
    with _open_text(path, None, encoding) as (lines, notes):
        texts = (line.removesuffix("\n") for line in lines)
        rows = (Row(number, {"text": text}) for number, text in enumerate(texts, start=1) if text.strip())
        yield Table(path.name, ("text",), frozenset(), in_batches(rows, size, partial(_whole, path)), notes)


@contextmanager
def _open_json_lines(path: Path, encoding: str | None, size: int) -> Iterator[Table]:
    with _open_text(path, "\n", encoding) as (lines, notes):
        rows = (_json_row(number, line) for number, line in enumerate(lines, start=1) if not line.isspace())
        yield _object_table(path, rows, size, notes)


@contextmanager
def _open_json(path: Path, encoding: str | None, size: int) -> Iterator[Table]:
    """Open a file with one list of objects, which is read whole; other JSON is taken for jsonl."""
    with _open_text(path, "\n", encoding) as (text, notes), _whole(path):
        content = text.read()
    if not content.lstrip().startswith("["):
        with _open_json_lines(path, encoding, size) as table:
            yield table
        return
    try:
        objects = _JSON.decode(content)
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{path} is not JSON ({fault})") from fault
    rows = (_object_row(number, value, "entry") for number, value in enumerate(objects, start=1))
    yield _object_table(path, rows, size, notes)


def _object_table(path: Path, rows: Iterator[Row], size: int, notes: tuple[str, ...]) -> Table:
    with _whole(path):
        first = list(islice(rows, _PEEK))
    if not first:
        raise DataError(f"{path} is empty")
    columns = tuple(dict.fromkeys(name for row in first for name in row.values))
    lists = {name for row in first for name, value in row.values.items() if isinstance(value, list)}
    batches = in_batches(chain(first, rows), size, partial(_whole, path))
    return Table(path.name, columns, frozenset(lists), batches, notes)


def _json_row(number: int, line: str) -> Row:
    try:
        return _object_row(number, _JSON.decode(line), "line")
    except (ValueError, RecursionError) as fault:
        return Row(number, {}, f"the line is not JSON ({fault})")


def _object_row(number: int, value: Any, what: str) -> Row:
    if not isinstance(value, dict):
        return Row(number, {}, f"the {what} holds a JSON {type(value).__name__} where an object is wanted")
    return Row(number, value)


_OPENED = {".jsonl": _open_json_lines, ".ndjson": _open_json_lines, ".json": _open_json, ".txt": _open_lines}
