"""What simple guesses reach on the texts that a run is judged on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from affekt.data.corpus import Corpus
from affekt.encoders.vocabulary import tokenize_words
from affekt.training import baselines as room
from affekt.training.baselines import baselines
from training.toys import recipe

TRAIN = ["so happy", "happy today", "so very happy", "so sad", "sad today", "very mad", "so mad"]
TEST = ["happy", "sad", "mad", "happy and sad"]


def corpus(texts: list[str], labels: list[Any]) -> Corpus:
    return Corpus.build(texts, labels, ["anger", "joy", "sadness"])


ONE = (
    corpus(TRAIN, ["joy", "joy", "joy", "sadness", "sadness", "anger", "anger"]),
    corpus(TEST, ["joy", "sadness", "anger", "sadness"]),
)
SEVERAL = (
    corpus(TRAIN, [["joy"], ["joy"], ["joy"], ["sadness"], ["sadness"], ["anger"], ["anger", "sadness"]]),
    corpus(TEST, [["joy"], ["sadness"], [], ["joy", "sadness"]]),
)


def test_the_commonest_training_label_is_given_to_every_text() -> None:
    found = baselines(recipe(), *ONE)["majority"]
    assert found["accuracy"] == 0.25
    assert found["f1_macro"] == pytest.approx((2 / 5) / 3)  # of joy: 1 of 4 given holds, 1 of 1 found
    several = baselines(recipe(), *SEVERAL)["majority"]
    assert (several["accuracy"], several["jaccard"]) == (0.25, pytest.approx((1 + 1 / 2) / 4))


def test_counted_words_are_those_of_scikit_learn() -> None:
    train, test = ONE
    words = TfidfVectorizer(
        tokenizer=tokenize_words, token_pattern=None, lowercase=False, ngram_range=(1, 2), min_df=2
    )
    fitted = LogisticRegression(max_iter=2000).fit(words.fit_transform(train.texts), train.class_indices())
    right = fitted.predict(words.transform(test.texts)) == test.class_indices()
    assert baselines(recipe(), train, test)["tfidf"]["accuracy"] == right.mean() > 0.5


def test_several_labels_are_decided_at_one_half() -> None:
    assert set(baselines(recipe(), *SEVERAL)["tfidf"]) == {"f1_macro", "f1_micro", "jaccard", "accuracy"}


def test_texts_are_judged_as_the_run_reads_them() -> None:
    train = corpus(["grinning face"] * 2 + ["sad"] * 3, ["joy"] * 2 + ["sadness"] * 3)
    test = corpus(["😀", "sad"], ["joy", "sadness"])
    right = {
        style: baselines(recipe(data={"style": style}), train, test)["tfidf"]["accuracy"]
        for style in ("affekt", "none")
    }
    assert right == {"affekt": 1.0, "none": 0.5}


@pytest.mark.parametrize(
    ("train", "encoder"),
    [
        (ONE[0], {"kind": "tfidf"}),  # the run itself counts words
        (replace(ONE[0], texts=list("abcdefg")), {}),  # no word stands twice
        (ONE[0].select([0, 1, 2]), {}),  # one class
    ],
    ids=["tfidf", "no word twice", "one class"],
)
def test_what_cannot_be_fitted_or_is_the_run_itself_is_left_out(
    train: Corpus, encoder: dict[str, Any]
) -> None:
    run = recipe(encoder=encoder) if encoder else recipe()
    assert set(baselines(run, train, ONE[1])) == {"majority"}


def test_of_many_texts_some_are_drawn_by_the_recipes_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_TEXTS", 60)
    random = np.random.default_rng(0)
    rows = random.integers(0, 3, 400)
    words = ["mad", "happy", "sad"]
    texts = [f"{words[row]} {' '.join(random.choice(words, 3))}" for row in rows]
    labels = [("anger", "joy", "sadness")[row] for row in rows]
    train, test = corpus(texts[:200], labels[:200]), corpus(texts[200:], labels[200:])
    first, again, other = (
        baselines(recipe(training={"seed": seed}), train, test)["tfidf"] for seed in (1, 1, 2)
    )
    assert first == again != other
