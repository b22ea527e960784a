"""Texts with their label matrix: the one form in which data travels through the project."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np
import numpy.typing as npt

from affekt.data.arrow import frame_table
from affekt.data.columns import ColumnOptions, Columns, OnBadRow, split_named
from affekt.data.files import open_table
from affekt.data.read import Gathered, SkippedRow, StreamedRow, gather, stream
from affekt.data.splits import DEFAULT_SHARES, split_files, split_of, stratified_rows
from affekt.data.targets import label_matrix, text_list
from affekt.data.taxonomies import Taxonomy, renaming, taxonomy_named
from affekt.errors import DataError
from affekt.evaluation.arrays import all_shares

__all__ = ["Columns", "Corpus", "SkippedRow", "StreamedRow", "read_splits", "stratified_split", "stream"]


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """Texts, their (n, k) targets in [0, 1], and the k label names.

    An unlabelled corpus has no label names and targets of shape (n, 0). With `single_label` every row sums
    to 1. `split` is "train", "dev", "test" or "" where none was said; `skipped` lists rows left out in
    reading, and `notes` says what it took for granted.
    """

    texts: list[str]
    targets: npt.NDArray[np.float32]
    labels: tuple[str, ...]
    single_label: bool
    ids: list[str]
    name: str = "corpus"
    split: str = ""
    skipped: tuple[SkippedRow, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        targets = np.ascontiguousarray(self.targets, dtype=np.float32)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "labels", tuple(self.labels))
        shape = (len(self.texts), len(self.labels))
        if targets.shape != shape or len(self.ids) != shape[0]:
            raise DataError(
                f"{shape[0]} texts, {len(self.ids)} ids, {shape[1]} labels and targets of shape "
                f"{targets.shape} do not fit together"
            )
        if len(set(self.labels)) < len(self.labels):
            raise DataError(f"the labels are not all different: {', '.join(self.labels)}")
        if not all_shares(targets):
            raise DataError("targets must be numbers in [0, 1]")
        if self.single_label and not np.allclose(targets.sum(axis=1), 1, atol=1e-3):
            raise DataError("targets of a single-label corpus must sum to 1 in every row")

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        kind = "single-label" if self.single_label else "multi-label" if self.labels else "unlabelled"
        split = f" {self.split}" if self.split else ""
        return f"<Corpus {self.name}{split}: {len(self):,} texts, {kind}, {len(self.labels)} labels>"

    # --- where corpora come from

    @classmethod
    def read(
        cls,
        path: str | Path | Sequence[str | Path],
        *,
        on_bad_row: OnBadRow = "fail",
        split: str | None = None,
        name: str | None = None,
        columns: Columns | None = None,
        **options: Unpack[ColumnOptions],
    ) -> Self:
        """Read a csv, tsv, jsonl, json, txt, xlsx or parquet file, or several of the same columns.

        Args:
            path: The file or files; text formats may be gzipped (.csv.gz).
            on_bad_row: "fail" at the first row that can't be used, "skip" such rows and list them in
                `skipped`, or "report" them all in one DataError.
            split: What the file is: "train", "dev" or "test". Unless said, a file with such a name is that
                split. With `split_column`, the split whose rows are taken.
            name: The corpus's name; unless said, the file's.
            columns: Which columns hold what. Instead of it, or over it, come the fields of `Columns`:
            **options: `text`, `labels`, `delimiter` and so on.
        """
        columns = replace(columns or Columns(), **options)
        if columns.split_column and not split:
            column = columns.split_column
            raise DataError(f"name the split to take from column {column!r}; read_splits takes all")
        paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
        if not paths:
            raise DataError("no file is named")
        gathered = _read_files(paths, columns, on_bad_row)
        split_name = split_of(paths[0].name.split(".")[0]) if split is None else split_named(split)
        corpus = cls.of(gathered, name or _name_of(paths[0]), split_name)
        return corpus.only(gathered.splits, split) if columns.split_column and split else corpus

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        on_bad_row: OnBadRow = "fail",
        split: str = "",
        name: str = "frame",
        columns: Columns | None = None,
        **options: Unpack[ColumnOptions],
    ) -> Self:
        """Take a pandas, polars or pyarrow frame; columns are named as in `read`, rows counted from 0."""
        columns = replace(columns or Columns(), **options)
        gathered = gather([nullcontext(frame_table(frame, name))], columns, on_bad_row)
        return cls.of(gathered, name, split_named(split))

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        labels: Any = None,
        label_names: Sequence[str] | None = None,
        single_label: bool | None = None,
        *,
        name: str = "corpus",
        split: str = "",
    ) -> Self:
        """Make a corpus of texts and labels at hand.

        Args:
            texts: Any sequence, array or series of strings.
            labels: One label per text; or a list of labels per text; or an (n, k) array or frame of 0/1 or
                shares (nested lists are lists of labels, even of numbers); or None.
            label_names: The label space, in order; numbers count into it from 0. Unless said, a frame's
                columns, the labels that occur, sorted, or "0", "1", … for an array.
            single_label: Unless said, true for one label per text and false for the other forms.
            name: What to call the corpus.
            split: "train", "dev", "test" or "".
        """
        rows = text_list(texts)
        targets, names, single = label_matrix(labels, len(rows), label_names, single_label)
        ids = [str(row) for row in range(len(rows))]
        return cls(rows, targets, names, single, ids, name, split_named(split))

    @classmethod
    def of(cls, gathered: Gathered, name: str, split: str) -> Self:
        """Make a corpus of what was read."""
        read = (gathered.texts, gathered.targets, gathered.labels, gathered.single_label, gathered.ids)
        return cls(*read, name, split, gathered.skipped, gathered.notes)

    # --- what is in one

    @cached_property
    def digest(self) -> str:
        """The sha256 of texts, targets and labels, in hexadecimal."""
        digest = hashlib.sha256()
        for text in (*self.labels, "", *self.texts):
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
        digest.update(np.array(self.targets.shape, dtype="<i8").tobytes())
        digest.update(self.targets.astype("<f4").tobytes())
        return digest.hexdigest()

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(n, k): the labels each text has, by more than half of the vote (single-label: by most of it)."""
        if self.single_label:
            return np.eye(len(self.labels), dtype=np.bool_)[self.class_indices()]
        return self.targets > 0.5

    @property
    def label_counts(self) -> dict[str, int]:
        """How many texts have each label."""
        return dict(zip(self.labels, np.count_nonzero(self.present, axis=0).tolist(), strict=True))

    def class_indices(self) -> npt.NDArray[np.int64]:
        """Return the (n,) positions of each text's one label."""
        if not self.single_label:
            raise DataError(f"{self.name} is not single-label; single_rows() keeps its rows with one label")
        return np.asarray(self.targets.argmax(axis=1), dtype=np.int64)

    def require_classes(self) -> Self:
        """Return the corpus if there is something to tell apart in it, as training needs; else raise."""
        where = f"{self.name} {self.split}".rstrip()
        if not self.labels:
            raise DataError(f"{where} has no labels; name the column that holds them")
        counts = self.label_counts
        occurring = [label for label, count in counts.items() if count]
        if not any(0 < count < len(self) for count in counts.values()):
            what = f"only the label {occurring[0]!r}" if occurring else "no text with a label"
            raise DataError(f"{where} holds {what}; training needs texts with different labels")
        return self

    # --- corpora made of one

    def select(self, rows: npt.ArrayLike) -> Self:
        """Return the texts at some positions, or where a mask is true."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        return replace(
            self,
            texts=[self.texts[row] for row in chosen],
            targets=self.targets[chosen],
            ids=[self.ids[row] for row in chosen],
        )

    def only(self, splits: Sequence[str], split: str) -> Self:
        """Return the rows whose entry in `splits` is `split`, as that split."""
        split = split_named(split)
        there = sorted({entry for entry in splits if entry})
        if split not in there:
            raise DataError(f"{self.name} has no split {split!r}; it has {', '.join(there) or 'none'}")
        return replace(self.select(np.array([entry == split for entry in splits])), split=split)

    def map_labels(
        self,
        taxonomy: Taxonomy | str | Mapping[str, str],
        *,
        only_known: Sequence[str] | None = None,
        ignore_case: bool = False,
    ) -> Self:
        """Return the corpus with other labels: coarser ones, or some by other names.

        Args:
            taxonomy: "ekman", "sentiment" or a taxonomy of your own, which must know every label; or a
                mapping such as {"others": "neutral", "disgust": "anger"}, which leaves other labels as they
                are. A label that several become is held by a text that held one of them.
            only_known: Labels that may stay, such as a model's. Others are left out, with the texts that have
                no other; what is left of a text's shares sums to 1 again where it did.
            ignore_case: With a mapping, whether "Joy" and "joy" are one label.
        """
        if isinstance(taxonomy, Mapping):
            taxonomy = renaming(self.labels, taxonomy, only_known or (), ignore_case=ignore_case)
        taxonomy = taxonomy_named(taxonomy) if isinstance(taxonomy, str) else taxonomy
        targets, labels = taxonomy.map_targets(self.targets, self.labels, single_label=self.single_label)
        mapped = replace(self, targets=targets, labels=labels)
        return mapped if only_known is None else mapped._only_labels(only_known)

    def _only_labels(self, known: Sequence[str]) -> Self:
        kept = [position for position, label in enumerate(self.labels) if label in known]
        if not kept:
            raise DataError(f"{self.name} has no label of {', '.join(known)}, only {', '.join(self.labels)}")
        targets = self.targets[:, kept]
        stays = targets.any(axis=1) | ~self.targets.any(axis=1)  # a text without a label lost none
        left, targets = self.select(stays), targets[stays]
        if self.single_label:
            targets = targets / targets.sum(axis=1, keepdims=True)
        return replace(left, targets=targets, labels=tuple(self.labels[position] for position in kept))

    def single_rows(self) -> Self:
        """Return the texts with exactly one label, as a single-label corpus."""
        present = self.present
        chosen = self.select(present.sum(axis=1) == 1)
        return replace(chosen, targets=chosen.present.astype(np.float32), single_label=True)


def stratified_split(corpus: Corpus, shares: Mapping[str, float], seed: int = 0) -> dict[str, Corpus]:
    """Split a corpus so that each split gets its share of every label, and no text is in two splits.

    Args:
        corpus: Any corpus; with soft targets a text's labels are those of more than half of its raters, else
            its strongest.
        shares: How much of the corpus each split gets, as in {"train": 0.8, "dev": 0.1, "test": 0.1}; they
            sum to 1.
        seed: Of the draw. Rows keep their order within a split; the first lists the skipped rows.
    """
    try:
        drawn = stratified_rows(corpus.texts, corpus.targets, corpus.present, shares, seed)
    except DataError as fault:
        raise DataError(f"{corpus.name}: {fault}") from None
    parts: dict[str, Corpus] = {}
    for split, rows in drawn.items():
        part = replace(corpus.select(rows), split=split_named(split))
        parts[part.split] = replace(part, skipped=()) if parts else part
    return parts


def _read_files(paths: Sequence[Path], columns: Columns, on_bad_row: OnBadRow) -> Gathered:
    """Read files of the same columns as one."""
    tables = [
        open_table(
            path,
            delimiter=columns.delimiter,
            quoted=columns.quoted,
            encoding=columns.encoding,
            only=columns.needed,
        )
        for path in paths
    ]
    return gather(tables, columns, on_bad_row)


def read_splits(
    source: str | Path | Mapping[str, str | Path],
    *,
    split: str | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    on_bad_row: OnBadRow = "fail",
    name: str | None = None,
    columns: Columns | None = None,
    **options: Unpack[ColumnOptions],
) -> dict[str, Corpus]:
    """Read data in splits, however they are given.

    Args:
        source: A mapping from split to file; or a folder with files called train, dev (or val, …) and test;
            or one file, whose splits come from a column if one is named, and else are drawn.
        split: The column that says which row is train, dev or test (`split_column` says the same).
        shares: With one file and no split column, how much of it each split gets (8:1:1 unless said).
        seed: Of the draw.
        on_bad_row: As for `Corpus.read`.
        name: The corpora's name; unless said, the file's or folder's.
        columns: Which columns hold what; instead of it, or over it, come its fields as `**options`.
        **options: The fields of `Columns`.

    Returns:
        A corpus per split, all with the same label space: with named files and no declared `label_names`
        that of the first file, and a label it lacks is a fault of the row that has it.
    """
    columns = replace(columns or Columns(), **options)
    columns = replace(columns, split_column=split or columns.split_column)
    if not isinstance(source, Mapping) and Path(source).is_dir():
        name = name or Path(source).name
        source = split_files(Path(source))
    if isinstance(source, Mapping):
        return _named_files(source, columns, on_bad_row, name)
    path = Path(source)
    name = name or _name_of(path)
    gathered = _read_files([path], columns, on_bad_row)
    if columns.split_column:
        corpus = Corpus.of(gathered, name, "")
        usual = [split for split in DEFAULT_SHARES if split in gathered.splits]
        occurring = list(dict.fromkeys((*usual, *gathered.splits)))
        parts = {split: corpus.only(gathered.splits, split) for split in occurring}
        return {s: part if s == occurring[0] else replace(part, skipped=()) for s, part in parts.items()}
    return stratified_split(Corpus.of(gathered, name, ""), shares or DEFAULT_SHARES, seed)


def _named_files(
    files: Mapping[str, str | Path], columns: Columns, on_bad_row: OnBadRow, name: str | None
) -> dict[str, Corpus]:
    corpora: dict[str, Corpus] = {}
    columns = replace(columns, split_column=None)
    if not files:
        raise DataError("no file is named")
    name = name or _name_of(Path(next(iter(files.values()))))
    for split, path in files.items():
        split = split_named(split)
        if split in corpora:
            raise DataError(f"two files are named for the {split} split")
        corpora[split] = Corpus.read(path, on_bad_row=on_bad_row, split=split, name=name, columns=columns)
        if columns.label_names is None and not columns.share_columns and corpora[split].labels:
            columns = replace(columns, label_names=corpora[split].labels)
    return corpora


def _name_of(path: Path) -> str:
    """Return a file's name, or its folder's if the file is only called train, dev or test."""
    stem = path.name.split(".")[0]
    return path.absolute().parent.name if split_of(stem) else stem
