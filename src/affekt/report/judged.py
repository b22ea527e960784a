"""What a run's metrics say of its final figures: the split they are of, and those of its space by name."""

from collections.abc import Mapping
from typing import Any

Metrics = dict[str, Any]


def judged_split(metrics: Metrics) -> str:
    """Return the split that a run's final figures are of: test where it was read, else dev.

    An encoder without a classifier has figures of its space alone, and they are of test where there is one.
    """
    if metrics.get("test"):
        return "test"
    splits = (metrics.get("data") or {}).get("splits") or {}
    return "test" if not metrics.get("dev") and "test" in splits else "dev"


def space_by_name(metrics: Metrics) -> dict[str, Any]:
    """Return a run's figures of its space in one dict; overlap_ marks those of texts that share a label.

    "n" is of the rows that were clustered.
    """
    parts = [metrics.get(part) or {} for part in ("space_shift", "retrieval", "clustering")]
    overlap = metrics.get("overlap_retrieval") or {}
    flat = {name: value for part in parts for name, value in part.items()}
    return flat | {f"overlap_{name}": value for name, value in overlap.items()}


def space_figures(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Return the same, each as "value", with "low" and "high" where an interval was measured."""
    intervals = metrics.get("space_intervals") or {}
    return {
        name: {"value": value, **intervals.get(name, {})} for name, value in space_by_name(metrics).items()
    }


def space_part(metrics: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the figures of one part, such as "retrieval", with their intervals where there are any."""
    intervals = metrics.get("space_intervals") or {}
    prefix = "overlap_" if part == "overlap_retrieval" else ""
    return {
        name: {"value": value, **intervals[prefix + name]} if prefix + name in intervals else value
        for name, value in (metrics.get(part) or {}).items()
    }
