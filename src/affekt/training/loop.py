"""The loop: epochs over batches. It knows no losses and no metrics, only terms and figures by name."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import nn

from affekt.errors import UsageError
from affekt.evaluation.figures import figure
from affekt.hardware import chosen_precision
from affekt.recipe.sections import Recipe
from affekt.training.average import MovingAverage
from affekt.training.checkpoint import Checkpoints, Progress
from affekt.training.objectives import Objective, total
from affekt.training.optimizer import build_optimizers, clip_gradients, rate_factor, set_rates
from affekt.training.processes import device_of, from_leader, join_processes
from affekt.training.rows import TaskBatch, TrainingRows, count_steps, epoch_batches, share_of


@dataclass
class Loop:
    """One run of training.

    Attributes:
        recipe: What to do.
        objective: What a batch costs.
        rows: What to train on, for each task.
        judge: Gives the dev figures after an epoch, by name; empty without a dev split.
        checkpoints: Where to keep the state; None keeps none.
        tell: Hears each finished epoch's entry of the history, in the leading process.
        tick: Hears (batches done, batches of the epoch) after each batch.
        clip: Limits the joint norm of the gradients before a step.
    """

    recipe: Recipe
    objective: Objective
    rows: Mapping[str, TrainingRows]
    judge: Callable[[], dict[str, float]]
    checkpoints: Checkpoints | None = None
    tell: Callable[[dict[str, Any]], None] = lambda entry: None
    tick: Callable[[int, int], None] = lambda done, of: None
    clip: Callable[[Iterable[nn.Parameter], float], float] = clip_gradients

    def run(self, *, resume: bool = False) -> Progress:
        """Train to the end, when resuming from the last checkpoint, and put the kept epoch's weights in."""
        spec = self.recipe.training
        # bfloat16 is our own autocast: accelerate fixes its choice once per process
        self.accelerator = join_processes()
        self.device = device_of(spec.device, self.accelerator)
        self.low = chosen_precision(spec.precision, spec.device) == "bfloat16"
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] | None = None
        torch.manual_seed(spec.seed + self.accelerator.process_index)
        self.objective.to(self.device)
        self.optimizers = build_optimizers(self.objective, spec)
        self.average = MovingAverage(self.objective.network, spec.average) if spec.average else None
        if resume:
            self._restore()
        self.wrapped = self.accelerator.prepare_model(self.objective, device_placement=False)
        self.saved_at = self.began = time.monotonic()
        self.steps = count_steps(self.recipe, self.rows)
        while self.progress.epoch < spec.epochs and not self.progress.stopped:
            self._epoch()
        if self.best is not None:
            self.objective.network.load_state_dict(self.best)
        elif self.average is not None:
            self.average.put_in()
        return self.progress

    def _restore(self) -> None:
        restored = self.checkpoints.load(self.objective, self.optimizers) if self.checkpoints else None
        if restored is None:
            return
        if len(restored.generators) != self.accelerator.num_processes:
            raise UsageError(
                f"the checkpoint was written by {len(restored.generators)} processes and this is a run of "
                f"{self.accelerator.num_processes}; resume with as many as before."
            )
        self.progress, self.best = restored.progress, restored.best
        if self.average is not None and restored.average is not None:
            self.average.restore(restored.average)
        set_random_state(restored.generators[self.accelerator.process_index])

    def _epoch(self) -> None:
        spec, progress = self.recipe.training, self.progress
        began = time.monotonic() - progress.seconds
        batches = epoch_batches(self.recipe, self.rows, progress.epoch)
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        mine = share_of(self.recipe, batches, rank, world)
        for rows in self.rows.values():
            rows.start_epoch(progress.epoch)
        self.objective.train()
        for at in range(progress.batch, len(mine)):
            last = (at + 1) % spec.accumulate == 0 or at + 1 == len(mine)
            together = min(spec.accumulate, len(mine) - at // spec.accumulate * spec.accumulate)
            self.objective.start_step(progress.epoch + at / len(mine))
            self._batch(mine[at], share=1 / together, update=last)
            progress.batch = at + 1
            self.tick(at + 1, len(mine))
            if last and at + 1 < len(mine):
                progress.seconds = time.monotonic() - began
                if from_leader(time.monotonic() - self.saved_at >= spec.checkpoint_seconds):  # all or none
                    self._checkpoint()
        progress.seconds = time.monotonic() - began
        self._finish_epoch()

    def _batch(self, batch: TaskBatch, *, share: float, update: bool) -> None:
        """Take a batch into the gradients with its share of the step, and where asked move the weights."""
        task, indices = batch
        inputs, targets = self.rows[task].batch(indices, self.device)
        with nullcontext() if update else self.accelerator.no_sync(self.wrapped):  # gradients join only then
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low):
                terms = self.wrapped(inputs, targets, task)
            loss = total(terms)
            self.accelerator.backward(loss * share)
        tokens = float(self.rows[task].lengths[indices].sum())
        self._count({name: float(term.detach()) for name, term in terms.items()}, len(indices), tokens)
        if update:
            self._move_weights()

    def _count(self, terms: dict[str, float], rows: int, tokens: float) -> None:
        """Add a batch to the epoch's sums, if its loss is a number."""
        if not math.isfinite(sum(terms.values())):
            shown = ", ".join(f"{name} {value:.3g}" for name, value in terms.items())
            raise UsageError(
                f"the loss became {sum(terms.values())} at step {self.progress.step} ({shown}); "
                "lower training.learning_rate or training.clip."
            )
        counted = {name: value * rows for name, value in terms.items()}
        counted |= {"rows": float(rows), "tokens": tokens}
        sums = self.progress.sums
        sums |= {name: sums.get(name, 0.0) + value for name, value in counted.items()}

    def _move_weights(self) -> None:
        spec, progress = self.recipe.training, self.progress
        set_rates(self.optimizers, rate_factor(progress.step, self.steps, spec))
        self.clip(self.objective.parameters(), spec.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        if self.average is not None:
            self.average.take(progress.step)

    def _finish_epoch(self) -> None:
        progress = self.progress
        sums = dict(progress.sums)
        rows, tokens = sums.pop("rows"), sums.pop("tokens")
        terms = {name: value / rows for name, value in sums.items()}  # the same in every process
        tokens = sum(gather_object([tokens]))
        self.objective.eval()
        with self.average.inside() if self.average is not None else nullcontext():
            dev = from_leader(self.judge() if self.accelerator.is_main_process else None)
            self._watch(dev)
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
        if self.accelerator.is_main_process:
            self.tell(entry)
        self._checkpoint()

    def _watch(self, dev: dict[str, float]) -> None:
        """Early stopping and the best epoch's weights."""
        spec, progress = self.recipe.training, self.progress
        if spec.early_stopping is None:
            return
        metric = spec.early_stopping.metric
        if metric not in dev:
            raise UsageError(
                f"training.early_stopping.metric = {metric!r}: dev has "
                f"{', '.join(sorted(dev)) or 'no figures'}."
            )
        if figure(metric).is_better(dev[metric], progress.best):
            progress.best, progress.waited = dev[metric], 0
            if spec.keep == "best":
                state = self.objective.network.state_dict()
                self.best = {name: value.detach().cpu().clone() for name, value in state.items()}
        else:
            progress.waited += 1
            progress.stopped = progress.waited >= spec.early_stopping.patience

    def _checkpoint(self) -> None:
        if self.checkpoints is None:
            return
        states = gather_object([random_state()])
        if self.accelerator.is_main_process:
            earlier = self.progress.earlier + time.monotonic() - self.began
            progress = replace(self.progress, earlier=earlier)
            self.checkpoints.save(
                self.objective,
                self.optimizers,
                progress,
                generators=states,
                best=self.best,
                average=None if self.average is None else self.average.weights,
            )
        self.saved_at = time.monotonic()


def random_state() -> dict[str, torch.Tensor]:
    """Return the state of the random numbers of the CPU and, where one is used, of the GPU."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, torch.Tensor]) -> None:
    """Go on drawing random numbers where a run stopped."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
