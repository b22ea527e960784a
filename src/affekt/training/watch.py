"""The collapse watch: a run that uses few labels, or whose vectors fall into few directions, says so."""

from typing import Any

LABEL_SHARE = 0.6  # of the labels that occur in the judged split
RANK_FALL = 0.25  # of the effective rank after the first epoch

_REMEDIES = (
    "Known remedies: a lower training.learning_rate or more training.warmup, head.bias: prior, "
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
            f"collapse: only {len(used)} of {len(present)} labels are ever predicted at the plain threshold. {_REMEDIES}"
        )
    ranks = [entry["dev"]["effective_rank"] for entry in history if "effective_rank" in entry.get("dev", {})]
    if len(ranks) > 1 and ranks[-1] < RANK_FALL * max(ranks):
        warnings.append(
            f"collapse: the vectors' effective rank fell from {max(ranks):.1f} to {ranks[-1]:.1f} directions. {_REMEDIES}"
        )
    return warnings
