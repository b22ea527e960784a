"""A cache of words gives a tokenizer's own ids, whatever the text, and stays small."""

import json
import os
import random
from contextlib import suppress
from importlib.resources import files

import pytest
from tokenizers import Tokenizer

from affekt.data import catalog
from affekt.encoders.pretrained import load_pretrained
from affekt.errors import DataError
from affekt.text import pieces
from affekt.text.pieces import WordCache, unknown_id
from affekt.text.surrogates import paired

ODD = [
    "",
    " ",
    "  two  spaces  and one at the end ",
    "so happy 🙂🙂🏽 👩‍👩‍👧 ☃",
    "naïve Ärger e\u0301 \u0301 alone İ ΣΑΣ ß ﬁ",
    "東京 に行く happy東京day 한국어 ไทย हिन्दी العربية",
    "a\x00b \x1cc\x1d d\te\nf\rg\x85h\xa0i\u2028j\u200bk\ufeffl\u3000m",
    "caf\udce9 \ud83d\ude42 \ud83d",
    "x" * 99 + " " + "y" * 100 + " " + "z" * 101 + " " + "w" * 5000,
    "so " * 300,
    "[UNK] [CLS]love[SEP] [MASK] <mask> <s>love</s> ##ing",
    "don't! can't... #so@happy http://t.co/x?y=1 i'm :-) <3",
]
ALPHABET = [
    *"aeilosuvy",
    *"  \t\n",
    *"!'#",
    "é",
    "e\u0301",
    "🙂",
    "東",
    "\x00",
    "\x1c",
    "\xa0",
    "[MASK]",
    "İ",
    "ing",
]


def plainly(path: str, texts: list[str], length: int) -> list[list[int]]:
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    found = tokenizer.encode_batch_fast([paired(text) for text in texts], add_special_tokens=False)
    return [one.ids for one in found]


@pytest.mark.parametrize("family", ["bert", "mpnet", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("length", [1, 7, 128])
def test_ids_are_the_tokenizers(tiny, family, length):
    path = f"{tiny(family)}/tokenizer.json"
    drawn = random.Random(0)
    made = ["".join(drawn.choices(ALPHABET, k=drawn.randrange(30))) for _ in range(500)]
    sample = files("affekt.samples").joinpath("posts.jsonl").read_text(encoding="utf-8")
    texts = [*ODD, *made, *(json.loads(line)["text"] for line in sample.splitlines())]
    cache = WordCache(Tokenizer.from_file(path), length)
    assert cache.by_words == (family in {"bert", "mpnet"})
    expected = plainly(path, texts, length)
    for _ in range(2):  # out of the cache too
        assert cache(texts) == expected
    assert [ids for text in texts for ids in cache([text])] == expected  # whatever is beside it
    assert cache([]) == []


def test_the_cache_is_bounded_and_keeps_no_long_words(tiny, monkeypatch):
    monkeypatch.setattr(pieces, "_WORDS", 20)
    path = f"{tiny('bert')}/tokenizer.json"
    cache = WordCache(Tokenizer.from_file(path), 30)
    texts = [f"so {'love' * (i % 12)}{i} day" for i in range(200)]
    for start in range(0, 200, 8):
        some = texts[start : start + 8]
        assert cache(some) == plainly(path, some, 30)
        assert len(cache) <= 20
    cache = WordCache(Tokenizer.from_file(path), 30)
    cache(["so " + "a" * 32 + " " + "b" * 33])
    assert len(cache) == 2


def test_a_tokenizer_with_a_token_across_words_is_asked_for_whole_texts(tiny, tmp_path):
    tokenizer = Tokenizer.from_file(f"{tiny('bert')}/tokenizer.json")
    tokenizer.add_tokens(["so happy"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    cache = WordCache(tokenizer, 30)
    assert not cache.by_words
    assert cache(["i was so happy"]) == plainly(str(tmp_path / "tokenizer.json"), ["i was so happy"], 30)


@pytest.mark.parametrize(
    ("family", "name"), [("bert", "[UNK]"), ("mpnet", "[UNK]"), ("xlm-roberta", "<unk>"), ("roberta", None)]
)
def test_the_unknown_token_is_found(tiny, family, name):
    tokenizer = Tokenizer.from_file(f"{tiny(family)}/tokenizer.json")
    assert unknown_id(tokenizer) == (None if name is None else tokenizer.token_to_id(name))


@pytest.mark.slow
@pytest.mark.skipif("AFFEKT_DATA" not in os.environ, reason="needs the data sets under AFFEKT_DATA")
def test_ids_are_the_tokenizers_on_a_hundred_thousand_texts():
    _, found = load_pretrained("all-MiniLM-L6-v2", None)
    tokenizer = found.backend_tokenizer
    lines: list[str] = []
    for name in ("semeval2018-ec-ar", "goemotions", "crowdflower-text-emotion", "tec", "dair-emotion"):
        with suppress(DataError):  # not there
            lines += [text for split in catalog.load(name).values() for text in split.texts]
    if len(lines) < 100_000:
        pytest.skip(f"AFFEKT_DATA has {len(lines):,} of the texts")
    cache = WordCache(Tokenizer.from_str(tokenizer.to_str()), 128)
    assert cache.by_words
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    for start in range(0, len(lines), 1000):
        some = lines[start : start + 1000]
        read = tokenizer.encode_batch_fast([paired(text) for text in some], add_special_tokens=False)
        assert cache(some) == [one.ids for one in read]
