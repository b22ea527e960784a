"""Batches of several corpora, mixed."""

from collections.abc import Mapping, Sequence

import numpy as np

from affekt.errors import UsageError
from affekt.sampling.common import Indices


def mixed(
    batches: Mapping[str, Sequence[Indices]],
    *,
    temperature: float = 1.0,
    turns: int | None = None,
    seed: int,
    epoch: int,
) -> list[tuple[str, Indices]]:
    """Return the batches of several corpora in one order, each with the name of its corpus.

    A corpus of b batches has b^(1/temperature) parts of all turns, and one turn at least. At 1 every batch
    comes once; the higher it is, the more alike are the shares: a small corpus goes round again, and a large
    one leaves its last batches out. Those of one corpus keep their order. There are about as many turns as
    asked for, or as batches.

    Raises:
        UsageError: for a temperature of 0 or less.
    """
    if not temperature > 0:
        raise UsageError(f"temperature is {temperature}: it must be above 0.")
    sizes = np.array([len(own) for own in batches.values()])
    parts = (sizes / sizes.max()) ** (1 / temperature)  # below 1, so that none is infinite
    whole = sizes.sum() if turns is None else turns
    each = np.maximum(np.round(whole * parts / parts.sum()), 1).astype(int)
    order = np.random.default_rng([seed, epoch, 2]).permutation(np.repeat(np.arange(len(sizes)), each))
    names, taken = list(batches), [0] * len(sizes)
    found = []
    for which in order:
        found.append((names[which], batches[names[which]][taken[which] % sizes[which]]))
        taken[which] += 1
    return found
