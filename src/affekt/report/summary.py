"""A run in plain words: how often it is right, against what, and where it fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from affekt.decisions.rules import plain_threshold
from affekt.evaluation.arrays import Bools, Floats, decide
from affekt.evaluation.classification import FEWEST_OF_LABEL
from affekt.evaluation.counts import columns, label_figures
from affekt.evaluation.figures import figure
from affekt.report.numbers import as_interval, as_number, count_text, figure_text, times_text
from affekt.report.pictures import figures_of
from affekt.report.statistics import raw_probabilities, shares
from affekt.runs.folder import RunFolder
from affekt.runs.metrics import headline


@dataclass(frozen=True)
class Facts:
    """What a run's predictions come to."""

    n: int  # texts judged
    right: float  # share of texts whose labels are all right
    commonest: str  # label of the training texts
    guessing: float  # share that would be right if every text got that label
    precision: float  # of the labels given, the share that holds
    recall: float  # of the labels that hold, the share given
    f1: dict[str, float]  # of each label that holds for a text, the best first
    found: dict[str, float]  # of the texts that a label holds for, the share it is given
    support: dict[str, int]  # how many texts each label holds for
    confused: list[tuple[str, str, float]]  # the second given where the first holds, and its share


def facts_of(true: Bools, predicted: Bools, labels: list[str], commonest: str, most: int = 6) -> Facts:
    """Return the facts of (n, k) true and predicted labels."""
    always = np.zeros_like(true)
    always[:, labels.index(commonest)] = True
    both = int((true & predicted).sum())
    each = label_figures(columns(true, predicted).sum(axis=0))
    support = true.sum(axis=0)
    order = [int(i) for i in np.argsort(-each["f1"], kind="stable") if support[i]]
    return Facts(
        len(true),
        float((true == predicted).all(axis=1).mean()),
        commonest,
        float((true == always).all(axis=1).mean()),
        both / max(1, int(predicted.sum())),
        both / max(1, int(true.sum())),
        {labels[i]: float(each["f1"][i]) for i in order},
        {labels[i]: float(each["recall"][i]) for i in order},
        {label: int(count) for label, count in zip(labels, support, strict=True)},
        _strongest(shares(true, predicted), labels, most),
    )


def _strongest(matrix: Floats, labels: list[str], most: int) -> list[tuple[str, str, float]]:
    """Return the largest cells off the diagonal."""
    away = np.where(np.eye(len(labels), dtype=bool) | np.isnan(matrix), 0.0, matrix)
    places = [divmod(int(at), len(labels)) for at in np.argsort(-away, axis=None, kind="stable")[:most]]
    return [(labels[i], labels[j], float(away[i, j])) for i, j in places if away[i, j] > 0]


def run_facts(run: RunFolder) -> Facts | None:
    """Return the facts of what a run's first figures are of; None where it predicted nothing."""
    final = run.final
    if final is None or not len(final.texts) or not run.labels:
        return None
    splits = (run.metrics.get("data") or {}).get("splits") or {}
    counts = (splits.get("train") or {}).get("label_counts") or {}
    counted = {label: as_number(counts.get(label)) or 0 for label in run.labels}
    own = dict(zip(run.labels, final.true.sum(axis=0).tolist(), strict=True))
    counted = counted if any(counted.values()) else own
    predicted = final.predicted
    if headline(run.metrics) == "fixed" and final.logits is not None and not run.single_label:
        plain = float(plain_threshold(run.metrics.get("decisions")))
        predicted = decide(raw_probabilities(final.logits, single_label=False), plain, single_label=False)
    return facts_of(final.true, predicted, run.labels, max(counted, key=lambda one: counted[one]))


def sentence(run: RunFolder, facts: Facts) -> str:
    """Return what a stranger should know of a run, in one or two sentences."""
    split = run.final.split if run.final else ""
    texts = f"{count_text(facts.n)} texts it {'had never seen' if split == 'test' else 'was tuned on'}"
    guess = (
        f"always saying {facts.commonest}, the commonest label, would be right {times_text(facts.guessing)}"
    )
    counted = _baseline(run, "tfidf", "accuracy")
    if counted is not None:
        guess += f", and counting words (TF-IDF with logistic regression) {times_text(counted)}"
    if run.single_label:
        said = f"Right {times_text(facts.right)} on {texts}; {guess}."
    else:
        said = (
            f"Every label right {times_text(facts.right)} on {texts}; {guess}. A label it gives holds "
            f"{times_text(facts.precision)}, and one that holds is given {times_text(facts.recall)}."
        )
    told = list(facts.f1)
    if len(told) < 2:
        return said
    found = facts.found[told[-1]]
    missed = f", found only {times_text(found)}" if found < 0.8 else ""
    return f"{said} Strongest on {told[0]}, weakest on {told[-1]}{missed}."


def can_tell(run: RunFolder, facts: Facts) -> list[str]:
    """Return what the run's figures show it can do, and how surely that is known."""
    upper = [label for label, f1 in facts.f1.items() if f1 >= 0.5][: max(1, len(facts.f1) // 3)]
    best = ", ".join(f"{label} (found {times_text(facts.found[label])})" for label in upper)
    said = [f"It tells best: {best}."] if upper else []
    choice = figures_of(run)[1].get(headline(run.metrics)) or {}
    said += _beside_baselines(run, choice)
    known = as_interval(choice.get("accuracy"))
    if known and known[1] != known[2]:
        low, high = (f"{100 * end:.0f}" for end in known[1:])
        every = "" if run.single_label else "with every label "
        said.append(f"On other texts like these it would be right {every}{low} to {high} times in 100.")
    ece = as_number(((run.metrics.get("calibration") or {}).get("after") or {}).get("ece"))
    if ece is not None:
        trust = "can be taken at their word" if ece < 0.05 else "are to be taken with care"
        said.append(f"Its probabilities {trust}: on average they are {100 * ece:.0f} points of 100 off.")
    return said


def _baseline(run: RunFolder, name: str, key: str) -> float | None:
    """Return a figure that a baseline reaches on the run's texts, where training recorded it."""
    return as_number(((run.metrics.get("baselines") or {}).get(name) or {}).get(key))


def _beside_baselines(run: RunFolder, choice: Mapping[str, Any]) -> list[str]:
    """Return the run's macro-F1 and, of several labels, Jaccard beside what simple guesses reach."""
    names = {"tfidf": "counting words", "majority": "always giving the commonest label"}
    said = []
    for key in ("f1_macro",) if run.single_label else ("f1_macro", "jaccard"):
        own, others = as_interval(choice.get(key)), {name: _baseline(run, name, key) for name in names}
        beside = [
            f"{names[name]} has {figure_text(value)}" for name, value in others.items() if value is not None
        ]
        if own and beside:
            said.append(f"Its {figure(key).title} is {figure_text(own[0])}; {' and '.join(beside)}.")
    return said


def cannot_tell(run: RunFolder, facts: Facts) -> list[str]:
    """Return what it cannot do, and what its figures do not show."""
    any_number = "one of them" if run.single_label else "none, one or several of them"
    said = [f"It knows {len(run.labels)} labels and no other: every text gets {any_number}."]
    how = "It mistakes most often" if run.single_label else "Given most often beside or instead of what holds"
    form = "{0} for {1}" if run.single_label else "{1} with {0}"
    mistaken = [form.format(one, other) for one, other, _ in facts.confused]
    if mistaken:
        said.append(f"{how}: {', '.join(mistaken[:3])}.")
    rare = [f"{label} ({count})" for label, count in facts.support.items() if count < FEWEST_OF_LABEL]
    if rare:
        said.append(f"Too few texts to judge these labels well: {', '.join(rare)}.")
    name = (run.metrics.get("data") or {}).get("name")
    source = f"those of {name}" if name else "its own"
    said.append(f"How it does on texts unlike {source}, or with another seed, these figures do not say.")
    return said
