"""A model on files of any number and length, in shards: what `affekt predict` does with a folder.

Rows go file by file into shards of so many rows each, at the same place below the output folder as the file
is below its own, so that folders such as year=2026/ keep their meaning. A shard appears when it is whole, and
then its manifest in `_manifests/`: what it was made of, by which model, and its checksum. The same call, made
again after a kill, keeps the shards whose manifests hold and makes the others; it ends with the same bytes.

The one process that reads hands shards to processes that compute with one thread each, so that answers
depend neither on how many there are, nor on who computes what, nor on the size of a shard.
"""

import fcntl
import glob
import hashlib
import json
import os
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
from affekt.data.files import FORMATS
from affekt.data.read import stream
from affekt.data.writing import ROWS, Header, header_of, rows_to
from affekt.decisions import Decisions
from affekt.errors import DataError, UsageError, of_classifier, unknown_name
from affekt.files import CARD, read_json, write_json, written_aside
from affekt.inference.crew import Crew
from affekt.inference.model import Model, load
from affekt.inference.places import check, variants
from affekt.inference.score import LISTED, WINDOW, SkippedRows, Survey, foreign, scored, survey_of

SHARD_ROWS = 10_000
MANIFESTS = "_manifests"  # readers of folders of files pass over what begins with "_"
_RUN = "run.json"
_NAMED = {".ndjson": ".jsonl", ".ndjson.gz": ".jsonl.gz", ".json": ".jsonl", ".txt": ".csv", ".xlsx": ".csv"}

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Shard:
    """Rows of a file that follow one another, and where they go."""

    source: str  # below the input folder
    digest: str  # of the whole file
    first: int  # row, counted from 0
    rows: int
    target: str  # below the output folder


@dataclass(frozen=True)
class ShardRows:
    """A shard with its rows: their cells, and their texts, None for those that cannot be used."""

    shard: Shard
    cells: list[dict[str, Any]]
    texts: list[str | None]


@dataclass(frozen=True)
class Making:
    """What makes every shard of a run: it travels to the processes that compute."""

    model: str | Path | None
    out: Path
    kind: str
    header: Header
    safe: bool
    described: dict[str, Any]  # of the model, for the manifests

    def open(self) -> Callable[[ShardRows], dict[str, int]]:
        """Open the model and return what makes a shard and says how many texts got each label."""
        model = load(self.model).steady()
        decisions = model.deciding()
        return lambda task: self.make(model, decisions, task)

    def make(self, model: Model, decisions: Decisions, task: ShardRows) -> dict[str, int]:
        """Write a shard, then its manifest."""
        counts: Counter[str] = Counter()
        target = self.out / task.shard.target
        with written_aside(target) as aside:
            with rows_to(aside, self.kind, self.header, safe=self.safe) as write:
                for at in range(0, len(task.texts), WINDOW):
                    probabilities, predicted = scored(model, decisions, task.texts[at : at + WINDOW])
                    counts.update(name for names in predicted if names is not None for name in names or [""])
                    write(task.cells[at : at + WINDOW], predicted, probabilities)
            digest = _digest(aside)
        predicted_labels = {name: counts[name] for name in (*model.labels, "") if counts[name]}
        manifest = {
            **_expected(task.shard, self.described),
            "sha256": digest,
            "predicted": predicted_labels,
        }
        write_json(_manifest(self.out, task.shard), manifest)
        return predicted_labels


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
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Score every text of a file, of a folder's files or of those a pattern names, into shards in a folder.

    Rows come out as `predict_file` writes them, with the columns of all files. A call that was stopped,
    however, goes on when it is made again; one that asks for something else is refused.

    Args:
        model: Where `load` finds a classifier; the ready model unless said.
        source: A file, a folder (its csv, tsv, jsonl and parquet files, at any depth, names that begin with
            "." or "_" left out), or a pattern such as "posts/*.csv".
        out: The folder of the shards; new, empty, or of the same call.
        columns: How the files are read: their text column, ids, delimiter, quotes, encoding.
        on_bad_row: As for `predict_file`.
        safe_cells: As for `predict_file`.
        kind: What shards are written as, one of `ROWS`; unless said, as the first file is.
        shard_rows: Rows of a shard, at most.
        workers: Processes that compute, each with one thread and the model; 0 computes in this one, with its
            threads. A script that asks for some must have `if __name__ == "__main__":`.
        tick: Hears (rows done, rows in all) after each shard.

    Returns:
        What `predict_file` does, and "shards" (how many there are) and "kept" (how many were there).

    Raises:
        DataError: When a file, its column or a row cannot be used.
        ModelError: When there is no such model, or it is an encoder without a classifier.
        UsageError: When the folder holds other files or another run, or another process is writing to it.
    """
    began, target = time.monotonic(), Path(out)
    columns = columns or Columns()
    if shard_rows < 1 or workers < 0:
        raise UsageError(
            f"shards of {shard_rows} rows and {workers} workers: give at least 1 row, 0 workers."
        )
    base, files = files_of(source, target)
    kind = kind or _kind_of(files[0])
    if kind not in ROWS:
        raise UsageError(unknown_name("kind of file", kind, ROWS))
    if safe_cells and "sv" not in kind:
        raise UsageError(f"{target}: safe cells are for csv and tsv, which spreadsheets open.")
    described = _described(check(model))
    known = {"labels": described.pop("labels"), "languages": described.pop("languages")}
    with _only_writer(target):
        _check_folder(target)
        typed = kind == ".parquet"
        surveys = [survey_of(file, columns, on_bad_row, typed=typed) for file in files]
        shards = _plan(base, files, surveys, kind, shard_rows)
        run = {
            "format": 1,
            "affekt": __version__,
            "model": described,
            "columns": asdict(columns),
            "on_bad_row": on_bad_row,
            "safe_cells": safe_cells,
            "kind": kind,
            "shard_rows": shard_rows,
            "files": {shard.source: shard.digest for shard in shards},
        }
        _begin(target, json.loads(json.dumps(run)))
        header = _header(surveys, kind, known["labels"], described)
        making = Making(model, target, kind, header, safe_cells, described)
        counts: Counter[str] = Counter()
        left = []
        for shard in shards:
            found = _whole(target, shard, described)
            counts.update(found or {})
            left += [] if found is not None else [shard]
        total = sum(shard.rows for shard in shards)
        done = total - sum(shard.rows for shard in left)
        tasks = _tasks(base, columns, left)
        for shard, made in _made(making, tasks, min(workers, len(left))):
            counts.update(made)
            done += shard.rows
            if tick is not None:
                tick(done, total)
    order = (*known["labels"], *([""] if counts[""] else []))
    notes = dict.fromkeys(note for one in surveys for note in one.notes)
    skipped = SkippedRows()
    for one in surveys:
        skipped.extend(one.skipped[: LISTED - len(skipped)])
    skipped.met = sum(one.skipped.met for one in surveys)
    return {
        "rows": sum(one.rows for one in surveys),
        **skipped.summary(),
        "notes": [*notes, *foreign(known, [text for one in surveys for text in one.first])],
        "seconds": round(time.monotonic() - began, 3),
        "out": str(target),
        "shards": len(shards),
        "kept": len(shards) - len(left),
        "predicted": {label: counts[label] for label in order},
    }


# --- what is read


def files_of(source: str | Path, out: Path | None = None) -> tuple[Path, list[Path]]:
    """Return the files that a file's, a folder's name or a pattern means, in order, and the folder above."""
    path = Path(source)
    if path.is_file():
        return path.parent, [path]
    endings = (*FORMATS, *(f"{ending}.gz" for ending in FORMATS if ending != ".parquet"))
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.name.lower().endswith(endings) and file.is_file()]
        hidden = [file for file in found if any(p[0] in "._" for p in file.relative_to(path).parts)]
        found = sorted(set(found) - set(hidden))
        base = path
        if out is not None:
            found = [file for file in found if out.resolve() not in file.resolve().parents]
    else:
        found = [
            Path(name) for name in sorted(glob.glob(str(source), recursive=True)) if Path(name).is_file()
        ]
        base = Path(os.path.commonpath([file.parent for file in found])) if found else path
    if not found:
        raise DataError(f"{source}: there is no such file, and no file of {', '.join(endings)} in it.")
    return base, found


def _kind_of(file: Path) -> str:
    name = file.name.lower()
    known = max((end for end in (*ROWS, *_NAMED) if name.endswith(end)), key=len, default=".csv")
    return _NAMED.get(known, known)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _described(folder: Path) -> dict[str, Any]:
    """Return what tells a model's answers from another's: the digest of its files, and how it decides."""
    others = variants(folder)
    files = sorted(
        file for file in folder.rglob("*") if file.is_file() and not set(others) & set(file.parents)
    )
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.relative_to(folder)}\0{_digest(file)}\n".encode())
    card = read_json(folder / CARD) if (folder / CARD).exists() else {}
    of_classifier(card.get("decisions"))
    return {
        "sha256": whole.hexdigest(),
        "decisions": card["decisions"],
        "labels": card["labels"],
        "languages": card["about"].get("languages", ()),
    }


def _plan(base: Path, files: list[Path], surveys: list[Survey], kind: str, rows: int) -> list[Shard]:
    """Cut files into shards, named after them."""
    stems = [file.relative_to(base).with_name(file.name.split(".")[0] or file.name) for file in files]
    often = Counter(stems)
    shards = []
    for file, stem, one in zip(files, stems, surveys, strict=True):
        name, digest = file.relative_to(base), _digest(file)
        place = stem if often[stem] == 1 else name
        for number, first in enumerate(range(0, one.length, rows)):
            target = f"{place}-{number:05d}{kind}"
            shards.append(Shard(str(name), digest, first, min(rows, one.length - first), target))
    return shards


def _header(surveys: list[Survey], kind: str, labels: list[str], described: dict[str, Any]) -> Header:
    """Return the header of all shards: the columns of every file, of types that hold all their values."""
    names = dict.fromkeys(name for one in surveys for name in one.columns)
    types: dict[str, pa.DataType] = {}
    for name, found in ((name, found) for one in surveys for name, found in one.types.items()):
        try:
            both = [pa.schema([("", types.get(name, found))]), pa.schema([("", found)])]
            types[name] = pa.unify_schemas(both, promote_options="permissive").field(0).type
        except pa.ArrowException:
            types[name] = pa.string()
    several = Decisions.from_json(described["decisions"]).rule == "threshold"
    scores = [f"score_{label}" for label in labels]
    return header_of(names, kind, "predicted", scores, several=several, types=types)


def _tasks(base: Path, how: Columns, shards: list[Shard]) -> Iterator[ShardRows]:
    """Read the rows of shards; each file once, and only what stands between two shards is passed over."""
    by_file: dict[str, list[Shard]] = {}
    for shard in shards:
        by_file.setdefault(shard.source, []).append(shard)
    for name, wanted in by_file.items():
        at, waiting = 0, iter(wanted)
        task = ShardRows(next(waiting), [], [])
        last = wanted[-1].first + wanted[-1].rows
        for window in stream(
            base / name, columns=how, batch_size=WINDOW, on_bad_row="skip", skipped=SkippedRows(), whole=True
        ):
            begin, end = at, at + len(window)
            while at < end and at < last:
                shard = task.shard
                at = max(at, min(shard.first, end))
                taken = range(at - begin, min(end, shard.first + shard.rows) - begin)
                task.cells.extend(dict(window[row].columns) for row in taken)
                task.texts.extend(None if row in window.faults else window.texts[row] for row in taken)
                at += len(taken)
                if len(task.texts) == shard.rows:
                    yield task
                    if (following := next(waiting, None)) is None:
                        break
                    task = ShardRows(following, [], [])
            at = end
            if at >= last:
                break
        if at < last:
            raise DataError(f"{base / name}: it changed while being read; it has fewer rows now.")


# --- what is written


def _made(making: Making, tasks: Iterator[ShardRows], workers: int) -> Iterator[tuple[Shard, dict[str, int]]]:
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


def _manifest(out: Path, shard: Shard) -> Path:
    return out / MANIFESTS / f"{shard.target}.json"


def _expected(shard: Shard, model: dict[str, Any]) -> dict[str, Any]:
    """Return what a shard's manifest says before its content is known."""
    source = {"file": shard.source, "sha256": shard.digest, "first": shard.first}
    return {"shard": shard.target, "rows": shard.rows, "input": source, "model": model}


def _whole(out: Path, shard: Shard, model: dict[str, Any]) -> dict[str, int] | None:
    """Return the counts of a shard that is there as its manifest says; None where it must be made."""
    try:
        manifest = read_json(_manifest(out, shard))
        expected = json.loads(json.dumps(_expected(shard, model)))
        same = {key: manifest[key] for key in expected} == expected
        if same and _digest(out / shard.target) == manifest["sha256"]:
            return {str(label): int(count) for label, count in manifest["predicted"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _check_folder(out: Path) -> None:
    """Refuse a folder that holds what is no run's."""
    if any(path.name != MANIFESTS for path in out.iterdir()) and not (out / MANIFESTS / _RUN).exists():
        raise UsageError(f"{out}: holds other files; name a new folder for the shards.")


def _begin(out: Path, run: dict[str, Any]) -> None:
    """Write down what is asked for; UsageError where something else was before."""
    path = out / MANIFESTS / _RUN
    try:
        before = read_json(path) if path.exists() else run
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path}: cannot be read; name a new folder for the shards.") from fault
    if before != run:
        other = [key for key in run if not isinstance(before, dict) or before.get(key) != run[key]]
        raise UsageError(
            f"{out}: holds shards made with another {' and '.join(other) or 'call'}; name a new folder, or "
            "remove this one."
        )
    write_json(path, run)


@contextmanager
def _only_writer(out: Path) -> Iterator[None]:
    """Hold the folder of the shards, so that no second call writes into it meanwhile."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder for the shards.")
    (out / MANIFESTS).mkdir(parents=True, exist_ok=True)
    handle = os.open(out / MANIFESTS, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as fault:
        raise UsageError(f"{out}: another process is writing there; wait until it is done.") from fault
    finally:
        os.close(handle)
