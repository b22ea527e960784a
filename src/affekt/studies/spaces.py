"""One page on which all spaces of the same texts stand beside each other, whatever made them."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affekt.evaluation.figures import SPACE, figure
from affekt.runs.metrics import Metrics, judged_split, judged_texts, space_by_name
from affekt.studies.kept import group_of, write_page

SPACES = "spaces.md"

_SHOWN = [key for key in SPACE if figure(key).short]
_TOLD = {
    "retrofit": {"preservation": "λ"},
    "label-aware": {"balance": "λ", "temperature": "τ"},
    "supervised-contrastive": {"contrastive": "weight", "views": "views"},
}
_FOOT = (
    "Rows with exactly one label; K-Means with as many clusters as labels; of Davies-Bouldin less is better. "
    "Δemb: mean squared difference to the starting encoder's vectors, for retrofitted encoders. Macro-F1: "
    "without thresholds from dev. Means over the seeds; their ranges, intervals where they were measured, "
    "hardware and full commands stand on the pages of the rows."
)


def write_spaces(runs: Sequence[Metrics], out: Path) -> Path | None:
    """Write spaces.md, a table per split that several recipes were judged on; None where there is none."""
    tables: dict[tuple[str, str, int, str], dict[tuple[str, ...], list[Metrics]]] = {}
    for metrics in runs:
        if clustering := metrics.get("clustering"):
            name, n = metrics["data"]["name"], int(clustering["n"])
            judged = name, judged_split(metrics), n, judged_texts(metrics)
            tables.setdefault(judged, defaultdict(list))[group_of(metrics)].append(metrics)
    shared = sorted((judged, groups) for judged, groups in tables.items() if len(groups) > 1)
    if not shared:
        return None
    parts = ["# Spaces beside each other", "", "Made by `affekt reproduce`.", "", _FOOT, ""]
    seen = [judged[:3] for judged in tables]
    for (data, split, n, texts), groups in shared:
        others = seen.count((data, split, n)) > 1
        unlike = f" (texts {texts[:8] or 'unknown'}: not to be compared with others)" if others else ""
        parts += [f"## {data}, {split} split, n = {n:,}{unlike}", "", *_table(groups), ""]
    return write_page(out / SPACES, parts)


def _table(groups: dict[tuple[str, ...], list[Metrics]]) -> list[str]:
    columns = ["recipe", "row", "encoder", "dimension", "epochs", "seeds"]
    columns += [figure(key).short for key in (*_SHOWN, "f1_macro")]
    lines = [f"| {' | '.join(columns)} |", "|---" * 6 + "|---:" * (len(columns) - 6) + "|"]
    ordered = sorted(groups.values(), key=lambda runs: (-_mean(runs, "ami"), runs[0]["name"]))
    return [*lines, *(f"| {' | '.join(_cells(runs))} |" for runs in ordered)]


def _cells(runs: list[Metrics]) -> list[str]:
    first = runs[0]
    seeds = ", ".join(str(metrics["seed"]) for metrics in sorted(runs, key=lambda run: int(run["seed"])))
    figures = [_shown(_mean(runs, key), 4 if figure(key).form == "small" else 3) for key in _SHOWN]
    f1 = statistics.fmean(_macro_f1(metrics) for metrics in runs)
    about = [_name(first), first.get("row"), first["encoder"]["name"]]
    about += [first["clustering"].get("dimension"), first["timing"]["epochs"], seeds]
    return ["" if one is None else str(one) for one in about] + [*figures, _shown(f1)]


def _name(metrics: Metrics) -> str:
    """Return the recipe's name, with the constants in which runs of it are likely to differ."""
    objective = metrics.get("objective") or {}
    told = _TOLD.get(objective.get("kind", ""), {})
    said = {sign: objective[key] for key, sign in told.items() if key in objective}
    constants = [f"{sign} = {one if isinstance(one, str) else f'{one:g}'}" for sign, one in said.items()]
    return ", ".join([metrics["name"], *constants])


def _mean(runs: list[Metrics], name: str) -> float:
    values = [space_by_name(metrics).get(name) for metrics in runs]
    return statistics.fmean(math.nan if value is None else value for value in values)


def _macro_f1(metrics: Metrics) -> float:
    decided: dict[str, Any] = (metrics.get(judged_split(metrics)) or {}).get("fixed") or {}
    return float(decided["f1_macro"]["value"]) if "f1_macro" in decided else math.nan


def _shown(value: float, places: int = 3) -> str:
    return "" if math.isnan(value) else f"{value:.{places}f}"
