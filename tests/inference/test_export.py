"""A model as a graph: the same answers without torch, whatever else is in the batch."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import affekt
from affekt.data.corpus import Corpus
from affekt.decisions import Calibration, Decisions
from affekt.encoders.tfidf import TfidfEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError, UsageError
from affekt.inference.export import export as export_model
from affekt.inference.model import Model
from affekt.inference.runtimes.onnx import GRAPHS, OnnxRuntime, _batches
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import Projection, build_head
from affekt.networks.network import Network
from tiny import FAMILIES, TEXTS

pytest.importorskip("onnx", reason="export needs onnx")

LABELS = ("joy", "so happy", "sad")
GRAPHED = [family for family in FAMILIES if family != "bertweet"]
MANY = [
    *TEXTS,
    "<pad> love",
    "sad \ud83d",
    "the day " * 30,
    *(f"so {word} today" for word in ["a", "b", "c", "d"]),
]
HEADS = {
    "classification": {"pooling": "mean"},
    "linear": {"pooling": "cls"},
    "label-span": {"pooling": "cls", "label_words": LABELS},
}


def export(model, out, **options) -> Path:
    export_model(model, out, **options)
    return out


def model(folder: str, head: str | None, *, single_label: bool = False, **options) -> Model:
    torch.manual_seed(3)
    given = {"max_length": 30, **(HEADS[head] if head else {}), **options}
    encoder = TransformerEncoder.pretrained(folder, **given)
    if head is None:
        return Model(TorchRuntime(Network(encoder).eval()))
    network = Network(encoder, build_head(encoder, len(LABELS), kind=head), Projection(encoder.dimension, 5))
    decisions = Decisions.unfitted(len(LABELS), single_label=single_label)
    line = Calibration("temperature", (0.4,) * 3, (0.0,) * 3)
    if not single_label:
        line = Calibration("platt", (0.4, 1.5, 2.0), (0.3, 0.0, -0.7))
    decided = replace(decisions, calibration=line)
    return Model(TorchRuntime(network.eval()), LABELS, single_label, decided, about={"data": "none"})


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", GRAPHED)
def test_a_graph_gives_the_models_answers(tiny, tmp_path, family, head):
    made = model(tiny(family), head, single_label=head == "linear")
    folder = export(made.save(tmp_path / "model"), tmp_path / "graph")
    opened = affekt.load(folder)
    assert isinstance(opened.runtime, OnnxRuntime)
    assert (opened.labels, opened.decisions, opened.about) == (made.labels, made.decisions, made.about)
    for name, options in (
        ("logits", {}),
        ("embed", {}),
        ("embed", {"projected": True}),
        ("probabilities", {}),
    ):
        ours, theirs = (getattr(one, name)(MANY, **options) for one in (opened, made))
        np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(opened.logits_and_vectors(MANY)[0], opened.logits(MANY))
    assert [one.labels for one in opened.predict(MANY)] == [one.labels for one in made.predict(MANY)]


def test_the_graph_alone_gives_calibrated_probabilities_and_sentence_vectors(tiny, tmp_path):
    import onnxruntime

    made = model(tiny("bert"), "classification")
    folder = export(made.save(tmp_path / "model"), tmp_path / "graph")
    session = onnxruntime.InferenceSession(folder / GRAPHS["float32"], providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()][:2] == ["probabilities", "vectors"]
    rows = made.runtime.network.encoder.tokenize(MANY)
    batch = made.runtime.network.encoder.collate(rows)
    given = {"input_ids": batch["ids"].numpy(), "attention_mask": batch["mask"].long().numpy()}
    probabilities, vectors = session.run(["probabilities", "vectors"], given)
    np.testing.assert_allclose(probabilities, made.probabilities(MANY), atol=1e-5)
    np.testing.assert_allclose(vectors, made.embed(MANY, unit=False), atol=1e-5)
    assert {node.domain for node in loaded(folder).graph.node if "Attention" in node.op_type} == {
        "com.microsoft"
    }


def test_a_folder_from_before_with_its_graph_at_the_top_opens_as_ever(tiny, tmp_path):
    made = model(tiny("bert"), "linear")
    folder = export(made.save(tmp_path / "model"), tmp_path / "graph")
    (folder / GRAPHS["float32"]).rename(folder / "model.onnx")
    for name in ("config.json", "tokenizer_config.json"):
        (folder / name).unlink()
    opened = affekt.load(folder)
    np.testing.assert_allclose(opened.probabilities(MANY), made.probabilities(MANY), atol=1e-5)
    assert opened.runtime.opens_in == ("affekt", "onnxruntime")
    again = affekt.load(opened.save(tmp_path / "again"))
    np.testing.assert_array_equal(again.logits(MANY), opened.logits(MANY))


# --- transformers.js


@pytest.mark.parametrize("single_label", [False, True])
def test_the_folder_says_what_transformers_js_asks_for(tiny, tmp_path, single_label):
    import onnxruntime

    made = model(tiny("bert"), "linear", single_label=single_label)
    folder = export(made.save(tmp_path / "model"), tmp_path / "graph")
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "bert"
    assert str(tmp_path) not in (folder / "config.json").read_text()
    assert config["id2label"] == {str(i): label for i, label in enumerate(LABELS)}
    assert config["problem_type"].startswith("single" if single_label else "multi")
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 30
    assert affekt.load(folder).runtime.opens_in == ("affekt", "onnxruntime", "transformers.js")
    session = onnxruntime.InferenceSession(folder / GRAPHS["float32"], providers=["CPUExecutionProvider"])
    [ids] = made.runtime.network.encoder.tokenize(["so happy"])
    given = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
    probabilities, logits = session.run(["probabilities", "logits"], given)
    spread = np.exp(logits) / np.exp(logits).sum() if single_label else 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(spread, probabilities, atol=1e-6)


def test_label_words_before_a_text_are_nothing_for_transformers_js(tiny, tmp_path):
    folder = export(model(tiny("bert"), "label-span").save(tmp_path / "model"), tmp_path / "graph")
    assert not (folder / "config.json").exists()
    assert affekt.load(folder).runtime.opens_in == ("affekt", "onnxruntime")


JAVASCRIPT = """
import {env, pipeline} from "@huggingface/transformers";
env.allowRemoteModels = false;
env.localModelPath = process.argv[2];
const classify = await pipeline("text-classification", process.argv[3], {dtype: process.argv[4]});
const texts = JSON.parse(process.argv[5]), all = [];
for (const text of texts) {
  const found = await classify(text, {top_k: null});
  all.push(Object.fromEntries(found.map(({label, score}) => [label, score])));
}
console.log(JSON.stringify(all));
"""


def in_transformers_js(folder: Path, texts: list[str], dtype: str = "fp32") -> list[dict[str, float]]:
    """The scores that transformers.js gives; skips where it, or node, is not here."""
    modules = Path(os.environ.get("NODE_MODULES", "node_modules")).resolve()
    if shutil.which("node") is None or not (modules / "@huggingface" / "transformers").is_dir():
        pytest.skip("transformers.js is not here; say with NODE_MODULES in which folder it is")
    script = modules.parent / "affekt-export-test.mjs"
    script.write_text(JAVASCRIPT)
    command = ["node", script, f"{folder.parent}/", folder.name, dtype, json.dumps(texts)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        script.unlink()
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("single_label", [False, True])
def test_transformers_js_gives_the_same_scores(tiny, tmp_path, single_label):
    made = model(tiny("bert"), "linear", single_label=single_label)
    folder = export(made.save(tmp_path / "model"), tmp_path / "graph")
    texts = ["so happy today", "", "sad 😡 東京", "the day " * 30]
    expected = made.probabilities(texts)
    for found, row in zip(in_transformers_js(folder, texts), expected, strict=True):
        np.testing.assert_allclose([found[label] for label in LABELS], row, atol=1e-3)


def loaded(folder: Path):
    import onnx

    return onnx.load(next(folder.glob("onnx/*.onnx")))


def test_an_encoder_without_a_head_only_embeds(tiny, tmp_path):
    made = model(tiny("mpnet"), None, pooling="mean")
    opened = affekt.load(export(made.save(tmp_path / "model"), tmp_path / "graph"))
    np.testing.assert_allclose(opened.embed(MANY), made.embed(MANY), atol=1e-5)
    with pytest.raises(ModelError, match="without a classifier"):
        opened.predict(MANY)
    with pytest.raises(ModelError, match="no projection"):
        opened.embed(MANY, projected=True)


def test_no_texts_give_no_rows(tiny, tmp_path):
    opened = affekt.load(export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph"))
    assert opened.probabilities([]).shape == (0, 3)
    assert opened.embed([]).shape == (0, 32)


def test_a_texts_numbers_do_not_depend_on_its_neighbours(tiny, tmp_path):
    opened = affekt.load(export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph"))
    together = opened.probabilities(MANY)
    for batch_size in (1, 2, 1000):
        np.testing.assert_allclose(opened.probabilities(MANY, batch_size=batch_size), together, atol=1e-6)
    alone = np.concatenate([opened.probabilities(text) for text in MANY])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(opened.probabilities(MANY[::-1])[::-1], together, atol=1e-6)


def test_steady_answers_are_the_same_to_the_last_bit_whatever_else_is_asked(tiny, tmp_path):
    opened = affekt.load(export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph"))
    steady = opened.steady()
    together = steady.logits(MANY)
    alone = np.concatenate([steady.logits(text) for text in MANY])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(steady.logits(MANY[::-1], batch_size=3)[::-1], together)
    np.testing.assert_allclose(opened.logits(MANY), together, atol=1e-5)


def test_batches_hold_texts_of_one_width_and_at_most_so_many_positions():
    widths = [8, 64, 8, 128, 8, 512]
    assert _batches(widths, 2) == [([5], 512), ([3], 128), ([1], 64), ([0, 2], 8), ([4], 8)]
    assert _batches([8] * 40, 64)[0] == (list(range(32)), 8)


def test_a_graph_is_run_without_torch_and_transformers(tiny, tmp_path):
    folder = export(model(tiny("bert"), "classification").save(tmp_path / "model"), tmp_path / "graph")
    program = (
        f"import sys, affekt; print(affekt.load({str(folder)!r}).predict('so happy')[0].labels);"
        "print([name for name in ('torch', 'transformers', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_opened_graph_can_be_saved_and_not_under_another_calibration(tiny, tmp_path):
    opened = affekt.load(export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph"))
    again = affekt.load(opened.save(tmp_path / "copy"))
    np.testing.assert_array_equal(again.logits(MANY), opened.logits(MANY))
    other = opened.with_decisions(Decisions.unfitted(3, single_label=False))
    with pytest.raises(ModelError, match="has its calibration inside"):
        other.save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_graph_runs_on_the_processor_only(tiny, tmp_path):
    folder = export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph")
    with pytest.raises(UsageError, match="runs on cpu"):
        affekt.load(folder, device="cuda")


@pytest.mark.parametrize("spoil", ["onnx/model.onnx", "tokenizer.json"])
@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_a_damaged_folder_is_one_sentence(tiny, tmp_path, spoil, content):
    folder = export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph")
    (folder / spoil).unlink() if content is None else (folder / spoil).write_bytes(content)
    with pytest.raises(ModelError, match="not a whole model folder") as caught:
        affekt.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [{"max_length": None}, {"head": 3}, {"line": [[1.0]]}, None])
def test_a_damaged_card_is_one_sentence(tiny, tmp_path, change):
    folder = export(model(tiny("bert"), "linear").save(tmp_path / "model"), tmp_path / "graph")
    card = json.loads((folder / "affekt.json").read_text())
    graph = {**card["network"]["graph"], **change} if change else []
    (folder / "affekt.json").write_text(json.dumps(card | {"network": {"graph": graph}}))
    with pytest.raises(ModelError, match="not a whole model folder"):
        affekt.load(folder)


# --- what has no export -------------------------------------------------------------------------------------


def test_another_kind_of_encoder_is_refused(tmp_path):
    encoder = TfidfEncoder.build(TEXTS, min_count=1)
    folder = Model(TorchRuntime(Network(encoder).eval())).save(tmp_path / "model")
    with pytest.raises(ModelError, match="'tfidf' have no ONNX export"):
        export(folder, tmp_path / "graph")
    assert not (tmp_path / "graph").exists()


def test_another_activation_is_refused(tiny, tmp_path):
    made = model(tiny("bert"), "linear")
    made.runtime.network.encoder.backbone.config.hidden_act = "silu"
    with pytest.raises(ModelError, match="activation 'silu' has no ONNX export"):
        export(made.save(tmp_path / "model"), tmp_path / "graph")


def test_a_tokenizer_in_python_is_refused(tiny, tmp_path):
    folder = model(tiny("bertweet"), "linear").save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"BertweetTokenizer, is Python.*has no ONNX export"):
        export(folder, tmp_path / "graph")


def test_a_graph_is_not_exported_again_and_no_folder_is_overwritten(tiny, tmp_path):
    folder = model(tiny("bert"), "linear").save(tmp_path / "model")
    graph = export(folder, tmp_path / "graph")
    with pytest.raises(ModelError, match="is a graph already"):
        export(graph, tmp_path / "again")
    with pytest.raises(UsageError, match="is the model itself"):
        export(folder, folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(UsageError, match="holds other files"):
        export(folder, tmp_path / "other")
    assert export(folder, graph) == graph


def test_a_model_of_several_tasks_is_refused(tiny, tmp_path, monkeypatch):
    from affekt.inference import export as room

    made = model(tiny("bert"), "linear")
    made.others["more"] = made
    monkeypatch.setattr(room, "load", lambda *given, **options: made)
    with pytest.raises(ModelError, match="of several corpora has no ONNX export"):
        export("any", tmp_path / "graph")


def test_without_the_libraries_each_is_named(tiny, tmp_path, monkeypatch):
    folder = model(tiny("bert"), "linear").save(tmp_path / "model")
    graph = export(folder, tmp_path / "graph")
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx"] + [
        "affekt.networks.graph"
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"exporting needs onnx: pip install 'affekt\[export\]'"):
        export(folder, tmp_path / "again")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="onnxruntime, which is not here: pip install onnxruntime"):
        affekt.load(graph)


# --- in 8 bits ----------------------------------------------------------------------------------------------


def dev_of(made: Model, n: int = 60, *, seed: int = 0) -> Corpus:
    """Texts that a model is mostly right about."""
    generator = np.random.default_rng(seed)
    words = ["i", "love", "play", "so", "happy", "sad", "day", "the", "joy", "anger", "fear", "and", "was"]
    texts = [" ".join(generator.choice(words, generator.integers(1, 25))) for _ in range(n)]
    decided = made.deciding().decide(made.probabilities(texts))
    wrong = generator.random(decided.shape) < (0.0 if made.single_label else 0.1)
    ids = [str(i) for i in range(n)]
    return Corpus(texts, (decided ^ wrong).astype(np.float32), LABELS, made.single_label, ids, "mine", "dev")


def lively(folder: str, head: str, *, single_label: bool = False) -> Model:
    """A model whose answers differ from text to text."""
    made = model(folder, head, single_label=single_label)
    logits = made.logits(dev_texts := dev_of(made).texts)
    assert dev_texts
    line = tuple(float(value) for value in 1.5 / logits.std(0))
    middle = tuple(float(value) for value in -1.5 * logits.mean(0) / logits.std(0))
    kind = "platt"
    if single_label:
        kind, line, middle = "temperature", (1.0,) * 3, (0.0,) * 3
    return made.with_decisions(replace(made.decisions, calibration=Calibration(kind, line, middle)))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", ["bert", "electra", "mpnet", "distilbert", "roberta"])
def test_in_8_bits_a_texts_numbers_do_not_depend_on_its_neighbours(tiny, tmp_path, family, head):
    made = lively(tiny(family), head)
    folder = export(made.save(tmp_path / "m"), tmp_path / "int8", int8=True, dev=dev_of(made), loss=1.0)
    opened = affekt.load(folder)
    texts = [*MANY, *dev_of(made, 100, seed=1).texts]
    together = opened.probabilities(texts)
    assert together.std(0).min() > 0.001
    for batch_size in (1, 3, 1000):
        np.testing.assert_allclose(opened.probabilities(texts, batch_size=batch_size), together, atol=1e-6)
    np.testing.assert_allclose(opened.probabilities(texts[::-1])[::-1], together, atol=1e-6)
    alone = np.concatenate([opened.probabilities(text) for text in texts[:20]])
    np.testing.assert_allclose(alone, together[:20], atol=1e-6)
    assert 0 < np.abs(opened.embed(texts) - made.embed(texts)).max() < 0.1


def test_in_8_bits_decisions_are_fitted_anew_and_the_card_says_what_changed(tiny, tmp_path):
    made = lively(tiny("bert"), "classification")
    dev = dev_of(made)
    folder = export(made.save(tmp_path / "m"), tmp_path / "int8", int8=True, dev=dev, loss=1.0)
    opened = affekt.load(folder)
    assert opened.decisions.fitted_on == {"split": "dev", "digest": dev.digest, "n": 60}
    assert opened.decisions.calibration.kind == "platt"
    assert opened.decisions.calibration != made.decisions.calibration
    said = opened.about["graph"]
    assert (said["precision"], said["in_float32"], said["n"], said["dev"]) == ("int8", [], 60, dev.digest)
    old, new = made.probabilities(dev.texts), opened.probabilities(dev.texts)
    assert said["largest_change"] == pytest.approx(np.abs(old - new).max(), abs=1e-5)
    same = made.decisions.decide(old) == opened.decisions.decide(new)
    assert said["agreement"] == pytest.approx(same.all(1).mean())
    assert said["f1_macro"]["before"] > 0.8
    small, large = (
        (export_of / GRAPHS[precision]).stat().st_size
        for precision, export_of in (("int8", folder), ("float32", export(tmp_path / "m", tmp_path / "x")))
    )
    assert small < 0.6 * large


def test_what_8_bits_cost_too_much_stays_in_float32_or_is_refused(tiny, tmp_path, monkeypatch):
    from affekt.inference import export as room

    made = lively(tiny("bert"), "classification")
    folder, dev = made.save(tmp_path / "m"), dev_of(made)
    scores = iter([0.9, 0.5, 0.7, 0.9])
    monkeypatch.setattr(room, "macro_f1", lambda *given: next(scores))
    said = affekt.load(export(folder, tmp_path / "int8", int8=True, dev=dev)).about["graph"]
    assert len(said["in_float32"]) == 2
    assert said["f1_macro"] == {"before": 0.9, "after": 0.9}
    scores = iter([0.9] + [0.5] * 9)
    with pytest.raises(
        ModelError, match=r"falls from 0\.900 to 0\.500.*with 4 products in float32; nothing was"
    ):
        export(folder, tmp_path / "other", int8=True, dev=dev)
    assert not (tmp_path / "other").exists()


def test_products_are_ordered_by_what_they_change(tiny, tmp_path):
    from affekt.inference.export import _by_change
    from affekt.networks.graph import products

    made = lively(tiny("bert"), "classification")
    layer = made.runtime.network.encoder.backbone.encoder.layer[1].intermediate.dense
    with torch.no_grad():
        layer.weight[:, 0] *= 300  # one large weight takes the levels from the others
    names = _by_change(made, dev_of(made), tmp_path / "tried")
    assert sorted(names) == sorted(products(made.runtime.network))
    assert names[0] == "layer.1.inner"


def test_8_bits_need_dev_texts_with_the_models_labels(tiny, tmp_path):
    made = lively(tiny("bert"), "classification")
    folder, dev = made.save(tmp_path / "m"), dev_of(made)
    with pytest.raises(UsageError, match="on labelled dev texts"):
        export(folder, tmp_path / "int8", int8=True)
    with pytest.raises(affekt.errors.AffektError, match="test"):
        export(folder, tmp_path / "int8", int8=True, dev=replace(dev, split="test"))
    with pytest.raises(affekt.errors.DataError, match="has the labels"):
        export(folder, tmp_path / "int8", int8=True, dev=replace(dev, labels=("a", "b", "c")))
    assert not (tmp_path / "int8").exists()


def test_an_encoder_alone_needs_none(tiny, tmp_path):
    made = model(tiny("bert"), None, pooling="mean")
    opened = affekt.load(export(made.save(tmp_path / "model"), tmp_path / "int8", int8=True))
    assert 0 < np.abs(opened.embed(MANY) - made.embed(MANY)).max() < 0.1
