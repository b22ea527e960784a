"""A run: from a recipe to a finished run folder. metrics.json is written last and marks the run complete.

Started as several processes (torchrun, `accelerate launch`), all of them train; one of them, the leader,
claims the folder, judges, writes and speaks, and the others wait for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affekt import decisions as deciding
from affekt import evaluation
from affekt._version import __version__
from affekt.data.corpus import Corpus
from affekt.errors import AffektError, FollowerError, ModelError, UsageError
from affekt.hardware import chosen_precision, hardware
from affekt.inference import evaluate as judging
from affekt.inference.model import Model
from affekt.networks.network import TASK, Network
from affekt.recipe.read import read_recipe
from affekt.recipe.sections import Recipe
from affekt.runs.folder import CHECKPOINT, RunFolder
from affekt.text.languages import languages_of
from affekt.training import record
from affekt.training.baselines import baselines
from affekt.training.build import build_network, objective_for
from affekt.training.checkpoint import Checkpoints, Progress
from affekt.training.collapse import collapse_warnings, new_rank_warnings, rank_warnings
from affekt.training.data import RunTexts, load_texts, normalised, style_of, view_texts, weighting_texts
from affekt.training.judge import check_stopping, deciding_model, evaluated, fitted_decisions, judge_of
from affekt.training.logistic import FITTED
from affekt.training.loop import Loop
from affekt.training.objectives.distil import TAUGHT
from affekt.training.processes import alone, from_leader, join_processes, leads, several
from affekt.training.rows import TrainingRows
from affekt.training.teachers import Lessons, lessons


@dataclass(frozen=True)
class Listener:
    """Who hears how a run goes: lines for a log, and ticks for a progress bar (batches done, of all)."""

    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] = lambda done, of: None


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
    trained, network, taught = _prepared(recipe, splits, heard)
    if leads():
        folder.write_start(recipe.to_yaml(), (row for corpus in splits.all for row in corpus.skipped))
        folder.write_leaks((*splits.left_out, *(taught.leaked if taught else ())))
    progress, network = _fit(
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


def _prepared(
    recipe: Recipe, splits: RunTexts, heard: Listener
) -> tuple[dict[str, Corpus], Network, Lessons | None]:
    """Return the normalised texts of each corpus, the network and its teachers' lessons.

    What may fail, fails here.
    """
    chosen_precision(recipe.training.precision, recipe.training.device)
    if splits.further and several():
        raise UsageError("data: several corpora are trained on in one process; start it without torchrun.")
    trains = splits.trains
    if recipe.objective.needs_labels:
        for train in trains.values():
            train.require_classes()
    texts = {task: normalised(train, style_of(recipe)) for task, train in trains.items()}
    network = build_network(recipe, texts[splits.task], {task: texts[task] for task in splits.further})
    for train in trains.values() if network.head is not None else ():  # refused now, not once all is trained
        deciding.check_calibration(recipe.decisions.calibration, single_label=train.single_label)
    check_stopping(recipe, splits, network)
    return texts, network, lessons(recipe, splits, heard.say, heard.tick)


def fit_model(
    recipe: Recipe, splits: dict[str, Corpus], *, listener: Listener | None = None
) -> tuple[Model, dict[str, Any]]:
    """Train on corpora at hand, without a run folder. Of the recipe's data section only the style is read.

    Args:
        recipe: What to do.
        splits: "train", and "dev" for early stopping, calibration and thresholds; without it none of these.
        listener: Hears how it goes.

    Returns:
        The model, and "history" (one entry per epoch), "seconds" and, where there is a classifier and a dev
        split, "decisions" and "dev": its figures by the plain decisions ("fixed") and, for several labels,
        by those fitted on it ("fitted"; on the very rows they were fitted on, so these are flattering).
    """
    heard, began = listener or Listener(), time.monotonic()
    with alone():
        own = RunTexts(splits)
        trained, network, taught = _prepared(recipe, own, heard)
        progress, network = _fit(recipe, own, trained, network, taught, heard=heard)
    model = deciding_model(recipe, network, splits["train"])
    model.about = {"name": recipe.name, "recipe": recipe.digest, "data": record.data_digest(splits)}
    figures: dict[str, Any] = {"history": progress.history, "seconds": time.monotonic() - began}
    if "dev" not in splits or model.decisions is None:
        return model, figures
    dev, plain = splits["dev"], model.decisions
    logits = model.logits(dev.texts)
    decided = fitted_decisions(recipe, dev, logits)
    ways = {"fixed": plain} if dev.single_label else {"fixed": plain, "fitted": decided}
    figures["decisions"] = decided.to_json()
    figures["dev"] = {
        way: evaluation.classification(
            dev.targets,
            decisions.probabilities(logits),
            decisions.thresholds or 0.5,
            labels=dev.labels,
            single_label=dev.single_label,
        )
        for way, decisions in ways.items()
    }
    return model.with_decisions(decided), figures


def _fit(
    recipe: Recipe,
    splits: RunTexts,
    trained: Mapping[str, Corpus],
    network: Network,
    taught: Lessons | None,
    *,
    heard: Listener,
    folder: RunFolder | None = None,
    resume: bool = False,
) -> tuple[Progress, Network]:
    texts = trained[splits.task]
    if not recipe.objective.by_gradients:
        if folder is not None and (folder.path / CHECKPOINT).exists():
            raise UsageError(
                f"{folder.path}: holds a checkpoint of another recipe, since this one trains at once and "
                "writes none; train into another folder."
            )
        return _fit_at_once(recipe, texts, splits.get("dev"), network, heard)
    for_weighting = weighting_texts(recipe, splits["train"])
    beside = {task: trained[task] for task in splits.further}
    objective = objective_for(recipe, network, texts, for_weighting, beside)
    others = {"weighting": for_weighting.texts} if for_weighting else {}
    corpus = taught.corpus if taught else texts
    further = {TAUGHT: taught.inputs} if taught else {}
    rows = {TASK: TrainingRows(corpus, objective.encoders(), view_texts(recipe, texts), others, further)}
    rows |= {task: TrainingRows(own, objective.encoders()) for task, own in beside.items()}
    judged = judge_of(recipe, network, splits, trained)

    def judge() -> dict[str, float]:
        try:
            return judged()
        except ModelError as fault:  # what the last step made of the weights, no later loss has shown
            raise UsageError(
                f"the loss is nan after step {loop.progress.step}: training diverged; "
                "lower training.learning_rate or training.clip."
            ) from fault

    def tell(entry: dict[str, Any]) -> None:
        heard.say(record.epoch_line(entry))
        for warning in new_rank_warnings(loop.progress.history, len(texts.labels)):
            heard.say(f"warning: {warning}")
        if folder is not None:
            folder.write_history([*loop.progress.history])

    def tick(done: int, of: int) -> None:
        heard.tick(loop.progress.epoch * of + done, recipe.training.epochs * of)

    data = splits.digests | ({"teacher": taught.digest} if taught else {})
    checkpoints = None if folder is None else Checkpoints(folder.path, {"recipe": recipe.digest, **data})
    loop = Loop(recipe, objective, rows, judge, checkpoints, tell, tick)
    progress = loop.run(resume=resume)
    if recipe.objective.fits_head:
        head = FITTED[recipe.objective.kind](network.encoder, texts, recipe.objective)
        network.heads[TASK] = head.to(loop.device)
    return progress, network.eval()


def _fit_at_once(
    recipe: Recipe, texts: Corpus, dev: Corpus | None, network: Network, heard: Listener
) -> tuple[Progress, Network]:
    """Fit a head on frozen vectors, at once: the history is one entry long and has no training loss."""
    began = time.monotonic()
    head = FITTED[recipe.objective.kind](network.encoder, texts, recipe.objective)
    seconds = time.monotonic() - began
    fitted = Network(network.encoder, head).eval()
    figures = {} if dev is None else judging.dev_figures(deciding_model(recipe, fitted, dev), dev)
    loss = figures.pop("loss", None)
    entry = {"epoch": 1, "step": 1, "train_loss": None, "terms": {}, "dev_loss": loss, "dev": figures}
    entry |= {"seconds": seconds, "learning_rate": None}
    heard.say(record.epoch_line(entry))
    return Progress(epoch=1, step=1, history=[entry]), fitted
