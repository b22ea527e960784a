"""Whether a space falls into groups, and whether the groups are the labels.

Silhouette and Davies-Bouldin judge how compact groups are and know nothing of labels: they are only worth
reading beside the agreement with the labels (AMI, ARI, FMS, V-measure), which is why one call gives all.
Definitions are scikit-learn's.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.errors import DataError, UsageError
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Floats
from affekt.evaluation.intervals import part_limits
from affekt.hardware import threads_that_pay

SILHOUETTE_ROWS = 20_000  # its cost grows with the square of the rows: more are sampled
WORKING_MEMORY = 128  # MiB for blocks of distances

Codes = NDArray[np.integer[Any]]


def clustering(
    embeddings: ArrayLike,
    labels: ArrayLike,
    clusters: int | None = None,
    seed: int = 0,
    *,
    resamples: int = 0,
) -> dict[str, Any]:
    """Return the figures of K-Means clusters in a space, and of the true labels in the same space.

    Args:
        embeddings: (n, d).
        labels: (n,) true classes, numbers or strings, at least two different ones.
        clusters: How many clusters K-Means (10 starts) looks for; as many as there are classes by default.
        seed: Of K-Means, and of the sample for the silhouette where there are over 20,000 rows.
        resamples: How many parts of the rows are drawn for intervals, each clustered anew; 0 gives none.

    Returns:
        silhouette and davies_bouldin of the clusters; silhouette_labels and davies_bouldin_labels of the true
        classes; ami, ari, fms and v_measure between clusters and classes; n, dimension, clusters, and
        clusters_found, which is smaller when the space holds fewer distinct points. Where no silhouette is
        defined (one cluster found, or every row its own) it is 0, as is Davies-Bouldin: read clusters_found
        first. With resamples also intervals: {figure: (low, high)}, 95 %
        (`affekt.evaluation.intervals.part_limits`).
    """
    points = arrays.matrix(embeddings, "embeddings")
    codes = arrays.class_codes(labels, len(points))
    classes = int(codes.max()) + 1
    if classes < 2:
        raise DataError(f"clustering needs rows of at least two classes, but all {len(points)} are of one.")
    wanted = classes if clusters is None else clusters
    if wanted < 2:
        raise UsageError(f"clusters must be at least 2, but is {wanted}.")
    if wanted > len(points):
        raise DataError(f"{wanted} clusters were asked for, but there are only {len(points)} rows.")
    figures = _figures(points, codes, wanted, seed)
    if resamples:

        def of_part(rows: Codes) -> dict[str, Any]:
            return _figures(points[rows], codes[rows], wanted, seed) if wanted <= len(rows) else {}

        figures["intervals"] = part_limits(figures, of_part, len(points), resamples=resamples, seed=seed)
    return figures


def _figures(points: Floats, codes: Codes, clusters: int, seed: int) -> dict[str, Any]:
    found = k_means(points, clusters, seed)
    return {
        "silhouette": silhouette(points, found, seed),
        "davies_bouldin": davies_bouldin(points, found),
        "silhouette_labels": silhouette(points, codes, seed),
        "davies_bouldin_labels": davies_bouldin(points, codes),
        **agreement(codes, found),
        "n": len(points),
        "dimension": points.shape[1],
        "clusters": clusters,
        "clusters_found": len(np.unique(found)),
    }


def agreement(labels_true: ArrayLike, labels_pred: ArrayLike) -> dict[str, float]:
    """Return ami, ari, fms and v_measure between two partitions of the same rows; names do not matter."""
    from sklearn import metrics

    rows = len(np.asarray(labels_true))
    if not rows:
        raise DataError("agreement needs at least one row, but there is none.")
    true, predicted = arrays.class_codes(labels_true, rows), arrays.class_codes(labels_pred, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn takes many clusters for a regression target
        return {
            "ami": float(metrics.adjusted_mutual_info_score(true, predicted)),
            "ari": float(metrics.adjusted_rand_score(true, predicted)),
            "fms": float(metrics.fowlkes_mallows_score(true, predicted)),
            "v_measure": float(metrics.v_measure_score(true, predicted)),
        }


def k_means(points: Floats, clusters: int, seed: int) -> Codes:
    """Return the cluster of each row, the best of ten starts."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), threads_that_pay(len(points)):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points: clusters_found says so
        found: Codes = KMeans(clusters, n_init=10, random_state=seed).fit_predict(points)
    return found


def silhouette(points: Floats, groups: Codes, seed: int = 0) -> float:
    """Return the mean silhouette, of a sample where rows are many; 0 where it is not defined."""
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    if len(points) > SILHOUETTE_ROWS:
        sample = np.random.default_rng(seed).choice(len(points), SILHOUETTE_ROWS, replace=False)
        points, groups = points[sample], groups[sample]
    if not 2 <= len(np.unique(groups)) < len(points):
        return 0.0
    with config_context(working_memory=WORKING_MEMORY):
        return float(silhouette_score(points, groups))


def davies_bouldin(points: Floats, groups: Codes) -> float:
    """Return the Davies-Bouldin index; 0 where it is not defined."""
    from sklearn.metrics import davies_bouldin_score

    return float(davies_bouldin_score(points, groups)) if 2 <= len(np.unique(groups)) < len(points) else 0.0
