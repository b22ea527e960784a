"""The loop: epochs over batches. It knows neither the losses nor the metrics, only terms and figures by name."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from affekt import sampling
from affekt.corpus import Corpus
from affekt.errors import UsageError
from affekt.training.checkpoint import Checkpoints, Progress
from affekt.training.objectives import Objective, total
from affekt.training.optimizer import build_optimizers, clip_gradients, rate_factor, set_rates
from affekt.training.recipe import Recipe

SMALLER_IS_BETTER = {"loss", "davies_bouldin", "ece", "brier", "hamming", "never_predicted"}
Views = Callable[[int], dict[str, list[str]]]  # epoch → texts of further inputs, made anew


@dataclass
class TrainingRows:
    """Texts tokenised once for each input of the objective, with their targets.

    Attributes:
        corpus: The training texts, normalised.
        encoders: The encoder of each input.
        rows: Tokenised rows of each input.
        views: Gives the texts of inputs that change from epoch to epoch.
    """

    corpus: Corpus
    encoders: dict[str, Any]
    views: Views | None = None
    rows: dict[str, list[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = {
            name: encoder.tokenize(self.corpus.texts)
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
        inputs = {}
        for name, encoder in self.encoders.items():
            collated = encoder.collate([self.rows[name][i] for i in indices])
            inputs[name] = {key: value.to(device) for key, value in collated.items()}
        return inputs, self.targets[torch.as_tensor(indices)].to(device)


def epoch_batches(recipe: Recipe, rows: TrainingRows, epoch: int) -> list[np.ndarray]:
    """Return the batches of an epoch as row numbers: a function of recipe and epoch alone."""
    spec, targets = recipe.training, np.asarray(rows.corpus.targets)
    chosen: dict[str, Any] = {"seed": spec.seed, "epoch": epoch}
    objective = recipe.objective
    if objective.kind == "contrastive" and objective.pairs == "drawn":
        left, right, _ = sampling.balanced_pairs(targets, len(rows.corpus), **chosen)
        return [
            np.concatenate([left[at : at + spec.batch_size], right[at : at + spec.batch_size]])
            for at in range(0, len(left), spec.batch_size)
        ]
    if spec.sampler == "m-per-class":
        made = sampling.m_per_class(
            targets, spec.batch_size, m=spec.rows_per_class, lengths=rows.lengths, **chosen
        )
    elif spec.sampler == "stratified":
        made = sampling.stratified(targets, spec.batch_size, lengths=rows.lengths, **chosen)
    else:
        made = sampling.bucketed(rows.lengths, spec.batch_size, **chosen)
    return [np.asarray(batch) for batch in made]


@dataclass
class Loop:
    """One run of training.

    Attributes:
        recipe: What to do.
        objective: What a batch costs.
        rows: What to train on.
        judge: Gives the dev figures after an epoch, by name; empty without a dev split.
        checkpoints: Where to keep the state; None keeps none.
        tell: Hears each finished epoch's entry of the history.
        tick: Hears (batches done, batches of the epoch) after each batch.
    """

    recipe: Recipe
    objective: Objective
    rows: TrainingRows
    judge: Callable[[], dict[str, float]]
    checkpoints: Checkpoints | None = None
    tell: Callable[[dict[str, Any]], None] = lambda entry: None
    tick: Callable[[int, int], None] = lambda done, of: None

    def run(self, *, resume: bool = False) -> Progress:
        """Train to the end, from the last checkpoint when resuming, and leave the kept epoch's weights in place."""
        spec = self.recipe.training
        self.accelerator = (
            Accelerator()
        )  # bfloat16 is our own autocast: accelerate fixes its choice per process
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] | None = None
        torch.manual_seed(spec.seed + self.accelerator.process_index)
        self.objective.to(self.accelerator.device)
        self.optimizers = build_optimizers(self.objective, spec)
        if resume:
            self._restore()
        self.wrapped = self.accelerator.prepare_model(self.objective)
        self.saved_at = time.monotonic()
        per_epoch = math.ceil(len(epoch_batches(self.recipe, self.rows, 0)) / spec.accumulate)
        self.steps = per_epoch * spec.epochs
        while self.progress.epoch < spec.epochs and not self.progress.stopped:
            self._epoch()
        if self.best is not None:
            self.objective.network.load_state_dict(self.best)
        return self.progress

    def _restore(self) -> None:
        restored = self.checkpoints.load(self.objective, self.optimizers) if self.checkpoints else None
        if restored is not None:
            self.progress, self.best = restored.progress, restored.best
            torch.set_rng_state(restored.generators[self.accelerator.process_index])

    def _epoch(self) -> None:
        spec, progress = self.recipe.training, self.progress
        began = time.monotonic() - progress.seconds
        batches = epoch_batches(self.recipe, self.rows, progress.epoch)
        mine = sampling.split_for_process(
            batches, self.accelerator.process_index, self.accelerator.num_processes
        )
        self.rows.start_epoch(progress.epoch)
        self.objective.train()
        for at in range(progress.batch, len(mine)):
            last = (at + 1) % spec.accumulate == 0 or at + 1 == len(mine)
            self.objective.start_step(progress.epoch + at / len(mine))
            self._batch(np.asarray(mine[at]), update=last)
            progress.batch = at + 1
            self.tick(at + 1, len(mine))
            if last and at + 1 < len(mine):
                progress.seconds = time.monotonic() - began
                self._checkpoint_if_due()
        progress.seconds = time.monotonic() - began
        self._finish_epoch()

    def _batch(self, indices: np.ndarray, *, update: bool) -> None:
        spec, progress = self.recipe.training, self.progress
        inputs, targets = self.rows.batch(indices, self.accelerator.device)
        with self._synchronised(update):
            with self._precision():
                terms = self.wrapped(inputs, targets)
            loss = total(terms)
            self.accelerator.backward(loss / spec.accumulate)
        for name, term in terms.items():
            progress.sums[name] = progress.sums.get(name, 0.0) + float(term.detach()) * len(indices)
        progress.sums["rows"] = progress.sums.get("rows", 0.0) + len(indices)
        progress.sums["tokens"] = progress.sums.get("tokens", 0.0) + float(self.rows.lengths[indices].sum())
        if not math.isfinite(float(loss.detach())):
            raise UsageError(
                f"the loss became {float(loss.detach())} at step {progress.step} "
                f"({', '.join(f'{name} {float(term.detach()):.3g}' for name, term in terms.items())}); "
                "lower training.learning_rate or training.clip."
            )
        if update:
            set_rates(self.optimizers, rate_factor(progress.step, self.steps, spec))
            clip_gradients(self.objective.parameters(), spec.clip)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            progress.step += 1

    def _precision(self) -> Any:
        low = self.recipe.training.precision == "bfloat16"
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=low)

    def _synchronised(self, update: bool) -> Any:
        """Join gradients over processes only on the batch that moves the weights."""
        return nullcontext() if update else self.accelerator.no_sync(self.wrapped)

    def _finish_epoch(self) -> None:
        spec, progress = self.recipe.training, self.progress
        sums = dict(progress.sums)
        rows, tokens = sums.pop("rows"), sums.pop("tokens")
        terms = {name: value / rows for name, value in sums.items()}
        self.objective.eval()
        dev = self.judge()
        entry = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "train_loss": sum(terms.values()),
            "terms": terms,
            "dev_loss": dev.get("loss"),
            "dev": {name: value for name, value in dev.items() if name != "loss"},
            "seconds": progress.seconds,
            "tokens_per_second": tokens / progress.seconds if progress.seconds else 0.0,
            "learning_rate": max(
                group["lr"] for optimizer in self.optimizers for group in optimizer.param_groups
            ),
        }
        progress.history.append(entry)
        progress.epoch, progress.batch, progress.sums, progress.seconds = progress.epoch + 1, 0, {}, 0.0
        self._watch(dev)
        self.tell(entry)
        if spec.checkpoint_seconds >= 0:
            self._checkpoint()

    def _watch(self, dev: dict[str, float]) -> None:
        """Early stopping and the best epoch's weights."""
        spec, progress = self.recipe.training, self.progress
        if spec.early_stopping is None:
            return
        metric = spec.early_stopping.metric
        if metric not in dev:
            raise UsageError(
                f"training.early_stopping.metric = {metric!r}: dev has {', '.join(sorted(dev)) or 'no figures'}."
            )
        sign = -1 if metric in SMALLER_IS_BETTER else 1
        if progress.best is None or sign * dev[metric] > sign * progress.best:
            progress.best, progress.waited = dev[metric], 0
            if spec.keep == "best":
                state = self.objective.network.state_dict()
                self.best = {name: value.detach().cpu().clone() for name, value in state.items()}
        else:
            progress.waited += 1
            progress.stopped = progress.waited >= spec.early_stopping.patience

    def _checkpoint_if_due(self) -> None:
        if time.monotonic() - self.saved_at >= self.recipe.training.checkpoint_seconds:
            self._checkpoint()

    def _checkpoint(self) -> None:
        if self.checkpoints is None:
            return
        states = gather_object([torch.get_rng_state()])
        if self.accelerator.is_main_process:
            self.checkpoints.save(
                self.objective, self.optimizers, self.progress, generators=states, best=self.best
            )
        self.saved_at = time.monotonic()
