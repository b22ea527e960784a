"""Every kind of encoder from its recipe: trained for an epoch, saved, opened, predicting and embedding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affekt.inference.model import load
from affekt.training.run import train
from training.toys import SEVERAL, run_recipe

Data = dict[str, Any]
TEXTS = ["so happy today", "", "😬😬", "a very very long text " * 40, "an unheard-of wrod"]
SMALL_WORDS = {"word_dimension": 6, "min_count": 1}
TRANSFORMER: Data = {"kind": "transformer", "max_length": 24}

KINDS: dict[str, Data] = {
    "transformer, [CLS]": {"encoder": {**TRANSFORMER, "pooling": "cls"}},
    "transformer, mean": {"encoder": {**TRANSFORMER, "pooling": "mean"}, "head": {"kind": "linear"}},
    "transformer, label words": {
        "encoder": {**TRANSFORMER, "label_words": "labels", "max_length": 60},
        "head": {"kind": "label-span"},
        "objective": {"kind": "classify", "correlation": 0.2},
    },
    "transformer, projected": {
        "encoder": TRANSFORMER,
        "objective": {"kind": "supervised-contrastive", "classification": 1.0, "projection": {"out": 8}},
    },
    "transformer, pairs": {"encoder": TRANSFORMER, "objective": {"kind": "contrastive"}},
    "static": {"encoder": {"kind": "static", "max_length": 24, "options": {"dimension": 8}}},
    "charbert": {"encoder": {"kind": "charbert", "max_length": 24, "options": {"character_size": 8}}},
    "bilstm": {"encoder": {"kind": "bilstm", "options": {**SMALL_WORDS, "hidden": 4}}},
    "word-cnn": {
        "encoder": {"kind": "word-cnn", "options": {**SMALL_WORDS, "filters": 4, "blocks": 2}},
        "training": {"optimizer": "adadelta", "learning_rate": 1.0},
    },
    "character-cnn": {
        "encoder": {"kind": "character-cnn", "options": {"length": 200, "features": 4, "hidden": 6}}
    },
    "tfidf": {"encoder": {"kind": "tfidf", "options": {"min_count": 1}}, "objective": {"kind": "logistic"}},
    "tfidf, reduced": {
        "encoder": {"kind": "tfidf", "options": {"reduction": "pca", "components": 5}},
        "objective": {"kind": "logistic"},
    },
    "word-average": {
        "encoder": {"kind": "word-average", "vectors": "made"},
        "objective": {"kind": "logistic", "class_weights": "balanced"},
    },
}


def told(kind: str, tiny: Callable[[str], str], sample: Data, folder: Path) -> Any:
    sections = {name: dict(section) for name, section in KINDS[kind].items()}
    encoder = sections["encoder"]
    if encoder.get("vectors"):
        encoder["vectors"] = str(folder / "vectors.txt")
        words = ["so", "happy", "the", "i", "my", "and", "sad", "love"]
        lines = [f"{word} {i} {i % 3} {i % 2}" for i, word in enumerate(words)]
        (folder / "vectors.txt").write_text("\n".join(lines) + "\n")
    sections["training"] = {"epochs": 1, **sections.get("training", {})}
    several = SEVERAL if "label words" in kind or kind == "bilstm" else {}
    return run_recipe(tiny("bert"), {**sample, **several}, **sections)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_is_trained_saved_opened_and_used(
    kind: str, tiny: Callable[[str], str], sample: Data, tmp_path: Path
) -> None:
    recipe = told(kind, tiny, sample, tmp_path)
    metrics = train(recipe, tmp_path / "run")
    assert metrics["encoder"]["kind"] == recipe.encoder.kind
    model = load(tmp_path / "run")
    vectors = model.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), metrics["encoder"]["dimension"])
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors[0], model.embed(TEXTS[:1])[0], atol=1e-5)  # alone as in company
    if kind == "transformer, pairs":
        assert model.labels == ()
        assert "test" not in metrics
        return
    probabilities = model.probabilities(TEXTS)
    assert probabilities.shape == (len(TEXTS), 6)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if model.single_label:
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert [list(prediction.scores) for prediction in model.predict(TEXTS)] == [list(model.labels)] * len(
        TEXTS
    )
    assert metrics["test"]["fixed"]["f1_macro"]["value"] >= 0
    assert model.about["test"]["f1_macro"] >= 0
