"""Which rows go into which batch, epoch by epoch.

Every function returns the batches of one epoch as a list of index arrays, drawn from (seed, epoch) alone,
so a resumed run builds the same epoch again and goes on at its batch. numpy only; nothing here knows of
texts or tensors.

    bucketed        every row once, rows of like length together: little padding
    stratified      every row once, each batch with the corpus's share of every class
    m_per_class     groups of m rows of a class, several classes in every batch; every row at least once
    balanced_pairs  pairs of rows, half alike and half not
    in_order        every row once, longest first: for prediction and evaluation

`targets` is an (n, k) matrix in [0, 1]; a label is present where it is above zero. `lengths` are token
counts; where a sampler by class takes them, rows of like length share a batch as far as its promise about
classes allows.

Batches that are to hold every class alike are dealt like cards: rows stand in order of their class and go
round the table, one to each batch, so that each batch gets ⌊c / batches⌋ or ⌈c / batches⌉ of the c rows of
a class, and the batches differ by one row at most.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from affekt.errors import UsageError

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

WINDOW = 50  # batches that are shuffled apart, then sorted by length together
JITTER = 0.1  # relative spread of the noise on lengths, so that rows meet other rows in other epochs
TRIES = 16  # random draws for a dissimilar row before all rows are looked through


def bucketed(lengths: npt.ArrayLike, batch_size: int, *, seed: int, epoch: int) -> list[Indices]:
    """Return shuffled batches of rows of like length; every row once, a smaller batch last.

    Rows are shuffled, cut in windows of some 50 batches and sorted by length inside each, with a little
    noise.
    """
    sizes = _lengths(lengths)
    _check_batch_size(batch_size)
    rng = _generator(seed, epoch)
    batches = _ceil_divide(len(sizes), batch_size)
    windows = _ceil_divide(batches, WINDOW)
    edges = np.linspace(0, batches, windows + 1).astype(np.int64)[1:-1] * batch_size
    cut = []
    for rows in np.split(rng.permutation(len(sizes)), edges):
        by_length = rows[np.argsort(_noisy(sizes[rows], rng), kind="stable")]
        cut += _cut(by_length, batch_size, rng)
    shuffled = _shuffled(cut, rng)
    return sorted(shuffled, key=lambda batch: len(batch) < batch_size)


def in_order(lengths: npt.ArrayLike, batch_size: int) -> list[Indices]:
    """Return batches from the longest rows to the shortest, every row once.

    The longest come first, so that memory runs out at once or never.
    """
    sizes = _lengths(lengths)
    _check_batch_size(batch_size)
    order = np.argsort(-sizes, kind="stable")
    return np.split(order, range(batch_size, len(order), batch_size))


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
    present = _present(targets)
    _check_batch_size(batch_size)
    rng = _generator(seed, epoch)
    ties = _tie_breaks(lengths, len(present), rng)
    order, strata = _by_rarest_label(present, ties, by_set=lengths is None)
    count = _ceil_divide(len(present), batch_size)
    batches = _collect(order, _deal(strata, count, rng), count)
    return _shuffled([rng.permutation(batch) for batch in batches], rng)


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

    pytorch-metric-learning's MPerClassSampler draws classes at random, so an epoch misses some rows and
    repeats others, and it wants one label a row: hence this one.

    Raises:
        UsageError: where two groups of m do not fit into a batch.
    """
    present = _present(targets)
    _check_batch_size(batch_size)
    if m < 1 or 2 * m > batch_size:
        raise UsageError(
            f"m is {m} and batch_size {batch_size}: a batch must hold two groups of m rows, "
            "so choose m from 1 to half the batch size."
        )
    rng = _generator(seed, epoch)
    ties = _tie_breaks(lengths, len(present), rng)
    classes = _draw_class(present, rng)
    by_class = [rows[np.argsort(ties[rows], kind="stable")] for rows in _split_by(classes)]
    groups = [_groups(rows, m) for rows in by_class]  # each (groups of the class, m)
    batches = _add_groups(groups, batch_size // m, rng)
    strata = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    members = np.concatenate(groups)
    dealt = _collect(np.arange(len(members)), _deal(strata, batches, rng), batches)
    return _shuffled([members[rng.permutation(chosen)].ravel() for chosen in dealt], rng)


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
    present = _present(targets)
    _check_count("pairs", pairs)
    labelled = np.flatnonzero(present.any(axis=1))
    if len(labelled) < 2:
        raise UsageError(
            f"{len(labelled)} of {len(present)} rows have a label: a pair needs two, so give more of them."
        )
    rng = _generator(seed, epoch)
    present = present[labelled]
    anchors = _take_turns(len(labelled), pairs, rng)
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
    shares = []
    for batch in batches:
        share = _ceil_divide(len(batch), world)
        shares.append(np.resize(batch, share * world)[rank * share : (rank + 1) * share])
    return shares


SAMPLERS: dict[str, Callable[..., Any]] = {
    "bucketed": bucketed,
    "stratified": stratified,
    "m-per-class": m_per_class,
    "balanced-pairs": balanced_pairs,
}


# Arguments


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng([seed, epoch])


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise UsageError(f"{name} is {value}: it must be at least 1.")


def _check_batch_size(batch_size: int) -> None:
    _check_count("batch_size", batch_size)


def _lengths(lengths: npt.ArrayLike) -> Floats:
    sizes = np.asarray(lengths, dtype=np.float64)
    if sizes.ndim != 1 or not len(sizes):
        raise UsageError(f"lengths have shape {sizes.shape}: give one length a row, for one row or more.")
    return sizes


def _present(targets: npt.ArrayLike) -> Flags:
    present: Flags = np.asarray(targets) > 0
    if present.ndim != 2 or not present.size:
        raise UsageError(
            f"targets have shape {present.shape}: sampling by class needs a matrix of rows and labels, "
            "one or more of each."
        )
    return present


def _tie_breaks(lengths: npt.ArrayLike | None, rows: int, rng: np.random.Generator) -> Floats:
    """Return what orders the rows of a class: their noisy lengths, or chance."""
    if lengths is None:
        return rng.random(rows)
    sizes = _lengths(lengths)
    if len(sizes) != rows:
        raise UsageError(f"{len(sizes)} lengths for {rows} rows of targets: give one length a row.")
    return _noisy(sizes, rng)


def _noisy(sizes: Floats, rng: np.random.Generator) -> Floats:
    return sizes * (1 + JITTER * (rng.random(len(sizes)) - 0.5)) + 1e-3 * rng.random(len(sizes))


# Cutting and dealing


def _ceil_divide(rows: int, size: int) -> int:
    return -(-rows // size)


def _cut(rows: Indices, batch_size: int, rng: np.random.Generator) -> list[Indices]:
    """Cut in batches; the smaller one, where there is one, comes from anywhere in the order."""
    full, rest = divmod(len(rows), batch_size)
    if not rest:
        return np.split(rows, full)
    sizes = np.full(full + 1, batch_size)
    sizes[rng.integers(full + 1)] = rest
    return np.split(rows, np.cumsum(sizes)[:-1])


def _shuffled(batches: Sequence[Indices], rng: np.random.Generator) -> list[Indices]:
    return [batches[place] for place in rng.permutation(len(batches))]


def _deal(strata: Indices, batches: int, rng: np.random.Generator) -> Indices:
    """Deal items round the batches and return each item's batch.

    Within a stratum batches ascend, so strata whose items stand in order of length give the low batches
    their short items. Neighbouring places go to batches far apart (multiples of the golden section), so
    that also a stratum of few items covers the whole range of lengths.

    Args:
        strata: (n,) stratum of each item, items of a stratum standing together.
        batches: how many batches there are.
        rng: where the first card goes.
    """
    spread = np.argsort(np.arange(batches) * ((5**0.5 - 1) / 2) % 1.0)
    seats = np.empty(batches, dtype=np.int64)
    seats[spread] = np.arange(batches)
    dealt = seats[(np.arange(len(strata)) + rng.integers(batches)) % batches]
    runs = np.cumsum(np.r_[0, np.diff(strata) != 0])
    ascending: Indices = dealt[np.lexsort((dealt, runs))]
    return ascending


def _collect(items: Indices, dealt: Indices, batches: int) -> list[Indices]:
    """Gather the items of each batch."""
    order = np.argsort(dealt, kind="stable")
    return np.split(items[order], np.cumsum(np.bincount(dealt, minlength=batches))[:-1])


def _split_by(classes: Indices) -> list[Indices]:
    """Return the rows of each class that occurs."""
    order = np.argsort(classes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(classes[order])) + 1)


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


# Groups of m


def _draw_class(present: Flags, rng: np.random.Generator) -> Indices:
    """Draw one label for each row, rare ones more readily; k stands for rows that have none."""
    counts = np.maximum(present.sum(axis=0), 1)
    # The largest of log-weights with Gumbel noise is a draw in proportion to the weights.
    scores = np.where(present, rng.gumbel(size=present.shape) - np.log(counts), -np.inf)
    classes: Indices = np.where(present.any(axis=1), scores.argmax(axis=1), present.shape[1])
    return classes


def _groups(rows: Indices, m: int) -> Indices:
    """Cut a class in groups of m, the last one reaching back to be full; (groups, m)."""
    if len(rows) < m:
        return np.resize(rows, (1, m))
    starts = np.minimum(np.arange(0, len(rows), m), len(rows) - m)
    groups: Indices = rows[starts[:, None] + np.arange(m)]
    return groups


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
        return _ceil_divide(total, per_batch)
    batches = max(_ceil_divide(total, per_batch), _ceil_divide(largest, per_batch - 1))
    missing = max(batches - (total - largest), 2 * batches - total, 0)
    for turn in range(missing):
        place = 1 + turn % (len(groups) - 1)
        groups[place] = np.concatenate((groups[place], groups[place][[rng.integers(len(groups[place]))]]))
    return batches


# Pairs


def _take_turns(rows: int, pairs: int, rng: np.random.Generator) -> Indices:
    """Return `pairs` anchors, shuffled decks of all rows one after the other."""
    decks = _ceil_divide(pairs, rows)
    return rng.permuted(np.tile(np.arange(rows), (decks, 1)), axis=1).ravel()[:pairs]


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
    partners: Indices = members[first[labels] + drawn + (drawn >= places[anchors, labels])]
    return partners


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
