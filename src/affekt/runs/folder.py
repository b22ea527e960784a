"""The run folder: who may write to it, how its files are written, and how they are read again.

A run folder is known by the file `.affekt-run`, which is written first and whose lock says that somebody is
training into it. Nothing is written into a folder with other files that lacks it.
"""

import csv
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from affekt.data.corpus import Corpus
from affekt.data.read import SkippedRow
from affekt.decisions import Decisions
from affekt.errors import DataError, PlaceError, UsageError, first_line
from affekt.files import CARD, is_utf8, parse_json, recover, write_json, written_aside
from affekt.runs.metrics import check_epoch, check_metrics
from affekt.runs.predictions import Predictions, read_predictions, write_predictions

MARKER = ".affekt-run"
CHECKPOINT = "checkpoint.pt"
_METRICS, _RECIPE, _HISTORY = "metrics.json", "recipe.yaml", "history.jsonl"
_PREDICTIONS, _SKIPPED, _MODEL = "predictions.parquet", "skipped.jsonl", "model"
_LEAKS, _TASKS = "leaks.csv", "tasks"
_FILES = (_RECIPE, _SKIPPED, _LEAKS, CHECKPOINT, _HISTORY, _PREDICTIONS, _METRICS)
_OLD_LOCK = ".lock"  # of runs before there was a marker


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run, or will. What a run did not leave reads as empty."""

    path: Path

    # --- reading

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json says; it marks the run as finished."""
        path = self.path / _METRICS
        if not path.exists():
            raise DataError(
                f"{self.path}: holds no metrics.json, so it is no finished run; name the folder that "
                "training wrote."
            )
        metrics = _parsed(_text(path), str(path))
        check_metrics(metrics, str(path))
        return metrics

    @cached_property
    def recipe(self) -> str:
        """The complete recipe, as YAML."""
        path = self.path / _RECIPE
        return _text(path) if path.exists() else ""

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """An entry for each epoch."""
        path = self.path / _HISTORY
        entries = []
        for number, line in enumerate(_text(path).split("\n") if path.exists() else (), start=1):
            if line.strip():
                entries.append(_parsed(line, f"{path}:{number}"))
                check_epoch(entries[-1], f"{path}:{number}")
        return entries

    @cached_property
    def predictions(self) -> dict[str, Predictions]:
        """What the model said of each split it was judged on."""
        return read_predictions(self.path / _PREDICTIONS, self.labels, single_label=self.single_label)

    @property
    def tasks(self) -> dict[str, "RunFolder"]:
        """What the run came to on each corpus beside the main one, which reads as a run of its own."""
        return {task: self.task(task) for task in self.metrics.get("tasks") or {}}

    def task(self, name: str) -> "RunFolder":
        """The part of the folder that a corpus beside the main one has."""
        return RunFolder(self.path / _TASKS / name)

    @property
    def name(self) -> str:
        """The run's name, or its folder's."""
        return str(self.metrics.get("name") or self.path.name)

    @property
    def labels(self) -> list[str]:
        """Label names, in the order of the probabilities."""
        return [str(label) for label in (self.metrics.get("data") or {}).get("labels") or []]

    @property
    def single_label(self) -> bool:
        """Whether each text has exactly one label."""
        return bool((self.metrics.get("data") or {}).get("single_label"))

    @property
    def final(self) -> Predictions | None:
        """The predictions that final figures rest on: the test split's, else the dev split's."""
        return self.predictions.get("test") or self.predictions.get("dev")

    @cached_property
    def opens_in(self) -> list[str]:
        """What opens the model that the run saved, and gives its answers."""
        path = self.path / _MODEL / CARD
        named = _parsed(_text(path), str(path)).get("opens_in") if path.exists() else []
        return [str(name) for name in named] if isinstance(named, list) else []

    @property
    def is_finished(self) -> bool:
        """Whether a run came to its end here."""
        return (self.path / _METRICS).exists()

    @property
    def began_unmarked(self) -> bool:
        """Whether a run of before there were markers was killed here before its first checkpoint."""
        return self._names() - {MARKER} == {_RECIPE} and (self.path / _OLD_LOCK).exists()

    # --- claiming

    @contextmanager
    def claimed(self, *, resume: bool) -> Iterator["RunFolder"]:
        """Hold the folder for this process alone, and remove what a killed run was writing.

        After a fault that came before anything was written, the place is as it was.

        Raises:
            UsageError: When another process writes to it, or as `check` does.
        """
        self.check(resume=resume)
        new, before = not self.path.exists(), self._names()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            marker = (self.path / MARKER).open("a")
        except OSError as fault:
            raise UsageError(f"{self.path}: cannot be written to ({fault.strerror}).") from fault
        with marker:
            self._lock(marker)
            self.check(resume=resume)  # once more, since now nobody else changes it
            for name in (*_FILES, _MODEL):
                recover(self.path / name)
            try:
                yield self
            except BaseException:
                if MARKER not in before and (before or self._names() == {MARKER}):
                    (self.path / MARKER).unlink()
                    if new:
                        self.path.rmdir()
                raise

    def check(self, *, resume: bool) -> None:
        """Refuse a place that no run can be trained into; nothing is written.

        Raises:
            UsageError: When it is a file, holds files that are not of a run, or holds a run and `resume` was
                not asked for.
        """
        if not is_utf8(self.path.absolute()):
            raise UsageError(f"{self.path}: its name is not UTF-8; name another folder for the run.")
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path}: is a file; name a folder for the run.")
        names = self._names()
        begun = bool({CHECKPOINT, _METRICS} & names)
        known = MARKER in names or (begun and _RECIPE in names) or (resume and self.began_unmarked)
        if names and not known:
            raise UsageError(
                f"{self.path}: holds other files, such as {min(names)}; name a new or an empty folder."
            )
        if begun and not resume:
            raise UsageError(
                f"{self.path}: holds a run already; add --resume to go on, or name another folder."
            )
        model = self.path / _MODEL
        foreign = [self.path / name for name in _FILES if (self.path / name).is_dir()]
        if (
            model.exists()
            and not (model / CARD).exists()
            and not (model.is_dir() and not any(model.iterdir()))
        ):
            foreign.append(model)
        if foreign:
            raise UsageError(
                f"{foreign[0]}: is not of a run, and stands where training writes; move it or name another "
                "folder."
            )

    def _names(self) -> set[str]:
        """What the folder holds; the lock of an earlier version does not count."""
        try:
            return set(os.listdir(self.path)) - {_OLD_LOCK}
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as fault:
            raise UsageError(f"{self.path}: cannot be read ({fault.strerror}).") from fault

    def _lock(self, marker: IO[str]) -> None:
        """Lock the marker, if it is still the folder's: a run that failed at once took its own away."""
        with suppress(OSError):
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(marker.fileno()), os.stat(self.path / MARKER)):
                return
        raise PlaceError(f"{self.path}: another process is training into this folder; name another one.")

    # --- writing

    def write_start(self, recipe: str, skipped: Iterable[SkippedRow]) -> None:
        """Write what is known before training: the complete recipe, and rows that were left out."""
        if (self.path / CHECKPOINT).exists():
            return  # a run to be resumed, if it is of this recipe and this data
        self._write(_RECIPE, recipe)
        rows = [{"where": row.where, "reason": row.reason} for row in skipped]
        if rows:
            self._write(_SKIPPED, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def write_leaks(self, rows: Sequence[Any]) -> None:
        """Write which training texts were left out, each a dataclass, since guarded splits hold them."""
        if not rows or (self.path / CHECKPOINT).exists():
            return
        with (
            written_aside(self.path / _LEAKS) as aside,
            aside.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(asdict(rows[0]))
            writer.writerows(asdict(row).values() for row in rows)

    def write_history(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write one line per finished epoch."""
        self._write(_HISTORY, "".join(json.dumps(entry) + "\n" for entry in history))

    def write_predictions(self, predictions: Mapping[str, tuple[Corpus, np.ndarray, Decisions]]) -> None:
        """Write logits, calibrated probabilities and decisions of dev and test, row by row."""
        if predictions:
            with written_aside(self.path / _PREDICTIONS) as aside:
                write_predictions(aside, predictions)

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write the metrics, which marks the run as finished, and remove its checkpoint."""
        write_json(self.path / _METRICS, metrics)
        self.remove_checkpoint()

    def remove_checkpoint(self) -> None:
        """Delete the checkpoint of a finished run."""
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        with written_aside(self.path / name) as aside:
            aside.write_text(text, encoding="utf-8")


def read_run(path: Path) -> RunFolder:
    """Read a finished run, all of it.

    Raises:
        DataError: When there are no metrics, or a file of the run cannot be read.
    """
    run = RunFolder(path)
    for read in (run.metrics, run.recipe, run.history, run.predictions):
        del read  # what is damaged is said now
    return run


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(
            f"{path}: cannot be read ({first_line(fault)}); train again or restore the file."
        ) from fault


def _parsed(text: str, where: str) -> dict[str, Any]:
    """The JSON object that a text holds."""
    try:
        held = parse_json(text)
    except ValueError as fault:
        raise DataError(
            f"{where}: is not JSON ({first_line(fault)}); train again or restore the file."
        ) from fault
    if not isinstance(held, dict):
        raise DataError(f"{where}: is not a JSON object; train again or restore the file.")
    return held
