"""Words for the encoders that do not come with a tokenizer: word tokens and vocabularies."""

import html
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affekt.encoders.vectors import WordVectors, spread, vector_rows
from affekt.errors import ModelError
from affekt.files import written_aside
from affekt.text.surrogates import SURROGATES

PAD, UNKNOWN = 0, 1
PAD_WORD, UNKNOWN_WORD = "<pad>", "<unknown>"  # never yielded by tokenize_words

# --- word tokens --------------------------------------------------------------------------------------------

# joiners, variation selectors, skin tones and lone surrogates: not worth a word of their own
_INVISIBLE = re.compile(f"[\u200b-\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff{SURROGATES}]")
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


def spellings(texts: Iterable[str]) -> set[str]:
    """Return the words of some texts and their `variants`: all that may want a vector."""
    words = {word for text in texts for word in tokenize_words(text)}
    return {variant for word in words for variant in variants(word)}


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
            vectors: Word vectors, whose words need not reach `min_count`.
            min_count: Occurrences a word without a vector needs; None leaves all those out.
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
        mean, deviation = spread(vectors)
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


def pad_rows(rows: Sequence[NDArray[np.int32]]) -> dict[str, torch.Tensor]:
    """Return `ids` (n, t) and `mask` (n, t), true where a row has a word."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max())[None] < lengths[:, None]
    ids = np.full(mask.shape, PAD, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask)}
