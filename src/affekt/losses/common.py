"""What several losses need: full precision, unit rows, shared labels, and means over a selection.

A masked entry is replaced before the operation whose derivative it would break, never after it: `where`
alone hides a NaN in the value but lets it through in the gradient.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

from affekt.errors import UsageError

Arguments = ParamSpec("Arguments")


def full_precision(loss: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
    """Run a loss outside autocast, with half-precision and bool tensors lifted to float32.

    Similarities are divided by temperatures as low as 0.05: three significant digits are not enough for that.
    """

    @functools.wraps(loss)
    def lifted(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        device = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)).device.type
        with torch.autocast(device_type=device, enabled=False):
            return loss(
                *(_lift(value) for value in args),  # type: ignore[arg-type]
                **{name: _lift(value) for name, value in kwargs.items()},  # type: ignore[arg-type]
            )

    return lifted


def _lift(value: object) -> object:
    return without_half(value) if isinstance(value, Tensor) else value


def without_half(values: Tensor) -> Tensor:
    """Return half-precision numbers and truth values as float32, all others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16, torch.bool) else values


def require_temperature(temperature: float) -> None:
    """Raise UsageError unless the temperature is above zero."""
    if not temperature > 0:
        raise UsageError(f"temperature is {temperature}: it divides the similarities and must be above 0.")


def unit_rows(embeddings: Tensor) -> Tensor:
    """Scale each row to length one; an all-zero row has no direction, stays zero and receives no gradient."""
    squared = embeddings.square().sum(dim=-1, keepdim=True)
    nonzero = squared > 0
    scaled = embeddings * torch.where(nonzero, squared, 1.0).rsqrt()
    return torch.where(nonzero, scaled, 0.0)


def shared_labels(targets: Tensor) -> Tensor:
    """Return (n, n) whether some of k labels is above zero in both rows; a row never pairs with itself."""
    return (targets @ targets.T > 0) & other_rows(targets)


def other_rows(rows: Tensor) -> Tensor:
    """Return the (n, n) bool matrix that is True off the diagonal."""
    return ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)


def masked_logsumexp(values: Tensor, keep: Tensor) -> Tensor:
    """Return log Σ exp over the kept entries of each row; finite, without gradient, where none is kept."""
    return values.masked_fill(~keep, torch.finfo(values.dtype).min).logsumexp(dim=1)


def mean_where(values: Tensor, keep: Tensor) -> Tensor:
    """Return the mean of the kept values; 0, still attached to the graph, where nothing is kept.

    The values left out must be finite.
    """
    return torch.where(keep, values, 0.0).sum() / keep.sum().clamp(min=1)
