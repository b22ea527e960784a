import random
import time

import pytest

from affekt.data.leaks import SHORT, SIMILAR, Leak, leaks, overlaps

LONG = "Love it when my sister laughs as hard at this show as I do, every single week of the year"


def found(text, *guarded):
    """Whether and how a text is met: its similarity, or 0."""
    met = leaks([text], {"test": list(guarded)})
    assert len(met) <= 1
    return met[0].similarity if met else 0


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (LONG, LONG.upper()),
        (LONG, f"  {LONG}!! 😂😂 "),
        (LONG, LONG.replace(" ", "  \n")),
        (LONG, f"@ann @bob {LONG} https://t.co/xyz"),
        (f"@user {LONG} http", f"<user> {LONG} <url>"),
        (f"RT @ann: {LONG}", LONG),
        ("It's a #GreatDay & I couldn't ask for more", "its a great day &amp; i couldn’t ask for more"),
        ("say &lt;3 if you would rather be at home", "say &amp;lt;3 if you would rather be at home"),
        ("i did n't know that this could be so sad", "I didn't know that this could be so sad."),
        ("ＳＯ happy about the cafe\u0301 in our street", "so happy about the caf\u00e9 in our street"),
        (
            "happiness is a choice\\n\\nnothing to do with luck",
            "happiness is a choice, nothing to do with luck",
        ),
        ("Thanks! pic.twitter.com/AbC1", "thanks"),
        (f"{LONG} (bit.ly/2xYz)", LONG),
        ("Thanks!", "thanks"),
        ("ok ❤", "OK ❤️"),
        ("👍🏽", "👍"),
        (":-)", " :-) "),
        ("今日はとても嬉しい", "今日はとても嬉しい！"),
    ],
)
def test_texts_are_the_same_but_for_what_does_not_tell_them_apart(text, other):
    assert found(text, "something else", other) == found(other, text) == 1


@pytest.mark.parametrize(
    "other",
    [
        LONG.replace("sister", "brother"),
        LONG.replace("laughs", "lauhgs"),
        LONG + " #lol",
        LONG[: -len(" of the year")],
        ", ".join(reversed(LONG.split(", "))),
    ],
)
def test_small_edits_leave_a_text_nearly_the_same(other):
    assert SIMILAR <= found(LONG, other) < 1


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("thanks", "thanks a lot"),
        ("thanks 😂", "thanks 😭"),
        ("a 3.5/10 from me", "a from me"),
        (":)", ":("),
        ("", "😂"),
        ("I feel so happy about tomorrow's match", "I feel so angry about yesterday's match"),
        (
            LONG,
            "I do as every single sister laughs at my show, hard as it is, when you love the week of a year",
        ),
    ],
)
def test_other_texts_are_others(text, other):
    assert found(text, other) == found(other, text) == 0


def test_short_texts_are_never_nearly_the_same():
    text = "x" * (SHORT - 1)
    assert found(text, text) == 1
    assert found(text + "y", text + "yy") > 0
    assert found(text, text + "y") == found(text + "y", text) == 0


def test_every_guarded_set_that_holds_a_text_is_named_with_its_first_row_there():
    nearly = LONG.replace("sister", "brother")
    guarded = {"a dev": ["one", LONG, LONG], "b test": [nearly, "two"], "c test": ["three"]}
    met = leaks(["Two!", "new", LONG, LONG.lower()], guarded)
    assert [(leak.row, leak.where, leak.met) for leak in met] == [
        (0, "b test", 1),
        (2, "a dev", 1),
        (2, "b test", 0),
        (3, "a dev", 1),
        (3, "b test", 0),
    ]
    assert met[1] == Leak(2, "a dev", 1, 1.0)
    assert SIMILAR <= met[2].similarity < 1


@pytest.mark.parametrize(
    ("texts", "guarded"), [([], {"a": ["b"]}), (["a"], {}), (["a"], {"b": []}), ([""], {"a": [""]})]
)
def test_of_nothing_nothing_is_shared(texts, guarded):
    assert leaks(texts, guarded) == []


def made(count, seed):
    """Texts of words that are drawn."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(3000)]
    return [" ".join(draw.choices(words, k=draw.randint(6, 20))) for _ in range(count)]


def test_planted_edits_are_found_and_nothing_else_by_comparing_all_with_all():
    texts, unseen = made(400, 0), made(400, 1)
    draw = random.Random(2)
    edited = []
    for text in unseen[:200]:
        place = draw.randrange(len(text))
        edited.append(text[:place] + "zq" + text[place + 1 :])

    def alike(one, other):
        a, b = (
            {key[i : i + 3] for i in range(len(key) - 2)}
            for key in (one.replace(" ", ""), other.replace(" ", ""))
        )
        return len(a & b) / len(a | b)

    wanted = {
        400 + row for row, text in enumerate(edited) if max(alike(text, other) for other in unseen) >= SIMILAR
    }
    met = {leak.row for leak in leaks(texts + edited, {"test": unseen})}
    assert met <= wanted
    assert len(wanted) > 150
    assert len(wanted - met) <= 1  # it is found by chance, of which the seed is fixed


def test_time_grows_in_proportion_to_the_texts_even_where_all_are_alike():
    alike = [f"{LONG} and then there was number {row}" for row in range(4000)]
    began = time.monotonic()
    assert len(leaks(alike, {"test": alike[::-1]})) == 4000
    assert time.monotonic() - began < 10  # all pairs would be 16 million


def test_overlaps_count_both_ways_for_each_pair_of_splits():
    splits = {"a": [LONG, LONG.upper(), "one"], "b": [LONG, LONG.replace("sister", "brother")], "c": ["One!"]}
    assert overlaps(splits) == [
        {
            "one": "a",
            "other": "b",
            "one_in_other": {"same": 2, "nearly": 0},
            "other_in_one": {"same": 1, "nearly": 1},
        },
        {
            "one": "a",
            "other": "c",
            "one_in_other": {"same": 1, "nearly": 0},
            "other_in_one": {"same": 1, "nearly": 0},
        },
        {
            "one": "b",
            "other": "c",
            "one_in_other": {"same": 0, "nearly": 0},
            "other_in_one": {"same": 0, "nearly": 0},
        },
    ]
