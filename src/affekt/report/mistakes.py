"""The parts of a report that show what the model decides, how surely, and where it errs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from affekt.evaluation.arrays import Floats
from affekt.evaluation.figures import figure
from affekt.report.html import Cell, Column, Markup, Section, bars, facts, join, picture, table, tag
from affekt.report.names import as_number, count_text, figure_text, held_labels, probability_text
from affekt.report.pictures import BINS
from affekt.report.sections import Pictures
from affekt.report.statistics import Mistake, shares, wrongly_given, wrongly_missed
from affekt.runs.folder import RunFolder
from affekt.runs.predictions import Predictions

MISTAKES = 20
CONFUSIONS = 6


def matrix_section(run: RunFolder, pictures: Pictures) -> Section | None:
    """Return the confusion matrix, or for several labels a text true against predicted labels."""
    final, name = run.final, "confusion" if run.single_label else "cooccurrence"
    if final is None or name not in pictures:
        return None
    matrix = shares(final.true, final.predicted)
    pairs = _strongest(matrix, run.labels, taken_for=run.single_label)
    if run.single_label:
        heading = "Confusion matrix"
        caption = f"Of the {final.split} texts with a true label (row), the share given each label (column)."
    else:
        heading = "True against predicted labels"
        caption = (
            f"Of the {final.split} texts with a label (row), the share predicted to hold each (column). "
            "Several may be, so rows need not sum to 1. The diagonal is recall."
        )
    alt = f"{heading} of {len(run.labels)} labels. {pairs}"
    body = [picture(pictures[name], alt, caption), tag("p", pairs) if pairs else ""]
    return Section("matrix", heading, join(body))


def _strongest(matrix: Floats, labels: Sequence[str], *, taken_for: bool) -> str:
    """Return the largest cells off the diagonal, in words."""
    away = np.where(np.eye(len(labels), dtype=bool) | np.isnan(matrix), 0.0, matrix)
    places = np.argsort(-away, axis=None, kind="stable")[:CONFUSIONS]
    cells = [divmod(int(place), len(labels)) for place in places]
    word = "taken for" if taken_for else "with"
    said = [
        f"{labels[i]} {word} {labels[j]} {figure_text(float(away[i, j]))}" for i, j in cells if away[i, j] > 0
    ]
    start = "Most often confused: " if taken_for else "Most often predicted beside or instead: "
    return start + ", ".join(said) + "." if said else ""


def decisions_section(run: RunFolder, pictures: Pictures) -> Section | None:
    """Return calibration before and after, and the thresholds with the method that chose them."""
    decisions, measured = run.metrics.get("decisions") or {}, run.metrics.get("calibration") or {}
    if not decisions and not measured and "reliability" not in pictures:
        return None
    body = [facts(_decision_facts(run, decisions))] if decisions else []
    if measured:
        body.append(_calibration_table(measured))
    if "reliability" in pictures:
        split = run.final.split if run.final else ""
        caption = (
            f"On {split}, in {BINS} bins: how often predictions come true against how sure they are. On the "
            "dotted line they are as sure as right; above it too modest, below it too sure."
        )
        body.append(
            picture(pictures["reliability"], "Reliability diagram before and after calibration.", caption)
        )
    if "thresholds" in pictures:
        body.append(tag("h3", "Thresholds"))
        caption = "The probability above which each label is given. The numbers are in the label table."
        body.append(picture(pictures["thresholds"], "Thresholds by label.", caption))
    return Section("decisions", "Calibration and decisions", join(body))


def _decision_facts(run: RunFolder, decisions: Mapping[str, Any]) -> list[tuple[str, object]]:
    fitted, calibration = decisions.get("fitted_on") or {}, decisions.get("calibration") or {}
    values = [value for value in map(as_number, decisions.get("thresholds") or []) if value is not None]
    rule = (
        "the most probable label" if decisions.get("rule") == "argmax" else "every label above its threshold"
    )
    method = {
        "fixed": "fixed",
        "global": "one threshold for all labels, fitted",
        "global-jaccard": "one threshold for all labels, fitted for Jaccard",
        "per-label": "one threshold for each label, fitted",
    }.get(str(decisions.get("method")), str(decisions.get("method") or ""))
    kinds = {"none": "none", "temperature": "temperature scaling", "platt": "Platt scaling for each label"}
    kind = str(calibration.get("kind", "none"))
    pairs: list[tuple[str, object]] = [("A text gets", rule)]
    if decisions.get("rule") != "argmax":
        pairs.append(("Thresholds", method))
        if values:
            same = min(values) == max(values)
            pairs.append(
                (
                    "Values",
                    figure_text(values[0])
                    if same
                    else f"{figure_text(min(values))} to {figure_text(max(values))}",
                )
            )
    pairs.append(("Calibration", kinds.get(kind, kind)))
    slopes = [value for value in map(as_number, calibration.get("slopes") or []) if value]
    if kind == "temperature" and slopes:
        pairs.append(("Temperature", f"{1 / slopes[0]:.3f}"))
    if fitted:
        pairs.append(("Fitted on", f"{fitted.get('split', '')}, {count_text(fitted.get('n'))} texts"))
    return pairs


def _calibration_table(measured: Mapping[str, Any]) -> Markup:
    stages = {name: measured[name] for name in ("before", "after") if measured.get(name)}
    keys = dict.fromkeys(
        key for stage in stages.values() for key in stage if as_number(stage[key]) is not None
    )
    rows = [
        [figure(key).title, *(f"{as_number(stage.get(key)) or 0:.4f}" for stage in stages.values())]
        for key in keys
    ]
    columns = [Column("Lower is better"), *(Column(f"{name} calibration", numeric=True) for name in stages)]
    return table(columns, rows, name="Calibration before and after")


def mistakes_section(run: RunFolder) -> Section | None:
    """Return the surest mistakes; from dev where there is one, so that test stays unread."""
    part = run.predictions.get("dev") or run.final
    if part is None:
        return None
    given = wrongly_given(part.true, part.predicted, part.probabilities, MISTAKES)
    body = [tag("p", _where_from(part, single_label=run.single_label), class_="note")]
    if given:
        body.append(_mistakes_table(run, part, given, "wrong"))
    else:
        body.append(tag("p", "No label was wrongly given."))
    if not run.single_label:
        missed = wrongly_missed(part.true, part.predicted, part.probabilities, MISTAKES)
        if missed:
            body += [tag("h3", "Most firmly missed labels"), _mistakes_table(run, part, missed, "missed")]
    return Section("mistakes", "Most confident mistakes", join(body))


def _where_from(part: Predictions, *, single_label: bool) -> str:
    wrong = int((part.true != part.predicted).any(axis=1).sum())
    fault = "wrong" if single_label else "not wholly right"
    start = f"{wrong:,} of {len(part.texts):,} {part.split} texts are {fault}; the surest are shown. "
    if part.split == "dev":
        return start + "They come from dev, so that reading them to improve the model leaves test unseen."
    return start + "Some labels may be wrong rather than the model."


def _mistakes_table(run: RunFolder, part: Predictions, found: Sequence[Mistake], verb: str) -> Markup:
    rows: list[list[str | Cell]] = []
    for one in found:
        score = f"{run.labels[one.label]} {probability_text(one.probability)}"
        rows.append(
            [
                Cell(part.texts[one.row], classes="text"),
                held_labels(part.true[one.row], run.labels),
                held_labels(part.predicted[one.row], run.labels),
                Cell(score, one.probability),
            ]
        )
    columns = [
        Column("Text"),
        Column("True"),
        Column("Predicted"),
        Column(f"Surest {verb} label, its probability", numeric=True),
    ]
    return table(columns, rows, name=f"Surest {verb} labels", stacks=True)


def examples_section(run: RunFolder) -> Section | None:
    """Return the probabilities for example texts as bars."""
    examples = [one for one in run.metrics.get("examples") or [] if one.get("scores")]
    if not examples:
        return None
    shown: list[object] = []
    for one in examples:
        scores = sorted(one["scores"].items(), key=lambda item: -item[1])
        rest = len(scores) - 8
        shown += [tag("blockquote", one.get("text", "")), bars(scores[:8])]
        shown.append(tag("p", f"and {rest} labels below.", class_="note") if rest > 0 else "")
    return Section("examples", "Example texts", join(shown))
