"""Joining a batch over processes, with gradients."""

import torch
import torch.distributed as dist


def gathered(rows: torch.Tensor) -> torch.Tensor:
    """Return all processes' rows, in the order of the processes; the rows themselves with one process.

    Gradients flow to every process. With W processes each computes the same loss on the joined batch, the
    way back sums W equal gradients, and the averaging of parameter gradients divides by W again: the result
    is the gradient of one process on the joined batch. All processes must hold equally many rows.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return rows
    if rows.requires_grad:
        from torch.distributed.nn.functional import all_gather

        return torch.cat(all_gather(rows.contiguous()))  # type: ignore[no-untyped-call]
    out = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(out, rows.contiguous())
    return torch.cat(out)


def barrier() -> None:
    """Wait for the other processes, if there are any."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
