"""Several processes: two of them learn what one learns from the joined batch."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from affekt.data.corpus import Corpus
from affekt.errors import UsageError
from affekt.recipe.objectives import Classify
from affekt.training.fit import fit_model
from affekt.training.objectives import LogitLoss, Objective, build_objective, total
from affekt.training.processes import device_of, from_leader, gathered, join_processes, leads, several
from training.apart import together
from training.toys import TARGETS, TEXTS, network, recipe

needs_gloo = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo backend"
)
OBJECTIVES: dict[str, dict[str, Any]] = {
    "supervised contrastive": {"kind": "supervised-contrastive", "temperature": 0.2},
    "supervised contrastive, two views": {
        "kind": "supervised-contrastive",
        "views": "dropout",
        "overlap": "jaccard",
        "classification": 0.5,
    },
    "label-aware, copies": {"kind": "label-aware", "views": "copy"},
    "label-aware, dropout views": {"kind": "label-aware", "views": "dropout", "detach_weights": True},
    "unsupervised": {"kind": "contrastive-unsupervised"},
    "pairs in the batch": {"kind": "contrastive", "pairs": "in-batch"},
    "retrofit": {"kind": "retrofit"},
    "drawn pairs": {"kind": "contrastive", "pairs": "drawn"},
    "classification, weighted": {"kind": "classify", "correlation": 0.2},
}
# of drawn pairs the first half of a batch is paired with the second, in every process
ROWS = {"drawn pairs": ([[0, 1], [2, 3]], [0, 2, 1, 3])}
HALVES = ([[0, 1, 2], [3, 4, 5]], [0, 1, 2, 3, 4, 5])


def make(spec: dict[str, Any]) -> Objective:
    chosen: Any = recipe(objective=spec).objective
    classifies = spec["kind"] in {"label-aware", "classify"} or spec.get("classification", 0) > 0
    main = network(1, projection=not {"label-aware", "classify"} & {spec["kind"]}, head=classifies)
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    loss = LogitLoss(
        chosen if hasattr(chosen, "loss") else Classify(), single_label=False, label_weights=weights
    )
    objective = build_objective(chosen, main, loss, network(2))
    if spec["kind"] == "retrofit":  # moved, or there would be nothing to preserve
        with torch.no_grad():
            main.encoder.dense.weight.mul_(1.3)
    return objective.train()


def step(objective: nn.Module, encoders: dict[str, Any], rows: list[int]) -> float:
    inputs = {name: one.collate(one.tokenize([TEXTS[i] for i in rows])) for name, one in encoders.items()}
    loss = total(objective(inputs, TARGETS[rows]))
    loss.backward()
    return float(loss.detach())


def gradients(objective: Objective) -> dict[str, Tensor]:
    named = {name: p.grad for name, p in objective.named_parameters() if p.requires_grad}
    assert all(gradient is not None for gradient in named.values())
    return {name: gradient for name, gradient in named.items() if gradient is not None}


def learn(rank: int, world: int) -> dict[str, tuple[float, dict[str, Any]]]:
    """One process's share: loss and gradients of every objective, as lists."""
    learned = {}
    for name, spec in OBJECTIVES.items():
        objective = make(spec)
        wrapped = nn.parallel.DistributedDataParallel(objective)
        rows = ROWS.get(name, HALVES)[0][rank]
        loss = step(wrapped, objective.encoders(), rows)
        learned[name] = (loss, {key: value.tolist() for key, value in gradients(objective).items()})
    return learned


@needs_gloo
def test_two_processes_have_the_loss_and_the_gradients_of_one_on_the_joined_batch(tmp_path: Path) -> None:
    shares = together(learn, 2, tmp_path / "store")
    for name, spec in OBJECTIVES.items():
        objective = make(spec)
        loss = step(objective, objective.encoders(), ROWS.get(name, HALVES)[1])
        assert [share[name][0] for share in shares] == pytest.approx([loss, loss], rel=1e-9), name
        for share in shares:
            for key, expected in gradients(objective).items():
                got = torch.tensor(share[name][1][key], dtype=torch.float64)
                torch.testing.assert_close(got, expected, msg=f"{name}: {key}")


def talk(rank: int, world: int) -> dict[str, Any]:
    rows = torch.full((2, 3), float(rank), requires_grad=rank == 5)
    return {
        "several": several(),
        "processes": (join_processes().num_processes, join_processes().process_index),
        "leads": leads(),
        "told": from_leader({"by": rank}),
        "rows": gathered(rows)[:, 0].tolist(),
    }


@needs_gloo
def test_the_first_process_leads_and_the_others_hear_what_it_says(tmp_path: Path) -> None:
    first, second = together(talk, 2, tmp_path / "store")
    assert (first["leads"], second["leads"]) == (True, False)
    assert first["several"]
    assert (first["processes"], second["processes"]) == ((2, 0), (2, 1))  # and not two that know of one
    assert first["told"] == second["told"] == {"by": 0}
    assert first["rows"] == second["rows"] == [0, 0, 1, 1]


def test_one_process_leads_itself_and_gathers_nothing() -> None:
    rows = torch.randn(2, 3, requires_grad=True)
    assert gathered(rows) is rows
    assert leads()
    assert not several()
    assert from_leader("word") == "word"
    assert join_processes().num_processes == 1


def test_fits_in_two_threads_are_those_of_each_alone() -> None:
    plan = recipe(
        encoder={"kind": "bilstm", "options": {"hidden": 4, "word_dimension": 3, "min_count": 1}},
        training={"epochs": 3, "batch_size": 2},
    )
    splits = {"train": Corpus.build(["so happy", "very sad", "happy", "sad"] * 3, ["joy", "sadness"] * 6)}

    def fitted(_: int = 0) -> Tensor:
        return torch.as_tensor(fit_model(plan, splits)[0].logits(["so happy"]))

    expected = fitted()
    with ThreadPoolExecutor(3) as threads:
        for got in threads.map(fitted, range(3)):
            assert torch.equal(got, expected)


def test_a_device_that_is_not_there_is_a_sentence() -> None:
    assert device_of("cpu", join_processes()).type == "cpu"
    with pytest.raises(UsageError, match=r"training.device = 'cuda:99': cannot be used here"):
        device_of("cuda:99", join_processes())
