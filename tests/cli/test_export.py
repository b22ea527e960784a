"""`affekt export` as it is typed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import affekt

pytest.importorskip("onnx", reason="export needs onnx")


def test_export_writes_a_folder_beside_the_model_which_every_verb_opens(verb, classifier, tmp_path):
    model = shutil.copytree(classifier, tmp_path / "model")
    assert verb("export", model, "--to", "onnx") == f"{model}-onnx\n"
    graph = Path(f"{model}-onnx")
    ours, theirs = (affekt.load(folder).probabilities(["so happy"]) for folder in (graph, model))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert verb("predict", "so happy", "--model", graph) == verb("predict", "so happy", "--model", model)


def test_the_folder_may_be_named(verb, classifier, tmp_path):
    assert verb("export", classifier, "--out", tmp_path / "small") == f"{tmp_path / 'small'}\n"
    assert {path.name for path in (tmp_path / "small").iterdir()} == {
        "affekt.json",
        "config.json",
        "onnx",
        "tokenizer.json",
        "tokenizer_config.json",
    }
