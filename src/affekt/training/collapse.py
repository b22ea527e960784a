"""The collapse watch: a run that uses few labels, or whose vectors fall into few directions, says so.

A contrastive loss draws the texts of a label together, so a good run too uses fewer directions than it began
with, down to about one per label. Collapse is a fall far below what the labels need.
"""

import math
from typing import Any

LABEL_SHARE = 0.6  # of the labels that occur in the judged split
RANK_FALL = 0.25  # of the highest effective rank of the run, its start included
RANK_NEEDED = 0.5  # directions per label

_REMEDIES = (
    "What may help: a lower training.learning_rate or more training.warmup, head.bias: prior, "
    "more training.epochs, objective.warmup_epochs or objective.detach_weights for label-aware runs."
)


def collapse_warnings(metrics: dict[str, Any], history: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each sign of collapse in a run's figures."""
    warnings = []
    per_label = (metrics.get("per_label") or {}).get("fixed", {})
    present = [row for row in per_label.values() if row["support"] > 0]
    used = [row for row in present if row["predicted"] > 0]
    if present and len(used) < LABEL_SHARE * len(present):
        warnings.append(
            f"collapse: only {len(used)} of {len(present)} labels are ever predicted at the plain threshold, "
            f"the others for no text. {_REMEDIES}"
        )
    labels = (metrics.get("data") or {}).get("labels") or []
    return warnings + rank_warnings(history, len(labels)) + weighting_warnings(metrics, history)


def weighting_warnings(metrics: dict[str, Any], history: list[dict[str, Any]]) -> list[str]:
    """Return the sentence that a label-aware run's Ψ ended worse than knowing the label shares alone, if so.

    The contrastive term is multiplied by Ψ's weights, so it vanishes with a Ψ that gives the labels of a text
    no weight: whoever lets its gradient through may teach Ψ that.
    """
    objective, terms = metrics.get("objective") or {}, (history[-1].get("terms") or {}) if history else {}
    names = set(_PRIOR_LOSSES) & set(terms)
    plain = objective.get("class_weights") == "none" and not objective.get("smoothing")
    share = objective.get("balance", 0) * (1 - objective.get("correlation", 0))  # of this term in the loss
    if not names or not plain or not share:
        return []
    name, train = names.pop(), metrics["data"]["splits"]["train"]
    shares = [count / train["n"] for count in train["label_counts"].values()]
    loss, prior = terms[name] / share, _PRIOR_LOSSES[name](shares)
    if loss <= prior:
        return []
    return [
        f"collapse: the weighting encoder's loss is {loss:.3f}, and the label shares alone would give "
        f"{prior:.3f}; the contrastive term leads it astray. {_REMEDIES}"
    ]


def _entropy(shares: list[float]) -> float:
    return -sum(p * math.log(p) for p in shares if p > 0)


_PRIOR_LOSSES = {  # by term: the loss of always answering with the training rows' label shares
    "weighting bce": lambda shares: sum(_entropy([p, 1 - p]) for p in shares) / len(shares),
    "weighting cross-entropy": _entropy,
}


def rank_warnings(history: list[dict[str, Any]], labels: int) -> list[str]:
    """Return the sentence that the last epoch's vectors use too few directions for so many labels, if so."""
    figures = [entry["dev"] for entry in history if "effective_rank" in entry.get("dev", {})]
    if not figures:
        return []
    ranks = [figures[0].get("starting_rank", 0.0), *(row["effective_rank"] for row in figures)]
    highest, last = max(ranks), ranks[-1]
    if last >= RANK_FALL * highest or last >= max(2.0, RANK_NEEDED * labels):
        return []
    return [
        f"collapse: texts of different emotions have nearly the same vectors: their effective rank fell from "
        f"{highest:.1f} to {last:.1f} directions, too few for {labels} labels. {_REMEDIES}"
    ]


def new_rank_warnings(history: list[dict[str, Any]], labels: int) -> list[str]:
    """The same, in the epoch in which it first is so: for a run's log."""
    return [] if rank_warnings(history[:-1], labels) else rank_warnings(history, labels)
