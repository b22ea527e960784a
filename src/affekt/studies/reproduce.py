"""The published tables beside ours, from run folders.

Runs of one recipe that differ in the seed alone are one line: the mean over the seeds, their range, and the
bootstrap interval of the first. Each run's metrics are kept beside the tables, so that tables can be made
again when the run folders are gone.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from affekt.errors import UsageError
from affekt.files import read_json, write_json, written_aside

Metrics = dict[str, Any]

_CLASSIFIER = (
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "jaccard",
    "accuracy",
    "precision_macro",
    "recall_macro",
)
_SPACE = (
    "silhouette",
    "davies_bouldin",
    "ami",
    "ari",
    "fms",
    "v_measure",
    "mrr",
    "precision_at_1",
    "map_at_r",
)
_DROPPED = ("examples",)  # too long to keep beside the tables


def write_tables(rows: tuple[str, ...], runs: Path, out: Path) -> list[Path]:
    """Write one page of tables per row of the studies and return their paths.

    Args:
        rows: Rows to write, such as "B3"; all rows that have runs when empty.
        runs: The folder that holds run folders.
        out: Where pages go, and `runs/` with the kept metrics.
    """
    _keep(runs, out / "runs")
    kept = [read_json(path) for path in sorted((out / "runs").glob("*.json"))]
    by_row: dict[str, list[Metrics]] = defaultdict(list)
    for metrics in kept:
        by_row[metrics.get("row") or "other"].append(metrics)
    missing = [row for row in rows if row not in by_row]
    if missing or not by_row:
        wanted = ", ".join(missing) or "any row"
        raise UsageError(
            f"{runs}: holds no finished run of {wanted}; there are runs of "
            f"{', '.join(sorted(by_row)) or 'none'}. Train its recipe first."
        )
    return [_write_page(row, by_row[row], out) for row in sorted(rows or by_row)]


def _keep(runs: Path, kept: Path) -> None:
    """Copy the metrics of finished runs beside the tables, without what would make them long."""
    for path in sorted(runs.glob("*/metrics.json")):
        metrics = {name: value for name, value in read_json(path).items() if name not in _DROPPED}
        for when in (metrics.get("calibration") or {}).values():
            when.pop("reliability", None)
        write_json(kept / f"{path.parent.name}.json", metrics)


def _write_page(row: str, runs: list[Metrics], out: Path) -> Path:
    groups: dict[str, list[Metrics]] = defaultdict(list)
    for metrics in runs:
        groups[_line_name(metrics)].append(metrics)
    parts = [f"# Row {row}", "", "Made by `affekt reproduce`; each line by the command below it.", ""]
    for name, group in sorted(groups.items()):
        parts += _section(name, sorted(group, key=lambda metrics: metrics["seed"]))
    path = out / f"row-{row.lower().replace(' ', '-')}.md"
    with written_aside(path) as aside:
        aside.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def _line_name(metrics: Metrics) -> str:
    return f"{metrics['name']}, {metrics['encoder']['name']}"


def _section(name: str, runs: list[Metrics]) -> list[str]:
    first = runs[0]
    judged = "test" if first.get("test") else "dev"
    split = first["data"]["splits"][judged]
    seeds = ", ".join(str(metrics["seed"]) for metrics in runs)
    lines = [
        f"## {name}",
        "",
        f"{first['data']['name']}, {judged} split, n = {split['n']:,}; "
        f"{first['encoder']['name']}, {first['encoder']['parameters'] / 1e6:.1f} M parameters; seed {seeds}.",
        "",
        "| figure | ours | range over seeds | 95 % interval of the first | published |",
        "|---|---|---|---|---|",
    ]
    for way in first.get(judged) or {}:
        published = [p for p in first["published"] if p["thresholds"] == way]
        lines += [
            line for metric in _CLASSIFIER if (line := _classifier_line(metric, way, judged, runs, published))
        ]
    lines += [line for metric in _SPACE if (line := _space_line(metric, runs, first["published"]))]
    hardware, timing = first["hardware"], first["timing"]
    per_epoch = statistics.fmean(timing["seconds_per_epoch"] or [0.0])
    lines += [
        "",
        f"{timing['epochs']} epochs of {per_epoch:.0f} s, {timing['total_seconds']:.0f} s in all, peak "
        f"{timing['peak_memory_mb']:.0f} MB; {hardware['cpu']}, {hardware['threads']} threads, "
        f"{hardware.get('gpu') or 'no GPU'}, {hardware['precision']}.",
        "",
        f"    {first['command']}",
        "",
    ]
    for warning in {warning for metrics in runs for warning in metrics.get("warnings", [])}:
        lines += [f"Warning: {warning}", ""]
    return lines


def _classifier_line(
    metric: str, way: str, judged: str, runs: list[Metrics], published: list[Any]
) -> str | None:
    figures = [metrics[judged][way].get(metric) for metrics in runs]
    if any(figure is None for figure in figures):
        return None
    single = runs[0]["data"]["single_label"]
    where = "" if single else " at .5" if way == "fixed" else " with thresholds from dev"
    low, high = figures[0].get("low"), figures[0].get("high")
    interval = "" if low is None else f"[{low:.3f}, {high:.3f}]"
    return _line(
        f"{metric}{where}", [figure["value"] for figure in figures], interval, _said(metric, published)
    )


def _space_line(metric: str, runs: list[Metrics], published: list[Any]) -> str | None:
    figures = [{**(m.get("clustering") or {}), **(m.get("retrieval") or {})}.get(metric) for m in runs]
    if any(figure is None for figure in figures):
        return None
    return _line(metric, figures, "", _said(metric, published))


def _line(name: str, values: list[Any], interval: str, published: str) -> str:
    spread = f"{min(values):.3f} to {max(values):.3f}" if len(values) > 1 else ""
    return f"| {name} | {statistics.fmean(values):.3f} | {spread} | {interval} | {published} |"


def _said(metric: str, published: Iterable[Any]) -> str:
    return "; ".join(
        f"{p['value']:.3f} ({p['encoder']}, {p['source']})" for p in published if p["metric"] == metric
    )
