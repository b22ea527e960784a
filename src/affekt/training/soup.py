"""A soup: one run from the mean weights of several that differ in the seed alone."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affekt.errors import DataError, UsageError
from affekt.inference.model import Model, load
from affekt.inference.runtimes.static import StaticRuntime
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network, load_network
from affekt.recipe.read import read_recipe
from affekt.recipe.sections import Recipe
from affekt.report.tables import but_seed
from affekt.runs.folder import RunFolder, read_run
from affekt.runs.metrics import Metrics, headline
from affekt.training.average import mean_weights
from affekt.training.checkpoint import Progress
from affekt.training.data import load_texts, normalised, style_of
from affekt.training.fit import Listener
from affekt.training.record import data_digest
from affekt.training.run import finish


def soup(runs: Sequence[Path], out: Path, *, command: str = "", listener: Listener | None = None) -> Metrics:
    """Write a run folder with the mean weights of finished runs, and return its metrics.

    Decisions are fitted on dev anew, and test is read once. The runs must have started from the same weights:
    parts that are not pretrained, such as a head, share a start where `training.start_seed` says so.

    Args:
        runs: Folders of at least two runs whose recipes differ in training.seed alone.
        out: The run folder; must not hold another run.
        command: How it was made, for the record.
        listener: Hears how it goes.

    Raises:
        UsageError: When there are fewer runs, or `out` holds a run already.
        DataError: When runs differ in more than the seed, or their data is no longer what it was.
    """
    heard, began, folder = listener or Listener(), time.monotonic(), RunFolder(out)
    folder.check(resume=False)
    parts = [read_run(path) for path in runs]
    _check_alike(parts)
    first = read_recipe(parts[0].path / "recipe.yaml")
    recipe = first.model_copy(update={"name": f"{first.name}-soup"})
    splits = load_texts(recipe)
    if data_digest(splits) != parts[0].metrics["data"]["digest"]:
        raise DataError(
            f"{parts[0].path}: the texts of its recipe are no longer those it was trained on; restore them, "
            "or train the runs again."
        )
    seeds = [run.metrics["seed"] for run in parts]
    heard.say(f"a soup of {len(parts)} runs, seeds {', '.join(map(str, seeds))}")
    with folder.claimed(resume=False):
        network = _mean_network(parts, recipe)
        folder.write_start(recipe.to_yaml(), (row for corpus in splits.all for row in corpus.skipped))
        folder.write_leaks(splits.left_out)
        finish(
            recipe,
            folder,
            splits,
            {task: normalised(train, style_of(recipe)) for task, train in splits.trains.items()},
            network,
            Progress(),
            seconds=lambda: time.monotonic() - began,
            command=command,
            heard=heard,
            more={"soup": {"runs": [run.path.name for run in parts], "seeds": seeds}},
        )
    made = RunFolder(out)
    _say_whether_it_gained(made, parts, heard)
    return made.metrics


def _check_alike(parts: Sequence[RunFolder]) -> None:
    """Refuse runs that are not of one recipe, or of one seed."""
    if len(parts) < 2:
        raise UsageError("a soup is of at least two runs; name more run folders.")
    for run in parts:
        if not run.recipe:
            raise DataError(f"{run.path}: holds no recipe.yaml; train the run again or restore the file.")
    first = parts[0]
    settings = [json.loads(but_seed(run.recipe, str(run.path / "recipe.yaml"))) for run in parts]
    for run, told in zip(parts[1:], settings[1:], strict=True):
        others = _differences(settings[0], told)
        if others:
            raise DataError(
                f"{run.path}: its recipe differs from that of {first.path} in {', '.join(others[:3])}; "
                "a soup is of runs that differ in training.seed alone."
            )
        if run.metrics["data"]["digest"] != first.metrics["data"]["digest"]:
            raise DataError(
                f"{run.path}: was trained or judged on other texts than {first.path}; a soup is of runs that "
                "differ in training.seed alone."
            )
    seeds = [run.metrics["seed"] for run in parts]
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        both = " and ".join(str(run.path) for run in parts if run.metrics["seed"] == twice[0])
        raise DataError(f"{both} have the same seed {twice[0]}; a soup is of runs of different seeds.")


def _differences(one: Any, other: Any, key: str = "") -> list[str]:
    """Return the dotted keys in which two nested dicts differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [key]
    names = [*one, *(name for name in other if name not in one)]
    nested = (_differences(one.get(name), other.get(name), f"{key}.{name}".strip(".")) for name in names)
    return [name for of_key in nested for name in of_key]


def _mean_network(parts: Sequence[RunFolder], recipe: Recipe) -> Network:
    """Return the network of the first run with the mean weights of all."""
    networks = [_network(load(run.path, device="cpu")) for run in parts]
    mean_weights(networks)
    device = None if recipe.training.device == "auto" else recipe.training.device
    return TorchRuntime(networks[0]).to(device).network


def _network(model: Model) -> Network:
    if isinstance(model.runtime, StaticRuntime):
        return load_network(model.runtime.folder, model.runtime.description, len(model.labels))
    if not isinstance(model.runtime, TorchRuntime):
        raise DataError(f"a {type(model.runtime).__name__} has no weights to average; name trained runs.")
    return model.runtime.network


def _say_whether_it_gained(made: RunFolder, parts: Sequence[RunFolder], heard: Listener) -> None:
    """Say what the soup reaches on dev beside its runs."""
    scores = {run.path: _on_dev(run.metrics) for run in (made, *parts)}
    mine, *others = scores.values()
    if mine is None or any(score is None for score in others):
        return
    heard.say(f"dev f1_macro {mine:.4f}, and its runs' " + ", ".join(f"{score:.4f}" for score in others))
    best = max(parts, key=lambda run: scores[run.path] or 0)
    if mine < (scores[best.path] or 0):
        heard.say(
            f"warning: {best.path} does better on dev than the soup; runs that share training.start_seed "
            "start from the same head, and so can be averaged."
        )


def _on_dev(metrics: Metrics) -> float | None:
    figures = (metrics.get("dev") or {}).get(headline(metrics)) or {}
    return (figures.get("f1_macro") or {}).get("value")
