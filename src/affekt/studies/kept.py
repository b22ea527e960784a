"""What the tables read of a run's metrics: the split judged, the figures of its space, its group of runs."""

from typing import Any

Metrics = dict[str, Any]

SPACE_FIGURES = (
    "silhouette",
    "davies_bouldin",
    "ami",
    "ari",
    "fms",
    "v_measure",
    "mrr",
    "precision_at_1",
    "map_at_r",
    "overlap_map_at_r",
    "overlap_ndcg_at_10",
    "mean_squared_difference",
    "mean_cosine",
)


def judged_split(metrics: Metrics) -> str:
    """Return the split that a run's final figures are of: test where it was read, else dev.

    An encoder without a classifier has figures of its space alone, and they are of test where there is one.
    """
    if metrics.get("test"):
        return "test"
    return "test" if not metrics.get("dev") and "test" in metrics["data"]["splits"] else "dev"


def space_by_name(metrics: Metrics) -> dict[str, Any]:
    """Return a run's figures of its space in one dict; overlap_ marks those of texts that share a label."""
    parts = (metrics.get(part) or {} for part in ("clustering", "retrieval", "space_shift"))
    overlap = metrics.get("overlap_retrieval") or {}
    flat = {name: value for part in parts for name, value in part.items()}
    return flat | {f"overlap_{name}": value for name, value in overlap.items()}


def group_of(metrics: Metrics) -> tuple[str, ...]:
    """Return what runs must share to be one line: name first, settings last."""
    data = metrics["data"]
    name = f"{metrics['name']}, {metrics['encoder']['name']}"
    judged = judged_split(metrics)
    return name, data["name"], judged, ",".join(metrics.get(judged) or {}), metrics.get("settings") or ""
