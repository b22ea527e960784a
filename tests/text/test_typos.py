"""The injected typos: what they touch, how far they go, and that they repeat."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt.errors import UsageError
from affekt.text.typos import NEIGHBOURS, with_typos, words_of

PLAIN = "nobody expected that wonderful evening to end in such a quarrel about nothing at all really"
FROZEN = "noboody expected that wonderul evening to endd in usch a quarerl about nothing at ll really"
ANY_TEXT = st.text(max_size=80) | st.lists(
    st.sampled_from(
        ["happy", "Sad", "aaaa", "@ann", "#BestDay", "https://x.y/z", "[NAME]", "<user>", "it's", "غضب", "ok"]
    ),
    max_size=12,
).map(" ".join)
SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.7, 1.0])


def distance(a: str, b: str) -> int:
    """Edits between two words: insert, delete, replace, or swap of neighbours."""
    table = np.add.outer(np.arange(len(a) + 1), np.arange(len(b) + 1))
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            )
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return int(table[-1, -1])


@given(ANY_TEXT, SHARES, st.integers(0, 5))
def test_the_same_seed_and_text_give_the_same_typos(text, share, seed):
    assert with_typos(text, share, seed=seed) == with_typos(text, share, seed=seed)


@given(ANY_TEXT, st.integers(0, 5))
def test_no_share_changes_nothing(text, seed):
    assert with_typos(text, 0.0, seed=seed) == text


@settings(deadline=None)
@given(ANY_TEXT, SHARES, st.integers(0, 5))
def test_each_word_is_at_most_one_edit_away_and_blanks_stay(text, share, seed):
    changed = with_typos(text, share, seed=seed)
    assert re.findall(r"\s+", changed) == re.findall(r"\s+", text)
    pairs = list(zip(text.split(), changed.split(), strict=True))
    assert all(distance(before, after) <= 1 for before, after in pairs)


@given(ANY_TEXT, st.integers(0, 5))
def test_at_share_one_every_word_that_may_change_does_and_no_other(text, seed):
    starts = [start for start, _ in words_of(text)]
    changed = with_typos(text, 1.0, seed=seed).split()
    for unit, after in zip(re.finditer(r"\S+", text), changed, strict=True):
        may_change = any(unit.start() <= start < unit.end() for start in starts)
        assert (after != unit[0]) == may_change


@given(ANY_TEXT, st.integers(0, 5))
def test_words_misspelt_at_a_small_share_are_misspelt_alike_at_a_larger_one(text, seed):
    small, large = (with_typos(text, share, seed=seed).split() for share in (0.2, 0.7))
    for before, a, b in zip(text.split(), small, large, strict=True):
        assert a in (before, b)


@pytest.mark.parametrize(
    "unit",
    [
        *("@someone", "#BestDayEver", "https://example.org/page", "www.example.org", "t.co/abcdef"),
        *(
            "ann@example.org",
            "[NAME]",
            "[RELIGION]!",
            "<user>",
            "(http://a.org)",
            "http",
            "ok",
            "a1b2c3",
            ":)",
        ),
    ],
)
def test_handles_addresses_hashtags_placeholders_and_short_words_are_left_alone(unit):
    assert [with_typos(f"{unit} {unit}", 1.0, seed=seed) for seed in range(5)] == [f"{unit} {unit}"] * 5


def test_marks_around_a_word_stay_and_the_case_of_a_replaced_letter_too():
    for seed in range(30):
        changed = with_typos('("WONDERFUL!!")', 1.0, seed=seed)
        assert re.fullmatch(r'\("[A-Z]{8,10}!!"\)', changed)
        assert changed != '("WONDERFUL!!")'


def test_all_four_edits_occur_about_equally_often():
    counts = dict.fromkeys(("swap", "loss", "doubling", "neighbour"), 0)
    for seed in range(800):
        after = with_typos("planet", 1.0, seed=seed)  # no letter twice, so the edits can be told apart
        if len(after) == 5:
            counts["loss"] += 1
        elif len(after) == 7:
            counts["doubling"] += 1
        else:
            counts["swap" if sorted(after) == sorted("planet") else "neighbour"] += 1
    assert all(150 < count < 250 for count in counts.values()), counts


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_about_the_share_of_words_is_changed(share):
    texts = [f"{PLAIN} {i}" for i in range(400)]
    words = sum(len(list(words_of(text))) for text in texts)
    changed = sum(
        before != after
        for text in texts
        for before, after in zip(text.split(), with_typos(text, share, seed=1).split(), strict=True)
    )
    assert changed / words == pytest.approx(share, rel=0.15)


def test_neighbours_on_the_keyboard_are_mutual_and_near():
    assert len(NEIGHBOURS) == 26
    assert set(NEIGHBOURS["s"]) == set("awedxz")
    assert set(NEIGHBOURS["q"]) == set("wa")
    assert all(key in NEIGHBOURS[other] for key, near in NEIGHBOURS.items() for other in near)


def test_seeds_and_texts_differ_in_their_typos():
    assert len({with_typos(PLAIN, 1.0, seed=seed) for seed in range(10)}) == 10
    assert with_typos(PLAIN, 1.0, seed=0) != with_typos(PLAIN + " x", 1.0, seed=0).removesuffix(" x")


def test_typos_of_a_fixed_text_are_those_they_have_always_been():
    """Figures on corrupted texts can be compared over time only if the corruption never changes."""
    assert with_typos(PLAIN, 0.7, seed=0) == FROZEN


def test_half_surrogates_and_null_bytes_are_no_fault():
    assert len(with_typos("\ud83d \x00 happy", 1.0, seed=0).split()) == 3


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(share):
    with pytest.raises(UsageError, match="between 0 and 1"):
        with_typos("happy", share, seed=0)
