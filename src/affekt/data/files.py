"""Data files as tables of rows: csv, tsv and jsonl, plain or gzipped, and parquet.

Reading is lazy, and memory holds a few hundred rows at a time.
"""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.errors import DataError, first_line

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

CHUNK = 512  # rows of a batch
_FIELD_LIMIT = 1 << 24  # characters; a longer field is taken for a quote that is never closed
_CELLS = 1 << 18  # of a batch at most, where there are many columns
_PEEK = 100  # rows of a jsonl file whose keys make its columns
_NOT_TEXT = {
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "is compressed; add .gz to its name",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; save it as csv",
    b"PAR1": "is a parquet file; give it the extension .parquet",
}


@dataclass(frozen=True)
class Row:
    """One row: its number, its values by column, and what is wrong with it as a whole, if anything."""

    number: int
    values: Mapping[str, Any]
    fault: str = ""


class Batch(Protocol):
    """Rows that follow one another: their numbers, their cells, and faults of whole rows."""

    @property
    def numbers(self) -> Sequence[int]:
        """Of the rows in their file."""
        ...

    @property
    def faults(self) -> Mapping[int, str]:
        """By position."""
        ...

    def column(self, name: str) -> Sequence[Any]:
        """Return a column's cells; None where a row has none."""
        ...

    def names(self) -> Iterable[str]:
        """Return the columns that the rows have."""
        ...

    def values(self, position: int) -> Mapping[str, Any]:
        """Return a row's cells by column."""
        ...


@dataclass(frozen=True)
class Table:
    """An open file: its short name, its columns, which of them hold lists, and its rows (to be read once)."""

    name: str
    columns: tuple[str, ...]
    list_columns: frozenset[str]
    batches: Iterator[Batch]

    @property
    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        for batch in self.batches:
            for position in range(len(batch.numbers)):
                yield row_at(batch, position)


def row_at(batch: Batch, position: int) -> Row:
    """Return one row of a batch."""
    return Row(batch.numbers[position], batch.values(position), batch.faults.get(position, ""))


def distinct(columns: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the columns' names, which must differ."""
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise DataError(f"{source} has more than one column named {', '.join(map(repr, twice))}; rename one")
    return tuple(columns)


def open_table(
    path: str | Path,
    *,
    delimiter: str | None = None,
    quoted: bool = True,
    only: Collection[str] | None = None,
    size: int = CHUNK,
) -> AbstractContextManager[Table]:
    """Open a csv, tsv, jsonl or parquet file; the text formats may end in .gz.

    Args:
        path: The file.
        delimiter: What parts the columns of a csv or tsv file, where it is not "," or a tab.
        quoted: Whether quotes enclose fields in csv and tsv; if not, they are ordinary characters.
        only: The columns that are needed; others may be left out of the rows.
        size: Rows of a batch, at most.
    """
    path = Path(path)
    suffix = _format_of(path)
    if suffix == ".parquet":
        return _open_parquet(path, only, size)
    if suffix in (".jsonl", ".ndjson"):
        return _open_json_lines(path, size)
    return _open_delimited(path, delimiter or ("\t" if suffix == ".tsv" else ","), quoted, size)


def _format_of(path: Path) -> str:
    """Return the extension that says how to read a file, after checking that there is something to read."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it ({', '.join(FORMATS)})")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if zipped else suffixes[-1:])
    if suffix not in FORMATS or (zipped and suffix == ".parquet"):
        raise DataError(
            f"{path} has no extension that says its format; known are {', '.join(FORMATS)}, "
            "with .gz after it for compressed text"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    return suffix


@contextmanager
def _open_text(path: Path, newline: str) -> Iterator[io.TextIOWrapper]:
    """Open a UTF-8 file; other bytes become lone surrogates, to be found later by row."""
    try:
        file = gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # noqa: SIM115
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}") from fault
    with file:
        with _whole(path):
            head = file.peek(4)[:4]
        if not head:
            raise DataError(f"{path} is empty")
        for start, remedy in _NOT_TEXT.items():
            if head.startswith(start):
                raise DataError(f"{path} {remedy}")
        if head.startswith(codecs.BOM_UTF8):
            file.read(len(codecs.BOM_UTF8))
        yield io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline=newline)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Say of what fails while reading that the file is damaged."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path} is damaged or cut off: {fault}") from fault


# --- csv and tsv


@dataclass(frozen=True)
class _Records:
    """Rows as lists of cells, in the order of the columns."""

    numbers: Sequence[int]
    faults: Mapping[int, str]
    places: Mapping[str, int]  # of the columns
    records: Sequence[Sequence[str | None]]

    def names(self) -> Iterable[str]:
        return self.places

    def column(self, name: str) -> Sequence[Any]:
        place = self.places[name]
        return [record[place] for record in self.records]

    def values(self, position: int) -> Mapping[str, Any]:
        return dict(zip(self.places, self.records[position], strict=True))


@contextmanager
def _open_delimited(path: Path, delimiter: str, quoted: bool, size: int) -> Iterator[Table]:
    with _open_text(path, newline="") as lines:
        try:
            reader = csv.reader(
                lines,
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
        batches = (_batch(chunk, first, places) for chunk, first in zip(chunks, numbers, strict=False))
        yield Table(path.name, columns, frozenset(), batches)


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


def _batch(chunk: _Chunk, first: int, places: Mapping[str, int]) -> _Records:
    records, errors = chunk
    if set(map(len, records)) == {len(places)}:
        return _Records(range(first, first + len(records)), {}, places, records)
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
    return _Records(numbers, faults, places, kept)


def _quote_fault(fault: csv.Error) -> str:
    reason = str(fault)
    if "unexpected end" in reason or "field limit" in reason:
        reason = "a quote opened in this row is never closed"
    elif "expected after" in reason:
        reason = "a closing quote is followed by more text"
    return f"{reason}; if quotes are ordinary characters in this file, read it with quoted=False"


# --- jsonl


_JSON = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class _Objects:
    """Rows as mappings, each with columns of its own."""

    numbers: Sequence[int]
    faults: Mapping[int, str]
    objects: Sequence[Mapping[str, Any]]

    def names(self) -> Iterable[str]:
        return dict.fromkeys(name for row in self.objects for name in row)

    def column(self, name: str) -> Sequence[Any]:
        return [row.get(name) for row in self.objects]

    def values(self, position: int) -> Mapping[str, Any]:
        return self.objects[position]


@contextmanager
def _open_json_lines(path: Path, size: int) -> Iterator[Table]:
    with _open_text(path, newline="\n") as lines:
        rows = (_json_row(number, line) for number, line in enumerate(lines, start=1) if not line.isspace())
        with _whole(path):
            first = list(islice(rows, _PEEK))
        if not first:
            raise DataError(f"{path} is empty")
        columns = tuple(dict.fromkeys(name for row in first for name in row.values))
        lists = {name for row in first for name, value in row.values.items() if isinstance(value, list)}
        yield Table(path.name, columns, frozenset(lists), _object_batches(chain(first, rows), size, path))


def _object_batches(rows: Iterator[Row], size: int, path: Path) -> Iterator[Batch]:
    while True:
        with _whole(path):
            chunk = list(islice(rows, size))
        if not chunk:
            return
        faults = {position: row.fault for position, row in enumerate(chunk) if row.fault}
        yield _Objects([row.number for row in chunk], faults, [row.values for row in chunk])


def _json_row(number: int, line: str) -> Row:
    try:
        value = _JSON.decode(line)
    except (ValueError, RecursionError) as fault:
        return Row(number, {}, f"the line is not JSON ({fault})")
    if not isinstance(value, dict):
        return Row(number, {}, f"the line holds a JSON {type(value).__name__} where an object is wanted")
    return Row(number, value)


# --- parquet and frames


@dataclass(frozen=True)
class _Arrow:
    """Rows of a record batch, whose columns become Python values when they are asked for."""

    numbers: range
    batch: pa.RecordBatch
    faults: Mapping[int, str] = field(default_factory=dict)
    found: dict[str, Sequence[Any]] = field(default_factory=dict)

    def names(self) -> Iterable[str]:
        return self.batch.schema.names  # type: ignore[no-any-return]

    def column(self, name: str) -> Sequence[Any]:
        if name not in self.found:
            self.found[name] = _cells(self.batch.column(name))
        return self.found[name]

    def values(self, position: int) -> Mapping[str, Any]:
        return {name: self.column(name)[position] for name in self.names()}


@contextmanager
def _open_parquet(path: Path, only: Collection[str] | None, size: int) -> Iterator[Table]:
    """Open a parquet file; its rows are counted from 1, and `only` limits the columns that are read."""
    try:
        file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} can't be read as parquet: {first_line(fault)}") from fault
    with file:
        names = distinct(file.schema_arrow.names, str(path))
        wanted = [name for name in names if only is None or name in only]
        batches = _whole_batches(file.iter_batches(batch_size=size, columns=wanted), path)
        yield Table(path.name, names, _list_columns(file.schema_arrow), _arrow_batches(batches, first=1))


def frame_table(frame: Any, name: str = "frame") -> Table:
    """Return the table of a pandas, polars or pyarrow frame; its rows are counted from 0."""
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as fault:
        reason = first_line(fault)
        raise DataError(f"{type(frame).__name__} can't be read as a data frame: {reason}") from fault
    names = distinct(table.schema.names, name)
    batches = _arrow_batches(table.to_batches(max_chunksize=CHUNK), first=0)
    return Table(name, names, _list_columns(table.schema), batches)


def _arrow_batches(batches: Iterable[pa.RecordBatch], first: int) -> Iterator[Batch]:
    for batch in batches:
        yield _Arrow(range(first, first + batch.num_rows), batch)
        first += batch.num_rows


def _whole_batches(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} is damaged or cut off: {first_line(fault)}") from fault


def _list_columns(schema: pa.Schema) -> frozenset[str]:
    return frozenset(field.name for field in schema if _is_list(field.type))


def _is_list(kind: pa.DataType) -> bool:
    plain = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    views = (pa.types.is_list_view, pa.types.is_large_list_view)
    return any(test(kind) for test in (*plain, *views))


def _cells(column: pa.Array) -> list[Any]:
    """Return Python values; what Python can't hold comes as text, odd bytes in it as lone surrogates."""
    try:
        return [_decoded(value) for value in column.to_pylist()]
    except (ValueError, OverflowError, pa.ArrowException):
        return [_cell(scalar) for scalar in column]


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _cell(scalar: pa.Scalar) -> Any:
    try:
        return _decoded(scalar.as_py())
    except (ValueError, OverflowError, pa.ArrowException):
        kind = scalar.type
        if isinstance(scalar, pa.MapScalar):
            return [(_cell(member["key"]), _cell(member["value"])) for member in scalar.values]
        if _is_list(kind):
            return [_cell(member) for member in scalar.values]
        if pa.types.is_struct(kind):
            return {name: _cell(member) for name, member in scalar.items()}
        if pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
            return _cell(scalar.value)
        if pa.types.is_temporal(kind):
            return _time_as_text(scalar)
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")


def _time_as_text(scalar: pa.Scalar) -> str:
    """Return a date or time outside Python's range, finer than it, or of a zone it doesn't know (as UTC)."""
    kind = scalar.type
    if pa.types.is_duration(kind):
        return f"{scalar.value} {kind.unit}"
    unit: Any = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date64(kind) else kind.unit
    return str(np.datetime64(scalar.value, unit)) + ("Z" if getattr(kind, "tz", None) else "")
