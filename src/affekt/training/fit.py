"""Fitting a network to corpora, by gradients or at once: what run folders and estimators both stand on."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from affekt import decisions as deciding
from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.errors import ModelError, UsageError
from affekt.hardware import chosen_precision
from affekt.inference import evaluate as judging
from affekt.inference.model import Model
from affekt.networks.network import TASK, Network
from affekt.recipe.sections import Recipe
from affekt.runs.folder import CHECKPOINT, RunFolder
from affekt.training import record
from affekt.training.build import build_network, objective_for
from affekt.training.checkpoint import Checkpoints, Progress
from affekt.training.collapse import new_rank_warnings
from affekt.training.data import RunTexts, normalised, style_of, view_texts, weighting_texts
from affekt.training.judge import check_stopping, deciding_model, fitted_decisions, judge_of
from affekt.training.logistic import FITTED
from affekt.training.loop import Loop
from affekt.training.objectives.distil import TAUGHT
from affekt.training.processes import alone, several
from affekt.training.rows import TrainingRows
from affekt.training.teachers import Lessons, lessons


@dataclass(frozen=True)
class Listener:
    """Who hears how a run goes: lines for a log, and ticks for a progress bar (batches done, of all)."""

    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] = lambda done, of: None


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
        trained, network, taught = prepared(recipe, own, heard)
        progress, network = fit(recipe, own, trained, network, taught, heard=heard)
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


def prepared(
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


def fit(
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
    """Train the network, and return how that went and the trained one.

    With a folder checkpoints and the history are written to it, and `resume` goes on from what it holds.
    """
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
