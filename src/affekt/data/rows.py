"""What every reader of a data file yields: numbered rows, and what to do with those that can't be used.

Numbers are those a spreadsheet or an editor shows: in csv and tsv the header is row 1, in jsonl a row is its
line, in parquet the first row is 1. What is wrong with one row travels with that row, so that the caller
decides whether to stop; what is wrong with a file raises DataError at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from affekt.errors import DataError

OnBadRow = Literal["fail", "skip", "report"]

_LISTED = 20  # faults written out in a report; the others are counted


@dataclass(frozen=True)
class Row:
    """One row: its number, its values by column, and what is wrong with it as a whole, if anything."""

    number: int
    values: Mapping[str, Any]
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """An open file: its short name, its columns, which of them hold lists, and its rows (to be read once)."""

    name: str
    columns: tuple[str, ...]
    list_columns: frozenset[str]
    rows: Iterator[Row]


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


def distinct(columns: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the columns' names, which must differ."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{source} has more than one column named {', '.join(map(repr, twice))}; rename one")
    return tuple(columns)
