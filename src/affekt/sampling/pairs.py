"""Pairs of rows, half of them alike and half not."""

import numpy as np
import numpy.typing as npt

from affekt.errors import UsageError
from affekt.sampling.common import (
    WINDOW,
    Flags,
    Indices,
    ceil_divide,
    check_count,
    checked_lengths,
    noisy,
    present_labels,
    shuffled,
)

TRIES = 16  # random draws for a dissimilar row before all rows are looked through


def balanced_pairs(
    targets: npt.ArrayLike, pairs: int, *, seed: int, epoch: int
) -> tuple[Indices, Indices, Flags]:
    """Return pairs of rows, half of them alike and half not, without ever listing all pairs.

    Two rows are alike when they share a label. Every labelled row is the left one equally often, give or
    take one. A row that shares its labels with no other is never the left one of an alike pair, and a row
    that shares with all others never of an unlike pair; only where such rows fill more than half of the
    places does the balance give way. For an alike pair one of the left row's labels is drawn first and
    then a row with it, which favours rare labels. Alike and unlike pairs alternate, so any stretch of the
    result is balanced. Rows without labels are left out.

    Returns:
        left, right: (pairs,) row indices, and same: (pairs,) True where the two are alike.

    Raises:
        UsageError: for fewer than two labelled rows.
    """
    present = present_labels(targets)
    check_count("pairs", pairs)
    labelled = np.flatnonzero(present.any(axis=1))
    if len(labelled) < 2:
        raise UsageError(
            f"{len(labelled)} of {len(present)} rows have a label: a pair needs two, so give more of them."
        )
    rng = np.random.default_rng([seed, epoch])
    present = present[labelled]
    decks = np.tile(np.arange(len(labelled)), (ceil_divide(pairs, len(labelled)), 1))
    anchors = rng.permuted(decks, axis=1).ravel()[:pairs]  # all take turns
    can_be_alike: Flags = np.any(present & (present.sum(axis=0) > 1), axis=1)
    unlike = _draw_unlike(present, np.arange(len(labelled)), rng)
    can_differ: Flags = unlike >= 0
    same = _choose_alike(can_be_alike[anchors], can_differ[anchors], rng)
    order = _alternate(same, rng)
    anchors, same = anchors[order], same[order]
    partners = np.empty(pairs, dtype=np.int64)
    partners[same] = _draw_alike(present, anchors[same], rng)
    partners[~same] = _draw_unlike(present, anchors[~same], rng)
    return labelled[anchors], labelled[partners], same


def pair_batches(
    targets: npt.ArrayLike, batch_size: int, *, lengths: npt.ArrayLike, seed: int, epoch: int
) -> list[Indices]:
    """Return an epoch of `balanced_pairs`, a pair for each row, in shuffled batches of pairs of like length.

    Every batch is balanced as any stretch of the pairs is: alike and unlike pairs keep their places, and
    each kind is sorted by its longer row within windows of some 50 batches. A smaller batch comes last.

    Returns:
        Batches of `batch_size` pairs: their left rows, then their right rows in the same order.
    """
    sizes = checked_lengths(lengths)
    check_count("batch_size", batch_size)
    left, right, same = balanced_pairs(targets, len(sizes), seed=seed, epoch=epoch)
    rng = np.random.default_rng([seed, epoch, 1])  # other numbers than the pairs are drawn with
    longer = noisy(np.maximum(sizes[left], sizes[right]), rng)
    order = np.arange(len(left))
    for window in np.split(order.copy(), range(WINDOW * batch_size, len(left), WINDOW * batch_size)):
        for kind in (True, False):
            places = window[same[window] == kind]
            order[places] = places[np.argsort(longer[places], kind="stable")]
    batches = shuffled(np.split(order, range(batch_size, len(order), batch_size)), rng)
    batches.sort(key=lambda batch: len(batch) < batch_size)
    return [np.concatenate([left[batch], right[batch]]) for batch in batches]


def _choose_alike(can_be_alike: Flags, can_differ: Flags, rng: np.random.Generator) -> Flags:
    """Say which anchors get a partner alike: half of them, as far as those that have no choice allow."""
    free = np.flatnonzero(can_be_alike & can_differ)
    same = can_be_alike & ~can_differ
    wanted = np.clip(len(same) // 2 - same.sum(), 0, len(free))
    same[rng.permutation(free)[:wanted]] = True
    return same


def _alternate(same: Flags, rng: np.random.Generator) -> Indices:
    """Order the pairs so that both kinds are spread evenly."""
    places = np.empty(len(same))
    for kind in (True, False):
        chosen = rng.permutation(np.flatnonzero(same == kind))
        places[chosen] = (np.arange(len(chosen)) + 0.5) / max(len(chosen), 1)
    return np.argsort(places, kind="stable")


def _draw_alike(present: Flags, anchors: Indices, rng: np.random.Generator) -> Indices:
    """Draw for each anchor another row that shares a label with it; each has one."""
    shared = present & (present.sum(axis=0) > 1)
    row_of, label_of = np.nonzero(shared)  # row by row
    starts = np.searchsorted(row_of, anchors)
    labels = label_of[starts + rng.integers(shared.sum(axis=1)[anchors])]
    members = np.nonzero(shared.T)[1]  # label by label, rows ascending
    counts = shared.sum(axis=0)
    first = np.cumsum(counts) - counts
    places = np.cumsum(shared, axis=0, dtype=np.int32) - 1  # of a row among the rows of a label
    drawn = rng.integers(counts[labels] - 1)
    return np.asarray(members[first[labels] + drawn + (drawn >= places[anchors, labels])])


def _draw_unlike(present: Flags, anchors: Indices, rng: np.random.Generator) -> Indices:
    """Draw for each anchor a row that shares no label with it, or −1 where there is none."""
    partners = np.full(len(anchors), -1)
    open_places = np.arange(len(anchors))
    for _ in range(TRIES):
        drawn = rng.integers(len(present), size=len(open_places))
        unlike = ~(present[anchors[open_places]] & present[drawn]).any(axis=1)
        partners[open_places[unlike]] = drawn[unlike]
        open_places = open_places[~unlike]
    # What chance did not find is looked for, once for each label set.
    sets, which = np.unique(present[anchors[open_places]], axis=0, return_inverse=True)
    for number, labels in enumerate(sets):
        candidates = np.flatnonzero(~present[:, labels].any(axis=1))
        places = open_places[which.ravel() == number]
        if len(candidates):
            partners[places] = rng.choice(candidates, size=len(places))
    return partners
