import gzip
import math
import struct
import time

import numpy as np
import pytest
import torch
from torch import nn

from affekt.encoders.recurrent import BiLstmOptions
from affekt.encoders.saving import drawn_from, read_encoder, read_options, write_encoder
from affekt.encoders.vectors import BLOCK, WordVectors, read_vectors, spread, vector_rows
from affekt.encoders.vocabulary import (
    PAD,
    UNKNOWN,
    WordVocabulary,
    pad_rows,
    spellings,
    starting_matrix,
    tokenize_words,
    variants,
)
from affekt.errors import DataError, ModelError, RecipeError

WORDS = ["glad", "sad", "ärger"]
MATRIX = np.array([[0.5, -1.25, 3e-05], [1.0, 2.0, -0.125], [0.0, 7.5, -2.0]], dtype=np.float32)


def text_lines(words=WORDS, matrix=MATRIX):
    rows = zip(words, matrix, strict=True)
    return "".join(f"{word} {' '.join(repr(float(v)) for v in row)}\n" for word, row in rows)


def binary(words=WORDS, matrix=MATRIX, separator=b""):
    body = b"".join(
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + separator
        for word, row in zip(words, matrix, strict=True)
    )
    return f"{len(words)} {matrix.shape[1]}\n".encode() + body


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I'm SO happy", ["i'm", "so", "happy"]),
        ("don’t", ["don't"]),
        ("@Ann_1 see https://t.co/x?y=1 or www.x.org", ["<user>", "see", "<url>", "or", "<url>"]),
        ("mail a.b@c.org now", ["mail", "<email>", "now"]),
        ("#joy #2good", ["joy", "2good"]),
        ("no!!! why??? so...", ["no", "!", "why", "?", "so", "..."]),
        (":) :-( ;D :/ <3 :p", ["<smile>", "<sadface>", "<smile>", "<neutralface>", "<heart>", "<lolface>"]),
        ("😂😂 👍🏽 ❤️", ["😂", "👍", "❤"]),
        ("10 of 3.5, 2nite at 10:30", ["<number>", "of", "<number>", ",", "2nite", "at", "<number>"]),
        ("[NAME] &amp; me\\nnow", ["[name]", "&", "me", "now"]),
        ("a_b", ["a", "b"]),
        ("غاضبٌ جدا", ["غاضبٌ", "جدا"]),
        ("", []),
        (" \t\n ", []),
        ("\ud800", []),
    ],
)
def test_words_are_cut_as_documented(text, words):
    assert tokenize_words(text) == words


@pytest.mark.parametrize("text", ["a" * 20_000, "a." * 10_000, "1" * 20_000, "@" * 20_000, ":" * 20_000])
def test_long_runs_are_cut_in_linear_time(text):
    started = time.perf_counter()
    assert len(tokenize_words(text)) in (1, 10_000, 20_000)
    assert time.perf_counter() - started < 2  # a quadratic pattern takes minutes


def test_no_token_holds_white_space_or_names_a_special_word():
    for code in range(0x3000):
        for token in tokenize_words(f"a{chr(code)}b <pad> <unknown>"):
            assert not any(character.isspace() for character in token)
            assert token not in ("<pad>", "<unknown>")


def test_variants_keep_the_negation_and_never_make_another_word_of_a_contraction():
    assert list(variants("isn't")) == ["isn't", "isnt", "not"]
    assert list(variants("i'll")) == ["i'll", "i"]
    assert list(variants("i'm")) == ["i'm", "im", "i"]
    assert list(variants("coool")) == ["coool", "cool", "col"]
    assert list(variants("good")) == ["good"]


# --- files of word vectors


def assert_read(found):
    assert found.vocab == WORDS
    assert found.matrix.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, MATRIX)


def test_glove_text_is_read_with_and_without_a_header_and_gzipped(tmp_path):
    assert_read(read_vectors(write(tmp_path / "a.txt", text_lines())))
    assert_read(read_vectors(write(tmp_path / "b.txt", "3 3\n" + text_lines())))
    assert_read(read_vectors(write(tmp_path / "c.txt.gz", gzip.compress(text_lines().encode()))))
    assert_read(read_vectors(write(tmp_path / "d.vec", ("3 3\n" + text_lines()).replace("\n", " \r\n"))))


@pytest.mark.parametrize("separator", [b"", b"\n"])
def test_word2vec_binary_is_read_under_any_name_and_gzipped(tmp_path, separator):
    assert_read(read_vectors(write(tmp_path / "a.bin", binary(separator=separator))))
    assert_read(read_vectors(write(tmp_path / "b.w2v", binary(separator=separator))))
    assert_read(read_vectors(write(tmp_path / "c.bin.gz", gzip.compress(binary(separator=separator)))))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_npy_and_a_word_list_are_read_from_their_folder_or_the_npy(tmp_path, dtype):
    matrix = np.arange(6, dtype=dtype).reshape(3, 2)
    np.save(tmp_path / "vectors.npy", matrix)
    write(tmp_path / "vocab.txt", "\n".join(WORDS) + "\n")

    for path in (tmp_path, tmp_path / "vectors.npy", str(tmp_path)):
        found = read_vectors(path)
        assert found.vocab == WORDS
        np.testing.assert_array_equal(found.matrix, matrix.astype(np.float32))


@pytest.mark.parametrize("word", ["caf\xe9".encode("latin-1"), "caf\ufffd".encode()])
def test_text_of_any_encoding_is_not_taken_for_binary(tmp_path, word):
    rows = [f"w{i} {' '.join(f'{i / 7 + j:.6f}' for j in range(100))}\n".encode() for i in range(49)]
    first = word + b" " + b" ".join([b"0.250000"] * 100) + b"\n"
    found = read_vectors(write(tmp_path / "a.txt", b"50 100\n" + first + b"".join(rows)))
    assert found.vocab == ["caf\ufffd", *(f"w{i}" for i in range(49))]
    np.testing.assert_array_equal(found.matrix[0], [0.25] * 100)


def test_odd_words_of_real_files_are_kept_whole_and_repeats_are_dropped(tmp_path):
    lines = ". . . 1.0 2.0\n\u2028 3.0 4.0\nx\x85y 5.0 6.0\n. . . 9.0 9.0\n"
    found = read_vectors(write(tmp_path / "a.txt", "x 0.0 0.5\n" + lines))
    assert found.vocab == ["x", ". . .", "\u2028", "x\x85y"]
    np.testing.assert_array_equal(found.matrix, [[0, 0.5], [1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "glad 1.0 2.0\nsad 1.0\n", r"a\.txt:2: .*2 numbers, saw 1"),
        ("a.txt", "glad 1.0 2.0\nsad 1.0 2.0 3.0\n", r"a\.txt:2: .*2 numbers, saw 3"),
        ("a.txt", "2 2\nglad 1.0 2.0\nsad 1.0 two\n", r"a\.txt:3: the vector of 'sad' is not all numbers"),
        ("a.txt", "glad 1.0 2.0\n\nsad nan 2.0\n", r"a\.txt:3: the vector of 'sad'.*not a number"),
        ("a.txt", "glad 1.0 inf\n", r"a\.txt:1: "),
        ("a.txt", "glad 1.0 1e50\n", r"a\.txt:1: "),
        ("a.txt", "3 2\nglad 1.0 2.0\nsad 1.0 2.0\n", r"promises 3 words, it holds 2"),
        ("a.txt", "text,label\nx,joy\n", r"a\.txt:1: expected a word and its numbers"),
        ("a.txt", "", r"a\.txt:1: "),
        ("a.bin", "0 2\n", r"holds no word vectors"),
        ("a.bin", binary()[:-1], r"ends inside vector 3 of the 3"),
        ("a.bin", binary() + b"more", r"holds more than the 3 vectors its header promises"),
        ("a.bin", "2 3\nglad 1.000 2.000 3.000\nsad 1.000 2.000 3.000\n", r"holds more.*is it text"),
        ("a.bin", b"2 2\nx " + struct.pack("<2f", 1, math.nan) + b"y " + bytes(8), r"a\.bin:1: .*'x'"),
        ("a.txt.gz", gzip.compress(text_lines().encode(), mtime=0)[:-12], r"gzip stream is broken"),
        ("a.zip", b"PK\x03\x04rest", r"zip archive; unzip"),
        ("a.kv", b"\x80\x04\x95", r"pickle, which is never opened"),
        ("vectors.npy", b"not an array", r"vectors\.npy: cannot read"),
        ("vectors.npy", b"", r"vectors\.npy: cannot read"),
    ],
)
def test_a_broken_file_is_a_data_error_that_names_the_row(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_vectors(write(tmp_path / name, content))


def test_a_missing_file_is_a_data_error(tmp_path):
    for name in ("absent.txt", "absent.npy"):
        with pytest.raises(DataError, match="absent"):
            read_vectors(tmp_path / name)
    with pytest.raises(DataError, match=r"vectors\.npy"):
        read_vectors(tmp_path)


def test_a_pair_of_unequal_length_or_with_an_empty_line_is_a_data_error(tmp_path):
    np.save(tmp_path / "vectors.npy", MATRIX)
    write(tmp_path / "vocab.txt", "glad\nsad\n")
    with pytest.raises(DataError, match=r"2 words of vocab.txt.*\(3, 3\)"):
        read_vectors(tmp_path)
    write(tmp_path / "vocab.txt", "glad\n\nsad\n")
    with pytest.raises(DataError, match=r"vocab\.txt:2: empty line"):
        read_vectors(tmp_path)


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    np.save(tmp_path / "vectors.npy", np.array([{}], dtype=object), allow_pickle=True)
    write(tmp_path / "vocab.txt", "glad\n")
    with pytest.raises(DataError):
        read_vectors(tmp_path)


@pytest.mark.parametrize("count", [1, 7, 3 * BLOCK + 5])
def test_only_the_words_asked_for_are_kept_and_all_starts_as_if_all_were(tmp_path, count):
    drawn = np.random.default_rng(0)
    matrix = drawn.normal(drawn.normal(size=5), drawn.uniform(0.01, 3, size=5), (count, 5)).astype(np.float32)
    names = ["Glad", *(f"word{i}" for i in range(1, count))]
    np.save(tmp_path / "vectors.npy", matrix)
    write(tmp_path / "vocab.txt", "\n".join(names) + "\n")
    texts = ["glad word3 new", "glad word3 gladdd new"]

    whole, some = read_vectors(tmp_path), read_vectors(tmp_path, spellings(texts))
    assert len(whole.vocab) == count
    assert some.vocab == ["Glad", "word3"][: 1 if count == 1 else 2]
    np.testing.assert_array_equal(spread(some)[0], matrix.mean(axis=0, dtype=np.float64))
    np.testing.assert_array_equal(spread(some)[1], matrix.std(axis=0, dtype=np.float64))
    vocabularies = [WordVocabulary.build(texts, vectors) for vectors in (whole, some)]
    assert vocabularies[0].words == vocabularies[1].words
    starts = [starting_matrix(vocabularies[0], vectors, dimension=5, seed=3) for vectors in (whole, some)]
    assert torch.equal(*starts)


def test_a_file_without_any_word_asked_for_still_says_where_words_start(tmp_path):
    found = read_vectors(write(tmp_path / "a.txt", text_lines()), {"absent"})
    assert found.vocab == []
    assert found.matrix.shape == (0, MATRIX.shape[1])
    np.testing.assert_array_equal(spread(found)[0], MATRIX.mean(axis=0, dtype=np.float64))


def test_a_broken_row_that_nobody_asked_for_is_named_too(tmp_path):
    with pytest.raises(DataError, match=r"a\.txt:2: the vector of 'sad'.*not a number"):
        read_vectors(write(tmp_path / "a.txt", "glad 1.0 2.0\nsad nan 2.0\n"), {"glad"})


def test_a_words_own_lower_case_entry_goes_before_its_capital_forms():
    vectors = WordVectors(["Glad", "SAD", "glad", "Sad"], np.zeros((4, 2), np.float32))
    assert vector_rows(vectors) == {"glad": 2, "sad": 1}


# --- vocabularies


def test_a_vocabulary_orders_by_frequency_and_drops_rare_words_without_vectors():
    texts = ["b b b a a zzz", "c a b", "rare glad"]
    assert WordVocabulary.build(texts).words == ("<pad>", "<unknown>", "b", "a")

    vectors = WordVectors(WORDS, MATRIX)
    assert WordVocabulary.build(texts, vectors).words[2:] == ("b", "a", "glad")
    assert WordVocabulary.build(texts, vectors, max_size=2).words[2:] == ("b", "a")
    assert WordVocabulary.build(texts, vectors, all_vectors=True).words[2:] == (
        "b",
        "a",
        "glad",
        "sad",
        "ärger",
    )
    assert WordVocabulary.build(texts, vectors, min_count=None).words[2:] == ("glad",)
    assert WordVocabulary.build(texts, min_count=1).words[2:] == ("b", "a", "c", "glad", "rare", "zzz")


def test_a_word_counts_as_the_spelling_that_has_a_vector():
    vectors = WordVectors(["cool", "not"], np.zeros((2, 2), np.float32))
    vocabulary = WordVocabulary.build(["coool isn't", "cooool cool"], vectors)
    assert vocabulary.words[2:] == ("cool", "not")
    assert vocabulary.index("coooooool") == vocabulary.index("cool")
    assert vocabulary.index("wasn't") == vocabulary.index("not")
    assert vocabulary.index("absent") == UNKNOWN


def test_rows_are_never_empty_and_never_longer_than_asked():
    vocabulary = WordVocabulary(["glad", "sad"])
    rows = vocabulary.rows(["Glad sad glad", "", "?!", "absent sad"], max_length=2)
    assert [row.tolist() for row in rows] == [[2, 3], [UNKNOWN], [UNKNOWN, UNKNOWN], [UNKNOWN, 3]]
    assert len(vocabulary.rows(["glad " * 500])[0]) == 500


def test_a_saved_vocabulary_is_the_same_again(tmp_path):
    vocabulary = WordVocabulary(["glad", "x\x85y", "\u2028", "😂", "ärger"])
    vocabulary.save(tmp_path)
    assert WordVocabulary.load(tmp_path).words == vocabulary.words
    assert [path.name for path in tmp_path.iterdir()] == ["vocab.txt"]


@pytest.mark.parametrize("content", [None, b"glad\nsad\n", b"<pad>\n<unknown>\nglad\nglad\n", b"\xff\xfe"])
def test_a_vocabulary_that_is_missing_or_broken_is_a_model_error(tmp_path, content):
    if content is not None:
        write(tmp_path / "vocab.txt", content)
    with pytest.raises(ModelError):
        WordVocabulary.load(tmp_path)


# --- where embeddings start


def test_known_words_start_at_their_vectors_and_unknown_at_the_mean():
    vocabulary = WordVocabulary(["sad", "new", "glad"])
    start = starting_matrix(vocabulary, WordVectors(["Glad", "sad"], MATRIX[:2]), dimension=3, seed=0).numpy()
    np.testing.assert_array_equal(start[[2, 4]], MATRIX[[1, 0]])
    np.testing.assert_allclose(start[UNKNOWN], MATRIX[:2].mean(0))
    np.testing.assert_array_equal(start[PAD], 0)


def test_new_words_are_drawn_like_the_vectors_component_by_component():
    generator = np.random.default_rng(0)
    matrix = generator.normal([-2.0, 0.5], [0.3, 1.5], (500, 2)).astype(np.float32)
    vectors = WordVectors([f"known{i}" for i in range(500)], matrix)
    vocabulary = WordVocabulary([f"new{i}" for i in range(5000)])
    start = starting_matrix(vocabulary, vectors, dimension=2, seed=1).numpy()[2:]
    np.testing.assert_allclose(start.mean(0), matrix.mean(0), atol=0.1)
    np.testing.assert_allclose(start.std(0), matrix.std(0), rtol=0.05)


def test_the_seed_alone_decides_the_start():
    vocabulary = WordVocabulary(["a", "b"])
    draws = [starting_matrix(vocabulary, None, dimension=5, seed=seed) for seed in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].shape == (4, 5)


def test_drawing_from_a_seed_leaves_the_random_numbers_outside_alone():
    torch.manual_seed(0)
    expected = torch.rand(4)
    torch.manual_seed(0)
    before = torch.rand(2)
    with drawn_from(7):
        inside = torch.rand(2)
    with drawn_from(7):
        again = torch.rand(2)
    assert torch.equal(torch.cat([before, torch.rand(2)]), expected)
    assert torch.equal(inside, again)


# --- batches, options, folders


def test_rows_are_padded_to_the_longest():
    batch = pad_rows([np.array([5, 6, 7], np.int32), np.array([8], np.int32)])
    assert batch["ids"].tolist() == [[5, 6, 7], [8, PAD, PAD]]
    assert batch["mask"].tolist() == [[True, True, True], [True, False, False]]
    assert batch["ids"].dtype == torch.int64


def test_all_faults_of_the_options_come_at_once():
    with pytest.raises(RecipeError) as caught:
        read_options("bilstm", BiLstmOptions, {"hiden": 3, "layers": 0, "dropout": 1.0, "pooling": "first"})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "'hiden': did you mean hidden" in lines[0]
    assert "encoder.options.layers = 0: " in lines[1]
    assert "encoder.options.dropout = 1.0: " in lines[2]
    assert "encoder.options.pooling = 'first': " in lines[3]


def test_a_folder_of_another_kind_or_with_a_file_missing_is_a_model_error(tmp_path):
    write_encoder(tmp_path, "bilstm", BiLstmOptions(), nn.Linear(2, 2).state_dict())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors"]
    options, tensors = read_encoder(tmp_path, "bilstm", BiLstmOptions)
    assert options == BiLstmOptions()
    assert set(tensors) == {"weight", "bias"}

    with pytest.raises(ModelError, match="'bilstm', not 'word-cnn'"):
        read_encoder(tmp_path, "word-cnn", BiLstmOptions)
    (tmp_path / "encoder.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelError):
        read_encoder(tmp_path, "bilstm", BiLstmOptions)
    with pytest.raises(ModelError):
        read_encoder(tmp_path / "absent", "bilstm", BiLstmOptions)
