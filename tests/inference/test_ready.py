"""The ready model: found without being named, here a tiny one in a package of its name."""

from pathlib import Path

import pytest

import affekt
from affekt import files
from affekt.encoders.pretrained import known, load_pretrained
from affekt.errors import ModelError
from affekt.inference.model import load
from affekt.inference.places import check


def test_no_name_and_its_own_name_open_the_ready_model(ready):
    assert check() == check("affekt-small") == check(Path("affekt-small")) == ready
    [found] = affekt.load().predict("so happy")
    assert found == load(ready).predict("so happy")[0]


def test_a_folder_of_its_name_goes_first(ready, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "affekt-small").symlink_to(tiny("bert"))
    assert load("affekt-small").labels == ()
    assert load().labels == load(ready).labels


def test_its_name_is_an_encoder_s_name_too(ready):
    backbone, _ = load_pretrained("affekt-small")
    whole, _ = load_pretrained(str(ready))
    assert all(one.equal(other) for one, other in zip(backbone.parameters(), whole.parameters(), strict=True))
    assert known("affekt-small").style == "none"


@pytest.mark.usefixtures("no_ready")
def test_where_it_is_not_an_encoder_of_its_name_says_how_to_have_it():
    with pytest.raises(ModelError, match="'affekt-small' is not installed: pip install affekt-small"):
        load_pretrained("affekt-small")


@pytest.mark.usefixtures("no_ready")
def test_it_is_found_in_the_tree_that_affekt_is_run_from(ready_package, tmp_path):
    package = tmp_path / "models" / "affekt-small" / "affekt_small"
    package.mkdir(parents=True)
    (package / "model").symlink_to(ready_package / "model")
    assert check() == package / "model"


@pytest.mark.usefixtures("no_ready")
def test_without_it_a_sentence_says_how_to_have_it():
    with pytest.raises(ModelError, match="affekt-small, is not installed: pip install affekt-small") as fault:
        affekt.load()
    assert len(str(fault.value).splitlines()) == 1


FACTS = [
    "the meeting is at 3pm",
    "The train to Leeds leaves from platform 4.",
    "he lives in a flat on the second floor",
    "The report has twelve pages.",
]


@pytest.mark.skipif(files.ready_model() is None, reason="the ready model is not here")
@pytest.mark.parametrize("text", FACTS)
def test_facts_are_neutral_to_the_one_that_is_given_away(text):
    [prediction] = affekt.load().predict(text)
    assert prediction.labels[0] == "neutral"


@pytest.mark.skipif(files.ready_model() is None, reason="the ready model is not here")
def test_feelings_are_not_neutral_to_it():
    texts = ["i can't stop smiling, she said yes!!", "thank you so much!", "i am furious with you"]
    joy, thanks, anger = (prediction.top[0] for prediction in affekt.load().predict(texts))
    assert (joy in {"joy", "excitement", "love"}, thanks, anger) == (True, "gratitude", "anger")
