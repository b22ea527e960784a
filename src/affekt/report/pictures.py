"""Draws every picture that a run has the numbers for."""

from pathlib import Path
from typing import Any

from affekt.decisions.rules import way_name
from affekt.evaluation import calibration
from affekt.evaluation.figures import figure
from affekt.report import plots
from affekt.report.numbers import as_interval, ordered
from affekt.report.statistics import raw_probabilities, shares
from affekt.runs.folder import RunFolder

BINS = 15


def draw_all(run: RunFolder) -> dict[str, Path]:
    """Write the pictures into the run folder; return name → PNG of those there was something to draw for.

    A picture of an earlier report that there is nothing to draw for any more is removed.
    """
    drawn = {}
    for name, draw in _PICTURES.items():
        path = run.path / f"{name}.png"
        if draw(run, path):
            drawn[name] = path
        else:
            path.unlink(missing_ok=True)
    return drawn


def label_counts(run: RunFolder) -> dict[str, dict[str, int]]:
    """Return split → label → rows, for the splits whose labels were counted."""
    splits = (run.metrics.get("data") or {}).get("splits") or {}
    counted = {name: split.get("label_counts") or {} for name, split in splits.items()}
    return {name: counts for name, counts in counted.items() if counts}


def figures_of(run: RunFolder) -> tuple[str, dict[str, Any]]:
    """Return the split that final figures rest on, and its figures by choice of thresholds."""
    for split in ("test", "dev"):
        if run.metrics.get(split):
            return split, run.metrics[split]
    return "", {}


def choice_name(choice: str, run: RunFolder) -> str:
    """Return what people call a choice of thresholds."""
    if run.single_label:
        return "the likeliest label"
    return way_name(choice, run.metrics.get("decisions"))


def _class_distribution(run: RunFolder, path: Path) -> bool:
    counts = label_counts(run)
    if counts:
        plots.class_distribution(counts, path)
    return bool(counts)


def _figures(run: RunFolder, path: Path) -> bool:
    _, choices = figures_of(run)
    published = [entry for entry in run.metrics.get("published") or [] if as_interval(entry.get("value"))]
    known = list(dict.fromkeys(key for choice in choices.values() for key in choice))
    told = ordered(known, single_label=run.single_label)
    asked = {entry["metric"] for entry in published} | set(told[:5])
    keys = [key for key in told if key in asked]
    measured = {}
    for key in keys:
        values = {choice_name(name, run): as_interval(choice.get(key)) for name, choice in choices.items()}
        measured[figure(key).title] = {name: value for name, value in values.items() if value is not None}
    measured = {name: row for name, row in measured.items() if row}
    theirs: dict[str, dict[str, float]] = {}
    for entry in published:
        whose = str(entry.get("encoder") or "")
        if entry.get("thresholds") and not run.single_label:
            whose = f"{whose}, {entry['thresholds']}"
        theirs.setdefault(figure(entry["metric"]).title, {})[whose] = entry["value"]
    if measured:
        plots.intervals(measured, path, theirs)
    return bool(measured)


def _learning_curves(run: RunFolder, path: Path) -> bool:
    if run.history:
        plots.learning_curves(run.history, path)
    return bool(run.history)


def _confusion(run: RunFolder, path: Path) -> bool:
    if run.final is None or not run.single_label:
        return False
    plots.confusion(shares(run.final.true, run.final.predicted), run.labels, path)
    return True


def _cooccurrence(run: RunFolder, path: Path) -> bool:
    if run.final is None or run.single_label:
        return False
    plots.cooccurrence(shares(run.final.true, run.final.predicted), run.labels, path)
    return True


def _reliability(run: RunFolder, path: Path) -> bool:
    final = run.final
    if final is None:
        return False

    def bins(probabilities: Any) -> Any:
        return calibration(final.targets, probabilities, bins=BINS, single_label=run.single_label)[
            "reliability"
        ]

    kind = ((run.metrics.get("decisions") or {}).get("calibration") or {}).get("kind", "none")
    before = None
    if kind != "none" and final.logits is not None:
        before = bins(raw_probabilities(final.logits, single_label=run.single_label))
    plots.reliability(before, bins(final.probabilities), path)
    return True


def _thresholds(run: RunFolder, path: Path) -> bool:
    values = fitted_thresholds(run)
    if values:
        plots.thresholds(run.labels, list(values.values()), path)
    return bool(values)


def fitted_thresholds(run: RunFolder) -> dict[str, float]:
    """Return label → threshold where thresholds differ between labels, else nothing."""
    decisions = run.metrics.get("decisions") or {}
    values = decisions.get("thresholds") or []
    if decisions.get("rule") != "threshold" or len(values) != len(run.labels) or len(set(values)) < 2:
        return {}
    return dict(zip(run.labels, values, strict=True))


def _example(run: RunFolder, path: Path) -> bool:
    examples = [one for one in run.metrics.get("examples") or [] if one.get("scores")]
    if examples:
        scores = examples[0]["scores"]
        plots.example_bars(str(examples[0].get("text", "")), list(scores), list(scores.values()), path)
    return bool(examples)


_PICTURES = {
    "figures": _figures,
    "class_distribution": _class_distribution,
    "learning_curves": _learning_curves,
    "confusion": _confusion,
    "cooccurrence": _cooccurrence,
    "reliability": _reliability,
    "thresholds": _thresholds,
    "example": _example,
}
