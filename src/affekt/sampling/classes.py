"""Batches by class: stratified, and m rows of each of several classes.

Batches that are to hold every class alike are dealt like cards: rows stand in order of their class and go
round the table, one to each batch, so that each batch gets ⌊c / batches⌋ or ⌈c / batches⌉ of the c rows of
a class, and the batches differ by one row at most.
"""

import numpy as np
import numpy.typing as npt

from affekt.errors import UsageError
from affekt.sampling.common import (
    Flags,
    Floats,
    Indices,
    ceil_divide,
    check_count,
    checked_lengths,
    noisy,
    present_labels,
    shuffled,
)


def stratified(
    targets: npt.ArrayLike,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    lengths: npt.ArrayLike | None = None,
) -> list[Indices]:
    """Return batches in which each class has its share of the corpus, as near as whole rows allow.

    Every row comes once. There are as few batches as `batch_size` allows, and they differ by one row at
    most. A row belongs to the class of its rarest label, and rows without labels to one of their own; a
    batch holds ⌊c / batches⌋ or ⌈c / batches⌉ rows of a class of c. With one label per row that settles
    all shares. With several, the rows of a class are dealt by label set, which keeps the frequent labels
    within a few rows of their shares; where `lengths` are given they go by length instead, and frequent
    labels fall as they may.
    """
    present = present_labels(targets)
    check_count("batch_size", batch_size)
    rng = np.random.default_rng([seed, epoch])
    ties = _tie_breaks(lengths, len(present), rng)
    order, strata = _by_rarest_label(present, ties, by_set=lengths is None)
    count = ceil_divide(len(present), batch_size)
    batches = _collect(order, _deal(strata, count, rng), count)
    return shuffled([rng.permutation(batch) for batch in batches], rng)


def m_per_class(
    targets: npt.ArrayLike,
    batch_size: int,
    *,
    m: int,
    seed: int,
    epoch: int,
    lengths: npt.ArrayLike | None = None,
) -> list[Indices]:
    """Return batches made of groups of m rows of one class, with several classes in every batch.

    Every row comes at least once an epoch. Each row stands under one of its labels, drawn anew each epoch
    in inverse proportion to how many rows have the label; rows without labels are a class of their own. A
    class's last group is filled up with rows that it already has in another group; a class of fewer than m
    rows repeats them within its group (views of one text that differ by dropout). A batch holds
    ⌊batch_size / m⌋ groups at most, dealt so that classes spread evenly; where one class is so large that
    some batch would hold nothing else, groups of other classes are repeated until none does. With a single
    class there is nothing to mix. The rows of a group stand together in a batch.

    It gives every anchor positives, and does not balance: over an epoch classes keep about their shares of
    the corpus, since every row comes. Where one class holds nearly all rows, the few others are the only
    ones to mix with it, and one of their rows may come dozens of times.

    pytorch-metric-learning's MPerClassSampler draws classes at random, so an epoch misses some rows and
    repeats others, and it wants one label a row: hence this one.

    Raises:
        UsageError: where two groups of m do not fit into a batch.
    """
    present = present_labels(targets)
    check_count("batch_size", batch_size)
    if m < 1 or 2 * m > batch_size:
        raise UsageError(
            f"m is {m} and batch_size {batch_size}: a batch must hold two groups of m rows, "
            "so choose m from 1 to half the batch size."
        )
    rng = np.random.default_rng([seed, epoch])
    ties = _tie_breaks(lengths, len(present), rng)
    classes = _draw_class(present, rng)
    order = np.lexsort((ties, classes))
    by_class = np.split(order, np.flatnonzero(np.diff(classes[order])) + 1)
    groups = [_groups(rows, m) for rows in by_class]  # each (groups of the class, m)
    batches = _add_groups(groups, batch_size // m, rng)
    strata = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    members = np.concatenate(groups)
    dealt = _collect(np.arange(len(members)), _deal(strata, batches, rng), batches)
    return shuffled([members[rng.permutation(chosen)].ravel() for chosen in dealt], rng)


def _tie_breaks(lengths: npt.ArrayLike | None, rows: int, rng: np.random.Generator) -> Floats:
    """Return what orders the rows of a class: their noisy lengths, or chance."""
    if lengths is None:
        return rng.random(rows)
    sizes = checked_lengths(lengths)
    if len(sizes) != rows:
        raise UsageError(f"{len(sizes)} lengths for {rows} rows of targets: give one length a row.")
    return noisy(sizes, rng)


def _deal(strata: Indices, batches: int, rng: np.random.Generator) -> Indices:
    """Deal items round the batches and return each item's batch.

    Within a stratum batches ascend, so strata whose items stand in order of length give the low batches
    their short items. Neighbouring places go to batches far apart (multiples of the golden section), so
    that also a stratum of few items covers the whole range of lengths.
    Items of a stratum must stand together.
    """
    seats = np.argsort(np.argsort(np.arange(batches) * ((5**0.5 - 1) / 2) % 1.0))
    dealt = seats[(np.arange(len(strata)) + rng.integers(batches)) % batches]
    runs = np.cumsum(np.r_[0, np.diff(strata) != 0])
    return np.asarray(dealt[np.lexsort((dealt, runs))])


def _collect(items: Indices, dealt: Indices, batches: int) -> list[Indices]:
    """Gather the items of each batch."""
    order = np.argsort(dealt, kind="stable")
    return np.split(items[order], np.cumsum(np.bincount(dealt, minlength=batches))[:-1])


def _by_rarest_label(present: Flags, ties: Floats, *, by_set: bool) -> tuple[Indices, Indices]:
    """Order rows by their rarest label, then by label set if asked, then by `ties`.

    Returns:
        The order and the stratum of each place, counted up: a rarest label, or a label set.
    """
    rare_first = np.argsort(present.sum(axis=0), kind="stable")
    columns: Flags = present[:, rare_first]
    if not by_set:
        columns = columns & (np.cumsum(columns, axis=1) == 1)  # the rarest one alone
    order = np.lexsort((ties, *~columns.T[::-1]))  # the last key is the first to count
    changes = (columns[order][1:] != columns[order][:-1]).any(axis=1)
    return order, np.cumsum(np.r_[0, changes])


def _draw_class(present: Flags, rng: np.random.Generator) -> Indices:
    """Draw one label for each row, rare ones more readily; k stands for rows that have none."""
    counts = np.maximum(present.sum(axis=0), 1)
    # The largest of log-weights with Gumbel noise is a draw in proportion to the weights.
    scores = np.where(present, rng.gumbel(size=present.shape) - np.log(counts), -np.inf)
    return np.asarray(np.where(present.any(axis=1), scores.argmax(axis=1), present.shape[1]))


def _groups(rows: Indices, m: int) -> Indices:
    """Cut a class in groups of m, the last one reaching back to be full; (groups, m)."""
    if len(rows) < m:
        return np.resize(rows, (1, m))
    starts = np.minimum(np.arange(0, len(rows), m), len(rows) - m)
    return np.asarray(rows[starts[:, None] + np.arange(m)])


def _add_groups(groups: list[Indices], per_batch: int, rng: np.random.Generator) -> int:
    """Put the largest class first, repeat groups of the others until every batch can hold two classes.

    Dealt from the largest class on, each batch holds a group of another class when those are as many as the
    batches, and not the largest class alone when it has at most per_batch − 1 groups for each batch. Two
    groups in each batch keep smaller classes from standing alone.

    Returns:
        The number of batches; `groups` is changed in place.
    """
    groups.sort(key=len, reverse=True)
    total, largest = sum(map(len, groups)), len(groups[0])
    if len(groups) == 1:
        return ceil_divide(total, per_batch)
    batches = max(ceil_divide(total, per_batch), ceil_divide(largest, per_batch - 1))
    missing = max(batches - (total - largest), 2 * batches - total, 0)
    for turn in range(missing):
        place = 1 + turn % (len(groups) - 1)
        groups[place] = np.concatenate((groups[place], groups[place][[rng.integers(len(groups[place]))]]))
    return batches
