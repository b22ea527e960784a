"""A transfer study as a page: for each data set the models side by side, and curves over rows per label."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from affekt.evaluation.figures import figure
from affekt.report import page, plots
from affekt.report.numbers import Interval, as_interval

NAMES = {
    "knn": "nearest neighbours, frozen",
    "probe": "probe, frozen",
    "fine-tune": "fine-tuned",
    "few-shot": "few-shot, tuned",
    "mapped": "as it is, labels mapped",
}

Result = Mapping[str, Any]


def way_name(result: Result) -> str:
    """Return what was done with a model, as a row of a table says it."""
    name, rows = NAMES[result["way"]], result["setting"].get("rows_per_label")
    return name if rows is None else f"{name}, {rows} per label"


def figure_name(task: Mapping[str, Any]) -> str:
    """Return what the figure is called that a data set is judged by."""
    name = figure(task["figure"]).title
    return f"{name} of {task['figure_label']}" if task["figure_label"] else name


def rows_of(results: Iterable[Result]) -> dict[str, dict[str, Result]]:
    """Return the results of one data set by what was done, and then by model."""
    rows: dict[str, dict[str, Result]] = {}
    for result in results:
        rows.setdefault(way_name(result), {})[result["model"]] = result
    return rows


def write_transfer(content: Mapping[str, Any], out: Path) -> None:
    """Write the page of what transfer.json holds."""
    models = list(content["models"])
    tasks = [_shown(name, task, content["results"], models) for name, task in content["data"].items()]
    shown = page.render(
        "transfer.html",
        title="Transfer – affekt",
        models=content["models"],
        tasks=tasks,
        plan=content["plan"],
        machine=content["hardware"],
        command=content["command"],
        affekt=content["affekt"],
    )
    page.write(out, shown)


def _shown(
    name: str, task: Mapping[str, Any], results: Sequence[Result], models: list[str]
) -> dict[str, Any]:
    own = [result for result in results if result["data"] == name]
    keys = list(dict.fromkeys(key for result in own for key in result["figures"]))
    left_out = [label for result in own for about in result["about"] for label in about.get("left_out") or ()]
    return {
        "name": name,
        "task": task,
        "figure": figure_name(task),
        "image": _drawn(own, task, models),
        "rows": rows_of(own),
        "figures": keys,
        "left_out": list(dict.fromkeys(left_out)),
        "titles": {key: figure_name(task) if key == task["figure"] else figure(key).title for key in keys},
    }


def _drawn(results: Sequence[Result], task: Mapping[str, Any], models: list[str]) -> page.Image | None:
    """Draw the curves of what was tried with several numbers of rows per label."""
    curves: dict[str, dict[float, Interval]] = {}
    for result in results:
        rows, found = result["setting"].get("rows_per_label"), as_interval(result["figures"][task["figure"]])
        if rows is not None and found is not None:
            whose = f"{result['model']}: " if len(models) > 1 else ""
            curves.setdefault(f"{whose}{NAMES[result['way']]}", {})[rows] = found
    curves = {name: curve for name, curve in curves.items() if len(curve) > 1}
    if not curves:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.png"
        plots.value_curves(curves, path, figure_name(task), "rows of each label")
        return page.image(path)
