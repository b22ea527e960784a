"""The loop: batches, steps, sums, early stopping; a function of recipe and data alone."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affekt import hardware
from affekt.data.corpus import Corpus
from affekt.errors import UsageError
from affekt.networks.heads import ClassificationHead
from affekt.networks.network import TASK, Network
from affekt.recipe.objectives import Classify
from affekt.recipe.sections import Recipe
from affekt.training.checkpoint import Checkpoints, Progress
from affekt.training.loop import Loop
from affekt.training.objectives import ClassifyObjective, LogitLoss, Objective, Terms
from affekt.training.rows import TrainingRows, count_steps, epoch_batches, share_of
from training.toys import network, recipe

WORDS = ["happy", "sad", "angry", "love", "fear", "what", "so", "very"]
CORPUS = Corpus.build(
    [" ".join(WORDS[(i * j) % 8] for j in range(1, 2 + i % 5)) for i in range(12)],
    ["joy", "sadness", "anger"] * 4,
)
DRAWN = {"kind": "contrastive", "pairs": "drawn"}


def told(objective: dict[str, Any] | None = None, **training: Any) -> Recipe:
    settings = {"epochs": 2, "batch_size": 4, "learning_rate": 0.05, **training}
    return recipe(training=settings, objective=objective or {"kind": "classify"})


def rows_of(corpus: Corpus = CORPUS, main: Network | None = None) -> dict[str, TrainingRows]:
    return {TASK: TrainingRows(corpus, {"text": (main or toy()).encoder})}


def batches_of(plan: Recipe, epoch: int = 0) -> list[np.ndarray]:
    return [batch for _, batch in epoch_batches(plan, rows_of(), epoch)]


def toy(**options: Any) -> Network:
    return network(labels=3, **options).float()


class Run:
    """A loop on the toy network, and all it said."""

    def __init__(self, plan: Recipe, figures: list[dict[str, float]] | None = None, **options: Any) -> None:
        self.main = toy(**options)
        self.objective: Objective = ClassifyObjective(
            self.main, Classify(), LogitLoss(Classify(), single_label=True)
        )
        self.entries: list[dict[str, Any]] = []
        self.ticks: list[tuple[int, int]] = []
        self.weights: list[dict[str, Tensor]] = []
        self.figures: Iterator[dict[str, float]] = iter(figures or [])
        rows = rows_of(main=self.main)
        tick = lambda done, of: self.ticks.append((done, of))  # noqa: E731
        self.loop = Loop(plan, self.objective, rows, self.judge, None, self.entries.append, tick)

    def judge(self) -> dict[str, float]:
        assert not self.objective.training
        state = self.main.state_dict()
        self.weights.append({name: value.clone() for name, value in state.items()})
        return next(self.figures, {"loss": 1.0})

    def run(self) -> Progress:
        return self.loop.run()


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


# --- batches


@pytest.mark.parametrize("sampler", ["bucketed", "stratified"])
def test_an_epoch_has_every_row_once_in_another_order_each_time(sampler: str) -> None:
    plan = told(sampler=sampler, batch_size=5)
    first, second = (batches_of(plan, epoch) for epoch in (0, 1))
    for batches in (first, second):
        assert sorted(np.concatenate(batches).tolist()) == list(range(12))
        assert max(map(len, batches)) <= 5
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in second]
    again = batches_of(plan)
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]


def test_batches_by_class_hold_m_rows_of_a_class_together() -> None:
    plan = told(sampler="m-per-class", rows_per_class=2, batch_size=4)
    classes = CORPUS.class_indices()
    for batch in batches_of(plan):
        groups = classes[batch].reshape(-1, 2)
        assert (groups[:, 0] == groups[:, 1]).all()
        assert len(set(groups[:, 0])) > 1


def test_drawn_pairs_are_half_alike_and_stand_in_two_halves() -> None:
    batches = batches_of(told(DRAWN, batch_size=4))
    assert sum(map(len, batches)) == 2 * len(CORPUS)  # a pair for every text
    classes = CORPUS.class_indices()
    alike = [classes[left] == classes[right] for left, right in (np.split(batch, 2) for batch in batches)]
    assert np.concatenate(alike).mean() == pytest.approx(0.5)


@pytest.mark.parametrize("objective", [{"kind": "classify"}, DRAWN])
def test_processes_share_every_batch_and_drawn_pairs_stay_together(objective: dict[str, Any]) -> None:
    plan = told(objective, batch_size=6)
    batches = epoch_batches(plan, rows_of(), 0)
    shares = [share_of(plan, batches, rank, 2) for rank in range(2)]
    for place, (_, batch) in enumerate(batches):
        first, second = shares[0][place][1], shares[1][place][1]
        assert len(first) == len(second)
        assert set(first) | set(second) == set(batch)
        if objective is DRAWN:
            pairs = set(zip(*np.split(batch, 2), strict=True))
            assert {
                pair for half in (first, second) for pair in zip(*np.split(half, 2), strict=True)
            } == pairs


def test_one_process_has_all_of_every_batch() -> None:
    batches = epoch_batches(told(), rows_of(), 0)
    for (_, mine), (_, batch) in zip(share_of(told(), batches, 0, 1), batches, strict=True):
        assert mine.tolist() == batch.tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accumulate": 2},
        {"batch_size": 5, "accumulate": 2},
        {"sampler": "m-per-class", "rows_per_class": 2, "epochs": 5},
        {"sampler": "stratified"},
    ],
)
def test_the_steps_are_counted_before_they_are_taken(changes: dict[str, Any]) -> None:
    run = Run(told(**changes))
    assert run.run().step == count_steps(told(**changes), rows_of())


def test_steps_of_drawn_pairs_are_counted_too() -> None:
    assert count_steps(told(DRAWN, batch_size=5, epochs=3), rows_of()) == 9


# --- texts and tokens


def test_texts_are_tokenised_once_and_changed_texts_in_every_epoch() -> None:
    main, epochs = toy(), []

    def views(epoch: int) -> dict[str, list[str]]:
        epochs.append(epoch)
        return {"view": [f"{text} {'so ' * epoch}" for text in CORPUS.texts]}

    rows = TrainingRows(CORPUS, {"text": main.encoder, "view": main.encoder}, views)
    assert set(rows.rows) == {"text"}
    rows.start_epoch(2)
    inputs, targets = rows.batch(np.array([3, 0]), torch.device("cpu"))
    assert epochs == [2]
    assert inputs["view"]["mask"].sum() == inputs["text"]["mask"].sum() + 4
    assert targets.tolist() == CORPUS.targets[[3, 0]].tolist()


def test_an_input_may_read_the_texts_in_another_normalisation() -> None:
    main = toy()
    others = {"weighting": [f"{text} so so" for text in CORPUS.texts]}
    rows = TrainingRows(CORPUS, {"text": main.encoder, "weighting": main.encoder}, others=others)
    inputs, _ = rows.batch(np.array([3, 0]), torch.device("cpu"))
    assert inputs["weighting"]["mask"].sum() == inputs["text"]["mask"].sum() + 4


# --- a run


def test_a_run_leaves_one_entry_per_epoch_with_all_a_history_needs() -> None:
    figures = [{"loss": 0.9, "f1_macro": 0.4}, {"loss": 0.8, "f1_macro": 0.5}]
    run = Run(told(warmup=0.0, schedule="constant"), figures)
    progress = run.run()
    assert run.entries == progress.history
    assert [entry["epoch"] for entry in run.entries] == [1, 2]
    assert [entry["step"] for entry in run.entries] == [3, 6]
    assert [entry["dev_loss"] for entry in run.entries] == [0.9, 0.8]
    assert [entry["dev"] for entry in run.entries] == [{"f1_macro": 0.4}, {"f1_macro": 0.5}]
    for entry in run.entries:
        assert entry["learning_rate"] == pytest.approx(0.05)
        assert entry["train_loss"] == pytest.approx(entry["terms"]["cross-entropy"])
        assert entry["seconds"] > 0
        assert entry["tokens_per_second"] > 0
    assert run.ticks == [(1, 3), (2, 3), (3, 3)] * 2


def test_the_training_loss_of_an_epoch_is_the_mean_over_its_rows() -> None:
    """With a rate too small to move a weight, it is the loss of the whole corpus."""
    run = Run(told(learning_rate=1e-12, batch_size=5, epochs=1))
    inputs, targets = run.loop.rows[TASK].batch(np.arange(12), torch.device("cpu"))
    expected = float(run.objective(inputs, targets)["cross-entropy"].detach())
    run.run()
    assert run.entries[0]["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_training_learns() -> None:
    run = Run(told(epochs=20))
    run.run()
    assert run.entries[-1]["train_loss"] < 0.5 * run.entries[0]["train_loss"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    def trained(seed: int) -> dict[str, Tensor]:
        run = Run(told(seed=seed), dropout=0.3)
        torch.manual_seed(99)  # what went on before does not matter
        run.run()
        return run.main.state_dict()

    assert same(trained(0), trained(0))
    assert not same(trained(0), trained(1))


def gradients_of(changes: dict[str, Any]) -> list[Tensor]:
    """The joined gradient of every step."""
    taken: list[Tensor] = []

    def record(parameters: Any, limit: float) -> float:
        dense = [p.grad.to_dense() if p.grad.is_sparse else p.grad for p in parameters]
        taken.append(torch.cat([gradient.flatten() for gradient in dense]).clone())
        return 0.0

    run = Run(told(epochs=1, learning_rate=1e-12, **changes))
    run.loop.clip = record
    run.run()
    return taken


def test_batches_put_together_step_as_one_batch_of_their_size() -> None:
    (whole,) = gradients_of({"batch_size": 12})
    (together,) = gradients_of({"batch_size": 4, "accumulate": 3})
    torch.testing.assert_close(together, whole)


def test_a_last_step_of_fewer_batches_is_their_mean_and_not_a_smaller_step() -> None:
    (whole,) = gradients_of({"batch_size": 12})
    (fewer,) = gradients_of({"batch_size": 4, "accumulate": 7})
    torch.testing.assert_close(fewer, whole)
    first, last = gradients_of({"batch_size": 4, "accumulate": 2})
    torch.testing.assert_close((2 * first + last) / 3, whole)


def test_the_objective_hears_how_far_training_is() -> None:
    run = Run(told(epochs=2))
    heard: list[float] = []
    run.objective.start_step = heard.append  # type: ignore[method-assign]
    run.run()
    assert heard == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])


def test_bfloat16_trains_too() -> None:
    run = Run(told(precision="bfloat16", epochs=3))
    run.run()
    assert all(value.dtype == torch.float32 for value in run.main.state_dict().values())
    assert run.entries[-1]["train_loss"] < run.entries[0]["train_loss"]


def test_auto_trains_in_bfloat16_where_the_processor_has_it(monkeypatch) -> None:
    losses = {}
    for precision, flags in (("bfloat16", "bf16"), ("auto", "bf16"), ("float32", ""), ("auto", "avx2")):
        monkeypatch.setattr(hardware, "processor_field", lambda name, flags=flags: flags)
        run = Run(told(precision=precision, device="cpu"))
        run.run()
        losses[precision, flags] = run.entries[-1]["train_loss"]
    assert losses["auto", "bf16"] == losses["bfloat16", "bf16"] != losses["float32", ""]
    assert losses["auto", "avx2"] == losses["float32", ""]


class Breaking(ClassifyObjective):
    """Whose loss is not a number from the third batch on."""

    batches = 0

    def forward(self, inputs: Any, targets: Tensor, task: str = TASK) -> Terms:
        self.batches += 1
        terms = super().forward(inputs, targets, task)
        return {**terms, "other": terms["cross-entropy"] * (math.nan if self.batches > 2 else 1.0)}


def test_a_loss_that_is_not_a_number_stops_the_run_before_the_weights_move() -> None:
    run = Run(told())
    run.loop.objective = Breaking(run.main, Classify(), LogitLoss(Classify(), single_label=True))
    with pytest.raises(
        UsageError, match=r"loss became nan at step 2 \(.*other nan\); lower training.learning_rate"
    ):
        run.run()
    assert all(torch.isfinite(value).all() for value in run.main.state_dict().values())


def test_several_tasks_train_one_encoder_and_a_head_each() -> None:
    main = toy()
    main.add_head("moods", ClassificationHead(6, 2))
    corpora = {TASK: CORPUS, "moods": Corpus.build(CORPUS.texts[:6], ["up", "down"] * 3)}
    rows = {task: TrainingRows(corpus, {"text": main.encoder}) for task, corpus in corpora.items()}
    loss = LogitLoss(Classify(), single_label=True)
    objective = ClassifyObjective(main, Classify(), dict.fromkeys(rows, loss))
    plan = told(epochs=20, batch_size=3)
    assert sorted(task for task, _ in epoch_batches(plan, rows, 0)) == [TASK] * 4 + ["moods"] * 2
    entries: list[dict[str, Any]] = []
    progress = Loop(plan, objective, rows, dict, tell=entries.append).run()
    assert progress.step == count_steps(plan, rows) == 20 * 6
    assert entries[-1]["train_loss"] < 0.5 * entries[0]["train_loss"]
    for task, corpus in corpora.items():
        encoded = main.encode(main.encoder.collate(main.encoder.tokenize(corpus.texts)))
        assert main.logits(encoded, task).shape == (len(corpus), len(corpus.labels))


# --- early stopping


def stopping(metric: str, patience: int = 2, **changes: Any) -> Recipe:
    return told(epochs=8, early_stopping={"metric": metric, "patience": patience}, **changes)


@pytest.mark.parametrize(
    ("metric", "values", "epochs", "best"),
    [
        ("f1_macro", [0.1, 0.5, 0.4, 0.4, 0.9], 4, 1),
        ("f1_macro", [0.1, 0.2, 0.1, 0.3, 0.2, 0.1, 0.9], 6, 3),
        ("loss", [1.0, 0.5, 0.6, 0.5, 0.1], 4, 1),  # smaller is better, and no worse is not better
        ("davies_bouldin", [2.0, 3.0, 4.0, 1.0], 3, 0),
        ("davies_bouldin", [2.0, 0.0, 0.0, 1.0], 3, 0),  # all texts in one place: no groups at all
        ("f1_macro", [math.nan, 0.1, 0.2, 0.1, 0.1], 5, 2),
        ("f1_macro", [0.1, math.nan, math.nan, 0.9], 3, 0),
    ],
)
def test_a_run_stops_when_its_metric_has_waited_and_keeps_the_best_epoch(
    metric: str, values: list[float], epochs: int, best: int
) -> None:
    run = Run(stopping(metric, keep="best"), [{metric: value} for value in values])
    progress = run.run()
    assert progress.stopped
    assert progress.epoch == epochs
    assert progress.best == values[best]
    assert same(run.weights[best], run.main.state_dict())
    assert not same(run.weights[-1], run.main.state_dict())


def test_the_best_epoch_and_the_waiting_survive_a_kill(tmp_path: Path) -> None:
    plan = stopping("f1_macro", patience=3, keep="best", checkpoint_seconds=0)
    figures = [{"f1_macro": value} for value in (0.5, 0.9, 0.2, 0.3, 0.4, 1.0)]
    straight = Run(plan, figures, dropout=0.3)
    straight.run()

    def die(done: int, of: int) -> None:
        if len(killed.weights) == 3:  # in the fourth epoch
            raise KeyboardInterrupt

    killed = Run(plan, figures, dropout=0.3)
    killed.loop.checkpoints, killed.loop.tick = Checkpoints(tmp_path, {}), die
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    resumed = Run(plan, figures[3:], dropout=0.3)
    resumed.loop.checkpoints = Checkpoints(tmp_path, {})
    progress = resumed.loop.run(resume=True)
    assert (progress.epoch, progress.best, progress.stopped) == (5, 0.9, True)
    assert same(resumed.main.state_dict(), straight.main.state_dict())
    assert same(resumed.main.state_dict(), killed.weights[1])


def test_the_last_epoch_is_kept_unless_the_best_is_asked_for() -> None:
    run = Run(stopping("f1_macro"), [{"f1_macro": value} for value in (0.5, 0.2, 0.1)])
    assert run.run().epoch == 3
    assert same(run.weights[-1], run.main.state_dict())


def test_a_run_that_keeps_improving_goes_to_its_end() -> None:
    run = Run(stopping("f1_macro", patience=1, keep="best"), [{"f1_macro": i / 10} for i in range(8)])
    progress = run.run()
    assert not progress.stopped
    assert progress.epoch == 8


# --- averaged weights


def averaged_run(figures: list[dict[str, float]] | None = None, **training: Any) -> tuple[Run, list[Any]]:
    """A run and the weights after each of its steps."""
    run, after = Run(told(**training), figures, dropout=0.3), []

    def record(done: int, of: int) -> None:
        after.append({name: value.clone() for name, value in run.main.state_dict().items()})

    run.loop.tick = record
    run.run()
    return run, after


def averages(after: list[dict[str, Tensor]], decay: float) -> dict[str, Tensor]:
    shares = [decay ** (len(after) - 1 - i) for i in range(len(after))]
    return {
        name: sum(share * weights[name] for share, weights in zip(shares, after, strict=True)) / sum(shares)
        for name in after[0]
    }


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_average_of_all_steps_is_judged_and_kept_while_training_goes_its_own_way(decay: float) -> None:
    run, after = averaged_run(average=decay, epochs=3)
    _, alone = averaged_run(epochs=3)
    assert len(after) == 9
    for mine, others in zip(after, alone, strict=True):
        assert same(mine, others)
    for epoch, judged in enumerate(run.weights, start=1):
        for name, value in averages(after[: 3 * epoch], decay).items():
            torch.testing.assert_close(judged[name], value, msg=name)
    assert same(run.weights[-1], run.main.state_dict())


def test_batches_put_together_count_as_one_step_of_the_average() -> None:
    run, after = averaged_run(average=0.5, accumulate=3, epochs=2)
    for name, value in averages([after[2], after[5]], 0.5).items():
        torch.testing.assert_close(run.main.state_dict()[name], value)


def test_the_best_epoch_is_kept_as_it_was_judged() -> None:
    figures = [{"f1_macro": value} for value in (0.1, 0.5, 0.4, 0.4)]
    stop = {"metric": "f1_macro", "patience": 2}
    run, _ = averaged_run(figures, average=0.9, epochs=8, early_stopping=stop, keep="best")
    assert run.loop.progress.epoch == 4
    assert same(run.main.state_dict(), run.weights[1])


def test_the_average_survives_a_kill(tmp_path: Path) -> None:
    plan = told(average=0.9, epochs=3, checkpoint_seconds=0)
    straight = Run(plan, dropout=0.3)
    straight.run()

    def die(done: int, of: int) -> None:
        if len(killed.weights) == 1 and done == 2:
            raise KeyboardInterrupt

    killed = Run(plan, dropout=0.3)
    killed.loop.checkpoints, killed.loop.tick = Checkpoints(tmp_path, {}), die
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    resumed = Run(plan, dropout=0.3)
    resumed.loop.checkpoints = Checkpoints(tmp_path, {})
    resumed.loop.run(resume=True)
    assert same(resumed.main.state_dict(), straight.main.state_dict())


# --- faults


def test_a_metric_that_dev_does_not_have_is_answered_with_those_it_has() -> None:
    run = Run(stopping("f1"), [{"f1_macro": 0.1, "loss": 1.0}])
    with pytest.raises(UsageError, match=r"training.early_stopping.metric = 'f1': dev has f1_macro, loss"):
        run.run()
