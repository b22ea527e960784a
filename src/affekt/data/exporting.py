"""Data sets and corpora into files of the one form the project reads without being told how."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.catalog import dataset_named, find, load
from affekt.data.corpus import Corpus
from affekt.errors import DataError
from affekt.files import written_aside


def write_parquet(corpus: Corpus, path: Path) -> None:
    """Write a corpus with the columns id, text and labels; soft ones get a column of shares per label."""
    columns = {"id": pa.array(corpus.ids, pa.string()), "text": pa.array(corpus.texts, pa.string())}
    if ((corpus.targets == 0) | (corpus.targets == 1)).all():
        rows = [[corpus.labels[position] for position in row.nonzero()[0]] for row in corpus.targets]
        columns["labels"] = pa.array(rows, pa.list_(pa.string()))
    else:
        columns |= {label: pa.array(corpus.targets[:, i]) for i, label in enumerate(corpus.labels)}
    with written_aside(path) as aside:
        pq.write_table(pa.table(columns), aside)


def get(name: str, out: Path) -> list[Path]:
    """Put a known data set into out/name, from this machine or the Hub, and return the files.

    Files that are already laid out by split are copied as they are; others are written as parquet.
    """
    dataset = dataset_named(name)
    folder = out / name
    place = find(name)
    if place and place.resolve() == folder.resolve():
        return _files(place)
    if place and (dataset.layout == "splits" or dataset.kind != "texts"):
        return [_copied(path, folder / path.name) for path in _files(place)]
    if dataset.kind != "texts":
        raise DataError(f"{name} is not under $AFFEKT_DATA; get it from {dataset.home}")
    written = []
    for split, corpus in load(name).items():
        written.append(folder / f"{split}.parquet")
        write_parquet(corpus, written[-1])
    return written


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _copied(source: Path, target: Path) -> Path:
    with written_aside(target) as aside:
        shutil.copyfile(source, aside)
    return target
