import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from affekt.encoders.tfidf import TfidfEncoder
from affekt.encoders.vectors import WordVectors
from affekt.encoders.vocabulary import tokenize_words
from affekt.encoders.word_average import WordAverageEncoder
from affekt.errors import DataError, ModelError, RecipeError, UsageError

TEXTS = [
    "so glad, so very glad today!",
    "a sad day, a very sad day",
    "I'm angry and SAD",
    "angry at the day and the night",
    "glad of the night",
    "so angry! so very angry",
    "the day is a good day",
]
NEW = ["a glad and angry night", "wholly foreign", "", "sad sad sad!"]
VECTORS = WordVectors(["glad", "sad", "day"], np.array([[1, 2], [3, 5], [-4, 0]], dtype=np.float32))


def vectors(encoder, texts):
    return encoder(encoder.collate(encoder.tokenize(texts))).vectors.numpy()


def terms_of(text):
    words = tokenize_words(text)
    return words + [f"{left} {right}" for left, right in itertools.pairwise(words)]


def tfidf_by_loops(training, text, terms):
    counts = Counter(terms_of(text))
    row = []
    for term in terms:
        holding = sum(term in terms_of(other) for other in training)
        row.append(counts[term] * (math.log((1 + len(training)) / (1 + holding)) + 1))
    length = math.sqrt(sum(value * value for value in row))
    return [value / length if length else 0.0 for value in row]


def test_tfidf_agrees_with_plain_loops():
    encoder = TfidfEncoder.build(TEXTS)
    assert "very glad" not in encoder.terms  # in one text only
    assert {"glad", "so very", "the night"} <= set(encoder.terms)
    for text in TEXTS + NEW:
        expected = tfidf_by_loops(TEXTS, text, encoder.terms)
        np.testing.assert_allclose(vectors(encoder, [text])[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{}, {"min_count": 1}, {"longest": 1}, {"sublinear": True}, {"max_terms": 5}]
)
def test_tfidf_agrees_with_scikit_learn(options):
    encoder = TfidfEncoder.build(TEXTS, **options)
    names = {"min_count": "min_df", "max_terms": "max_features", "sublinear": "sublinear_tf"}
    settings = {"ngram_range": (1, options.get("longest", 2)), "min_df": 2}
    settings |= {names[name]: value for name, value in options.items() if name in names}
    peer = TfidfVectorizer(tokenizer=tokenize_words, token_pattern=None, lowercase=False, **settings).fit(
        TEXTS
    )

    assert list(encoder.terms) == peer.get_feature_names_out().tolist()
    assert encoder.dimension == len(encoder.terms)
    expected = peer.transform(TEXTS + NEW)
    np.testing.assert_allclose(encoder.sparse(TEXTS + NEW).toarray(), expected.toarray(), atol=1e-6)
    np.testing.assert_allclose(vectors(encoder, TEXTS + NEW), expected.toarray(), atol=1e-6)


def test_sparse_weights_are_csr_and_the_same_as_dense_vectors():
    encoder = TfidfEncoder.build(TEXTS)
    weights = encoder.sparse(NEW)
    assert weights.format == "csr"
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights.toarray(), vectors(encoder, NEW))


def test_rows_hold_only_the_terms_of_their_text():
    rows = TfidfEncoder.build(TEXTS).tokenize(["glad glad day", "wholly foreign", ""])
    assert [len(row.ids) for row in rows] == [2, 0, 0]
    assert [len(row) for row in rows] == [2, 1, 1]  # a row is never empty


@pytest.mark.parametrize(("reduction", "centred"), [("pca", True), ("svd", False)])
def test_a_reduction_agrees_with_scikit_learns_on_the_dense_matrix(reduction, centred):
    encoder = TfidfEncoder.build(TEXTS, reduction=reduction, components=3)
    dense = encoder.sparse(TEXTS).toarray().astype(np.float64)
    peer = PCA(3, svd_solver="full") if centred else TruncatedSVD(3, algorithm="arpack", random_state=0)
    peer.fit(dense)
    for text in TEXTS + NEW:
        expected = peer.transform(encoder.sparse([text]).toarray().astype(np.float64))[0]
        made = vectors(encoder, [text])[0]
        signs = np.sign(
            (vectors(encoder, TEXTS) * peer.transform(dense)).sum(0)
        )  # of an axis: free to choose
        np.testing.assert_allclose(made * signs, expected, atol=1e-5)
    assert encoder.dimension == 3


def test_pca_centres_the_training_texts():
    encoder = TfidfEncoder.build(TEXTS, reduction="pca", components=3)
    np.testing.assert_allclose(vectors(encoder, TEXTS).mean(0), 0, atol=1e-6)


@pytest.mark.parametrize("reduction", ["none", "pca", "svd"])
def test_a_text_has_the_same_vector_alone_and_in_a_batch(reduction):
    encoder = TfidfEncoder.build(TEXTS, reduction=reduction, components=3)
    together = vectors(encoder, TEXTS + NEW)
    for index, text in enumerate(TEXTS + NEW):
        np.testing.assert_allclose(together[index], vectors(encoder, [text])[0], atol=1e-6)
    assert np.isfinite(together).all()


@pytest.mark.parametrize("reduction", ["none", "pca", "svd"])
def test_a_saved_tfidf_gives_identical_vectors(tmp_path, reduction):
    encoder = TfidfEncoder.build(TEXTS, reduction=reduction, components=3, sublinear=True, max_terms=9)
    encoder.save(tmp_path)
    loaded = TfidfEncoder.load(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors", "vocab.json"]
    assert (loaded.options, loaded.terms, loaded.dimension) == (
        encoder.options,
        encoder.terms,
        encoder.dimension,
    )
    np.testing.assert_array_equal(vectors(loaded, TEXTS + NEW), vectors(encoder, TEXTS + NEW))
    np.testing.assert_array_equal(loaded.sparse(NEW).toarray(), encoder.sparse(NEW).toarray())


def test_a_broken_tfidf_folder_is_a_model_error(tmp_path):
    TfidfEncoder.build(TEXTS).save(tmp_path)
    (tmp_path / "vocab.json").write_text('["glad"]')
    with pytest.raises(ModelError, match="TF-IDF"):
        TfidfEncoder.load(tmp_path)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(ModelError, match="TF-IDF"):
        TfidfEncoder.load(tmp_path)


def test_the_seed_alone_decides_the_components():
    made = [TfidfEncoder.build(TEXTS, reduction="pca", components=3, seed=5).components for _ in range(2)]
    assert torch.equal(*made)


def test_what_cannot_be_fitted_is_a_data_error():
    with pytest.raises(DataError, match="in 2 of the 1 texts"):
        TfidfEncoder.build(["one text"])
    with pytest.raises(DataError, match="texts"):
        TfidfEncoder.build(["", " "], min_count=1)
    with pytest.raises(DataError, match="ask for 1 to 6"):
        TfidfEncoder.build(TEXTS, reduction="pca", components=7)
    with pytest.raises(RecipeError, match="reduction"):
        TfidfEncoder.build(TEXTS, reduction="umap")


def test_a_word_average_is_the_mean_of_the_known_words():
    encoder = WordAverageEncoder.build(["irrelevant"], vectors=VECTORS)
    assert encoder.dimension == 2
    np.testing.assert_allclose(
        vectors(encoder, ["Glad SAD", "sad foreign day day", "gladddd", "!?"]),
        [[2, 3.5], [-5 / 3, 5 / 3], [1, 2], [0, 0]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("text", ["", "  ", "wholly foreign", "\ud800"])
def test_a_text_without_known_words_is_the_zero_vector(text):
    encoder = WordAverageEncoder.build(TEXTS, vectors=VECTORS)
    assert len(encoder.tokenize([text])[0]) >= 1
    assert vectors(encoder, ["glad", text])[1].tolist() == [0, 0]


def test_a_word_average_knows_words_the_training_texts_do_not_hold():
    encoder = WordAverageEncoder.build(["sad"], vectors=VECTORS)
    assert encoder.vocabulary.words[2:] == ("sad", "glad", "day")
    limited = WordAverageEncoder.build(["sad"], vectors=VECTORS, max_words=1)
    assert vectors(limited, ["sad glad"]).tolist() == [[3, 5]]


def test_a_word_average_reads_the_first_words_where_a_length_is_set():
    encoder = WordAverageEncoder.build(TEXTS, vectors=VECTORS, max_length=1)
    assert vectors(encoder, ["glad sad"]).tolist() == [[1, 2]]


def test_a_saved_word_average_gives_identical_vectors(tmp_path):
    encoder = WordAverageEncoder.build(TEXTS, vectors=VECTORS, max_length=4)
    encoder.save(tmp_path)
    loaded = WordAverageEncoder.load(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors", "vocab.txt"]
    assert loaded.options == encoder.options
    np.testing.assert_array_equal(vectors(loaded, TEXTS + NEW), vectors(encoder, TEXTS + NEW))


def test_a_word_average_needs_vectors():
    with pytest.raises(UsageError, match="needs word vectors"):
        WordAverageEncoder.build(TEXTS)


def test_bags_have_nothing_to_train():
    for encoder in (TfidfEncoder.build(TEXTS), WordAverageEncoder.build(TEXTS, vectors=VECTORS)):
        assert encoder.layer_groups() == []
        assert list(encoder.parameters()) == []
