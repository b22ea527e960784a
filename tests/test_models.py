"""The distribution of the ready model: built from a run, in half precision, with its card; and its size."""

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from affekt.encoders.pretrained import load_pretrained
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference.export import export
from affekt.inference.model import load
from affekt.runs.folder import RunFolder
from affekt.training.run import train
from tiny import save_classifier
from training.toys import SEVERAL, run_recipe, sample_files

ROOT = Path(__file__).parents[1]
TREE = ROOT / "models" / "affekt-small"
TEXTS = ["so happy today", "sad and in fear", ""]


@pytest.fixture(scope="module")
def builder():
    described = importlib.util.spec_from_file_location("build_of_models", ROOT / "models" / "build.py")
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """A run of a tiny classifier of six emotions, several a text."""
    place = tmp_path_factory.mktemp("run")
    data = {**sample_files(place), **SEVERAL}
    recipe = run_recipe(tiny("bert"), data, training={"epochs": 1})
    train(recipe, place / "run", command=f"affekt train {place}/mine.yaml --out {place}/run")
    return place / "run"


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    figures = {"f1_macro": {"value": 0.5, "low": 0.4, "high": 0.6}, "accuracy": {"value": 0.7}}
    found = {
        "data": "posts",
        "split": "test",
        "n": 1234,
        "taxonomy": "ekman",
        "judged_labels": ["joy"],
    }
    path = tmp_path_factory.mktemp("unseen") / "posts.json"
    path.write_text(json.dumps({**found, "classification": figures}))
    return path


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """What `affekt audit --json` writes, of one kind of pairs and two labels."""

    def label(name, mean, worst, p):
        span = {"mean": mean, "low": mean - 0.01, "high": mean + 0.01, "p_holm": p}
        return {"label": name, **span, "worst": {"change": worst}}

    labels = [label("joy", -0.02, 0.1, 0.01), label("fear", 0.01, -0.3, 0.5)]
    kind = {"kind": "age", "first": "young", "second": "old", "pairs": 1200, "otherwise": 0.125}
    rates = {"n": 2000, "rate": 0.3, "same_length": 0.2, "value": 0.1, "low": 0.05, "high": 0.15}
    words = [{"term": term, **rates, "p_holm": p} for term, p in (("gay", 0.01), ("old", 0.9))]
    terms = {"data": "jigsaw-toxic", "with": rates, "words": words}
    path = tmp_path_factory.mktemp("audit") / "audit.json"
    found = {"source": "templates", "pairs": 1200, "kinds": [{**kind, "labels": labels}], "terms": terms}
    path.write_text(json.dumps(found))
    return path


@pytest.fixture(scope="module")
def built(builder, run, unseen, audit, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "affekt-small"
    shutil.copytree(TREE, out, ignore=shutil.ignore_patterns("model", "build", "*.egg-info"))
    made = builder.build(
        run, out, seeds=[run], teachers=[run], unseen=[unseen], data=["goemotions"], audits=[audit]
    )
    return out, made


def test_the_model_answers_as_the_run_s_does(built, run):
    out, made = built
    half, whole = load(out / "affekt_small" / "model"), load(run)
    assert half.probabilities(TEXTS) == pytest.approx(whole.probabilities(TEXTS), abs=5e-3)
    assert half.embed(TEXTS) == pytest.approx(whole.embed(TEXTS), abs=5e-3)
    assert half.decisions == whole.decisions
    assert list(half.coarse) == ["ekman", "sentiment"]
    assert made["moved"] < 5e-3


def test_the_card_says_what_an_audit_found(built):
    card = (built[0] / "README.md").read_text(encoding="utf-8")
    assert "| age: young to old | 1,200 | 12.5% | joy -2.0 (-3.0 to -1.0) * | fear -30.0 |" in card
    assert "30.0% are given a negative emotion" in card
    assert "beyond chance: gay +10.0 (+5.0 to +15.0)." in card


def test_its_weights_are_half_as_long_and_computed_with_as_float32(built, run):
    folder = built[0] / "affekt_small" / "model"
    assert {str(tensor.dtype) for tensor in load_file(folder / "model.safetensors").values()} == {"float16"}
    whole = (run / "model" / "model.safetensors").stat().st_size
    assert (folder / "model.safetensors").stat().st_size < 0.55 * whole
    backbone, _ = load_pretrained(str(folder))
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}


def test_it_opens_in_plain_transformers_and_in_sentence_transformers(built):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = str(built[0] / "affekt_small" / "model")
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
    )
    assert model.dtype == torch.float32
    ours = load(folder)
    with torch.no_grad():
        logits = model.eval()(**tokenizer(TEXTS[:2], padding=True, return_tensors="pt")).logits
    assert torch.sigmoid(logits).numpy() == pytest.approx(ours.probabilities(TEXTS[:2]), abs=5e-3)
    sentences = pytest.importorskip("sentence_transformers").SentenceTransformer(folder, device="cpu")
    vectors = sentences.encode(TEXTS[:2], normalize_embeddings=True)
    assert vectors == pytest.approx(ours.embed(TEXTS[:2]), abs=1e-4)


def test_training_starts_from_it_by_its_folder(built, tmp_path):
    folder = str(built[0] / "affekt_small" / "model")
    recipe = run_recipe(folder, {**sample_files(tmp_path), **SEVERAL}, training={"epochs": 1})
    assert np.isfinite(train(recipe, tmp_path / "run")["test"]["fixed"]["f1_macro"]["value"])


def test_the_card_says_what_it_is_and_no_text_of_a_corpus(built, run):
    card = (built[0] / "README.md").read_text(encoding="utf-8")
    metrics = RunFolder(run).metrics
    assert "Demszky et al. 2020" in card
    assert "CC BY 4.0" in card
    value = metrics["test"]["fitted"]["f1_macro"]["value"]
    assert f"{value:.3f}".lstrip("0") in card
    assert "posts, test | ekman: joy | 1,234 | .500 [.400, .600] | .700 |" in card
    assert all(f"| {label} |" in card for label in metrics["data"]["labels"])
    assert "affekt train mine.yaml --out run" in card
    assert "too few" not in card
    assert str(run.parent) not in card
    written = [file.read_bytes() for file in built[0].rglob("*") if file.is_file()]
    for part in RunFolder(run).predictions.values():
        for text in part.texts:
            assert not any(text.encode() in one for one in written)


def test_the_card_of_a_soup_names_its_runs_and_how_each_was_trained(builder, run, tmp_path):
    soup = shutil.copytree(run, tmp_path / "soup")
    metrics = json.loads((run / "metrics.json").read_text())
    metrics |= {"soup": {"runs": ["a", "b"], "seeds": [1, 2]}, "command": "affekt soup a b"}
    (soup / "metrics.json").write_text(json.dumps(metrics))
    builder.build(soup, tmp_path / "out", seeds=[run])
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "tiny, mean weights of seeds 1, 2, test split of" in card
    assert "affekt train mine.yaml --out run\naffekt soup a b\npython models/build.py RUN" in card


def test_what_cannot_be_built_is_one_sentence(builder, run, tmp_path, monkeypatch, capsys):
    assert builder.main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "holds no metrics.json" in said
    assert len(said.splitlines()) == 1
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(UsageError, match="is not what `affekt evaluate"):
        builder.build(run, tmp_path / "out", unseen=[tmp_path / "odd.json"])
    with pytest.raises(UsageError, match="affekt audit"):
        builder.build(run, tmp_path / "out", audits=[tmp_path / "odd.json"])
    monkeypatch.setattr(builder, "LIMIT", 1000)
    with pytest.raises(ModelError, match="more than 0 MB"):
        builder.build(run, tmp_path / "out")
    monkeypatch.setattr(builder, "APART", -1.0)
    with pytest.raises(ModelError, match="half precision moves a probability"):
        builder.build(run, tmp_path / "out")
    copy = shutil.copytree(run, tmp_path / "bare")
    (copy / "predictions.parquet").unlink()
    with pytest.raises(DataError, match="holds no predictions of dev"):
        builder.build(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def graph(run, tmp_path_factory):
    """The run's model as a graph."""
    export(run, folder := tmp_path_factory.mktemp("graph") / "fast")
    return folder


def test_a_variant_goes_along_and_the_card_tells_of_it(builder, run, graph, tmp_path, monkeypatch):
    made = builder.build(run, tmp_path / "out", variants={"fast": graph})
    folder = tmp_path / "out" / "affekt_small" / "model"
    fast = load(folder, speed="fast")
    assert "onnxruntime" in fast.runtime.opens_in
    assert list(fast.coarse) == ["ekman", "sentiment"]
    assert fast.probabilities(TEXTS) == pytest.approx(load(run).probabilities(TEXTS), abs=1e-4)
    assert [row["speed"] for row in made["variants"]] == ["fast"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| fast | 0 | – | – | – | – |" in card.split("## Faster")[1].split("## Known limits")[0]
    monkeypatch.setitem(builder.VARIANTS, "fast", 1000)
    with pytest.raises(ModelError, match=r"fast takes .* more than 0 MB"):
        builder.build(run, tmp_path / "other", variants={"fast": graph})


def test_a_variant_of_another_model_is_refused(builder, run, tiny, tmp_path):
    other = save_classifier(tiny("bert"), ["joy", "fear"], tmp_path / "fast", single_label=False)
    with pytest.raises(ModelError, match="has other labels than the model"):
        builder.build(run, tmp_path / "out", variants={"fast": other})


def test_numbers_that_half_precision_cannot_hold_are_refused(builder, tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.array([1.0, -7e4], dtype=np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="holds 70000, which half precision cannot"):
        builder.halve(tmp_path / "model.safetensors")


def test_a_wheel_holds_the_whole_model(built, tmp_path):
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools is older than 77, which reads the licence")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(tmp_path), str(built[0])], check=True, capture_output=True)
    [wheel] = tmp_path.glob("affekt_small-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = built[0] / "affekt_small"
    wanted = {f"affekt_small/{file.relative_to(package)}" for file in package.rglob("*") if file.is_file()}
    assert {name for name in wanted if "__pycache__" not in name} <= names


def test_the_committed_model_is_small_enough_and_whole():
    folder = TREE / "affekt_small" / "model"
    if not folder.exists():
        pytest.skip("the weights are not here")
    files = [file for file in folder.rglob("*") if file.is_file()]
    for name, limit in (("fast", 25_000_000), ("fastest", 10_000_000), ("", 48_000_000)):
        inside = [file for file in files if name in ("", file.relative_to(folder).parts[0])]
        files = [file for file in files if file not in inside]
        assert sum(file.stat().st_size for file in inside) <= limit
    assert len(load(folder).labels) == 28
