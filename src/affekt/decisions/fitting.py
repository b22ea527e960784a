"""Calibration and thresholds fitted on a dev split.

Thresholds per label are what lifts macro-F1 on rare emotions, and what overfits on them: with a dozen dev
rows of a label, the threshold of best dev F1 says more about those dozen rows than about the label. So each
threshold here is drawn from two estimates, averaged in logits with the label's own evidence as the weight:

- bagged: the best threshold on each of many resamples of dev, averaged. Honest but unsteady on rare labels.
- expected: the best threshold if every row held the label with its calibrated probability. The calibration
  curve has two numbers per label, shrunk towards the curve of all labels together, and how scores spread is
  known from every dev row, so this hardly depends on which few rows hold the label; but it trusts the curve's
  shape.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.data.columns import split_named
from affekt.decisions.conformal import LabelSets
from affekt.decisions.doubts import dev_figure, few_rows, usable_thresholds
from affekt.decisions.rules import (
    FIXED,
    KINDS,
    Calibration,
    Decisions,
    check_thresholds,
    log_sum_exp,
    sigmoid,
)
from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Bools, Floats
from affekt.evaluation.intervals import resampled_counts
from affekt.evaluation.prevalence import ScoreCells

EDGE = 1e-6  # thresholds and the probabilities they are fitted on keep this far from 0 and 1
PRIOR_POSITIVES = 100.0  # dev rows of a label at which its two thresholds weigh the same
LINE_SPREAD = np.array([0.5, 1.0])  # how far a label's log slope and intercept are expected from all labels'
GRID = np.arange(-4.6, 4.601, 0.05)  # logits tried as one threshold for all labels: probabilities .01 to .99
SMOOTHING = 5  # neighbouring grid points averaged, so that one lucky point does not win


def fit(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    single_label: bool,
    thresholds: str | float = "per-label",
    calibration: str = "temperature",
    split: str = "dev",
    digest: str = "",
    labels: Sequence[str] | None = None,
) -> Decisions:
    """Fit calibration, then thresholds and sets on the calibrated probabilities, and count dev's scores.

    Thresholds that are no use are replaced, see `affekt.decisions.doubts`; the decisions' `warnings` say so,
    and whether the rows are too few to trust what was fitted on them.

    Args:
        logits: (n, k) of a model that has not learned from these rows.
        targets: (n, k) in [0, 1].
        single_label: One label per row: the largest probability decides and `thresholds` is not used.
        thresholds: "fixed" (.5), a number in [0, 1] for all labels, "global", "global-jaccard" or
            "per-label", see `fit_thresholds`.
        calibration: "none", "temperature" or "platt", see `fit_calibration`.
        split: Name of the split these rows are; "test" is refused.
        digest: Hash of the split's data, kept with the decisions.
        labels: What the columns are called in warnings; their numbers unless said.
    """
    line = fit_calibration(logits, targets, kind=calibration, single_label=single_label, split=split)
    fitted_on: dict[str, str | int] = {"split": split, "digest": digest, "n": np.shape(targets)[0]}
    truth = np.asarray(targets) > 0.5
    few = few_rows(truth, ()) if calibration != "none" else ()
    plain = replace(Decisions.unfitted(truth.shape[1], single_label=single_label), calibration=line)
    probabilities = plain.probabilities(logits)
    counted = ScoreCells.of(targets, probabilities, single_label=single_label)
    sets = LabelSets.fit(targets, probabilities, single_label=single_label)
    if single_label:
        return Decisions("argmax", (), line, "fixed", fitted_on, few, counted, sets)
    chosen = fit_thresholds(targets, probabilities, method=thresholds, split=split)
    if thresholds == "fixed" or not isinstance(thresholds, str):
        return Decisions("threshold", chosen, line, "fixed", fitted_on, few, counted, sets)
    names = [str(name) for name in arrays.label_names(labels, len(chosen))]
    shared = fit_thresholds(targets, probabilities, method="global", split=split)[0]
    used, reasons = usable_thresholds(
        np.array(chosen), shared, truth, probabilities, names, jaccard=thresholds == "global-jaccard"
    )
    warnings = reasons + few_rows(truth, names)
    return Decisions("threshold", tuple(used.tolist()), line, thresholds, fitted_on, warnings, counted, sets)


def fit_calibration(
    logits: ArrayLike, targets: ArrayLike, *, kind: str, single_label: bool = False, split: str = "dev"
) -> Calibration:
    """Fit the lines that make probabilities come true.

    "temperature" divides all logits by one number: softmax for single-label data, otherwise the sigmoids of
    all labels pooled. "platt" (multi-label) fits slope and intercept per label by logistic regression with a
    penalty for leaving the line of all labels together, so that a label with few positives stays near it.
    Slopes are positive: the ranking of rows within a label never changes.
    """
    check_calibration(kind, single_label=single_label)
    values, votes = _dev_rows(logits, targets, "logits", split)
    count = int(values.shape[1])
    if kind == "none":
        return Calibration.none(count)
    if kind == "temperature":
        return Calibration(kind, (_temperature_slope(values, votes, single_label),) * count, (0.0,) * count)
    lines = _platt_lines(values, votes)
    return Calibration(kind, tuple(lines[:, 0].tolist()), tuple(lines[:, 1].tolist()))


def check_calibration(kind: str, *, single_label: bool) -> None:
    """Raise UsageError for a calibration that is unknown, or cannot be fitted to texts of one label each."""
    if kind not in KINDS:
        raise UsageError(unknown_name("calibration", kind, KINDS))
    if kind == "platt" and single_label:
        raise UsageError(
            "calibration = 'platt': fits a line per label and is for several labels per text; "
            "these texts have one each, for which there is temperature."
        )


def fit_thresholds(
    targets: ArrayLike,
    probabilities: ArrayLike,
    *,
    method: str | float = "per-label",
    split: str = "dev",
    resamples: int = 100,
    prior_positives: float = PRIOR_POSITIVES,
    seed: int = 0,
) -> tuple[float, ...]:
    """Return one threshold per label, in [0, 1], for the best figures to be expected on other rows.

    Args:
        targets: (n, k) in [0, 1]; a label holds above .5.
        probabilities: (n, k), calibrated or not: what the thresholds will be compared with.
        method: "fixed": .5; a number: that. "global": one threshold for the best macro-F1.
            "global-jaccard": one for the best mean Jaccard of rows, at some cost in macro-F1. "per-label",
            for macro-F1: the weighted mean, in logits, of a bagged and an expected threshold (see the
            module's docstring). A label with no dev row, or with the same probability everywhere, gets the
            global threshold.
        split: Name of the split; "test" is refused.
        resamples: How many resamples are bagged; 0 takes dev itself.
        prior_positives: Weight of the expected threshold, in dev rows of the label; with 0, and 0 resamples,
            each label gets the plain threshold of best dev F1.
        seed: Of the resamples.
    """
    try:
        method = check_thresholds(method)
    except ValueError as fault:
        raise UsageError(f"{fault}.") from None
    values, votes = _dev_rows(probabilities, targets, "probabilities", split)
    count = int(values.shape[1])
    if method == "fixed" or isinstance(method, float):
        return (FIXED if method == "fixed" else float(method),) * count
    kept = np.clip(arrays.unit_matrix(values, "probabilities"), EDGE, 1 - EDGE)
    scores, truth = np.log(kept / (1 - kept)), votes > 0.5
    jaccard = method == "global-jaccard"
    shared = _best_on_grid([dev_figure(truth, scores > limit, jaccard=jaccard) for limit in GRID])
    chosen = np.full(count, shared)
    if method == "per-label":
        own = _per_label_thresholds(scores, truth, resamples, prior_positives, seed)
        chosen = np.where(np.isfinite(own), own, shared)
    return tuple(float(limit) for limit in np.clip(sigmoid(chosen), EDGE, 1 - EDGE))


def _dev_rows(values: ArrayLike, targets: ArrayLike, name: str, split: str) -> tuple[Floats, Floats]:
    named = re.split(r"[\W\d_]", PurePath(split.strip()).name)[0]  # "Test", "data/test.csv", "test[:90]"
    if split_named(named) == "test":
        raise UsageError(
            "decisions are not fitted on the test split: fit them on dev, so that test stays unseen."
        )
    if np.shape(values)[:1] == (0,):
        raise DataError(f"decisions are fitted on the rows of split {split!r}, but it has none.")
    numbers, votes = arrays.matrix(values, name).astype(np.float64), arrays.unit_matrix(targets, "targets")
    arrays.same_shape(votes, numbers, f"targets and {name}")
    return numbers, votes


def _temperature_slope(logits: Floats, votes: Floats, single_label: bool) -> float:
    from scipy.optimize import minimize_scalar

    def cost(log_slope: float) -> float:
        scaled = logits * np.exp(log_slope)
        spread = (
            log_sum_exp(scaled) * votes.sum(axis=1) if single_label else np.logaddexp(0, scaled).sum(axis=1)
        )
        prior = log_slope**2 / 2  # one row's worth
        return float((spread - (votes * scaled).sum(axis=1)).sum() + prior)

    found = minimize_scalar(cost, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def _platt_lines(logits: Floats, votes: Floats) -> Floats:
    """Return (k, 2) slopes and intercepts, each label's shrunk towards the line of all labels pooled."""
    centre = logits.mean()
    pooled = _fit_line(logits.ravel() - centre, votes.ravel(), np.zeros(2), np.array([1.0, 10.0]))
    slope = np.exp(pooled[0])
    expected = sigmoid(slope * (logits - centre) + pooled[1])
    weight = np.maximum(expected * (1 - expected), EDGE)
    centres = (weight * logits).sum(axis=0) / weight.sum(axis=0)  # where scores tell most of a label's line
    lines = np.empty((logits.shape[1], 2))
    for label, own in enumerate(centres):
        prior = np.array([pooled[0], slope * (own - centre) + pooled[1]])
        log_slope, height = _fit_line(logits[:, label] - own, votes[:, label], prior, LINE_SPREAD)
        lines[label] = np.exp(log_slope), height - np.exp(log_slope) * own
    return lines


def _fit_line(scores: Floats, votes: Floats, prior: Floats, spread: Floats) -> Floats:
    """Return log slope and intercept of a logistic regression with a Gaussian prior on both."""
    from scipy.optimize import minimize

    def cost(line: Floats) -> tuple[float, Floats]:
        slope = np.exp(np.clip(line[0], -10, 10))
        calibrated = slope * scores + line[1]
        error = sigmoid(calibrated) - votes
        away = (line - prior) / spread
        surprise = (np.logaddexp(0, calibrated) - votes * calibrated).sum() + (away**2).sum() / 2
        gradient = np.array([slope * (error * scores).sum(), error.sum()]) + away / spread
        return float(surprise), gradient

    return np.asarray(minimize(cost, prior, jac=True, method="L-BFGS-B").x)


def _best_on_grid(figures: Sequence[float]) -> float:
    """Return the logit of GRID at which a figure, smoothed, is best; the nearest to 0 of several."""
    window = np.ones(SMOOTHING)
    smooth = np.convolve(figures, window, "same") / np.convolve(np.ones(len(GRID)), window, "same")
    best = np.flatnonzero(smooth >= smooth.max() - 1e-12)
    return float(GRID[best[np.abs(GRID[best]).argmin()]])


def _per_label_thresholds(
    scores: Floats, truth: Bools, resamples: int, prior_positives: float, seed: int
) -> Floats:
    """Return (k,) logits; NaN for a label with no positive row or no two different scores."""
    votes = truth.astype(np.float64)
    bagged = _best_cuts(scores, votes, resamples, seed)
    if not prior_positives:
        return bagged
    lines = _platt_lines(scores, votes)
    promised = sigmoid(scores * lines[:, 0] + lines[:, 1])
    expected = _best_cuts(scores, promised, 0, seed)
    positives = votes.sum(axis=0)
    bagged = np.where(np.isfinite(bagged), bagged, expected)
    own = (positives * bagged + prior_positives * expected) / (positives + prior_positives)
    return np.where(positives > 0, own, np.nan)


def _best_cuts(scores: Floats, outcomes: Floats, resamples: int, seed: int) -> Floats:
    """Return (k,) logits of best F1, averaged over resamples, or of the rows as they are; NaN where none is.

    Outcomes are true labels, or the probability of each row's being one. A cut lies midway between two
    neighbouring scores. Resamples in which a label has no positive row are left out of its mean.
    """
    cuts, rows = np.full(scores.shape[1], np.nan), len(scores)
    for label in range(scores.shape[1]):
        order = np.argsort(-scores[:, label], kind="stable")
        falling = scores[order, label]
        ends = np.flatnonzero(falling[:-1] > falling[1:])  # last of each run of equal scores but the lowest
        if not len(ends) or not outcomes[:, label].any():
            continue
        middles = (falling[ends] + falling[ends + 1]) / 2
        drawn = resampled_counts(rows, resamples, seed) if resamples else [np.ones((1, rows))]
        places = np.concatenate(
            [_best_places(chunk[:, order], outcomes[order, label], ends) for chunk in drawn]
        )
        if len(places):  # with one positive row in dev, a few resamples may all miss it
            cuts[label] = middles[places].mean()
    return cuts


def _best_places(weights: Floats, outcomes: Floats, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each weighting with any positive row which of `ends` has the best F1."""
    hits = np.cumsum(weights * outcomes, axis=1)
    predicted = np.cumsum(weights, axis=1)
    positives = hits[:, -1]
    f1 = hits[:, ends] / np.maximum(predicted[:, ends] + positives[:, None], EDGE)
    return np.asarray(f1.argmax(axis=1)[positives > 0])
