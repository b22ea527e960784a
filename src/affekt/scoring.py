"""A model on every row of a file, of any length: what `affekt predict` and `affekt embed` do.

A file is read twice. The first pass only looks: it meets every unusable row and every column before an hour
of computing is spent, and counts the rows. The second scores windows of rows and writes each to the output.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from affekt.errors import DataError, ModelError, UsageError
from affekt.files import written_aside
from affekt.model import Model
from affekt.output import VECTORS, ColumnTypes, column_types, open_rows, open_vectors, output_format
from affekt.rows import OnBadRow, SkippedRow
from affekt.streaming import StreamedRow, stream

WINDOW = 2048  # rows in memory at once
SEPARATOR = "|"  # between the labels of a text in csv and tsv
_LISTED = 20  # skipped rows that a summary lists; the others are counted

Tick = Callable[[int, int], None]


def predict_file(
    model: Model,
    path: str | Path,
    out: str | Path,
    *,
    text: str = "text",
    on_bad_row: OnBadRow = "fail",
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Score every text of a file, in the order of the file and in bounded memory.

    The output has the columns of the input, then `predicted` (the label, or where a text may have several
    all of its labels: a list, in csv and tsv parted by "|"), then a probability for each label as
    `score_<label>`. Where the input has a column of such a name already, the new one gets "_" after it.

    Args:
        model: A classifier.
        path: csv, tsv, jsonl (all three also with .gz) or parquet.
        out: A file of one of the same kinds; it appears when it is whole, and replaces what was there.
        text: The column with the texts.
        on_bad_row: "fail" at the first row without a usable text, "skip" such rows, or "report" them all.
        tick: Hears (rows done, rows in all) after each window.

    Returns:
        "rows", "skipped" (how many), "skipped_rows" (where and why, the first twenty), "seconds", "out", and
        "predicted": how many texts got each label; under "" those that got none.

    Raises:
        DataError: When the file, its column or a row cannot be used.
        UsageError: When the output is of no known kind, is the input, or cannot be written.
    """
    if model.decisions is None:
        raise ModelError("this model is an encoder without a classifier: embed with it, or train a head on it.")
    began = time.monotonic()
    source, target = Path(path), Path(out)
    kind = output_format(target)
    _check_target(source, target)
    survey = _survey(source, text, on_bad_row, typed=kind == "parquet")
    names = _added_names(model.labels, survey.columns)
    counts: Counter[str] = Counter()
    with written_aside(target) as aside, closing(open_rows(aside, target, kind)) as file:
        file.start(survey.columns, survey.types, names, lists=not model.single_label)
        for window in _windows(source, text, survey, tick):
            probabilities = model.probabilities([row.text for row in window])
            held = model.decisions.decide(probabilities)
            predicted = _names(model.labels, probabilities, held)
            counts.update(label for labels in predicted for label in labels or [""])
            file.write([row.columns for row in window], predicted, probabilities)
    shown = {label: counts[label] for label in (*model.labels, "") if label or counts[""]}
    return {**survey.summary(), "out": str(target), "seconds": _since(began), "predicted": shown}
