"""`affekt sweep` as it is typed."""

import json

import pytest

from affekt.errors import UsageError


def test_a_sweep_prints_its_settings_and_writes_a_page(verb, tmp_path):
    posts = tmp_path / "posts.csv"
    rows = [f"happy glad {i},joy\nafraid scared {i},fear" for i in range(30)]
    posts.write_text("\n".join(["text,labels", *rows]) + "\n")
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(
        f"name: quick\ndata: {{train: {posts}}}\nencoder: {{kind: tfidf}}\nobjective: {{kind: logistic}}\n"
    )
    key = "objective.inverse_regularisation"
    words = (
        "sweep",
        recipe,
        "--over",
        f"{key}=.5,1",
        "--set",
        "encoder.options.components=4",
        "-o",
        tmp_path / "out",
    )
    shown = verb(*words)
    assert "accuracy on dev" in " ".join(shown.split())
    assert f"--set {key}=" in shown
    assert (tmp_path / "out" / "sweep.html").exists()
    assert len(json.loads(verb(*words, "--json"))["settings"]) == 2


@pytest.mark.parametrize("words", [["--over", "a"], ["--over", "a=1", "--seeds", "x"]])
def test_what_is_typed_wrong_is_one_sentence(verb, words):
    with pytest.raises(UsageError):
        verb("sweep", "goemotions-direct", *words)
