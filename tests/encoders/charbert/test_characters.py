"""Characters and spans: the published builder's, number for number, and ours, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt.encoders.charbert import characters as charbert_text
from affekt.encoders.charbert.characters import (
    LONGEST_PIECE,
    CharacterReader,
    CharacterVocabulary,
    ReferenceReader,
    reference_characters,
)
from affekt.errors import ModelError

from .charbert_toys import byte_level, wordpiece

# Characters and rows as the published vocabularies have them (wtma/CharBERT, bert_char_vocab and
# roberta_char_vocab: 1001 and 1050 lines, the last for unknown characters), as far as the cases need them.
BERT_ROWS = dict(zip("Ilovepayingh.kï日dcsfubjmqrtwxzNASR", [
    33, 10, 6, 22, 1, 16, 3, 19, 4, 5, 17, 9, 23, 26, 217, 779, 11, 12, 8, 15, 13, 20, 58, 14, 61, 7, 2, 18,
    37, 52, 46, 27, 28, 47,
], strict=True))  # fmt: skip
ROBERTA_ROWS = dict(zip("ĠIlovening!", [1, 35, 10, 9, 21, 2, 6, 3, 6, 16, 93], strict=True))


def sparse_vocabulary(rows: dict[str, int], lines: int) -> CharacterVocabulary:
    entries = [" "] + ["<no character>"] * (lines - 1)
    for character, row in rows.items():
        entries[row] = character
    return CharacterVocabulary(tuple(entries), unknown=lines - 1)


BERT = sparse_vocabulary(BERT_ROWS, 1001)
ROBERTA = sparse_vocabulary(ROBERTA_ROWS, 1050)
SPECIAL = {"[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]"}

# What the published fine-tuning code makes of these pieces: characters (no zeros at the end), firsts, lasts.
CASES = {
    "simple": (
        "[CLS] I love play ##ing . [SEP]", 10, BERT, True,
        [0, 0, 33, 0, 10, 6, 22, 1, 0, 16, 10, 3, 19, 0, 4, 5, 17, 0, 23],
        [0, 2, 4, 9, 14, 18, 20, 22, 24, 26], [0, 2, 7, 12, 16, 18, 20, 22, 24, 26],
    ),
    "simple, padding without slots": (
        "[CLS] I love play ##ing . [SEP]", 10, BERT, False,
        [0, 0, 33, 0, 10, 6, 22, 1, 0, 16, 10, 3, 19, 0, 4, 5, 17, 0, 23],
        [0, 2, 4, 9, 14, 18, 20, 59, 59, 59], [0, 2, 7, 12, 16, 18, 20, 59, 59, 59],
    ),
    "unknown word and mask": (
        "[CLS] hello [UNK] [MASK] ok [SEP]", 8, BERT, True,
        [0, 0, 9, 1, 10, 10, 6, 0, 0, 0, 0, 0, 6, 26],
        [0, 2, 8, 10, 12, 15, 17, 19], [0, 6, 8, 10, 13, 15, 17, 19],
    ),
    "unknown character": (
        "[CLS] na ##ïve 日 😂 [SEP]", 8, BERT, True,
        [0, 0, 5, 3, 0, 217, 22, 1, 0, 779, 0, 1000],
        [0, 2, 5, 9, 11, 13, 15, 17], [0, 3, 7, 9, 11, 13, 15, 17],
    ),
    "a # shifts all later spans": (
        "[CLS] # happy day [SEP]", 8, BERT, True,
        [0, 0, 0, 9, 3, 16, 16, 19, 0, 11, 3, 19],
        [0, 3, 9, 13, 15, 17, 19, 47], [0, 7, 11, 13, 15, 17, 19, 47],
    ),
    "a # shifts all later spans, padding without slots": (
        "[CLS] # happy day [SEP]", 8, BERT, False,
        [0, 0, 0, 9, 3, 16, 16, 19, 0, 11, 3, 19],
        [0, 3, 9, 13, 47, 47, 47, 47], [0, 7, 11, 13, 47, 47, 47, 47],
    ),
    "a # at the end is dropped": (
        "[CLS] c# is fun [SEP]", 8, BERT, True,
        [0, 0, 12, 0, 4, 8, 0, 15, 13, 5],
        [0, 2, 4, 7, 11, 13, 15, 17], [0, 2, 5, 9, 11, 13, 15, 17],
    ),
    "more characters than slots": (
        "[CLS] abcdefghijklmnop qrstuvwxyzabcdef tail [SEP]", 5, BERT, True,
        [0, 0, 3, 20, 12, 11, 1, 15, 17, 9, 4, 58, 26, 10, 14, 5, 6, 16,
         0, 61, 7, 8, 2, 13, 22, 18, 37, 19, 52, 3],
        [0, 2, 19, 29, 29], [0, 17, 29, 29, 29],
    ),
    "cased": (
        "[CLS] NASA Rocks [SEP]", 6, BERT, True,
        [0, 0, 46, 27, 28, 27, 0, 47, 6, 12, 26, 8],
        [0, 2, 7, 13, 15, 17], [0, 5, 11, 13, 15, 17],
    ),
    "RoBERTa's space mark": (
        "[CLS] ĠI Ġlove ing ! [SEP]", 8, ROBERTA, True,
        [0, 0, 1, 35, 0, 1, 10, 9, 21, 2, 0, 3, 6, 16, 0, 93],
        [0, 2, 5, 11, 15, 17, 19, 21], [0, 3, 9, 13, 15, 17, 19, 21],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_compatible_form_gives_the_published_builders_numbers(name):
    pieces, max_length, vocabulary, padding_takes_slots, characters, firsts, lasts = CASES[name]
    ours = reference_characters(
        pieces.split(),
        max_length,
        vocabulary,
        special=SPECIAL,
        padding_takes_slots=padding_takes_slots,
    )
    assert ours == (characters + [0] * (6 * max_length - len(characters)), firsts, lasts)


def test_the_compatible_reader_spells_the_pieces_of_a_text():
    row = ReferenceReader(wordpiece(), BERT, 8).read(["# happy day"])[0]
    _, _, _, _, characters, firsts, lasts = CASES["a # shifts all later spans"]
    assert len(row) == 5
    assert row.characters.tolist() == characters + [0] * (48 - len(characters))
    assert (row.firsts.tolist(), row.lasts.tolist()) == (firsts, lasts)


def spelled_by_loops(text: str, tokenizer, vocabulary: CharacterVocabulary, max_length: int):
    """The default form piece by piece, character by character."""
    encoded = tokenizer(text, truncation=True, max_length=max_length, return_offsets_mapping=True)
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    characters, firsts, lasts = [], [], []
    for piece, (begin, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        rows = (
            []
            if piece in special
            else [int(vocabulary.table[ord(c)]) for c in text[begin:end]][:LONGEST_PIECE]
        )
        if vocabulary.space_mark is not None and tokenizer.convert_ids_to_tokens(piece).startswith("Ġ"):
            rows = [vocabulary.space_mark, *rows]
        rows = rows or [0]
        firsts.append(len(characters))
        lasts.append(len(characters) + len(rows) - 1)
        characters += [*rows, 0]
    return encoded["input_ids"], characters, firsts, lasts


def as_lists(row):
    return tuple(array.tolist() for array in (row.pieces, row.characters, row.firsts, row.lasts))


TEXTS = st.lists(
    st.text(st.sampled_from("i love playing #happy!. éÉ日😂🏽\u200d\ufe0f\t"), max_size=60)
    | st.text(max_size=20)
    | st.just("[SEP] i love"),
    max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("family", ["wordpiece", "byte level", "byte level with space mark"])
def test_spans_equal_those_of_a_plain_loop(family):
    tokenizer = wordpiece() if family == "wordpiece" else byte_level()
    vocabulary = ROBERTA if family == "byte level with space mark" else CharacterVocabulary.default()
    reader = CharacterReader(tokenizer, vocabulary, 12)

    @settings(max_examples=60, deadline=None)
    @given(texts=TEXTS)
    def check(texts):
        rows = reader.read(texts)
        assert [as_lists(row) for row in rows] == [
            spelled_by_loops(text, tokenizer, vocabulary, 12) for text in texts
        ]

    check()


def read_back(text: str, tokenizer=None, max_length: int = 64) -> list[str]:
    """The characters each piece of a text spans, by name."""
    vocabulary = CharacterVocabulary.default()
    row = CharacterReader(tokenizer or wordpiece(), vocabulary, max_length).read([text])[0]
    named = [vocabulary.entries[i] if i < vocabulary.unknown else "?" for i in row.characters]
    return ["".join(named[first : last + 1]) for first, last in zip(row.firsts, row.lasts, strict=True)]


def test_every_piece_spans_its_own_characters_the_hash_too():
    assert read_back("#happy #day c#") == [" ", "#", "happy", "#", "day", "c", "#", " "]


def test_capitals_accents_and_the_pieces_of_a_word_are_read_from_the_text():
    assert read_back("I PLAYING Café") == [" ", "I", "PLAY", "ING", "Café", " "]


def test_unknown_words_and_emoji_keep_their_characters():
    assert read_back("zebra 😂 love") == [" ", "zebra", "😂", "love", " "]


def test_byte_pieces_of_one_emoji_all_span_the_emoji():
    assert read_back("😂", byte_level()) == [" ", "😂", "😂", "😂", "😂", " "]


def test_special_tokens_written_in_a_text_span_one_separator():
    assert read_back("i [SEP] love") == [" ", "i", " ", "love", " "]


def test_a_very_long_unknown_word_is_read_up_to_the_limit():
    assert read_back("x" * 500) == [" ", "x" * LONGEST_PIECE, " "]


def test_half_a_surrogate_pair_is_read_as_one_unknown_character():
    assert read_back("\ud83d", byte_level()) == [" ", "?", "?", "?", " "]  # U+FFFD, three bytes of UTF-8
    assert read_back("i \ud83d love") == [" ", "i", "love", " "]  # BERT's tokenizer drops it


def test_a_text_without_pieces_still_gives_a_row():
    tokenizer = wordpiece()
    tokenizer.backend_tokenizer.post_processor = None
    vocabulary = CharacterVocabulary.default()
    reader = CharacterReader(tokenizer, vocabulary, 8)
    assert [as_lists(row) for row in reader.read(["", "i"])] == [
        ([tokenizer.unk_token_id], [0, 0], [0], [0]),
        ([5], [vocabulary.entries.index("i"), 0], [0], [0]),
    ]
    assert len(ReferenceReader(tokenizer, BERT, 8).read([""])[0]) == 1


def test_no_texts_give_no_rows():
    assert CharacterReader(wordpiece(), CharacterVocabulary.default(), 8).read([]) == []


def test_texts_are_read_alike_alone_and_in_chunks(monkeypatch):
    texts = ["i love", "", "#happy 😂", "play", "zebra"]
    reader = CharacterReader(wordpiece(), CharacterVocabulary.default(), 8)
    together = [as_lists(row) for row in reader.read(texts)]
    monkeypatch.setattr(charbert_text, "CHUNK", 2)
    assert [as_lists(row) for row in reader.read(texts)] == together
    assert [as_lists(reader.read([text])[0]) for text in texts] == together


def test_a_tokenizer_without_offsets_is_refused_by_name():
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match="Slow reports no offsets"):
        CharacterReader(Slow(), CharacterVocabulary.default(), 8)


def test_a_vocabulary_file_has_a_character_a_line_and_the_unknown_row_last(tmp_path):
    path = tmp_path / "characters"
    path.write_text(" \ne\n\n\u2028\né\n\n<unk>\n", encoding="utf-8", newline="\n")
    vocabulary = CharacterVocabulary.from_file(path)
    assert len(vocabulary) == 7
    assert [int(vocabulary.table[ord(c)]) for c in " e\u2028éz"] == [0, 1, 3, 4, 6]
    assert vocabulary.space_mark is None


def test_a_vocabulary_file_with_windows_line_ends_reads_the_same(tmp_path):
    path = tmp_path / "characters"
    path.write_text(" \r\ne\r\n<unk>\r\n", encoding="utf-8", newline="\n")
    assert CharacterVocabulary.from_file(path).entries == (" ", "e", "<unk>")


@pytest.mark.parametrize(
    ("content", "fault"), [(b"\xff\xfe", "UTF-8"), (b" \n", "1 lines"), (None, "cannot be read")]
)
def test_a_bad_vocabulary_file_is_named_with_its_fault(tmp_path, content, fault):
    path = tmp_path / "characters"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=fault) as raised:
        CharacterVocabulary.from_file(path)
    assert str(path) in str(raised.value)


def test_the_default_vocabulary_gives_rows_to_latin_and_emoji_and_buckets_to_the_rest():
    vocabulary = CharacterVocabulary.default()
    own = [int(vocabulary.table[ord(c)]) for c in "aZ9#éñ…❤😂🥺🇫🏽"]
    assert len(set(own)) == len(own)
    assert 0 not in own
    assert max(own) < vocabulary.unknown
    arabic = vocabulary.table[0x600:0x700]
    assert len(set(arabic.tolist())) == 256
    assert arabic.min() >= vocabulary.unknown
    assert vocabulary.table.max() == len(vocabulary) - 1
    assert vocabulary.space_mark is None


def test_a_vocabulary_survives_json():
    vocabulary = CharacterVocabulary.default()
    again = CharacterVocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert np.array_equal(again.table, vocabulary.table)
