"""What every figure does first: lists, tensors and arrays become checked numpy arrays, or one clear fault."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.errors import DataError

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
ROUNDING = 1e-5  # a float32 softmax may pass 1 by this much


def matrix(values: ArrayLike, name: str) -> Floats:
    """Return values as an (n, k) float array with at least one row and one column and no NaN or infinity.

    float32 and float64 stay as they are, everything else becomes float64.
    """
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{name} must be numbers, but they are of type {array.dtype}.") from None
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(f"{name} must be a non-empty matrix (rows, columns), but the shape is {array.shape}.")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        seen = array[row, column]
        raise DataError(f"{name} holds {seen} at row {row}, column {column}; remove or mend it.")
    return array


def unit_matrix(values: ArrayLike, name: str) -> Floats:
    """Return values as a float64 `matrix` whose entries lie in [0, 1]."""
    array = matrix(values, name).astype(np.float64)
    low, high = array.min(), array.max()
    if low < -ROUNDING or high > 1 + ROUNDING:
        seen = low if low < -ROUNDING else high
        raise DataError(f"{name} must lie between 0 and 1, but {seen:.6g} is among them (logits, perhaps?).")
    return np.clip(array, 0.0, 1.0)


def all_shares(array: NDArray[Any]) -> bool:
    """Whether all numbers lie in [0, 1]; NaN does not."""
    return bool(((array >= 0) & (array <= 1)).all())


def same_shape(first: NDArray[Any], second: NDArray[Any], names: str) -> None:
    """Raise DataError unless two arrays have one shape; names says which two, as in "targets and scores"."""
    if first.shape != second.shape:
        raise DataError(f"{names} must have the same shape, but have {first.shape} and {second.shape}.")


def true_labels(targets: ArrayLike, *, single_label: bool) -> Bools:
    """Return (n, k) targets in [0, 1], soft or hard, as truth values.

    Multi-label: a label holds where more than half of the vote is for it (> 0.5). Single-label: the label
    with most votes holds, the first of them where several have as many.
    """
    votes = unit_matrix(targets, "targets")
    if not single_label:
        return votes > 0.5
    blank = ~votes.any(axis=1)
    if blank.any():
        raise DataError(f"row {int(blank.argmax())} of single-label targets has no label.")
    return one_hot_argmax(votes)


def averaged(truth: Bools, *, only_present: bool) -> Bools:
    """Return (k,) which labels count in averages over labels; all of them where no row holds any."""
    present = np.asarray(truth.any(axis=0))
    return present if only_present and present.any() else np.ones_like(present)


def one_hot_argmax(scores: Floats) -> Bools:
    """Return (n, k) truth values with the largest score of each row set, the first among equals."""
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def decide(probabilities: Floats, thresholds: float | ArrayLike, *, single_label: bool) -> Bools:
    """Return (n, k) decisions: strictly above the threshold, or each row's largest where single-label.

    Scores and thresholds are compared as float32, which is what models give: a score of .3 is not above a
    threshold of .3, whether it was kept in 32 bits or in 64.
    """
    if single_label:
        return one_hot_argmax(probabilities)
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape not in ((), (probabilities.shape[1],)):
        raise DataError(
            f"thresholds must be one number or one per label ({probabilities.shape[1]}), "
            f"but the shape is {limits.shape}."
        )
    if not all_shares(limits):
        raise DataError(
            "thresholds must lie between 0 and 1: they are compared with probabilities, not logits."
        )
    return np.asarray(probabilities.astype(np.float32) > limits.astype(np.float32), dtype=np.bool_)


def decisions(predicted: ArrayLike, truth: Bools) -> Bools:
    """Return decisions as truth values; DataError unless they are all 0 or 1 and of the targets' shape."""
    array = matrix(predicted, "predicted")
    same_shape(truth, array, "targets and predicted")
    if not ((array == 0) | (array == 1)).all():
        raise DataError("predicted must be decisions (true or false), not probabilities.")
    return array.astype(np.bool_)


def label_names(labels: Sequence[str] | None, count: int) -> Sequence[str | int]:
    """Return the label names, or the column numbers where there are none."""
    if labels is not None and len(labels) != count:
        raise DataError(f"{len(labels)} label names were given for {count} columns of targets.")
    return list(range(count) if labels is None else labels)


def class_codes(labels: ArrayLike, rows: int) -> NDArray[np.int64]:
    """Return one class per row, numbers or strings, as codes 0..classes−1 in sorted order of the classes."""
    array = np.asarray(labels)
    if array.ndim != 1 or len(array) != rows:
        raise DataError(f"labels must be one per row ({rows} rows), but the shape is {array.shape}.")
    return np.asarray(np.unique(array, return_inverse=True)[1], dtype=np.int64)
