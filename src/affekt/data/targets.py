"""Cells, lists, matrices and arrays as texts and targets: what each may hold, and what is said of a fault."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from affekt.data.columns import Layout, split_named
from affekt.data.files import Row
from affekt.errors import DataError, unknown_name

Targets = npt.NDArray[np.float32]

_BLANK = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # control and format characters, spaces
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Example:
    """A row as read: labels by name, or a share per label column."""

    id: str
    text: str
    labels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    rater: str = ""
    split: str = ""


class RowFault(Exception):  # noqa: N818 - it never leaves the readers
    """Something is wrong with a cell, or without a column with a whole row."""

    def __init__(self, reason: str, column: str = "") -> None:
        super().__init__(f"column {column!r} {reason}" if column else reason)


def read_row(row: Row, layout: Layout) -> Example:
    """Return what a row holds, or raise RowFault."""
    columns, values = layout.columns, row.values
    return Example(
        id=_word(values, layout.id) if layout.id else str(row.number),
        text=_text(values, columns.text),
        labels=_labels(values, layout),
        shares=_shares(values, layout),
        rater=_word(values, columns.rater) if columns.rater else "",
        split=split_named(_word(values, columns.split_column)) if columns.split_column else "",
    )


def is_marked(value: Any) -> bool:
    """Whether a cell says yes: true, "True" or 1."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def is_blank(text: str) -> bool:
    r"""Whether a text shows nothing: only spaces, control and invisible characters.

    >>> is_blank(" \u200b\x00"), is_blank("🙂")
    (True, False)
    """
    return all(unicodedata.category(character) in _BLANK for character in text)


def broken_text(text: str) -> str:
    """Return what keeps a text from being UTF-8, or ""."""
    if text.isascii():
        return ""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        code = ord(text[fault.start])
        odd = f"the byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else "half a surrogate pair"
        return f"holds {odd} at character {fault.start + 1}, which is not UTF-8"
    return ""


# --- cells


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _word(values: Mapping[str, Any], column: str) -> str:
    """Return a short cell (an id, a rater, a split) as text."""
    value = values.get(column)
    word = "" if _missing(value) else _as_name(value, column)
    if not word:
        raise RowFault("is empty", column)
    return word


def _text(values: Mapping[str, Any], column: str) -> str:
    value = values.get(column)
    if _missing(value):
        raise RowFault("is empty", column)
    if not isinstance(value, str):
        raise RowFault(f"holds {type(value).__name__} {value!r:.40} where a text is wanted", column)
    if broken := broken_text(value):
        raise RowFault(broken, column)
    if is_blank(value):
        raise RowFault("is empty", column)
    return value


def _labels(values: Mapping[str, Any], layout: Layout) -> tuple[str, ...]:
    column = layout.columns.label_column
    if column is None:
        return ()
    found = tuple(
        dict.fromkeys(_known(name, column, layout) for name in _label_cells(values, column, layout))
    )
    if layout.single_label and len(found) != 1:
        said = "no label" if not found else f"{len(found)} labels ({', '.join(found)})"
        raise RowFault(f"holds {said} where exactly one is wanted", column)
    return found


def _label_cells(values: Mapping[str, Any], column: str, layout: Layout) -> list[str]:
    value = values.get(column)
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
    if broken := broken_text(name):
        raise RowFault(broken, column)
    return name


def _known(name: str, column: str, layout: Layout) -> str:
    if layout.names is None:
        return name
    if name not in layout.positions:
        raise RowFault(f"holds an {unknown_name('label', name, layout.names).rstrip('.')}", column)
    return layout.names[layout.positions[name]]


def _shares(values: Mapping[str, Any], layout: Layout) -> tuple[float, ...]:
    columns = layout.columns.share_columns
    shares = tuple(_share(values.get(column), column) for column in columns)
    if not (columns and layout.single_label):
        return shares
    total = sum(shares)
    if abs(total - 1) > _SUM_TOLERANCE:
        raise RowFault(f"columns {columns[0]!r} to {columns[-1]!r} sum to {total:g} where one label makes 1")
    return tuple(share / total for share in shares)


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
    position = {name: index for index, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), dtype=np.float32)
    cells = [(row, position[label]) for row, labels in enumerate(rows) for label in labels]
    if cells:
        targets[tuple(np.array(cells).T)] = 1.0
    return targets


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
    _check(targets, single)
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


def _check(targets: Targets, single_label: bool) -> None:
    wrong = ~((targets >= 0) & (targets <= 1)).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"labels[{row}] holds {targets[row].tolist()}, which is not all in [0, 1]")
    off = np.abs(targets.sum(axis=1) - 1) > 1e-3
    if single_label and off.any():
        row = int(off.argmax())
        raise DataError(f"labels[{row}] sums to {targets[row].sum():g} where exactly one label is wanted")
