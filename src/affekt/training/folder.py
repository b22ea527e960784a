"""The run folder: who may write to it, and how its files are written."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affekt.data.corpus import Corpus
from affekt.decisions import Decisions
from affekt.errors import UsageError
from affekt.files import written_aside
from affekt.recipe.sections import Recipe
from affekt.training.checkpoint import FILE, Checkpoints

_LOCK = ".lock"
_FILES = (
    "recipe.yaml",
    "skipped.jsonl",
    FILE,
    "history.jsonl",
    "predictions.parquet",
    "model",
    "metrics.json",
)


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run."""

    path: Path

    @contextmanager
    def claimed(self, *, resume: bool) -> Iterator["RunFolder"]:
        """Hold the folder for this process alone.

        Raises:
            UsageError: When another process writes to it, or it holds a run and `resume` was not asked for.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path}: is a file; name a folder for the run.")
        new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / _LOCK).open("w")
        except OSError as fault:
            raise UsageError(f"{self.path}: cannot be written to ({fault.strerror}).") from fault
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"{self.path}: another process is training into this folder; name another one."
                ) from None
            self._sweep()
            begun = (self.path / FILE).exists() or (self.path / "metrics.json").exists()
            if begun and not resume:
                raise UsageError(
                    f"{self.path}: holds a run already; add --resume to go on, or name another folder."
                )
            try:
                yield self
            except BaseException:
                self._leave_nothing(remove=new)
                raise

    def _sweep(self) -> None:
        """Remove what a killed run was writing; nobody else writes here now."""
        for name in _FILES:
            for leftover in self.path.glob(f".{name}.*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def _leave_nothing(self, *, remove: bool) -> None:
        """After a fault that came before anything was written, leave the place as it was."""
        if [entry.name for entry in self.path.iterdir()] == [_LOCK]:
            (self.path / _LOCK).unlink()
            if remove:
                self.path.rmdir()

    def checkpoints(self, recipe: Recipe, splits: dict[str, Corpus]) -> Checkpoints:
        """The checkpoint of this recipe on this data."""
        digests = {f"data ({name})": corpus.digest for name, corpus in splits.items()}
        return Checkpoints(self.path, {"recipe": recipe.digest, **digests})

    def write_start(self, recipe: Recipe, splits: dict[str, Corpus]) -> None:
        """Write what is known before training: the complete recipe, and rows that were left out."""
        if (self.path / FILE).exists():
            return  # a run to be resumed, if it is of this recipe and this data
        with written_aside(self.path / "recipe.yaml") as aside:
            aside.write_text(recipe.to_yaml(), encoding="utf-8")
        skipped = [row for corpus in splits.values() for row in corpus.skipped]
        if skipped:
            lines = "".join(
                json.dumps({"where": row.where, "reason": row.reason}, ensure_ascii=False) + "\n"
                for row in skipped
            )
            with written_aside(self.path / "skipped.jsonl") as aside:
                aside.write_text(lines, encoding="utf-8")

    def write_history(self, history: list[dict[str, Any]]) -> None:
        """Write one line per finished epoch."""
        with written_aside(self.path / "history.jsonl") as aside:
            aside.write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")

    def write_predictions(self, predictions: dict[str, tuple[Corpus, np.ndarray, Decisions]]) -> None:
        """Write logits, calibrated probabilities and decisions of dev and test, row by row."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = []
        for split, (corpus, logits, decisions) in predictions.items():
            probabilities = decisions.probabilities(logits)
            columns = {
                "split": [split] * len(corpus),
                "id": list(corpus.ids),
                "text": list(corpus.texts),
                "targets": np.asarray(corpus.targets, dtype=np.float32).tolist(),
                "logits": logits.tolist(),
                "probabilities": probabilities.tolist(),
                "predicted": decisions.decide(probabilities).tolist(),
            }
            tables.append(pa.table(columns))
        if tables:
            with written_aside(self.path / "predictions.parquet") as aside:
                pq.write_table(pa.concat_tables(tables), aside, compression="zstd")
