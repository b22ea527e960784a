"""A model on files of any number and length, in shards: what `affekt predict` and `embed` do with a folder.

Rows go file by file into shards of so many rows each, at the same place below the output folder as the file
is below its own, so that folders such as year=2026/ keep their meaning. A shard appears when it is whole, and
then its manifest in `_manifests/`: what it was made of, by which model, and its checksum. The same call, made
again after a kill, keeps the shards whose manifests hold and makes the others; it ends with the same bytes.

The one process that reads hands shards to processes that compute with one thread each, so that answers
depend neither on how many there are, nor on who computes what, nor on the size of a shard.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from affekt._version import __version__
from affekt.data.columns import Columns, OnBadRow
from affekt.data.taxonomies import taxonomy_named
from affekt.data.writing import ROWS, VECTORS, Header, header_of
from affekt.decisions import Decisions
from affekt.decisions.conformal import promised
from affekt.errors import UsageError, of_classifier, unknown_name
from affekt.files import CARD, read_json, sha256_of
from affekt.inference.crew import Crew
from affekt.inference.makers import (
    LabelShards,
    Shard,
    ShardRows,
    VectorShards,
    by_labels,
)
from affekt.inference.model import load
from affekt.inference.places import check, variants
from affekt.inference.score import LISTED, SkippedRows, Survey, foreign, survey_of
from affekt.inference.set_column import SetColumn
from affekt.inference.shard_folder import begin, check_folder, counts_of_whole, only_writer
from affekt.inference.sources import files_of, kind_of, plan, tasks_of

SHARD_ROWS = 10_000

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Sharding:
    """How a call reads files and makes shards, whatever is in them.

    Attributes:
        source: A file, a folder (its csv, tsv, jsonl and parquet files, at any depth, names that begin with
            "." or "_" left out), or a pattern such as "posts/*.csv".
        out: The folder of the shards; new, empty, or of the same call.
        columns: How the files are read: their text column, ids, delimiter, quotes, encoding.
        on_bad_row: As for `predict_file`.
        kind: What shards are written as, such as ".parquet".
        shard_rows: Rows of a shard, at most.
        workers: Processes that compute, each with one thread and the model; 0 computes in this one, with its
            threads. A script that asks for some must have `if __name__ == "__main__":`.
        tick: Hears (rows done, rows in all) after each shard.
    """

    source: str | Path
    out: Path
    columns: Columns
    on_bad_row: OnBadRow
    kind: str
    shard_rows: int
    workers: int
    tick: Tick | None

    def __post_init__(self) -> None:
        if self.shard_rows < 1 or self.workers < 0:
            raise UsageError(
                f"shards of {self.shard_rows} rows and {self.workers} workers: give at least 1 row, "
                "0 workers."
            )


def predict_shards(
    model: str | Path | None,
    source: str | Path,
    out: str | Path,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "fail",
    safe_cells: bool = False,
    kind: str | None = None,
    shard_rows: int = SHARD_ROWS,
    workers: int = 0,
    task: str | None = None,
    taxonomy: str | None = None,
    coverage: float | None = None,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Score every text of a file, of a folder's files or of those a pattern names, into shards in a folder.

    Rows come out as `predict_file` writes them, with the columns of all files. A call that was stopped,
    however, goes on when it is made again; one that asks for something else is refused.

    Args:
        model: Where `load` finds a classifier; the ready model unless said.
        source: As in `Sharding`, and so the other arguments that are there.
        out: As in `Sharding`.
        columns: As in `Sharding`.
        on_bad_row: As for `predict_file`.
        safe_cells: As for `predict_file`.
        kind: One of `ROWS`; unless said, as the first file is.
        shard_rows: Rows of a shard, at most.
        workers: Processes that compute; 0 computes in this one.
        task: As for `predict_file`.
        taxonomy: As for `predict_file`.
        coverage: As for `predict_file`.
        tick: Hears (rows done, rows in all) after each shard.

    Returns:
        What `predict_file` does, and "shards" (how many there are) and "kept" (how many were there).

    Raises:
        DataError: When a file, its column or a row cannot be used.
        ModelError: When there is no such model, or it is an encoder without a classifier.
        UsageError: When the folder holds other files or another run, or another process is writing to it.
    """
    target = Path(out)
    kind = kind or kind_of(files_of(source, target)[1][0])
    if kind not in ROWS:
        raise UsageError(unknown_name("kind of file", kind, ROWS))
    if safe_cells and "sv" not in kind:
        raise UsageError(f"{target}: safe cells are for csv and tsv, which spreadsheets open.")
    if taxonomy is not None:
        taxonomy_named(taxonomy)
    asked = Sharding(source, target, columns or Columns(), on_bad_row, kind, shard_rows, workers, tick)
    folder = check(model)
    described, known = _classifier(folder, task, taxonomy)
    decisions = Decisions.from_json(described["decisions"])
    if coverage is not None:
        promised(decisions.sets, coverage)
    further: dict[str, Any] = {"safe_cells": safe_cells}
    further |= {} if coverage is None else {"coverage": coverage}

    def making(surveys: list[Survey]) -> LabelShards:
        sets = None
        if coverage is not None:
            columns = {name for one in surveys for name in one.columns}
            sets = SetColumn.beside(columns, coverage, kind, decisions)
        header = _header(surveys, kind, known["labels"], decisions, sets)
        return LabelShards(folder, task, taxonomy, target, kind, header, safe_cells, described, sets)

    counts, summary = _made_of(asked, described, further, making, known)
    order = (*known["labels"], *([""] if counts[""] else []))
    return {**summary, "predicted": {label: counts[label] for label in order}}


def embed_shards(
    model: str | Path | None,
    source: str | Path,
    out: str | Path,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "fail",
    kind: str = ".parquet",
    shard_rows: int = SHARD_ROWS,
    workers: int = 0,
    projected: bool = False,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Write a vector for every text, as `embed_file` does, into shards as `predict_shards` does.

    Args:
        model: Where `load` finds a model; the ready one unless said.
        source: As in `Sharding`, and so the other arguments that are there.
        out: As in `Sharding`.
        columns: As in `Sharding`.
        on_bad_row: As for `embed_file`: rows that are skipped have no vector.
        kind: One of `VECTORS`.
        shard_rows: Rows of the input for a shard, at most.
        workers: Processes that compute; 0 computes in this one.
        projected: As for `embed_file`.
        tick: Hears (rows done, rows in all) after each shard.

    Returns:
        What `embed_file` does, and "shards" and "kept".

    Raises:
        DataError: When a file, its column or a row cannot be used.
        ModelError: When there is no such model.
        UsageError: When the folder holds other files or another run, or another process is writing to it.
    """
    target = Path(out)
    if kind not in VECTORS:
        raise UsageError(unknown_name("kind of file", kind, VECTORS))
    asked = Sharding(source, target, columns or Columns(), on_bad_row, kind, shard_rows, workers, tick)
    files_of(source, target)
    place = check(model)
    folder = place if place.is_dir() else str(model)
    opened = load(folder)
    dimension = opened.embed([], projected=projected).shape[1]
    described = {"sha256": _digest_of_folder(place) if place.is_dir() else str(model), "vectors": dimension}
    known = {"languages": opened.about.get("languages", ())}
    del opened  # whoever computes opens it again

    def making(surveys: list[Survey]) -> VectorShards:
        return VectorShards(folder, target, kind, projected, dimension, described)

    _, summary = _made_of(asked, described, {"projected": projected}, making, known)
    return {**summary, "dimension": dimension}


def _made_of(
    asked: Sharding,
    described: dict[str, Any],
    further: dict[str, Any],
    making: Callable[[list[Survey]], LabelShards | VectorShards],
    known: dict[str, Any],
) -> tuple[Counter[str], dict[str, Any]]:
    """Make the shards that are not there; return how many texts got each label, and a summary."""
    began, target = time.monotonic(), asked.out
    base, files = files_of(asked.source, target)
    with only_writer(target), _small_pool():
        check_folder(target)
        typed = asked.kind == ".parquet" and "safe_cells" in further
        surveys = [survey_of(file, asked.columns, asked.on_bad_row, typed=typed) for file in files]
        shards = plan(base, files, surveys, asked.kind, asked.shard_rows)
        run = {
            "format": 1,
            "affekt": __version__,
            "model": described,
            "columns": asdict(asked.columns),
            "on_bad_row": asked.on_bad_row,
            **further,
            "kind": asked.kind,
            "shard_rows": asked.shard_rows,
            "files": {shard.source: shard.digest for shard in shards},
        }
        begin(target, json.loads(json.dumps(run)))
        counts: Counter[str] = Counter()
        left = []
        for shard in shards:
            found = counts_of_whole(target, shard, described)
            counts.update(found or {})
            left += [] if found is not None else [shard]
        total = sum(shard.rows for shard in shards)
        done = total - sum(shard.rows for shard in left)
        tasks = tasks_of(base, asked.columns, left)
        for shard, made in _made(making(surveys), tasks, min(asked.workers, len(left))):
            counts.update(made)
            done += shard.rows
            if asked.tick is not None:
                asked.tick(done, total)
    notes = dict.fromkeys(note for one in surveys for note in one.notes)
    skipped = SkippedRows()
    for one in surveys:
        skipped.extend(one.skipped[: LISTED - len(skipped)])
    skipped.met = sum(one.skipped.met for one in surveys)
    return counts, {
        "rows": sum(one.rows for one in surveys),
        **skipped.summary(),
        "notes": [*notes, *foreign(known, [text for one in surveys for text in one.first])],
        "seconds": round(time.monotonic() - began, 3),
        "out": str(target),
        "shards": len(shards),
        "kept": len(shards) - len(left),
    }


@contextmanager
def _small_pool() -> Iterator[None]:
    """Let Arrow give memory back as soon as it is free; its own pool keeps some tens of megabytes."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


# --- what is read


def _digest_of_folder(folder: Path) -> str:
    """Return a digest of a model's files, its faster variants left out."""
    others = set(variants(folder))
    whole = hashlib.sha256()
    for file in sorted(
        file for file in folder.rglob("*") if file.is_file() and not others & set(file.parents)
    ):
        whole.update(f"{file.relative_to(folder)}\0{sha256_of(file)}\n".encode())
    return whole.hexdigest()


def _classifier(
    folder: Path, task: str | None, taxonomy: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what tells a model's answers from another's, the digest of its files and how it decides.

    And its labels and the languages it learnt from. Of its own labels the card tells all that; for others it
    is opened.
    """
    card = read_json(folder / CARD) if (folder / CARD).exists() else {}
    of_classifier(card.get("decisions"))
    decisions, labels, asked = card["decisions"], card["labels"], {}
    if task is not None or taxonomy is not None:
        opened = by_labels(folder, task, taxonomy)
        decisions, labels = opened.deciding().to_json(), list(opened.labels)
        asked = {"task": task, "taxonomy": taxonomy}
    described = {"sha256": _digest_of_folder(folder), "decisions": decisions, **asked}
    return described, {"labels": labels, "languages": card["about"].get("languages", ())}


def _header(
    surveys: list[Survey], kind: str, labels: list[str], decisions: Decisions, sets: SetColumn | None
) -> Header:
    """Return the header of all shards: the columns of every file, of types that hold all their values."""
    names = dict.fromkeys(name for one in surveys for name in one.columns)
    types: dict[str, pa.DataType] = {}
    for name, found in ((name, found) for one in surveys for name, found in one.types.items()):
        try:
            both = [pa.schema([("", types.get(name, found))]), pa.schema([("", found)])]
            types[name] = pa.unify_schemas(both, promote_options="permissive").field(0).type
        except pa.ArrowException:
            types[name] = pa.string()
    several = decisions.rule == "threshold"
    scores = [f"score_{label}" for label in labels]
    columns, types = (tuple(names), types) if sets is None else sets.added(names, types)
    return header_of(columns, kind, "predicted", scores, several=several, types=types)


# --- what is written


def _made(
    making: LabelShards | VectorShards, tasks: Iterator[ShardRows], workers: int
) -> Iterator[tuple[Shard, dict[str, int]]]:
    """Make shards here, or in other processes; yield each with its counts when it is there."""
    if not workers:
        make = None
        for task in tasks:
            make = make or making.open()
            yield task.shard, make(task)
        return
    with Crew(workers, making.open) as crew:
        for task, counts in crew.work(tasks):
            yield task.shard, counts
