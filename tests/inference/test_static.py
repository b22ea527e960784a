"""A static model without torch: the answers that torch gives, whatever is beside a text."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import affekt
from affekt.decisions import Decisions
from affekt.encoders import Order
from affekt.encoders.static import StaticEncoder
from affekt.errors import ModelError, UsageError
from affekt.inference.export import export
from affekt.inference.model import Model
from affekt.inference.runtimes.static import StaticRuntime
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import Projection, build_head
from affekt.networks.network import Network
from tiny import TEXTS

LABELS = ("joy", "fear", "sad")
MANY = [
    *TEXTS,
    "",
    "☃ ☃",
    "so ☃ happy",
    "sad \ud83d",
    "the day " * 30,
    "z" * 300,
    *(f"so {word} today" for word in "abcd"),
]
HEADS = {
    "linear": {"kind": "linear"},
    "unit": {"kind": "linear", "unit": True},
    "tanh": {"kind": "classification"},
    "relu": {"kind": "classification", "activation": "relu"},
}


def made(folder: str, head: str | None = "tanh", *, projected: bool = False, **changes: object) -> Model:
    torch.manual_seed(0)
    order = Order(TEXTS, 0, folder, None, "mean", 16, None, None, {"dimension": 6})
    encoder = StaticEncoder.from_order(order)
    projection = Projection(encoder.dimension, 3) if projected else None
    if head is None:
        return Model(TorchRuntime(Network(encoder, None, projection).eval()))
    network = Network(encoder, build_head(encoder, 3, **{**HEADS.get(head, {}), **changes}), projection)
    decisions = Decisions.unfitted(3, single_label=False)
    return Model(TorchRuntime(network.eval()), LABELS, False, decisions, about={"data": "none"})


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "mpnet"])
def test_answers_are_those_of_torch(tiny, tmp_path, family, head):
    model = made(tiny(family), head)
    opened = affekt.load(model.save(tmp_path / "model"))
    assert isinstance(opened.runtime, StaticRuntime)
    assert (opened.labels, opened.decisions, opened.about) == (model.labels, model.decisions, model.about)
    for name in ("logits", "embed", "probabilities"):
        ours, theirs = (getattr(one, name)(MANY) for one in (opened, model))
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=name)
        assert getattr(opened, name)([]).shape == (0, ours.shape[1])
    np.testing.assert_array_equal(opened.logits_and_vectors(MANY)[0], opened.logits(MANY))
    assert [one.labels for one in opened.predict(MANY)] == [one.labels for one in model.predict(MANY)]


def test_steady_answers_do_not_depend_on_what_else_is_asked(tiny, tmp_path):
    opened = affekt.load(made(tiny("bert")).save(tmp_path / "model")).steady()
    together = opened.logits(MANY)
    np.testing.assert_array_equal(opened.logits(MANY[::-1] * 200)[: len(MANY)][::-1], together)
    for text, row in zip(MANY, together, strict=True):
        np.testing.assert_array_equal(opened.logits([text])[0], row)


def test_without_a_head_it_only_embeds(tiny, tmp_path):
    model = made(tiny("bert"), None)
    opened = affekt.load(model.save(tmp_path / "model"))
    np.testing.assert_allclose(opened.embed(MANY), model.embed(MANY), atol=1e-6)
    with pytest.raises(ModelError, match="without a classifier"):
        opened.predict(MANY)
    with pytest.raises(ModelError, match="no projection"):
        opened.embed(MANY, projected=True)


def test_what_it_lacks_is_run_by_torch(tiny, tmp_path):
    for i, model in enumerate(
        [
            made(tiny("bert"), projected=True),
            made(tiny("bert"), "gelu", kind="classification", activation="gelu"),
        ]
    ):
        opened = affekt.load(model.save(tmp_path / f"{i}"))
        assert isinstance(opened.runtime, TorchRuntime)
        np.testing.assert_array_equal(opened.logits(MANY), model.logits(MANY))


def test_saved_again_the_folder_is_the_same(tiny, tmp_path):
    first = made(tiny("bert")).save(tmp_path / "first")
    second = affekt.load(first).save(tmp_path / "second")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_no_other_device_no_projection_and_no_graph(tiny, tmp_path):
    folder = made(tiny("bert")).save(tmp_path / "model")
    with pytest.raises(UsageError, match="runs on cpu"):
        affekt.load(folder, device="cuda")
    with pytest.raises(ModelError, match="no projection"):
        affekt.load(folder).save(tmp_path / "again", projected=True)
    with pytest.raises(ModelError, match="has no ONNX export"):
        export(folder, tmp_path / "graph")


def spoiled(folder: Path, name: str, tensor: str, values: np.ndarray | None) -> None:
    tensors = load_file(folder / name)
    if values is None:
        del tensors[tensor]
    else:
        tensors[tensor] = values.astype(tensors[tensor].dtype)
    save_file(tensors, folder / name)


@pytest.mark.parametrize(
    ("name", "tensor", "values", "said"),
    [
        ("model.safetensors", "embeddings", np.zeros((3, 6)), "fit another tokenizer"),
        ("model.safetensors", "embeddings", np.full((3, 6), np.nan), "not numbers in embeddings"),
        ("model.safetensors", "embeddings", None, "not a whole model folder"),
        ("head.safetensors", "out.weight", np.zeros((4, 6)), "fit another model"),
        ("head.safetensors", "dense.bias", np.zeros(5), "fit another model"),
        ("head.safetensors", "dense.weight", None, "not a whole head"),
    ],
)
def test_damaged_folders_are_refused_in_a_sentence(tiny, tmp_path, name, tensor, values, said):
    folder = made(tiny("bert")).save(tmp_path / "model")
    spoiled(folder, name, tensor, values)
    with pytest.raises(ModelError, match=said):
        affekt.load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "head.safetensors", "tokenizer.json", "encoder.json"])
def test_a_missing_or_broken_file_is_refused(tiny, tmp_path, name):
    folder = made(tiny("bert")).save(tmp_path / "model")
    shutil.copytree(folder, tmp_path / "broken")
    (folder / name).unlink()
    (tmp_path / "broken" / name).write_bytes(b"{}")
    for place in (folder, tmp_path / "broken"):
        with pytest.raises(ModelError, match="not a whole"):
            affekt.load(place)


def test_no_torch_is_loaded(tiny, tmp_path):
    folder = made(tiny("bert")).save(tmp_path / "model")
    program = (
        "import json, sys, affekt; made = affekt.load(sys.argv[1]).probabilities(['so happy']).tolist()\n"
    )
    program += "print(json.dumps([made, sorted({'torch', 'transformers'} & set(sys.modules))]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    probabilities, heavy = json.loads(done.stdout)
    assert heavy == []
    np.testing.assert_allclose(probabilities, affekt.load(folder).probabilities(["so happy"]))
