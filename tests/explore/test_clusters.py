import math

import numpy as np
import pytest

from affekt.errors import DataError
from affekt.explore.clusters import cluster_names, distinctive_words, summarise_clusters

TEXTS = [
    "thank you so much, what a gift",
    "thank you for the gift",
    "many thanks and thank you",
    "I am so angry at the referee",
    "the referee makes me angry",
    "angry angry angry 😡",
    "hm",
]
VECTORS = np.array([[0, 0], [0.1, 0], [1, 0], [5, 5], [5.1, 5], [7, 5], [50, 50]], dtype=float)
ASSIGNED = np.array([1, 1, 1, 0, 0, 0, -1])


def test_numbers_count_from_one_noise_is_noise_and_names_stay():
    assert cluster_names([0, 2, -1]) == ["cluster 1", "cluster 3", "noise"]
    assert cluster_names(["calm"]) == ["calm"]


def test_a_summary_holds_size_emotions_typical_texts_and_words():
    scores = np.array([[0.9, 0.1], [0.8, 0.1], [0.7, 0.1], [0.0, 1.0], [0.1, 0.8], [0.005, 0.9], [0.5, 0.5]])
    found = {one.name: one for one in summarise_clusters(TEXTS, VECTORS, ASSIGNED, ["joy", "anger"], scores)}
    thanks, anger = found["cluster 2"], found["cluster 1"]
    assert (thanks.size, thanks.share) == (3, 3 / 7)
    assert [name for name, _ in thanks.emotions] == ["joy", "anger"]
    assert [share for _, share in thanks.emotions] == pytest.approx([0.8, 0.1])
    assert anger.emotions[0] == ("anger", pytest.approx(0.9))
    assert thanks.typical[0] == "thank you for the gift"
    assert set(thanks.words) == {"thank", "gift"}
    assert set(anger.words) == {"angry", "referee"}


def test_the_largest_comes_first_and_noise_last():
    names = [one.name for one in summarise_clusters(["a"] * 6, np.zeros((6, 2)), [-1, -1, -1, 3, 3, 0])]
    assert names == ["cluster 4", "cluster 1", "noise"]


def test_texts_without_labels_have_no_emotions():
    assert all(one.emotions == () for one in summarise_clusters(TEXTS, VECTORS, ASSIGNED))


def test_typical_texts_are_different_ones():
    (one,) = summarise_clusters(["same"] * 5 + ["other"], np.zeros((6, 2)), np.zeros(6, dtype=int))
    assert one.typical == ("same", "other")


def test_no_texts_have_no_clusters():
    assert summarise_clusters([], np.zeros((0, 2)), []) == []


@pytest.mark.parametrize(
    ("vectors", "assigned", "scores"),
    [(VECTORS[:3], ASSIGNED, None), (VECTORS, ASSIGNED[:2], None), (VECTORS, ASSIGNED, np.zeros((7, 2)))],
)
def test_lengths_that_differ_are_said(vectors, assigned, scores):
    with pytest.raises(DataError, match="clusters of 7 texts"):
        summarise_clusters(TEXTS, vectors, assigned, ["joy"], scores)


def test_the_order_of_words_is_that_of_their_log_odds_by_a_plain_loop():
    rng = np.random.default_rng(4)
    vocabulary = [f"word{i}" for i in range(12)]
    names, texts = [], []
    for _ in range(120):
        name = str(rng.integers(0, 2))
        weights = np.arange(1, 13) if name == "0" else np.arange(12, 0, -1)
        texts.append(" ".join(rng.choice(vocabulary, 4, p=weights / weights.sum())))
        names.append(name)
    found = distinctive_words(texts, names)
    for name in "01":
        standing = {}
        for word in vocabulary:
            table = [[0.5, 0.5], [0.5, 0.5]]  # inside or outside × holding the word or not
            for text, of in zip(texts, names, strict=True):
                table[of != name][word not in text.split()] += 1
            (a, c), (b, d) = table
            standing[word] = math.log(a / c / (b / d)) / math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        expected = [word for word in sorted(vocabulary, key=lambda w: -standing[w]) if standing[word] > 1]
        assert len(expected) >= 3
        assert list(found[name]) == expected


def test_function_words_letters_and_words_of_one_text_are_left_out():
    texts = ["you are x #happy 😀", "you're x #happy 😀 once"] + ["we would never"] * 3
    assert set(distinctive_words(texts, ["a", "a", "b", "b", "b"])["a"]) == {"#happy", "😀"}
