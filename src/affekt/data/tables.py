"""Rows of Arrow tables: parquet files and data frames. Memory holds one batch at a time."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.rows import Row, Table, distinct
from affekt.errors import DataError

_BATCH = 512  # rows; few enough for long texts


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
        batches = _whole(file.iter_batches(batch_size=_BATCH, columns=wanted), path)
        yield Table(path.name, names, _list_columns(file.schema_arrow), arrow_rows(batches, wanted, first=1))


def frame_table(frame: Any, name: str = "frame") -> Table:
    """Return the table of a pandas, polars or pyarrow frame; its rows are counted from 0."""
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as fault:
        reason = _first_line(fault)
        raise DataError(f"{type(frame).__name__} can't be read as a data frame: {reason}") from fault
    names = distinct(table.schema.names, name)
    rows = arrow_rows(table.to_batches(max_chunksize=_BATCH), names, first=0)
    return Table(name, names, _list_columns(table.schema), rows)


def arrow_rows(batches: Iterable[pa.RecordBatch], names: Collection[str], first: int) -> Iterator[Row]:
    """Yield the rows of record batches, counted from `first`."""
    number = first
    for batch in batches:
        cells = [_cells(batch.column(name)) for name in names]
        for position in range(batch.num_rows):
            yield Row(number, {name: column[position] for name, column in zip(names, cells, strict=True)})
            number += 1


def _whole(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
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
