"""Reads what training left in a run folder; what is absent stays absent, what is broken is said."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.errors import DataError
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Bools, Floats


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the run's model said of one split."""

    split: str
    ids: list[str]
    texts: list[str]
    targets: Floats  # (n, k) as the corpus has them, perhaps soft
    true: Bools  # (n, k)
    predicted: Bools  # (n, k)
    probabilities: Floats  # (n, k) calibrated when the model is
    logits: Floats | None  # (n, k)


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A finished run."""

    path: Path
    metrics: dict[str, Any]
    recipe: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    predictions: dict[str, Predictions] = field(default_factory=dict)

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


def read_run(path: Path) -> RunFolder:
    """Read a run folder.

    Raises:
        DataError: When there are no metrics, or a file of the run cannot be read.
    """
    metrics = _read_json(path / "metrics.json")
    if metrics is None:
        raise DataError(
            f"{path}: holds no metrics.json, so it is no finished run; name the folder that training wrote."
        )
    if not isinstance(metrics, dict):
        raise DataError(f"{path / 'metrics.json'}: is not a JSON object; train again or restore the file.")
    recipe = path / "recipe.yaml"
    run = RunFolder(
        path,
        metrics,
        recipe.read_text(encoding="utf-8") if recipe.exists() else "",
        _read_history(path / "history.jsonl"),
    )
    run.predictions.update(_read_predictions(path / "predictions.parquet", run))
    return run


def _read_json(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise DataError(f"{path}: is not JSON ({fault}); train again or restore the file.") from fault


def _read_history(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as fault:
                raise DataError(
                    f"{path}:{number}: is not JSON ({fault}); remove the line or train again."
                ) from fault
    return rows


def _read_predictions(path: Path, run: RunFolder) -> dict[str, Predictions]:
    if not path.exists() or not run.labels:
        return {}
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as fault:
        raise DataError(
            f"{path}: cannot be read as parquet ({fault}); train again or restore the file."
        ) from fault
    missing = {"split", "text", "targets", "probabilities", "predicted"} - set(table.column_names)
    if missing:
        raise DataError(
            f"{path}: has no column {', '.join(sorted(missing))}; it was not written by training."
        )
    splits = np.asarray(table["split"].to_pylist(), dtype=object)
    read = {}
    for split in dict.fromkeys(splits):
        part = table.filter(pa.array(splits == split))
        read[str(split)] = _split(part, str(split), run, path)
    return {name: split for name, split in read.items() if len(split.texts)}


def _split(table: pa.Table, split: str, run: RunFolder, path: Path) -> Predictions:
    k = len(run.labels)

    def matrix(column: str, kind: type) -> Any:
        flat = table[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        if len(flat) != table.num_rows * k:
            raise DataError(
                f"{path}: column {column} of split {split} does not hold {k} values a row; train again."
            )
        return flat.astype(kind).reshape(-1, k)

    has_ids, has_logits = "id" in table.column_names, "logits" in table.column_names
    targets = matrix("targets", float)
    logits = matrix("logits", float) if has_logits and not table["logits"].null_count else None
    return Predictions(
        split,
        [str(one) for one in (table["id"].to_pylist() if has_ids else range(table.num_rows))],
        [str(one) for one in table["text"].to_pylist()],
        targets,
        arrays.true_labels(targets, single_label=run.single_label),
        matrix("predicted", bool),
        matrix("probabilities", float),
        logits,
    )
