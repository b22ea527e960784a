"""A sweep as a page: the settings, the best first, and a curve over the values of each key."""

import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affekt.evaluation.figures import figure
from affekt.report import page, plots
from affekt.report.numbers import Interval

_MOST_CURVES = 6  # that a picture can tell apart


def winner_command(content: Mapping[str, Any]) -> str:
    """Return the command that trains the best setting, test included."""
    best = content["settings"][0]["setting"]
    written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in best.items()}
    changes = [*content["changes"], *(f"{key}={value}" for key, value in written.items())]
    return shlex.join(
        ["affekt", "train", content["recipe"], *(word for one in changes for word in ("--set", one))]
    )


def short_names(keys: Sequence[str]) -> list[str]:
    """Return keys by their last parts, where these tell them apart.

    >>> short_names(["objective.temperature", "training.epochs"])
    ['temperature', 'epochs']
    """
    last = [key.rpartition(".")[2] for key in keys]
    return last if len(set(last)) == len(last) else list(keys)


def write_sweep(content: Mapping[str, Any], out: Path) -> Path:
    """Write the page of what sweep.json holds."""
    shown = page.render(
        "sweep.html",
        title="Sweep – affekt",
        told=content,
        names=short_names(content["keys"]),
        by=figure(content["figure"]),
        pictures=[(key, drawn) for key in content["keys"] if (drawn := _drawn(content, key))],
        winner=winner_command(content),
        machine=content["hardware"],
    )
    return page.write(out, shown)


def _drawn(content: Mapping[str, Any], key: str) -> page.Image | None:
    """Draw the figure over a key's values, a curve for each setting of the others, or the best of them."""
    judged = [one for one in content["settings"] if "value" in one]
    if any(type(one["setting"][key]) not in (int, float) for one in judged):
        return None
    curves: dict[str, dict[float, Interval]] = {}
    for one in judged:  # the best first, which stays
        others = ", ".join(f"{name} = {value}" for name, value in one["setting"].items() if name != key)
        at = curves.setdefault(others or figure(content["figure"]).title, {})
        at.setdefault(one["setting"][key], (one["value"], one["low"], one["high"]))
    if len(curves) > _MOST_CURVES:
        best: dict[float, Interval] = {}
        for one in judged:
            best.setdefault(one["setting"][key], (one["value"], one["low"], one["high"]))
        curves = {"the best of the other keys": best}
    curves = {name: curve for name, curve in curves.items() if len(curve) > 1}
    if not curves:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.png"
        plots.value_curves(curves, path, figure(content["figure"]).title, key)
        return page.image(path)
