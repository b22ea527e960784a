"""Likely faults among labels: texts whose label a model fitted on all others would not give."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from affekt.data.corpus import Corpus
from affekt.data.splits import stratified_rows
from affekt.data.writing import ROWS, format_of, header_of, rows_to
from affekt.errors import DataError, UsageError
from affekt.evaluation.arrays import Bools, Floats
from affekt.files import written_aside
from affekt.inference.model import Model

FOLDS = 5
FIRST = 100  # of the list, among which planted faults are counted
_INVERSE_REGULARISATION = 10.0  # little of it: the vectors have unit length
_CHUNK = 1024

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class LabelFault:
    """A label that is likely wrong.

    Attributes:
        row: Of the corpus, from 0.
        label: The label in question.
        given: Whether the data gives it; of a single-label corpus always.
        better: The label that would fit; where texts may have several labels the same, taken away or put in.
        probability: Of what the data says, by a model that has not seen the text.
        margin: By how much that lies below what would fit; from 0 to 1, the largest come first.
    """

    row: int
    label: str
    given: bool
    better: str
    probability: float
    margin: float


def find_faults(
    model: Model,
    corpus: Corpus,
    *,
    folds: int = FOLDS,
    plant: float = 0.0,
    seed: int = 0,
    tick: Tick = lambda done, of: None,
) -> dict[str, Any]:
    """Return the likely label faults of a corpus, the likeliest first.

    Each text is judged by logistic regression on a model's vectors of the texts in the other folds.

    Args:
        model: Any model or encoder; the better its vectors tell the labels apart, the better the list. One
            that was trained on these very labels may know the wrong ones by heart.
        corpus: Texts with labels.
        folds: How many parts, from 2; texts that differ only in case or spaces are in the same.
        plant: Share of texts, below .5, of which a label is made wrong on purpose, to see how many are found.
            True faults of the data count as missed in "planted", so that this is a lower bound.
        seed: Of the folds and of what is planted.
        tick: Hears how many texts are encoded, of how many.

    Returns:
        "n", "folds", "found"; "labels", for each how often it is given, seems wrong, and seems missing;
        "planted", how many of the first 100 of the list were, or None; and "faults", with id and text.

    Raises:
        DataError: When the corpus has no labels that could be wrong, or too few texts for the folds.
        UsageError: When what is asked for cannot be done.
    """
    if not 0 <= plant < 0.5:
        raise UsageError(f"plant = {plant}: give a share of the texts from 0 to below .5.")
    if folds < 2 or seed < 0:
        raise UsageError(f"folds = {folds}, seed = {seed}: give two folds or more, and a seed from 0.")
    corpus.require_classes()
    told, single = corpus.present, corpus.single_label
    shares = {str(fold): 1 / folds for fold in range(folds)}
    parts = [*stratified_rows(corpus.texts, corpus.targets, told, shares, seed).values()]
    held = planted(told, plant, seed)
    scores = out_of_fold(_vectors(model, corpus.texts, tick), held, parts, single_label=single)
    found = label_faults(scores, held, corpus.labels, single_label=single)
    wrong, first = held != told, found[:FIRST]
    hits = sum(bool(wrong[fault.row, corpus.labels.index(fault.label)]) for fault in first)
    counts = {"share": plant, "n": int(wrong.any(axis=1).sum()), "first": len(first), "hits": hits}
    return {
        "data": corpus.name,
        "split": corpus.split,
        "n": len(corpus),
        "single_label": single,
        "folds": folds,
        "seed": seed,
        "found": len(found),
        "labels": _by_label(found, held, corpus.labels),
        "planted": counts if plant else None,
        "faults": [
            {"id": corpus.ids[fault.row], "text": corpus.texts[fault.row], **asdict(fault)} for fault in found
        ],
    }


def label_faults(
    probabilities: Floats, held: Bools, labels: Sequence[str], *, single_label: bool
) -> list[LabelFault]:
    """Return the labels that out-of-fold probabilities speak against, by confident learning.

    A class is sure of a text where its probability reaches the mean over the texts that are given the class.
    A label is at fault where another class is sure of the text, or several are, and the likeliest of all is
    not the one given (Northcutt, Jiang and Chuang 2021). What would fit is the likeliest: a rare class is
    sure of texts that it hardly fits. Where texts may have several labels, each label has two classes,
    holding and not.

    Args:
        probabilities: (n, k) of models that have not seen the text.
        held: (n, k) what the data says.
        labels: k names.
        single_label: Whether each text has exactly one.
    """
    if single_label:
        given = held.argmax(axis=1)
        better, own, margins = _confidently_other(probabilities, given)
        found = [
            LabelFault(row, labels[given[row]], True, labels[better[row]], float(own[row]), margins[row])
            for row in np.flatnonzero(better >= 0).tolist()
        ]
    else:
        found = []
        for column, label in enumerate(labels):
            both = np.stack([1 - probabilities[:, column], probabilities[:, column]], axis=1)
            better, own, margins = _confidently_other(both, held[:, column].astype(np.int64))
            found += [
                LabelFault(row, label, bool(held[row, column]), label, float(own[row]), margins[row])
                for row in np.flatnonzero(better >= 0).tolist()
            ]
    return sorted(found, key=lambda fault: (-fault.margin, fault.row))


def _confidently_other(probabilities: Floats, given: np.ndarray) -> tuple[np.ndarray, Floats, list[float]]:
    """Return for each row the likeliest class where the one given is at fault, else −1.

    And the probability of the one given, and by how much that of the likeliest is above it.
    """
    n, k = probabilities.shape
    counts = np.bincount(given, minlength=k)
    own = probabilities[np.arange(n), given]
    means = np.bincount(given, own, minlength=k) / np.maximum(counts, 1)
    sure = probabilities >= np.where(counts > 0, means, np.inf) - 1e-6
    likeliest = probabilities.argmax(axis=1)
    guess = np.where(sure.sum(axis=1) > 1, likeliest, sure.argmax(axis=1))
    wrong = sure.any(axis=1) & (guess != given) & (likeliest != given)
    return np.where(wrong, likeliest, -1), own, (probabilities.max(axis=1) - own).tolist()


def out_of_fold(vectors: Floats, held: Bools, parts: Sequence[np.ndarray], *, single_label: bool) -> Floats:
    """Return (n, k) probabilities of logistic regressions, each part's fitted on the others.

    A label that all texts of the other parts have, or none, has there the probability 1, or 0.
    """
    scores = np.zeros(held.shape)
    regression = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough for a ranking
        for out in parts:
            rest = np.setdiff1d(np.arange(len(held)), out)
            for columns, classes in _problems(held, single_label=single_label):
                seen = classes[rest]
                if len(np.unique(seen)) < 2:
                    scores[np.ix_(out, columns)] = held[rest[:1]][:, columns]
                    continue
                fitted = regression.fit(vectors[rest], seen)
                given = fitted.predict_proba(vectors[out])
                if single_label:
                    scores[np.ix_(out, fitted.classes_)] = given
                else:
                    scores[out, columns[0]] = given[:, 1]
    return scores


def _problems(held: Bools, *, single_label: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the columns and the (n,) classes of what is to be fitted: one softmax, or a sigmoid a label."""
    if single_label:
        yield np.arange(held.shape[1]), held.argmax(axis=1)
        return
    for column in range(held.shape[1]):
        yield np.array([column]), held[:, column].astype(np.int64)


def planted(held: Bools, share: float, seed: int) -> Bools:
    """Return labels of which a share of rows is made wrong.

    One label that a text has becomes another in use, each as likely; where it has none, one is put in.
    """
    random, n, changed = np.random.default_rng(seed), len(held), held.copy()
    used = np.flatnonzero(held.any(axis=0))
    for row in random.choice(n, round(share * n), replace=False):
        own = np.flatnonzero(held[row])
        others = np.setdiff1d(used, own)
        if len(own):
            changed[row, random.choice(own)] = False
        if len(others):
            changed[row, random.choice(others)] = True
    return changed


def write_faults(faults: Sequence[dict[str, Any]], out: Path, *, safe: bool = False) -> Path:
    """Write a list of `find_faults` to a csv, tsv, jsonl or parquet file; UsageError for another."""
    kind = format_of(out, ROWS)
    columns = ["id", "text", "label", "given"]
    types = dict.fromkeys(columns, pa.string()) | {"given": pa.bool_()}
    header = header_of(columns, kind, "better", ("probability", "margin"), several=False, types=types)
    kept = [{name: fault[name] for name in columns} for fault in faults]
    scores = np.array([[fault["probability"], fault["margin"]] for fault in faults], dtype=np.float32)
    with written_aside(out) as aside, rows_to(aside, kind, header, safe=safe) as write:
        write(kept, [[fault["better"]] for fault in faults], scores.reshape(-1, 2))
    return out


def _vectors(model: Model, texts: Sequence[str], tick: Tick) -> Floats:
    parts = []
    for start in range(0, len(texts), _CHUNK):
        parts.append(model.embed(texts[start : start + _CHUNK]))
        tick(min(start + _CHUNK, len(texts)), len(texts))
    vectors = np.concatenate(parts)
    if not np.isfinite(vectors).all():
        raise DataError("the model's vectors of these texts are not finite; name another model.")
    return vectors


def _by_label(found: Sequence[LabelFault], held: Bools, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    wrong = [fault.label for fault in found if fault.given]
    missing = [fault.better for fault in found if not fault.given or fault.better != fault.label]
    return {
        label: {
            "texts": int(held[:, column].sum()),
            "wrong": wrong.count(label),
            "missing": missing.count(label),
        }
        for column, label in enumerate(labels)
    }
