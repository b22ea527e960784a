"""Texts of a file of any length, a batch at a time: what prediction reads."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from affekt.data.columns import Columns, RowFault, broken_text, lay_out, read_row
from affekt.data.files import open_table
from affekt.data.rows import OnBadRow, Row, RowFaults, SkippedRow
from affekt.errors import UsageError


class StreamedRow(NamedTuple):
    """One row: its number in the file, its id, its text, and all its columns as they were."""

    number: int
    id: str
    text: str
    columns: Mapping[str, Any]


def stream(
    path: str | Path,
    *,
    text: str | None = None,
    id: str | None = None,
    columns: Columns | None = None,
    batch_size: int = 1024,
    on_bad_row: OnBadRow = "fail",
    skipped: list[SkippedRow] | None = None,
) -> Iterator[list[StreamedRow]]:
    """Yield the rows of a csv, tsv, jsonl or parquet file in batches, in the order of the file.

    Memory holds one batch, whatever the number of rows; so ids are not checked for repeats. Labels are not
    read. In columns other than text and id, bytes that are not UTF-8 become U+FFFD.

    Args:
        path: The file.
        text: The column with the text; unless said, "text".
        id: The column with row names; unless said, "id" if there is one, else row numbers.
        columns: Both, and how a csv file is written, if more needs saying.
        batch_size: Rows per batch.
        on_bad_row: "fail" at the first row without a usable text, "skip" such rows, or "report" them all at
            the end.
        skipped: A list to which the rows left out are added as they are met.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size = {batch_size!r}: give at least 1 row per batch.")
    base = columns or Columns()
    plain = Columns(text=text or base.text, labels=None, id=base.id if id is None else id)
    faults = RowFaults(on_bad_row)
    faults.skipped = skipped if skipped is not None else faults.skipped
    batch: list[StreamedRow] = []
    with open_table(path, delimiter=base.delimiter, quoted=base.quoted) as table:
        layout = lay_out(table, plain)
        for row in table.rows:
            try:
                if row.fault:
                    raise RowFault(row.fault)
                example = read_row(row, layout)
            except RowFault as fault:
                faults.add(f"{table.name}:{row.number}", str(fault))
                continue
            batch.append(StreamedRow(row.number, example.id, example.text, _readable(row)))
            if len(batch) == batch_size:
                yield batch
                batch = []
    if batch:
        yield batch
    faults.finish()


def _readable(row: Row) -> dict[str, Any]:
    return {column: _mended(value) for column, value in row.values.items()}


def _mended(value: Any) -> Any:
    if isinstance(value, str) and broken_text(value):
        return re.sub("[\ud800-\udfff]+", "\ufffd", value)
    return value
