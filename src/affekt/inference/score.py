"""A model on every row of a file of any length: what `affekt predict`, `embed` and `search` do.

A file that is scored is read twice. The first pass only looks: it meets every unusable row and every column
before a model is opened and an hour of computing is spent, and counts the rows. The second scores windows of
rows and writes each to the output.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.columns import Columns, OnBadRow
from affekt.data.read import SkippedRow, Window, stream
from affekt.data.taxonomies import taxonomy_named
from affekt.data.writing import ROWS, VECTORS, TypeFinder, check_output, header_of, rows_to, vectors_to
from affekt.decisions import Decisions
from affekt.decisions.conformal import percent_of
from affekt.errors import DataError, UsageError
from affekt.files import written_aside
from affekt.inference.cascade import cascade_notes, check_second
from affekt.inference.model import Model, load
from affekt.inference.places import check
from affekt.inference.search import Hit, examples_of
from affekt.inference.set_column import SetColumn
from affekt.text.languages import LOOKED_AT, unread_language

WINDOW = 2048  # rows in memory at once
_LOOK = 256  # rows of the first pass, which computes nothing
_HEAD = 200  # characters of a text that tell its language
LISTED = 20  # skipped rows that a summary lists; the others are counted

Tick = Callable[[int, int], None]


def predict_file(
    model: Model | str | Path | None,
    path: str | Path,
    out: str | Path,
    *,
    task: str | None = None,
    text: str | None = None,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "fail",
    safe_cells: bool = False,
    taxonomy: str | None = None,
    coverage: float | None = None,
    check_rows: int = 0,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Score every text of a file, in the order of the file and in bounded memory.

    The output has the columns of the input, then `predicted` (the label; where a text may have several all
    of its labels, the surest first: a list, in csv and tsv parted by "|"), then a probability for each label
    as `score_<label>`. Where the input has a column of such a name already, the new one gets "_" after it.
    A row that is skipped stands in its place, with nothing predicted.

    Args:
        model: A classifier, or where `load` finds it, None for the ready one: it is then opened once the file
            has been looked at.
        path: csv, tsv, jsonl, json, txt (all also with .gz), xlsx or parquet.
        out: csv, tsv, jsonl or parquet; it appears when it is whole, and replaces what was there.
        task: Of a model that is opened and was trained on several corpora, whose labels to give.
        text: The column with the texts; unless said, "text", or the one column that looks like it.
        columns: More of how the file is read: its ids, delimiter, quotes, encoding.
        on_bad_row: "fail" at the first row without a usable text, "skip" such rows, or "report" them all.
        safe_cells: Whether cells of a csv or tsv that a spreadsheet would run, such as =1, get ' before them.
        taxonomy: Coarser labels to predict, see `Model.coarser`.
        coverage: Adds, before `predicted`, the column `set` with the labels of `Model.sets`: a list, in csv
            and tsv parted by "|"; there is nothing in it where the model is too unsure to say.
        check_rows: Of a cascade, how many rows drawn from the file its second model reads too; then "check"
            says what `inference.cascade.check_second` does.
        tick: Hears (rows done, rows in all) after each window.

    Returns:
        "rows" (those scored), "skipped" (how many), "skipped_rows" (where and why, the first twenty), "notes"
        (what to say of how the file was read), "seconds", "out", and "predicted": how many texts got each
        label, and under "" how many got none.

    Raises:
        DataError: When the file, its column or a row cannot be used.
        ModelError: When the model is an encoder without a classifier, or knows no sets.
        UsageError: When the output is of no known kind, is the input, or cannot be written, or a coverage
            cannot be promised.
    """
    source, target = Path(path), Path(out)
    columns = _told(columns, text)
    kind = check_output(target, ROWS, source)
    if safe_cells and "sv" not in kind:
        raise UsageError(f"{target}: safe cells are for csv and tsv, which spreadsheets open.")
    if taxonomy is not None:
        taxonomy_named(taxonomy)
    if coverage is not None:
        percent_of(coverage)
    if not isinstance(model, Model):
        check(model)  # whether there can be such a model at all
    survey = survey_of(source, columns, on_bad_row, typed=kind == ".parquet")
    opened = model if isinstance(model, Model) else load(model, task=task)
    opened = opened if taxonomy is None else opened.coarser(taxonomy)
    decisions = opened.deciding()
    sets = None if coverage is None else SetColumn.beside(survey.columns, coverage, kind, decisions)
    drawn = _drawn(opened, survey.rows, check_rows)
    began = time.monotonic()
    scores = [f"score_{label}" for label in opened.labels]
    several = decisions.rule == "threshold"
    names, types = (
        (survey.columns, survey.types) if sets is None else sets.added(survey.columns, survey.types)
    )
    header = header_of(names, kind, "predicted", scores, several=several, types=types)
    counts: Counter[str] = Counter()
    again: list[str] = []
    done = 0
    with written_aside(target) as aside, rows_to(aside, kind, header, safe=safe_cells) as write:
        for window in _windows(source, columns, survey, tick, whole=True):
            texts = [None if row in window.faults else text for row, text in enumerate(window.texts)]
            probabilities, predicted = scored(opened, decisions, texts)
            counts.update(label for labels in predicted if labels is not None for label in labels or [""])
            rows = [row.columns for row in window]
            write(
                rows if sets is None else sets.filled(opened, rows, probabilities), predicted, probabilities
            )
            usable = [text for text in texts if text is not None]
            again += [text for at, text in enumerate(usable, start=done) if at in drawn]
            done += len(usable)
    decided = {label: counts[label] for label in (*opened.labels, *([""] if counts[""] else []))}
    summary = survey.summary(opened)
    summary["notes"] += cascade_notes(opened)
    checked = {"check": check_second(opened, again)} if again else {}
    return {**summary, "seconds": _since(began), "out": str(target), "predicted": decided, **checked}


def _drawn(model: Model, rows: int, count: int) -> set[int]:
    """Return which rows of a file its check reads again."""
    if not count:
        return set()
    check_second(model, [])  # whether it can be checked
    return set(np.random.default_rng(0).permutation(rows)[:count].tolist())


def _told(columns: Columns | None, text: str | None) -> Columns:
    columns = columns or Columns()
    return replace(columns, text=text or columns.text)


def scored(
    model: Model, decisions: Decisions, texts: Sequence[str | None]
) -> tuple[np.ndarray, list[list[str] | None]]:
    """Return each text's probabilities and the labels decided on, the surest first; NaN and None of None."""
    usable = [row for row, text in enumerate(texts) if text is not None]
    found = model.probabilities([text for text in texts if text is not None])
    order = np.argsort(-found, axis=1, kind="stable").tolist()
    named: list[list[str] | None] = [None] * len(texts)
    for row, surest, holds in zip(usable, order, decisions.decide(found).tolist(), strict=True):
        named[row] = [model.labels[i] for i in surest if holds[i]]
    probabilities = np.full((len(texts), len(model.labels)), np.nan, dtype=np.float32)
    probabilities[usable] = found
    return probabilities, named


def embed_file(
    model: Model | str | Path | None,
    path: str | Path,
    out: str | Path,
    *,
    text: str | None = None,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "fail",
    projected: bool = False,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Write a vector of length 1 for every text of a file, in the order of the file and in bounded memory.

    Args:
        model: Any model, or where `load` finds it, None for the ready one.
        path: As for `predict_file`.
        out: A parquet file of id, text and vector (a fixed-size list of float32), or an (n, d) .npy file.
        text: The column with the texts.
        columns: More of how the file is read: its ids, delimiter, quotes, encoding.
        on_bad_row: As for `predict_file`. Skipped rows have no vector, so those after them move up.
        projected: The space the contrastive loss worked in rather than the encoder's own.
        tick: Hears (rows done, rows in all) after each window.

    Returns:
        "rows", "dimension", "skipped", "skipped_rows", "notes", "seconds" and "out".
    """
    source, target = Path(path), Path(out)
    columns = _told(columns, text)
    kind = check_output(target, VECTORS, source)
    if not isinstance(model, Model):
        check(model)  # whether there can be such a model at all
    survey = survey_of(source, columns, on_bad_row, typed=False)
    opened = model if isinstance(model, Model) else load(model)
    began = time.monotonic()
    dimension = opened.embed([], projected=projected).shape[1]
    with written_aside(target) as aside, vectors_to(aside, kind, (survey.rows, dimension)) as write:
        for window in _windows(source, columns, survey, tick):
            texts = window.texts
            write(window.ids, texts, opened.embed(texts, projected=projected))
    return {**survey.summary(opened), "dimension": dimension, "seconds": _since(began), "out": str(target)}


def search_file(
    model: Model | str | Path | None,
    query: str | None,
    path: str | Path,
    *,
    like: str | Sequence[str] = (),
    emotion: str | None = None,
    k: int = 10,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "skip",
    skipped: list[SkippedRow] | None = None,
    notes: list[str] | None = None,
) -> list[Hit]:
    """Return the k best texts of a csv, tsv, jsonl or parquet file; `Hit.row` counts the rows that were read.

    Args:
        model: Any model, or where `load` finds it, None for the ready one: it is then opened once the file
            can be read. A classifier where an emotion is asked for.
        query: Words to look for.
        path: The file.
        like: Texts that those looked for should be like.
        emotion: Only texts that hold this label.
        k: How many to return at most.
        columns: Where the texts are; the column "text" unless said.
        on_bad_row: What to do with rows without a text.
        skipped: A list to which the rows left out are added.
        notes: A list to which is added what should be said of how the file is read.
    """
    if not isinstance(model, Model):
        check(model)  # whether there can be such a model at all
    batches = stream(
        path, columns=columns, batch_size=WINDOW, on_bad_row=on_bad_row, skipped=skipped, notes=notes
    )
    examples_of(query, like, emotion, k)
    first = list(islice(batches, 1))  # what cannot be read is said before a model is opened
    texts = (row.text for batch in chain(first, batches) for row in batch)
    opened = model if isinstance(model, Model) else load(model)
    return opened.search(query, texts, like=like, emotion=emotion, k=k)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


# --- the first pass


@dataclass(frozen=True)
class Survey:
    """What a file holds: usable rows, columns, their Arrow types if asked for, and rows left out."""

    rows: int
    length: int  # with those left out
    columns: tuple[str, ...]
    types: dict[str, pa.DataType]
    skipped: "SkippedRows"
    notes: list[str]
    first: list[str]  # beginnings of the first texts, which tell the language

    def summary(self, model: Model) -> dict[str, Any]:
        """Return what a summary says of the file."""
        return {
            "rows": self.rows,
            **self.skipped.summary(),
            "notes": [*self.notes, *foreign(model.about, self.first)],
        }


def foreign(about: Mapping[str, Any], texts: Sequence[str]) -> list[str]:
    """Return a sentence where texts are in a language that a model was not trained on, else none."""
    read = about.get("languages", ())
    other = unread_language(texts, read)
    learnt = ", ".join(map(repr, read))
    return [f"the texts seem to be in {other!r}; the model learnt from texts in {learnt}"] if other else []


class SkippedRows(list[SkippedRow]):
    """Skipped rows: all are counted, the first few kept."""

    met = 0

    def append(self, row: SkippedRow) -> None:
        """Count a row, and keep it if it is one of the first."""
        self.met += 1
        if self.met <= LISTED:
            super().append(row)

    def summary(self) -> dict[str, Any]:
        """Return how many there are, and where and why, the first few."""
        listed = [{"where": row.where, "reason": row.reason} for row in self]
        return {"skipped": self.met, "skipped_rows": listed}


def survey_of(source: Path, how: Columns, on_bad_row: OnBadRow, *, typed: bool) -> Survey:
    """Look at a whole file."""
    finder = TypeFinder(_declared(source) if typed else ())
    skipped, notes = SkippedRows(), list[str]()
    columns: dict[str, None] = {}
    first: list[str] = []
    rows = length = 0
    kept = None if on_bad_row == "report" else skipped  # a report lists and counts them itself
    size = WINDOW if typed else _LOOK  # types are found by windows
    for window in stream(
        source, columns=how, batch_size=size, on_bad_row=on_bad_row, skipped=kept, whole=True, notes=notes
    ):
        length += len(window)
        rows += len(window) - len(window.faults)
        columns.update(dict.fromkeys(window.names))
        first += [text[:_HEAD] for text in window.texts[: max(LOOKED_AT - len(first), 0)]]
        if typed:
            finder.add([row.columns for row in window], columns)
    if not rows:
        left_out = f" that can be used; {skipped.met:,} were skipped" if skipped else ""
        raise DataError(f"{source} holds no rows{left_out}.")
    return Survey(rows, length, tuple(columns), finder.types() if typed else {}, skipped, notes, first)


def _declared(source: Path) -> Iterable[pa.Field]:
    """Return the schema of a parquet file; nothing where there is none, which is the reader's to explain."""
    try:
        return pq.read_schema(source) if source.suffix.lower() == ".parquet" else ()
    except (pa.ArrowException, OSError, UnicodeError):
        return ()


# --- the second pass


def _windows(
    source: Path, how: Columns, survey: Survey, tick: Tick | None, *, whole: bool = False
) -> Iterator[Window]:
    done = 0
    for window in stream(
        source, columns=how, batch_size=WINDOW, on_bad_row="skip", skipped=SkippedRows(), whole=whole
    ):
        usable = len(window) - len(window.faults)
        _check_unchanged(source, survey, done + usable, final=False)
        yield window
        done += usable
        if tick is not None:
            tick(done, survey.rows)
    _check_unchanged(source, survey, done, final=True)


def _check_unchanged(source: Path, survey: Survey, rows: int, *, final: bool) -> None:
    if rows > survey.rows or (final and rows < survey.rows):
        raise DataError(
            f"{source} had {survey.rows:,} rows at first and now {rows:,}: it changed while being read."
        )
