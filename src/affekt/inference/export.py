"""Export: a model's folder for ONNX Runtime, which needs neither torch nor transformers."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from affekt.errors import ModelError, UsageError
from affekt.files import CARD
from affekt.inference.model import Model, load
from affekt.inference.runtimes.onnx import GRAPH, TOKENIZER, OnnxRuntime, Reading

_PROBES = (
    "i can't stop smiling, she said yes!!",
    "",
    "The meeting is at 3pm.",
    "so tired of this 😡😡 #done @somebody http://t.co/x " * 12,
    "Ärger, naïve 東京 \t e\u0301",
)
_CLOSE = 1e-3  # of logits and vectors, relative to the largest; float32 differs by a thousandth of it


def export(model: str | Path, out: str | Path) -> Path:
    """Write a model's graph with head and calibration, its tokenizer and card into a folder, and return it.

    `affekt.load` opens it without torch, and ONNX Runtime alone the graph in it, whose outputs are
    probabilities, vectors and logits.

    Args:
        model: A model or run folder, or the name of an encoder.
        out: A new folder, or one with an older model, which is replaced once the new one is whole.

    Raises:
        ModelError: When the model is of a kind that has no export.
        UsageError: When `out` holds other files, or is the model itself.
    """
    path = Path(out)
    if path.exists() and path.resolve() in {Path(model).resolve(), (Path(model) / "model").resolve()}:
        raise UsageError(f"{path}: is the model itself, which exporting would replace; name a new folder.")
    if path.is_dir() and any(path.iterdir()) and not (path / CARD).exists():
        raise UsageError(f"{path}: holds other files, which exporting would replace; name a new folder.")
    opened = load(model, device="cpu")
    with TemporaryDirectory() as folder:
        return replace(opened, runtime=_in_graph(opened, Path(folder))).save(path)


def _in_graph(model: Model, folder: Path) -> OnnxRuntime:
    """Return a runtime over the graph of a model, written into a folder, that gives the model's answers."""
    network: Any = getattr(model.runtime, "network", None)
    if network is None:
        raise ModelError("this model is a graph already; export the one that training wrote.")
    try:
        from affekt.networks.graph import build
    except ImportError as fault:
        raise ModelError(f"exporting needs {fault.name}: pip install 'affekt[export]'.") from fault
    calibration = model.decisions.calibration if model.decisions else None
    graph, _ = build(network, calibration, single_label=model.single_label)
    encoder = network.encoder
    backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"its tokenizer, {type(encoder.tokenizer).__name__}, is Python that only transformers runs: this "
            "model has no ONNX export; run it by torch."
        )
    (folder / GRAPH).write_bytes(graph.SerializeToString())
    backend.save(str(folder / TOKENIZER))
    prefix = encoder.prefix
    reading = Reading(
        precision="float32",
        max_length=encoder.max_length,
        head=prefix.head if prefix else (),
        tail=prefix.tail if prefix else (),
        text_segment=prefix.text_segment if prefix else 0,
        filler=encoder.filler,
        line=(calibration.slopes, calibration.intercepts) if calibration else None,
    )
    runtime = OnnxRuntime(folder, reading)
    _check_same(model, runtime)
    return runtime


def _check_same(model: Model, runtime: OnnxRuntime) -> None:
    """Raise ModelError where a graph does not give a model's answers, as of an odd family."""
    network: Any = model.runtime.network  # type: ignore[attr-defined]
    if runtime.tokenize(_PROBES) != network.encoder.tokenize(_PROBES):
        raise ModelError("its tokenizer reads texts otherwise outside transformers: it has no ONNX export.")
    pairs = [(model.runtime.vectors(_PROBES), runtime.vectors(_PROBES))]
    if model.labels:
        pairs.append((model.runtime.logits(_PROBES), runtime.logits(_PROBES)))
    for torch, graph in pairs:
        if not np.allclose(torch, graph, rtol=0, atol=_CLOSE * max(1.0, float(np.abs(torch).max()))):
            raise ModelError("its encoder computes otherwise than its family does: it has no ONNX export.")
