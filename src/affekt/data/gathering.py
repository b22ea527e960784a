"""From tables to label matrices: rows of one or several files become texts, targets and label names."""

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from affekt.data.columns import Columns, Example, Layout, RowFault, is_marked, lay_out, read_row
from affekt.data.rows import OnBadRow, Row, RowFaults, SkippedRow, Table
from affekt.errors import DataError

Targets = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Gathered:
    """Everything a corpus is made of, and the split each row names (empty without a split column)."""

    texts: list[str]
    targets: Targets  # (n, k)
    labels: tuple[str, ...]
    single_label: bool
    ids: list[str]
    splits: list[str]
    skipped: tuple[SkippedRow, ...]


@dataclass
class _Reading:
    """What has been read so far."""

    faults: RowFaults
    examples: list[Example] = field(default_factory=list)
    seen: dict[tuple[str, ...], str] = field(default_factory=dict)  # (id, rater) → where
    texts: dict[str, str] = field(default_factory=dict)  # of ids, to see that all raters saw the same
    unclear: dict[str, int] = field(default_factory=dict)  # per table
    rows: int = 0


def gather(
    tables: Sequence[AbstractContextManager[Table]], columns: Columns, on_bad_row: OnBadRow
) -> Gathered:
    """Read tables of the same columns one after the other.

    Row numbers that stand in for ids carry the table's name when there is more than one table.
    """
    reading = _Reading(RowFaults(on_bad_row))
    layouts: list[Layout] = []
    names: list[str] = []
    for opened in tables:
        with opened as table:
            layouts.append(lay_out(table, columns))
            names.append(table.name)
            _read_table(table, layouts[-1], reading, alone=len(tables) == 1)
    if len({(layout.form, layout.single_label) for layout in layouts}) > 1:
        raise DataError(f"{', '.join(names)} hold their labels in different forms; read them one by one")
    reading.faults.finish()
    _require_rows(reading, ", ".join(names))
    gathered = _assemble(reading, layouts[0])
    return _votes(gathered) if columns.rater else gathered


def _read_table(table: Table, layout: Layout, reading: _Reading, *, alone: bool) -> None:
    for row in table.rows:
        reading.rows += 1
        if layout.unclear and is_marked(row.values.get(layout.unclear)):
            reading.unclear[table.name] = reading.unclear.get(table.name, 0) + 1
            continue
        where = f"{table.name}:{row.number}"
        try:
            example = _checked(row, layout, reading, where)
        except RowFault as fault:
            reading.faults.add(where, str(fault))
            continue
        if not (layout.id or alone):
            example = replace(example, id=where)
        reading.examples.append(example)


def _checked(row: Row, layout: Layout, reading: _Reading, where: str) -> Example:
    """Return a row's example if its id is new (or, with raters, its rater is, and the text the same)."""
    if row.fault:
        raise RowFault(row.fault)
    example = read_row(row, layout)
    if layout.id is None:
        return example
    key = (example.id, example.rater)
    if key in reading.seen:
        hint = "" if layout.columns.id else "; id='' numbers the rows instead"
        raise RowFault(f"repeats {example.id!r} of {reading.seen[key]}{hint}", layout.id)
    if layout.columns.rater and reading.texts.setdefault(example.id, example.text) != example.text:
        raise RowFault(f"differs from what other raters of {example.id!r} saw", layout.columns.text)
    reading.seen[key] = where
    return example


def _require_rows(reading: _Reading, source: str) -> None:
    if reading.examples:
        return
    if not reading.rows:
        raise DataError(f"{source} has no rows")
    why = reading.faults.skipped[0] if reading.faults.skipped else None
    first = f"; the first, {why.where}: {why.reason}" if why else ""
    raise DataError(f"none of the {reading.rows:,} rows of {source} can be used{first}")


def _assemble(reading: _Reading, layout: Layout) -> Gathered:
    examples = reading.examples
    names = _label_space(examples, layout)
    if layout.form == "shares":
        targets = np.array([example.shares for example in examples], dtype=np.float32)
    else:
        targets = multi_hot([example.labels for example in examples], names)
    unclear = [
        SkippedRow(table, f"{count:,} rows their raters marked {layout.unclear}")
        for table, count in reading.unclear.items()
    ]
    return Gathered(
        texts=[example.text for example in examples],
        targets=targets,
        labels=names,
        single_label=layout.single_label and layout.form != "none",
        ids=[example.id for example in examples],
        splits=[example.split for example in examples],
        skipped=(*reading.faults.skipped, *unclear),
    )


def _label_space(examples: Sequence[Example], layout: Layout) -> tuple[str, ...]:
    if layout.form == "none":
        return ()
    if layout.names is not None:
        return layout.names
    return in_order({label for example in examples for label in example.labels})


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


def _votes(gathered: Gathered) -> Gathered:
    """Gather rows of the same id into one whose targets are the mean over its raters."""
    firsts: dict[str, int] = {}
    group = np.array([firsts.setdefault(name, len(firsts)) for name in gathered.ids])
    rows = np.unique(group, return_index=True)[1]  # the first row of each id, in order of appearance
    raters = np.bincount(group).astype(np.float64)
    shares = np.stack(
        [np.bincount(group, weights=column) / raters for column in gathered.targets.T.astype(np.float64)],
        axis=1,
    )
    return replace(
        gathered,
        texts=[gathered.texts[row] for row in rows],
        targets=shares.astype(np.float32),
        ids=[gathered.ids[row] for row in rows],
        splits=[gathered.splits[row] for row in rows],
    )
