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

import numpy as np

from affekt import decisions as deciding
from affekt import evaluation
from affekt._version import __version__
from affekt.data.corpus import Corpus
from affekt.decisions import Decisions
from affekt.decisions.groups import fit_coarser
from affekt.errors import AffektError, FollowerError, ModelError, UsageError, unknown_name
from affekt.evaluation.figures import figure
from affekt.hardware import chosen_precision, hardware
from affekt.inference import evaluate as judging
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
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
from affekt.training.data import load_splits, normalised, style_of, view_texts, weighting_texts
from affekt.training.logistic import FITTED
from affekt.training.loop import Loop
from affekt.training.objectives.distil import TAUGHT
from affekt.training.processes import alone, from_leader, join_processes, leads
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
            splits = splits or load_splits(recipe.data)
            for note in dict.fromkeys(note for corpus in splits.values() for note in corpus.notes):
                heard.say(note)
            _train(recipe, folder, splits, resume=resume, command=command, heard=heard)
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
    splits: dict[str, Corpus],
    *,
    resume: bool,
    command: str,
    heard: Listener,
) -> None:
    began = time.monotonic()
    heard.say(
        ", ".join(f"{name} {len(corpus):,}" for name, corpus in splits.items())
        + f" texts of {splits['train'].name}"
    )
    texts, network, taught = _prepared(recipe, splits, heard)
    if leads():
        folder.write_start(recipe.to_yaml(), (row for corpus in splits.values() for row in corpus.skipped))
    progress, network = _fit(
        recipe, splits, texts, network, taught, folder=folder, resume=resume, heard=heard
    )
    if not leads():
        return
    finish(
        recipe,
        folder,
        splits,
        texts,
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
    splits: dict[str, Corpus],
    texts: Corpus,
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
        texts: The training texts, normalised.
        network: The trained network.
        progress: How training went.
        seconds: Gives the time the run took until now.
        command: How the run was started.
        heard: Hears the warnings.
        more_of_data: What else the record says of the data.
        more: What else it says of the run.
    """
    model = _model(recipe, network, splits["train"])
    figures, predictions, model = _evaluated(model, splits, recipe)
    metrics = {
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
        "languages": list(languages_of(splits["train"].texts)),
        "test": record.brief(metrics),
    }
    model.save(folder.path / "model")
    heard.say(f"saved: model/ gives the same answers in {', '.join(model.runtime.opens_in)}")
    folder.write_predictions(predictions)
    folder.write_history(progress.history)
    folder.write_metrics(metrics)


def _prepared(
    recipe: Recipe, splits: dict[str, Corpus], heard: Listener
) -> tuple[Corpus, Network, Lessons | None]:
    """Return the normalised texts, the network and its teachers' lessons; what may fail, fails here."""
    chosen_precision(recipe.training.precision, recipe.training.device)
    if recipe.objective.needs_labels:
        splits["train"].require_classes()
    texts = normalised(splits["train"], style_of(recipe))
    network = build_network(recipe, texts)
    if network.head is not None:  # refused now, not once all is trained
        deciding.check_calibration(recipe.decisions.calibration, single_label=splits["train"].single_label)
    _check_stopping(recipe, splits, network)
    return texts, network, lessons(recipe, splits, heard.say, heard.tick)


def _check_stopping(recipe: Recipe, splits: dict[str, Corpus], network: Network) -> None:
    """Refuse to stop early by a metric that dev will not have."""
    stopping = recipe.training.early_stopping
    if stopping is None or not recipe.objective.by_gradients:
        return
    if "dev" not in splits:
        raise UsageError("training.early_stopping needs a dev split; give one, or leave early_stopping out.")
    if figure(stopping.metric).better is None:
        raise UsageError(
            f"training.early_stopping.metric is no aim: {stopping.metric} is better neither when higher nor "
            "when lower; name another dev figure, such as loss."
        )
    dev, model = splits["dev"], _model(recipe, network, splits["train"])
    few = dev.select(np.arange(min(len(dev), 200)))
    watched = {"effective_rank"} if recipe.objective.is_contrastive else set()
    for sample in (few, dev):
        known = {name for name in judging.dev_figures(model, sample) if figure(name).better} | watched
        if stopping.metric in known:
            return
    raise UsageError(f"training.early_stopping.metric: {unknown_name('dev figure', stopping.metric, known)}")


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
        texts, network, taught = _prepared(recipe, splits, heard)
        progress, network = _fit(recipe, splits, texts, network, taught, heard=heard)
    model = _model(recipe, network, splits["train"])
    model.about = {"name": recipe.name, "recipe": recipe.digest, "data": record.data_digest(splits)}
    figures: dict[str, Any] = {"history": progress.history, "seconds": time.monotonic() - began}
    if "dev" not in splits or model.decisions is None:
        return model, figures
    dev, plain = splits["dev"], model.decisions
    logits = model.logits(dev.texts)
    decided = _fitted_decisions(recipe, dev, logits)
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
    splits: dict[str, Corpus],
    texts: Corpus,
    network: Network,
    taught: Lessons | None,
    *,
    heard: Listener,
    folder: RunFolder | None = None,
    resume: bool = False,
) -> tuple[Progress, Network]:
    if not recipe.objective.by_gradients:
        if folder is not None and (folder.path / CHECKPOINT).exists():
            raise UsageError(
                f"{folder.path}: holds a checkpoint of another recipe, since this one trains at once and "
                "writes none; train into another folder."
            )
        return _fit_at_once(recipe, texts, splits.get("dev"), network, heard)
    for_weighting = weighting_texts(recipe, splits["train"])
    objective = objective_for(recipe, network, texts, for_weighting)
    others = {"weighting": for_weighting.texts} if for_weighting else {}
    trained = taught.corpus if taught else texts
    further = {TAUGHT: taught.inputs} if taught else {}
    rows = TrainingRows(trained, objective.encoders(), view_texts(recipe, texts), others, further)
    judged = _judge(recipe, network, splits.get("dev"), texts)

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

    data = {f"data ({name})": corpus.digest for name, corpus in splits.items()}
    data |= {"teacher": taught.digest} if taught else {}
    checkpoints = None if folder is None else Checkpoints(folder.path, {"recipe": recipe.digest, **data})
    loop = Loop(recipe, objective, {TASK: rows}, judge, checkpoints, tell, tick)
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
    figures = {} if dev is None else judging.dev_figures(_model(recipe, fitted, dev), dev)
    loss = figures.pop("loss", None)
    entry = {"epoch": 1, "step": 1, "train_loss": None, "terms": {}, "dev_loss": loss, "dev": figures}
    entry |= {"seconds": seconds, "learning_rate": None}
    heard.say(record.epoch_line(entry))
    return Progress(epoch=1, step=1, history=[entry]), fitted


def _judge(
    recipe: Recipe, network: Network, dev: Corpus | None, train: Corpus
) -> Callable[[], dict[str, float]]:
    """Return what gives the dev figures; with a contrastive term they tell how many directions are in use.

    Without a dev split there are none, and some training texts show whether the model still gives numbers.
    """
    start = None
    if dev is not None and recipe.objective.is_contrastive:
        start = judging.space_rank(_model(recipe, network, dev), dev)

    def judge() -> dict[str, float]:
        model = _model(recipe, network, train if dev is None else dev)
        if dev is None:
            model.embed(train.texts[:32])
            return {}
        figures = judging.dev_figures(model, dev)
        if start is not None:
            figures |= {"effective_rank": judging.space_rank(model, dev), "starting_rank": start}
        return figures

    return judge


def _model(recipe: Recipe, network: Network, corpus: Corpus) -> Model:
    labels, single = corpus.labels if network.head is not None else (), corpus.single_label
    plain = recipe.decisions.plain_threshold
    rule = Decisions.unfitted(len(labels), single_label=single, threshold=plain) if labels else None
    return Model(TorchRuntime(network), labels, single, rule, style_of(recipe))


def _evaluated(
    model: Model, splits: dict[str, Corpus], recipe: Recipe
) -> tuple[dict[str, Any], dict[str, tuple[Corpus, np.ndarray, Decisions]], Model]:
    """Fit decisions on dev, read test once; return all figures, the predictions, and the deciding model."""
    judged: dict[str, Corpus] = {name: splits[name] for name in ("dev", "test") if name in splits}
    final = "test" if "test" in judged else "dev"
    if model.decisions is None:
        space = judging.space_figures(model, judged[final], resamples=judging.SPACE_RESAMPLES)
        return {part: space.get(part) for part in judging.SPACE_PARTS}, {}, model
    logits = {name: model.logits(corpus.texts) for name, corpus in judged.items() if name != final}
    logits[final], space = judging.logits_and_space(model, judged[final], resamples=judging.SPACE_RESAMPLES)
    figures: dict[str, Any] = {part: space.get(part) for part in judging.SPACE_PARTS}
    decided = _fitted_decisions(recipe, judged["dev"], logits["dev"])
    figures["decisions"] = decided.to_json()
    figures |= judging.classifier_figures(judged, logits, model.decisions, decided)
    predictions = {name: (judged[name], logits[name], decided) for name in judged}
    deciding_model = model.with_decisions(decided)
    dev = judged["dev"]
    deciding_model.coarse = fit_coarser(
        decided, dev.labels, logits["dev"], dev.targets, split="dev", digest=dev.digest
    )
    return figures, predictions, deciding_model


def _fitted_decisions(recipe: Recipe, dev: Corpus, logits: np.ndarray) -> Decisions:
    return deciding.fit(
        logits,
        dev.targets,
        single_label=dev.single_label,
        thresholds=recipe.decisions.thresholds,
        calibration=recipe.decisions.calibration,
        split="dev",
        digest=dev.digest,
        labels=dev.labels,
    )
