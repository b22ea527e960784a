"""Run folders as training writes them, small and made up; figures come from their own predictions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.evaluation import calibration, classification_intervals
from affekt.report.run import write_report
from report.pages import Page, read_page

SIX = ["sadness", "joy", "love", "anger", "fear", "surprise"]
EIGHT = ["admiration", "amusement", "anger", "curiosity", "gratitude", "grief", "love", "neutral"]
ATTACK = "<script>alert('x')</script> & <img src=x onerror=alert(1)> \"so\" happy 😀"


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _split(rng: np.random.Generator, n: int, labels: list[str], single: bool, noise: float) -> dict[str, Any]:
    k = len(labels)
    rarity = np.linspace(1.0, 0.15, k)
    if single:
        targets = np.eye(k)[rng.choice(k, size=n, p=rarity / rarity.sum())]
    else:
        targets = (rng.random((n, k)) < min(0.3, 2.5 / k) * rarity).astype(float)
    logits = 5.0 * targets - 2.5 + rng.normal(scale=noise, size=(n, k))
    slope = 0.7
    if single:
        probabilities = _softmax(slope * logits)
        predicted = np.eye(k, dtype=bool)[probabilities.argmax(axis=1)]
    else:
        probabilities = 1 / (1 + np.exp(-slope * logits))
        predicted = probabilities > np.linspace(0.35, 0.55, k)
    texts = [
        f"made-up text {i} that says {' and '.join(np.array(labels)[t > 0]) or 'nothing much'}"
        for i, t in enumerate(targets)
    ]
    return {
        "targets": targets,
        "logits": logits,
        "probabilities": probabilities,
        "predicted": predicted,
        "texts": texts,
    }


def _figures(part: dict[str, Any], predicted: np.ndarray, labels: list[str], single: bool) -> dict[str, Any]:
    return classification_intervals(
        part["targets"], predicted, labels=labels, single_label=single, resamples=60
    )


def _interval_figures(part: dict[str, Any], labels: list[str], single: bool) -> tuple[dict, dict]:
    """Return figures and per-label figures by choice of thresholds."""
    half = part["predicted"] if single else part["probabilities"] > 0.5
    chosen = {"fixed": half} if single else {"fixed": half, "fitted": part["predicted"]}
    figures = {name: _figures(part, predicted, labels, single) for name, predicted in chosen.items()}
    per_label = {name: one.pop("per_label") for name, one in figures.items()}
    return figures, per_label


def make_run(
    folder: Path, labels: list[str], *, single_label: bool, seed: int = 7, noise: float = 2.0, n: int = 160
) -> Path:
    """Write a whole run folder."""
    rng = np.random.default_rng(seed)
    data = np.random.default_rng(99)  # the same rows for every seed, so that runs can be compared
    parts = {split: _split(data, n, labels, single_label, 0.0) for split in ("dev", "test")}
    for part in parts.values():
        part |= _noisy(part, rng, single_label, noise)
    parts["dev"]["texts"][0] = ATTACK
    parts["dev"]["targets"][0] = np.eye(len(labels))[0]
    parts["dev"]["predicted"][0] = np.eye(len(labels), dtype=bool)[1]
    parts["dev"]["probabilities"][0] = np.where(np.arange(len(labels)) == 1, 0.9995, 0.0001)
    folder.mkdir(parents=True)
    metrics = _metrics(parts, labels, single_label, seed, folder.name)
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (folder / "recipe.yaml").write_text(
        "name: mock\nseed: 7\nencoder:\n  kind: transformer\n"
        "training: {learning_rate: 3.0e-4, batch_size: 32}\n",
        encoding="utf-8",
    )
    (folder / "history.jsonl").write_text(_history(), encoding="utf-8")
    _write_predictions(folder / "predictions.parquet", parts)
    return folder


def _noisy(part: dict[str, Any], rng: np.random.Generator, single: bool, noise: float) -> dict[str, Any]:
    logits = part["logits"] + rng.normal(scale=noise, size=part["logits"].shape)
    k = logits.shape[1]
    if single:
        probabilities = _softmax(0.7 * logits)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "predicted": np.eye(k, dtype=bool)[probabilities.argmax(axis=1)],
        }
    probabilities = 1 / (1 + np.exp(-0.7 * logits))
    return {
        "logits": logits,
        "probabilities": probabilities,
        "predicted": probabilities > np.linspace(0.35, 0.55, k),
    }


def _history() -> str:
    rows = [
        {
            "epoch": epoch,
            "step": 100 * epoch,
            "train_loss": 0.8 / epoch,
            "terms": {"bce": 0.6 / epoch, "label_aware_contrastive": 0.2 / epoch},
            "dev_loss": 0.4 / epoch + 0.03 * epoch,
            "dev": {"f1_macro": 0.4 + 0.05 * epoch, "accuracy": 0.5 + 0.04 * epoch, "f1_weighted": 0.45},
            "seconds": 61.5,
            "learning_rate": 3e-4,
        }
        for epoch in (1, 2, 3)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def _metrics(parts: dict[str, Any], labels: list[str], single: bool, seed: int, name: str) -> dict[str, Any]:
    test, per_label = _interval_figures(parts["test"], labels, single)
    dev, _ = _interval_figures(parts["dev"], labels, single)
    counts = {
        split: {label: int(column.sum()) for label, column in zip(labels, part["targets"].T, strict=True)}
        for split, part in parts.items()
    }
    counts = {"train": {label: 8 * count for label, count in counts["dev"].items()}} | counts
    return {
        "format": 1,
        "affekt": "0.1.0",
        "name": name,
        "row": "C1" if single else "B3",
        "status": "complete",
        "seed": seed,
        "command": f"affekt train recipes/{name}.yaml --set seed={seed}",
        "created": "2026-01-02T03:04:05Z",
        "data": {
            "name": "made-up",
            "digest": "ab" * 32,
            "single_label": single,
            "labels": labels,
            "splits": {
                split: {
                    "n": len(parts["dev"]["texts"]) * (8 if split == "train" else 1),
                    "label_counts": of_split,
                    "mean_words": 13.4,
                }
                for split, of_split in counts.items()
            },
            "skipped": [{"where": "train.csv:14", "reason": "the text is empty"}],
        },
        "encoder": {
            "kind": "transformer",
            "name": "all-MiniLM-L6-v2",
            "parameters": 22713216,
            "dimension": 384,
        },
        "objective": {"kind": "classify", "loss": "bce", "label_smoothing": 0.0},
        "hardware": {"cpu": "A CPU", "threads": 2, "gpu": None, "platform": "Linux", "torch": "2.13.0"},
        "timing": {
            "epochs": 3,
            "seconds_per_epoch": [61.5, 60.0, 62.5],
            "total_seconds": 190.2,
            "peak_memory_mb": 1433.7,
        },
        "decisions": _decisions(parts["dev"], labels, single),
        "test": test,
        "dev": dev,
        "per_label": per_label,
        "calibration": _calibrations(parts["test"], single),
        "clustering": {"silhouette": 0.31, "davies_bouldin": 1.4, "ami": 0.44, "n": 160, "dimension": 384},
        "retrieval": {"mrr": 0.71, "precision_at_1": 0.62, "map_at_r": 0.33, "n": 160},
        "warnings": ["collapse watch: dev predictions use 2 of the labels; try a lower learning rate."],
        "published": [
            {
                "metric": "f1_macro",
                "value": 0.462,
                "encoder": "bert-base-uncased",
                "thresholds": "fixed",
                "source": "Huang and Wen",
            },
            {"metric": "accuracy", "value": 0.933, "encoder": "distilbert-base-uncased", "source": "C1"},
        ],
        "examples": [
            {
                "text": "I watched a movie last night, it was quite brilliant",
                "scores": {
                    label: float(0.9 if i == 1 else 0.1 / len(labels)) for i, label in enumerate(labels)
                },
            },
            {"text": ATTACK, "scores": {label: 1 / len(labels) for label in labels}},
            {
                "text": "so happy",
                "scores": {label: 1 / len(labels) for label in labels},
                "why": [["so", "", 0.0], [" ", "", 0.0], ["happy", labels[1], 0.31]],
            },
        ],
    }


def _decisions(dev: dict[str, Any], labels: list[str], single: bool) -> dict[str, Any]:
    k = len(labels)
    return {
        "rule": "argmax" if single else "threshold",
        "thresholds": [0.5] * k if single else np.linspace(0.35, 0.55, k).tolist(),
        "calibration": {
            "kind": "temperature" if single else "platt",
            "slopes": [0.7] * k,
            "intercepts": [0.0] * k,
        },
        "method": "fixed" if single else "per-label",
        "fitted_on": {"split": "dev", "digest": "cd" * 32, "n": len(dev["texts"])},
    }


def _calibrations(part: dict[str, Any], single: bool) -> dict[str, Any]:
    raw = _softmax(part["logits"]) if single else 1 / (1 + np.exp(-part["logits"]))
    stages = {"before": raw, "after": part["probabilities"]}
    measured = {
        name: calibration(part["targets"], scores, single_label=single) for name, scores in stages.items()
    }
    return {name: {"ece": one["ece"], "brier": one["brier"]} for name, one in measured.items()}


def _write_predictions(path: Path, parts: dict[str, Any]) -> None:
    columns: dict[str, list[Any]] = {"split": [], "id": [], "text": []}
    columns |= {name: [] for name in ("targets", "logits", "probabilities", "predicted")}
    for split, part in parts.items():
        columns["split"] += [split] * len(part["texts"])
        columns["id"] += [f"{split}-{i}" for i in range(len(part["texts"]))]
        columns["text"] += part["texts"]
        for name in ("targets", "logits", "probabilities", "predicted"):
            columns[name] += part[name].tolist()
    pq.write_table(pa.table(columns), path)


@pytest.fixture(scope="session")
def _runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "single", SIX, single_label=True)
    make_run(folder / "multi", EIGHT, single_label=False)
    return folder


@pytest.fixture
def single_run(_runs: Path, tmp_path: Path) -> Path:
    """A run on a data set with one label per text."""
    return Path(shutil.copytree(_runs / "single", tmp_path / "single"))


@pytest.fixture
def multi_run(_runs: Path, tmp_path: Path) -> Path:
    """A run on a data set with several labels per text."""
    return Path(shutil.copytree(_runs / "multi", tmp_path / "multi"))


@pytest.fixture(scope="session")
def single_report(_runs: Path) -> Page:
    """The report of the run with one label per text, read once."""
    return read_page(write_report(_runs / "single"))


@pytest.fixture(scope="session")
def multi_report(_runs: Path) -> Page:
    """The report of the run with several labels per text, read once."""
    return read_page(write_report(_runs / "multi"))


def change_metrics(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the metrics of a run."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    change(metrics)
    (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
