"""What all samplers share: types, the checks of their arguments, cutting."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from affekt.errors import UsageError

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

WINDOW = 50  # batches that are shuffled apart, then sorted by length together
JITTER = 0.1  # relative spread of the noise on lengths, so that rows meet other rows in other epochs


def check_count(name: str, value: int) -> None:
    """Refuse a count below one."""
    if value < 1:
        raise UsageError(f"{name} is {value}: it must be at least 1.")


def checked_lengths(lengths: npt.ArrayLike) -> Floats:
    """Return (n,) lengths, of one row or more."""
    sizes = np.asarray(lengths, dtype=np.float64)
    if sizes.ndim != 1 or not len(sizes):
        raise UsageError(f"lengths have shape {sizes.shape}: give one length a row, for one row or more.")
    return sizes


def present_labels(targets: npt.ArrayLike) -> Flags:
    """Return which labels each row has, (n, k), from targets in [0, 1]."""
    present: Flags = np.asarray(targets) > 0
    if present.ndim != 2 or not present.size:
        raise UsageError(
            f"targets have shape {present.shape}: sampling by class needs a matrix of rows and labels, "
            "one or more of each."
        )
    return present


def noisy(sizes: Floats, rng: np.random.Generator) -> Floats:
    """Return lengths that differ a little, so that rows of one length stand in a new order each epoch."""
    return sizes * (1 + JITTER * (rng.random(len(sizes)) - 0.5)) + 1e-3 * rng.random(len(sizes))


def ceil_divide(rows: int, size: int) -> int:
    """Return how many batches of a size the rows fill, a part of one counted whole."""
    return -(-rows // size)


def shuffled(batches: Sequence[Indices], rng: np.random.Generator) -> list[Indices]:
    """Return the batches in random order."""
    return [batches[place] for place in rng.permutation(len(batches))]
