"""Rows of one or several files as texts, targets and label names, all at once or a batch at a time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from affekt.data.columns import Columns, Layout, lay_out
from affekt.data.files import Row, Table, open_table
from affekt.data.targets import (
    Example,
    RowFault,
    Targets,
    broken_text,
    in_order,
    is_marked,
    multi_hot,
    read_row,
)
from affekt.errors import DataError, UsageError

OnBadRow = Literal["fail", "skip", "report"]

_LISTED = 20  # faults written out in a report; the others are counted


@dataclass(frozen=True)
class SkippedRow:
    """A row that was left out, and why."""

    where: str  # "tweets.csv:17"
    reason: str


class RowFaults:
    """The rows that can't be used: stop at the first, leave them out, or list them all at the end.

    Those met so far are in `skipped`.
    """

    def __init__(self, on_bad_row: OnBadRow) -> None:
        if on_bad_row not in get_args(OnBadRow):
            raise DataError(f"on_bad_row is {on_bad_row!r}; it can be 'fail', 'skip' or 'report'")
        self.on_bad_row = on_bad_row
        self.skipped: list[SkippedRow] = []

    def add(self, where: str, reason: str) -> None:
        """Note a fault, or raise it if the first one is to stop the reading."""
        if self.on_bad_row == "fail":
            raise DataError(f"{where}: {reason} (on_bad_row 'skip' leaves such rows out, 'report' lists all)")
        self.skipped.append(SkippedRow(where, reason))

    def finish(self) -> None:
        """Raise one DataError for all faults if they were to be reported."""
        if self.on_bad_row == "report" and self.skipped:
            shown = [f"  {row.where}: {row.reason}" for row in self.skipped[:_LISTED]]
            rest = len(self.skipped) - _LISTED
            more = [f"  and {rest:,} more"] if rest > 0 else []
            raise DataError(
                "\n".join([f"{len(self.skipped):,} row(s) can't be used; mend or skip them:", *shown, *more])
            )


@dataclass(frozen=True)
class Gathered:
    """Everything a corpus is made of, and the split each row names (empty without a split column)."""

    texts: list[str]
    targets: Targets  # (n, k)
    labels: tuple[str, ...]
    single_label: bool
    ids: list[str]
    splits: list[str]
    skipped: tuple[SkippedRow, ...]


@dataclass
class _Reading:
    """What has been read so far."""

    faults: RowFaults
    examples: list[Example] = field(default_factory=list)
    seen: dict[tuple[str, ...], str] = field(default_factory=dict)  # (id, rater) → where
    texts: dict[str, str] = field(default_factory=dict)  # of ids, to see that all raters saw the same
    unclear: dict[str, int] = field(default_factory=dict)  # per table
    rows: int = 0


def gather(
    tables: Sequence[AbstractContextManager[Table]], columns: Columns, on_bad_row: OnBadRow
) -> Gathered:
    """Read tables of the same columns one after the other.

    Row numbers that stand in for ids carry the table's name when there is more than one table.
    """
    reading = _Reading(RowFaults(on_bad_row))
    layouts: list[Layout] = []
    names: list[str] = []
    for opened in tables:
        with opened as table:
            layouts.append(lay_out(table, columns))
            names.append(table.name)
            _read_table(table, layouts[-1], reading, alone=len(tables) == 1)
    if len({(layout.form, layout.single_label) for layout in layouts}) > 1:
        raise DataError(f"{', '.join(names)} hold their labels in different forms; read them one by one")
    reading.faults.finish()
    _require_rows(reading, ", ".join(names))
    gathered = _assemble(reading, layouts[0])
    return _votes(gathered) if columns.rater else gathered


def _read_table(table: Table, layout: Layout, reading: _Reading, *, alone: bool) -> None:
    for row in table.rows:
        reading.rows += 1
        if layout.unclear and is_marked(row.values.get(layout.unclear)):
            reading.unclear[table.name] = reading.unclear.get(table.name, 0) + 1
            continue
        where = f"{table.name}:{row.number}"
        try:
            example = _checked(row, layout, reading, where)
        except RowFault as fault:
            reading.faults.add(where, str(fault))
            continue
        if not (layout.id or alone):
            example = replace(example, id=where)
        reading.examples.append(example)


def _checked(row: Row, layout: Layout, reading: _Reading, where: str) -> Example:
    """Return a row's example if its id is new (or, with raters, its rater is, and the text the same)."""
    if row.fault:
        raise RowFault(row.fault)
    example = read_row(row, layout)
    if layout.id is None:
        return example
    key = (example.id, example.rater)
    if key in reading.seen:
        hint = "" if layout.columns.id else "; id='' numbers the rows instead"
        raise RowFault(f"repeats {example.id!r} of {reading.seen[key]}{hint}", layout.id)
    if layout.columns.rater and reading.texts.setdefault(example.id, example.text) != example.text:
        raise RowFault(f"differs from what other raters of {example.id!r} saw", layout.columns.text)
    reading.seen[key] = where
    return example


def _require_rows(reading: _Reading, source: str) -> None:
    if reading.examples:
        return
    if not reading.rows:
        raise DataError(f"{source} has no rows")
    why = reading.faults.skipped[0] if reading.faults.skipped else None
    first = f"; the first, {why.where}: {why.reason}" if why else ""
    raise DataError(f"none of the {reading.rows:,} rows of {source} can be used{first}")


def _assemble(reading: _Reading, layout: Layout) -> Gathered:
    examples = reading.examples
    names = _label_space(examples, layout)
    if layout.form == "shares":
        targets = np.array([example.shares for example in examples], dtype=np.float32)
    else:
        targets = multi_hot([example.labels for example in examples], names)
    unclear = [
        SkippedRow(table, f"{count:,} rows their raters marked {layout.unclear}")
        for table, count in reading.unclear.items()
    ]
    return Gathered(
        texts=[example.text for example in examples],
        targets=targets,
        labels=names,
        single_label=layout.single_label and layout.form != "none",
        ids=[example.id for example in examples],
        splits=[example.split for example in examples],
        skipped=(*reading.faults.skipped, *unclear),
    )


def _label_space(examples: Sequence[Example], layout: Layout) -> tuple[str, ...]:
    if layout.form == "none":
        return ()
    if layout.names is not None:
        return layout.names
    return in_order({label for example in examples for label in example.labels})


def _votes(gathered: Gathered) -> Gathered:
    """Gather rows of the same id into one whose targets are the mean over its raters."""
    firsts: dict[str, int] = {}
    group = np.array([firsts.setdefault(name, len(firsts)) for name in gathered.ids])
    rows = np.unique(group, return_index=True)[1]  # the first row of each id, in order of appearance
    raters = np.bincount(group).astype(np.float64)
    shares = np.stack(
        [np.bincount(group, weights=column) / raters for column in gathered.targets.T.astype(np.float64)],
        axis=1,
    )
    return replace(
        gathered,
        texts=[gathered.texts[row] for row in rows],
        targets=shares.astype(np.float32),
        ids=[gathered.ids[row] for row in rows],
        splits=[gathered.splits[row] for row in rows],
    )


# --- a batch at a time


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
