"""What a run's model said of dev and test, row by row: predictions.parquet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.corpus import Corpus
from affekt.decisions import Decisions
from affekt.errors import DataError, first_line
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Bools, Floats

_NEEDED = {"split", "text", "targets", "probabilities", "predicted"}


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


def write_predictions(path: Path, predictions: Mapping[str, tuple[Corpus, np.ndarray, Decisions]]) -> None:
    """Write logits, calibrated probabilities and decisions of some splits, a row for each text."""
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
    pq.write_table(pa.concat_tables(tables), path, compression="zstd", write_page_checksum=True)


def read_predictions(path: Path, labels: Sequence[str], *, single_label: bool) -> dict[str, Predictions]:
    """Read what was predicted of each split; nothing where there is no file, or no labels.

    Raises:
        DataError: When the file is damaged or does not fit the labels.
    """
    if not path.exists() or not labels:
        return {}
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as fault:
        raise DataError(
            f"{path}: cannot be read as parquet ({first_line(fault)}); train again or restore the file."
        ) from fault
    missing = _NEEDED - set(table.column_names)
    if missing:
        raise DataError(
            f"{path}: has no column {', '.join(sorted(missing))}; it was not written by training."
        )
    splits = _strings(table, "split", path)
    parts = {name: table.filter(pa.array([one == name for one in splits])) for name in dict.fromkeys(splits)}
    return {
        name: _of_split(part, name, len(labels), path, single_label=single_label)
        for name, part in parts.items()
    }


def _of_split(table: pa.Table, split: str, labels: int, path: Path, *, single_label: bool) -> Predictions:
    def matrix(column: str, kind: type) -> Any:
        where = f"{path}: column {column} of split {split}"
        return _matrix(table[column].combine_chunks(), kind, labels, where)

    has_ids, has_logits = "id" in table.column_names, "logits" in table.column_names
    targets = matrix("targets", float)
    try:
        true = arrays.true_labels(targets, single_label=single_label)
    except DataError as fault:
        raise DataError(f"{path}: {str(fault).rstrip('.')}, in split {split}; train again.") from fault
    logits = matrix("logits", float) if has_logits and not table["logits"].null_count else None
    return Predictions(
        split,
        [str(one) for one in (table["id"].to_pylist() if has_ids else range(table.num_rows))],
        _strings(table, "text", path),
        targets,
        true,
        matrix("predicted", bool),
        matrix("probabilities", float),
        logits,
    )


def _strings(table: pa.Table, column: str, path: Path) -> list[str]:
    values: list[str] = table[column].to_pylist()
    if not all(isinstance(value, str) for value in values):
        raise DataError(f"{path}: column {column} does not hold a text in each row; train again.")
    return values


def _matrix(cells: pa.Array, kind: type, labels: int, where: str) -> Any:
    """Return a column of lists as a matrix of finite numbers, or of booleans."""
    if not pa.types.is_list(cells.type):
        raise DataError(f"{where} holds no lists; train again.")
    flat = cells.flatten()
    fits = pa.types.is_boolean if kind is bool else pa.types.is_floating
    if flat.null_count or not fits(flat.type):
        raise DataError(f"{where} does not hold {'booleans' if kind is bool else 'numbers'}; train again.")
    if cells.null_count or any(len(row) != labels for row in cells):
        raise DataError(f"{where} does not hold {labels} values a row; train again.")
    values = flat.to_numpy(zero_copy_only=False).astype(kind).reshape(-1, labels)
    if not np.isfinite(values).all():
        raise DataError(f"{where} holds values that are no numbers; train again.")
    return values
