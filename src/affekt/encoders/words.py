"""Words for the encoders that do not come with a tokenizer: word tokens, vocabularies, word-vector files.

Also the few functions by which those encoders (and the other small ones of this package) share a way to pad
rows and to write and read their folder: encoder.json (kind and options), encoder.safetensors (tensors).
"""

import gzip
import html
import io
import math
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple, NoReturn, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from affekt.errors import DataError, ModelError, RecipeError, unknown_name
from affekt.files import read_json, write_json, written_aside

Options = TypeVar("Options")
Size = PositiveInt  # with Share, what the fields of an encoder's options may be
Share = Annotated[float, Field(ge=0, lt=1)]
Module = TypeVar("Module", bound=nn.Module)

PAD, UNKNOWN = 0, 1
PAD_WORD, UNKNOWN_WORD = "<pad>", "<unknown>"  # never yielded by tokenize_words

# --- word tokens --------------------------------------------------------------------------------------------

# joiners, variation selectors, skin tones and lone surrogates: not worth a word of their own
_INVISIBLE = re.compile("[\u200b-\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\ud800-\udfff]")
_SEPARATORS = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "…": "..."})
_MOUTHS = {
    **dict.fromkeys(")]d", "<smile>"),
    **dict.fromkeys("([", "<sadface>"),
    **dict.fromkeys("/\\|*", "<neutralface>"),
    "p": "<lolface>",
}
_TOKEN = re.compile(
    r"""
      (?P<url> https?://\S+ | www\.\S+ | \bhttp(?:url)?\b )
    | (?P<email> [\w.+-]{1,64}@[\w-]+\.[\w.-]*\w )
    | (?P<user> @\w+ )
    | (?P<placeholder> \[[a-z]+\] )                            # [NAME] and [RELIGION] of GoEmotions
    | (?P<heart> <3+(?!\d) )
    | [:;=]['^]?[-o]?(?P<mouth> [()\[\]/\\|*] | [dp](?!\w) )(?P=mouth)*
    | (?P<word> (?=\d*[^\W\d_]) (?:[^\W_]|[\u0300-\u036f\u064b-\u0652])+ (?:'[^\W_]+)* )
    | (?P<number> \d+(?:[.,:/]\d+)* )
    | (?P<dots> \.\.+ )
    | (?P<mark> [^\w\s] )(?P=mark)*                            # a run of one mark is one token
    """,
    re.VERBOSE,
)
_NAMED = {group: f"<{group}>" for group in ("url", "email", "user", "heart", "number")} | {"dots": "..."}


def tokenize_words(text: str) -> list[str]:
    """Return the lower-cased word tokens of a text.

    HTML entities are resolved; links, addresses, users, numbers and emoticons become tokens in the manner of
    GloVe's Twitter vectors (`<url>`, `<user>`, `<number>`, `<smile>`, …); a hashtag is its word; a run of one
    mark or emoji is one token; apostrophes stay inside words.

    >>> tokenize_words("@Ann I'm SO happyyy!!! :-)) #joy https://x.y")
    ['<user>', "i'm", 'so', 'happyyy', '!', '<smile>', 'joy', '<url>']
    """
    cleaned = _INVISIBLE.sub("", html.unescape(text)).replace("\\n", " ").translate(_SEPARATORS).lower()
    return [word for word in map(_token, _TOKEN.finditer(cleaned)) if word != "#"]


def _token(match: re.Match[str]) -> str:
    group = match.lastgroup or ""
    if group == "mouth":
        return _MOUTHS[match["mouth"]]
    return _NAMED.get(group) or match[group]


_ELONGATED = re.compile(r"(.)\1{2,}")


def variants(word: str) -> Iterator[str]:
    """Yield a word, then the spellings under which a vocabulary may know it, the nearest first.

    >>> list(variants("don't")), list(variants("he'll")), list(variants("sooo"))
    (["don't", 'dont', 'not'], ["he'll", 'he'], ['sooo', 'soo', 'so'])
    """
    yield word
    if "'" in word:
        if word.endswith(("n't", "'m")):
            yield word.replace("'", "")
        # "ill" and "hell" are not "i'll" and "he'll": other contractions fall back to their stem
        yield "not" if word.endswith("n't") else word.rpartition("'")[0]
    for replacement in (r"\1\1", r"\1"):
        squeezed = _ELONGATED.sub(replacement, word)
        if squeezed != word:
            yield squeezed


# --- word vectors -------------------------------------------------------------------------------------------


class WordVectors(NamedTuple):
    """Words and their vectors, row by row."""

    vocab: list[str]
    matrix: NDArray[np.float32]  # (words, dimension)


def read_vectors(path: str | Path, keep: Collection[str] | None = None) -> WordVectors:
    """Read word vectors in any of the usual forms.

    GloVe text (one word and its numbers a line), word2vec text (the same under a line with count and
    dimension), word2vec binary, each also gzipped, or a folder with vectors.npy and vocab.txt (or the path of
    that .npy). Of a word that occurs twice the first vector counts.

    Args:
        path: The file or folder.
        keep: Read only these words (in their own or lower case), which bounds memory for large files.

    Raises:
        DataError: The file is missing, of another form, cut short or broken in a row, which is named.
    """
    path = Path(path)
    if path.is_dir() or path.suffix == ".npy":
        found = _read_pair(path / "vectors.npy" if path.is_dir() else path, keep)
    else:
        try:
            with _open(path) as stream:
                found = _read_stream(stream, path, keep)
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

    def __init__(self, path: Path, dimension: int, keep: Collection[str] | None) -> None:
        self.path, self.dimension = path, dimension
        self.keep = None if keep is None else frozenset(keep)
        self.rows: dict[str, int] = {}
        self.values = array("f")

    def wants(self, word: str) -> bool:
        return word not in self.rows and (self.keep is None or word in self.keep or word.lower() in self.keep)

    def fault(self, row: int, what: str) -> NoReturn:
        raise DataError(f"{self.path}:{row}: {what}.")

    def finish(self) -> WordVectors:
        matrix = np.frombuffer(self.values, dtype=np.float32).reshape(-1, self.dimension)
        if not self.rows and self.keep is None:
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


def _read_stream(stream: IO[bytes], path: Path, keep: Collection[str] | None) -> _Found:
    first = stream.readline(1 << 20)
    header = re.fullmatch(rb"(\d+)[ \t]+(\d+)[ \t]*\r?\n", first)
    if header is None:
        stream.seek(0)
        found = _Found(path, len(first.split()) - 1, keep)
        if found.dimension < 2:
            found.fault(1, f"expected a word and its numbers, saw {first[:40]!r}")
        _read_text(stream, found, 1)
        return found
    count, dimension = int(header[1]), int(header[2])
    found = _Found(path, dimension, keep)
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
    if path.name.removesuffix(".gz").endswith(".bin") or re.search(rb"[\x00-\x08\x0e-\x1f]", probe):
        return True
    return "\ufffd" in probe[:-3].decode("utf-8", "replace")[:-3]  # the probe may end inside a character


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
        if found.wants(word):
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
        if found.wants(word):
            found.values.frombytes(np.frombuffer(data, dtype="<f4").astype(np.float32).tobytes())
            found.rows[word] = row


def _read_pair(path: Path, keep: Collection[str] | None) -> _Found:
    try:
        matrix = np.load(path, allow_pickle=False)
        words = path.with_name("vocab.txt").read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot read vectors.npy and vocab.txt beside it: {error}.") from error
    if words[-1] == "":
        words.pop()
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or len(matrix) != len(words):
        raise DataError(
            f"{path}: expected one row of floats for each of the {len(words)} words of vocab.txt, "
            f"saw an array of {matrix.dtype} with shape {matrix.shape}."
        )
    found = _Found(path, matrix.shape[1], keep)
    for row, word in enumerate(map(str.strip, words)):
        if not word:
            raise DataError(f"{path.with_name('vocab.txt')}:{row + 1}: empty line where a word is expected.")
        if found.wants(word):
            found.values.frombytes(matrix[row].astype(np.float32).tobytes())
            found.rows[word] = row + 1
    return found


# --- vocabularies -------------------------------------------------------------------------------------------


class WordVocabulary:
    """Words and their ids: 0 pads, 1 stands for every unknown word."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = (PAD_WORD, UNKNOWN_WORD, *words)
        self._ids = {word: index for index, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            repeated, _ = Counter(self.words).most_common(1)[0]
            raise ModelError(f"the vocabulary holds {repeated!r} twice; each word must have one id.")

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        vectors: WordVectors | None = None,
        *,
        min_count: int | None = 2,
        max_size: int | None = None,
        all_vectors: bool = False,
    ) -> "WordVocabulary":
        """Gather the words of some texts, the most frequent first.

        A word that has a vector only under a near spelling (`variants`) is counted as that spelling.

        Args:
            texts: The training texts.
            vectors: Word vectors; their words need not reach `min_count`: they are known without training.
            min_count: Occurrences a word without a vector needs; rarer ones are what trains the unknown row.
                None leaves out all words without a vector.
            max_size: At most so many words (padding and unknown not counted).
            all_vectors: Also take every word of `vectors` that the texts do not hold, after those they do.
        """
        known = vector_rows(vectors) if vectors else {}
        counts = Counter(_nearest(word, known) or word for text in texts for word in tokenize_words(text))
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        needed = math.inf if min_count is None else min_count
        words = [word for word, count in ordered if count >= needed or word in known]
        if all_vectors:
            words += [word for word in known if word not in counts and word not in (PAD_WORD, UNKNOWN_WORD)]
        return cls(words[:max_size])

    def __len__(self) -> int:
        return len(self.words)

    def index(self, word: str) -> int:
        """Return the id of a word, of its nearest known spelling, or of the unknown word."""
        return self._ids[_nearest(word, self._ids) or UNKNOWN_WORD]

    def rows(self, texts: Iterable[str], max_length: int | None = None) -> list[NDArray[np.int32]]:
        """Return each text's first `max_length` word ids; a text without words is one unknown word."""
        tokens = (tokenize_words(text)[:max_length] for text in texts)
        return [np.array([self.index(word) for word in words] or [UNKNOWN], np.int32) for words in tokens]

    def save(self, folder: Path) -> None:
        """Write vocab.txt, one word a line in the order of the ids."""
        with written_aside(folder / "vocab.txt") as path:
            path.write_bytes("".join(f"{word}\n" for word in self.words).encode("utf-8"))

    @classmethod
    def load(cls, folder: Path) -> "WordVocabulary":
        """Read vocab.txt of an encoder's folder."""
        try:
            words = (folder / "vocab.txt").read_bytes().decode("utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{folder / 'vocab.txt'}: cannot read the vocabulary: {error}.") from error
        if words[:2] != [PAD_WORD, UNKNOWN_WORD]:
            raise ModelError(f"{folder / 'vocab.txt'}:1: must begin with {PAD_WORD} and {UNKNOWN_WORD}.")
        return cls(words[2:])


def _nearest(word: str, known: Mapping[str, Any]) -> str | None:
    if word in known:  # nearly always
        return word
    return next((variant for variant in variants(word) if variant in known), None)


def coverage(texts: Iterable[str], vectors: WordVectors) -> float:
    """Return the share of the texts' word tokens that have a vector, under their own or a near spelling."""
    known = vector_rows(vectors)
    found = [_nearest(word, known) is not None for text in texts for word in tokenize_words(text)]
    return sum(found) / len(found) if found else 0.0


def starting_matrix(
    vocabulary: WordVocabulary, vectors: WordVectors | None, *, dimension: int, seed: int
) -> torch.Tensor:
    """Return the (words, d) matrix with which a trainable embedding starts.

    A word with a vector has it. Others are drawn from normal distributions with the vectors' mean and
    standard deviation, per component: GloVe's components have offsets, around which a word belongs. The
    unknown word is the mean vector, padding zero. Without vectors, mean 0 and deviation 0.1 are taken.
    """
    generator = np.random.default_rng(seed)
    if vectors is None:
        mean, deviation = np.zeros(dimension), np.full(dimension, 0.1)
    else:
        mean = vectors.matrix.mean(axis=0, dtype=np.float64)
        deviation = vectors.matrix.std(axis=0, dtype=np.float64)
    matrix = generator.normal(mean, deviation, (len(vocabulary), len(mean))).astype(np.float32)
    if vectors is not None:
        known = vector_rows(vectors)
        found = [(row, known[word]) for row, word in enumerate(vocabulary.words) if word in known]
        if found:
            rows, sources = zip(*found, strict=True)
            matrix[list(rows)] = vectors.matrix[list(sources)]
    matrix[UNKNOWN] = mean
    matrix[PAD] = 0
    return torch.from_numpy(matrix)


def start_on_words(
    make: Callable[[WordVocabulary, Any], Module],
    texts: Iterable[str],
    options: Any,
    vectors: WordVectors | None,
    seed: int,
) -> Module:
    """Return a new encoder whose `embedding` holds the words of some texts, starting from given vectors.

    Args:
        make: The encoder's class: a vocabulary and options in, a module out.
        texts: The training texts.
        options: A dataclass with `word_dimension` (overruled by the vectors'), `min_count` and `max_words`.
        vectors: Word vectors, if any.
        seed: Decides all random numbers of the start.
    """
    if vectors is not None:
        options = replace(options, word_dimension=vectors.matrix.shape[1])
    vocabulary = WordVocabulary.build(texts, vectors, min_count=options.min_count, max_size=options.max_words)
    with drawn_from(seed):
        module = make(vocabulary, options)
    start = starting_matrix(vocabulary, vectors, dimension=options.word_dimension, seed=seed)
    module.get_submodule("embedding").load_state_dict({"weight": start})
    return module


def pad_rows(rows: Sequence[NDArray[np.int32]]) -> dict[str, torch.Tensor]:
    """Return `ids` (n, t) and `mask` (n, t), true where a row has a word."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max())[None] < lengths[:, None]
    ids = np.full(mask.shape, PAD, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask)}


# --- what the small encoders share: seeds, folders ----------------------------------------------------------


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Draw torch's random numbers on the CPU from this seed inside the block, then go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def read_options(kind: str, options: type[Options], given: Mapping[str, Any]) -> Options:
    """Return the options of an encoder, a dataclass, with the values of a recipe or a saved model.

    Raises:
        RecipeError: Names all unknown options and all values that an option cannot have.
    """
    names = [field.name for field in fields(cast(Any, options))]
    faults = [unknown_name(f"option of {kind}", name, names) for name in given if name not in names]
    try:
        made = TypeAdapter(options).validate_python({name: given[name] for name in given if name in names})
    except ValidationError as error:
        faults += [
            f"encoder.options.{fault['loc'][0]} = {fault['input']!r}: {fault['msg']}."
            for fault in error.errors()
        ]
    if faults:
        raise RecipeError("\n".join(faults))
    return made


def write_encoder(folder: Path, kind: str, options: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write encoder.safetensors and then encoder.json (kind and options, a dataclass)."""
    with written_aside(folder / "encoder.safetensors") as path:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    write_json(folder / "encoder.json", {"format": 1, "kind": kind, "options": asdict(options)})


def read_encoder(folder: Path, kind: str, options: type[Options]) -> tuple[Options, dict[str, torch.Tensor]]:
    """Read what `write_encoder` wrote: the options and the tensors."""
    path = folder / "encoder.json"
    try:
        described = read_json(path)
        if described["kind"] != kind:
            raise ModelError(f"{path}: describes an encoder of kind {described['kind']!r}, not {kind!r}.")
        made = read_options(kind, options, described["options"])
        return made, load_file(folder / "encoder.safetensors")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RecipeError) as error:
        raise ModelError(f"{folder}: cannot read an encoder of kind {kind!r}: {error}") from error


def restore(module: nn.Module, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Give a module its saved tensors and set it to evaluation."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"{folder}: encoder.safetensors does not fit encoder.json: {error}.") from error
    module.eval()
