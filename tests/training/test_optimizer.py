"""Optimisers: torch's AdamW, row by row where gradients are sparse; rates, decay, clipping, schedule."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affekt.encoders.tfidf import TfidfEncoder
from affekt.errors import UsageError
from affekt.networks.network import Network
from affekt.recipe.objectives import Classify
from affekt.recipe.sections import TrainingSpec
from affekt.training.objectives import ClassifyObjective, LogitLoss, Objective, build_objective, total
from affekt.training.optimizer import (
    RowAdamW,
    build_optimizers,
    clip_gradients,
    rate_factor,
    set_rates,
    sparse_embeddings,
)
from training.toys import TARGETS, batch_of, network, recipe


def objective(main: Network | None = None) -> Objective:
    return ClassifyObjective(main or network(), Classify(), LogitLoss(Classify(), single_label=False))


def spec(**changes: Any) -> TrainingSpec:
    return TrainingSpec(**{"learning_rate": 0.1, "weight_decay": 0.2, **changes})


def sparse_gradient(rows: list[int], values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, shape, check_invariants=True)


# --- rows


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_with_every_row_touched_it_is_torchs_adamw(decay: float) -> None:
    torch.manual_seed(0)
    start = torch.randn(5, 3, dtype=torch.float64)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    rows = RowAdamW([ours], lr=0.05, weight_decay=decay)
    dense = torch.optim.AdamW([theirs], lr=0.05, weight_decay=decay)
    for _ in range(6):
        gradient = torch.randn(5, 3, dtype=torch.float64)
        ours.grad = sparse_gradient([4, 0, 2, 1, 3], gradient[[4, 0, 2, 1, 3]], (5, 3))
        theirs.grad = gradient.clone()
        rows.step()
        dense.step()
        torch.testing.assert_close(ours, theirs)


def test_untouched_rows_do_not_move_and_are_not_decayed() -> None:
    weight = nn.Parameter(torch.randn(6, 2))
    before = weight.detach().clone()
    optimizer = RowAdamW([weight], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        weight.grad = sparse_gradient([1, 4], torch.randn(2, 2), (6, 2))
        optimizer.step()
    moved = (weight.detach() != before).any(1)
    assert moved.tolist() == [False, True, False, False, True, False]


def test_a_row_met_late_moves_as_far_as_a_row_met_first() -> None:
    """Adam's first step is lr · g / |g|: for a new row too, however many steps the others have taken."""
    weight = nn.Parameter(torch.zeros(2, 1, dtype=torch.float64))
    optimizer = RowAdamW([weight], lr=0.1)
    for _ in range(50):
        weight.grad = sparse_gradient([0], torch.tensor([[3.0]], dtype=torch.float64), (2, 1))
        optimizer.step()
    weight.grad = sparse_gradient([1], torch.tensor([[3.0]], dtype=torch.float64), (2, 1))
    optimizer.step()
    assert weight[1].item() == pytest.approx(-0.1, rel=1e-5)


def test_a_row_that_comes_twice_in_a_batch_takes_one_step_with_the_sum() -> None:
    twice, once = (nn.Parameter(torch.ones(3, 2, dtype=torch.float64)) for _ in range(2))
    values = torch.tensor([[1.0, -2.0], [3.0, 0.5]], dtype=torch.float64)
    twice.grad = sparse_gradient([1, 1], values, (3, 2))
    once.grad = sparse_gradient([1], values.sum(0, keepdim=True), (3, 2))
    for weight in (twice, once):
        RowAdamW([weight], lr=0.1).step()
    assert torch.equal(twice, once)


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    weight = nn.Parameter(torch.ones(3, 2))
    RowAdamW([weight], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(weight, torch.ones(3, 2))


def test_its_state_can_be_saved_and_put_back() -> None:
    def run(steps: int, optimizer: RowAdamW, weight: nn.Parameter, start: int = 0) -> None:
        for step in range(start, steps):
            generator = torch.Generator().manual_seed(step)
            weight.grad = sparse_gradient([step % 3], torch.randn(1, 2, generator=generator), (3, 2))
            optimizer.step()

    straight = nn.Parameter(torch.ones(3, 2))
    whole = RowAdamW([straight], lr=0.1)
    run(9, whole, straight)
    halted = nn.Parameter(torch.ones(3, 2))
    first = RowAdamW([halted], lr=0.1)
    run(4, first, halted)
    second = RowAdamW([halted], lr=0.1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(9, second, halted, start=4)
    assert torch.equal(straight, halted)


def test_a_whole_step_with_sparse_rows_is_the_step_without_them_where_all_words_occur() -> None:
    """All the words of the toy vocabulary in one text: the sparse way and torch's own AdamW agree."""
    sparse_net, dense_net = network(), network()
    everything = {"ids": torch.arange(30)[None], "mask": torch.ones(1, 30, dtype=torch.bool)}
    ours, theirs = objective(sparse_net), objective(dense_net)
    optimizers = build_optimizers(ours, spec())
    decayed = [p for p in theirs.parameters() if p.ndim > 1]
    plain = [p for p in theirs.parameters() if p.ndim == 1]
    reference = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.2}, {"params": plain, "weight_decay": 0.0}], lr=0.1
    )
    for _ in range(3):
        for made, steps in ((ours, optimizers), (theirs, [reference])):
            total(made({"text": everything}, TARGETS[:1])).backward()
            for optimizer in steps:
                optimizer.step()
                optimizer.zero_grad()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


# --- which parameters go where


def settings_of(made: Objective, optimizers: list[torch.optim.Optimizer]) -> dict[str, tuple[float, float]]:
    names = {id(p): name for name, p in made.named_parameters()}
    found = {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for optimizer in optimizers
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert len(found) == sum(len(g["params"]) for o in optimizers for g in o.param_groups)
    return found


def test_every_trained_parameter_is_in_one_group_with_the_rate_of_its_depth() -> None:
    made = objective(network(projection=True))
    found = settings_of(made, build_optimizers(made, spec(layer_decay=0.5, head_learning_rate=0.7)))
    assert set(found) == {name for name, _ in made.named_parameters()}
    assert found["network.encoder.dense.weight"][0] == pytest.approx(0.1)  # the top layer
    assert found["network.encoder.words.weight"][0] == pytest.approx(0.05)  # one below
    for name in (
        "network.heads.labels.out.weight",
        "network.heads.labels.dense.bias",
        "network.projection.layers.0.weight",
    ):
        assert found[name][0] == pytest.approx(0.7)


def test_the_head_has_the_encoders_rate_unless_told_otherwise() -> None:
    made = objective()
    found = settings_of(made, build_optimizers(made, spec(layer_decay=0.5)))
    assert found["network.heads.labels.out.weight"][0] == pytest.approx(0.1)


def test_what_an_encoder_wants_slow_learns_at_its_share_of_the_encoders_rate() -> None:
    made = objective()
    encoder = made.network.encoder
    encoder.slow_groups = lambda: [([encoder.dense.weight], 0.25)]
    found = settings_of(made, build_optimizers(made, spec(head_learning_rate=0.7)))
    assert found["network.encoder.dense.weight"][0] == pytest.approx(0.025)
    assert found["network.encoder.dense.bias"][0] == pytest.approx(0.1)
    assert found["network.heads.labels.out.weight"][0] == pytest.approx(0.7)


def test_matrices_decay_and_biases_and_norms_do_not() -> None:
    made = objective()
    made.network.encoder.norm = nn.LayerNorm(6)
    for name, (_, decay) in settings_of(made, build_optimizers(made, spec())).items():
        vector = name.endswith("bias") or ".norm." in name
        assert decay == (0.0 if vector else 0.2), name


def test_a_weighting_network_has_layers_too() -> None:
    chosen = recipe(objective={"kind": "label-aware"}).objective
    made = build_objective(chosen, network(1), LogitLoss(Classify(), single_label=False), network(2))
    found = settings_of(made, build_optimizers(made, spec(layer_decay=0.5)))
    assert found["weighting.encoder.words.weight"] == found["network.encoder.words.weight"]
    assert found["weighting.encoder.words.weight"][0] == pytest.approx(0.05)


def test_frozen_parameters_are_in_no_group() -> None:
    chosen = recipe(objective={"kind": "retrofit"}).objective
    main = network(head=False, projection=True)
    main.encoder.words.weight.requires_grad_(False)
    made = build_objective(chosen, main, LogitLoss(Classify(), single_label=False))
    found = settings_of(made, build_optimizers(made, spec()))
    assert not any(name.startswith("reference") or "words" in name for name in found)
    assert "network.encoder.dense.weight" in found


def test_word_embeddings_have_sparse_gradients_and_their_own_optimiser() -> None:
    made = objective()
    optimizers = build_optimizers(made, spec())
    assert [type(optimizer).__name__ for optimizer in optimizers] == ["AdamW", "RowAdamW"]
    total(made({"text": batch_of(made.network)}, TARGETS)).backward()
    assert made.network.encoder.words.weight.grad.is_sparse


def test_frozen_word_embeddings_are_not_made_sparse() -> None:
    made = objective()
    made.network.encoder.words.weight.requires_grad_(False)
    assert sparse_embeddings(made) == []
    assert not made.network.encoder.words.sparse


def test_adadelta_takes_everything_densely() -> None:
    made = objective()
    (optimizer,) = build_optimizers(made, spec(optimizer="adadelta"))
    assert isinstance(optimizer, torch.optim.Adadelta)
    assert len(optimizer.param_groups[0]["params"]) == len(list(made.parameters()))
    total(made({"text": batch_of(made.network)}, TARGETS)).backward()
    set_rates([optimizer], 0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    optimizer.step()


def test_where_nothing_can_be_trained_that_is_said() -> None:
    fixed = Network(TfidfEncoder.build(["a b", "a b c", "b c"]))
    chosen = recipe(objective={"kind": "supervised-contrastive", "projection": None}).objective
    made = build_objective(chosen, fixed, LogitLoss(Classify(), single_label=True))
    with pytest.raises(UsageError, match="nothing here can be trained"):
        build_optimizers(made, spec())


# --- rates


def factors(steps: int = 20, **changes: Any) -> list[float]:
    return [rate_factor(step, steps, spec(**changes)) for step in range(steps)]


def test_the_linear_schedule_rises_to_one_and_falls_evenly_towards_zero() -> None:
    got = factors(warmup=0.2)
    assert got[:4] == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5])
    assert got[4:] == pytest.approx([1 - i / 16 for i in range(16)])


def test_the_cosine_schedule_falls_along_half_a_wave() -> None:
    got = factors(schedule="cosine", warmup=0.0)
    assert got == pytest.approx([(1 + math.cos(math.pi * i / 20)) / 2 for i in range(20)])


def test_the_constant_schedule_stays_after_its_rise() -> None:
    assert factors(schedule="constant", warmup=0.1) == pytest.approx([1 / 3, 2 / 3] + [1.0] * 18)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.06, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_step_has_a_rate_above_zero_and_none_above_one(
    schedule: str, warmup: float, steps: int
) -> None:
    assert all(0 < factor <= 1 for factor in factors(steps, schedule=schedule, warmup=warmup))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_steps_beyond_the_last_never_have_a_negative_or_rising_rate(schedule: str) -> None:
    assert rate_factor(25, 20, spec(schedule=schedule)) == pytest.approx(0.0)


def test_rates_are_set_from_the_base_and_not_from_the_last_rate() -> None:
    optimizers = build_optimizers(objective(), spec(layer_decay=0.5))
    for _ in range(3):
        set_rates(optimizers, 0.5)
    rates = {round(group["lr"], 6) for optimizer in optimizers for group in optimizer.param_groups}
    assert rates == {0.05, 0.025}


# --- clipping


def test_gradients_are_scaled_to_the_limit_together() -> None:
    a, b = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))
    a.grad, b.grad = torch.tensor([3.0, 0, 0]), torch.tensor([[4.0, 0], [0, 0]])
    assert clip_gradients([a, b, nn.Parameter(torch.zeros(1))], 1.0) == pytest.approx(5.0)
    assert a.grad.tolist() == pytest.approx([0.6, 0, 0])
    assert b.grad[0, 0].item() == pytest.approx(0.8)


def test_gradients_within_the_limit_stay_as_they_are() -> None:
    a = nn.Parameter(torch.zeros(2))
    a.grad = torch.tensor([0.3, 0.4])
    assert clip_gradients([a], 1.0) == pytest.approx(0.5)
    assert torch.equal(a.grad, torch.tensor([0.3, 0.4]))


def test_sparse_gradients_are_clipped_as_dense_ones() -> None:
    rows, values = [1, 3, 1], torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    sparse, dense, other = nn.Parameter(torch.zeros(5, 2)), nn.Parameter(torch.zeros(5, 2)), torch.ones(4)
    sparse.grad = sparse_gradient(rows, values, (5, 2))
    dense.grad = sparse.grad.to_dense()
    norms = []
    for weight in (sparse, dense):
        beside = nn.Parameter(torch.zeros(4))
        beside.grad = other.clone()
        norms.append(clip_gradients([weight, beside], 0.5))
    expected = math.sqrt(6**2 + 8**2 + 3**2 + 4**2 + 4)
    assert norms == pytest.approx([expected, expected])
    torch.testing.assert_close(sparse.grad.to_dense(), dense.grad)


def test_no_gradients_have_no_norm() -> None:
    assert clip_gradients([nn.Parameter(torch.zeros(2))], 1.0) == 0.0
