"""`--speed` of the verbs that have it."""

import shutil

import pytest

from affekt.errors import ModelError
from affekt.inference.export import export


def test_speed_takes_the_variant_that_lies_with_the_model(verb, classifier, tmp_path):
    model = shutil.copytree(classifier, tmp_path / "mine")
    posts = tmp_path / "posts.csv"
    posts.write_text("text\nso happy\n", encoding="utf-8")
    calls = [
        ("predict", "so happy", "--json"),
        ("predict", posts, "--json"),
        ("embed", posts, "-o", tmp_path / "vectors.npy", "--json"),
        ("serve", "--port", "0"),
    ]
    for call in calls:
        with pytest.raises(ModelError, match="has no fast variant"):
            verb(*call, "--model", model, "--speed", "fast")
    export(model, model / "fast")
    for call in calls[:-1]:
        assert verb(*call, "--model", model, "--speed", "fast")
        with pytest.raises(ModelError, match="has no fastest variant"):
            verb(*call, "--model", model, "--speed", "fastest")
