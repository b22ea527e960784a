"""Files of word vectors: GloVe text, word2vec text and binary, or an array beside its words."""

import gzip
import io
import re
import zlib
from array import array
from pathlib import Path
from typing import IO, NamedTuple, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from affekt.errors import DataError


class WordVectors(NamedTuple):
    """Words and their vectors, row by row."""

    vocab: list[str]
    matrix: NDArray[np.float32]  # (words, dimension)


def read_vectors(path: str | Path) -> WordVectors:
    """Read word vectors in any of the usual forms.

    GloVe text (one word and its numbers a line), word2vec text (the same under a line with count and
    dimension), word2vec binary, each also gzipped, or a folder with vectors.npy and vocab.txt (or the path of
    that .npy). Of a word that occurs twice the first vector counts.

    Args:
        path: The file or folder.

    Raises:
        DataError: The file is missing, of another form, cut short or broken in a row, which is named.
    """
    path = Path(path)
    if path.is_dir() or path.suffix == ".npy":
        found = _read_pair(path / "vectors.npy" if path.is_dir() else path)
    else:
        try:
            with _open(path) as stream:
                found = _read_stream(stream, path)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path}: the gzip stream is broken ({error}); fetch the file again.") from error
        except OSError as error:
            raise DataError(f"{path}: cannot read word vectors: {error.strerror or error}.") from error
    return found.finish()


def vector_rows(vectors: WordVectors) -> dict[str, int]:
    """Return the row of each lower-cased word; a word's own lower-case entry goes before `Word` or `WORD`."""
    rows: dict[str, int] = {}
    for row, word in enumerate(vectors.vocab):
        rows.setdefault(word.lower(), row)
    rows.update((word, row) for row, word in enumerate(vectors.vocab) if word == word.lower())
    return rows


class _Found:
    """Collects words and vectors, each word once, and remembers the row for the error messages."""

    def __init__(self, path: Path, dimension: int) -> None:
        self.path, self.dimension = path, dimension
        self.rows: dict[str, int] = {}
        self.values = array("f")

    def fault(self, row: int, what: str) -> NoReturn:
        raise DataError(f"{self.path}:{row}: {what}.")

    def finish(self) -> WordVectors:
        matrix = np.frombuffer(self.values, dtype=np.float32).reshape(-1, self.dimension)
        if not self.rows:
            raise DataError(f"{self.path}: holds no word vectors.")
        broken = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(broken):
            word, row = list(self.rows.items())[broken[0]]
            self.fault(row, f"the vector of {word!r} holds a number that is infinite or not a number")
        return WordVectors(list(self.rows), matrix)


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


def _read_stream(stream: IO[bytes], path: Path) -> _Found:
    first = stream.readline(1 << 20)
    header = re.fullmatch(rb"(\d+)[ \t]+(\d+)[ \t]*\r?\n", first)
    if header is None:
        stream.seek(0)
        found = _Found(path, len(first.split()) - 1)
        if found.dimension < 2:
            found.fault(1, f"expected a word and its numbers, saw {first[:40]!r}")
        _read_text(stream, found, 1)
        return found
    count, dimension = int(header[1]), int(header[2])
    found = _Found(path, dimension)
    if dimension < 1:
        found.fault(1, "the header gives the vectors no dimension")
    probe = stream.read(4096)
    stream.seek(len(first))
    if _looks_binary(path, probe):
        _read_binary(stream, found, count)
    else:
        rows = _read_text(stream, found, 2)
        if rows != count:
            raise DataError(f"{path}: its header promises {count} words, it holds {rows}; is it cut short?")
    return found


def _looks_binary(path: Path, probe: bytes) -> bool:
    """Whether vectors are bytes: floats nearly always have control bytes; text may be of any encoding."""
    named = path.name.removesuffix(".gz").endswith(".bin")
    return named or re.search(rb"[\x00-\x08\x0e-\x1f]", probe) is not None


def _read_text(stream: IO[bytes], found: _Found, first_row: int) -> int:
    """Read lines of a word and numbers; return how many there were."""
    lines = 0
    for row, line in enumerate(stream, first_row):  # a file's own lines: words may hold U+0085 or U+2028
        fields = line.rstrip(b"\r\n\t ").replace(b"\t", b" ").split(b" ")
        if fields == [b""]:
            continue
        lines += 1
        numbers = len(fields) - 1
        # a word of GloVe 840B may itself hold spaces; numbers there mean a vector of another length
        name = fields[: -found.dimension]
        if not name or any(_is_number(field) for field in name[1:]):
            found.fault(row, f"expected a word and {found.dimension} numbers, saw {numbers} numbers")
        word = b" ".join(name).decode("utf-8", "replace")
        if word not in found.rows:
            try:
                found.values.extend(map(float, fields[-found.dimension :]))
            except ValueError as error:
                found.fault(row, f"the vector of {word!r} is not all numbers ({error})")
            found.rows[word] = row
    return lines


def _is_number(field: bytes) -> bool:
    return re.fullmatch(rb"[+-]?\d+\.\d+(?:e[+-]?\d+)?", field) is not None


def _read_binary(stream: IO[bytes], found: _Found, count: int) -> None:
    size = 4 * found.dimension
    for row in range(1, count + 1):
        name = bytearray()
        while (byte := stream.read(1)) not in (b" ", b""):
            name += byte
        data = stream.read(size)
        if len(data) < size:
            raise DataError(f"{found.path}: ends inside vector {row} of the {count} its header promises.")
        word = name.lstrip(b"\r\n").decode("utf-8", "replace")
        if word not in found.rows:
            found.values.frombytes(np.frombuffer(data, dtype="<f4").astype(np.float32).tobytes())
            found.rows[word] = row
    if stream.read(64).strip(b"\r\n"):
        raise DataError(
            f"{found.path}: holds more than the {count} vectors its header promises; is it text, named .bin?"
        )


def _read_pair(path: Path) -> _Found:
    try:
        matrix = np.load(path, allow_pickle=False)
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
    found = _Found(path, matrix.shape[1])
    for row, word in enumerate(map(str.strip, words)):
        if not word:
            raise DataError(f"{path.with_name('vocab.txt')}:{row + 1}: empty line where a word is expected.")
        if word not in found.rows:
            found.values.frombytes(matrix[row].astype(np.float32).tobytes())
            found.rows[word] = row + 1
    return found
