"""Sweeps: a recipe trained with several values of its keys, over seeds, and judged on dev.

Each run is a run folder, which a later call finds finished or goes on with; the test split is taken away
before training, so that no choice can rest on it. sweep.json holds the figures, sweep.html shows them.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from math import exp, isfinite, log
from pathlib import Path
from typing import Any

import numpy as np

from affekt._version import __version__
from affekt.errors import AffektError, MissingError, PlaceError, UsageError, unknown_name
from affekt.evaluation.figures import FIGURES, HEADLINES, Figure, figure
from affekt.evaluation.repeats import Repeated, repeated_classification
from affekt.files import write_json
from affekt.hardware import hardware
from affekt.recipe.read import read_recipe
from affekt.recipe.sections import Recipe
from affekt.recipe.yaml import load_yaml
from affekt.report.sweep import write_sweep
from affekt.runs.folder import RunFolder
from affekt.runs.metrics import space_figures

TABLE, PAGE = "sweep.json", "sweep.html"
MOST = 1000  # settings; more is a slip of the pen

_RANGE = re.compile(r"(\.?[^.,\s](?:[^,]*?[^.,\s])?)\.\.([^,\s]+)")

Value = Any  # of a key: whatever YAML says
Setting = Mapping[str, Value]
Say = Callable[[str], None]
Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Axis:
    """A key of a recipe and what it is set to in turn: some values, or any number of a range.

    Attributes:
        key: Such as "objective.temperature".
        values: What to set it to; of a range the two ends.
        is_range: Whether numbers between the ends are drawn: evenly by their logarithm where both ends are
            above 0, whole where both ends are.
    """

    key: str
    values: tuple[Value, ...]
    is_range: bool = False

    @classmethod
    def read(cls, said: str) -> "Axis":
        """Return what "objective.temperature=.05,.1,.3" or "training.learning_rate=1e-5..1e-3" says.

        Raises:
            UsageError: When it is not of that form, or names a value twice.
        """
        key, sign, values = (part.strip() for part in said.partition("="))
        ends = _RANGE.fullmatch(values)
        try:
            told = load_yaml(f"[{', '.join(ends.groups()) if ends else values}]", "")
        except AffektError:
            told = None
        if not (key and sign and told):
            raise UsageError(
                f"--over {said}: write key=value,value, such as objective.temperature=.05,.1,.3."
            )
        if ends and not (
            all(type(one) in (int, float) and isfinite(one) for one in told) and told[0] < told[1]
        ):
            raise UsageError(f"--over {said}: a range goes from a number to a larger one, as in 1e-5..1e-3.")
        written = [json.dumps(one, default=str) for one in told]
        if len(set(written)) < len(written):
            raise UsageError(f"--over {said}: a value stands twice; write each once.")
        return cls(key, tuple(told), bool(ends))

    def draw(self, random: np.random.Generator) -> Value:
        """Return one of the values, each as likely, or a number of the range."""
        if not self.is_range:
            return self.values[random.integers(len(self.values))]
        low, high = self.values
        if isinstance(low, int) and isinstance(high, int):
            return int(random.integers(low, high + 1))
        drawn = exp(random.uniform(log(low), log(high))) if low > 0 else random.uniform(low, high)
        return min(max(float(f"{drawn:.4g}"), low), high)


@dataclass(frozen=True)
class Search:
    """What is tried.

    Attributes:
        axes: The keys that change.
        random: How many different settings are drawn, of fewer all; unless said, all there are.
        seeds: Training seeds of each setting.
        figure: What settings are compared by, on dev; unless said, the first of the task.
        draw_seed: Of the settings drawn.
    """

    axes: tuple[Axis, ...]
    random: int | None = None
    seeds: tuple[int, ...] = (0,)
    figure: str | None = None
    draw_seed: int = 0

    def settings(self) -> list[Setting]:
        """Return the settings that are tried.

        Raises:
            UsageError: When what is asked for cannot be done.
        """
        keys = [axis.key for axis in self.axes]
        if not self.axes or not self.seeds:
            raise UsageError("a sweep needs a key to change and a seed at least.")
        if (twice := next((key for key in keys if keys.count(key) > 1), None)) or "training.seed" in keys:
            said = f"{twice} stands twice" if twice else "training.seed is set by --seeds"
            raise UsageError(f"--over: {said}; give each key once.")
        aims = [one.key for one in FIGURES.values() if one.better]
        if self.figure is not None and self.figure not in aims:
            raise UsageError(f"--figure: {unknown_name('figure', self.figure, aims)}")
        if min(self.seeds) < 0 or (self.random is not None and self.random < 1):
            raise UsageError("seeds are numbers from 0, and at least 1 setting is drawn.")
        ranges = [axis.key for axis in self.axes if axis.is_range]
        if ranges and self.random is None:
            raise UsageError(f"{ranges[0]} is a range, of which --random N draws; or write values.")
        return self._of_ranges(self.random) if ranges and self.random else self._of_the_grid()

    def _of_ranges(self, wanted: int) -> list[Setting]:
        if wanted > MOST:
            raise UsageError(f"--random {wanted:,}: more than {MOST:,} settings; draw fewer.")
        random, found = np.random.default_rng(self.draw_seed), dict[str, Setting]()
        for _ in range(100 * wanted):  # ranges of whole numbers may hold fewer
            if len(found) == wanted:
                break
            setting = {axis.key: axis.draw(random) for axis in self.axes}
            found.setdefault(str(_changes(setting)), setting)
        return list(found.values())

    def _of_the_grid(self) -> list[Setting]:
        count = int(np.prod([len(axis.values) for axis in self.axes], dtype=np.float64))
        if min(count, self.random or count) > MOST:
            raise UsageError(f"{count:,} settings are more than {MOST:,}; draw some with --random N.")
        keys = [axis.key for axis in self.axes]
        if self.random is None or self.random >= count:
            return [
                dict(zip(keys, values, strict=True)) for values in product(*(a.values for a in self.axes))
            ]
        drawn = np.random.default_rng(self.draw_seed).choice(count, self.random, replace=False)
        places = np.unravel_index(np.sort(drawn), [len(axis.values) for axis in self.axes])
        return [
            {axis.key: axis.values[at] for axis, at in zip(self.axes, row, strict=True)}
            for row in np.stack(places, axis=1).tolist()
        ]


@dataclass
class Trial:
    """A setting with its runs: their folders and what each came to, or why it came to nothing."""

    setting: Setting
    runs: list[RunFolder] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def sweep(
    recipe: str,
    search: Search,
    out: Path,
    *,
    changes: Sequence[str] = (),
    command: str = "",
    say: Say = lambda line: None,
    tick: Tick = lambda done, of: None,
) -> dict[str, Any]:
    """Train a recipe with every setting and seed, and return what dev says of them, the best first.

    The same call goes on where an earlier one was stopped, and what is finished is not trained again; a
    setting whose training fails, as by diverging, is listed with the reason.

    Args:
        recipe: A recipe file, or the name of a bundled one.
        search: What is tried.
        out: The sweep's folder, with a run folder for each setting and seed.
        changes: Further changes that all runs share, such as "training.epochs=1".
        command: How the sweep was started, for the record.
        say: Hears what happens.
        tick: Hears how many runs are done, of how many.

    Returns:
        What sweep.json holds: "figure", and "settings", each with its "value" over "runs", their spread "sd",
        and the interval "low" to "high" over dev's rows and seeds (of a figure of the space the range over
        seeds); with "behind", the paired difference to the best, where that can be told.

    Raises:
        RecipeError: When a setting is none that the recipe can have.
        UsageError: When what is asked for cannot be done, or no run came to its end.
        PlaceError: When the disk is full, or another process trains one of the runs.
    """
    settings = search.settings()
    recipes = [
        [
            read_recipe(recipe, (*changes, *_changes(setting), f"training.seed={seed}"))
            for seed in search.seeds
        ]
        for setting in settings
    ]
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder for the sweep.")
    trials, of = [], len(settings) * len(search.seeds)
    for setting, seeded in zip(settings, recipes, strict=True):
        trials.append(trial := Trial(setting))
        for one in seeded:
            tick(sum(len(each.runs) + len(each.faults) for each in trials), of)
            folder = RunFolder(out / _folder_name(setting, one))
            say(f"{_said(setting)}, seed {one.training.seed}")
            try:
                _train_without_test(one, folder.path, command, say)
            except (MissingError, PlaceError):  # no setting's fault
                raise
            except AffektError as fault:
                trial.faults.append(f"seed {one.training.seed}: {fault}")
                say(f"failed: {fault}")
            else:
                trial.runs.append(folder)
                _value(folder.metrics, _judged_by(search, folder))  # a figure it lacks is said at once
    tick(of, of)
    if not any(trial.runs for trial in trials):
        raise UsageError(f"no run came to its end; the first: {trials[0].faults[0]}")
    content = {
        "format": 1,
        "affekt": __version__,
        "recipe": recipe,
        "changes": list(changes),
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
        "keys": [axis.key for axis in search.axes],
        "seeds": list(search.seeds),
        **_judged(trials, search),
    }
    write_json(out / TABLE, content)
    write_sweep(content, out / PAGE)
    return content


def _changes(setting: Setting) -> list[str]:
    return [f"{key}={json.dumps(value, default=str)}" for key, value in setting.items()]


def _said(setting: Setting) -> str:
    return ", ".join(f"{key} = {value}" for key, value in setting.items())


def _folder_name(setting: Setting, recipe: Recipe) -> str:
    """Return a name that tells people the setting, and that no other recipe has."""
    words = [f"{key.rpartition('.')[2]}-{value}" for key, value in setting.items()]
    plain = re.sub(r"[^\w.+-]+", "_", "-".join(words))[:80]
    return f"{plain}-{recipe.training.seed}-{recipe.digest[:8]}"


def _train_without_test(recipe: Recipe, folder: Path, command: str, say: Say) -> None:
    from affekt.training.data import RunTexts, look_first
    from affekt.training.fit import Listener
    from affekt.training.run import train  # with torch

    texts = look_first(recipe, folder, resume=True)
    if texts is not None:
        kept = {
            task: {name: corpus for name, corpus in splits.items() if name != "test"}
            for task, splits in texts.tasks.items()
        }
        main = kept.pop(texts.task)
        texts = RunTexts(main, texts.task, kept, texts.left_out)
    train(recipe, folder, resume=True, command=command, listener=Listener(say), splits=texts)


# --- figures


def _judged_by(search: Search, run: RunFolder) -> Figure:
    """Return the figure that settings are compared by: the one asked for, or the first of the task."""
    first = HEADLINES[run.single_label][0] if run.metrics.get("dev") else "ami"
    return figure(search.figure or first)


def _value(metrics: dict[str, Any], by: Figure) -> float:
    """Return a run's figure on dev: by its fitted decisions, of its probabilities, or of its space."""
    ways = metrics.get("dev") or {}
    decided = ways.get("fitted") or ways.get("fixed") or {}
    found = {**space_figures(metrics), **decided}
    if by.key not in found:
        raise UsageError(f"--figure: {unknown_name('dev figure', by.key, found)}")
    return float(found[by.key]["value"])


def _judged(trials: Sequence[Trial], search: Search) -> dict[str, Any]:
    """Return the settings, the best first; those without a figure that says anything, or any, come last."""
    some = next(run for trial in trials for run in trial.runs)
    by = _judged_by(search, some)
    pooled = {id(trial): _pooled(trial.runs, by) for trial in trials if trial.runs}
    sign = 1 if by.better == "lower" else -1

    def place(trial: Trial) -> tuple[bool, bool, float]:
        found = pooled.get(id(trial))
        undefined = not found or not all(map(by.says, found.runs.tolist()))  # as of a space in one point
        return found is None, undefined, sign * found.value if found else 0.0

    order = sorted(trials, key=place)
    best = pooled[id(order[0])]
    dev, space = some.predictions.get("dev"), space_figures(some.metrics)
    return {
        "figure": by.key,
        "data": some.metrics["data"]["name"],
        "n": len(dev.ids) if dev and by.key not in space else int(space.get("n", {"value": 0})["value"]),
        "settings": [_described(trial, pooled.get(id(trial)), best, by) for trial in order],
    }


def _pooled(runs: Sequence[RunFolder], by: Figure) -> Repeated:
    """Return a figure over seeds; of decisions with resampled rows, else without."""
    parts = [run.predictions.get("dev") for run in runs]
    texts = {tuple(part.ids) if part else () for part in parts}
    if len(texts) == 1 and all(parts):
        decided = [part.predicted for part in parts if part]
        figures = repeated_classification(parts[0].targets, decided, single_label=runs[0].single_label)  # type: ignore[union-attr]
        if by.key in figures:
            return figures[by.key]
    return Repeated(np.array([_value(run.metrics, by) for run in runs]), np.zeros(0))


def _described(trial: Trial, pooled: Repeated | None, best: Repeated, by: Figure) -> dict[str, Any]:
    told: dict[str, Any] = {
        "setting": dict(trial.setting),
        "runs": [run.path.name for run in trial.runs],
        "faults": trial.faults,
    }
    if pooled is None:
        return told
    low, high = pooled.interval()[1:] if len(pooled.drawn) else (pooled.runs.min(), pooled.runs.max())
    told |= {"value": pooled.value, "low": float(low), "high": float(high), "sd": pooled.spread}
    told["by_seed"] = pooled.runs.tolist()
    paired = pooled.drawn.shape == best.drawn.shape and pooled.runs.shape == best.runs.shape
    if pooled is not best and len(pooled.drawn) and paired:
        told["behind"] = pooled.less(best).interval()._asdict()
    return told
