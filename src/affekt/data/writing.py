"""Files written a window of rows at a time: csv, tsv, jsonl and parquet; vectors to parquet and npy.

What comes out can be read in again: line ends inside a text are quoted, whichever they are; numbers are the
shortest that give the same float32; what no cell can hold (a list, an object) is JSON.
"""

import csv
import gzip
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.corpus import Corpus
from affekt.errors import UsageError, reachable
from affekt.files import written_aside
from affekt.text.surrogates import mended

ROWS = (".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".tsv.gz", ".jsonl.gz")
VECTORS = (".parquet", ".npy")
SEPARATOR = "|"  # between the labels of a text in csv and tsv

Floats = npt.NDArray[np.float32]
Columns = Sequence[Mapping[str, Any]]  # of each row, its cells by column
Labels = Sequence[list[str] | None]  # of each row; None, with scores of NaN, where nothing was predicted
RowWriter = Callable[[Columns, Labels, Floats], None]  # rows, their labels, (n, k) probabilities
VectorWriter = Callable[[Sequence[str], Sequence[str], Floats], None]  # ids, texts, (n, d) vectors


@dataclass(frozen=True)
class Header:
    """The columns of a file of scored rows.

    Attributes:
        columns: Those of the input, in order, each with the name it goes by in the output.
        predicted: The column with the decided labels.
        scores: The column of each label's probability.
        several: Whether a text may have several labels, so that `predicted` holds lists.
        types: The Arrow types of the input's columns, for parquet.
    """

    columns: Mapping[str, str]
    predicted: str
    scores: tuple[str, ...]
    several: bool
    types: Mapping[str, pa.DataType] = field(default_factory=dict)


def header_of(
    columns: Iterable[str],
    kind: str,
    predicted: str,
    scores: Iterable[str],
    *,
    several: bool,
    types: Mapping[str, pa.DataType],
) -> Header:
    """Return the header of a file of a kind: a name that is taken gets "_" after it, so that all differ."""
    plain = {column: mended(column) for column in columns}
    if "sv" in kind:  # whose readers take no notice of the spaces around a name
        plain = {column: name.strip() for column, name in plain.items()}
    taken = {column for column, name in plain.items() if name == column}
    named = {column: name if name == column else free_name(name, taken) for column, name in plain.items()}
    return Header(
        named, free_name(predicted, taken), tuple(free_name(name, taken) for name in scores), several, types
    )


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def format_of(path: Path, known: Sequence[str]) -> str:
    """Return which of the known endings a file's name has."""
    name = path.name.lower()
    found = max((suffix for suffix in known if name.endswith(suffix)), key=len, default="")
    if not found:
        raise UsageError(f"{path}: the name must end in one of {', '.join(known)}, which says what to write.")
    return found


def check_output(out: Path, known: Sequence[str], source: Path | None = None) -> str:
    """Return which ending an output has, once it is sure that it may be written where it is meant to go.

    Raises:
        UsageError: When it has none of the known endings, is the source or a file of the folder that is the
            source, is a folder itself, or would lie in what is no folder or cannot be written to.
    """
    kind = format_of(out, known)
    above = next(folder for folder in out.absolute().parents if folder.exists())
    if source is not None and source.exists() and out.exists():
        within = source.is_dir() and above.samefile(source)
        if within or out.samefile(source):
            read = "in the folder" if within else "the file"
            raise UsageError(f"{out}: is {read} to be read; name another one to write.")
    if out.exists() and not out.is_file():
        raise UsageError(f"{out}: is no plain file; name a file to write.")
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise UsageError(f"{out}: {above} is no folder that can be written to; name another.")
    return kind


@contextmanager
def rows_to(path: Path, kind: str, header: Header, *, safe: bool = False) -> Iterator[RowWriter]:
    """Open a file for scored rows; `kind` is one of `ROWS`.

    With `safe`, cells of csv and tsv that a spreadsheet would run get an apostrophe before them.
    """
    if kind == ".parquet":
        kept = [(name, header.types[column]) for column, name in header.columns.items()]
        predicted = pa.list_(pa.string()) if header.several else pa.string()
        scores = [(name, pa.float32()) for name in header.scores]
        schema = pa.schema([*kept, (header.predicted, predicted), *scores])
        repeated = [name for name in schema.names if name not in header.scores]  # scores hardly ever are
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated) as file:
            yield partial(_parquet_rows, file, header)
        return
    with _text(path, zipped=kind.endswith(".gz")) as text:
        if "json" in kind:
            yield partial(_json_rows, text, header)
            return
        said: Callable[[str], str] = harmless if safe else str
        writer = csv.writer(_LineEnds(text), delimiter="\t" if "tsv" in kind else ",")
        writer.writerow(map(said, [*header.columns.values(), header.predicted, *header.scores]))
        yield partial(_delimited_rows, writer, said, header)


@contextmanager
def vectors_to(path: Path, kind: str, shape: tuple[int, int]) -> Iterator[VectorWriter]:
    """Open a file for (n, d) float32 vectors; `kind` is one of `VECTORS`. All n rows must then be written."""
    if kind == ".parquet":
        vector = pa.list_(pa.float32(), shape[1])
        schema = pa.schema({"id": pa.string(), "text": pa.string(), "vector": vector})
        with pq.ParquetWriter(path, schema, compression="zstd") as file:
            yield partial(_parquet_vectors, file)
        return
    with path.open("wb") as binary:
        head = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(binary, head)

        def write(ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
            binary.write(vectors.astype("<f4").tobytes())

        yield write


# --- csv, tsv, jsonl


@contextmanager
def _text(path: Path, *, zipped: bool) -> Iterator[io.TextIOWrapper]:
    """Open a text file without translation of line ends."""
    with path.open("wb") as raw:
        # without name and time, so that the same rows give the same bytes
        binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if zipped else raw
        with io.TextIOWrapper(binary, encoding="utf-8", newline="") as text:
            yield text


class _LineEnds:
    r"""Turns each row's final \r\n into \n: with \r\n as its line end, csv quotes cells that hold either."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text

    def write(self, row: str) -> int:
        return self.text.write(row.removesuffix("\r\n") + "\n")


def _delimited_rows(
    writer: Any,
    said: Callable[[str], str],
    header: Header,
    rows: Columns,
    predicted: Labels,
    probabilities: Floats,
) -> None:
    for row, labels, scores in zip(rows, predicted, probabilities.astype(str).tolist(), strict=True):
        cells = [_cell(row.get(column)) for column in header.columns]
        decided = [""] * (1 + len(scores)) if labels is None else [SEPARATOR.join(labels), *scores]
        writer.writerow([*map(said, [*cells, decided[0]]), *decided[1:]])


def _json_rows(
    text: io.TextIOWrapper, header: Header, rows: Columns, predicted: Labels, probabilities: Floats
) -> None:
    for row, labels, scores in zip(rows, predicted, probabilities.astype(str).tolist(), strict=True):
        content = {header.columns[name]: value for name, value in row.items()}
        content[header.predicted] = labels if header.several or labels is None else labels[0]
        content |= zip(header.scores, map(float, scores), strict=True)
        text.write(_json(content) + "\n")


def _cell(value: Any) -> str:
    """Return a value as the text of a csv cell: gaps are empty."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    plain = _plain(value)
    return str(plain) if isinstance(plain, str | int | float) else _json(plain)


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet runs: what begins like a formula, and is no number, becomes text."""
    if not cell.lstrip().startswith(("=", "+", "-", "@")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _json(value: Any) -> str:
    return mended(json.dumps(_plain(value), ensure_ascii=False))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no NaN and no dates."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


# --- parquet


def _parquet_rows(
    file: pq.ParquetWriter, header: Header, rows: Columns, predicted: Labels, probabilities: Floats
) -> None:
    kept = [_array([row.get(name) for row in rows], header.types[name]) for name in header.columns]
    decided = predicted if header.several else [labels and labels[0] for labels in predicted]
    scores = [pa.array(column, from_pandas=True) for column in np.ascontiguousarray(probabilities.T)]
    arrays = [*kept, pa.array(list(decided), file.schema.field(header.predicted).type), *scores]
    file.write_table(pa.table(arrays, schema=file.schema))


def _parquet_vectors(
    file: pq.ParquetWriter, ids: Sequence[str], texts: Sequence[str], vectors: Floats
) -> None:
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, type=file.schema.field("vector").type)
    arrays = [pa.array(ids, pa.string()), pa.array(texts, pa.string()), column]
    file.write_table(pa.table(arrays, schema=file.schema))


def columns_of(rows: Columns) -> dict[str, pa.Array]:
    """Return rows by column, each of the Arrow type that holds all its values; what is missing is null."""
    names, finder = list(dict.fromkeys(name for row in rows for name in row)), TypeFinder()
    finder.add(rows, names)
    return {name: _array([row.get(name) for row in rows], kind) for name, kind in finder.types().items()}


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return a column; in one of strings, what is none becomes JSON."""
    if pa.types.is_string(kind):
        values = [None if value is None else _as_text(value) for value in values]
    elif pa.types.is_floating(kind):
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, type=kind)


def _as_text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else _json(plain)


class TypeFinder:
    """Finds for each column an Arrow type that holds all its values; a string where nothing else does.

    Args:
        declared: The schema of the input, where it is a parquet file.
    """

    def __init__(self, declared: Iterable[pa.Field] = ()) -> None:
        self.declared = {field.name: field.type for field in declared if _is_kept(field.type)}
        self.found: dict[str, pa.DataType] = {}

    def add(self, rows: Columns, columns: Iterable[str]) -> None:
        """Look at a window of rows."""
        for column in columns:
            kind = self.declared.get(column)
            if kind is not None and not (pa.types.is_temporal(kind) or pa.types.is_nested(kind)):
                continue
            values = [row.get(column) for row in rows]
            if kind is None or not _holds(kind, values):
                self.declared.pop(column, None)
                self.found[column] = self._with(column, values)

    def _with(self, column: str, values: list[Any]) -> pa.DataType:
        before = self.found.get(column, pa.null())
        try:
            types = [pa.schema([("", kind)]) for kind in (before, pa.array(values).type)]
            return pa.unify_schemas(types, promote_options="permissive").field(0).type
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            return pa.string()

    def types(self) -> dict[str, pa.DataType]:
        """Return the types of all columns met."""
        known = self.found | self.declared
        return {name: kind if _is_writable(kind) else pa.string() for name, kind in known.items()}


def _holds(kind: pa.DataType, values: list[Any]) -> bool:
    """Whether a type holds some values: dates that Python can't hold were read as text."""
    try:
        pa.array(values, type=kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return False
    return True


def _is_kept(kind: pa.DataType) -> bool:
    """Whether values read as this type can be written as this type again: readers decode bytes."""
    types = pa.types
    odd = (types.is_dictionary, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return not (isinstance(kind, pa.BaseExtensionType) or any(test(kind) for test in odd))


def _is_writable(kind: pa.DataType) -> bool:
    try:
        pq.write_table(pa.schema([("", kind)]).empty_table(), io.BytesIO())
    except pa.ArrowException:
        return False
    return not pa.types.is_null(kind)


# --- corpora


def write_parquet(corpus: Corpus, path: Path) -> None:
    """Write a corpus with the columns id, text and labels; soft ones get a column of shares per label."""
    columns = {"id": pa.array(corpus.ids, pa.string()), "text": pa.array(corpus.texts, pa.string())}
    if (lists := _label_lists(corpus)) is not None:
        columns["labels"] = pa.array(lists, pa.list_(pa.string()))
    else:
        columns |= {label: pa.array(corpus.targets[:, i]) for i, label in enumerate(corpus.labels)}
    with written_aside(path) as aside:
        pq.write_table(pa.table(columns), aside)


def write_parts(parts: Mapping[str, Corpus], folder: Path) -> list[Path]:
    """Write each split of a corpus as folder/SPLIT.jsonl, as recipes and verbs read it, and return the files.

    Labels are a word where a text has exactly one, else a list; soft ones are a column of shares each. What
    is there already is never replaced.
    """
    paths = [folder / f"{split}.jsonl" for split in parts]
    with reachable(folder, UsageError):
        there = [str(path) for path in paths if path.exists()]
    if there:
        raise UsageError(f"{', '.join(there)}: is there already; name another folder, or remove it first.")
    for path, corpus in zip(paths, parts.values(), strict=True):
        labels: list[dict[str, Any]]
        if (lists := _label_lists(corpus)) is not None:
            labels = [{"labels": several[0] if corpus.single_label else several} for several in lists]
        else:
            shares = corpus.targets.astype(str).tolist()
            labels = [dict(zip(corpus.labels, map(float, row), strict=True)) for row in shares]
        rows = zip(corpus.ids, corpus.texts, labels, strict=True)
        with written_aside(path) as aside, _text(aside, zipped=False) as file:
            file.writelines(_json({"id": one, "text": text, **held}) + "\n" for one, text, held in rows)
    return paths


def _label_lists(corpus: Corpus) -> list[list[str]] | None:
    """Return the labels of each text; None where some are soft."""
    if not ((corpus.targets == 0) | (corpus.targets == 1)).all():
        return None
    return [[corpus.labels[position] for position in row.nonzero()[0]] for row in corpus.targets]
