"""Train, dev and test: as named by files or by a column, or drawn so that labels are spread evenly."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from affekt.data.columns import split_named
from affekt.data.files import FORMATS
from affekt.errors import DataError, reachable

Rows = npt.NDArray[np.int64]  # positions of texts, or a number for each text

DEFAULT_SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def split_of(stem: str) -> str:
    """Return the split a file's name says it is, or "".

    >>> split_of("validation"), split_of("tweets")
    ('dev', '')
    """
    split = split_named(stem)
    return split if split in ("train", "dev", "test") else ""


def split_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that are called train, dev or test (or another usual spelling)."""
    found: dict[str, Path] = {}
    with reachable(folder):
        paths = sorted(folder.iterdir())
    for path in paths:
        split = split_of(path.name.split(".")[0])
        if not split or not path.name.lower().removesuffix(".gz").endswith(FORMATS):
            continue
        if split in found:
            raise DataError(f"{found[split]} and {path} both say they are the {split} split; name the files")
        found[split] = path
    if not found:
        raise DataError(f"{folder} holds no file called train, dev or test ({', '.join(FORMATS)})")
    return {split: found[split] for split in DEFAULT_SHARES if split in found}


def shares_of(said: Mapping[str, str]) -> dict[str, float]:
    """Return which share of all each split gets, from any numbers that stand in that proportion.

    >>> shares_of({"train": "8", "dev": "1", "test": "1"})
    {'train': 0.8, 'dev': 0.1, 'test': 0.1}
    """
    try:
        numbers = {split_named(split): float(number) for split, number in said.items()}
    except ValueError as fault:
        raise DataError(f"shares are numbers: {fault}") from fault
    odd = [split for split, number in numbers.items() if not 0 < number < float("inf")]
    if odd or len(numbers) < 2 or set(numbers) - set(DEFAULT_SHARES):
        known = ", ".join(DEFAULT_SHARES)
        raise DataError(f"shares are numbers above 0 for two or three of {known}, not {dict(said)}")
    return {split: numbers[split] / sum(numbers.values()) for split in DEFAULT_SHARES if split in numbers}


def fold(text: str) -> str:
    r"""Return a text without what two copies of it may differ in: case and spacing.

    >>> fold("So  HAPPY\n") == fold("so happy")
    True
    """
    return " ".join(text.casefold().split())


def stratified_rows(
    texts: Sequence[str],
    targets: npt.NDArray[np.float32],
    present: npt.NDArray[np.bool_],
    shares: Mapping[str, float],
    seed: int = 0,
) -> dict[str, Rows]:
    """Return the rows of each split, in order: each gets its share of every label, no text is in two splits.

    Iterative stratification after Sechidis et al. 2011: labels are dealt out from the rarest, each text going
    to the split that lacks its label most. Texts that differ only in case or spacing stay together.

    Args:
        texts: The n texts.
        targets: (n, k) values in [0, 1]; a text without a label by `present` counts for its strongest one.
        present: (n, k) the labels each text has.
        shares: How much of the texts each split gets; they sum to 1.
        seed: Of the draw.
    """
    values = np.array(list(shares.values()), dtype=np.float64)
    if not len(values) or (values <= 0).any() or abs(values.sum() - 1) > 1e-6:
        raise DataError(f"shares must be above 0 and sum to 1, not {dict(shares)}")
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(fold(text), len(numbers)) for text in texts], dtype=np.int64)
    dealt = _deal(_group_counts(group, targets, present), values, seed)[group]
    rows = {split: np.flatnonzero(dealt == position) for position, split in enumerate(shares)}
    if empty := [split for split, chosen in rows.items() if not len(chosen)]:
        raise DataError(f"too few texts ({len(texts)}) to give any to {', '.join(empty)}")
    return rows


def _group_counts(group: Rows, targets: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> Rows:
    """Return (groups, 1 + k): how many rows each group has, and how many of each label."""
    labels = present.copy()
    if labels.shape[1]:
        vague = ~labels.any(axis=1) & (targets.max(axis=1) > 0)
        labels[vague, targets[vague].argmax(axis=1)] = True
    counts = np.zeros((int(group.max(initial=-1)) + 1, 1 + labels.shape[1]), dtype=np.int64)
    np.add.at(counts, group, np.column_stack([np.ones(len(group), dtype=np.int64), labels]))
    return counts


def _deal(counts: Rows, shares: npt.NDArray[np.float64], seed: int) -> Rows:
    """Return the split of each group.

    Args:
        counts: (groups, 1 + k) rows and labels of each group; column 0, the rows, is dealt last, and so
            places the groups without a label.
        shares: (splits,) what part of everything each split gets.
        seed: Of the order in which groups of the same size are dealt.
    """
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order, 0], kind="stable")]  # large groups first: they fit worst
    wanted = (shares[:, None] * counts.sum(axis=0)).tolist()  # (splits, 1 + k), falls as groups are dealt
    holds = [np.flatnonzero(row).tolist() for row in counts]  # column 0 is in all
    waiting = [order[counts[order, column] > 0].tolist() for column in range(counts.shape[1])]
    left = (counts > 0).sum(axis=0)
    dealt = np.full(len(counts), -1, dtype=np.int64)
    labels = list(range(1, counts.shape[1]))
    while any(left[1:]) or left[0]:
        column = min((label for label in labels if left[label]), key=lambda label: left[label], default=0)
        for group in waiting[column]:
            if dealt[group] >= 0:
                continue
            split = max(range(len(wanted)), key=lambda s: (wanted[s][column], wanted[s][0]))
            dealt[group] = split
            for held in holds[group]:
                wanted[split][held] -= counts[group, held]
                left[held] -= 1
    return dealt


def few_of_each(present: npt.NDArray[np.bool_], rows: int, seed: int) -> Rows:
    """Return rows drawn without repeats so that each label is held by `rows` of them, or by all there are.

    Rows are met in random order, and one is taken where it holds a label of which too few were taken before:
    of texts with one label each exactly so many, as few-shot figures are published. Texts without any label
    count as those of one more.

    Args:
        present: (n, k), the labels each text has.
        rows: How many of each label.
        seed: Of the order; with it, of one label per text, fewer rows are a part of more.
    """
    held = np.column_stack([present, ~present.any(axis=1)])
    wanted = np.minimum(held.sum(axis=0), rows)
    taken, chosen = np.zeros_like(wanted), list[int]()
    for row in np.random.default_rng(seed).permutation(len(held)):
        if not (taken < wanted).any():
            break
        if (taken < wanted)[held[row]].any():
            chosen.append(int(row))
            taken += held[row]
    return np.sort(np.array(chosen, dtype=np.int64))
