"""Data files as tables of rows: csv, tsv and jsonl, plain or gzipped, and parquet.

Reading is lazy, and memory holds a few hundred rows at a time.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from affekt.errors import DataError

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

_FIELD_LIMIT = 1 << 24  # characters; a longer field is taken for a quote that is never closed
_CHUNK = 512
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


@dataclass(frozen=True)
class Table:
    """An open file: its short name, its columns, which of them hold lists, and its rows (to be read once)."""

    name: str
    columns: tuple[str, ...]
    list_columns: frozenset[str]
    rows: Iterator[Row]


def distinct(columns: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the columns' names, which must differ."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{source} has more than one column named {', '.join(map(repr, twice))}; rename one")
    return tuple(columns)


def open_table(
    path: str | Path,
    *,
    delimiter: str | None = None,
    quoted: bool = True,
    only: Collection[str] | None = None,
) -> AbstractContextManager[Table]:
    """Open a csv, tsv, jsonl or parquet file; the text formats may end in .gz.

    Args:
        path: The file.
        delimiter: What parts the columns of a csv or tsv file, where it is not "," or a tab.
        quoted: Whether quotes enclose fields in csv and tsv; if not, they are ordinary characters.
        only: The columns that are needed; others may be left out of the rows.
    """
    path = Path(path)
    suffix = _format_of(path)
    if suffix == ".parquet":
        return open_parquet(path, only)
    if suffix in (".jsonl", ".ndjson"):
        return _open_json_lines(path)
    return _open_delimited(path, delimiter or ("\t" if suffix == ".tsv" else ","), quoted)


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
def _open_text(path: Path, newline: str) -> Iterator[Iterator[str]]:
    """Yield the lines of a UTF-8 file; other bytes become lone surrogates, to be found later by row."""
    try:
        file = gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # noqa: SIM115
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}") from fault
    with file:
        _check_start(file, path)
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
        yield _whole(text, path)


def _check_start(file: gzip.GzipFile | io.BufferedReader, path: Path) -> None:
    try:
        head = file.peek(4)[:4]
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path} is damaged or cut off: {fault}") from fault
    if not head:
        raise DataError(f"{path} is empty")
    for start, remedy in _NOT_TEXT.items():
        if head.startswith(start):
            raise DataError(f"{path} {remedy}")


def _whole(lines: Iterable[str], path: Path) -> Iterator[str]:
    try:
        yield from lines
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path} is damaged or cut off: {fault}") from fault


# --- csv and tsv


@contextmanager
def _open_delimited(path: Path, delimiter: str, quoted: bool) -> Iterator[Table]:
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
        records = (entry for entry in enumerate(_records(reader.__next__), start=1) if entry[1] != [])
        _, header = next(records, (0, None))
        if header is None:
            raise DataError(f"{path} is empty")
        if isinstance(header, csv.Error):
            raise DataError(f"{path}: the header can't be read: {_quote_fault(header)}")
        columns = distinct([cell.strip() for cell in header], str(path))
        rows = (_delimited_row(number, record, columns) for number, record in records)
        yield Table(path.name, columns, frozenset(), rows)


def _records(read: Callable[[], list[str]]) -> Iterator[list[str] | csv.Error]:
    """Yield records, or the fault in place of one; blank lines are empty records."""
    while True:
        before = csv.field_size_limit(_FIELD_LIMIT)  # shared by the whole process, so it is put back
        try:
            chunk = list(islice(_caught(read), _CHUNK))
        finally:
            csv.field_size_limit(before)
        yield from chunk
        if len(chunk) < _CHUNK:
            return


def _caught(read: Callable[[], list[str]]) -> Iterator[list[str] | csv.Error]:
    while True:
        try:
            yield read()
        except StopIteration:
            return
        except csv.Error as fault:
            yield fault


def _delimited_row(number: int, record: list[str] | csv.Error, columns: tuple[str, ...]) -> Row:
    if isinstance(record, csv.Error):
        return Row(number, {}, _quote_fault(record))
    fault = ""
    if len(record) != len(columns):
        fault = f"the row has {len(record)} fields where the header has {len(columns)}"
    return Row(number, dict(zip(columns, record, strict=False)), fault)


def _quote_fault(fault: csv.Error) -> str:
    reason = str(fault)
    if "unexpected end" in reason or "field limit" in reason:
        reason = "a quote opened in this row is never closed"
    elif "expected after" in reason:
        reason = "a closing quote is followed by more text"
    return f"{reason}; if quotes are ordinary characters in this file, read it with quoted=False"


# --- jsonl


@contextmanager
def _open_json_lines(path: Path) -> Iterator[Table]:
    with _open_text(path, newline="\n") as lines:
        rows = (_json_row(number, line) for number, line in enumerate(lines, start=1) if not line.isspace())
        first = list(islice(rows, _PEEK))
        if not first:
            raise DataError(f"{path} is empty")
        columns = tuple(dict.fromkeys(name for row in first for name in row.values))
        lists = {name for row in first for name, value in row.values.items() if isinstance(value, list)}
        yield Table(path.name, columns, frozenset(lists), chain(first, rows))


def _json_row(number: int, line: str) -> Row:
    try:
        value = json.loads(line, strict=False)
    except (ValueError, RecursionError) as fault:
        return Row(number, {}, f"the line is not JSON ({fault})")
    if not isinstance(value, dict):
        return Row(number, {}, f"the line holds a JSON {type(value).__name__} where an object is wanted")
    return Row(number, value)


# --- parquet and frames


@contextmanager
def open_parquet(path: Path, only: Collection[str] | None = None) -> Iterator[Table]:
    """Open a parquet file; its rows are counted from 1, and `only` limits the columns that are read."""
    try:
        file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} can't be read as parquet: {_first_line(fault)}") from fault
    with file:
        names = distinct(file.schema_arrow.names, str(path))
        wanted = [name for name in names if only is None or name in only]
        batches = _whole_batches(file.iter_batches(batch_size=_CHUNK, columns=wanted), path)
        yield Table(path.name, names, _list_columns(file.schema_arrow), arrow_rows(batches, wanted, first=1))


def frame_table(frame: Any, name: str = "frame") -> Table:
    """Return the table of a pandas, polars or pyarrow frame; its rows are counted from 0."""
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as fault:
        reason = _first_line(fault)
        raise DataError(f"{type(frame).__name__} can't be read as a data frame: {reason}") from fault
    names = distinct(table.schema.names, name)
    rows = arrow_rows(table.to_batches(max_chunksize=_CHUNK), names, first=0)
    return Table(name, names, _list_columns(table.schema), rows)


def arrow_rows(batches: Iterable[pa.RecordBatch], names: Collection[str], first: int) -> Iterator[Row]:
    """Yield the rows of record batches, counted from `first`."""
    number = first
    for batch in batches:
        cells = [_cells(batch.column(name)) for name in names]
        for position in range(batch.num_rows):
            yield Row(number, {name: column[position] for name, column in zip(names, cells, strict=True)})
            number += 1


def _whole_batches(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} is damaged or cut off: {_first_line(fault)}") from fault


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def _list_columns(schema: pa.Schema) -> frozenset[str]:
    return frozenset(field.name for field in schema if _is_list(field.type))


def _is_list(kind: pa.DataType) -> bool:
    plain = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    views = (pa.types.is_list_view, pa.types.is_large_list_view)
    return any(test(kind) for test in (*plain, *views))


def _cells(column: pa.Array) -> list[Any]:
    """Return Python values; text that is not UTF-8 keeps its odd bytes as lone surrogates."""
    try:
        return [_decoded(value) for value in column.to_pylist()]
    except UnicodeDecodeError:
        return [_cell(scalar) for scalar in column]


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _cell(scalar: pa.Scalar) -> Any:
    try:
        return _decoded(scalar.as_py())
    except UnicodeDecodeError:
        if _is_list(scalar.type):
            return [_cell(member) for member in scalar.values]
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
