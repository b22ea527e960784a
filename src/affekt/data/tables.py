"""Tables of rows: what every kind of file is read as."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from affekt.errors import DataError, first_line

CHUNK = 512  # rows of a batch


@dataclass(frozen=True)
class Row:
    """One row: its number, its values by column, and what is wrong with it as a whole, if anything."""

    number: int
    values: Mapping[str, Any]
    fault: str = ""


@dataclass(frozen=True)
class Batch(ABC):
    """Rows that follow one another."""

    numbers: Sequence[int]  # of the rows in their file
    faults: Mapping[int, str]  # of whole rows, by position
    sound: bool  # whether all cells are known to be strings, and such as UTF-8 can hold

    @abstractmethod
    def names(self) -> Iterable[str]:
        """Return the columns that the rows have."""

    @abstractmethod
    def column(self, name: str) -> Sequence[Any]:
        """Return a column's cells; None where a row has none."""

    def values(self, position: int) -> Mapping[str, Any]:
        """Return a row's cells by column."""
        return {name: self.column(name)[position] for name in self.names()}


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
            for position, number in enumerate(batch.numbers):
                yield Row(number, batch.values(position), batch.faults.get(position, ""))


@contextmanager
def readable(damaged: tuple[type[Exception], ...], said: str) -> Iterator[None]:
    """Turn the faults of a damaged file into a DataError that begins as said."""
    try:
        yield
    except damaged as fault:
        raise DataError(f"{said}: {first_line(fault)}") from fault


def distinct(columns: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the columns' names, which must differ."""
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise DataError(f"{source} has more than one column named {', '.join(map(repr, twice))}; rename one")
    return tuple(columns)


@dataclass(frozen=True)
class _Objects(Batch):
    """Rows as mappings, each with columns of its own."""

    objects: Sequence[Mapping[str, Any]]

    def names(self) -> Iterable[str]:
        return dict.fromkeys(name for row in self.objects for name in row)

    def column(self, name: str) -> Sequence[Any]:
        return [row.get(name) for row in self.objects]

    def values(self, position: int) -> Mapping[str, Any]:
        return self.objects[position]


def in_batches(
    rows: Iterator[Row], size: int, guarded: Callable[[], AbstractContextManager[None]]
) -> Iterator[Batch]:
    """Yield rows that each have columns of their own a batch at a time; they are read under a guard."""
    while True:
        with guarded():
            chunk = list(islice(rows, size))
        if not chunk:
            return
        faults = {position: row.fault for position, row in enumerate(chunk) if row.fault}
        yield _Objects([row.number for row in chunk], faults, False, [row.values for row in chunk])
