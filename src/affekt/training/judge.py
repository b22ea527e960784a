"""What a run is judged by: the dev figures of an epoch and the final figures, of each of its corpora."""

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from affekt import decisions as deciding
from affekt.data.corpus import Corpus
from affekt.decisions import Decisions
from affekt.decisions.groups import fit_coarser
from affekt.errors import UsageError, unknown_name
from affekt.evaluation.figures import figure
from affekt.inference import evaluate as judging
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network
from affekt.recipe.sections import Recipe
from affekt.training.data import MEAN, RunTexts, style_of

Judge = Callable[[], dict[str, float]]


def judge_of(recipe: Recipe, network: Network, texts: RunTexts, trained: Mapping[str, Corpus]) -> Judge:
    """Return what gives the dev figures of a run.

    Of several corpora these are the main one's by their names, each one's with its own name before them
    ("sst2.accuracy"), and the means of what all have ("mean.f1_macro").

    Args:
        recipe: What to do.
        network: What is judged.
        texts: The run's corpora.
        trained: The training texts of each as the network reads them, by task.
    """
    each = {
        task: _judge(recipe, network.of(task) if at else network, splits.get("dev"), trained[task])
        for at, (task, splits) in enumerate(texts.tasks.items())
    }
    if not texts.further:
        return each[texts.task]
    return lambda: _joined({task: judge() for task, judge in each.items()})


def _joined(found: Mapping[str, dict[str, float]]) -> dict[str, float]:
    """Return the figures of several corpora as those of one run."""
    main = next(iter(found.values()))
    means = {
        f"{MEAN}.{name}": fmean(figures[name] for figures in found.values())
        for name in main
        if all(name in figures for figures in found.values())
    }
    each = {f"{task}.{name}": value for task, figures in found.items() for name, value in figures.items()}
    return {**main, **each, **means}


def check_stopping(recipe: Recipe, texts: RunTexts, network: Network) -> None:
    """Refuse to stop early by a metric that dev will not have."""
    stopping = recipe.training.early_stopping
    if stopping is None or not recipe.objective.by_gradients:
        return
    if "dev" not in texts:
        raise UsageError("training.early_stopping needs a dev split; give one, or leave early_stopping out.")
    if figure(stopping.metric).better is None:
        raise UsageError(
            f"training.early_stopping.metric is no aim: {stopping.metric} is better neither when higher nor "
            "when lower; name another dev figure, such as loss."
        )
    watched = {"effective_rank"} if recipe.objective.is_contrastive else set()
    for rows in (200, None):
        found = {}
        for at, (task, splits) in enumerate(texts.tasks.items()):
            own, dev = network.of(task) if at else network, splits["dev"]
            few = dev.select(np.arange(min(len(dev), rows or len(dev))))
            found[task] = judging.dev_figures(deciding_model(recipe, own, splits["train"]), few)
            found[task] |= dict.fromkeys(watched, 0.0)
        known = {name for name in (_joined(found) if texts.further else found[task]) if figure(name).better}
        if stopping.metric in known:
            return
    raise UsageError(f"training.early_stopping.metric: {unknown_name('dev figure', stopping.metric, known)}")


def _judge(recipe: Recipe, network: Network, dev: Corpus | None, train: Corpus) -> Judge:
    """Return what gives the dev figures; with a contrastive term they tell how many directions are in use.

    Without a dev split there are none, and some training texts show whether the model still gives numbers.
    """
    start = None
    if dev is not None and recipe.objective.is_contrastive:
        start = judging.space_rank(deciding_model(recipe, network, dev), dev)

    def judge() -> dict[str, float]:
        model = deciding_model(recipe, network, train if dev is None else dev)
        if dev is None:
            model.embed(train.texts[:32])
            return {}
        figures = judging.dev_figures(model, dev)
        if start is not None:
            figures |= {"effective_rank": judging.space_rank(model, dev), "starting_rank": start}
        return figures

    return judge


def deciding_model(recipe: Recipe, network: Network, corpus: Corpus) -> Model:
    """Return a network as a model of a corpus's labels, with nothing fitted."""
    labels, single = corpus.labels if network.head is not None else (), corpus.single_label
    plain = recipe.decisions.plain_threshold
    rule = Decisions.unfitted(len(labels), single_label=single, threshold=plain) if labels else None
    return Model(TorchRuntime(network), labels, single, rule, style_of(recipe))


def evaluated(
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
    decided = fitted_decisions(recipe, judged["dev"], logits["dev"])
    figures["decisions"] = decided.to_json()
    figures |= judging.classifier_figures(judged, logits, model.decisions, decided)
    predictions = {name: (judged[name], logits[name], decided) for name in judged}
    decider, dev = model.with_decisions(decided), judged["dev"]
    decider.coarse = fit_coarser(
        decided, dev.labels, logits["dev"], dev.targets, split="dev", digest=dev.digest
    )
    return figures, predictions, decider


def fitted_decisions(recipe: Recipe, dev: Corpus, logits: np.ndarray) -> Decisions:
    """Return the decisions that a recipe has fitted on dev."""
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
