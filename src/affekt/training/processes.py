"""Several processes as one: who leads, what the leader says, and a batch joined over all with gradients."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator

from affekt.errors import UsageError, first_line

_generator = [threading.RLock()]  # torch's random numbers, which all threads share
os.register_at_fork(after_in_child=lambda: _generator.__setitem__(0, threading.RLock()))


@contextmanager
def alone() -> Iterator[None]:
    """Train while no other thread does: dropout draws from one generator, so fits take turns."""
    with _generator[0]:
        yield


def join_processes() -> Accelerator:
    """Join the processes that torchrun or `accelerate launch` started beside this one, if any.

    Accelerate joins processes without GPUs only when told that there are none; otherwise each of them would
    take itself for the only one.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    joined = Accelerator(cpu=launched and not torch.cuda.is_available())
    if several() and joined.num_processes != dist.get_world_size():
        raise UsageError("these processes were joined by other means; start them with torchrun.")
    return joined


def device_of(choice: str, joined: Accelerator) -> torch.device:
    """The device that a recipe chooses; "auto" and joined processes have accelerate's choice."""
    device = joined.device if choice == "auto" or several() else torch.device(choice)
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as fault:  # the latter where torch is built without it
        raise UsageError(
            f"training.device = {choice!r}: cannot be used here ({first_line(fault)}); take cpu or auto."
        ) from None
    return device


def several() -> bool:
    """Whether other processes train with this one."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def leads() -> bool:
    """Whether this is the process that writes files and speaks: the first, or the only one."""
    return not several() or dist.get_rank() == 0


def from_leader(value: Any) -> Any:
    """Return the leader's value on every process; all must call this at the same place."""
    if not several():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gathered(rows: torch.Tensor) -> torch.Tensor:
    """Return all processes' rows, in the order of the processes; the rows themselves with one process.

    Gradients flow to every process. With W processes each computes the same loss on the joined batch, the
    way back sums W equal gradients, and the averaging of parameter gradients divides by W again: the result
    is the gradient of one process on the joined batch. All processes must hold equally many rows.
    """
    return _Joined.apply(rows) if several() else rows  # type: ignore[no-untyped-call]


class _Joined(torch.autograd.Function):
    """The rows of all processes; on the way back each process gets the sum of all gradients of its rows."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        out = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(out, rows.contiguous())
        return torch.cat(out)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        summed = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed.chunk(dist.get_world_size())[dist.get_rank()]
