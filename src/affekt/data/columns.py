"""What the columns of a table mean: which holds the text, which the labels and in what form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from affekt.data.tables import Table
from affekt.errors import DataError

Form = Literal["none", "one", "delimited", "list", "shares"]

_SPLITS = {
    "training": "train",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "development": "dev",
    "testing": "test",
}
_UNCLEAR = "example_very_unclear"
_SHOWN = 20  # columns that a message names


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
        encoding: Of a text file; unless said UTF-8, or cp1252 where the file shows that.
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
    encoding: str | None = None

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


# --- matching


def _require_columns(table: Table, columns: Columns) -> None:
    missing = sorted(columns.named - set(table.columns))
    if not missing:
        return
    names, there = ", ".join(map(repr, missing)), list(table.columns)
    hint = ""
    if len(there) == 1 and any(mark in there[0] for mark in ";|\t,"):
        hint = "; if another character parts the columns, name it as the delimiter"
    shown = there
    if len(there) > _SHOWN:
        near = [name for one in missing[:3] for name in get_close_matches(one, there[:100_000])]
        shown = list(dict.fromkeys((*near, *there)))[:_SHOWN]
    listed = ", ".join(f"{name!r:.60}" for name in shown) or "none"
    more = f" and {len(there) - len(shown):,} more" if len(there) > len(shown) else ""
    raise DataError(f"{table.name} has no column {names:.200}; its columns are {listed}{more}{hint}")


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
