"""Tokenised rows of each task, and the batches of an epoch: a task and the numbers of its rows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from affekt import sampling
from affekt.data.corpus import Corpus
from affekt.recipe.sections import Recipe

Views = Callable[[int], dict[str, list[str]]]  # epoch → texts of further inputs, made anew
TaskBatch = tuple[str, np.ndarray]


@dataclass
class TrainingRows:
    """One task's texts, tokenised once for each input of the objective, with their targets.

    Attributes:
        corpus: The training texts, normalised.
        encoders: The encoder of each input.
        views: Gives the texts of inputs that change from epoch to epoch.
        others: The texts of inputs that read the corpus in another normalisation.
        further: Further inputs that are no texts: for each, tensors (n, …) by name.
        rows: Tokenised rows of each input.
    """

    corpus: Corpus
    encoders: dict[str, Any]
    views: Views | None = None
    others: dict[str, list[str]] = field(default_factory=dict)
    further: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    rows: dict[str, list[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = {
            name: encoder.tokenize(self.others.get(name, self.corpus.texts))
            for name, encoder in self.encoders.items()
            if name != "view"
        }
        self.lengths = np.array([len(row) for row in self.rows["text"]])
        self.targets = torch.as_tensor(np.asarray(self.corpus.targets, dtype=np.float32))

    def start_epoch(self, epoch: int) -> None:
        """Make this epoch's views."""
        if self.views is not None:
            for name, texts in self.views(epoch).items():
                self.rows[name] = self.encoders[name].tokenize(texts)

    def batch(self, indices: np.ndarray, device: torch.device) -> tuple[dict[str, Any], torch.Tensor]:
        """Collate the inputs and the targets of some rows."""
        chosen = torch.as_tensor(indices)
        inputs = {
            name: {key: value[chosen].to(device) for key, value in of_rows.items()}
            for name, of_rows in self.further.items()
        }
        for name, encoder in self.encoders.items():
            collated = encoder.collate([self.rows[name][i] for i in indices])
            inputs[name] = {key: value.to(device) for key, value in collated.items()}
        return inputs, self.targets[chosen].to(device)


def epoch_batches(recipe: Recipe, rows: Mapping[str, TrainingRows], epoch: int) -> list[TaskBatch]:
    """Return the batches of an epoch, those of several tasks mixed: a function of recipe and epoch alone."""
    made = {task: _batches(recipe, of_task, epoch) for task, of_task in rows.items()}
    mixing = recipe.mixing
    turns = mixing.rows_per_epoch and max(1, round(mixing.rows_per_epoch / recipe.training.batch_size))
    return sampling.mixed(
        made, temperature=mixing.exponent, turns=turns, seed=recipe.training.seed, epoch=epoch
    )


def _batches(recipe: Recipe, rows: TrainingRows, epoch: int) -> list[np.ndarray]:
    passes = recipe.objective.passes
    made = (_pass(recipe, rows, epoch * passes + number) for number in range(passes))
    return [batch for batches in made for batch in batches]


def _pass(recipe: Recipe, rows: TrainingRows, epoch: int) -> list[np.ndarray]:
    spec, targets = recipe.training, np.asarray(rows.corpus.targets)
    chosen: dict[str, Any] = {"lengths": rows.lengths, "seed": spec.seed, "epoch": epoch}
    if recipe.objective.draws_pairs:
        return sampling.pair_batches(targets, spec.batch_size, **chosen)
    if spec.sampler == "m-per-class":
        return sampling.m_per_class(targets, spec.batch_size, m=spec.rows_per_class, **chosen)
    if spec.sampler == "stratified":
        return sampling.stratified(targets, spec.batch_size, **chosen)
    return sampling.bucketed(batch_size=spec.batch_size, **chosen)


def share_of(recipe: Recipe, batches: list[TaskBatch], rank: int, world: int) -> list[TaskBatch]:
    """Return one process's part of every batch; drawn pairs stay together."""
    sides, split = 2 if recipe.objective.draws_pairs else 1, sampling.split_for_process
    return [(task, np.concatenate(split(np.split(rows, sides), rank, world))) for task, rows in batches]


def count_steps(recipe: Recipe, rows: Mapping[str, TrainingRows]) -> int:
    """Return how many steps the optimiser takes in a whole run."""
    spec = recipe.training
    differ = spec.sampler == "m-per-class"  # whose epochs are not all equally long
    counts = [len(epoch_batches(recipe, rows, epoch)) for epoch in range(spec.epochs if differ else 1)]
    steps = [math.ceil(count / spec.accumulate) for count in counts]
    return sum(steps) if differ else steps[0] * spec.epochs
