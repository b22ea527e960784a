"""Data sets as their authors publish them, where that is not a file per split."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from affekt.data.columns import Columns
from affekt.data.corpus import Corpus, stratified_split
from affekt.data.files import FORMATS, open_table
from affekt.data.known import DATASETS
from affekt.data.read import SkippedRow
from affekt.data.splits import DEFAULT_SHARES
from affekt.errors import DataError


def jigsaw(
    folder: str | Path, *, share: float = 0.4, dev_share: float = 0.2, seed: int = 0
) -> dict[str, Corpus]:
    """Read Kaggle's toxic comments: train.csv, test.csv and test_labels.csv, as they are or with .gz.

    Args:
        folder: Where the files are.
        share: What part of train.csv is taken, drawn so that every label keeps its rate.
        dev_share: What part of that becomes dev.
        seed: Of both draws.

    Returns:
        train, dev and test. Test holds the rows that were scored: those marked -1 are counted in `skipped`.
    """
    folder = Path(folder)
    labels = DATASETS["jigsaw-toxic"].labels
    columns = Columns(text="comment_text", id="id", label_columns=labels)
    train = _read(_part(folder, "train"), "train", columns)
    if share < 1:
        train = stratified_split(train, {"train": share, "rest": 1 - share}, seed)["train"]
    parts = stratified_split(train, {"train": 1 - dev_share, "dev": dev_share}, seed)
    test = _read(_part(folder, "test"), "test", replace(columns, label_columns=None, labels=None))
    return {**parts, "test": _scored(test, _part(folder, "test_labels"), labels)}


def _read(path: Path, split: str, columns: Columns) -> Corpus:
    return Corpus.read(path, on_bad_row="skip", split=split, name="jigsaw-toxic", columns=columns)


def goemotions_raw(source: str | Path | Sequence[str | Path], *, seed: int = 0) -> dict[str, Corpus]:
    """Read GoEmotions with one row per rater: the comment's targets are the shares of its raters.

    Rows whose rater marked them very unclear are counted in `skipped`. All rows of a comment stay together.

    Args:
        source: The folder with the files, or the files.
        seed: Of the split, 8:1:1.
    """
    paths = _data_files(Path(source)) if isinstance(source, str | Path) else source
    corpus = Corpus.read(paths, on_bad_row="skip", split="", name="goemotions-raw", columns=rater_columns())
    return stratified_split(corpus, DEFAULT_SHARES, seed)


def rater_columns() -> Columns:
    """Return how GoEmotions' rater-level rows are read."""
    return Columns(
        id="id", label_columns=DATASETS["goemotions-raw"].labels, rater="rater_id", single_label=False
    )


def _data_files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    paths = sorted(one for one in folder.glob("*") if one.name.lower().removesuffix(".gz").endswith(FORMATS))
    if not paths:
        raise DataError(f"{folder} holds no data file ({', '.join(FORMATS)})")
    return paths


def _part(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.csv", folder / f"{name}.csv.gz"):
        if path.exists():
            return path
    raise DataError(f"{folder} has no {name}.csv; it takes Kaggle's train.csv, test.csv and test_labels.csv")


def _scored(test: Corpus, path: Path, labels: Sequence[str]) -> Corpus:
    """Return the test rows that have labels, with them."""
    marks: dict[str, list[float]] = {}
    with open_table(path) as table:
        if missing := ", ".join(sorted({"id", *labels} - set(table.columns))):
            raise DataError(f"{table.name} has no column {missing}; its columns are {table.columns}")
        for row in table.rows:
            found = [str(row.values.get(label)).strip() for label in labels]
            if not set(found) <= {"0", "1", "-1"}:
                where = f"{table.name}:{row.number}"
                raise DataError(f"{where} holds {', '.join(found)} where 0, 1 or -1 is wanted")
            marks[str(row.values.get("id"))] = list(map(float, found))
    unknown = [name for name in test.ids if name not in marks]
    if unknown:
        raise DataError(f"{path} has no row for id {unknown[0]!r} of the test texts ({len(unknown)} such)")
    targets = np.array([marks[name] for name in test.ids], dtype=np.float32)
    scored = (targets >= 0).all(axis=1)
    left_out = SkippedRow(path.name, f"{int((~scored).sum()):,} rows marked -1, which were never scored")
    kept = test.select(scored)
    return replace(kept, targets=targets[scored], labels=tuple(labels), skipped=(*test.skipped, left_out))
