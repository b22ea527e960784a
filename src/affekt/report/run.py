"""Run folder → one page that holds everything, works offline and fetches nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from affekt.evaluation.figures import HEADLINES
from affekt.report import page
from affekt.report.numbers import (
    as_interval,
    as_number,
    count_text,
    figure_rows,
    figure_text,
    held_labels,
    ordered,
)
from affekt.report.pictures import BINS, choice_name, draw_all, figures_of, fitted_thresholds, label_counts
from affekt.report.statistics import Mistake, wrongly_given, wrongly_missed
from affekt.report.style import styles
from affekt.report.summary import can_tell, cannot_tell, run_facts, sentence
from affekt.runs.folder import RunFolder, read_run
from affekt.runs.metrics import headline, space_part
from affekt.runs.predictions import Predictions

MISTAKES = 20
MOST_SKIPPED = 200  # rows listed; all are counted
_SPACE = {
    "Clustering": "clustering",
    "Retrieval": "retrieval",
    "Retrieval of texts that share a label": "overlap_retrieval",
    "Shift from the starting encoder": "space_shift",
}
_METHODS = {
    "global": "one threshold for all labels, fitted",
    "global-jaccard": "one threshold for all labels, fitted for Jaccard",
    "per-label": "one threshold for each label, fitted",
}
_CALIBRATIONS = {"temperature": "temperature scaling", "platt": "Platt scaling for each label"}


def write_report(run: Path) -> Path:
    """Write report.html and its pictures into a run folder, and return the page; DataError if it is none.

    What the run has no numbers for (no test split, no history, no labels) is left out.
    """
    folder = read_run(Path(run))
    return page.write(folder.path / "report.html", render(folder, draw_all(folder)))


def render(run: RunFolder, pictures: Mapping[str, Path]) -> str:
    """Return the page."""
    split, choices = figures_of(run)
    facts, way = run_facts(run), partial(choice_name, run=run)
    seconds = map(as_number, (run.metrics.get("timing") or {}).get("seconds_per_epoch") or [])
    known = [value for value in seconds if value is not None]
    return page.render(
        "run.html",
        title=f"{run.name} – affekt report",
        scripts=[page.asset("sort.js")],
        run=run,
        metrics=run.metrics,
        data=run.metrics.get("data") or {},
        warnings=_warnings(run),
        images={name: page.image(path) for name, path in pictures.items()},
        looks=styles(run.labels),
        facts=facts,
        summary=sentence(run, facts) if facts else "",
        can=can_tell(run, facts) if facts else [],
        cannot=cannot_tell(run, facts) if facts else [],
        split=split,
        tiles=_tiles(run, choices),
        figures=_figures(run, choices, way),
        dev_figures=_figures(run, run.metrics.get("dev") or {}, way) if split == "test" else None,
        further=[_corpus(task, apart) for task, apart in run.tasks.items()],
        labels=_labels(run),
        decided=_decided(run),
        bins=BINS,
        stages={name: part for name, part in (run.metrics.get("calibration") or {}).items() if part},
        mistakes=_mistakes(run),
        examples=[_example(one) for one in run.metrics.get("examples") or [] if one.get("scores")],
        spaces={name: found for name, part in _SPACE.items() if (found := _space(run, part))},
        counted=next(iter(label_counts(run).items()), None),
        most_skipped=MOST_SKIPPED,
        epochs=_epochs(run),
        mean_seconds=fmean(known) if known else None,
    )


def _warnings(run: RunFolder) -> list[str]:
    """Return what the reader must know before believing a figure."""
    said = [str(one) for one in run.metrics.get("warnings") or []]
    status = run.metrics.get("status", "complete")
    if status != "complete":
        said.insert(0, f"This run is not complete (status: {status}); its figures are not final.")
    return said


# --- figures


def _figures(
    run: RunFolder, sides: Mapping[str, Mapping[str, Any]], named: Callable[[str], str] = str
) -> dict[str, Any] | None:
    """Return figures side by side, and what was published of them."""
    rows = figure_rows(list(sides.values()), single_label=run.single_label)
    names = [named(side) for side in sides]
    return {"sides": names, "rows": rows, "published": _published(run, rows)} if rows else None


def _corpus(task: str, run: RunFolder) -> dict[str, Any]:
    """Return what is shown of a corpus beside the main one: its final figures."""
    split, choices = figures_of(run)
    sizes = (run.metrics.get("data") or {}).get("splits") or {}
    figures = _figures(run, choices, partial(choice_name, run=run))
    return {"task": task, "split": split, "n": (sizes.get(split) or {}).get("n"), "figures": figures}


def _space(run: RunFolder, part: str) -> dict[str, Any] | None:
    """Return the figures of one part of a space, or of several such parts side by side."""
    found = space_part(run.metrics, part)
    nested = {key: value for key, value in found.items() if isinstance(value, dict) and "value" not in value}
    flat = {key: value for key, value in found.items() if key not in nested}
    return _figures(run, ({"value": flat} if flat else {}) | nested)


def _published(run: RunFolder, rows: Sequence[tuple[str, Any]]) -> dict[str, list[str]]:
    """Return each published value of the figures shown with the encoder it belongs to."""
    said: dict[str, list[str]] = {}
    for key, _ in rows:
        for value, entry in _entries(run, key):
            about = [str(entry[name]) for name in ("encoder", "source") if entry.get(name)]
            if entry.get("thresholds") and not run.single_label:
                about.insert(1, f"thresholds {entry['thresholds']}")
            text = f"{figure_text(value)} ({', '.join(about)})" if about else figure_text(value)
            said.setdefault(key, []).append(text)
    return said


def _entries(run: RunFolder, key: str) -> list[tuple[float, Mapping[str, Any]]]:
    entries = [one for one in run.metrics.get("published") or [] if one.get("metric") == key]
    return [(value, one) for one in entries if (value := as_number(one.get("value"))) is not None]


def _tiles(run: RunFolder, choices: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures that stand first, each with the highest published value decided in the same way."""
    if not choices:
        return []
    choice = headline(run.metrics)
    tiles = []
    for key in HEADLINES[run.single_label]:
        value = as_interval(choices[choice].get(key))
        same = [
            (theirs, str(entry.get("encoder") or "its own encoder"))
            for theirs, entry in _entries(run, key)
            if run.single_label or entry.get("thresholds") in (None, choice)
        ]
        if value is not None:
            tile = {"key": key, "value": value, "choice": choice_name(choice, run)}
            tiles.append(tile | {"published": sorted(same)[-1:]})
    return tiles


def _labels(run: RunFolder) -> dict[str, Any] | None:
    """Return precision, recall and F1 of every label, the best first."""
    choices = run.metrics.get("per_label") or {}
    if not choices:
        return None
    best = headline(run.metrics)
    best = best if best in choices else next(iter(choices))
    order = sorted(choices[best].items(), key=lambda item: -(as_number(item[1].get("f1")) or 0))
    other = next((choice for choice in choices if choice != best), None)
    return {
        "choice": choice_name(best, run),
        "rows": order,
        "beside": choices.get(other, {}),
        "other": choice_name(other, run) if other else "",
        "thresholds": fitted_thresholds(run),
    }


# --- decisions and mistakes


def _decided(run: RunFolder) -> list[tuple[str, object]]:
    """Return how a text comes by its labels, and what that was fitted on."""
    decisions = run.metrics.get("decisions") or {}
    if not decisions:
        return []
    likeliest = decisions.get("rule") == "argmax"
    pairs: list[tuple[str, object]] = [
        ("A text gets", "the likeliest label" if likeliest else "every label above its threshold")
    ]
    values = [value for value in map(as_number, decisions.get("thresholds") or []) if value is not None]
    if not likeliest:
        method = str(decisions.get("method") or "")
        pairs.append(("Thresholds", _METHODS.get(method, method)))
        if values:
            ends = dict.fromkeys(map(figure_text, (min(values), max(values))))
            pairs.append(("Values", " to ".join(ends)))
    calibration = decisions.get("calibration") or {}
    kind = str(calibration.get("kind", "none"))
    pairs.append(("Calibration", _CALIBRATIONS.get(kind, kind)))
    slopes = [value for value in map(as_number, calibration.get("slopes") or []) if value]
    if kind == "temperature" and slopes:
        pairs.append(("Temperature", f"{1 / slopes[0]:.3f}"))
    fitted = decisions.get("fitted_on") or {}
    if fitted:
        pairs.append(("Fitted on", f"{fitted.get('split', '')}, {count_text(fitted.get('n'))} texts"))
    return pairs


def _mistakes(run: RunFolder) -> dict[str, Any] | None:
    """Return the surest mistakes; from dev where there is one, so that test stays unread."""
    part = run.predictions.get("dev") or run.final
    if part is None:
        return None
    matrices = part.true, part.predicted, part.probabilities
    missed = [] if run.single_label else wrongly_missed(*matrices, MISTAKES)
    return {
        "split": part.split,
        "n": len(part.texts),
        "wrong": int((part.true != part.predicted).any(axis=1).sum()),
        "given": _told(run, part, wrongly_given(*matrices, MISTAKES)),
        "missed": _told(run, part, missed),
    }


def _told(run: RunFolder, part: Predictions, found: Sequence[Mistake]) -> list[dict[str, Any]]:
    sides = {"true": part.true, "predicted": part.predicted}
    return [
        {"text": part.texts[one.row], "label": run.labels[one.label], "probability": one.probability}
        | {name: held_labels(side[one.row], run.labels) for name, side in sides.items()}
        for one in found
    ]


def _example(one: Mapping[str, Any]) -> dict[str, Any]:
    scores = sorted(one["scores"].items(), key=lambda item: -item[1])
    text = str(one.get("text", ""))
    why = one.get("why") or [(text, "", 0.0)]  # runs of old do not have it
    return {"why": why, "scores": scores[:8], "rest": len(scores) - 8}


# --- training


def _epochs(run: RunFolder) -> dict[str, Any] | None:
    """Return the numbers of every epoch: losses, loss terms where there are several, the main dev figures."""
    if not run.history:
        return None
    last, parts = run.history[-1].get("dev") or {}, run.history[-1].get("terms") or {}
    told = ordered(last, single_label=run.single_label)
    keys = [key for key in told if as_number(last[key]) is not None][:5]
    return {"rows": run.history, "figures": keys, "terms": list(parts) if len(parts) > 1 else []}
