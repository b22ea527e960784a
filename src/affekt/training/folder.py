"""The run folder: who may write to it, and how its files are written."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affekt.corpus import Corpus
from affekt.decisions import Decisions
from affekt.errors import UsageError
from affekt.files import written_aside
from affekt.training.checkpoint import FILE, Checkpoints
from affekt.training.recipe import Recipe


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
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as fault:
            raise UsageError(f"{self.path}: cannot be written to ({fault.strerror}).") from fault
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"{self.path}: another process is training into this folder; name another one."
                ) from None
            begun = (self.path / FILE).exists() or (self.path / "metrics.json").exists()
            if begun and not resume:
                raise UsageError(
                    f"{self.path}: holds a run already; add --resume to go on with it, or name another folder."
                )
            yield self

    def checkpoints(self, recipe: Recipe, splits: dict[str, Corpus]) -> Checkpoints:
        """The checkpoint of this recipe on this data."""
        digests = {f"data ({name})": corpus.digest for name, corpus in splits.items()}
        return Checkpoints(self.path, {"recipe": recipe.digest, **digests})

    def write_start(self, recipe: Recipe, splits: dict[str, Corpus]) -> None:
        """Write what is known before training: the complete recipe, and rows that were left out."""
        if not (self.path / FILE).exists():
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
