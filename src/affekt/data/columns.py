"""The one declaration of which column of a table is what, for Python, recipes and the command line."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from itertools import chain
from typing import Any, Literal, TypedDict

from affekt.data.tables import Table
from affekt.errors import DataError

OnBadRow = Literal["fail", "skip", "report"]
Form = Literal["none", "one", "delimited", "list", "shares"]

_SPLITS = {
    "training": "train",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "development": "dev",
    "testing": "test",
}
_TEXT = "text"  # the column that holds texts, unless said
_UNCLEAR = "example_very_unclear"
_SHOWN = 20  # columns that a message names
_WORDS = 3  # a text has, at least and in the mean
_LETTERS = 0.6  # of a text's characters, the spaces apart
_ALIKE = 0.5  # of the longest column's length: so long a column may be meant too


def _said(default: Any, help: str, option: str = "") -> Any:
    """Declare a field: its default, what it means, and its option where that is not the field's name."""
    return field(default=default, metadata={"help": help, "option": option})


@dataclass(frozen=True)
class Columns:
    """How to read a table: what each of its columns is, and how a csv file is written.

    The fields are keys of a recipe's data section and options of every verb that reads rows. A field's help,
    and its option where it has another name, stand with it; `ColumnOptions` has the types once more.
    """

    text: str = _said(_TEXT, "The column with the text.")
    labels: str | Sequence[str] | None = _said(
        "labels", "The column with the labels; none for texts without. Several names mean label_columns."
    )
    id: str | None = _said(
        None, "The column with row names; 'id' if there is one, else row numbers; '' for numbers."
    )
    separator: str | None = _said(
        None, "What parts the labels in a column that holds several, as in 'joy,love'."
    )
    label_names: Sequence[str] | None = _said(
        None,
        "The label space, in order. A label outside it is a fault; a whole number counts into it from 0, "
        "unless the names are numbers themselves.",
    )
    label_columns: Sequence[str] | None = _said(
        None, "One column of 0/1 or shares in [0, 1] per label, instead of labels."
    )
    single_label: bool | None = _said(
        None,
        "Whether every text has exactly one label. Unless said, true for one plain label column and false "
        "for delimited labels, lists and label columns.",
        "--single/--multi",
    )
    rater: str | None = _said(
        None,
        "The column with the rater, where a text has a row per rater; rows of one id are gathered and the "
        "targets are the shares of raters.",
    )
    unclear: str | None = _said(
        None,
        "The column that marks rows whose rater could not judge, which are left out and counted; with a "
        f"rater, {_UNCLEAR!r} (GoEmotions' name for it) is used if it is there.",
    )
    split_column: str | None = _said(None, "The column that says train, dev or test.")
    delimiter: str | None = _said(
        None, "What parts the columns of a csv or tsv file, where it is not a comma or a tab."
    )
    quoted: bool = _said(
        True,
        "Whether quotes enclose fields of a csv or tsv file, or are ordinary characters.",
        "--quotes/--no-quotes",
    )
    encoding: str | None = _said(
        None, "How a text file is encoded; unless said UTF-8, or cp1252 where the file shows that."
    )

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


class ColumnOptions(TypedDict, total=False):
    """The fields of `Columns` as keyword arguments: a type checker can't take them from there."""

    text: str
    labels: str | Sequence[str] | None
    id: str | None
    separator: str | None
    label_names: Sequence[str] | None
    label_columns: Sequence[str] | None
    single_label: bool | None
    rater: str | None
    unclear: str | None
    split_column: str | None
    delimiter: str | None
    quoted: bool
    encoding: str | None


OPTIONS = {one.name: one.metadata["option"] or f"--{one.name.replace('_', '-')}" for one in fields(Columns)}
"""The option of each field on the command line; of a flag, both of its forms."""

_SETTING = re.compile(rf"\b({'|'.join([*OPTIONS, 'on_bad_row'])})=('[^']*'|True|False)")


def as_options(message: str) -> str:
    """Return a message with options of the command line for what it says of Python's keywords.

    >>> as_options("read it with quoted=False or delimiter=';'")
    "read it with --no-quotes or --delimiter ';'"
    """
    return _SETTING.sub(lambda said: _option(said[1], said[2]), message)


def as_keys(message: str) -> str:
    """Return a message with keys of a recipe for what it says of Python's keywords.

    >>> as_keys("read it with quoted=False or delimiter=';'")
    "read it with data.quoted: false or data.delimiter: ';'"
    """
    return _SETTING.sub(lambda said: f"data.{said[1]}: {_KEYS.get(said[2], said[2])}", message)


_KEYS = {"True": "true", "False": "false"}


def _option(name: str, value: str) -> str:
    option = OPTIONS.get(name, "--on-bad-row")
    if value in _KEYS:
        return option.split("/")[value == "False"]
    return f"{option} {shlex.quote(value[1:-1])}"


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
    form: Form = "delimited" if columns.separator else "one"
    if columns.share_columns or columns.label_column is None:
        form = "shares" if columns.share_columns else "none"
    elif columns.label_column in table.list_columns:
        form = "list"
    single_label = form == "one" if columns.single_label is None else columns.single_label
    named = columns.id or ("id" if columns.id is None and "id" in table.columns else None)
    if columns.rater and not named:
        raise DataError(f"{table.name}: rows of several raters are gathered by id, and there is no id column")
    marked = columns.rater and _UNCLEAR in table.columns
    unclear = columns.unclear or (_UNCLEAR if marked else None)
    shares = columns.share_columns
    names = shares or None if columns.label_names is None else tuple(map(str, columns.label_names))
    if shares and len(names or ()) != len(shares):
        raise DataError(f"{len(names or ())} label names are given for {len(shares)} label columns")
    return Layout(columns, form, single_label, named, unclear, names, _positions(names))


# --- matching


def _require_columns(table: Table, columns: Columns) -> None:
    missing = sorted(columns.named - set(table.columns))
    if not missing:
        return
    names, there = ", ".join(map(repr, missing)), list(table.columns)
    alone = there[0] if len(there) == 1 else ""
    mark = next((mark for mark in ";|\t," if mark in alone), "").replace("\t", "\\t")
    hint = f"; if that is a whole row, read it with delimiter='{mark}'" if mark else ""
    shown = there
    if len(there) > _SHOWN:
        near = [name for one in missing[:3] for name in get_close_matches(one, there[:100_000])]
        shown = list(dict.fromkeys((*near, *there)))[:_SHOWN]
    listed = ", ".join(f"{name!r:.60}" for name in shown) or "none"
    more = f" and {len(there) - len(shown):,} more" if len(there) > len(shown) else ""
    raise DataError(f"{table.name} has no column {names:.200}; its columns are {listed}{more}{hint}")


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


# --- where nothing says which column holds the texts


def with_text(table: Table, columns: Columns) -> tuple[Table, Columns]:
    """Return a table and its columns with the one text-like column for the text, if there is no "text".

    The table's notes then say so. Where several columns look alike, the table is refused.
    """
    if columns.text != _TEXT or _TEXT in table.columns:
        return table, columns
    first = next(table.batches, None)
    if first is None:
        return table, columns
    taken = columns.named | {"id"}
    lengths = {name: _length(first.column(name)) for name in first.names() if name not in taken}
    longest = max(lengths.values(), default=0.0)
    alike = [name for name, length in lengths.items() if length and length >= _ALIKE * longest]
    table = replace(table, batches=chain([first], table.batches))
    if not alike:
        return table, columns
    if len(alike) > 1:
        names = ", ".join(f"{name!r:.60}" for name in alike[:9])
        raise DataError(
            f"{table.name} has no column {_TEXT!r}, and texts may stand in {names}; "
            f"name one, as text={alike[0]!r:.60}"
        )
    note = f"{table.name} has no column {_TEXT!r}: texts are taken from {alike[0]!r}"
    return replace(table, notes=(*table.notes, note)), replace(columns, text=alike[0])


def _length(cells: Any) -> float:
    """Return the mean length of a column's cells if they look like texts, else 0."""
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    if not texts or 2 * len(texts) < len(cells):
        return 0.0
    shown = "".join("".join(text.split()) for text in texts)
    letters = sum(map(str.isalpha, shown)) / len(shown)
    words = sum(len(text.split()) for text in texts) / len(texts)
    return len(shown) / len(texts) if words >= _WORDS and letters >= _LETTERS else 0.0
