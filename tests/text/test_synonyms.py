"""Views by synonyms: a few words change, everything else stays."""

import re

import numpy as np
import pytest

from affekt.errors import UsageError
from affekt.recipe.read import parse_recipe
from affekt.text.synonyms import replace_words, synonym_groups
from affekt.training.data import view_texts

TEXTS = [
    "So happy today, my friend bought a new car!",
    "i was scared and sad :( then i smiled",
    "zzz 😬 qwx",
    "",
    "@happy #happy www.happy.com happy-go-lucky",
]


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", text)


def test_the_table_is_of_everyday_size_and_every_word_stands_in_one_group() -> None:
    groups = synonym_groups()
    assert 900 < len(groups) < 1500
    assert all(word.isalpha() and word.islower() for word in groups)
    for word, others in groups.items():
        assert others
        assert word not in others
        assert all(word in groups[other] for other in others)


def test_a_view_differs_only_in_words_of_the_same_group() -> None:
    changed = 0
    for seed in range(20):
        for text, view in zip(TEXTS, replace_words(TEXTS, seed=seed), strict=True):
            assert re.sub(r"[A-Za-z]+", "w", text) == re.sub(r"[A-Za-z]+", "w", view)
            for old, new in zip(words(text), words(view), strict=True):
                if old != new:
                    changed += 1
                    assert new.lower() in synonym_groups()[old.lower()]
    assert changed > 20


def test_a_text_without_a_known_word_stays_as_it_is_and_none_becomes_empty() -> None:
    views = replace_words(TEXTS, seed=3)
    assert views[2:] == TEXTS[2:]
    assert [bool(view) for view in views] == [bool(text) for text in TEXTS]


def test_names_tags_and_addresses_are_left_alone() -> None:
    text = "@happy #sad http://happy.com/sad my-happy x2 happy's"
    assert replace_words([text], seed=0, share=1.0) == [text]


def test_a_known_word_before_a_full_stop_is_still_known() -> None:
    assert replace_words(["we are happy."], seed=0) == ["we are glad."]


@pytest.mark.parametrize(("word", "synonym"), [("happy", "glad"), ("Happy", "Glad"), ("HAPPY", "GLAD")])
def test_the_synonym_is_written_as_the_word_was(word: str, synonym: str) -> None:
    assert replace_words([f"{word}!"], seed=0) == [f"{synonym}!"]


def test_the_share_of_words_is_kept_and_at_least_one_known_word_changes() -> None:
    text = "happy sad angry scared funny tired proud calm brave rich " + "zz " * 10
    for share, expected in ((0.0, 0), (0.01, 1), (0.15, 3), (0.5, 10), (1.0, 10)):
        (view,) = replace_words([text], seed=1, share=share)
        differing = sum(a != b for a, b in zip(words(text), words(view), strict=True))
        known = sum(word in synonym_groups() for word in words(text))
        assert differing == min(expected, known)


def test_the_same_seed_gives_the_same_views_and_other_seeds_others() -> None:
    texts = ["happy and sad and angry and scared people smiled"] * 8
    first = replace_words(texts, seed=5)
    assert first == replace_words(texts, seed=5)
    assert first != replace_words(texts, seed=6)
    assert len(set(first)) > 1  # the same text at another place is changed otherwise


def test_all_members_of_a_group_are_drawn() -> None:
    seen = {replace_words(["awful"], seed=seed)[0] for seed in range(40)}
    assert seen == set(synonym_groups()["awful"])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match=f"share is {share}: it must lie between 0 and 1"):
        replace_words(["happy"], seed=0, share=share)


def test_views_are_made_anew_in_every_epoch_from_the_recipes_seed() -> None:
    from affekt.data.corpus import Corpus

    train = Corpus.build([TEXTS[0]] * 6, ["joy"] * 6)
    made = {"name": "x", "objective": {"kind": "label-aware", "views": "synonym"}}
    views = view_texts(parse_recipe(made), train)
    other = view_texts(parse_recipe({**made, "training": {"seed": 1}}), train)
    assert views is not None
    assert other is not None
    assert views(0)["view"] == views(0)["view"]
    assert views(0)["view"] != views(1)["view"]
    assert views(0)["view"] != other(0)["view"]
    assert len(views(0)["view"]) == 6


@pytest.mark.parametrize("kind", ["classify", "retrofit"])
def test_objectives_without_changed_texts_have_no_views(kind: str) -> None:
    from affekt.data.corpus import Corpus

    train = Corpus.build(["a", "b"], np.eye(2))
    assert view_texts(parse_recipe({"name": "x", "objective": {"kind": kind}}), train) is None
