"""How verbs name a model: by --model, the ready one when left out, and never before what is to be read."""

import json

import numpy as np
import pytest

from affekt.errors import ModelError, UsageError
from affekt.inference.model import load

VERBS = ["predict", "embed", "map", "cluster", "evaluate"]


@pytest.fixture
def posts(tmp_path, monkeypatch):
    """A file of labelled posts in the folder of work."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{text} {i},{label}" for i in range(4) for text, label in (("so happy", "joy"), ("sad", "fear"))]
    (tmp_path / "posts.csv").write_text("text,labels\n" + "\n".join(rows) + "\n")
    return tmp_path / "posts.csv"


def test_the_ready_model_is_used_where_none_is_named(verb, ready, posts):
    [expected] = load(ready).predict("so happy")
    assert json.loads(verb("predict", "so happy", "--json"))["scores"] == expected.scores
    verb("embed", "posts.csv", "-o", "out.npy")
    assert np.load("out.npy").shape == (8, 32)
    assert json.loads(verb("evaluate", "posts.csv", "--json"))["n"] == 8
    assert "sad" in verb("search", "sad", "posts.csv", "--emotion", expected.labels[0])
    verb("cluster", "posts.csv", "--clusters", 2)
    verb("map", "posts.csv")
    made = {path.name for path in posts.parent.iterdir()}
    assert made == {"posts.csv", "out.npy", "clusters.csv", "map.html", "map.png"}


@pytest.mark.usefixtures("no_ready")
@pytest.mark.parametrize("name", [*VERBS, "search"])
def test_without_the_ready_model_a_name_is_asked_for(verb, posts, name):
    words = {"search": ["sad", "posts.csv"], "embed": ["posts.csv", "-o", "o.npy"]}.get(name, ["posts.csv"])
    with pytest.raises(ModelError, match=r"pip install affekt-small .* or name a model's folder"):
        verb(name, *words)
    assert [path.name for path in posts.parent.iterdir()] == ["posts.csv"]


@pytest.mark.parametrize("name", VERBS)
def test_a_model_before_what_is_read_is_answered_with_the_order_there_is(verb, classifier, posts, name):
    options = ["-o", "out.npy"] if name == "embed" else []
    with pytest.raises(UsageError) as fault:
        verb(name, classifier, "posts.csv", *options)
    assert str(fault.value) == (
        f"{classifier} is a model, which is named by --model: affekt {name} posts.csv --model {classifier}"
    )
    with pytest.raises(UsageError, match="is a model, which is named by --model"):
        verb(name, classifier, *options)
    assert [path.name for path in posts.parent.iterdir()] == ["posts.csv"]


def test_a_run_folder_and_an_encoder_s_folder_are_models_too(verb, classifier, tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(classifier)
    for folder in (tmp_path / "run", tiny("bert")):
        with pytest.raises(UsageError, match="affekt predict 'so happy' --model "):
            verb("predict", folder, "so happy")


@pytest.mark.parametrize("words", [["so", "happy"], ["all-MiniLM-L6-v2", "so happy"], ["a", "b", "c"]])
def test_more_words_than_a_verb_takes_are_one_sentence(verb, words):
    with pytest.raises(UsageError, match=r"takes TEXTS and was given .*in quotes, and name a model"):
        verb("predict", *words)


def test_a_text_that_no_path_can_be_is_a_text(verb, classifier):
    assert verb("predict", "so " * 2000, "-m", classifier)
    assert verb("predict", "a\x00b", "-m", classifier)
