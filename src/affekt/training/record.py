"""What a run's record says: its data, encoder, time, example predictions, in plain values for JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.evaluation.figures import BRIEF
from affekt.hardware import peak_memory_mb
from affekt.inference.explain import carried
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network
from affekt.recipe.sections import Recipe
from affekt.runs.metrics import headline
from affekt.training.build import build_network
from affekt.training.checkpoint import Progress
from affekt.training.data import LeftOut, RunTexts


def epoch_line(entry: dict[str, Any]) -> str:
    """One line for a log: the epoch's losses and figures."""
    terms = " ".join(f"{name} {value:.4f}" for name, value in entry["terms"].items())
    dev = " ".join(f"{name} {entry['dev'][name]:.4f}" for name in BRIEF if name in entry["dev"])
    loss = "" if entry["dev_loss"] is None else f"loss {entry['dev_loss']:.4f} "
    apart: dict[str, list[str]] = {}
    for name, value in entry["dev"].items():
        task, _, own = name.rpartition(".")
        if task and own in BRIEF:
            apart.setdefault(task, []).append(f"{own} {value:.4f}")
    if apart:
        loss, dev = "", " | ".join(f"{task} {' '.join(told)}" for task, told in apart.items())
    return f"epoch {entry['epoch']}: train {terms} | dev {loss}{dev} | {entry['seconds']:.0f} s"


def describe_data(splits: dict[str, Corpus]) -> dict[str, Any]:
    """What was trained on what: sizes, label counts, skipped rows, a digest over all splits."""
    train_corpus = splits["train"]
    return {
        "name": train_corpus.name,
        "digest": data_digest(splits),
        "single_label": train_corpus.single_label,
        "labels": list(train_corpus.labels),
        "splits": {name: _describe_split(corpus) for name, corpus in splits.items()},
        "skipped": [asdict(row) for corpus in splits.values() for row in corpus.skipped],
    }


def data_digest(splits: dict[str, Corpus]) -> str:
    """One digest of all splits."""
    return "-".join(f"{name}:{corpus.digest[:12]}" for name, corpus in sorted(splits.items()))


def _describe_split(corpus: Corpus) -> dict[str, Any]:
    counts = zip(corpus.labels, np.asarray(corpus.targets).sum(0), strict=True)
    return {
        "n": len(corpus),
        "label_counts": {label: round(float(count), 2) for label, count in counts},
        "mean_words": round(float(np.mean([len(text.split()) for text in corpus.texts])), 2),
    }


def describe_leaks(left_out: Sequence[LeftOut]) -> dict[str, dict[str, int]]:
    """How many training texts of each corpus were left out, and how many of them each guarded split holds."""
    rows = {(one.corpus, one.row) for one in left_out}
    return {
        "left_out": dict(Counter(corpus for corpus, _ in sorted(rows))),
        "met": dict(Counter(one.met_in for one in left_out)),
    }


def lines_of_texts(texts: RunTexts) -> list[str]:
    """What is said of a run's texts: how many each corpus has, and how many of them were left out."""
    lines = []
    for splits in texts.tasks.values():
        sizes = ", ".join(f"{name} {len(corpus):,}" for name, corpus in splits.items())
        lines.append(f"{sizes} texts of {splits['train'].name}")
    for corpus, count in describe_leaks(texts.left_out)["left_out"].items():
        met = describe_leaks([one for one in texts.left_out if one.corpus == corpus])["met"]
        told = ", ".join(f"{name} {times:,}" for name, times in met.items())
        lines.append(f"left out of training, {count:,} of {corpus}: guarded texts hold them ({told})")
    return lines


def describe_encoder(recipe: Recipe, network: Network) -> dict[str, Any]:
    """Kind, name and size of the encoder."""
    named = recipe.encoder.name if network.encoder.has_name else recipe.encoder.kind
    if recipe.encoder.layers is not None:
        named += f" (layers {', '.join(map(str, recipe.encoder.layers))})"
    if recipe.encoder.vectors:
        named += f" on {Path(recipe.encoder.vectors).name}"
    return {
        "kind": recipe.encoder.kind,
        "name": named,
        "parameters": sum(p.numel() for p in network.encoder.parameters()),
        "dimension": network.encoder.dimension,
    }


def describe_timing(progress: Progress, seconds: float) -> dict[str, Any]:
    """Time and memory of a run that took some seconds in all."""
    return {
        "epochs": progress.epoch,
        "seconds_per_epoch": [round(entry["seconds"], 2) for entry in progress.history],
        "total_seconds": round(seconds, 2),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def space_shift(
    recipe: Recipe, model: Model, splits: dict[str, Corpus], texts: Corpus
) -> dict[str, float] | None:
    """Row D6: how far held-out vectors moved from the starting encoder's, for retrofitted encoders.

    The start is made again, from the same seed and the same normalised training texts.
    """
    if not recipe.objective.keeps_space:
        return None
    held_out = splits.get("test", splits["dev"])
    start = build_network(recipe, texts)
    first = Model(TorchRuntime(start).to(model.runtime.device), style=model.style)
    before, after = (one.embed(held_out.texts, unit=False) for one in (first, model))
    return evaluation.space_shift(before, after)


def example_predictions(model: Model, recipe: Recipe) -> list[dict[str, Any]]:
    """What the model says of the recipe's example texts, and which words carry it."""
    if model.decisions is None:
        return []
    told = zip(model.predict(recipe.examples), model.explain(recipe.examples), strict=True)
    return [
        {"text": p.text, "scores": p.scores, "labels": p.labels, "why": carried(why, p.labels)}
        for p, why in told
    ]


def brief(metrics: dict[str, Any]) -> dict[str, float]:
    """The few figures that a model carries with it."""
    best = (metrics.get("test") or {}).get(headline(metrics)) or {}
    return {name: best[name]["value"] for name in BRIEF if name in best}
