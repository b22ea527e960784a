"""Faster variants of a model: found in its folder or beside it, of the same labels, or one sentence."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from affekt.errors import MissingError, ModelError, UsageError
from affekt.files import CARD
from affekt.inference import places
from affekt.inference.export import export
from affekt.inference.model import load
from affekt.inference.places import check, variants
from affekt.inference.shards import predict_shards
from tiny import save_classifier

LABELS = ["anger", "fear", "joy"]
TEXTS = ["so happy today", "i was sad", ""]


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """A model and its graph, not together yet."""
    place = tmp_path_factory.mktemp("speeds")
    model = save_classifier(tiny("bert"), LABELS, place / "mine", single_label=False)
    export(model, place / "graph")
    return place


@pytest.fixture
def model(made, tmp_path):
    return shutil.copytree(made / "mine", tmp_path / "mine")


@pytest.fixture
def graph(made):
    return made / "graph"


def test_the_model_itself_is_exact_and_what_is_taken_unless_said(model, graph):
    shutil.copytree(graph, model / "fast")
    assert check(model) == check(model, "exact") == model
    assert "onnxruntime" not in load(model).runtime.opens_in


def test_a_variant_lies_in_the_folder(model, graph):
    shutil.copytree(graph, model / "fast")
    shutil.copytree(graph, model / "fastest")
    assert (check(model, "fast"), check(model, "fastest")) == (model / "fast", model / "fastest")
    assert variants(model) == [model / "fast", model / "fastest"]
    fast = load(model, speed="fast")
    assert "onnxruntime" in fast.runtime.opens_in
    assert np.allclose(fast.probabilities(TEXTS), load(model).probabilities(TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "speed"),
    [("mine-int8", "fast"), ("mine-onnx", "fast"), ("mine-static", "fastest"), ("mine-cascade", "fastest")],
)
@pytest.mark.parametrize("run", [False, True])
def test_or_beside_the_folder_or_its_run(model, graph, tmp_path, name, speed, run):
    given = model
    if run:
        given = tmp_path / "runs" / "mine"
        given.mkdir(parents=True)
        model = model.rename(given / "model")
    other = shutil.copytree(graph, given.with_name(name))
    assert check(given, speed) == check(model, speed) == other
    with pytest.raises(ModelError, match="has no"):
        check(given, "fastest" if speed == "fast" else "fast")


def test_the_folder_s_own_goes_before_one_beside_it(model, graph):
    shutil.copytree(graph, model / "fast")
    shutil.copytree(graph, model.with_name("mine-int8"))
    assert check(model, "fast") == model / "fast"


def test_what_is_fast_already_is_taken_as_it_is(graph):
    assert check(graph, "exact") == check(graph, "fast") == graph
    with pytest.raises(ModelError, match="has no fastest variant"):
        check(graph, "fastest")


def test_a_model_without_any_says_so_in_a_sentence(model):
    with pytest.raises(ModelError) as fault:
        load(model, speed="fast")
    said = str(fault.value)
    assert said.startswith(
        f"{model}: has no fast variant, neither fast/ in it nor mine-int8 or mine-onnx beside"
    )
    assert said.endswith("make one by affekt export, or leave speed out.")
    assert len(said.splitlines()) == 1
    with pytest.raises(ModelError, match=r"neither fastest/ in it nor mine-static or mine-cascade beside it"):
        load(model, speed="fastest")
    with pytest.raises(UsageError, match="unknown speed 'faster'"):
        load(model, speed="faster")


def test_an_encoder_by_its_name_has_none(tiny):
    with pytest.raises(ModelError, match="has no fast variant"):
        check(tiny("bert"), "fast")


@pytest.mark.parametrize(("key", "value"), [("labels", ["anger", "joy", "fear"]), ("single_label", True)])
def test_a_variant_of_another_model_is_refused(model, graph, key, value):
    card = json.loads((shutil.copytree(graph, model / "fast") / CARD).read_text())
    (model / "fast" / CARD).write_text(json.dumps({**card, key: value}))
    with pytest.raises(ModelError, match="has other labels than"):
        load(model, speed="fast")


def test_a_damaged_variant_is_one_sentence(model, graph):
    shutil.copytree(graph, model / "fast")
    (model / "fast" / CARD).write_text("{")
    with pytest.raises(ModelError, match="not a whole model folder"):
        load(model, speed="fast")


def test_without_torch_the_graph_answers_unless_the_exact_model_is_asked_for(model, graph, monkeypatch):
    monkeypatch.setattr(places, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="needs torch, which is not installed"):
        check(model)
    shutil.copytree(graph, model / "fast")
    assert check(model) == model / "fast"
    assert check(graph) == check(graph, "exact") == graph
    with pytest.raises(MissingError, match="needs torch, which is not installed"):
        check(model, "exact")


def test_without_torch_the_graph_is_opened_and_nothing_else(model, graph):
    shutil.copytree(graph, model / "fast")
    program = f"""
import sys
for name in ("torch", "transformers"):
    sys.modules[name] = None
import importlib.util
from affekt.inference import places
places.find_spec = lambda name: None
import affekt
print(affekt.load({str(model)!r}).predict("so happy")[0].top[0] in {LABELS})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_shards_of_a_model_stay_its_own_when_it_gets_a_variant(model, graph, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("text\nso happy\nsad\n", encoding="utf-8")
    predict_shards(model, posts, tmp_path / "out", shard_rows=1)
    shutil.copytree(graph, model / "fast")
    assert predict_shards(model, posts, tmp_path / "out", shard_rows=1)["kept"] == 2
    with pytest.raises(UsageError, match="made with another model"):
        predict_shards(check(model, "fast"), posts, tmp_path / "out", shard_rows=1)
