"""Rows to sample from, and what is counted of the batches."""

import numpy as np


def one_hot(classes, k=None):
    return np.eye(k or max(classes) + 1)[classes]


def skewed(counts, seed=0):
    """Return shuffled one-hot targets with so many rows of each class."""
    return one_hot(
        np.random.default_rng(seed).permutation(np.repeat(range(len(counts)), counts)), len(counts)
    )


def label_sets(rows, k, seed=0, chance=0.3):
    """Return multi-hot targets with falling label frequencies; some rows have no label."""
    share = chance * 1.6 / (1 + np.arange(k))
    return (np.random.default_rng(seed).random((rows, k)) < share).astype(float)


def tweet_lengths(rows, seed=0):
    """Return token counts spread as those of tweets are: mostly 10 to 30."""
    return np.clip(np.random.default_rng(seed).gamma(5, 4, rows), 3, 64).astype(int)


def padding(batches, lengths):
    """Return the share of a batch matrix that is padding."""
    cells = sum(len(batch) * lengths[batch].max() for batch in batches)
    return 1 - sum(lengths[batch].sum() for batch in batches) / cells


def rows_of(batches):
    return sorted(np.concatenate(batches).tolist())


def same_batches(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def groups_of(batch, m):
    return np.asarray(batch).reshape(-1, m)
