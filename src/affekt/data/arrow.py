"""Parquet files and data frames as tables."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.tables import CHUNK, Batch, Table, distinct, readable

_DAMAGED = (pa.ArrowException, OSError, ValueError, OverflowError)


@dataclass(frozen=True)
class _Arrow(Batch):
    """Rows of a record batch, whose columns become Python values when they are asked for."""

    batch: pa.RecordBatch
    found: dict[str, Sequence[Any]] = field(default_factory=dict)

    def names(self) -> Iterable[str]:
        return self.batch.schema.names  # type: ignore[no-any-return]

    def column(self, name: str) -> Sequence[Any]:
        if name not in self.found:
            self.found[name] = _cells(self.batch.column(name))
        return self.found[name]


@contextmanager
def open_parquet(path: Path, only: Collection[str] | None, size: int) -> Iterator[Table]:
    """Open a parquet file; its rows are counted from 1, and `only` limits the columns that are read."""
    with readable(_DAMAGED, f"{path} can't be read as parquet"):
        file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        found = file.schema_arrow.names
    with file:
        names = distinct(found, str(path))
        if only is not None and "text" in only and "text" not in names:
            only = None  # any column may turn out to hold the texts
        wanted = [name for name in names if only is None or name in only]
        batches = _batches(file.iter_batches(batch_size=size, columns=wanted), 1, path)
        yield Table(path.name, names, _list_columns(file.schema_arrow), batches)


def frame_table(frame: Any, name: str = "frame") -> Table:
    """Return the table of a pandas, polars or pyarrow frame; its rows are counted from 0."""
    refused = (pa.ArrowException, TypeError, ValueError)
    with readable(refused, f"{type(frame).__name__} can't be read as a data frame"):
        table = pa.table(frame)
    names = distinct(table.schema.names, name)
    batches = _batches(table.to_batches(max_chunksize=CHUNK), 0, name)
    return Table(name, names, _list_columns(table.schema), batches)


def _batches(found: Iterable[pa.RecordBatch], first: int, source: object) -> Iterator[Batch]:
    with readable(_DAMAGED, f"{source} is damaged or cut off"):
        for batch in found:
            yield _Arrow(range(first, first + batch.num_rows), {}, False, batch)
            first += batch.num_rows


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
