"""Known data sets by name: found in a folder, else fetched from the Hub, else one is told what to do.

$AFFEKT_DATA names a folder with one sub-folder per data set, which holds files called train, dev and test
with the columns id, text and labels (a list of names). The bundled sample needs neither.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from affekt.data.columns import Columns, OnBadRow, split_named
from affekt.data.corpus import Corpus, read_splits, stratified_split
from affekt.data.files import open_table
from affekt.data.inspect import inspect
from affekt.data.known import DATASETS, Dataset, HubPlace
from affekt.data.layouts import goemotions_raw, jigsaw, rater_columns
from affekt.data.splits import DEFAULT_SHARES, split_files
from affekt.data.taxonomies import TAXONOMIES, Taxonomy, taxonomy_named
from affekt.data.writing import write_parquet
from affekt.errors import DataError, reachable, unknown_name
from affekt.files import written_aside

__all__ = [
    "DATASETS",
    "Dataset",
    "HubPlace",
    "dataset_named",
    "find",
    "get",
    "goemotions_raw",
    "inspect",
    "jigsaw",
    "load",
    "read",
]

SAMPLE = Path(__file__).parent.parent / "samples" / "posts.jsonl"


def dataset_named(name: str) -> Dataset:
    """Return the known data set of that name."""
    if name not in DATASETS:
        hint = " A file is read by its path, with Corpus.read." if Path(name).suffix else ""
        raise DataError(unknown_name("data set", name, DATASETS) + hint)
    return DATASETS[name]


def find(name: str) -> Path | None:
    """Return where a known data set lies on this machine: its folder, or the bundled sample's file."""
    if dataset_named(name).layout == "sample":
        return SAMPLE if SAMPLE.exists() else None
    root = os.environ.get("AFFEKT_DATA")
    if not root:
        return None
    try:
        folder = Path(root).expanduser() / name
    except RuntimeError as fault:
        raise DataError(f"AFFEKT_DATA={root}: there is no such user's folder; name a folder") from fault
    with reachable(f"AFFEKT_DATA={root}"):
        return folder if folder.is_dir() and any(folder.iterdir()) else None


def load(
    name: str, *, splits: Iterable[str] | None = None, taxonomy: Taxonomy | str | None = None
) -> dict[str, Corpus]:
    """Return a known data set's corpora by split.

    Blank rows that are in the published files are left out and listed in `skipped`.

    Args:
        name: A key of `DATASETS`.
        splits: Those wanted; unless said, all.
        taxonomy: A coarser taxonomy to map the labels to ("ekman", "sentiment" or one of your own); "full"
            or None for the labels as they are.
    """
    dataset = dataset_named(name)
    if dataset.kind != "texts":
        raise DataError(f"{name} holds {dataset.kind}, not texts; catalog.find({name!r}) says where it is")
    if isinstance(taxonomy, str):
        taxonomy = None if taxonomy == "full" else taxonomy_named(taxonomy)
    place = find(name)
    wanted = [split_named(split) for split in splits] if splits is not None else None
    corpora = _read(dataset, place, wanted) if place else _fetch(dataset)
    corpora = {split: replace(corpus, name=name) for split, corpus in corpora.items()}
    wanted = list(corpora) if wanted is None else wanted
    if missing := ", ".join(split for split in wanted if split not in corpora):
        raise DataError(f"{name} has no split {missing}; it has {', '.join(corpora)}")
    chosen = {split: corpora[split] for split in wanted}
    return {split: corpus.map_labels(taxonomy) for split, corpus in chosen.items()} if taxonomy else chosen


def read(
    source: str,
    *,
    columns: Columns | None = None,
    taxonomy: Taxonomy | str | None = None,
    on_bad_row: OnBadRow = "fail",
) -> dict[str, Corpus]:
    """Return the corpora of a known data set, of a folder of split files, or of one file, by split.

    A file is one corpus, under the split its name says or "all", unless `columns` name a split column.
    """
    if source in DATASETS:
        return load(source, taxonomy=taxonomy)
    with reachable(source):
        is_path = Path(source).exists() or Path(source).suffix or os.sep in source
    if not is_path:
        dataset_named(source)  # which says what is near
    columns = columns or Columns()
    if Path(source).is_dir() or columns.split_column:
        corpora = read_splits(source, columns=columns, on_bad_row=on_bad_row)
    else:
        corpus = Corpus.read(source, columns=columns, on_bad_row=on_bad_row)
        corpora = {corpus.split or "all": corpus}
    if taxonomy is None or taxonomy == "full":
        return corpora
    return {split: corpus.map_labels(taxonomy) for split, corpus in corpora.items()}


def read_split(
    source: str,
    split: str | None = None,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "fail",
    *,
    unsaid: str = "test",
) -> Corpus:
    """Return one split of a known data set, of a folder of split files, or a file.

    Without a split it is the one `unsaid` names, or the only one there is.
    """
    corpora = read(source, columns=columns, on_bad_row=on_bad_row)
    if split is None and len(corpora) == 1:
        return next(iter(corpora.values()))
    wanted = split_named(split or unsaid)
    if wanted not in corpora:
        there = ", ".join(name for name in corpora if name != "all") or "none: it is one file"
        raise DataError(f"{source}: has no split {wanted!r}; its splits are {there}.")
    return corpora[wanted]


def with_taxonomy(source: str, columns: Columns) -> tuple[Columns, str | None]:
    """Return columns without the taxonomy that their `labels` end in, as "ekman" or "emotion,ekman", and it.

    A file's column of that name goes first: `labels` then names it, and no taxonomy.
    """
    column, _, name = (part.strip() for part in str(columns.labels).rpartition(","))
    if name not in TAXONOMIES:
        return columns, None
    if not column and source not in DATASETS and Path(source).is_file():
        with open_table(
            source, delimiter=columns.delimiter, quoted=columns.quoted, encoding=columns.encoding
        ) as table:
            if name in table.columns:
                return columns, None
    return replace(columns, labels=column or "labels"), name


def get(name: str, out: Path) -> list[Path]:
    """Put a known data set into out/name, from this machine or the Hub, and return the files.

    Files that are already laid out by split are copied as they are; others are written as parquet.
    """
    dataset = dataset_named(name)
    folder = out / name
    place = find(name)
    at_place = place and place.resolve() == folder.resolve()
    if place and (at_place or dataset.layout == "splits" or dataset.kind != "texts"):
        there = sorted(one for one in place.iterdir() if one.is_file() and not one.name.startswith("."))
        for path in () if at_place else there:
            with written_aside(folder / path.name) as aside:
                shutil.copyfile(path, aside)
        return [folder / path.name for path in there]
    if dataset.kind != "texts":
        raise DataError(f"{name} is not under $AFFEKT_DATA; get it from {dataset.home}")
    written = []
    for split, corpus in load(name).items():
        written.append(folder / f"{split}.parquet")
        write_parquet(corpus, written[-1])
    return written


# --- on this machine


def _read(dataset: Dataset, place: Path, wanted: Sequence[str] | None) -> dict[str, Corpus]:
    """Read a data set's files, or those of the wanted splits where each has its own."""
    if dataset.layout == "sample":
        column = "emotion" if dataset.single_label else "emotions"
        columns = replace(_columns(dataset), labels=column, id="id", split_column="split")
        return read_splits(place, columns=columns, name=dataset.name)
    as_fetched = (place / "train.parquet").exists()  # what `get` leaves, whatever the layout was
    if dataset.layout == "jigsaw" and not as_fetched:
        return jigsaw(place)
    if dataset.layout == "raters" and not as_fetched:
        return goemotions_raw(place)
    files = split_files(place)
    if missing := ", ".join(sorted(set(dataset.sizes) - set(files))):
        raise DataError(f"{place} lacks {dataset.name}'s split {missing}; fetch it from {dataset.home}")
    if wanted and set(wanted) <= set(files):
        files = {split: files[split] for split in wanted}
    corpora = read_splits(files, on_bad_row="skip", columns=_columns(dataset))
    return {split: _blank_left_out(corpus) for split, corpus in corpora.items()}


def _columns(dataset: Dataset) -> Columns:
    if dataset.layout == "raters":
        return Columns(label_columns=dataset.labels, single_label=False)
    return Columns(label_names=dataset.labels, single_label=dataset.single_label)


def _blank_left_out(corpus: Corpus) -> Corpus:
    """Return the corpus if only blank texts were left out of it; published files have no other fault."""
    for row in corpus.skipped:
        if row.reason != "column 'text' is empty":
            raise DataError(f"{corpus.name}: {row.where}: {row.reason}; the file is not the published one")
    return corpus


# --- on the Hub


def _fetch(dataset: Dataset) -> dict[str, Corpus]:
    root = os.environ.get("AFFEKT_DATA") or "which is not set"
    where = f"{dataset.name} is not under $AFFEKT_DATA ({root})"
    if dataset.hub is None:
        files = (
            f"{{{','.join(dataset.sizes)}}}.parquet with the columns id, text and labels (a list of names)"
        )
        if dataset.layout == "jigsaw":
            files = "train.csv, test.csv and test_labels.csv"
        what = f"{where} and has no place on the Hub; get it from {dataset.home} and put it there as"
        raise DataError(f"{what} {dataset.name}/{files}")
    try:
        from datasets import load_dataset
    except ImportError as fault:
        way = f"to fetch it from the Hub ({dataset.hub.id}), pip install 'affekt[hub]'"
        raise DataError(f"{where}; {way}") from fault
    try:
        parts = load_dataset(dataset.hub.id, dataset.hub.config, revision=dataset.hub.revision)
        tables = {split_named(split): part.with_format("arrow")[:] for split, part in parts.items()}
    except Exception as fault:  # the library's faults have no common family
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise DataError(f"{where}, and {dataset.hub.id} can't be fetched from the Hub: {reason}") from fault
    return _from_tables(dataset, dataset.hub, tables)


def _from_tables(dataset: Dataset, hub: HubPlace, tables: dict[str, Any]) -> dict[str, Corpus]:
    if dataset.layout == "raters":
        corpus = Corpus.from_frame(tables["train"], name=dataset.name, columns=rater_columns())
        return stratified_split(corpus, DEFAULT_SHARES)
    columns = replace(_columns(dataset), text=hub.text, labels=hub.labels)
    return {
        split: _blank_left_out(
            Corpus.from_frame(table, on_bad_row="skip", name=dataset.name, split=split, columns=columns)
        )
        for split, table in tables.items()
    }
