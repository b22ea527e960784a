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


def test_each_row_has_the_name_of_its_cluster():
    found = summarise_clusters(TEXTS, VECTORS, ASSIGNED)
    names = cluster_names(ASSIGNED, found)
    assert names == ["thank, gift"] * 3 + ["angry, referee"] * 3 + ["noise"]


@pytest.mark.parametrize(
    ("anger", "love", "name"),
    [
        (0.9, 0.5, "anger: angry, referee"),
        (0.6, 0.5, "anger and love: angry, referee"),
        (0, 0, "angry, referee"),
    ],
)
def test_a_cluster_is_named_by_its_emotions_and_words(anger, love, name):
    scores = np.tile([anger, love], (7, 1))
    names = {
        one.number: one.name
        for one in summarise_clusters(TEXTS, VECTORS, ASSIGNED, ["anger", "love"], scores)
    }
    assert names[0] == name


def test_where_most_texts_are_neutral_a_cluster_is_named_by_what_stands_out():
    scores = np.array([[0.6, 0.4, 0.0]] * 3 + [[0.7, 0.0, 0.3]] * 4)
    found = summarise_clusters(TEXTS, VECTORS, ASSIGNED, ["neutral", "joy", "anger"], scores)
    names = {one.number: one.name for one in found}
    assert names[1].startswith("joy: ")
    assert names[0].startswith("anger: ")
    assert found[0].emotions[0][0] == "neutral"  # its scores are told as they are


def test_an_emotion_is_not_said_twice_in_a_name_and_no_two_clusters_have_one_name():
    texts = ["angry words", "angry words again", "odd", "even"]
    found = summarise_clusters(texts, np.eye(4), [0, 0, 1, 2], ["angry"], np.ones((4, 1)))
    assert [one.name for one in found] == ["angry: words", "angry", "angry (3)"]


def test_a_cluster_without_emotions_and_words_has_a_number():
    assert [one.name for one in summarise_clusters(["a", "b"], np.eye(2), [1, 1])] == ["cluster 2"]


def test_a_summary_holds_size_emotions_typical_texts_and_words():
    scores = np.array([[0.9, 0.1], [0.8, 0.1], [0.7, 0.1], [0.0, 1.0], [0.1, 0.8], [0.005, 0.9], [0.5, 0.5]])
    found = {
        one.number: one for one in summarise_clusters(TEXTS, VECTORS, ASSIGNED, ["joy", "anger"], scores)
    }
    thanks, anger = found[1], found[0]
    assert (thanks.size, thanks.share) == (3, 3 / 7)
    assert [name for name, _ in thanks.emotions] == ["joy", "anger"]
    assert [share for _, share in thanks.emotions] == pytest.approx([0.8, 0.1])
    assert anger.emotions[0] == ("anger", pytest.approx(0.9))
    assert thanks.typical[0] == "thank you for the gift"
    assert set(thanks.words) == {"thank", "gift"}
    assert set(anger.words) == {"angry", "referee"}


def test_the_largest_comes_first_and_noise_last():
    found = summarise_clusters(["a"] * 6, np.zeros((6, 2)), [-1, -1, -1, 3, 3, 0])
    assert [one.number for one in found] == [3, 0, -1]
    assert found[-1].name == "noise"


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
        name = int(rng.integers(0, 2))
        weights = np.arange(1, 13) if name == 0 else np.arange(12, 0, -1)
        texts.append(" ".join(rng.choice(vocabulary, 4, p=weights / weights.sum())))
        names.append(name)
    found = distinctive_words(texts, names)
    for name in (0, 1):
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
    assert set(distinctive_words(texts, [0, 0, 1, 1, 1])[0]) == {"#happy", "😀"}


def test_links_placeholders_numbers_and_what_is_left_of_html_are_no_words():
    noise = "@USER <user> [NAME] RT https://t.co/aB1 http pic.twitter.com/xyz www.site.org/a?b=1 news.com/x"
    first = f"cake {noise} &amp; &lt;3 2024 100 @user amp HTTPURL url"
    texts = [first, f"cake {noise} 2024 user", "rain", "rain", "rain"]
    assert distinctive_words(texts, [0, 0, 1, 1, 1])[0] == ("cake",)
