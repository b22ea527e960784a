"""The ways in which a study tries a model on data: each is one or several jobs, whose answers are kept.

knn        the nearest training texts by frozen vectors vote; how many is chosen on dev
probe      logistic regression on frozen vectors of a few rows of each label, drawn several times
fine-tune  all of the model is trained on the data, from several seeds
few-shot   all of the model is tuned on the probe's rows
mapped     nothing is trained: the model's own labels stand for the data's
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.data.known import DATASETS
from affekt.data.mappings import mapping_to
from affekt.data.splits import few_of_each
from affekt.errors import ModelError, UsageError
from affekt.evaluation.arrays import Bools, Floats, one_hot_argmax
from affekt.inference.model import Model
from affekt.recipe.read import parse_recipe, read_recipe
from affekt.recipe.sections import Recipe
from affekt.studies.answers import Answer, Kept
from affekt.studies.frozen import NEIGHBOURS, by_neighbours, by_probe, neighbours
from affekt.training.fit import fit_model


@dataclass(frozen=True)
class Plan:
    """What is asked of every model on every data set.

    Attributes:
        ways: Keys of `WAYS`.
        shots: How many rows of each label the probe and few-shot tuning have; 16 is what is published.
        draws: How often such rows are drawn.
        seeds: Of fine-tuning.
        limit: Training rows that knn and fine-tuning use at most; all of them where None.
        fine_tune: The recipe of fine-tuning, by name or path; data, encoder and seed are put in.
        few_shot: The recipe of few-shot tuning, likewise; unless said few-shot-known for a model that knows
            some of the data's labels by name, and few-shot for others.
    """

    ways: tuple[str, ...] = ("knn", "probe")
    shots: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    draws: int = 10
    seeds: tuple[int, ...] = (0, 1, 2)
    limit: int | None = None
    fine_tune: str = "fine-tune"
    few_shot: str | None = None


@dataclass(frozen=True)
class Task:
    """A data set on which models are tried, and the figure it is judged by."""

    name: str
    splits: dict[str, Corpus]
    metric: str = "f1_macro"
    metric_label: str = ""

    @property
    def test(self) -> Corpus:
        """The texts that figures are of."""
        return self.splits["test"]

    @property
    def label_place(self) -> int | None:
        """The column of the label that the figure is of; None where it is of all."""
        return self.test.labels.index(self.metric_label) if self.metric_label else None

    def judged(self, split: str, predicted: Bools) -> float:
        """Return the figure of decisions on a split."""
        corpus = self.splits[split]
        about: Any = {"labels": corpus.labels, "single_label": corpus.single_label}
        figures = evaluation.classification(corpus.targets, predicted.astype(np.float64), **about)
        held = figures["per_label"][self.metric_label] if self.metric_label else figures
        return float(held[self.metric])


@dataclass(frozen=True)
class Source:
    """A model that is tried: what it is called, what it is made of, and where training finds its encoder."""

    name: str
    place: str
    identity: str
    model: Model

    def encoder_section(self) -> dict[str, Any]:
        """Return the encoder section of a recipe that starts from this model."""
        encoder: Any = getattr(getattr(self.model.runtime, "network", None), "encoder", None)
        if encoder is None or not encoder.has_name:
            raise ModelError(
                f"{self.name}: can't be trained on, since it is no transformer; try knn and probe."
            )
        return {"kind": encoder.kind, "name": self.place, "pooling": getattr(encoder, "pooling", "cls")}


@dataclass(frozen=True, eq=False)
class Subject:
    """One model on one data set, in the folder of a study."""

    source: Source
    task: Task
    kept: Kept

    def vectors(self, corpus: Corpus) -> Floats:
        """Return the frozen vectors of texts, at unit length where the model compares directions."""
        facts = {"model": self.source.identity, "texts": corpus.digest}
        model = self.source.model
        return self.kept.vectors(facts, lambda: model.embed(corpus.texts, unit=model.runtime.by_direction))

    @cached_property
    def test_vectors(self) -> Floats:
        """The frozen vectors of the test texts."""
        return self.vectors(self.task.test)


@dataclass(frozen=True)
class Job:
    """One answer to be found: the setting it is part of, which draw or seed, and what finds it."""

    setting: Mapping[str, Any]
    run: int
    find: Callable[[], Answer]
    depends: Mapping[str, Any] = field(default_factory=dict)  # on what besides model, texts, setting and run


def _limited(train: Corpus, limit: int | None) -> Corpus:
    if limit is None or len(train) <= limit:
        return train
    return train.select(np.sort(np.random.default_rng(0).permutation(len(train))[:limit]))


def _answer(predicted: Bools, **about: Any) -> Answer:
    return Answer(predicted, np.arange(len(predicted)), about)


# --- the ways


def _knn(subject: Subject, plan: Plan) -> Iterator[Job]:
    task, single = subject.task, subject.task.test.single_label
    train = _limited(task.splits["train"], plan.limit)

    def find() -> Answer:
        vectors, targets = subject.vectors(train), np.asarray(train.targets)
        tried = [k for k in NEIGHBOURS if k <= len(train)]
        near = neighbours(vectors, subject.vectors(task.splits["dev"]), tried[-1])
        on_dev = {
            k: task.judged("dev", by_neighbours(targets, near[:, :k], single_label=single)) for k in tried
        }
        k = max(tried, key=lambda one: (on_dev[one], one))  # of those as good, more neighbours are steadier
        near = neighbours(vectors, subject.test_vectors, k)
        return _answer(by_neighbours(targets, near, single_label=single), neighbours=k, on_dev=on_dev[k])

    yield Job({}, 0, find, {"train": len(train), "tried": NEIGHBOURS})


def _draws(task: Task, plan: Plan) -> dict[tuple[int, int], np.ndarray]:
    present = task.splits["train"].present
    return {
        (rows, draw): few_of_each(present, rows, draw) for rows in plan.shots for draw in range(plan.draws)
    }


def _probe(subject: Subject, plan: Plan) -> Iterator[Job]:
    train, drawn = subject.task.splits["train"], _draws(subject.task, plan)
    needed = np.unique(np.concatenate(list(drawn.values())))  # to encode all of train for a few is long
    whole = "knn" in plan.ways and plan.limit is None
    texts = cache(lambda: subject.vectors(train if whole else train.select(needed)))

    def find(chosen: np.ndarray) -> Answer:
        places = chosen if whole else np.searchsorted(needed, chosen)
        targets, single = np.asarray(train.targets)[chosen], train.single_label
        return _answer(by_probe(texts()[places], targets, subject.test_vectors, single_label=single))

    for (rows, draw), chosen in drawn.items():
        yield Job({"rows_per_label": rows}, draw, partial(find, chosen))


def _trained(subject: Subject, recipe: Recipe, splits: dict[str, Corpus]) -> Answer:
    model, metrics = fit_model(recipe, splits)
    predicted = model.deciding().decide(model.probabilities(subject.task.test.texts))
    return _answer(predicted, recipe=recipe.name, seconds=round(metrics["seconds"], 1))


def _few_rows(subject: Subject, recipe: Recipe, chosen: np.ndarray) -> Answer:
    return _trained(subject, recipe, {"train": subject.task.splits["train"].select(chosen)})


def _recipe_for(subject: Subject, name: str, seed: int) -> Recipe:
    content = read_recipe(name).model_dump(mode="json")
    content["encoder"] |= subject.source.encoder_section()
    content["training"]["seed"] = seed
    recipe = parse_recipe(content, source=name)
    if not recipe.objective.classifies:
        raise UsageError(
            f"{name}: its objective, {recipe.objective.kind}, trains no classifier; name another."
        )
    return recipe


def _tuning(recipe: Recipe) -> dict[str, Any]:
    """Return what of a recipe an answer depends on; where its model lies is not of it."""
    content = recipe.model_dump(mode="json")
    sections = {key: content[key] for key in ("head", "objective", "training", "decisions", "encoder")}
    del sections["encoder"]["name"]
    return {**sections, "style": recipe.data.style}


def _fine_tune(subject: Subject, plan: Plan) -> Iterator[Job]:
    splits = subject.task.splits
    splits = {"train": _limited(splits["train"], plan.limit), "dev": splits["dev"]}
    for seed in plan.seeds:
        recipe = _recipe_for(subject, plan.fine_tune, seed)
        depends = {"train": len(splits["train"]), **_tuning(recipe)}
        yield Job({}, seed, partial(_trained, subject, recipe, splits), depends)


def _few_shot(subject: Subject, plan: Plan) -> Iterator[Job]:
    knows = set(subject.source.model.labels) & set(subject.task.test.labels)
    name = plan.few_shot or ("few-shot-known" if knows else "few-shot")
    for (rows, draw), chosen in _draws(subject.task, plan).items():
        recipe = _recipe_for(subject, name, draw)
        yield Job(
            {"rows_per_label": rows}, draw, partial(_few_rows, subject, recipe, chosen), _tuning(recipe)
        )


def _mapped(subject: Subject, plan: Plan) -> Iterator[Job]:
    model, test = subject.source.model, subject.task.test
    if model.decisions is None:
        raise ModelError(
            f"{subject.source.name}: is an encoder without a classifier, so it has no labels to map; leave "
            "mapped out, or this model."
        )
    stated = mapping_to(subject.task.name, test.labels, model.labels)

    def find() -> Answer:
        sides = [[model.labels.index(own) for own in stated.get(label, ())] for label in test.labels]
        known = np.array([bool(side) for side in sides])
        judged = np.flatnonzero(known[test.class_indices()]) if test.single_label else np.arange(len(test))
        probabilities = model.probabilities(test.select(judged).texts)
        if test.single_label:
            gather = np.sum if model.single_label else np.max  # as taxonomies gather targets
            scores = [
                gather(probabilities[:, side], axis=1) if side else np.full(len(judged), -1.0)
                for side in sides
            ]
            predicted = one_hot_argmax(np.column_stack(scores))
        else:
            decided = model.deciding().decide(probabilities)
            predicted = np.column_stack([decided[:, side].any(axis=1) for side in sides])
        left_out = [label for label, there in zip(test.labels, known, strict=True) if not there]
        return Answer(predicted, judged, {"mapping": stated, "left_out": left_out})

    sources = DATASETS[subject.task.name].sources if subject.task.name in DATASETS else {}
    yield Job({}, 0, find, {"mapping": stated, "sources": sources})


WAYS: dict[str, Callable[[Subject, Plan], Iterator[Job]]] = {
    "knn": _knn,
    "probe": _probe,
    "fine-tune": _fine_tune,
    "few-shot": _few_shot,
    "mapped": _mapped,
}
