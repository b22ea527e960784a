"""Doubts about what a dev split gave: thresholds that are no use, and rows too few to trust.

Where scores tell little, best F1 is had by giving a label to nearly every text: each text then gets all
labels. On dev splits of some size this does not happen; on a few dozen texts it does.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from affekt.decisions.rules import FIXED
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Bools, Floats

NEARLY_ALL = 0.75  # a threshold that gives a label to this share of dev, mostly wrongly, is not used
SMALL_DEV, FEW_POSITIVES = 100, 10  # rows of dev, and of a label in it, below which a warning is due
_MOST_NAMED = 5


def usable_thresholds(
    fitted: Floats,
    shared: float,
    truth: Bools,
    probabilities: Floats,
    labels: Sequence[str],
    *,
    jaccard: bool,
) -> tuple[Floats, tuple[str, ...]]:
    """Return thresholds to be used in place of fitted ones, and a sentence on each thing that was changed.

    A label that was given to three quarters of dev or more, mostly wrongly, gets the threshold of all labels
    together, or .5 where that does the same. Where this is still worse on dev than .5, all labels get .5.

    Args:
        fitted: (k,) thresholds.
        shared: The one threshold for all labels.
        truth: (n, k) which labels the dev rows hold.
        probabilities: (n, k) what the thresholds are compared with.
        labels: What the columns are called.
        jaccard: Whether mean Jaccard of rows, rather than macro-F1, says which thresholds are worse.
    """

    def given_by(limits: ArrayLike) -> Bools:
        return arrays.decide(probabilities, limits, single_label=False)

    def useless(limits: ArrayLike) -> Bools:
        given = given_by(limits)
        wrong = given & ~truth
        return np.asarray((given.mean(axis=0) >= NEARLY_ALL) & (2 * wrong.sum(axis=0) > given.sum(axis=0)))

    bad = useless(fitted)
    if len(set(fitted.tolist())) == 1:  # one threshold for all stays one
        bad[:] = 2 * bad.sum() > len(bad)
    instead = np.where(useless(np.full(len(bad), shared)), FIXED, shared)
    chosen = np.where(bad, instead, fitted)
    ours, plain = (dev_figure(truth, given_by(limits), jaccard=jaccard) for limits in (chosen, FIXED))
    if plain > ours:
        name = "Jaccard" if jaccard else "macro-F1"
        reason = (
            f"thresholds fitted on {len(truth):,} dev texts do worse there than .5 "
            f"({name} {ours:.3f} against {plain:.3f}); .5 is used for all labels."
        )
        return np.full(len(chosen), FIXED), (reason,)
    reasons = [
        f"thresholds fitted on {len(truth):,} dev texts gave {_named(labels, bad & (chosen == value))} "
        f"to nearly every text, mostly wrongly; {value:.3g} is used instead."
        for value in dict.fromkeys(chosen[bad].tolist())
    ]
    return chosen, tuple(reasons)


def few_rows(truth: Bools, labels: Sequence[str]) -> tuple[str, ...]:
    """Return a warning where dev, or a label in it, is too small for what is fitted on it."""
    if len(truth) < SMALL_DEV:
        few = f"dev has {len(truth)} texts: what is fitted on so few may not hold on others; "
        return (f"{few}{SMALL_DEV} or more are better.",)
    rare = truth.sum(axis=0) < FEW_POSITIVES
    if not labels or not rare.any():
        return ()
    return (
        f"fewer than {FEW_POSITIVES} dev texts hold {_named(labels, rare)}: a threshold fitted on so few is "
        "little but a guess.",
    )


def dev_figure(truth: Bools, given: Bools, *, jaccard: bool) -> float:
    """Return the mean Jaccard of rows (of two empty sets 1), or macro-F1."""
    if jaccard:
        both, either = (truth & given).sum(axis=1), (truth | given).sum(axis=1)
        return float(np.where(either > 0, both / np.maximum(either, 1), 1.0).mean())
    hits, either = (truth & given).sum(axis=0), truth.sum(axis=0) + given.sum(axis=0)
    return float((2 * hits / np.maximum(either, 1)).mean())


def _named(labels: Sequence[str], which: Bools) -> str:
    names = [label for label, held in zip(labels, which, strict=True) if held]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
