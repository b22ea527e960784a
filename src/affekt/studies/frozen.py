"""What frozen vectors are worth: their nearest neighbours, and a logistic probe on a few of them.

The probe is the one by which text embeddings are compared in public: logistic regression as scikit-learn has
it, 100 iterations at most, on a few rows of each label.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from affekt.evaluation.arrays import Bools, Floats, one_hot_argmax

NEIGHBOURS = (1, 3, 5, 9, 17, 33)  # of which the best on dev is taken
ITERATIONS = 100
_CHUNK = 1024  # texts whose similarities to all training texts are held at once


def neighbours(train: Floats, vectors: Floats, most: int) -> np.ndarray:
    """Return (n, most) the training rows nearest to each vector by cosine, the nearest first."""
    train, vectors = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (train, vectors)
    )
    most = min(most, len(train))
    found = [np.zeros((0, most), dtype=np.int64)]
    for start in range(0, len(vectors), _CHUNK):
        far = -(vectors[start : start + _CHUNK] @ train.T)
        near = np.argpartition(far, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(far, near, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(found)


def by_neighbours(targets: Floats, near: np.ndarray, *, single_label: bool) -> Bools:
    """Return (n, k) decisions by the vote of neighbours: the most of them, or of several labels over half.

    Args:
        targets: (rows, k) of the training rows.
        near: (n, neighbours) the rows that vote; of labels with as many votes the nearer ones' is taken.
        single_label: Whether each text has exactly one label.
    """
    weights = 1 + 1e-3 / (1 + np.arange(near.shape[1]))  # the sum of what is added stays far below a vote
    votes = np.einsum("j,njk->nk", weights / weights.sum(), targets[near])
    return one_hot_argmax(votes) if single_label else votes > 0.5


def by_probe(train: Floats, targets: Floats, vectors: Floats, *, single_label: bool) -> Bools:
    """Return (n, k) decisions of logistic regression fitted on training vectors; of several labels at .5.

    A label that no training row has is never given, and one that all have always. Of several labels, having
    one and not having it weigh alike: a few rows of each label leave none with a probability above .5.
    """
    regression = LogisticRegression(max_iter=ITERATIONS)
    balanced = LogisticRegression(max_iter=ITERATIONS, class_weight="balanced")
    decided = np.zeros((len(vectors), targets.shape[1]), dtype=np.bool_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the protocol stops there
        if single_label:
            classes = targets.argmax(axis=1)
            alone = len(np.unique(classes)) < 2
            given = classes[:1] if alone else regression.fit(train, classes).predict(vectors)
            decided[np.arange(len(vectors)), given] = True
            return decided
        for column, held in enumerate((targets > 0.5).T):
            mixed = held.any() and not held.all()
            decided[:, column] = balanced.fit(train, held).predict(vectors) if mixed else held.all()
    return decided
