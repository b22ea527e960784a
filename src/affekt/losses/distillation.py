"""Distillation: logits led to what teachers say, softened by a temperature.

With x = `logits`, q = `taught` (n, k), the teachers' probabilities at the temperature T = `temperature`:

    one label      T² · mean over n of  Σ_c q_ic (log q_ic − log softmax(x_i / T)_c)   (KL divergence)
    several        T² · mean over n·k of  −q log σ(x / T) − (1 − q) log(1 − σ(x / T))

where q_i = mean over teachers of softmax(z_i / T), or of σ(z / T), with z a teacher's logits (`taught_by`).
T² keeps gradients as large as at T = 1: one T comes from x / T, one from how little softened targets differ.

Paper: Hinton, Vinyals, Dean (2015), Distilling the Knowledge in a Neural Network.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from affekt.losses.common import full_precision, require_temperature


@full_precision
def distillation(logits: Tensor, taught: Tensor, *, temperature: float, single_label: bool) -> Tensor:
    """Return the loss against the teachers' probabilities; 0 attached to the graph for no rows.

    Args:
        logits: (n, k), the student's.
        taught: (n, k) in [0, 1], the teachers' probabilities at the same temperature.
        temperature: T above 0; the higher, the more the unlikely labels' order counts.
        single_label: Whether labels share one softmax.

    Raises:
        UsageError: for a temperature of 0 or less.
    """
    require_temperature(temperature)
    scaled, q = logits / temperature, taught.to(logits)
    if single_label:
        costs = torch.xlogy(q, q) - q * scaled.log_softmax(dim=1)
        return temperature**2 * costs.sum() / max(len(logits), 1)
    costs = -q * functional.logsigmoid(scaled) - (1 - q) * functional.logsigmoid(-scaled)
    return temperature**2 * costs.sum() / max(costs.numel(), 1)


def taught_by(teachers: Iterable[Tensor], *, temperature: float, single_label: bool) -> Tensor:
    """Return (n, k) mean probabilities at a temperature of teachers' logits, each (n, k)."""
    require_temperature(temperature)
    scaled = [logits / temperature for logits in teachers]
    return torch.stack([z.softmax(dim=1) if single_label else z.sigmoid() for z in scaled]).mean(dim=0)
