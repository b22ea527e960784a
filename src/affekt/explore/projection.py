"""From many dimensions to two, for looking at."""

import numpy as np
from numpy.typing import ArrayLike

from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation.arrays import Floats
from affekt.hardware import threads_that_pay

METHODS = ("tsne", "pca")
_REDUCED = 50  # dimensions kept before t-SNE: the rest is mostly noise, and costs time
_PERPLEXITY = 30.0
_FEWEST = 4  # rows; with fewer, neighbourhoods mean nothing


def project(vectors: ArrayLike, method: str = "tsne", seed: int = 0) -> Floats:
    """Return (n, 2) places for (n, d) vectors, by one of `METHODS`.

    "tsne" keeps neighbours together (distances between far groups mean little) and starts from the principal
    components, so that maps of one space look alike; "pca" is linear. Fewer than four rows are always placed
    by PCA, and rows that are all alike lie in one place.
    """
    if method not in METHODS:
        raise UsageError(unknown_name("projection", method, METHODS))
    points = np.asarray(vectors, dtype=np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise DataError(
            f"vectors to project must be a finite (n, d) matrix, but the shape is {points.shape}."
        )
    points = points - points.mean(axis=0) if len(points) else points
    if points.size == 0 or np.abs(points).max() < 1e-12:
        return np.zeros((len(points), 2))
    if method == "pca" or len(points) < _FEWEST:
        return _principal(points, 2, seed)
    return _neighbours(points, seed)


def _principal(points: Floats, dimensions: int, seed: int) -> Floats:
    """Return the first principal components, zeros for those that do not exist."""
    from sklearn.decomposition import PCA

    held = min(dimensions, *points.shape)
    found = np.zeros((len(points), dimensions))
    found[:, :held] = PCA(held, random_state=seed).fit_transform(points)
    return found


def _neighbours(points: Floats, seed: int) -> Floats:
    from sklearn.manifold import TSNE

    reduced = _principal(points, _REDUCED, seed) if points.shape[1] > _REDUCED else points
    start = _principal(reduced, 2, seed)
    perplexity = min(_PERPLEXITY, (len(points) - 1) / 3)
    # starting small, as t-SNE's early phase wants it
    tsne = TSNE(init=start / start[:, 0].std() * 1e-4, perplexity=perplexity, random_state=seed)
    with threads_that_pay(len(reduced)):
        return np.asarray(tsne.fit_transform(reduced), dtype=np.float64)
