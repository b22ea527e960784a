"""Label words by recipe: the sets, the four ways to choose, and what is refused."""

import os
import unicodedata

import pytest

from affekt.data.known import DATASETS
from affekt.data.label_words import LABEL_WORDS, check_choice, label_words
from affekt.errors import RecipeError
from affekt.recipe.read import parse_recipe, read_recipe

EMOTIONS = DATASETS["semeval2018-ec-en"].labels
TOXIC = DATASETS["jigsaw-toxic-subset"].labels


@pytest.mark.parametrize(
    ("chosen", "data"),
    [
        ("english", "semeval2018-ec-en"),
        ("spanish", "semeval2018-ec-es"),
        ("arabic", "semeval2018-ec-ar"),
        ("jigsaw", "jigsaw-toxic-subset"),
        ("goemotions", "goemotions"),
    ],
)
def test_every_set_has_words_of_their_own_for_all_labels_of_its_data(chosen, data):
    labels = DATASETS[data].labels
    words = label_words(chosen, labels)
    assert len(words) == len(labels) == len(set(words))
    assert set(LABEL_WORDS[chosen]) == set(labels)
    assert words == tuple(LABEL_WORDS[chosen][label] for label in labels)


def test_english_words_are_the_labels_so_pessimism_is_not_hopeless():
    assert label_words("english", EMOTIONS) == EMOTIONS == label_words("labels", EMOTIONS)


def test_jigsaw_renames_three_labels_as_the_study_did():
    words = dict(zip(TOXIC, label_words("jigsaw", TOXIC), strict=True))
    assert words == {
        "toxic": "hurt",
        "severe_toxic": "toxic",
        "obscene": "obscene",
        "threat": "threat",
        "insult": "insult",
        "identity_hate": "hate",
    }


@pytest.mark.parametrize(("chosen", "script"), [("arabic", "ARABIC"), ("spanish", "LATIN")])
def test_words_of_other_languages_are_well_encoded(chosen, script):
    for word in LABEL_WORDS[chosen].values():
        assert word.isalpha(), word  # mis-decoded UTF-8 leaves signs such as ³ or ©
        assert all(unicodedata.name(letter).startswith(script) for letter in word), word
        assert unicodedata.normalize("NFC", word) == word
        assert "Ã" not in word


def test_spanish_and_arabic_words_with_letters_beyond_ascii_are_as_they_should_be():
    assert LABEL_WORDS["spanish"]["anticipation"] == "anticipaci\u00f3n"
    assert LABEL_WORDS["spanish"]["joy"] == "alegr\u00eda"
    assert LABEL_WORDS["arabic"]["anger"] == "\u063a\u0636\u0628"
    assert LABEL_WORDS["arabic"]["love"] == "\u062d\u0628"


def test_underscores_of_label_names_are_read_as_blanks():
    assert label_words("labels", ["severe_toxic", "threat"]) == ("severe toxic", "threat")


def test_a_list_is_taken_in_label_order_and_a_mapping_by_label():
    assert label_words(["rage", "pure joy "], ["anger", "joy"]) == ("rage", "pure joy")
    assert label_words({"joy": "pure joy", "anger": "rage"}, ["anger", "joy"]) == ("rage", "pure joy")


def test_a_set_may_hold_more_labels_than_the_data():
    assert label_words("goemotions", ["joy", "anger"]) == ("joy", "anger")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"anger": "rage", "jo": "joy"}, "did you mean joy"),
        ({"anger": "rage"}, "no words for joy"),
        (["rage"], "1 entries for 2 labels"),
        (["rage", "rage"], "'rage' stands for both anger and joy"),
        (["rage", "  "], "no label words"),
        (["rage", 3], "no label words"),
        ([], "no label words"),
        ({}, "no label words"),
        ("englisch", "did you mean english"),
        ("jigsaw", "no words for anger, joy"),
        (5, "no label words"),
    ],
)
def test_what_does_not_fit_the_labels_is_refused_in_one_sentence(choice, said):
    with pytest.raises(RecipeError, match=said) as fault:
        label_words(choice, ["anger", "joy"])
    assert str(fault.value).startswith("encoder.label_words: ")
    assert "\n" not in str(fault.value)
    assert not str(fault.value).endswith("..")


@pytest.mark.parametrize("choice", ["labels", "arabic", ["a", "b"], {"joy": "alegría"}, None])
def test_recipes_keep_every_form_through_yaml(choice, tmp_path):
    recipe = parse_recipe({"name": "x", "encoder": {"label_words": choice}})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    again = read_recipe(path)
    assert again == recipe
    assert again.digest == recipe.digest
    kept = again.encoder.label_words
    assert (list(kept) if isinstance(kept, tuple) else kept) == choice


@pytest.mark.parametrize("choice", ["englisch", [], 5, {"joy": 3}, ["a", ""], True])
def test_recipes_refuse_what_can_never_be_label_words(choice):
    with pytest.raises(RecipeError, match=r"encoder\.label_words") as fault:
        parse_recipe({"name": "x", "encoder": {"label_words": choice}})
    assert "has 1 fault" in str(fault.value)


def test_a_choice_that_can_be_checked_without_labels_comes_back_as_it_is():
    assert check_choice({"joy": "x"}) == {"joy": "x"}


@pytest.mark.skipif("AFFEKT_DATA" not in os.environ, reason="needs the data sets under AFFEKT_DATA")
@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_the_labels_of_the_published_files_are_those_of_the_sets(language):
    from affekt.data import catalog

    if catalog.find(f"semeval2018-ec-{language}") is None:
        pytest.skip(f"semeval2018-ec-{language} is not under AFFEKT_DATA")
    labels = catalog.load(f"semeval2018-ec-{language}", splits=["dev"])["dev"].labels
    chosen = {"en": "english", "es": "spanish", "ar": "arabic"}[language]
    assert len(label_words(chosen, labels)) == 11
