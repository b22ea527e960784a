"""Cells, lists, matrices and arrays as texts and targets: what each may hold, and what is said of a fault."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from affekt.data.columns import Layout, split_named
from affekt.data.files import Batch, Row, row_at
from affekt.errors import DataError, unknown_name
from affekt.text.surrogates import fault_of, is_sound

Targets = npt.NDArray[np.float32]

_BLANK = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # control and format characters, spaces
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
    """Something is wrong with a cell, or without a column with a whole row."""

    def __init__(self, reason: str, column: str = "") -> None:
        super().__init__(f"column {column!r} {reason}" if column else reason)


class Reader:
    """Reads batches of one layout: whole columns, and cell by cell only where something may be wrong."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.known: dict[type, dict[Any, tuple[str, ...]]] = defaultdict(dict)  # labels of cells met, by kind

    def read(self, batch: Batch) -> Examples:
        """Return what a batch holds."""
        layout, columns = self.layout, self.layout.columns
        doubtful = set(batch.faults)
        texts = _texts(batch.column(columns.text), columns.text, doubtful)
        ids = self._words(batch, layout.id, doubtful) if layout.id else list(map(str, batch.numbers))
        raters = self._words(batch, columns.rater, doubtful)
        splits = self._words(batch, columns.split_column, doubtful)
        usual = {name: split_named(name) for name in set(splits)}
        read = Examples(
            numbers=batch.numbers,
            ids=ids,
            texts=texts,
            labels=self._labels(batch, columns.label_column, doubtful),
            shares=self._shares(batch, doubtful),
            raters=raters,
            splits=[usual[name] for name in splits],
            faults={},
            unclear=0,
        )
        marks = batch.column(layout.unclear) if layout.unclear else ()
        unclear = {position for position, mark in enumerate(marks) if is_marked(mark)}
        faults: dict[int, str] = {}
        for position in sorted(doubtful - unclear):
            try:
                _check(row_at(batch, position), layout)
            except RowFault as fault:
                faults[position] = str(fault)
        return read.without(faults, unclear) if faults or unclear else read

    def _words(self, batch: Batch, column: str | None, doubtful: set[int]) -> list[str]:
        """Return the names in a column (ids, raters, splits)."""
        if not column:
            return []
        cells = batch.column(column)
        kinds = set(map(type, cells))
        if kinds <= {str, int}:
            words = list(map(str.strip, cells if kinds == {str} else map(str, cells)))
            if all(words) and is_sound("".join(words)):
                return words
        return _one_by_one(partial(_word, column=column), cells, "", doubtful)

    def _labels(self, batch: Batch, column: str | None, doubtful: set[int]) -> list[tuple[str, ...]]:
        if column is None:
            return []
        cells = batch.column(column)
        read = partial(_labels, column=column, layout=self.layout)
        kind, *others = {*map(type, cells)} or {str}
        if others or kind not in (str, int, float, bool):
            return _one_by_one(read, cells, (), doubtful)
        known = self.known[kind]
        for cell in set(cells) - known.keys():
            with suppress(RowFault):
                known[cell] = read(cell)
        try:
            return list(map(known.__getitem__, cells))
        except KeyError:
            return _one_by_one(read, cells, (), doubtful)

    def _shares(self, batch: Batch, doubtful: set[int]) -> npt.NDArray[np.float64]:
        columns = self.layout.columns.share_columns
        shares = np.empty((len(batch.numbers), len(columns)))
        for place, column in enumerate(columns):
            cells = batch.column(column)
            try:
                shares[:, place] = list(map(float, cells))
            except (TypeError, ValueError, OverflowError):
                read = partial(_share, column=column)
                shares[:, place] = _one_by_one(read, cells, np.nan, doubtful)
        right = ((shares >= 0) & (shares <= 1)).all(axis=1)
        if columns and self.layout.single_label:
            total = np.add.accumulate(shares, axis=1)[:, -1]
            right &= np.abs(total - 1) <= _SUM_TOLERANCE
            np.divide(shares, total[:, None], out=shares, where=right[:, None])
        doubtful.update(np.flatnonzero(~right).tolist())
        return shares


def _check(row: Row, layout: Layout) -> None:
    """Raise RowFault if a row can't be used."""
    if row.fault:
        raise RowFault(row.fault)
    columns, cell = layout.columns, row.values.get
    if layout.id:
        _word(cell(layout.id), layout.id)
    _text(cell(columns.text), columns.text)
    if columns.label_column is not None:
        _labels(cell(columns.label_column), columns.label_column, layout)
    _check_shares([_share(cell(column), column) for column in columns.share_columns], layout)
    for column in (columns.rater, columns.split_column):
        if column:
            _word(cell(column), column)


def is_marked(value: Any) -> bool:
    """Whether a cell says yes: true, "True" or 1."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def is_blank(text: str) -> bool:
    r"""Whether a text shows nothing: only spaces, control and invisible characters.

    >>> is_blank(" \u200b\x00"), is_blank("🙂")
    (True, False)
    """
    return all(unicodedata.category(character) in _BLANK for character in text)


def _one_by_one(
    read: Callable[[Any], _Cell], cells: Sequence[Any], gap: _Cell, doubtful: set[int]
) -> list[_Cell]:
    """Return what each cell holds; where it can't be read a gap, and the row is doubtful."""
    found = []
    for position, cell in enumerate(cells):
        try:
            found.append(read(cell))
        except RowFault:
            found.append(gap)
            doubtful.add(position)
    return found


def _texts(cells: Sequence[Any], column: str, doubtful: set[int]) -> list[str]:
    """Return a column of texts: a look at first letters and one encoding tell whether all can be used."""
    if set(map(type, cells)) == {str}:
        blank = set(filter(is_blank, {text[:1] for text in cells}))
        if not blank and is_sound("".join([text for text in cells if not text.isascii()])):
            return list(cells)
    return _one_by_one(partial(_text, column=column), cells, "", doubtful)


# --- cells


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _word(value: Any, column: str) -> str:
    """Return a short cell (an id, a rater, a split) as text."""
    word = "" if _missing(value) else _as_name(value, column)
    if not word:
        raise RowFault("is empty", column)
    return word


def _text(value: Any, column: str) -> str:
    if _missing(value):
        raise RowFault("is empty", column)
    if not isinstance(value, str):
        raise RowFault(f"holds {type(value).__name__} {value!r:.40} where a text is wanted", column)
    if broken := fault_of(value):
        raise RowFault(broken, column)
    if is_blank(value):
        raise RowFault("is empty", column)
    return value


def _labels(value: Any, column: str, layout: Layout) -> tuple[str, ...]:
    names = _label_names(value, column, layout)
    found = tuple(dict.fromkeys(_known(name, column, layout) for name in names))
    if layout.single_label and len(found) != 1:
        said = "no label" if not found else f"{len(found)} labels ({', '.join(found)})"
        raise RowFault(f"holds {said} where exactly one is wanted", column)
    return found


def _label_names(value: Any, column: str, layout: Layout) -> list[str]:
    if layout.form == "list":
        if not isinstance(value, list | tuple):
            kind = "nothing" if _missing(value) else type(value).__name__
            raise RowFault(f"holds {kind} where a list of labels is wanted ([] for none)", column)
        return [_as_name(member, column) for member in value]
    if _missing(value):
        return []
    name = _as_name(value, column)
    if name.startswith("[") and name.endswith("]"):
        raise RowFault(
            f"holds a list written as text, {name!r:.40}; part labels by a separator instead", column
        )
    cells = name.split(layout.columns.separator) if layout.form == "delimited" else [name]
    return [cell.strip() for cell in cells if cell.strip()]


def _as_name(value: Any, column: str) -> str:
    """Return a label or an id as text; whole floats lose their point, since gaps turn ints into floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise RowFault(f"holds {type(value).__name__} {value!r:.40} where a name is wanted", column)
    name = str(value).strip()
    if broken := fault_of(name):
        raise RowFault(broken, column)
    return name


def _known(name: str, column: str, layout: Layout) -> str:
    if layout.names is None:
        return name
    if name not in layout.positions:
        raise RowFault(f"holds an {unknown_name('label', name, layout.names).rstrip('.')}", column)
    return layout.names[layout.positions[name]]


def _check_shares(shares: Sequence[float], layout: Layout) -> None:
    total = sum(shares)
    if shares and layout.single_label and abs(total - 1) > _SUM_TOLERANCE:
        columns = layout.columns.share_columns
        raise RowFault(f"columns {columns[0]!r} to {columns[-1]!r} sum to {total:g} where one label makes 1")


def _share(value: Any, column: str) -> float:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        value = is_marked(value)
    try:
        share = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RowFault(f"holds {value!r:.40}, which is not a number", column) from None
    if not 0.0 <= share <= 1.0:
        what = "is not a number" if share != share else "is outside [0, 1]"
        raise RowFault(f"holds {value!r:.40}, which {what}", column)
    return share


# --- labels by name, and their matrix


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names sorted, numbers by size.

    >>> in_order(["10", "9"]), in_order(["joy", "10", "9"])
    (('9', '10'), ('10', '9', 'joy'))
    """
    names = list(names)
    numbers = all(re.fullmatch(r"-?\d+", name) for name in names)
    return tuple(sorted(sorted(names), key=int) if numbers else sorted(names))


def multi_hot(rows: Sequence[Iterable[str]], names: Sequence[str]) -> Targets:
    """Return the (n, k) matrix of rows of label names."""
    place = {name: index for index, name in enumerate(names)}
    rows = list(map(tuple, rows))
    kinds = {kind: index for index, kind in enumerate(dict.fromkeys(rows))}  # rows repeat: laid out once
    laid_out = np.zeros((len(kinds), len(names)), dtype=np.float32)
    for kind, index in kinds.items():
        laid_out[index, [place[label] for label in kind]] = 1.0
    return laid_out[list(map(kinds.__getitem__, rows))]


# --- texts and labels at hand


def text_list(texts: Iterable[str]) -> list[str]:
    """Return texts as a list, after checking that each is one."""
    if isinstance(texts, str | bytes):
        raise DataError("texts must be a sequence of strings, not one string; write [text]")
    rows = [str(text) if isinstance(text, str) else text for text in texts]  # numpy's strings become plain
    for position, text in enumerate(rows):
        if not isinstance(text, str):
            raise DataError(f"texts[{position}] is {type(text).__name__} {text!r:.40}, not a string")
    return rows


def label_matrix(
    labels: Any, n: int, label_names: Sequence[str] | None, single_label: bool | None
) -> tuple[Targets, tuple[str, ...], bool]:
    """Return the (n, k) targets, the k label names, and whether rows have exactly one label.

    Args:
        labels: One label per text, a list of labels per text, an (n, k) array or frame, or None.
        n: How many texts there are.
        label_names: The label space, or None for the columns of a frame, else the labels that occur.
        single_label: As declared, or None for what the form of `labels` says.
    """
    if labels is None:
        return np.zeros((n, 0), dtype=np.float32), (), False
    if label_names is None and _is_table(labels):
        label_names = _column_names(labels)
    labels = _plain(labels)
    if len(labels) != n:
        raise DataError(f"there are {n} texts and {len(labels)} entries of labels; they must be as many")
    if isinstance(labels, np.ndarray):
        targets, names, single = _numbers(labels, label_names, single_label)
    else:
        targets, names, single = _names(labels, label_names, single_label)
    _check_targets(targets, single)
    return targets, names, single


def _is_table(labels: Any) -> bool:
    return len(getattr(labels, "shape", ())) == 2


def _column_names(table: Any) -> list[str] | None:
    """Return what a frame of pandas, polars or pyarrow calls its columns; None for an array."""
    names = getattr(table, "column_names", getattr(table, "columns", None))
    return None if names is None else [str(name) for name in names]


def _plain(labels: Any) -> Any:
    """Return a 2-d numeric array or frame as an array, anything else as a list."""
    if isinstance(labels, str | bytes):
        raise DataError("labels must be a sequence with one entry per text, not one string")
    if not hasattr(labels, "__array__") and not isinstance(labels, Sequence):
        labels = list(labels)
    if _is_table(labels):
        try:
            return np.asarray(labels, dtype=np.float32)
        except (TypeError, ValueError) as fault:
            raise DataError(f"a table of labels must hold numbers: {fault}") from fault
    return labels.tolist() if hasattr(labels, "tolist") else list(labels)


def _numbers(
    targets: Targets, label_names: Sequence[str] | None, single_label: bool | None
) -> tuple[Targets, tuple[str, ...], bool]:
    names = tuple(label_names) if label_names is not None else tuple(map(str, range(targets.shape[1])))
    if len(names) != targets.shape[1]:
        raise DataError(f"the labels have {targets.shape[1]} columns and there are {len(names)} label names")
    return targets, names, bool(single_label)


def _names(
    labels: Sequence[Any], label_names: Sequence[str] | None, single_label: bool | None
) -> tuple[Targets, tuple[str, ...], bool]:
    kinds = {_is_one(entry) for entry in labels}
    if len(kinds) > 1:
        raise DataError("labels hold both single labels and lists of labels; make every entry a list")
    one_each = kinds == {True}
    rows = [[entry] if one_each else list(entry) for entry in labels]
    declared = tuple(map(str, label_names)) if label_names is not None else None
    named = [[_name(label, row, declared) for label in entry] for row, entry in enumerate(rows)]
    names = declared or in_order({label for entry in named for label in entry})
    return multi_hot(named, names), names, one_each if single_label is None else single_label


def _is_one(entry: Any) -> bool:
    return isinstance(entry, str) or not isinstance(entry, Iterable)


def _name(label: Any, row: int, names: tuple[str, ...] | None) -> str:
    """Return a label's name; a whole number counts into the declared names."""
    if label is None or label != label or (isinstance(label, str) and is_blank(label)):
        raise DataError(f"labels[{row}] is empty")
    if isinstance(label, bool | np.bool_) or (isinstance(label, float) and label.is_integer()):
        label = int(label)
    name = str(label)
    if names is None or name in names:
        return name
    if isinstance(label, int | np.integer) and 0 <= label < len(names):
        return names[label]
    raise DataError(f"labels[{row}] holds an {unknown_name('label', name, names)}")


def _check_targets(targets: Targets, single_label: bool) -> None:
    wrong = ~((targets >= 0) & (targets <= 1)).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"labels[{row}] holds {targets[row].tolist()}, which is not all in [0, 1]")
    off = np.abs(targets.sum(axis=1) - 1) > 1e-3
    if single_label and off.any():
        row = int(off.argmax())
        raise DataError(f"labels[{row}] sums to {targets[row].sum():g} where exactly one label is wanted")
