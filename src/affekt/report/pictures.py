"""Draws every picture that a run has the numbers for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from affekt.decisions.rules import way_name
from affekt.evaluation import calibration, risk_coverage
from affekt.evaluation.figures import figure
from affekt.report import plots
from affekt.report.numbers import as_interval, ordered
from affekt.report.statistics import raw_probabilities, shares
from affekt.runs.folder import RunFolder
from affekt.runs.predictions import Predictions

BINS = 15

Draw = Callable[[Path], None]


def draw_all(run: RunFolder) -> dict[str, Path]:
    """Write the pictures into the run folder; return name → PNG of those there was something to draw for.

    A picture of an earlier report that there is nothing to draw for any more is removed.
    """
    drawn = {}
    for name, draw in _pictures(run).items():
        path = run.path / f"{name}.png"
        if draw:
            draw(path)
            drawn[name] = path
        else:
            path.unlink(missing_ok=True)
    return drawn


def _pictures(run: RunFolder) -> dict[str, Draw | None]:
    """Return how each picture is drawn into a path; None where there is nothing to draw."""
    counts, limits, final = label_counts(run), fitted_thresholds(run), run.final
    examples = [one for one in run.metrics.get("examples") or [] if one.get("scores")]
    matrix = None
    if final is not None:
        draw = plots.confusion if run.single_label else plots.cooccurrence
        matrix = partial(draw, shares(final.true, final.predicted), run.labels)
    example = None
    if examples:
        text, scores = str(examples[0].get("text", "")), examples[0]["scores"]
        example = partial(plots.example_bars, text, list(scores), list(scores.values()))
    return {
        "figures": _figures(run),
        "class_distribution": partial(plots.class_distribution, counts) if counts else None,
        "learning_curves": partial(plots.learning_curves, run.history) if run.history else None,
        "confusion": matrix if run.single_label else None,
        "cooccurrence": None if run.single_label else matrix,
        "reliability": _reliability(run, final) if final is not None else None,
        "risk_coverage": _risk(run, final) if final is not None else None,
        "thresholds": partial(plots.thresholds, list(limits), list(limits.values())) if limits else None,
        "example": example,
    }


def label_counts(run: RunFolder) -> dict[str, dict[str, int]]:
    """Return split → label → rows, for the splits whose labels were counted."""
    splits = (run.metrics.get("data") or {}).get("splits") or {}
    counted = {name: split.get("label_counts") or {} for name, split in splits.items()}
    return {name: counts for name, counts in counted.items() if counts}


def figures_of(run: RunFolder) -> tuple[str, dict[str, Any]]:
    """Return the split that final figures rest on, and its figures by choice of thresholds."""
    return next(((split, held) for split in ("test", "dev") if (held := run.metrics.get(split))), ("", {}))


def choice_name(choice: str, run: RunFolder) -> str:
    """Return what people call a choice of thresholds."""
    return "the likeliest label" if run.single_label else way_name(choice, run.metrics.get("decisions"))


def _figures(run: RunFolder) -> Draw | None:
    _, choices = figures_of(run)
    published = [entry for entry in run.metrics.get("published") or [] if as_interval(entry.get("value"))]
    known = dict.fromkeys(key for choice in choices.values() for key in choice)
    told = ordered(known, single_label=run.single_label)
    asked = {entry["metric"] for entry in published} | set(told[:5])
    measured = {}
    for key in (key for key in told if key in asked):
        values = {choice_name(name, run): as_interval(choice.get(key)) for name, choice in choices.items()}
        if row := {name: value for name, value in values.items() if value is not None}:
            measured[figure(key).title] = row
    theirs: dict[str, dict[str, float]] = {}
    for entry in published:
        whose = str(entry.get("encoder") or "")
        if entry.get("thresholds") and not run.single_label:
            whose = f"{whose}, {entry['thresholds']}"
        theirs.setdefault(figure(entry["metric"]).title, {})[whose] = entry["value"]
    return partial(plots.intervals, measured, published=theirs) if measured else None


def _reliability(run: RunFolder, final: Predictions) -> Draw:
    def bins(probabilities: Any) -> Any:
        judged = calibration(final.targets, probabilities, bins=BINS, single_label=run.single_label)
        return judged["reliability"]

    kind = ((run.metrics.get("decisions") or {}).get("calibration") or {}).get("kind", "none")
    before = None
    if kind != "none" and final.logits is not None:
        before = bins(raw_probabilities(final.logits, single_label=run.single_label))
    return partial(plots.reliability, before, bins(final.probabilities))


def _risk(run: RunFolder, final: Predictions) -> Draw | None:
    """Return how risk over coverage is drawn; None for fewer than two shares of the rows."""
    limits = (run.metrics.get("decisions") or {}).get("thresholds") or []
    limits = limits if len(limits) == len(run.labels) else 0.5
    found = risk_coverage(final.targets, final.probabilities, limits, single_label=run.single_label)
    what = "share decided wrongly" if run.single_label else "share of labels that are wrong"
    return partial(plots.risk_coverage, found["curve"], what=what) if len(found["curve"]) > 1 else None


def fitted_thresholds(run: RunFolder) -> dict[str, float]:
    """Return label → threshold where thresholds differ between labels, else nothing."""
    decisions = run.metrics.get("decisions") or {}
    values = decisions.get("thresholds") or []
    if decisions.get("rule") != "threshold" or len(values) != len(run.labels) or len(set(values)) < 2:
        return {}
    return dict(zip(run.labels, values, strict=True))
