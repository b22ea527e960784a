"""Batches by length, and each process's share of a batch."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from affekt.errors import UsageError
from affekt.sampling.common import WINDOW, Indices, ceil_divide, check_count, checked_lengths, noisy, shuffled


def bucketed(lengths: npt.ArrayLike, batch_size: int, *, seed: int, epoch: int) -> list[Indices]:
    """Return shuffled batches of rows of like length; every row once, a smaller batch last.

    Rows are shuffled, cut in windows of some 50 batches and sorted by length inside each, with a little
    noise.
    """
    sizes = checked_lengths(lengths)
    check_count("batch_size", batch_size)
    rng = np.random.default_rng([seed, epoch])
    batches = ceil_divide(len(sizes), batch_size)
    windows = ceil_divide(batches, WINDOW)
    edges = np.linspace(0, batches, windows + 1).astype(np.int64)[1:-1] * batch_size
    cut = []
    for rows in np.split(rng.permutation(len(sizes)), edges):
        by_length = rows[np.argsort(noisy(sizes[rows], rng), kind="stable")]
        cut += _cut(by_length, batch_size, rng)
    return sorted(shuffled(cut, rng), key=lambda batch: len(batch) < batch_size)


def split_for_process(batches: Sequence[Indices], rank: int, world: int) -> list[Indices]:
    """Return one process's share of every batch, equally many rows on every process.

    Each batch is cut in `world` runs of neighbouring rows, so groups of m_per_class stay whole where m
    divides the share. A batch that does not divide evenly is filled up with its own first rows: no row is
    lost, a few count twice.

    Raises:
        UsageError: unless 0 ≤ rank < world.
    """
    if not 0 <= rank < world:
        raise UsageError(f"rank is {rank} of {world} processes: it must be from 0 to {world - 1}.")
    sizes = [ceil_divide(len(batch), world) for batch in batches]
    return [np.resize(batch, (world, size))[rank] for batch, size in zip(batches, sizes, strict=True)]


def _cut(rows: Indices, batch_size: int, rng: np.random.Generator) -> list[Indices]:
    """Cut in batches; the smaller one, where there is one, comes from anywhere in the order."""
    full, rest = divmod(len(rows), batch_size)
    if not rest:
        return np.split(rows, full)
    sizes = np.full(full + 1, batch_size)
    sizes[rng.integers(full + 1)] = rest
    return np.split(rows, np.cumsum(sizes)[:-1])
