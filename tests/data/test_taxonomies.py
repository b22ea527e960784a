import numpy as np
import pytest

from affekt.data.taxonomies import (
    EKMAN,
    SENTIMENT,
    TAXONOMIES,
    Taxonomy,
    pairs,
    sentiment_of,
    taxonomy_named,
)
from affekt.errors import DataError, UsageError

# The label order of GoEmotions (Demszky et al. 2020), and the official hierarchies' sizes.
GOEMOTIONS = [
    *(
        "admiration",
        "amusement",
        "anger",
        "annoyance",
        "approval",
        "caring",
        "confusion",
        "curiosity",
        "desire",
    ),
    *(
        "disappointment",
        "disapproval",
        "disgust",
        "embarrassment",
        "excitement",
        "fear",
        "gratitude",
        "grief",
    ),
    *("joy", "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness"),
    *("surprise", "neutral"),
]


def test_every_goemotions_label_is_in_exactly_one_group_of_each_taxonomy():
    for taxonomy in (EKMAN, SENTIMENT):
        members = [label for group in taxonomy.groups.values() for label in group]
        assert sorted(members) == sorted(GOEMOTIONS)


def test_groups_have_the_official_sizes_and_neutral_is_its_own():
    assert {group: len(members) for group, members in EKMAN.groups.items()} == {
        "anger": 3, "disgust": 1, "fear": 2, "joy": 12, "sadness": 5, "surprise": 4, "neutral": 1,
    }  # fmt: skip
    assert {group: len(members) for group, members in SENTIMENT.groups.items()} == {
        "positive": 12, "negative": 11, "ambiguous": 4, "neutral": 1,
    }  # fmt: skip


def test_memberships_that_are_easily_got_wrong():
    groups = {
        label: EKMAN.group_of(label) for label in ("approval", "disapproval", "confusion", "nervousness")
    }
    assert groups == {
        "approval": "joy",
        "disapproval": "anger",
        "confusion": "surprise",
        "nervousness": "fear",
    }
    groups = {label: SENTIMENT.group_of(label) for label in ("surprise", "embarrassment", "relief")}
    assert groups == {"surprise": "ambiguous", "embarrassment": "negative", "relief": "positive"}


def test_mapping_equals_a_plain_loop_over_members():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (50, 28)).astype(np.float32)
    mapped, groups = EKMAN.map_targets(targets, GOEMOTIONS)
    assert groups == EKMAN.labels
    for row in range(50):
        for column, group in enumerate(groups):
            members = [GOEMOTIONS.index(label) for label in EKMAN.groups[group]]
            assert mapped[row, column] == max(targets[row, member] for member in members)


def test_single_label_shares_are_summed_and_rows_still_sum_to_one():
    targets = [[0.25, 0.25, 0.5], [0.0, 1.0, 0.0]]
    mapped, groups = EKMAN.map_targets(targets, ["joy", "love", "fear"], single_label=True)
    assert groups == ("fear", "joy")
    np.testing.assert_array_equal(mapped, [[0.5, 0.5], [0.0, 1.0]])


def test_multi_label_shares_take_the_largest_member():
    mapped, _ = EKMAN.map_targets([[0.25, 0.5]], ["joy", "love"])
    np.testing.assert_array_equal(mapped, [[0.5]])


def test_groups_without_a_member_among_the_labels_are_left_out():
    dair = ["sadness", "joy", "love", "anger", "fear", "surprise"]
    mapped, groups = SENTIMENT.map_targets(np.eye(6), dair, single_label=True)
    assert groups == ("positive", "negative", "ambiguous")
    assert mapped.sum(axis=0).tolist() == [2, 3, 1]


def test_labels_a_taxonomy_does_not_know_are_named():
    with pytest.raises(DataError, match=r"'ekman' has no group for 'worry', 'fun'; it knows anger"):
        EKMAN.map_targets(np.zeros((1, 3)), ["worry", "joy", "fun"])


def test_a_corpus_without_rows_maps_to_one_without_rows():
    mapped, groups = SENTIMENT.map_targets(np.zeros((0, 28)), GOEMOTIONS)
    assert mapped.shape == (0, 4)
    assert len(groups) == 4


def test_a_label_in_two_groups_is_refused():
    with pytest.raises(DataError, match="puts joy in more than one group"):
        Taxonomy("mine", {"good": ("joy", "love"), "warm": ("joy",)})


def test_taxonomies_are_found_by_name_and_near_names_are_offered():
    assert taxonomy_named("ekman") is TAXONOMIES["ekman"] is EKMAN
    with pytest.raises(DataError, match="did you mean sentiment"):
        taxonomy_named("sentimnt")


@pytest.mark.parametrize(
    ("label", "sentiment"),
    [
        *[
            (label, "negative")
            for label in ("grief", "Anger", " annoyance ", "pessimism", "worry", "hate", "toxic")
        ],
        *[(label, "positive") for label in ("joy", "trust", "happiness", "desire", "positive")],
        *[(label, "ambiguous") for label in ("surprise", "anticipation", "confusion")],
        *[(label, "neutral") for label in ("neutral", "non_irony")],
        ("tuesday", None),
    ],
)
def test_valence_of_a_label(label, sentiment):
    assert sentiment_of(label) == sentiment


def test_every_goemotions_label_has_a_valence():
    assert None not in {sentiment_of(label) for label in GOEMOTIONS}


@pytest.mark.parametrize("text", ["", "joy", "joy=", "=joy", "a=b,,c=d", "a=b,a=c"])
def test_pairs_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match=r"no pair|stands twice"):
        pairs(text)


def test_a_value_may_hold_the_sign():
    assert pairs("a = b=c") == {"a": "b=c"}
