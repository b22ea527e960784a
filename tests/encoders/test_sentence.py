"""The files by which SentenceTransformer and affekt understand each other; test_network.py opens them."""

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from affekt.encoders.sentence import read_sentence_transformer, write_sentence_transformer
from affekt.errors import ModelError


def pooled_by(folder, **modes) -> str:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    return str(folder)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_what_is_written_is_read(tmp_path, pooling):
    write_sentence_transformer(tmp_path, dimension=32, pooling=pooling, max_length=77)
    assert read_sentence_transformer(str(tmp_path)) == {"pooling": pooling, "max_length": 77}


def test_a_folder_that_says_nothing_is_pooled_by_the_mean(tmp_path):
    assert read_sentence_transformer(str(tmp_path)) == {"pooling": "mean"}


def test_the_newer_form_of_the_pooling_file_is_read(tmp_path):
    assert read_sentence_transformer(pooled_by(tmp_path, pooling_mode="cls")) == {"pooling": "cls"}


@pytest.mark.parametrize(
    "modes",
    [
        {"pooling_mode": "lasttoken"},
        {"pooling_mode_max_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
    ],
)
def test_another_pooling_is_refused_rather_than_mistaken(tmp_path, modes):
    with pytest.raises(ModelError, match="pools by cls or mean only"):
        read_sentence_transformer(pooled_by(tmp_path, **modes))


@pytest.mark.parametrize(
    "kind", ["models.Dense", "sentence_transformer.modules.dense.Dense", "models.LayerNorm"]
)
def test_modules_that_affekt_would_leave_out_are_refused(tmp_path, kind):
    write_sentence_transformer(tmp_path, dimension=4, pooling="cls", max_length=9)
    path = tmp_path / "modules.json"
    module = {"idx": 3, "name": "3", "path": "3_More", "type": f"sentence_transformers.{kind}"}
    path.write_text(json.dumps([*json.loads(path.read_text()), module]))
    with pytest.raises(
        ModelError, match=rf"pass through {kind.rpartition('.')[2]}, which affekt would leave"
    ):
        read_sentence_transformer(str(tmp_path))


@pytest.mark.parametrize("content", ["", "{", "7", "[{}", '["Dense"]', '{"pooling_mode": "cls"', b"\xff"])
@pytest.mark.parametrize("file", ["modules.json", "1_Pooling/config.json", "sentence_bert_config.json"])
def test_a_damaged_file_is_a_fault_and_not_a_file_that_says_nothing(tmp_path, file, content):
    write_sentence_transformer(tmp_path, dimension=4, pooling="cls", max_length=9)
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError, match=str(tmp_path)):
        read_sentence_transformer(str(tmp_path))


def test_vectors_end_at_unit_length_after_the_projection_if_there_is_one(tmp_path):
    layers = [nn.Linear(4, 3), nn.Linear(3, 2)]
    write_sentence_transformer(tmp_path, dimension=4, pooling="cls", max_length=9, dense=layers)
    kinds = [
        module["type"].rpartition(".")[2] for module in json.loads((tmp_path / "modules.json").read_text())
    ]
    assert kinds == ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
    for name, layer in zip(("2_Dense", "3_Dense"), layers, strict=True):
        assert torch.equal(load_file(tmp_path / name / "model.safetensors")["linear.weight"], layer.weight)
