"""What the columns of a table mean: which holds the text, which the labels and in what form."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from affekt.data.rows import Row, Table
from affekt.errors import DataError, unknown_name

Form = Literal["none", "one", "delimited", "list", "shares"]

_SPLITS = {
    "training": "train",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "development": "dev",
    "testing": "test",
}
_BLANK = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # control and format characters, spaces
_UNCLEAR = "example_very_unclear"
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Columns:
    """How to read a table.

    Args:
        text: The column with the text.
        labels: The column with the labels, or None for texts without. Several names mean `label_columns`.
        id: The column with row names; unless given, "id" if there is one, else row numbers; "" for numbers.
        separator: What parts the labels in a column that holds several, as in "joy,love".
        label_names: The label space, in order. A label outside it is a fault; a whole number counts into it
            from 0, unless the names are numbers themselves.
        label_columns: One column of 0/1 or shares in [0, 1] per label, instead of `labels`.
        single_label: Whether every text has exactly one label. Unless said, true for one plain label column
            and false for delimited labels, lists and label columns.
        rater: The column with the rater, where a text has a row per rater; rows of one id are gathered and
            the targets are the shares of raters.
        unclear: The column that marks rows whose rater could not judge, which are left out and counted;
            with `rater`, "example_very_unclear" (GoEmotions' name for it) is used if it is there.
        split_column: The column that says train, dev or test.
        delimiter: What parts the columns of a csv or tsv file, where it is not "," or a tab.
        quoted: Whether quotes enclose fields of a csv or tsv file, or are ordinary characters.
    """

    text: str = "text"
    labels: str | Sequence[str] | None = "labels"
    id: str | None = None
    separator: str | None = None
    label_names: Sequence[str] | None = None
    label_columns: Sequence[str] | None = None
    single_label: bool | None = None
    rater: str | None = None
    unclear: str | None = None
    split_column: str | None = None
    delimiter: str | None = None
    quoted: bool = True

    @property
    def share_columns(self) -> tuple[str, ...]:
        """The columns that hold one label each."""
        if self.label_columns is not None:
            return tuple(self.label_columns)
        return () if self.labels is None or isinstance(self.labels, str) else tuple(self.labels)

    @property
    def label_column(self) -> str | None:
        """The one column that holds labels by name, if it is read."""
        return self.labels if isinstance(self.labels, str) and not self.share_columns else None

    @property
    def named(self) -> frozenset[str]:
        """The columns that must be there."""
        named = (self.text, self.label_column, self.id, self.rater, self.unclear, self.split_column)
        return frozenset(name for name in (*named, *self.share_columns) if name)

    @property
    def needed(self) -> frozenset[str]:
        """Every column that is read if it is there."""
        return self.named | {"id", _UNCLEAR}


@dataclass(frozen=True)
class Layout:
    """Columns matched with a table: in what form its labels are, and by what names they go."""

    columns: Columns
    form: Form
    single_label: bool
    id: str | None
    unclear: str | None
    names: tuple[str, ...] | None  # the label space, where it is declared
    positions: Mapping[str, int]  # of each declared name, and of whole numbers that stand for one


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


def split_named(name: str) -> str:
    """Return the usual name of a split: "train", "dev" and "test" have several spellings.

    >>> split_named(" Validation"), split_named("fold-3")
    ('dev', 'fold-3')
    """
    name = name.strip()
    return _SPLITS.get(name.lower(), name.lower() if name.lower() in ("train", "dev", "test") else name)


def lay_out(table: Table, columns: Columns) -> Layout:
    """Match columns with a table; a column that is not there is a fault of the whole table."""
    _require_columns(table, columns)
    form = _form(table, columns)
    single_label = form == "one" if columns.single_label is None else columns.single_label
    named = columns.id or ("id" if columns.id is None and "id" in table.columns else None)
    if columns.rater and not named:
        raise DataError(f"{table.name}: rows of several raters are gathered by id, and there is no id column")
    marked = columns.rater and _UNCLEAR in table.columns
    unclear = columns.unclear or (_UNCLEAR if marked else None)
    names = _declared(columns)
    return Layout(columns, form, single_label, named, unclear, names, _positions(names))


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


# --- matching


def _require_columns(table: Table, columns: Columns) -> None:
    missing = sorted(columns.named - set(table.columns))
    if missing:
        names = ", ".join(map(repr, missing))
        there = ", ".join(map(repr, table.columns)) or "none"
        hint = ""
        if len(table.columns) == 1 and any(mark in table.columns[0] for mark in ";|\t,"):
            hint = "; if another character parts the columns, name it as the delimiter"
        raise DataError(f"{table.name} has no column {names}; its columns are {there}{hint}")


def _form(table: Table, columns: Columns) -> Form:
    if columns.share_columns:
        return "shares"
    if columns.label_column is None:
        return "none"
    if columns.label_column in table.list_columns:
        return "list"
    return "delimited" if columns.separator else "one"


def _declared(columns: Columns) -> tuple[str, ...] | None:
    shares = columns.share_columns
    if columns.label_names is None:
        return shares or None
    names = tuple(str(name) for name in columns.label_names)
    if shares and len(names) != len(shares):
        raise DataError(f"{len(names)} label names are given for {len(shares)} label columns")
    return names


def _positions(names: Sequence[str] | None) -> dict[str, int]:
    names = names or ()
    positions = {name: position for position, name in enumerate(names)}
    if len(positions) < len(names):
        raise DataError(f"the label names are not all different: {', '.join(names)}")
    if any(name.lstrip("+-").isdigit() for name in names):
        return positions
    numbers = {str(position): position for position in range(len(names))}
    truths = {"False": 0, "True": 1} if len(names) == 2 else {}
    return {**numbers, **truths, **positions}


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
