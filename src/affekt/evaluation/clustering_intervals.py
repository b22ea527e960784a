"""How far clustering figures would move on other rows, the clusters and their centres staying as they are.

    T = rows by class and cluster, a and b its margins, n its sum
    M = Σ T² − n,  A = Σ a² − n,  B = Σ b² − n         ordered pairs of rows together in both, in either
    v_measure = I / ½ (H_a + H_b)                      ami = (I − E) / (½ (H_a + H_b) − E)
    ari = (M − p) / (½ (A + B) − p),  p = A B / n (n − 1)              fms = M / √(A B)

with I the mutual information, H the entropies, and E the mutual information expected by chance, which hardly
moves and is taken from all rows. A resample changes T, the mean of the rows' silhouettes, and the mean
distance of rows to their centre in Davies-Bouldin.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affekt.evaluation import counts
from affekt.evaluation.arrays import Floats
from affekt.evaluation.intervals import resampled_counts

Codes = NDArray[np.integer[Any]]


def resampled_agreement(classes: Codes, clusters: Codes, resamples: int, seed: int) -> dict[str, Floats]:
    """Return (resamples,) values of ami, ari, fms and v_measure; classes and clusters are counted from 0."""
    shape = int(classes.max()) + 1, int(clusters.max()) + 1
    cells = classes.astype(np.int64) * shape[1] + clusters

    def table(weights: Floats) -> Floats:
        return np.bincount(cells, weights, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)

    draws = resampled_counts(len(cells), resamples, seed)
    tables = np.stack([table(weights) for chunk in draws for weights in chunk])
    return agreement_of(tables, _expected_information(table(np.ones(len(cells)))))


def agreement_of(tables: Floats, expected: float) -> dict[str, Floats]:
    """Return ami, ari, fms and v_measure of (…, classes, clusters) tables.

    Args:
        tables: Counts of rows.
        expected: The mutual information that chance would give.
    """
    rows, columns, total = tables.sum(-1), tables.sum(-2), tables.sum((-1, -2))
    entropies = (_entropy(rows, total) + _entropy(columns, total)) / 2
    joint = tables.reshape(*tables.shape[:-2], -1)
    information = 2 * entropies - _entropy(joint, total)
    cells, of_class, of_cluster = ((part**2).sum(-1) - total for part in (joint, rows, columns))
    chance = counts.ratio(of_class * of_cluster, total * (total - 1))
    return {
        "ami": counts.ratio(information - expected, entropies - expected),
        "ari": counts.ratio(cells - chance, (of_class + of_cluster) / 2 - chance),
        "fms": counts.ratio(cells, np.sqrt(of_class * of_cluster)),
        "v_measure": counts.ratio(information, entropies),
    }


def _entropy(sizes: Floats, total: Floats) -> Floats:
    """Return the entropy of (…, parts) sizes; an empty part adds nothing."""
    shares = sizes / total[..., None]
    return np.asarray(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1))


def _expected_information(table: Floats) -> float:
    from sklearn.metrics.cluster import expected_mutual_information

    return float(expected_mutual_information(table.astype(np.int64), int(table.sum())))


def resampled_davies_bouldin(points: Floats, groups: Codes, resamples: int, seed: int) -> Floats:
    """Return (resamples,) Davies-Bouldin indices, the centres of the groups staying where they are."""
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    member = np.eye(len(sizes))[codes]  # (n, groups)
    centres = member.T @ points / sizes[:, None]
    away = np.linalg.norm(points - centres[codes], axis=1)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    drawn = []
    for draws in resampled_counts(len(points), resamples, seed):
        spread = counts.ratio(draws @ (member * away[:, None]), draws @ member)  # (resamples, groups)
        both = counts.ratio(spread[:, :, None] + spread[:, None, :], apart)
        drawn.append(both.max(axis=2).mean(axis=1))
    return np.concatenate(drawn)
