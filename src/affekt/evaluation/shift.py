"""How far a space has moved, and how many directions it still uses."""

import numpy as np
from numpy.typing import ArrayLike

from affekt.evaluation import arrays, counts


def space_shift(before: ArrayLike, after: ArrayLike) -> dict[str, float]:
    """Return how far (n, d) vectors of the same texts moved between two encoders.

    Returns:
        mean_squared_difference (Δemb: over rows and dimensions), mean_cosine between each row before and
        after (0 for a row that is zero in either), and n.
    """
    old = arrays.matrix(before, "before").astype(np.float64)
    new = arrays.matrix(after, "after").astype(np.float64)
    arrays.same_shape(old, new, "vectors before and after")
    lengths = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    cosines = counts.ratio((old * new).sum(axis=1), lengths)
    return {
        "mean_squared_difference": float(((new - old) ** 2).mean()),
        "mean_cosine": float(cosines.mean()),
        "n": len(old),
    }


def effective_rank(embeddings: ArrayLike) -> float:
    """Return how many directions (n, d) vectors use: exp of the entropy of the shares of singular values.

    Between 1 (all rows on one line through the origin) and min(n, d) (all directions alike); 0 where every
    vector is zero. A space that collapses in training falls towards 1. (Roy and Vetterli 2007; not centred.)
    """
    points = arrays.matrix(embeddings, "embeddings").astype(np.float64)
    tall = points if points.shape[0] >= points.shape[1] else points.T
    eigenvalues = np.linalg.eigvalsh(tall.T @ tall)  # squares of the singular values; the smaller Gram matrix
    noise = eigenvalues.max(initial=0.0) * len(eigenvalues) * np.finfo(np.float64).eps
    singular = np.sqrt(eigenvalues[eigenvalues > noise])
    if not len(singular):
        return 0.0
    shares = singular / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
