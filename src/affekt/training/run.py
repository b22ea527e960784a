"""A run: from a recipe to a finished run folder. metrics.json is written last and marks the run complete.

Started as several processes (torchrun, `accelerate launch`), all of them train; one of them, the leader,
claims the folder, judges, writes and speaks, and the others wait for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affekt._version import __version__
from affekt.data.corpus import Corpus
from affekt.errors import AffektError, FollowerError, UsageError
from affekt.hardware import chosen_precision, hardware
from affekt.inference.model import Model
from affekt.networks.network import Network
from affekt.recipe.read import read_recipe
from affekt.recipe.sections import Recipe
from affekt.runs.folder import RunFolder
from affekt.text.languages import languages_of
from affekt.training import record
from affekt.training.baselines import baselines
from affekt.training.checkpoint import Progress
from affekt.training.collapse import collapse_warnings, rank_warnings
from affekt.training.data import RunTexts, load_texts
from affekt.training.fit import Listener, fit, prepared
from affekt.training.judge import deciding_model, evaluated
from affekt.training.processes import from_leader, join_processes, leads


def train(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    command: str = "",
    listener: Listener | None = None,
    splits: dict[str, Corpus] | None = None,
) -> dict[str, Any]:
    """Train what a recipe says into a run folder and return its metrics.

    Args:
        recipe: What to do.
        out: The run folder; must not hold another run.
        resume: Go on from the folder's last checkpoint; a finished run is returned as it is.
        command: How the run was started, for the record.
        listener: Hears how it goes.
        splits: What the recipe's data section names, where it was read already (`look_first`).

    Raises:
        UsageError: When the folder holds a run already, or another process is writing to it.
        FollowerError: In a process that does not lead, whatever the fault: the leader tells it.
    """
    join_processes()
    heard, folder = (listener or Listener()) if leads() else Listener(), RunFolder(out)
    with _claimed(folder, resume):
        finished = from_leader(folder.is_finished)
        if finished or (resume and from_leader(folder.began_unmarked)):
            _check_same_recipe(recipe, folder)
        if finished:
            heard.say(f"{out} is a finished run.")
            for warning in folder.metrics.get("warnings") or ():
                heard.say(f"warning: {warning}")
            if leads():
                folder.remove_checkpoint()  # the run was killed in its last moment
        else:
            splits = load_texts(recipe) if splits is None else splits
            texts = splits if isinstance(splits, RunTexts) else RunTexts(splits)
            for note in dict.fromkeys(note for corpus in texts.all for note in corpus.notes):
                heard.say(note)
            _train(recipe, folder, texts, resume=resume, command=command, heard=heard)
            from_leader(None)  # wait until all is written
        return folder.metrics


def _check_same_recipe(recipe: Recipe, folder: RunFolder) -> None:
    kept = folder.path / "recipe.yaml"
    if kept.exists() and read_recipe(kept).digest != recipe.digest:
        kind = "finished run" if folder.is_finished else "run"
        raise UsageError(
            f"{folder.path}: holds a {kind} of another recipe or other settings (see its recipe.yaml); "
            "train into another folder."
        )


@contextmanager
def _claimed(folder: RunFolder, resume: bool) -> Iterator[None]:
    """The run folder, claimed by the leader; the others hear whether it could be."""
    if not leads():
        try:
            if not from_leader(None):
                raise FollowerError
            yield
        except AffektError as fault:
            said = "the leading process of this run tells why it cannot go on."
            raise FollowerError(said) from fault
        return
    with ExitStack() as held:
        try:
            held.enter_context(folder.claimed(resume=resume))
        except AffektError:
            from_leader(False)
            raise
        from_leader(True)
        yield


def _train(
    recipe: Recipe,
    folder: RunFolder,
    splits: RunTexts,
    *,
    resume: bool,
    command: str,
    heard: Listener,
) -> None:
    began = time.monotonic()
    for line in record.lines_of_texts(splits):
        heard.say(line)
    trained, network, taught = prepared(recipe, splits, heard)
    if leads():
        folder.write_start(recipe.to_yaml(), (row for corpus in splits.all for row in corpus.skipped))
        folder.write_leaks((*splits.left_out, *(taught.leaked if taught else ())))
    progress, network = fit(
        recipe, splits, trained, network, taught, folder=folder, resume=resume, heard=heard
    )
    if not leads():
        return
    finish(
        recipe,
        folder,
        splits,
        trained,
        network,
        progress,
        seconds=lambda: progress.earlier + time.monotonic() - began,
        command=command,
        heard=heard,
        more_of_data=taught.described if taught else {},
    )


def finish(
    recipe: Recipe,
    folder: RunFolder,
    splits: RunTexts,
    trained: Mapping[str, Corpus],
    network: Network,
    progress: Progress,
    *,
    seconds: Callable[[], float],
    command: str,
    heard: Listener,
    more_of_data: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Fit decisions on dev, read test once, and write the model and the record of a run.

    Args:
        recipe: What was done.
        folder: Where to; it must be claimed.
        splits: The texts as they were read.
        trained: The training texts of each corpus, normalised, by task.
        network: The trained network.
        progress: How training went.
        seconds: Gives the time the run took until now.
        command: How the run was started.
        heard: Hears the warnings.
        more_of_data: What else the record says of the data.
        more: What else it says of the run.
    """
    texts = trained[splits.task]
    model = deciding_model(recipe, network, splits["train"])
    figures, predictions, model = evaluated(model, splits, recipe)
    metrics: dict[str, Any] = {
        "format": 1,
        "affekt": __version__,
        "name": recipe.name,
        "row": recipe.row,
        "status": "complete",
        "seed": recipe.training.seed,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": record.describe_data(splits) | dict(more_of_data or {}),
        "encoder": record.describe_encoder(recipe, network),
        "objective": recipe.objective.model_dump(mode="json"),
        "hardware": hardware(chosen_precision(recipe.training.precision, recipe.training.device)),
        "timing": record.describe_timing(progress, seconds()),
        **figures,
        "space_shift": record.space_shift(recipe, model, splits, texts),
        "baselines": baselines(recipe, texts, splits.get("test", splits["dev"])) if model.decisions else None,
        "examples": record.example_predictions(model, recipe),
        "published": [published.model_dump() for published in recipe.published],
        **(more or {}),
    }
    if recipe.guard or splits.further:
        metrics["leaks"] = record.describe_leaks(splits.left_out)
    if splits.further:
        metrics |= {"task": splits.task, "tasks": {}}
        model.task = splits.task
    for task in splits.further:
        metrics["tasks"][task], model.others[task] = _finished_task(
            task, recipe, network, splits, trained[task], folder=folder, shared=metrics
        )
    decisions = metrics.get("decisions") or {}
    metrics["warnings"] = [*collapse_warnings(metrics, progress.history), *decisions.get("warnings", ())]
    told = rank_warnings(progress.history, len(splits["train"].labels))  # in the epoch it happened in
    for warning in metrics["warnings"]:
        if warning not in told:
            heard.say(f"warning: {warning}")
    model.about = {
        "name": recipe.name,
        "recipe": recipe.digest,
        "data": metrics["data"]["digest"],
        "languages": list(languages_of(text for train in splits.trains.values() for text in train.texts)),
        "test": record.brief(metrics),
    }
    model.save(folder.path / "model")
    heard.say(f"saved: model/ gives the same answers in {', '.join(model.runtime.opens_in)}")
    folder.write_predictions(predictions)
    folder.write_history(progress.history)
    folder.write_metrics(metrics)


def _finished_task(
    task: str,
    recipe: Recipe,
    network: Network,
    splits: RunTexts,
    trained: Corpus,
    *,
    folder: RunFolder,
    shared: dict[str, Any],
) -> tuple[dict[str, Any], Model]:
    """Return the metrics and the model of a corpus beside the main one, after writing its part of the folder.

    That part, tasks/NAME, reads as a run of its own; `shared` is what the whole run's metrics say.
    """
    own = splits.further[task]
    model = deciding_model(recipe, network.of(task), own["train"])
    figures, predictions, model = evaluated(model, own, recipe)
    part = {
        "data": record.describe_data(own),
        **figures,
        "baselines": baselines(recipe, trained, own.get("test", own["dev"])),
        "examples": record.example_predictions(model, recipe),
        "warnings": [*(figures["decisions"].get("warnings") or ())],
    }
    whole = {name: value for name, value in shared.items() if name not in ("leaks", "tasks", "published")}
    apart = folder.task(task)
    apart.write_predictions(predictions)
    apart.write_metrics({**whole, **part, "name": f"{recipe.name} ({task})", "task": task, "published": []})
    return part, model
