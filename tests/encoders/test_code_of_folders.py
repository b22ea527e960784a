"""Nothing that lies in a model's folder is ever executed, whoever asks and whatever is answered."""

import io
import json
import sys

import pytest
import torch

import affekt
from affekt.cli import main
from affekt.encoders.charbert import CharBertEncoder
from affekt.encoders.pretrained import load_pretrained
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network
from tiny import save_encoder

CODE = """
import pathlib
pathlib.Path({mark!r}).touch()
from transformers import BertConfig, BertModel, BertTokenizer
class Config(BertConfig):
    model_type = "affekt-test"
class Encoder(BertModel):
    config_class = Config
class Reader(BertTokenizer): pass
"""
MAPS = {
    "config.json": {"AutoConfig": "code.Config", "AutoModel": "code.Encoder"},
    "tokenizer_config.json": {"AutoTokenizer": ["code.Reader", "code.Reader"]},
}


def with_code(folder, file):
    """Let a file of a folder ask for code that leaves a mark; return where the mark would be."""
    mark = folder.parent / "ran"
    (folder / "code.py").write_text(CODE.format(mark=str(mark)))
    described = json.loads((folder / file).read_text())
    if file == "config.json":
        described["model_type"] = "affekt-test"  # of a family transformers knows it would not ask
    else:
        described["tokenizer_class"] = "Reader"
    (folder / file).write_text(json.dumps(described | {"auto_map": MAPS[file]}))
    return mark


@pytest.fixture(params=MAPS)
def armed(request, tmp_path, monkeypatch):
    """A folder that asks for its code, and somebody who answers yes."""
    folder = save_encoder("bert", tmp_path / "bert")
    mark = with_code(folder, request.param)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))
    yield folder
    assert not mark.exists()


REFUSED = "asks for code that comes with the model, and affekt never"


@pytest.mark.parametrize("opened", [affekt.load, load_pretrained, CharBertEncoder.from_plain])
def test_a_folder_that_asks_for_code_of_its_own_is_refused(armed, opened):
    with pytest.raises(ModelError, match=REFUSED) as caught:
        opened(str(armed))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", MAPS)
def test_a_model_of_our_own_to_which_code_was_added_is_refused(tiny, tmp_path, file):
    network = Network(TransformerEncoder.pretrained(tiny("bert")))
    folder = Model(TorchRuntime(network)).save(tmp_path / "model")
    mark = with_code(folder, file)
    with pytest.raises(ModelError, match=REFUSED):
        affekt.load(folder)
    assert not mark.exists()


def test_a_saved_charbert_to_which_code_was_added_is_refused(tiny, tmp_path):
    folder = tmp_path / "model"
    Model(TorchRuntime(Network(CharBertEncoder.from_plain(tiny("bert"))))).save(folder)
    mark = with_code(folder, "tokenizer_config.json")
    with pytest.raises(ModelError, match=REFUSED):
        affekt.load(folder)
    assert not mark.exists()


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_a_kernel_from_the_hub_is_code_too(tmp_path, key):
    folder = save_encoder("bert", tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: "somebody/kernel"}))
    with pytest.raises(ModelError, match=REFUSED):
        load_pretrained(str(folder))


def test_an_answer_on_standard_input_changes_nothing(tmp_path, monkeypatch, capsys):
    folder = save_encoder("bert", tmp_path / "bert")
    mark = with_code(folder, "config.json")
    monkeypatch.setattr(sys, "argv", ["affekt", "predict", "-m", str(folder), "so happy"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\n"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert REFUSED in " ".join(capsys.readouterr().err.split())
    assert not mark.exists()


def test_weights_in_a_pickle_are_refused(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(
        ModelError, match=r"its weights are a pickle \(pytorch_model\.bin\), which affekt never"
    ):
        affekt.load(str(folder))
