"""What people import, type and rely on: names and signatures."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import affekt


def test_help_names_every_verb():
    ended = subprocess.run(
        [sys.executable, "-m", "affekt", "--help"], capture_output=True, text=True, check=True
    )
    verbs = ["demo", "data", "train", "evaluate", "predict", "embed", "map", "compare", "reproduce"]
    assert [verb for verb in verbs if f" {verb} " not in ended.stdout] == []


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", affekt.__all__)
def test_every_public_name_is_there(name):
    assert getattr(affekt, name) is not None
    assert name in dir(affekt)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'affekt' has no attribute 'Corpsu'"):
        affekt.Corpsu  # noqa: B018
    assert not hasattr(affekt, "torch")


def test_the_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert affekt.__version__ == version("affekt")


# Each public call with its arguments: "name" must be given by position or name, "name=value" has a default,
# and those after "*" are given by name. A function may take more, if it does not ask for more.
SIGNATURES: dict[str, str] = {
    "load": "folder=None",
    "Model.predict": "self, texts",
    "Model.probabilities": "self, texts",
    "Model.logits": "self, texts",
    "Model.embed": "self, texts",
    "Model.save": "self, folder",
    "text.normalize": "text, style",
    "losses.pair_contrastive": "left, right, same, *, margin",
    "losses.margin_contrastive": "embeddings, targets, *, margin=1.5",
    "losses.supervised_contrastive": "embeddings, targets, *, temperature=0.1",
    "losses.label_aware_contrastive": (
        "embeddings, targets, weights, *, temperature=0.3, positive_weight='anchor'"
    ),
    "losses.label_correlation": "logits, targets",
    "losses.space_preservation": "embeddings, reference",
    "evaluation.classification": "targets, probabilities, thresholds=0.5",
    "evaluation.clustering": "embeddings, labels, clusters=None, seed=0",
    "evaluation.retrieval": "embeddings, labels",
}


def public(path: str) -> Any:
    found: Any = affekt
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("path", SIGNATURES)
def test_the_public_calls_keep_their_signatures(path):
    promised = inspect.signature(_with_signature(SIGNATURES[path])).parameters.values()
    actual = inspect.signature(public(path)).parameters
    by_position = [p.name for p in actual.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for place, parameter in enumerate(promised):
        given = actual[parameter.name]
        assert given.default == parameter.default, parameter.name
        if parameter.kind is not parameter.KEYWORD_ONLY:
            assert by_position[place] == parameter.name
    extra = set(actual) - {parameter.name for parameter in promised}
    for name in extra:
        kind, default = actual[name].kind, actual[name].default
        assert kind in (inspect.Parameter.VAR_KEYWORD,) or default is not inspect.Parameter.empty, name


def _with_signature(arguments: str) -> Callable[..., None]:
    return eval(f"lambda {arguments}: None")  # of the table above


def test_a_corpus_is_read_by_naming_its_columns(tmp_path):
    path = tmp_path / "tweets.csv"
    path.write_text("text,emotion\ni can't stop smiling,joy\nleave me alone,anger\n")
    corpus = affekt.Corpus.read(str(path), text="text", labels="emotion")
    assert corpus.texts == ["i can't stop smiling", "leave me alone"]
    assert set(corpus.labels) == {"joy", "anger"}


def test_the_losses_are_imported_by_name():
    from affekt.losses import (
        label_aware_contrastive,
        label_correlation,
        margin_contrastive,
        pair_contrastive,
        space_preservation,
        supervised_contrastive,
    )

    named = {label_aware_contrastive, label_correlation, margin_contrastive, pair_contrastive}
    assert len(named | {space_preservation, supervised_contrastive}) == 6


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("EmotionClassifier.fit", ("self", "texts", "labels")),
        ("EmotionClassifier.predict", ("self", "texts")),
        ("EmotionEmbedder.fit", ("self", "texts")),
        ("EmotionEmbedder.transform", ("self", "texts")),
    ],
)
def test_the_estimators_are_called_as_those_of_scikit_learn(path, arguments):
    inspect.signature(public(path)).bind(*arguments)  # raises TypeError where it cannot be called so


@pytest.mark.parametrize("name", ["EmotionClassifier", "EmotionEmbedder"])
def test_the_estimators_take_a_recipe_and_nothing_that_must_be_given(name):
    parameters = inspect.signature(getattr(affekt, name)).parameters
    assert "recipe" in parameters or name == "EmotionEmbedder"
    assert all(p.default is not inspect.Parameter.empty for p in parameters.values())


def test_the_four_text_styles_are_known():
    assert {"none", "bertweet", "tweeteval", "affekt"} <= set(affekt.text.STYLES)


def test_the_package_is_typed():
    from importlib.resources import files

    assert files("affekt").joinpath("py.typed").is_file()
