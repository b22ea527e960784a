"""A saved model is a plain folder: others open it and give the same figures, and so does affekt."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

import affekt
from affekt.decisions import Calibration, Decisions
from affekt.encoders import Order
from affekt.encoders.characters import CharacterCnnEncoder
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.convolutional import WordCnnEncoder
from affekt.encoders.kinds import ENCODERS, load_encoder
from affekt.encoders.recurrent import BiLstmEncoder
from affekt.encoders.static import StaticEncoder
from affekt.encoders.tfidf import TfidfEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.encoders.vectors import WordVectors
from affekt.encoders.word_average import WordAverageEncoder
from affekt.errors import ModelError
from affekt.files import read_json
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import ACTIVATIONS, Projection, build_head
from affekt.networks.network import Network
from affekt.recipe.parts import EncoderSpec
from tiny import FAMILIES, TEXTS

LABELS = ("joy", "Ärger", "love / Liebe")
OWN_ACTIVATION = {"bert": "tanh", "roberta": "tanh", "xlm-roberta": "tanh", "bertweet": "tanh"} | {
    "electra": "gelu",
    "distilbert": "relu",
    "mpnet": "tanh",
}


def shaken(module: nn.Module, seed: int = 1) -> nn.Module:
    """Weights large enough that a head left out, or put in the wrong place, shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return module


def classifier(encoder, *, single_label: bool = False, projection: Projection | None = None, **head) -> Model:
    options = {"kind": "classification", **head}
    network = Network(encoder, shaken(build_head(encoder, len(LABELS), **options)), projection).eval()
    decisions = Decisions.unfitted(len(LABELS), single_label=single_label)
    return Model(TorchRuntime(network), LABELS, single_label, decisions)


def opened(tiny, family: str, **options) -> TransformerEncoder:
    return TransformerEncoder.pretrained(tiny(family), **options)


# --- in transformers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_head_has_the_activation_of_its_family_unless_told(tiny, family):
    assert build_head(opened(tiny, family), 3, kind="classification").activation == OWN_ACTIVATION[family]
    assert build_head(opened(tiny, family), 3, kind="classification", activation="relu").activation == "relu"


@pytest.mark.parametrize("single_label", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_opens_in_transformers_with_the_same_probabilities(tiny, tmp_path, family, single_label):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    model = classifier(opened(tiny, family), single_label=single_label)
    folder = model.save(tmp_path / "model")
    stock, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logits = stock.eval()(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits
    np.testing.assert_allclose(model.logits(TEXTS), logits.numpy(), rtol=1e-5, atol=1e-5)

    answers = pipeline("text-classification", model=str(folder), device="cpu")(TEXTS, top_k=None)
    probabilities = model.probabilities(TEXTS)
    assert (abs(probabilities.sum(1) - 1) < 1e-5).all() == single_label
    for answer, row in zip(answers, probabilities, strict=True):
        scores = {entry["label"]: entry["score"] for entry in answer}
        assert set(scores) == set(LABELS)
        assert [scores[label] for label in LABELS] == pytest.approx(row.tolist(), abs=1e-5)


@pytest.mark.parametrize("single_label", [False, True])
def test_transformers_answers_calibrated_and_the_opened_logits_stay_as_they_are(tiny, tmp_path, single_label):
    from transformers import pipeline

    model = classifier(opened(tiny, "bert"), single_label=single_label)
    kind, slopes = ("temperature", (0.4,) * 3) if single_label else ("platt", (0.4, 1.5, 2.0))
    calibration = Calibration(kind, slopes, (0.0,) * 3 if single_label else (0.3, 0.0, -0.7))
    model = model.with_decisions(replace(model.decisions, calibration=calibration))
    folder = model.save(tmp_path / "model")
    answers = pipeline("text-classification", model=str(folder), device="cpu")(TEXTS, top_k=None)
    scores = [
        [{one["label"]: one["score"] for one in answer}[label] for label in LABELS] for answer in answers
    ]
    np.testing.assert_allclose(scores, model.probabilities(TEXTS), atol=1e-5)
    np.testing.assert_array_equal(affekt.load(folder).logits(TEXTS), model.logits(TEXTS))


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_would_train_on_with_the_dropout_of_the_head(tiny, tmp_path, family):
    from transformers import AutoModelForSequenceClassification

    folder = classifier(opened(tiny, family), dropout=0.23).save(tmp_path / "model")
    stock = AutoModelForSequenceClassification.from_pretrained(folder)
    if family == "mpnet":  # has no dropout of its head's own
        return
    shares = [module.p for name, module in stock.named_modules() if name in {"dropout", "classifier.dropout"}]
    assert shares == [0.23]


def test_a_long_text_is_cut_alike(tiny, tmp_path):
    from transformers import pipeline

    model = classifier(opened(tiny, "bert", max_length=16))
    text = "i love the day " * 30
    folder = model.save(tmp_path / "model")
    [answer] = pipeline("text-classification", model=str(folder), device="cpu")(
        [text], top_k=None, truncation=True
    )
    scores = {entry["label"]: entry["score"] for entry in answer}
    assert [scores[label] for label in LABELS] == pytest.approx(
        model.probabilities(text)[0].tolist(), abs=1e-5
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("encoder", "head"),
    [
        ({"pooling": "mean"}, {}),
        ({}, {"activation": "selu"}),
        ({}, {"kind": "linear"}),
        ({"label_words": LABELS}, {}),
    ],
    ids=["mean", "selu", "linear", "label words"],
)
def test_a_head_that_transformers_lacks_is_not_replaced_by_an_untrained_one(
    tiny, tmp_path, family, encoder, head, monkeypatch
):
    """Neither the auto class nor the pipeline opens such a folder; the encoder opens, with its vectors."""
    from transformers import AutoModel, AutoModelForSequenceClassification, pipeline

    monkeypatch.setitem(ACTIVATIONS, "selu", torch.selu)  # no family's own
    model = classifier(opened(tiny, family, **encoder), **head)
    assert "transformers" not in model.runtime.opens_in
    folder = model.save(tmp_path / "model")
    assert "architectures" not in (folder / "config.json").read_text()
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        AutoModelForSequenceClassification.from_pretrained(folder)
    with pytest.raises((ValueError, RuntimeError)):
        pipeline("text-classification", model=str(folder), device="cpu")
    stock = AutoModel.from_pretrained(folder).state_dict()
    ours = model.runtime.network.encoder.backbone.state_dict()
    assert all(torch.equal(tensor, stock[name]) for name, tensor in ours.items())
    np.testing.assert_array_equal(affekt.load(folder).logits(TEXTS), model.logits(TEXTS))
    if model.runtime.network.encoder.prefix is None:
        np.testing.assert_allclose(sentence_vectors(folder), model.embed(TEXTS), rtol=1e-5, atol=1e-5)


def test_the_card_says_what_gives_the_models_answers(tiny, tmp_path):
    def opens(model: Model) -> list[str]:
        return read_json(model.save(tmp_path / "model") / "affekt.json")["opens_in"]

    everywhere = ["affekt", "transformers", "sentence-transformers"]
    assert opens(classifier(opened(tiny, "bert"))) == everywhere
    assert opens(classifier(opened(tiny, "bert", pooling="mean"))) == ["affekt", "sentence-transformers"]
    assert opens(classifier(opened(tiny, "bert", label_words=LABELS), kind="label-span")) == ["affekt"]
    assert opens(classifier(TfidfEncoder.build(TEXTS, min_count=1), kind="linear")) == ["affekt"]
    assert opens(Model(TorchRuntime(Network(opened(tiny, "bert", pooling="mean"))))) == everywhere


# --- in SentenceTransformer ---------------------------------------------------------------------------------


def sentence_vectors(folder: Path) -> np.ndarray:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    return sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(TEXTS)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_opens_in_sentence_transformer_with_the_same_vectors(tiny, tmp_path, family, pooling):
    model = Model(TorchRuntime(Network(opened(tiny, family, pooling=pooling)).eval()))
    folder = model.save(tmp_path / "model")
    np.testing.assert_allclose(sentence_vectors(folder), model.embed(TEXTS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_a_classifier_opens_in_sentence_transformer_too(tiny, tmp_path, family):
    model = classifier(opened(tiny, family))
    folder = model.save(tmp_path / "model")
    np.testing.assert_allclose(sentence_vectors(folder), model.embed(TEXTS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_saved_projected_a_model_gives_sentence_transformer_its_projected_vectors(
    tiny, tmp_path, kind, pooling
):
    projection = shaken(Projection(32, 6, kind=kind))
    model = Model(TorchRuntime(Network(opened(tiny, "bert", pooling=pooling), projection=projection).eval()))
    expected = model.embed(TEXTS, projected=True)
    assert expected.shape == (4, 6)
    assert not np.allclose(expected, model.embed(TEXTS)[:, :6], atol=1e-2)

    folder = model.save(tmp_path / "model", projected=True)
    np.testing.assert_allclose(sentence_vectors(folder), expected, rtol=1e-5, atol=1e-5)
    again = affekt.load(folder)
    np.testing.assert_array_equal(again.embed(TEXTS, projected=True), expected)
    np.testing.assert_array_equal(again.embed(TEXTS), model.embed(TEXTS))


def test_saved_plainly_a_model_with_a_projection_gives_the_encoders_own_vectors(tiny, tmp_path):
    model = Model(TorchRuntime(Network(opened(tiny, "bert"), projection=shaken(Projection(32, 6))).eval()))
    folder = model.save(tmp_path / "model")
    np.testing.assert_allclose(sentence_vectors(folder), model.embed(TEXTS), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(
        affekt.load(folder).embed(TEXTS, projected=True), model.embed(TEXTS, projected=True)
    )


def test_only_a_projection_on_a_transformer_can_be_saved_projected(tiny, tmp_path):
    bag = TfidfEncoder.build(TEXTS, min_count=1)
    projected = Network(bag, projection=Projection(bag.dimension, 2))
    for network in (Network(opened(tiny, "bert")), projected):
        with pytest.raises(ModelError, match="no projection on a transformer"):
            Model(TorchRuntime(network.eval())).save(tmp_path / "model", projected=True)
    assert list(tmp_path.iterdir()) == []


def test_with_label_words_the_folder_does_not_promise_vectors_it_cannot_give(tiny, tmp_path):
    folder = classifier(opened(tiny, "bert", label_words=LABELS), kind="label-span").save(tmp_path / "model")
    assert not (folder / "modules.json").exists()


# --- in affekt ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("encoder", "head"),
    [
        ({}, {}),
        ({"pooling": "mean"}, {}),
        ({}, {"activation": "relu"}),
        ({}, {"kind": "linear"}),
        ({"pooling": "mean"}, {"kind": "linear", "unit": True}),
        ({"label_words": ["joy", "anger and fear", "happy"]}, {"kind": "label-span", "dropout": 0.2}),
    ],
    ids=["own", "mean", "relu", "linear", "unit", "label-span"],
)
def test_every_head_is_saved_and_opened_with_the_same_logits(tiny, tmp_path, family, encoder, head):
    model = classifier(opened(tiny, family, **encoder), **head)
    again = affekt.load(model.save(tmp_path / "model"))
    assert type(again.runtime.network.head) is type(model.runtime.network.head)
    np.testing.assert_array_equal(again.logits(TEXTS), model.logits(TEXTS))
    assert not again.runtime.network.training
    if "dropout" in head:
        assert again.runtime.network.head.dropout.p == head["dropout"]


def small_encoder(kind: str, tiny):
    """An encoder of each kind, small and random, that knows the words of TEXTS."""
    words = {"word_dimension": 5, "min_count": 1}
    vectors = WordVectors(
        ["i", "love", "so", "sad"], np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    )
    makers = {
        "transformer": lambda: opened(tiny, "bert"),
        "charbert": lambda: CharBertEncoder.from_plain(tiny("bert"), character_size=8),
        "bilstm": lambda: BiLstmEncoder.build(TEXTS, hidden=4, layers=1, **words),
        "word-cnn": lambda: WordCnnEncoder.build(TEXTS, filters=4, blocks=2, **words),
        "character-cnn": lambda: CharacterCnnEncoder.build(TEXTS, length=150, features=4, hidden=8),
        "tfidf": lambda: TfidfEncoder.build(TEXTS, min_count=1, reduction="svd", components=2),
        "word-average": lambda: WordAverageEncoder.build(TEXTS, vectors=vectors),
        "static": lambda: StaticEncoder.from_order(
            Order(TEXTS, 0, tiny("bert"), None, "mean", 16, None, None, {"dimension": 8})
        ),
    }
    return makers[kind]()


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_kind_of_encoder_is_saved_and_opened_within_a_model(tiny, tmp_path, kind):
    encoder = small_encoder(kind, tiny)
    assert encoder.kind == kind
    projection = shaken(Projection(encoder.dimension, 4, kind="mlp", hidden=5))
    model = classifier(encoder, projection=projection)
    again = affekt.load(model.save(tmp_path / "model"))
    assert type(again.runtime.network.encoder) is type(encoder)
    np.testing.assert_array_equal(again.logits(TEXTS), model.logits(TEXTS))
    np.testing.assert_array_equal(again.embed(TEXTS), model.embed(TEXTS))
    np.testing.assert_array_equal(again.embed(TEXTS, projected=True), model.embed(TEXTS, projected=True))


def test_recipes_know_the_kinds_that_there_are():
    """They import no torch, so they name the kinds themselves; what a kind can do stands on its class."""
    assert set(get_args(EncoderSpec.model_fields["kind"].annotation)) == set(ENCODERS)
    assert {kind for kind, encoder in ENCODERS.items() if encoder.has_name} == {
        "transformer",
        "charbert",
        "static",
    }


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_saved_folder_holds_no_pickle(tiny, tmp_path, kind):
    encoder = small_encoder(kind, tiny)
    folder = classifier(encoder, projection=Projection(encoder.dimension, 4)).save(tmp_path / "model")
    check_plain(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_brings_a_pickle_with_its_tokenizer(tiny, tmp_path, family):
    check_plain(classifier(opened(tiny, family)).save(tmp_path / "model"))


def check_plain(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".txt", ".codes"}
    for path in files:
        start = path.read_bytes()[:2]
        assert start[:1] != b"\x80", f"{path.name} is a pickle"
        assert start != b"PK", f"{path.name} is a zip, as torch writes pickles"
        assert not path.name.startswith("."), f"{path.name} was left behind"


# --- what cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["charbert", "bilstm", "tfidf"])
def test_a_label_span_head_needs_an_encoder_that_takes_label_words(tiny, kind):
    with pytest.raises(ModelError, match="one word or phrase for each of the 3 labels"):
        build_head(small_encoder(kind, tiny), 3, kind="label-span")


@pytest.mark.parametrize("words", [None, ["joy", "anger"]])
def test_a_label_span_head_needs_as_many_words_as_labels(tiny, words):
    with pytest.raises(ModelError, match="one word or phrase for each of the 3 labels"):
        build_head(opened(tiny, "bert", label_words=words), 3, kind="label-span")


def test_an_unknown_head_answers_with_the_near_ones(tiny):
    with pytest.raises(ModelError, match="unknown head 'liner': did you mean linear"):
        build_head(opened(tiny, "bert"), 3, kind="liner")


def test_an_unknown_encoder_answers_with_the_near_ones(tmp_path):
    with pytest.raises(ModelError, match="unknown encoder 'bi-lstm': did you mean bilstm"):
        load_encoder("bi-lstm", tmp_path)


def test_a_network_without_a_head_has_no_logits(tiny):
    encoder = opened(tiny, "bert")
    with pytest.raises(ModelError, match="without a classifier"):
        Network(encoder)(encoder.collate(encoder.tokenize(TEXTS)))
