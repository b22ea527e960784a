"""Every encoder with the heads and objectives that make sense, from recipe to saved model."""

import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from affekt.data import catalog
from affekt.data.known import DATASETS
from affekt.data.label_words import label_words
from affekt.data.packaged import PACKAGED
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.pretrained import KNOWN
from affekt.errors import AffektError, ModelError
from affekt.inference.model import load
from affekt.recipe.read import parse_recipe, read_recipe
from affekt.training.build import build_encoder, build_network
from affekt.training.fit import fit_model

TEXTS = ["so happy today!", "i was so sad", "", "🙂 ok @ann https://a.b"]
SMALL = {
    "bilstm": {"hidden": 6, "layers": 2, "dropout": 0.2, "word_dimension": 5},
    "word-cnn": {"filters": 8, "blocks": 2, "kernel": 3, "dropout": 0.1, "word_dimension": 5},
    "character-cnn": {"length": 150, "features": 8, "hidden": 8},
    "charbert": {"character_size": 8},
    "tfidf": {},
    "static": {"dimension": 8},
    "word-average": {},
}
LABELS = {"kind": "label-span", "dropout": 0.1}
CLASSIFY = {"kind": "classify"}
PROJECTION = {"kind": "mlp", "out": 8}

OBJECTIVES = {
    "classify": CLASSIFY,
    "correlation": {"kind": "classify", "correlation": 0.2},
    "focal": {"kind": "classify", "loss": "focal", "class_weights": "balanced"},
    "contrastive": {"kind": "contrastive", "projection": PROJECTION},
    "contrastive-unsupervised": {"kind": "contrastive-unsupervised", "projection": PROJECTION},
    "supervised-contrastive": {"kind": "supervised-contrastive", "projection": PROJECTION},
    "joint": {"kind": "supervised-contrastive", "classification": 1.0, "projection": PROJECTION},
    "label-aware": {"kind": "label-aware", "views": "dropout"},
    "retrofit": {"kind": "retrofit", "projection": PROJECTION},
    "logistic": {"kind": "logistic"},
}
# one encoder of each nature under all objectives, the others under those that read vectors, tokens and copies
UNDER_ALL = ("bert", "charbert", "bilstm")
OTHERS = (
    "static",
    "roberta",
    "electra",
    "distilbert",
    "labels",
    "charbert-roberta",
    "word-cnn",
    "character-cnn",
)
PAIRS = [(kind, objective) for kind in UNDER_ALL for objective in OBJECTIVES]
PAIRS += [(kind, objective) for kind in OTHERS for objective in ("correlation", "joint", "label-aware")]
WITH_LOGITS = {"classify", "correlation", "focal", "joint", "label-aware", "logistic"}


@pytest.fixture(scope="module")
def splits():
    """A few texts of the bundled sample, every label among them."""
    corpora = catalog.load("sample-multilabel")
    return {"train": corpora["train"].select(range(16)), "dev": corpora["dev"].select(range(8))}


@pytest.fixture(scope="module")
def encoder(tiny, tmp_path_factory):
    """Give the encoder section of a recipe, tiny."""
    vectors = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    vectors.write_text("happy .1 .2 .3 .4 .5\nsad -.1 .2 -.3 .4 -.5\nso .5 .4 .3 .2 .1\n", encoding="utf-8")

    def section(kind):
        if kind == "labels":
            return {"name": tiny("bert"), "label_words": "labels", "max_length": 64}
        if kind.startswith("charbert"):
            plain = tiny("roberta" if kind == "charbert-roberta" else "bert")
            options = {"options": SMALL["charbert"], "max_length": 24}
            return {"kind": "charbert", "name": plain, "pooling": "mean", **options}
        if kind == "static":
            return {"kind": kind, "name": tiny("bert"), "options": SMALL[kind], "max_length": 24}
        if kind in SMALL:
            read = {"vectors": str(vectors)} if kind in {"bilstm", "word-cnn", "word-average"} else {}
            return {"kind": kind, "options": SMALL[kind], "max_length": 24, **read}
        return {"name": tiny(kind), "max_length": 24, "pooling": "mean"}

    return section


def recipe_of(encoder, objective=CLASSIFY, head=None):
    head = head or (LABELS if encoder.get("label_words") else {"kind": "classification"})
    if objective["kind"] == "label-aware":
        objective = {**objective, "weighting": encoder, "weighting_head": head}
    return parse_recipe(
        {
            "name": "tiny",
            "encoder": encoder,
            "head": head,
            "objective": objective,
            "training": {"epochs": 1, "batch_size": 8, "checkpoint_seconds": 0},
        }
    )


def assert_survives_its_folder(model, folder, *, has_logits=True):
    """Save and load; predictions and vectors must be the same to the last digits."""
    again = load(model.save(folder))
    vectors = model.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), model.runtime.network.encoder.dimension)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(again.embed(TEXTS), vectors, atol=1e-6)
    # a text alone has the vector it has among others
    np.testing.assert_allclose(model.embed(TEXTS[1]), vectors[1:2], atol=1e-5)
    if has_logits:
        np.testing.assert_allclose(again.logits(TEXTS), model.logits(TEXTS), atol=1e-6)
        shown = again.predict(TEXTS)
        assert [p.labels for p in shown] == [p.labels for p in model.predict(TEXTS)]
        assert list(shown[0].scores) == list(model.labels)
    else:
        with pytest.raises(ModelError):
            again.predict(TEXTS)


@pytest.mark.parametrize(("kind", "objective"), PAIRS)
def test_every_encoder_trains_under_every_objective_and_survives_its_folder(
    kind, objective, splits, encoder, tmp_path
):
    model, figures = fit_model(recipe_of(encoder(kind), OBJECTIVES[objective]), splits)
    losses = [entry["train_loss"] for entry in figures["history"]]
    assert objective == "logistic" or np.isfinite(losses).all()
    assert (figures.get("dev") is not None) == (objective in WITH_LOGITS)
    assert_survives_its_folder(model, tmp_path / "model", has_logits=objective in WITH_LOGITS)


@pytest.mark.parametrize("head", ["classification", "linear"])
@pytest.mark.parametrize(
    "kind", ["bert", "labels", "charbert", "bilstm", "word-cnn", "character-cnn", "tfidf"]
)
def test_every_encoder_takes_both_heads_that_read_one_vector(kind, head, splits, encoder, tmp_path):
    model, _ = fit_model(recipe_of(encoder(kind), head={"kind": head}), splits)
    assert_survives_its_folder(model, tmp_path / "model")


@pytest.mark.parametrize("kind", ["tfidf", "word-average"])
def test_bags_of_words_take_logistic_regression(kind, splits, encoder, tmp_path):
    model, _ = fit_model(recipe_of(encoder(kind), {"kind": "logistic"}), splits)
    assert_survives_its_folder(model, tmp_path / "model")


@pytest.mark.parametrize("kind", ["labels", "charbert", "bilstm", "word-cnn", "character-cnn"])
def test_training_moves_every_part_of_an_encoder(kind, splits, encoder):
    recipe = recipe_of(encoder(kind))
    before = build_network(recipe, splits["train"])
    model, _ = fit_model(recipe, splits)
    start, end = before.state_dict(), model.runtime.network.state_dict()
    moved = {name.rsplit(".", 1)[0] for name in end if not torch.equal(start[name], end[name])}
    parts = {name.rsplit(".", 1)[0] for name, value in before.named_parameters() if value.requires_grad}
    assert parts <= moved


def test_charbert_grown_from_a_plain_encoder_starts_with_its_token_channel(splits, encoder, tiny):
    grown = build_encoder(recipe_of(encoder("charbert")).encoder, splits["train"], 0)
    assert isinstance(grown, CharBertEncoder)
    plain = build_encoder(recipe_of(encoder("bert")).encoder, splits["train"], 0)
    own = dict(grown.named_parameters())
    weight = plain.word_embeddings().weight
    assert any(value.shape == weight.shape and torch.equal(value, weight) for value in own.values())


def test_charbert_grows_from_a_folder_that_affekt_trained(splits, encoder, tmp_path):
    """Such a folder has an encoder.json too, but it is a plain encoder's."""
    model, _ = fit_model(recipe_of(encoder("bert")), splits)
    model.runtime.network.encoder.save(tmp_path)
    spec = {**encoder("charbert"), "name": str(tmp_path)}
    assert isinstance(build_encoder(recipe_of(spec).encoder, splits["train"], 0), CharBertEncoder)


def test_charbert_goes_on_from_a_charbert_folder(splits, encoder, tmp_path):
    model, _ = fit_model(recipe_of(encoder("charbert")), splits)
    model.runtime.network.encoder.save(tmp_path)
    spec = {"kind": "charbert", "name": str(tmp_path), "pooling": "mean"}
    again = build_encoder(recipe_of(spec).encoder, splits["train"], 0)
    for name, value in model.runtime.network.encoder.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_label_words_stand_before_every_text_in_label_order(splits, encoder):
    spec = {**encoder("labels"), "label_words": {label: f"so {label}" for label in splits["train"].labels}}
    made = build_encoder(recipe_of(spec).encoder, splits["train"], 0)
    assert made.prefix.words == tuple(f"so {label}" for label in splits["train"].labels)
    rows = made.tokenize(TEXTS)
    assert all(tuple(row[: len(made.prefix.head)]) == made.prefix.head for row in rows)


@pytest.mark.parametrize(
    ("kind", "changes", "head", "said"),
    [
        ("bilstm", {}, LABELS, "label words"),
        ("word-cnn", {}, LABELS, "label words"),
        ("charbert", {}, LABELS, "label words"),
        ("bert", {}, LABELS, "label words"),
        ("bilstm", {"label_words": "labels"}, LABELS, "a bilstm takes none"),
        ("charbert", {"label_words": "labels"}, LABELS, "a charbert takes none"),
        ("labels", {"pooling": "mean"}, LABELS, "set encoder.pooling to cls"),
        ("labels", {"label_words": ["one"]}, LABELS, "the list has 1 entries"),
        ("labels", {"label_words": "jigsaw"}, LABELS, "has no words for"),
        ("labels", {"max_length": 8}, LABELS, "raise encoder.max_length"),
        ("bert", {"vectors": "x.txt"}, None, "reads no word vectors"),
        ("bert", {"options": {"hidden": 3}}, None, "a transformer has none"),
        ("charbert", {"options": {"charactersize": 3}}, None, "did you mean character_size"),
        ("bilstm", {"options": {"hiden": 3}}, None, "did you mean hidden"),
        ("bilstm", {"vectors": "nowhere.txt"}, None, "nowhere.txt"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_sentence(kind, changes, head, said, splits, encoder):
    with pytest.raises(AffektError, match=said) as fault:
        build_network(recipe_of({**encoder(kind), **changes}, head=head), splits["train"])
    assert "\n" not in str(fault.value)


# --- the bundled recipes

BUNDLED = sorted(
    entry.name.removesuffix(".yaml")
    for entry in files("affekt.recipes").iterdir()
    if entry.name.endswith(".yaml")
)
EXPECTED = {
    "semeval-plain": "E",
    "semeval-plain-correlation": "E3",
    "semeval-labels": "E2",
    "semeval-labels-correlation": "E2+E3",
    "semeval-cnn": "E1",
    "semeval-ar": "E2+E3",
    "semeval-es": "E2+E3",
    "goemotions-bilstm-early": "B2",
    "goemotions-bilstm-fixed": "B2",
    "goemotions-char-cnn": "B1",
    "goemotions-charbert": "B5",
    "jigsaw-labels": "E2+E5",
    "jigsaw-cnn": "E1",
    "tweeteval-contrastive-mpnet": "A1",
    "goemotions-direct-mpnet": "B3",
    "dair-finetuned-mpnet": "C1",
    "semeval-labels-correlation-mpnet": "E2+E3",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_recipes_of_the_encoders_are_valid_and_say_their_row(name):
    recipe = read_recipe(name)
    assert (recipe.name, recipe.row) == (name, EXPECTED[name])
    assert recipe.data.name in DATASETS


@pytest.mark.parametrize("name", BUNDLED)
def test_label_words_and_heads_of_bundled_recipes_fit_their_data(name):
    recipe = read_recipe(name)
    words = recipe.encoder.label_words
    assert (words is not None) == (recipe.head.kind == "label-span")
    if words is not None:
        labels = DATASETS[recipe.data.name].labels
        assert len(label_words(words, labels)) == len(labels)
        assert recipe.encoder.pooling == "cls"


def test_the_four_recipes_of_e_c_differ_only_in_label_words_and_correlation():
    plain, correlation, labels, both = (
        read_recipe(f"semeval-{name}").model_dump(exclude={"name", "row", "note"})
        for name in ("plain", "plain-correlation", "labels", "labels-correlation")
    )
    for a, b in ((plain, correlation), (labels, both)):
        assert {**b, "objective": {**b["objective"], "correlation": 0.0}} == a
        assert b["objective"]["correlation"] == 0.2
    for a, b in ((plain, labels), (correlation, both)):
        assert {key for key in a if a[key] != b[key]} == {"encoder", "head"}


@pytest.mark.parametrize("name", [name for name in BUNDLED if name.endswith("-mpnet")])
def test_a_recipe_of_the_base_size_encoder_is_another_one_s_with_its_own_rates(name):
    small, base = read_recipe(name.removesuffix("-mpnet")), read_recipe(name)
    assert base.encoder.name in PACKAGED
    assert base.row == small.row
    same = ("data", "objective", "decisions", "published")
    assert all(getattr(base, section) == getattr(small, section) for section in same)
    assert base.training.learning_rate < small.training.learning_rate


def test_the_two_schedules_of_the_bilstm_differ_only_in_when_they_stop():
    early, fixed = (read_recipe(f"goemotions-bilstm-{way}").model_dump() for way in ("early", "fixed"))
    assert {key for key in early if early[key] != fixed[key]} == {"name", "note", "training"}
    changed = {key for key in early["training"] if early["training"][key] != fixed["training"][key]}
    assert changed == {"early_stopping", "keep"}
    assert early["training"]["early_stopping"] == {"metric": "loss", "patience": 3}
    assert fixed["training"]["epochs"] == 15


@pytest.mark.parametrize("name", ["semeval-ar", "semeval-es"])
def test_recipes_whose_encoder_is_on_the_hub_say_what_they_need_without_a_network(name, splits):
    recipe = read_recipe(name)
    corpus = splits["train"]
    named = dict(zip(corpus.labels, DATASETS[recipe.data.name].labels, strict=False))
    spec = recipe.encoder.model_copy(update={"label_words": "labels"})
    assert named  # the sample's labels stand in for the tweets'
    with pytest.raises(ModelError, match=KNOWN[spec.name].hub) as fault:
        build_encoder(spec, corpus, 0)
    assert "\n" not in str(fault.value)


@pytest.mark.skipif("AFFEKT_DATA" not in os.environ, reason="needs the data sets under AFFEKT_DATA")
@pytest.mark.parametrize("name", ["jigsaw-cnn", "semeval-cnn", "goemotions-bilstm-early"])
def test_word_vector_recipes_find_their_vectors(name, splits):
    recipe = read_recipe(name)
    if catalog.find(recipe.encoder.vectors) is None:
        pytest.skip(f"{recipe.encoder.vectors} is not under AFFEKT_DATA")
    made = build_encoder(recipe.encoder, splits["train"], 0)
    assert made.word_embeddings().embedding_dim == 25
    long = ["word " * 2000]
    assert len(made.tokenize(long)[0]) == recipe.encoder.max_length


def test_bundled_recipes_lie_in_the_package():
    assert set(EXPECTED) <= set(BUNDLED)
    assert Path(str(files("affekt.recipes"))).is_dir()
