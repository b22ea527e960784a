"""Tables of rows: what every kind of file is read as."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from affekt.errors import DataError

CHUNK = 512  # rows of a batch


@dataclass(frozen=True)
class Row:
    """One row: its number, its values by column, and what is wrong with it as a whole, if anything."""

    number: int
    values: Mapping[str, Any]
    fault: str = ""


class Batch(Protocol):
    """Rows that follow one another: their numbers, their cells, and faults of whole rows."""

    @property
    def numbers(self) -> Sequence[int]:
        """Of the rows in their file."""
        ...

    @property
    def faults(self) -> Mapping[int, str]:
        """By position."""
        ...

    @property
    def sound(self) -> bool:
        """Whether all cells are known to be strings, and such as UTF-8 can hold."""
        ...

    def column(self, name: str) -> Sequence[Any]:
        """Return a column's cells; None where a row has none."""
        ...

    def names(self) -> Iterable[str]:
        """Return the columns that the rows have."""
        ...

    def values(self, position: int) -> Mapping[str, Any]:
        """Return a row's cells by column."""
        ...


@dataclass(frozen=True)
class Table:
    """An open file: its short name, its columns, which of them hold lists, and its rows (to be read once)."""

    name: str
    columns: tuple[str, ...]
    list_columns: frozenset[str]
    batches: Iterator[Batch]
    notes: tuple[str, ...] = ()  # what should be said of how it is read

    @property
    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        for batch in self.batches:
            for position in range(len(batch.numbers)):
                yield row_at(batch, position)


def row_at(batch: Batch, position: int) -> Row:
    """Return one row of a batch."""
    return Row(batch.numbers[position], batch.values(position), batch.faults.get(position, ""))


def distinct(columns: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the columns' names, which must differ."""
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise DataError(f"{source} has more than one column named {', '.join(map(repr, twice))}; rename one")
    return tuple(columns)


@dataclass(frozen=True)
class _Objects:
    """Rows as mappings, each with columns of its own."""

    numbers: Sequence[int]
    faults: Mapping[int, str]
    objects: Sequence[Mapping[str, Any]]
    sound: bool = False

    def names(self) -> Iterable[str]:
        return dict.fromkeys(name for row in self.objects for name in row)

    def column(self, name: str) -> Sequence[Any]:
        return [row.get(name) for row in self.objects]

    def values(self, position: int) -> Mapping[str, Any]:
        return self.objects[position]


def in_batches(rows: Iterator[Row], size: int) -> Iterator[Batch]:
    """Yield rows that each have columns of their own a batch at a time."""
    while chunk := list(islice(rows, size)):
        faults = {position: row.fault for position, row in enumerate(chunk) if row.fault}
        yield _Objects([row.number for row in chunk], faults, [row.values for row in chunk])
