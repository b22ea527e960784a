"""A fast model first and an exact one behind it: what goes on, what it costs, whether the promise holds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import affekt
from affekt.data.corpus import Corpus
from affekt.decisions import Calibration, Decisions
from affekt.encoders import Order
from affekt.encoders.static import StaticEncoder
from affekt.errors import DataError, ModelError, UsageError
from affekt.evaluation.intervals import wilson
from affekt.inference.cascade import cascade, cascade_notes, check_second
from affekt.inference.model import Model
from affekt.inference.runtimes.cascade import CascadeRuntime
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.inference.score import predict_file
from affekt.networks.heads import build_head
from affekt.networks.network import Network
from tiny import WORDS, save_classifier

LABELS = ("joy", "fear", "sad")
DRAWN = np.random.default_rng(0)
TEXTS = [" ".join(DRAWN.choice(WORDS, 6)) + f" {i}" for i in range(300)]


def static(folder: str, place: Path, *, single_label: bool, labels: tuple[str, ...] = LABELS) -> Path:
    torch.manual_seed(1)
    order = Order(TEXTS, 0, folder, None, "mean", 16, None, None, {"dimension": 8})
    encoder = StaticEncoder.from_order(order)
    network = Network(encoder, build_head(encoder, len(labels), kind="classification"))
    decisions = Decisions.unfitted(len(labels), single_label=single_label)
    return Model(TorchRuntime(network.eval()), labels, single_label, decisions, style="tweeteval").save(place)


@pytest.fixture(scope="module", params=[True, False], ids=["one label", "several"])
def parts(request, tiny, tmp_path_factory):
    """A fast model, an exact one, and dev, labelled as the exact one says but for a tenth of the texts."""
    place = tmp_path_factory.mktemp("parts")
    single = request.param
    plain = affekt.load(save_classifier(tiny("bert"), LABELS, place / "plain", single_label=single))
    middle = tuple(-np.median(plain.logits(TEXTS), axis=0).astype(float))
    line = Calibration("temperature" if single else "platt", (1.0,) * 3, middle)
    exact = plain.with_decisions(replace(plain.deciding(), calibration=line))
    second = exact.save(place / "second")
    first = static(tiny("bert"), place / "first", single_label=single)
    targets = exact.deciding().decide(exact.probabilities(TEXTS)).astype(np.float32)
    targets[::10] = np.roll(targets[::10], 1, axis=1)
    ids = [str(i) for i in range(len(TEXTS))]
    dev = Corpus(TEXTS, targets, LABELS, single, ids, name="made", split="dev")
    return first, second, dev


def test_what_is_unsure_is_answered_by_the_second_and_the_rest_by_the_first(parts, tmp_path):
    first, second, dev = parts
    made = cascade(first, second, tmp_path / "made", dev, loss=0.2)
    runtime = made.runtime
    assert isinstance(runtime, CascadeRuntime)
    fast, exact = affekt.load(first), affekt.load(second)
    probabilities = fast.probabilities(TEXTS).astype(float)
    held = fast.deciding().decide(probabilities)
    doubts = np.array(
        [
            sum(1 - p if h else p for p, h in zip(*row, strict=True))
            for row in zip(probabilities, held, strict=True)
        ]
    )
    passed = doubts > runtime.rule.limit
    assert 0 < passed.sum() < len(TEXTS)
    logits = made.logits(TEXTS)
    np.testing.assert_allclose(
        logits[passed], exact.deciding().calibration(exact.logits(TEXTS))[passed], atol=1e-5
    )
    np.testing.assert_allclose(logits[~passed], fast.logits(TEXTS)[~passed], atol=1e-5)
    np.testing.assert_allclose(made.embed(TEXTS), exact.embed(TEXTS), atol=1e-6)
    assert (runtime.seen, runtime.passed) == (300, passed.sum())
    found = made.about["cascade"]
    assert found["passed_on"]["value"] == passed.mean()
    assert [found["passed_on"][end] for end in ("low", "high")] == list(wilson(passed.sum(), 300))
    assert found["f1_macro"]["second"] - found["f1_macro"]["cascade"] <= 0.2
    own = made.deciding().decide(made.deciding().probabilities(logits))
    same = (own == exact.deciding().decide(exact.probabilities(TEXTS))).all(1).mean()
    assert found["agreement"]["value"] == pytest.approx(same)
    assert made.logits([]).shape == (0, 3)


def test_a_smaller_loss_passes_more_on_and_none_at_all_may_be_out_of_reach(parts, tmp_path):
    first, second, dev = parts
    shares = [
        cascade(first, second, tmp_path / f"{loss}", dev, loss=loss).runtime.rule.share
        for loss in (0.05, 0.3, 1)
    ]
    assert shares[0] > shares[1] >= shares[2] == 0
    with pytest.raises(ModelError, match="the first model decides nothing"):
        cascade(first, second, tmp_path / "none", dev, loss=-1)
    assert not (tmp_path / "none").exists()


def test_the_folder_holds_both_models_and_can_be_moved_and_saved(parts, tmp_path):
    first, second, dev = parts
    made = cascade(first, second, tmp_path / "made", dev, loss=0.2)
    expected = made.probabilities(TEXTS)
    moved = shutil.move(tmp_path / "made", tmp_path / "moved")
    again = affekt.load(affekt.load(moved).save(tmp_path / "again"))
    assert again.runtime.rule == made.runtime.rule
    assert again.decisions == made.decisions
    np.testing.assert_array_equal(again.probabilities(TEXTS), expected)
    np.testing.assert_allclose(again.steady().probabilities(TEXTS[:9]), expected[:9], atol=1e-6)
    (tmp_path / "again" / "second" / "affekt.json").unlink()
    with pytest.raises(ModelError, match="not a whole model folder"):
        affekt.load(tmp_path / "again")


def test_it_says_when_more_goes_on_than_on_dev(parts, tmp_path):
    made = cascade(*parts[:2], tmp_path / "made", parts[2], loss=0.2)
    made.predict(TEXTS)
    assert cascade_notes(made) == []
    other = affekt.load(tmp_path / "made")
    other.runtime.rule = replace(other.runtime.rule, limit=-1.0)
    other.predict(TEXTS[:2])
    assert cascade_notes(other) == []  # of two texts nothing can be said
    other.predict(TEXTS)
    assert "100.0% of the texts went on to the second model" in cascade_notes(other)[0]
    assert cascade_notes(affekt.load(parts[1])) == []


def test_predict_checks_a_sample_by_the_second(parts, tmp_path):
    first, second, dev = parts
    made = cascade(first, second, tmp_path / "made", dev, loss=0.2)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    paths = tmp_path / "texts.jsonl", tmp_path / "out.csv"
    found = predict_file(tmp_path / "made", *paths, check_rows=300)["check"]
    exact = affekt.load(second)
    same = sum(
        set(a.labels) == set(b.labels) for a, b in zip(made.predict(TEXTS), exact.predict(TEXTS), strict=True)
    )
    assert (found["n"], found["agreement"]["value"], found["holds"]) == (300, same / 300, True)
    assert found["promised"] == made.about["cascade"]["agreement"]
    assert predict_file(made, *paths, check_rows=7)["check"]["n"] == 7
    assert "check" not in predict_file(made, *paths)
    with pytest.raises(UsageError, match="only a cascade"):
        predict_file(second, *paths, check_rows=7)
    assert check_second(made, [])["holds"]


def test_models_and_data_must_have_the_same_labels(parts, tiny, tmp_path):
    first, second, dev = parts
    other = static(tiny("bert"), tmp_path / "other", single_label=dev.single_label, labels=("a", "b", "c"))
    with pytest.raises(ModelError, match="has the labels a, b, c"):
        cascade(other, second, tmp_path / "made", dev)
    with pytest.raises(DataError, match="not the models'"):
        cascade(first, second, tmp_path / "made", replace(dev, labels=("a", "b", "c")))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(UsageError, match="holds other files"):
        cascade(first, second, tmp_path / "mine", dev)


def test_a_single_dev_text_is_no_fault(parts, tmp_path):
    first, second, dev = parts
    made = cascade(first, second, tmp_path / "made", dev.select(np.array([0])), loss=1)
    assert made.runtime.rule.share == 0
