"""Cells as texts, names, labels and shares: what each may hold, and what is said of a fault."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from affekt.data.columns import Layout, split_named
from affekt.data.tables import Batch
from affekt.data.targets import is_blank
from affekt.errors import unknown_name
from affekt.text.surrogates import fault_of, is_sound

_SUM_TOLERANCE = 1e-3
_Cell = TypeVar("_Cell")


@dataclass(frozen=True)
class Examples:
    """Rows as read, column by column, and by number what is wrong with those that can't be used.

    Columns that the layout lacks are empty.
    """

    numbers: Sequence[int]
    ids: list[str]
    texts: list[str]
    labels: list[tuple[str, ...]]  # by name
    shares: npt.NDArray[np.float64]  # (n, label columns)
    raters: list[str]
    splits: list[str]
    faults: dict[int, str]
    unclear: int  # rows left out because their rater could not judge

    def __len__(self) -> int:
        return len(self.texts)

    def without(self, faults: Mapping[int, str], unclear: Collection[int] = ()) -> "Examples":
        """Return the rows that are neither faulty nor unclear; both are given by position."""
        rows = [row for row in range(len(self)) if row not in faults and row not in unclear]

        def kept(cells: Sequence[_Cell]) -> list[_Cell]:
            return [cells[row] for row in rows] if cells else []

        return Examples(
            numbers=kept(self.numbers),
            ids=kept(self.ids),
            texts=kept(self.texts),
            labels=kept(self.labels),
            shares=self.shares[rows],
            raters=kept(self.raters),
            splits=kept(self.splits),
            faults={**self.faults, **{self.numbers[row]: reason for row, reason in faults.items()}},
            unclear=self.unclear + len(unclear),
        )


class RowFault(Exception):  # noqa: N818 - it never leaves the readers
    """What is wrong with a cell: "column 'text'" and the reason make a sentence."""


class Reader:
    """Reads batches of one layout: whole columns, and cell by cell only where something may be wrong."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.known: dict[type, dict[Any, tuple[str, ...]]] = defaultdict(dict)  # labels of cells met, by kind

    def read(self, batch: Batch) -> Examples:
        """Return what a batch holds; of a row's faults the first read stands."""
        layout, columns = self.layout, self.layout.columns
        faults = dict(batch.faults)
        ids = self._words(batch, layout.id, faults) if layout.id else list(map(str, batch.numbers))
        texts = _texts(batch, columns.text, faults)
        labels = self._labels(batch, columns.label_column, faults)
        shares = self._shares(batch, faults)
        raters = self._words(batch, columns.rater, faults)
        splits = self._words(batch, columns.split_column, faults)
        usual = {name: split_named(name) for name in set(splits)}
        splits = [usual[name] for name in splits]
        read = Examples(batch.numbers, ids, texts, labels, shares, raters, splits, faults={}, unclear=0)
        marks = batch.column(layout.unclear) if layout.unclear else ()
        unclear = {position for position, mark in enumerate(marks) if is_marked(mark)}
        faults = {position: faults[position] for position in sorted(faults) if position not in unclear}
        return read.without(faults, unclear) if faults or unclear else read

    def _words(self, batch: Batch, column: str | None, faults: dict[int, str]) -> list[str]:
        """Return the names in a column (ids, raters, splits)."""
        if not column:
            return []
        cells = batch.column(column)
        kinds = {str} if batch.sound else set(map(type, cells))
        if kinds <= {str, int}:
            words = list(map(str.strip, cells if kinds == {str} else map(str, cells)))
            if all(words) and (batch.sound or is_sound("".join(words))):
                return words
        return _one_by_one(_word, cells, "", column, faults)

    def _labels(self, batch: Batch, column: str | None, faults: dict[int, str]) -> list[tuple[str, ...]]:
        if column is None:
            return []
        cells = batch.column(column)
        read = partial(_labels, layout=self.layout)
        kind, *others = {str} if batch.sound else {*map(type, cells)} or {str}
        if others or kind not in (str, int, float, bool):
            return _one_by_one(read, cells, (), column, faults)
        known = self.known[kind]
        for cell in set(cells) - known.keys():
            with suppress(RowFault):
                known[cell] = read(cell)
        try:
            return list(map(known.__getitem__, cells))
        except KeyError:
            return _one_by_one(read, cells, (), column, faults)

    def _shares(self, batch: Batch, faults: dict[int, str]) -> npt.NDArray[np.float64]:
        columns = self.layout.columns.share_columns
        shares = np.empty((len(batch.numbers), len(columns)))
        for place, column in enumerate(columns):
            cells = batch.column(column)
            try:
                shares[:, place] = list(map(float, cells))
                right = bool(((shares[:, place] >= 0) & (shares[:, place] <= 1)).all())
            except (TypeError, ValueError, OverflowError):
                right = False
            if not right:
                shares[:, place] = _one_by_one(_share, cells, np.nan, column, faults)
        if columns and self.layout.single_label:
            total = np.add.accumulate(shares, axis=1)[:, -1]
            whole = np.abs(total - 1) <= _SUM_TOLERANCE
            for row in np.flatnonzero(~whole).tolist():
                said = f"columns {columns[0]!r} to {columns[-1]!r} sum to {total[row]:g}"
                faults.setdefault(row, f"{said} where one label makes 1")
            np.divide(shares, total[:, None], out=shares, where=whole[:, None])
        return shares


def is_marked(value: Any) -> bool:
    """Whether a cell says yes: true, "True" or 1."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def _one_by_one(
    read: Callable[[Any], _Cell], cells: Sequence[Any], gap: _Cell, column: str, faults: dict[int, str]
) -> list[_Cell]:
    """Return what each cell holds; where it can't be read a gap, and the row's fault unless it has one."""
    found = []
    for position, cell in enumerate(cells):
        try:
            found.append(read(cell))
        except RowFault as fault:
            found.append(gap)
            faults.setdefault(position, f"column {column!r} {fault}")
    return found


def _texts(batch: Batch, column: str, faults: dict[int, str]) -> list[str]:
    """Return a column of texts: a look at first letters and one encoding tell whether all can be used."""
    cells = batch.column(column)
    if batch.sound or set(map(type, cells)) == {str}:
        blank = set(filter(is_blank, {text[:1] for text in cells}))
        if not blank and (batch.sound or is_sound("".join(cells))):
            return list(cells)
    return _one_by_one(_text, cells, "", column, faults)


# --- cells


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _word(value: Any) -> str:
    """Return a short cell (an id, a rater, a split) as text."""
    if _missing(value) or not (word := _as_name(value)):
        raise RowFault("is empty")
    return word


def _text(value: Any) -> str:
    if _missing(value):
        raise RowFault("is empty")
    if not isinstance(value, str):
        raise RowFault(f"holds {type(value).__name__} {value!r:.40} where a text is wanted")
    if broken := fault_of(value):
        raise RowFault(broken)
    if is_blank(value):
        raise RowFault("is empty")
    return value


def _labels(value: Any, layout: Layout) -> tuple[str, ...]:
    if layout.form == "list":
        if not isinstance(value, list | tuple):
            kind = "nothing" if _missing(value) else type(value).__name__
            raise RowFault(f"holds {kind} where a list of labels is wanted ([] for none)")
        names = [_as_name(member) for member in value]
    else:
        name = "" if _missing(value) else _as_name(value)
        if name.startswith("[") and name.endswith("]"):
            reason = f"holds a list written as text, {name!r:.40}; part labels by a separator instead"
            raise RowFault(reason)
        parts = name.split(layout.columns.separator) if layout.form == "delimited" else [name]
        names = [part.strip() for part in parts if part.strip()]
    if layout.names is not None:
        for name in names:
            if name not in layout.positions:
                raise RowFault(f"holds an {unknown_name('label', name, layout.names).rstrip('.')}")
        names = [layout.names[layout.positions[name]] for name in names]
    found = tuple(dict.fromkeys(names))
    if layout.single_label and len(found) != 1:
        said = "no label" if not found else f"{len(found)} labels ({', '.join(found)})"
        raise RowFault(f"holds {said} where exactly one is wanted")
    return found


def _as_name(value: Any) -> str:
    """Return a label or an id as text; whole floats lose their point, since gaps turn ints into floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise RowFault(f"holds {type(value).__name__} {value!r:.40} where a name is wanted")
    name = str(value).strip()
    if broken := fault_of(name):
        raise RowFault(broken)
    return name


def _share(value: Any) -> float:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        value = is_marked(value)
    try:
        share = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RowFault(f"holds {value!r:.40}, which is not a number") from None
    if not 0.0 <= share <= 1.0:
        what = "is not a number" if share != share else "is outside [0, 1]"
        raise RowFault(f"holds {value!r:.40}, which {what}")
    return share
