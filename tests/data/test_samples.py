import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from itertools import combinations

import pytest

EMOTIONS = ("anger", "fear", "joy", "love", "sadness", "surprise")
SPLITS = ("train", "dev", "test")
FIELDS = {"id", "text", "emotion", "emotions", "split"}
NAMING = {  # the label itself and its plain forms
    "anger": r"anger\w*|angry|angri\w+",
    "fear": r"fear\w*|afraid",
    "joy": r"joy\w*|happy|happi\w+",
    "love": r"lov(?:e|es|ed|ing|ingly)",
    "sadness": r"sad\w*",
    "surprise": r"surpris\w*",
}
FOLDER = files("affekt") / "samples"
SHINGLE = 6


@pytest.fixture(scope="module")
def posts() -> list[dict]:
    lines = (FOLDER / "posts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def normalised(text: str) -> str:
    return " ".join(words(text))


def shingles(text: str) -> Iterator[tuple[str, ...]]:
    found = words(text)
    return (tuple(found[i : i + SHINGLE]) for i in range(len(found) - SHINGLE + 1))


def test_there_are_at_least_1200_posts(posts):
    assert len(posts) >= 1200


def test_every_post_has_the_five_fields_and_their_types(posts):
    for post in posts:
        assert set(post) == FIELDS, post
        assert isinstance(post["text"], str)
        assert post["text"] == post["text"].strip()
        assert post["emotion"] in EMOTIONS
        assert post["split"] in SPLITS


def test_ids_count_up_from_s0001_in_file_order(posts):
    assert [post["id"] for post in posts] == [f"s{number:04d}" for number in range(1, len(posts) + 1)]


def test_the_main_emotion_comes_first_among_one_to_three_distinct_emotions(posts):
    for post in posts:
        emotions = post["emotions"]
        assert emotions[0] == post["emotion"], post["id"]
        assert 1 <= len(emotions) <= 3, post["id"]
        assert len(set(emotions)) == len(emotions), post["id"]
        assert set(emotions) <= set(EMOTIONS), post["id"]


def test_a_quarter_to_two_fifths_of_the_posts_hold_several_emotions(posts):
    several = sum(len(post["emotions"]) > 1 for post in posts) / len(posts)
    assert 0.25 <= several <= 0.4


def test_most_posts_of_every_emotion_hold_that_emotion_alone(posts):
    for emotion in EMOTIONS:
        alone = [len(post["emotions"]) == 1 for post in posts if post["emotion"] == emotion]
        assert sum(alone) / len(alone) > 0.5, emotion


def test_every_emotion_has_at_least_180_posts(posts):
    counts = Counter(post["emotion"] for post in posts)
    assert min(counts[emotion] for emotion in EMOTIONS) >= 180


@pytest.mark.parametrize(("split", "share"), [("train", 0.7), ("dev", 0.1), ("test", 0.2)])
def test_each_split_holds_its_share_of_every_emotion(posts, split, share):
    counts = Counter(post["emotion"] for post in posts)
    inside = Counter(post["emotion"] for post in posts if post["split"] == split)
    for emotion in EMOTIONS:
        assert inside[emotion] == pytest.approx(share * counts[emotion], abs=1.0), emotion


@pytest.mark.parametrize("split", SPLITS)
def test_each_split_holds_every_emotion_also_as_a_second_one(posts, split):
    second = {emotion for post in posts if post["split"] == split for emotion in post["emotions"][1:]}
    assert second == set(EMOTIONS)


def test_no_text_appears_twice_even_with_case_and_punctuation_aside(posts):
    counts = Counter(normalised(post["text"]) for post in posts)
    assert [text for text, count in counts.items() if count > 1] == []


def test_no_text_is_shared_between_splits(posts):
    by_split = {
        split: {normalised(post["text"]) for post in posts if post["split"] == split} for split in SPLITS
    }
    for left, right in combinations(SPLITS, 2):
        assert not by_split[left] & by_split[right], (left, right)


def test_hardly_any_post_shares_six_words_in_a_row_with_another(posts):
    homes: dict[tuple[str, ...], set[str]] = {}
    for post in posts:
        for shingle in shingles(post["text"]):
            homes.setdefault(shingle, set()).add(post["id"])
    sharing = set().union(*(ids for ids in homes.values() if len(ids) > 1))
    assert len(sharing) / len(posts) < 0.02


def test_posts_differ_in_more_than_half_of_their_words(posts):
    sets = [set(words(post["text"])) for post in posts]
    overlaps = (len(left & right) / len(left | right) for left, right in combinations(sets, 2))
    assert max(overlaps) < 0.5


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_label_word_names_fewer_than_a_fifth_of_its_posts(posts, emotion):
    texts = [post["text"].lower() for post in posts if post["emotion"] == emotion]
    named = sum(bool(re.search(rf"\b(?:{NAMING[emotion]})\b", text)) for text in texts)
    assert named / len(texts) < 0.2


def test_posts_have_3_to_45_words_and_spread_over_that_range(posts):
    lengths = [len(post["text"].split()) for post in posts]
    assert min(lengths) >= 3
    assert max(lengths) <= 45
    assert sum(length <= 8 for length in lengths) / len(lengths) > 0.05
    assert sum(length >= 20 for length in lengths) / len(lengths) > 0.15


def test_handles_and_links_point_at_nobody(posts):
    for post in posts:
        assert set(re.findall(r"@\w+", post["text"])) <= {"@user"}, post["id"]
        links = re.findall(r"https?://\S+|www\.\S+", post["text"])
        assert all(link.startswith("https://example.com/") for link in links), post["id"]


@pytest.mark.parametrize(
    ("trait", "pattern", "least"),
    [
        ("hashtag", r"#\w", 40),
        ("hashtag in camel case", r"#(?:[A-Z][a-z]+){2,}", 20),
        ("handle", r"@user", 10),
        ("link", r"https://", 5),
        ("capitals", r"\b[A-Z]{4,}\b", 80),
        ("elongation", r"([A-Za-z])\1{2,}", 25),
        ("emoji", r"[\U0001F300-\U0001FAFF\u2600-\u27BF]", 100),
        ("emoticon", r"(?:^|\s)(?:[:>][:'(/D)3]|<3)", 8),
        ("lower-case opening", r"^[a-z]", 300),
        ("question", r"\?", 60),
    ],
)
def test_the_marks_of_social_media_are_there(posts, trait, pattern, least):
    assert sum(bool(re.search(pattern, post["text"])) for post in posts) >= least, trait


def test_the_readme_states_the_counts_of_the_file(posts):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for emotion in EMOTIONS:
        counts = Counter(post["split"] for post in posts if post["emotion"] == emotion)
        row = " | ".join(str(counts[split]) for split in SPLITS)
        assert f"| {emotion} | {row} | {counts.total()} |" in readme
    splits = Counter(post["split"] for post in posts)
    assert f"| all | {' | '.join(str(splits[split]) for split in SPLITS)} | {len(posts)} |" in readme
    every = Counter(emotion for post in posts for emotion in post["emotions"])
    assert ", ".join(f"{emotion} {every[emotion]}" for emotion in EMOTIONS) in readme
    sizes = Counter(len(post["emotions"]) for post in posts)
    assert f"one emotion {sizes[1]}, with two {sizes[2]}, with three {sizes[3]}." in readme
