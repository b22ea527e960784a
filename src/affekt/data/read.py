"""Rows of one or several files as texts, targets and label names, all at once or a batch at a time."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args, overload

import numpy as np
import numpy.typing as npt

from affekt.data.cells import Examples, Reader
from affekt.data.columns import Columns, Layout, OnBadRow, lay_out, with_text
from affekt.data.files import open_table
from affekt.data.tables import Batch, Table
from affekt.data.targets import Targets, in_order, multi_hot
from affekt.errors import DataError, UsageError
from affekt.text.surrogates import mended

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
            ways = "on_bad_row='skip' leaves such rows out, on_bad_row='report' lists all"
            raise DataError(f"{where}: {reason} ({ways})")
        self.skipped.append(SkippedRow(where, reason))

    def finish(self) -> None:
        """Raise one DataError for all faults if they were to be reported."""
        if self.on_bad_row == "report" and self.skipped:
            lines = [f"{len(self.skipped):,} row(s) can't be used; mend or skip them:"]
            lines += [f"  {row.where}: {row.reason}" for row in self.skipped[:_LISTED]]
            if (rest := len(self.skipped) - _LISTED) > 0:
                lines.append(f"  and {rest:,} more")
            raise DataError("\n".join(lines))


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
    notes: tuple[str, ...]  # what should be said of how it was read


_FILE = 1 << 40  # what a place counts for each file before


@dataclass
class _Reading:
    """What has been read so far. A place is a row's number, plus `_FILE` for each table before its own."""

    faults: RowFaults
    tables: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    shares: list[npt.NDArray[np.float64]] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # ids
    firsts: dict[str, int] = field(default_factory=dict)  # id → place, of all ids once one repeats
    unlisted: list[tuple[list[str], Sequence[int]]] = field(default_factory=list)  # ids, places to be listed
    rated: dict[tuple[str, str], int] = field(default_factory=dict)  # id and rater → place
    shown: dict[str, str] = field(default_factory=dict)  # id → text, to see that all raters saw the same
    unclear: dict[str, int] = field(default_factory=dict)  # per table
    rows: int = 0
    notes: list[str] = field(default_factory=list)

    def where(self, place: int) -> str:
        """Return the table and row of a place."""
        return f"{self.tables[place // _FILE]}:{place % _FILE}"


def gather(
    tables: Sequence[AbstractContextManager[Table]], columns: Columns, on_bad_row: OnBadRow
) -> Gathered:
    """Read tables of the same columns one after the other.

    Row numbers that stand in for ids carry the table's name when there is more than one table.
    """
    reading = _Reading(RowFaults(on_bad_row))
    layouts: list[Layout] = []
    for opened in tables:
        with opened as table:
            table, plain = with_text(table, columns)
            layouts.append(lay_out(table, plain))
            reading.tables.append(table.name)
            reading.notes += table.notes
            _read_table(table, layouts[-1], reading, alone=len(tables) == 1)
    source = ", ".join(reading.tables)
    if len({(layout.form, layout.single_label) for layout in layouts}) > 1:
        raise DataError(f"{source} hold their labels in different forms; read them one by one")
    reading.faults.finish()
    if not reading.rows:
        raise DataError(f"{source} has no rows")
    if not reading.texts:
        skipped = reading.faults.skipped
        first = f"; the first, {skipped[0].where}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"none of the {reading.rows:,} rows of {source} can be used{first}")
    gathered = _assemble(reading, layouts[0])
    return _votes(gathered) if columns.rater else gathered


def _read_table(table: Table, layout: Layout, reading: _Reading, *, alone: bool) -> None:
    reader = Reader(layout)
    base = _FILE * (len(reading.tables) - 1)
    for batch in table.batches:
        found = reader.read(batch)
        places = [base + number for number in found.numbers] if base else found.numbers
        if layout.id and (repeats := _repeats(found, places, layout, reading)):
            found = found.without(repeats)
        for number in sorted(found.faults):
            reading.faults.add(f"{table.name}:{number}", found.faults[number])
        if found.unclear:
            reading.unclear[table.name] = reading.unclear.get(table.name, 0) + found.unclear
        reading.rows += len(batch.numbers)
        reading.ids += found.ids if layout.id or alone else map(reading.where, places)
        reading.texts += found.texts
        reading.labels += found.labels
        reading.shares.append(found.shares)
        reading.splits += found.splits


def _repeats(found: Examples, places: Sequence[int], layout: Layout, reading: _Reading) -> dict[int, str]:
    """Return by position the rows whose id was there before (with raters: rated so, or shown otherwise)."""
    hint = "" if layout.columns.id else "; id='' numbers the rows instead"

    def repeated(name: str, first: int) -> str:
        return f"column {layout.id!r} repeats {name!r} of {reading.where(first)}{hint}"

    faults: dict[int, str] = {}
    if not layout.columns.rater:
        before = len(reading.seen)
        reading.seen.update(found.ids)
        if len(reading.seen) == before + len(found):
            reading.unlisted.append((found.ids, places))
            return faults
        for listed in reading.unlisted:
            reading.firsts.update(zip(*listed, strict=True))
        reading.unlisted.clear()
        for row, (name, place) in enumerate(zip(found.ids, places, strict=True)):
            if (first := reading.firsts.setdefault(name, place)) != place:
                faults[row] = repeated(name, first)
        return faults
    for row, key in enumerate(zip(found.ids, found.raters, strict=True)):
        if key in reading.rated:
            faults[row] = repeated(key[0], reading.rated[key])
        elif reading.shown.setdefault(key[0], found.texts[row]) != found.texts[row]:
            column = layout.columns.text
            faults[row] = f"column {column!r} differs from what other raters of {key[0]!r} saw"
        else:
            reading.rated[key] = places[row]
    return faults


def _assemble(reading: _Reading, layout: Layout) -> Gathered:
    names = layout.names or ()
    if layout.names is None:
        names = in_order({label for row in set(reading.labels) for label in row})
    if layout.form == "none":
        names = ()
    if layout.form == "shares":
        targets = np.concatenate(reading.shares).astype(np.float32)
    else:
        targets = multi_hot(reading.labels or [()] * len(reading.texts), names)
    unclear = [
        SkippedRow(table, f"{count:,} rows their raters marked {layout.unclear}")
        for table, count in reading.unclear.items()
    ]
    single_label = layout.single_label and layout.form != "none"
    skipped, notes = (*reading.faults.skipped, *unclear), tuple(reading.notes)
    return Gathered(reading.texts, targets, names, single_label, reading.ids, reading.splits, skipped, notes)


def _votes(gathered: Gathered) -> Gathered:
    """Gather rows of the same id into one whose targets are the mean over its raters."""
    firsts: dict[str, int] = {}
    group = np.array([firsts.setdefault(name, len(firsts)) for name in gathered.ids])
    rows = np.unique(group, return_index=True)[1]  # the first row of each id, in order of appearance
    raters = np.bincount(group).astype(np.float64)
    votes = np.zeros((len(rows), gathered.targets.shape[1]))
    np.add.at(votes, group, gathered.targets)
    shares = votes / raters[:, None]
    return replace(
        gathered,
        texts=[gathered.texts[row] for row in rows],
        targets=shares.astype(np.float32),
        ids=[gathered.ids[row] for row in rows],
        splits=[gathered.splits[row] for row in rows] if gathered.splits else [],
    )


# --- a batch at a time


class StreamedRow(NamedTuple):
    """One row: its number in the file, its id, its text, and all its columns as they were."""

    number: int
    id: str
    text: str
    columns: Mapping[str, Any]


class Window(Sequence[StreamedRow]):
    """Rows of a file that follow one another.

    Attributes:
        numbers: Of the rows in the file.
        ids: Their ids.
        texts: Their texts.
        names: The columns they have, in order.
        faults: By position, what is wrong with rows that can't be used and are there all the same, each with
            its number for an id and no text.
    """

    def __init__(self, batch: Batch, found: Examples, *, whole: bool = False) -> None:
        self.numbers, self.ids, self.texts = found.numbers, found.ids, found.texts
        self.faults: dict[int, str] = {}
        self.names = tuple(batch.names())
        self._batch = batch
        if whole and found.faults:
            used = dict(zip(found.numbers, zip(found.ids, found.texts, strict=True), strict=True))
            there = [used.get(number, (str(number), "")) for number in batch.numbers]
            self.numbers = batch.numbers
            self.ids, self.texts = [name for name, _ in there], [text for _, text in there]
            self.faults = {row: found.faults[n] for row, n in enumerate(batch.numbers) if n in found.faults}

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, position: int) -> StreamedRow: ...
    @overload
    def __getitem__(self, position: slice) -> list[StreamedRow]: ...
    def __getitem__(self, position: int | slice) -> StreamedRow | list[StreamedRow]:
        if isinstance(position, slice):
            return [self[place] for place in range(*position.indices(len(self)))]
        number = self.numbers[position]
        cells = self._batch.values(bisect_left(self._batch.numbers, number))
        columns = {name: mended(cell) if isinstance(cell, str) else cell for name, cell in cells.items()}
        return StreamedRow(number, self.ids[position], self.texts[position], columns)


def stream(
    path: str | Path,
    *,
    text: str | None = None,
    id: str | None = None,
    columns: Columns | None = None,
    batch_size: int = 1024,
    on_bad_row: OnBadRow = "fail",
    skipped: list[SkippedRow] | None = None,
    whole: bool = False,
    notes: list[str] | None = None,
) -> Iterator[Window]:
    """Yield the rows of a csv, tsv, jsonl, json, txt, xlsx or parquet file in batches, in order.

    Memory holds one batch, whatever the number of rows; so ids are not checked for repeats. Labels are not
    read. In columns other than text and id, bytes that are not in the file's encoding become U+FFFD.

    Args:
        path: The file.
        text: The column with the text; unless said, "text", or the one column that looks like it.
        id: The column with row names; unless said, "id" if there is one, else row numbers.
        columns: Both, and how a csv file is written, if more needs saying.
        batch_size: Rows per batch, less those that can't be used.
        on_bad_row: "fail" at the first row without a usable text, "skip" such rows, or "report" them all at
            the end.
        skipped: A list to which the rows left out are added as they are met.
        whole: Whether rows left out stand in the batches all the same, in their places; `faults` tells them.
        notes: A list to which is added what should be said of how the file is read.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size = {batch_size!r}: give at least 1 row per batch.")
    base = columns or Columns()
    plain = Columns(text=text or base.text, labels=None, id=base.id if id is None else id)
    faults = RowFaults(on_bad_row)
    faults.skipped = skipped if skipped is not None else faults.skipped
    with open_table(
        path, delimiter=base.delimiter, quoted=base.quoted, encoding=base.encoding, size=batch_size
    ) as opened:
        table, plain = with_text(opened, plain)
        if notes is not None:
            notes += table.notes
        reader = Reader(lay_out(table, plain))
        for batch in table.batches:
            found = reader.read(batch)
            for number, reason in found.faults.items():
                faults.add(f"{table.name}:{number}", reason)
            if window := Window(batch, found, whole=whole):
                yield window
    faults.finish()
