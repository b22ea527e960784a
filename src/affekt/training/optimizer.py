"""Optimisers: AdamW over the dense weights, and over only the touched rows of the word embedding."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from affekt.errors import UsageError
from affekt.recipe.sections import TrainingSpec
from affekt.training.objectives import Objective


class RowAdamW(torch.optim.Optimizer):
    """AdamW for an embedding with sparse gradients: a row moves only when the batch holds its token.

    Each row counts its own steps for the bias correction, so that a word first met late in training moves by
    the learning rate like any other, not by several times it.
    The parameters are two-dimensional; `options` are those of AdamW, the decay that of the touched rows.
    """

    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        usual = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
        super().__init__(params, {"lr": lr, **usual, **options})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move the rows that have a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad.coalesce(), group)

    def _move(self, p: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            still = torch.zeros_like(p)
            state |= {"steps": torch.zeros(len(p)), "mean": still, "square": still.clone()}
        rows, values = grad.indices()[0], grad.values()
        first, second = group["betas"]
        steps = state["steps"].index_add_(0, rows, torch.ones(len(rows)))[rows][:, None].double()
        unbias_first, unbias_second = ((1 - beta**steps).to(p.dtype) for beta in (first, second))
        mean = state["mean"][rows].lerp_(values, 1 - first)
        square = state["square"][rows].mul_(second).addcmul_(values, values, value=1 - second)
        state["mean"][rows], state["square"][rows] = mean, square
        denominator = (square / unbias_second).sqrt_().add_(group["eps"])
        update = mean / unbias_first / denominator
        p[rows] = p[rows] * (1 - group["lr"] * group["weight_decay"]) - group["lr"] * update


def _groups(objective: Objective, spec: TrainingSpec) -> Iterable[tuple[list[nn.Parameter], float]]:
    """Parameters with their learning rates: encoders layer by layer, all in no group at the head's rate."""
    taken: set[int] = set()
    # a frozen reference has no parameters to train; Φ and Ψ may both have layers
    for network in [objective.network, *objective.extra_networks()]:
        for parameters, share in getattr(network.encoder, "slow_groups", list)():
            slow = [p for p in parameters if p.requires_grad]
            taken |= {id(p) for p in slow}
            yield slow, spec.learning_rate * share
        groups = network.encoder.layer_groups()  # type: ignore[operator,union-attr]
        for depth, parameters in enumerate(reversed(groups)):
            trained = [p for p in parameters if p.requires_grad and id(p) not in taken]
            taken |= {id(p) for p in trained}
            yield trained, spec.learning_rate * spec.layer_decay**depth
    rest = [p for p in objective.parameters() if p.requires_grad and id(p) not in taken]
    yield rest, spec.head_learning_rate or spec.learning_rate


def sparse_embeddings(objective: Objective) -> list[torch.Tensor]:
    """Make the word embeddings' gradients sparse and return their weights."""
    found: list[torch.Tensor] = []
    for network in [objective.network, *objective.extra_networks()]:
        embedding = getattr(network.encoder, "word_embeddings", lambda: None)()
        if isinstance(embedding, nn.Embedding) and embedding.weight.requires_grad:
            embedding.sparse = True
            found.append(embedding.weight)
    return found


def build_optimizers(objective: Objective, spec: TrainingSpec) -> list[torch.optim.Optimizer]:
    """Make the optimisers; matrices decay, biases and norms do not."""
    parameters = [p for p in objective.parameters() if p.requires_grad]
    if not parameters:
        raise UsageError(
            "nothing here can be trained: the encoder is fixed, so there must be a head or a projection."
        )
    if spec.optimizer == "adadelta":
        return [torch.optim.Adadelta(parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay)]
    on_cpu = all(p.device.type == "cpu" for p in objective.parameters())
    sparse = {id(p) for p in sparse_embeddings(objective)} if on_cpu else set()
    dense: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for parameters, rate in _groups(objective, spec):
        for p in parameters:
            decay = spec.weight_decay if p.ndim > 1 else 0.0
            group = {"params": [p], "lr": rate, "weight_decay": decay}
            (rows if id(p) in sparse else dense).append(group)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(_merged(dense), lr=spec.learning_rate, fused=True)
    ]
    if rows:
        optimizers.append(RowAdamW(rows, lr=spec.learning_rate))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base"] = group["lr"]
    return optimizers


def _merged(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join groups with the same settings: the fused step wants few, long lists."""
    by_settings: dict[tuple[float, float], dict[str, Any]] = {}
    for group in groups:
        key = (group["lr"], group["weight_decay"])
        by_settings.setdefault(key, {**group, "params": []})["params"] += group["params"]
    return list(by_settings.values())


def rate_factor(step: int, steps: int, spec: TrainingSpec) -> float:
    """The schedule: what the learning rates are multiplied by at a step of a run of `steps`."""
    rise = round(spec.warmup * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    if spec.schedule == "constant":
        return 1.0
    done = min(1.0, (step - rise) / max(1, steps - rise))
    return 1 - done if spec.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to its base times a factor."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("base", group["lr"]) * factor


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale all gradients, sparse ones too, so that their joint norm is at most `limit`; return the norm."""
    dense: list[torch.Tensor] = []
    for p in parameters:
        if p.grad is not None and p.grad.is_sparse:
            p.grad = p.grad.coalesce()
        if p.grad is not None:
            dense.append(p.grad._values() if p.grad.is_sparse else p.grad)
    if not dense:
        return 0.0
    norm = torch.stack(torch._foreach_norm(dense)).norm()
    torch._foreach_mul_(dense, float(limit / max(float(norm), limit)))
    return float(norm)
