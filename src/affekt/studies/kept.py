"""Metrics kept beside the tables, small, so that tables can be made again when the run folders are gone."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from affekt.errors import DataError
from affekt.files import read_json, write_json, written_aside
from affekt.report.tables import but_seed
from affekt.runs.metrics import Metrics, check_metrics, judged_split, judged_texts

_DROPPED = ("examples", "tasks")  # too long to keep beside the tables, or kept apart
_NEEDED = {
    "data": ("name", "single_label", "splits"),
    "encoder": ("name", "parameters"),
    "hardware": ("cpu", "threads"),
    "timing": ("epochs", "seconds_per_epoch", "total_seconds", "peak_memory_mb"),
}


def keep_runs(runs: Path, kept: Path) -> None:
    """Copy the metrics of finished runs beside the tables, without what would make them long."""
    for path in sorted([*runs.glob("*/metrics.json"), *runs.glob("*/tasks/*/metrics.json")]):
        run, *inner = path.relative_to(runs).parts
        task = inner[1] if len(inner) == 3 else ""  # of a run of several corpora
        found = _read(path)
        if found.get("status", "complete") != "complete":
            continue
        metrics = {name: value for name, value in _whole(found, path).items() if name not in _DROPPED}
        for when in (metrics.get("calibration") or {}).values():
            when.pop("reliability", None)
        metrics["settings"] = _settings(runs / run / "recipe.yaml")
        write_json(kept / f"{run}{'.' if task else ''}{task}.json", metrics)


def read_kept(kept: Path) -> list[Metrics]:
    """Return all kept metrics, the newest alone of runs that share row, settings and seed.

    "run" is the name of the run's folder, "older" those of the runs that it stands for.
    """
    alike: dict[tuple[str, ...], list[Metrics]] = defaultdict(list)
    for path in sorted(kept.glob("*.json")):
        metrics = _whole(_read(path), path) | {"run": path.stem}
        alike[str(metrics.get("row")), *group_of(metrics), str(metrics["seed"])].append(metrics)
    kept_runs = []
    for runs in alike.values():
        newest = max(runs, key=lambda metrics: str(metrics.get("created") or ""))
        older = [metrics["run"] for metrics in runs if metrics is not newest]
        kept_runs.append(newest | {"older": older})
    return kept_runs


def group_of(metrics: Metrics) -> tuple[str, ...]:
    """Return what runs must share to be one line: name first, the texts judged and the settings last.

    Seeds that drew their own test texts share none: their figures have no common mean or range.
    """
    data = metrics["data"]
    name = f"{metrics['name']}, {metrics['encoder']['name']}"
    judged = judged_split(metrics)
    ways = ",".join(metrics.get(judged) or {})
    return name, data["name"], judged, ways, judged_texts(metrics), metrics.get("settings") or ""


def write_page(path: Path, lines: Sequence[str]) -> Path:
    """Write the lines of a page whole, or not at all."""
    with written_aside(path) as aside:
        aside.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def _read(path: Path) -> Metrics:
    try:
        metrics = read_json(path)
        if isinstance(metrics, dict):
            return metrics
        fault = "it holds no object"
    except (OSError, ValueError) as error:
        fault = str(error)
    raise _no_metrics(path, fault)


def _whole(metrics: Metrics, path: Path) -> Metrics:
    """Return the metrics if they have all that tables are made of."""
    check_metrics(metrics, str(path))
    missing = [name for name in ("name", "seed") if metrics.get(name) is None]
    for section, names in _NEEDED.items():
        held = metrics.get(section) or {}
        missing += [f"{section}.{name}" for name in names if held.get(name) is None]
    if missing:
        raise _no_metrics(path, f"it lacks {', '.join(missing)}")
    return metrics


def _no_metrics(path: Path, fault: str) -> DataError:
    return DataError(f"{path}: is no run's metrics ({fault}); remove the file or train the run again.")


def _settings(recipe: Path) -> str:
    """Return a digest of all that decides a run but its seed: runs that share it may be averaged."""
    if not recipe.exists():
        return ""
    try:
        text = recipe.read_text(encoding="utf-8")
    except (OSError, ValueError) as fault:
        raise DataError(f"{recipe}: cannot be read ({fault}); restore it or train the run again.") from fault
    return hashlib.sha256(but_seed(text, str(recipe)).encode()).hexdigest()[:8]
