"""What people call the figures, and how figures, counts and times are written."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

NAMES = {
    "f1_macro": "Macro F1",
    "f1_micro": "Micro F1",
    "f1_weighted": "Weighted F1",
    "f1_std": "F1 spread over labels",
    "f1": "F1",
    "accuracy": "Accuracy",
    "jaccard": "Jaccard",
    "jaccard_empty_zero": "Jaccard, empty rows 0",
    "hamming": "Wrong entries (Hamming)",
    "precision_macro": "Macro precision",
    "precision_micro": "Micro precision",
    "recall_macro": "Macro recall",
    "recall_micro": "Micro recall",
    "kappa": "Cohen’s kappa",
    "mcc": "Matthews correlation",
    "never_predicted": "Labels never predicted",
    "average_precision_macro": "Macro average precision",
    "roc_auc_macro": "Macro ROC AUC",
    "ece": "Calibration error (ECE)",
    "ece_macro": "Calibration error, mean over labels",
    "mce": "Largest calibration gap",
    "brier": "Brier score",
    "silhouette": "Silhouette",
    "silhouette_labels": "Silhouette of the true labels",
    "davies_bouldin": "Davies–Bouldin",
    "davies_bouldin_labels": "Davies–Bouldin of the true labels",
    "ami": "Adjusted mutual information",
    "ari": "Adjusted Rand index",
    "fms": "Fowlkes–Mallows",
    "v_measure": "V-measure",
    "mrr": "Mean reciprocal rank",
    "precision_at_1": "Precision at 1",
    "map_at_r": "MAP@R",
    "ndcg_at_10": "nDCG@10",
    "overlap_map_at_r": "MAP@R, any shared label",
    "overlap_ndcg_at_10": "nDCG@10, any shared label",
    "mean_squared_difference": "Space shift (Δemb)",
    "mean_cosine": "Cosine to the starting encoder",
    "effective_rank": "Effective rank",
    "n": "Rows",
    "clusters": "Clusters asked for",
    "clusters_found": "Clusters found",
    "dimension": "Dimensions",
}

COUNTS = frozenset({"n", "clusters", "clusters_found", "dimension", "never_predicted"})
NEITHER_IS_BETTER = frozenset({"f1_std", "n", "clusters", "dimension"})

# with one label per text these only say accuracy again
SAYS_ACCURACY = frozenset(
    {"f1_micro", "precision_micro", "recall_micro", "jaccard", "jaccard_empty_zero", "hamming"}
)

# in this order they head tables and charts
MAIN_METRICS = (
    "f1_macro",
    "f1_micro",
    "accuracy",
    "jaccard",
    "f1_weighted",
    "precision_macro",
    "recall_macro",
)

LOWER_IS_BETTER = frozenset(
    {
        "brier",
        "davies_bouldin",
        "davies_bouldin_labels",
        "ece",
        "ece_macro",
        "hamming",
        "mce",
        "mean_squared_difference",
        "never_predicted",
    }
)

Interval = tuple[float, float, float]  # value, low, high


def metric_name(key: str) -> str:
    """Return what people call a figure; an unknown key loses its underscores."""
    return NAMES.get(key, key.replace("_", " "))


def held_labels(held: Any, labels: Sequence[str]) -> str:
    """Return the labels that a row of a (n, k) matrix holds, as people read them.

    >>> held_labels([True, False, True], ["joy", "fear", "love"]), held_labels([False], ["joy"])
    ('joy, love', 'none')
    """
    return ", ".join(label for label, one in zip(labels, held, strict=True) if one) or "none"


def ordered(keys: Iterable[str], *, single_label: bool = False) -> list[str]:
    """Return metric keys, the main ones first, the others as they came.

    With one label per text, figures that only say accuracy again are left out.
    """
    told = [key for key in keys if not (single_label and key in SAYS_ACCURACY)]
    return [key for key in MAIN_METRICS if key in told] + [key for key in told if key not in MAIN_METRICS]


def as_number(value: Any) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def as_interval(entry: Any) -> Interval | None:
    """Return (value, low, high) of a figure given with or without its interval, else None.

    >>> as_interval({"value": 0.5, "low": 0.4, "high": 0.6}), as_interval(0.5)
    ((0.5, 0.4, 0.6), (0.5, 0.5, 0.5))
    """
    if not isinstance(entry, dict):
        value = as_number(entry)
        return None if value is None else (value, value, value)
    value = as_number(entry.get("value"))
    low, high = as_number(entry.get("low")), as_number(entry.get("high"))
    if value is None:
        return None
    return (value, value if low is None else low, value if high is None else high)


def figure_text(value: float | None) -> str:
    """Return a figure with three decimals, as tables of this field have it.

    >>> figure_text(0.4619), figure_text(1.0), figure_text(-0.02), figure_text(12.34), figure_text(None)
    ('.462', '1.000', '−.020', '12.340', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{abs(value):.3f}".removeprefix("0") if abs(value) < 0.9995 else f"{abs(value):.3f}"
    return f"−{text}" if value < 0 and text != ".000" else text


def probability_text(value: float) -> str:
    """Return a probability, never rounded to certainty.

    >>> probability_text(0.5), probability_text(0.0001), probability_text(0.9999)
    ('.500', '<.001', '>.999')
    """
    if value < 0.0005:
        return "<.001"
    return ">.999" if value >= 0.9995 else figure_text(value)


def count_text(value: Any) -> str:
    """Return a count with thousands set apart."""
    number = as_number(value)
    return "–" if number is None else f"{int(number):,}"


def duration_text(seconds: float | None) -> str:
    """Return a time as people say it.

    >>> duration_text(0.42), duration_text(75.2), duration_text(4000)
    ('0.42 s', '1 min 15 s', '1 h 7 min')
    """
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def size_text(parameters: Any) -> str:
    """Return a number of parameters in millions.

    >>> size_text(22713216), size_text(5000)
    ('22.7 M', '5,000')
    """
    number = as_number(parameters)
    if number is None:
        return "–"
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{int(number):,}"
