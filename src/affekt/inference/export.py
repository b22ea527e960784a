"""Export: a model's folder for ONNX Runtime, which needs neither torch nor transformers."""

from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.decisions import Decisions, fit
from affekt.errors import DataError, ModelError, UsageError, of_classifier
from affekt.files import CARD, read_json, write_json
from affekt.inference.model import Model, load
from affekt.inference.runtimes.onnx import FOR_OTHERS, GRAPHS, TOKENIZER, OnnxRuntime, Reading
from affekt.inference.runtimes.static import StaticRuntime

_PROBES = (
    "i can't stop smiling, she said yes!!",
    "",
    "The meeting is at 3pm.",
    "so tired of this 😡😡 #done @somebody http://t.co/x " * 12,
    "Ärger, naïve 東京 \t e\u0301",
)
_CLOSE = 1e-3  # of logits and vectors, relative to the largest; float32 differs by a thousandth of it


LOSS = 0.005  # of macro-F1 on dev, the most that 8 bits may cost unless told
_MOST_KEPT = 4  # products left in float32 before 8 bits are given up
_TRIED = 128  # dev texts by which products are ordered


def export(
    model: str | Path, out: str | Path, *, int8: bool = False, dev: Corpus | None = None, loss: float = LOSS
) -> Model:
    """Write a model's graph with head and calibration, its tokenizer and card into a folder, and open it.

    `affekt.load` opens it without torch, and ONNX Runtime alone the graph in it, whose outputs are
    probabilities, vectors and logits. transformers.js opens the folder too, with the same probabilities
    (`dtype` "fp32", or "q8" in 8 bits), where no label words stand before a text.

    Args:
        model: A model or run folder, or the name of an encoder.
        out: A new folder, or one with an older model, which is replaced once the new one is whole.
        int8: Keep weights and compute products in 8 bits; `about["graph"]` says what that changed.
        dev: Labelled texts for `int8`, on which calibration and thresholds are fitted anew as they were.
        loss: How much macro-F1 on dev 8 bits may cost; where they cost more, up to four products stay in
            float32, those that change the logits most.

    Raises:
        ModelError: When the model is of a kind that has no export, or 8 bits cost more than `loss`.
        UsageError: When `out` holds other files, or is the model itself, or dev is missing.
        DataError: When dev has other labels than the model.
    """
    path = Path(out)
    if path.exists() and path.resolve() in {Path(model).resolve(), (Path(model) / "model").resolve()}:
        raise UsageError(f"{path}: is the model itself, which exporting would replace; name a new folder.")
    if path.is_dir() and any(path.iterdir()) and not (path / CARD).exists():
        raise UsageError(f"{path}: holds other files, which exporting would replace; name a new folder.")
    opened = load(model, device="cpu")
    if opened.others:
        raise ModelError(
            "a model of several corpora has no ONNX export, whose graph has one head; use torch."
        )
    with TemporaryDirectory() as place:
        exact = _in_graph(opened, Path(place) / "exact")
        _check_same(opened, exact)
        made = replace(opened, runtime=exact)
        if int8:
            made = _in_eight_bits(opened, exact, dev, loss, Path(place))
        made.save(path)
    return load(path)


def _in_graph(model: Model, folder: Path, kept: Set[str] | None = None) -> OnnxRuntime:
    """Return a runtime over the graph of a model, written into a new folder."""
    network: Any = getattr(model.runtime, "network", None)
    if isinstance(model.runtime, StaticRuntime):
        raise ModelError("a static model runs without torch and layers as it is; it has no ONNX export.")
    if network is None:
        raise ModelError("this model is a graph already; export the one that training wrote.")
    try:
        from affekt.networks.graph import build
    except ImportError as fault:
        raise ModelError(f"exporting needs {fault.name}: pip install 'affekt[export]'.") from fault
    encoder, line = network.encoder, model.decisions.calibration if model.decisions else None
    graph = build(network, line, single_label=model.single_label, kept=kept)
    backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"its tokenizer, {type(encoder.tokenizer).__name__}, is Python that only transformers runs: this "
            "model has no ONNX export; run it by torch."
        )
    precision, prefix = "float32" if kept is None else "int8", encoder.prefix
    (folder / GRAPHS[precision]).parent.mkdir(exist_ok=True, parents=True)
    (folder / GRAPHS[precision]).write_bytes(graph.SerializeToString())
    if prefix is None:
        _for_others(model, encoder, folder)
    backend.save(str(folder / TOKENIZER))
    reading = Reading(
        precision=precision,
        max_length=encoder.max_length,
        head=prefix.head if prefix else (),
        tail=prefix.tail if prefix else (),
        text_segment=prefix.text_segment if prefix else 0,
        filler=encoder.filler,
        line=(line.slopes, line.intercepts) if line else None,
    )
    return OnnxRuntime(folder, reading)


def _for_others(model: Model, encoder: Any, folder: Path) -> None:
    """Write what transformers.js reads besides a graph: family, labels, and how long a text may be."""
    from affekt.networks.families import labelled

    config, tokenizer = (folder / name for name in FOR_OTHERS)
    encoder.tokenizer.save_pretrained(folder)
    write_json(tokenizer, read_json(tokenizer) | {"model_max_length": encoder.max_length})
    labels = labelled(model.labels, single_label=model.single_label) if model.labels else {}
    about = encoder.backbone.config.to_dict() | labels
    about.pop("_name_or_path", None)  # where the model lay is nobody's business
    write_json(config, about)


def _check_same(model: Model, runtime: OnnxRuntime) -> None:
    """Raise ModelError where a graph does not give a model's answers, as of an odd family."""
    network: Any = getattr(model.runtime, "network", None)
    if runtime.tokenize(_PROBES) != network.encoder.tokenize(_PROBES):
        raise ModelError("its tokenizer reads texts otherwise outside transformers: it has no ONNX export.")
    pairs = [(model.runtime.vectors(_PROBES), runtime.vectors(_PROBES))]
    if model.labels:
        pairs.append((model.runtime.logits(_PROBES), runtime.logits(_PROBES)))
    for torch, graph in pairs:
        if not np.allclose(torch, graph, rtol=0, atol=_CLOSE * max(1.0, float(np.abs(torch).max()))):
            raise ModelError("its encoder computes otherwise than its family does: it has no ONNX export.")


# --- in 8 bits


def _in_eight_bits(model: Model, exact: OnnxRuntime, dev: Corpus | None, loss: float, place: Path) -> Model:
    """Return a model in 8 bits, decided anew on dev, with as few products in float32 as it takes."""
    if model.decisions is None:
        return replace(model, runtime=_in_graph(model, place / "int8", frozenset()))
    if dev is None:
        raise UsageError(
            "in 8 bits a classifier's thresholds are fitted anew, and what is lost is measured, on labelled "
            "dev texts; name a known data set, a folder or a file of them as data."
        )
    if tuple(dev.labels) != model.labels:
        raise DataError(
            f"{dev.name}: has the labels {', '.join(dev.labels)}, not the model's; give data that has."
        )
    old = exact.logits(dev.texts)
    before = macro_f1(model.decisions, old, dev)
    kept: list[str] = []
    order: list[str] = []
    while True:
        logits = _in_graph(model, place / "int8", frozenset(kept)).logits(dev.texts)
        decisions = fitted_anew(model, logits, dev)
        after = macro_f1(decisions, logits, dev)
        if before - after <= loss:
            break
        order = order or _by_change(model, dev, place / "tried")
        if len(kept) == min(_MOST_KEPT, len(order)):
            raise ModelError(
                f"in 8 bits macro-F1 on dev falls from {before:.3f} to {after:.3f}, by over {loss:g}, with "
                f"{len(kept)} products in float32; nothing was written: allow more, or stay in float32."
            )
        kept.append(order[len(kept)])
    changed = [one.probabilities(values) for one, values in ((model.decisions, old), (decisions, logits))]
    decided = [one.decide(values) for one, values in zip((model.decisions, decisions), changed, strict=True)]
    about = {
        "precision": "int8",
        "in_float32": kept,
    } | {
        "dev": dev.digest,
        "n": len(dev),
        "f1_macro": {"before": before, "after": after},
        "agreement": float((decided[0] == decided[1]).all(1).mean()),
        "largest_change": float(np.abs(changed[0] - changed[1]).max()),
    }
    decided_anew = replace(model, decisions=decisions, about=model.about | {"graph": about})
    return replace(decided_anew, runtime=_in_graph(decided_anew, place / "int8", frozenset(kept)))


def fitted_anew(
    model: Model, logits: np.ndarray, dev: Corpus, *, calibration: str | None = None
) -> Decisions:
    """Return decisions fitted on dev, of the kinds that a model has; calibration may be said."""
    old = model.deciding()
    return fit(
        logits,
        dev.targets,
        single_label=model.single_label,
        thresholds=old.thresholds[0] if old.method == "fixed" and old.thresholds else old.method,
        calibration=calibration or old.calibration.kind,
        split=dev.split if dev.split not in {None, "", "all"} else "dev",
        digest=dev.digest,
        labels=model.labels,
    )


def macro_f1(decisions: Decisions, logits: np.ndarray, dev: Corpus) -> float:
    """Return the macro-F1 that decisions reach on labelled texts."""
    probabilities = decisions.probabilities(logits)
    limits = decisions.thresholds or 0.5
    found = evaluation.classification(dev.targets, probabilities, limits, single_label=dev.single_label)
    return float(found["f1_macro"])


def _by_change(model: Model, dev: Corpus, folder: Path) -> list[str]:
    """The products of a model's graph, first those that alone in 8 bits change the logits most."""
    from affekt.networks.graph import products

    names = products(of_classifier(getattr(model.runtime, "network", None)))
    chosen = np.random.default_rng(0).permutation(len(dev))[:_TRIED]
    texts = [dev.texts[i] for i in chosen]
    exact = _in_graph(model, folder, frozenset(names)).logits(texts)
    changes = {
        name: float(np.abs(_in_graph(model, folder, frozenset(names) - {name}).logits(texts) - exact).mean())
        for name in names
    }
    return sorted(names, key=lambda name: -changes[name])
