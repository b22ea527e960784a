"""The column of a table that holds texts, where nothing says which it is."""

from dataclasses import replace
from itertools import chain
from typing import Any

from affekt.data.columns import Columns
from affekt.data.tables import Table
from affekt.errors import DataError

_UNSAID = Columns().text
_WORDS = 3  # a text has, at least and in the mean
_LETTERS = 0.6  # of a text's characters, the spaces apart
_ALIKE = 0.5  # of the longest column's length: so long a column may be meant too


def with_text(table: Table, columns: Columns) -> tuple[Table, Columns]:
    """Return a table and its columns with the one text-like column for the text, if there is no "text".

    The table's notes then say so. Where several columns look alike, the table is refused.
    """
    if columns.text != _UNSAID or _UNSAID in table.columns:
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
            f"{table.name} has no column {_UNSAID!r}, and texts may stand in {names}; "
            f"name one, as text={alike[0]!r:.60}"
        )
    note = f"{table.name} has no column {_UNSAID!r}: texts are taken from {alike[0]!r}"
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
