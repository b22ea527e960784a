"""Files of word vectors: GloVe text, word2vec text and binary, or an array beside its words."""

import gzip
import io
import re
import zlib
from array import array
from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from affekt.errors import DataError

BLOCK = 4096  # vectors in memory that nobody has asked for

Entry = tuple[int, str, bytes]  # a row of a file, its word, and its vector's float32 numbers


class WordVectors(NamedTuple):
    """Words and their vectors, row by row."""

    vocab: list[str]
    matrix: NDArray[np.float32]  # (words, dimension)
    spread: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None  # where more words were read


def read_vectors(path: str | Path, wanted: Container[str] | None = None) -> WordVectors:
    """Read word vectors in any of the usual forms.

    GloVe text (one word and its numbers a line), word2vec text (the same under a line with count and
    dimension), word2vec binary, each also gzipped, or a folder with vectors.npy and vocab.txt (or the path of
    that .npy). Of a word that occurs twice the first vector counts.

    Args:
        path: The file or folder.
        wanted: Lower-cased words; others are read for their `spread` alone, and none is held in memory. The
            file is then gone through twice.

    Raises:
        DataError: The file is missing, of another form, cut short or broken in a row, which is named.
    """
    path = Path(path)
    vocab: list[str] = []
    values = array("f")
    sums: list[NDArray[np.float64]] = []
    count, dimension = 0, 0
    broken: tuple[int, str] | None = None
    for entries, matrix in _blocks(path):
        count, dimension = count + len(entries), matrix.shape[1]
        faults = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(faults) and broken is None:
            broken = entries[faults[0]][:2]
        kept = [at for at, (_, word, _) in enumerate(entries) if wanted is None or word.lower() in wanted]
        vocab += [entries[at][1] for at in kept]
        values.frombytes(matrix[kept].tobytes())
        sums = sums if wanted is None else _added(sums, matrix)
    if not count:
        raise DataError(f"{path}: holds no word vectors.")
    if broken is not None:
        row, word = broken
        raise _fault(path, row, f"the vector of {word!r} holds a number that is infinite or not a number")
    found = np.asarray(values, dtype=np.float32).reshape(-1, dimension)
    if wanted is None:
        return WordVectors(vocab, found)
    mean = sums[0] / count
    squares: list[NDArray[np.float64]] = []
    for _, matrix in _blocks(path):
        squares = _added(squares, (matrix - mean) ** 2)
    return WordVectors(vocab, found, (mean, np.sqrt(squares[0] / count)))


def spread(vectors: WordVectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each component over all words."""
    matrix = vectors.matrix
    return vectors.spread or (matrix.mean(axis=0, dtype=np.float64), matrix.std(axis=0, dtype=np.float64))


def vector_rows(vectors: WordVectors) -> dict[str, int]:
    """Return the row of each lower-cased word; a word's own lower-case entry goes before `Word` or `WORD`."""
    rows: dict[str, int] = {}
    for row, word in enumerate(vectors.vocab):
        rows.setdefault(word.lower(), row)
    rows.update((word, row) for row, word in enumerate(vectors.vocab) if word == word.lower())
    return rows


def _added(sums: list[NDArray[np.float64]], rows: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Add rows to the one sum there may be, in the order in which numpy sums a whole matrix."""
    return [np.vstack([*sums, rows]).sum(axis=0, dtype=np.float64)]


def _fault(path: Path, row: int, what: str) -> DataError:
    return DataError(f"{path}:{row}: {what}.")


def _blocks(path: Path) -> Iterator[tuple[list[Entry], NDArray[np.float32]]]:
    """Yield the entries of a file, some at a time, with their vectors as a matrix."""
    entries = _entries(path)
    while block := list(islice(entries, BLOCK)):
        numbers = np.frombuffer(b"".join(vector for *_, vector in block), dtype=np.float32)
        yield block, numbers.reshape(len(block), -1)


def _entries(path: Path) -> Iterator[Entry]:
    """Yield each word of a file once."""
    if path.is_dir() or path.suffix == ".npy":
        yield from _read_pair(path / "vectors.npy" if path.is_dir() else path)
        return
    try:
        with _open(path) as stream:
            yield from _read_stream(stream, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip stream is broken ({error}); fetch the file again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read word vectors: {error.strerror or error}.") from error


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic[:2] == b"\x1f\x8b":
        return io.BufferedReader(cast(io.RawIOBase, gzip.open(path)))
    if magic == b"PK\x03\x04":
        raise DataError(f"{path}: is a zip archive; unzip it and give the .txt file inside.")
    if magic[:1] == b"\x80":
        raise DataError(
            f"{path}: is a pickle, which is never opened; gensim's save_word2vec_format writes a plain form."
        )
    return path.open("rb")


def _read_stream(stream: IO[bytes], path: Path) -> Iterator[Entry]:
    first = stream.readline(1 << 20)
    header = re.fullmatch(rb"(\d+)[ \t]+(\d+)[ \t]*\r?\n", first)
    if header is None:
        stream.seek(0)
        dimension = len(first.split()) - 1
        if dimension < 2:
            raise _fault(path, 1, f"expected a word and its numbers, saw {first[:40]!r}")
        yield from _read_text(stream, path, dimension, None)
        return
    count, dimension = int(header[1]), int(header[2])
    if dimension < 1:
        raise _fault(path, 1, "the header gives the vectors no dimension")
    probe = stream.read(4096)
    stream.seek(len(first))
    read = _read_binary if _looks_binary(path, probe) else _read_text
    yield from read(stream, path, dimension, count)


def _looks_binary(path: Path, probe: bytes) -> bool:
    """Whether vectors are bytes: floats nearly always have control bytes; text may be of any encoding."""
    named = path.name.removesuffix(".gz").endswith(".bin")
    return named or re.search(rb"[\x00-\x08\x0e-\x1f]", probe) is not None


def _read_text(stream: IO[bytes], path: Path, dimension: int, count: int | None) -> Iterator[Entry]:
    """Read lines of a word and numbers, as many as a header promises."""
    lines, seen = 0, set[str]()
    for row, line in enumerate(stream, 1 if count is None else 2):  # a file's own: words may hold U+0085
        fields = line.rstrip(b"\r\n\t ").replace(b"\t", b" ").split(b" ")
        if fields == [b""]:
            continue
        lines += 1
        # a word of GloVe 840B may itself hold spaces; numbers there mean a vector of another length
        name = fields[:-dimension]
        if not name or any(_is_number(field) for field in name[1:]):
            raise _fault(path, row, f"expected a word and {dimension} numbers, saw {len(fields) - 1} numbers")
        word = b" ".join(name).decode("utf-8", "replace")
        if word not in seen:
            try:
                numbers = array("f", map(float, fields[-dimension:]))
            except ValueError as error:
                raise _fault(path, row, f"the vector of {word!r} is not all numbers ({error})") from error
            seen.add(word)
            yield row, word, numbers.tobytes()
    if count is not None and lines != count:
        raise DataError(f"{path}: its header promises {count} words, it holds {lines}; is it cut short?")


def _is_number(field: bytes) -> bool:
    return re.fullmatch(rb"[+-]?\d+\.\d+(?:e[+-]?\d+)?", field) is not None


def _read_binary(stream: IO[bytes], path: Path, dimension: int, count: int) -> Iterator[Entry]:
    seen = set[str]()
    for row in range(1, count + 1):
        name = bytearray()
        while (byte := stream.read(1)) not in (b" ", b""):
            name += byte
        data = stream.read(4 * dimension)
        if len(data) < 4 * dimension:
            raise DataError(f"{path}: ends inside vector {row} of the {count} its header promises.")
        word = name.lstrip(b"\r\n").decode("utf-8", "replace")
        if word not in seen:
            seen.add(word)
            yield row, word, np.frombuffer(data, dtype="<f4").astype(np.float32).tobytes()
    if stream.read(64).strip(b"\r\n"):
        raise DataError(
            f"{path}: holds more than the {count} vectors its header promises; is it text, named .bin?"
        )


def _read_pair(path: Path) -> Iterator[Entry]:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
        words = path.with_name("vocab.txt").read_text("utf-8").split("\n")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot read vectors.npy and vocab.txt beside it: {error}.") from error
    if words[-1] == "":
        words.pop()
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or len(matrix) != len(words):
        raise DataError(
            f"{path}: expected one row of floats for each of the {len(words)} words of vocab.txt, "
            f"saw an array of {matrix.dtype} with shape {matrix.shape}."
        )
    seen = set[str]()
    for row, word in enumerate(map(str.strip, words)):
        if not word:
            raise DataError(f"{path.with_name('vocab.txt')}:{row + 1}: empty line where a word is expected.")
        if word not in seen:
            seen.add(word)
            yield row + 1, word, matrix[row].astype(np.float32).tobytes()
