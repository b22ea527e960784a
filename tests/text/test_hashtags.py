"""Hashtags cut into words, and the list of words that they are cut by."""

import pytest

from affekt.text import hashtags as hashtags_module
from affekt.text.hashtags import ranks, segment_hashtag


@pytest.mark.parametrize(
    ("hashtag", "words"),
    [
        ("#ILoveYou", "i love you"),
        ("LOVEyou", "love you"),
        ("OMGSoHappy", "omg so happy"),
        ("iPhone", "i phone"),
        ("bestdayever2024", "best day ever 2024"),
        ("July4th", "july 4th"),
        ("4things", "4 things"),
        ("depressionisreal", "depression is real"),
        ("fuckthiscrap", "fuck this crap"),
        ("soooohappy", "so happy"),
        ("so_happy_", "so happy"),
        ("teamzxqvia", "team zxqvia"),  # an unknown word stays in one piece
        ("zxqvianup", "zxqvianup"),
        ("日本", "日本"),
        ("", ""),
        ("___", ""),
    ],
)
def test_a_hashtag_is_cut_into_its_words(hashtag, words):
    assert segment_hashtag(hashtag) == words.split()


def test_segmentation_loses_no_letter_and_finds_the_cheapest_cut():
    """Against all cuts of short strings, each priced by the sum of its words."""

    def all_cuts(word):
        yield [word]
        for place in range(1, len(word)):
            for rest in all_cuts(word[place:]):
                yield [word[:place], *rest]

    for word in ("isad", "amother", "nowhere", "sosad", "xqlove", "hatesyou", "thebest"):
        cheapest = min(sum(map(hashtags_module._cost, cut)) for cut in all_cuts(word))
        found = segment_hashtag(word)
        assert "".join(found) == word
        assert sum(map(hashtags_module._cost, found)) == pytest.approx(cheapest)


def test_the_word_list_is_lower_case_unique_and_knows_emotions():
    words = list(ranks())
    assert len(words) >= 3000
    assert len(ranks()) == max(ranks().values()) + 1  # no word twice
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert {"anger", "joy", "optimism", "sadness", "fear", "love", "grief", "gratitude", "remorse"} <= set(
        words
    )
    assert words.index("the") < words.index("happy") < words.index("remorse")
