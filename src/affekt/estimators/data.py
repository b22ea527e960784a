"""What scikit-learn hands to an estimator: texts and labels in all the forms they come in there."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets

from affekt.data.corpus import Corpus
from affekt.data.targets import is_blank, multi_hot
from affekt.errors import DataError, check_several
from affekt.evaluation.arrays import all_shares

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
_LISTS = (Sequence, set, frozenset, np.ndarray)


class InputError(DataError, ValueError):
    """Texts or labels that an estimator cannot use; a ValueError too, as scikit-learn's own checks raise."""


@contextmanager
def faults_as_values() -> Iterator[None]:
    """Turn faults of the data into the kind of fault that scikit-learn's callers look for."""
    try:
        yield
    except InputError:
        raise
    except DataError as fault:
        raise InputError(str(fault)) from fault


def read_texts(values: Any, *, some: bool = False) -> list[str]:
    """Return texts from a list, an array, a series, or a frame or array of one column.

    Args:
        values: The texts.
        some: Whether there must be at least one.

    Raises:
        InputError: Where they are something else; names the first entry that is no text.
    """
    check_several("texts", values, InputError)
    shape: tuple[int, ...] = getattr(values, "shape", (0,))
    if len(shape) == 2 and shape[1] == 1:
        values = np.asarray(values)[:, 0]
    elif len(shape) == 2:
        which = f": {', '.join(map(str, values.columns))}" if hasattr(values, "columns") else ""
        raise InputError(
            f"texts must be one column, and there are {shape[1]}{which}; pass the one with the texts."
        )
    elif len(shape) != 1:
        raise InputError(f"texts must be one column of strings, not an array of shape {tuple(shape)}.")
    rows = _entries(values)
    for i, text in enumerate(rows):
        if not isinstance(text, str):
            shown = "missing" if _is_missing(text) else f"{type(text).__name__} {text!r:.40}"
            raise InputError(f"text {i} is {shown}, not a string; fill or drop such rows first.")
    if some and not rows:
        raise InputError("there are no texts to learn from.")
    return [str(text) for text in rows]  # numpy's strings become plain ones


def _entries(values: Any) -> list[Any]:
    """Return a list of plain Python values from a list, array, series or any iterable."""
    for method in ("to_pylist", "to_list", "tolist"):  # pyarrow, pandas and polars, numpy
        if hasattr(values, method):
            return list(getattr(values, method)())
    try:
        return list(values)
    except TypeError:
        raise InputError(f"a list, an array or a series is wanted, not {type(values).__name__}.") from None


def _is_missing(value: Any) -> bool:
    nothing = value is None or type(value).__name__ in ("NAType", "NaTType")
    return nothing or (isinstance(value, float) and value != value)


@dataclass(frozen=True)
class Labels:
    """Labels as targets."""

    targets: Floats  # (n, k) in [0, 1]
    classes: npt.NDArray[Any]  # (k,) what the columns are called, in the type that the labels had
    single: bool  # whether each text has exactly one

    def corpus(self, texts: list[str]) -> Corpus:
        """Return a corpus of texts with these labels."""
        if len(texts) != len(self.targets):
            raise InputError(f"there are {len(texts)} texts and labels for {len(self.targets)}.")
        ids = [str(row) for row in range(len(texts))]
        return Corpus(texts, self.targets, tuple(map(str, self.classes)), self.single, ids, name="y")


def read_labels(values: Any) -> Labels:
    """Return labels from one name or number per text, a list of names per text, or an (n, k) matrix.

    The form decides whether a text may have several labels, never what stands in a row. Nested lists of
    numbers are a matrix, as they are to scikit-learn; a frame's columns name the labels.
    """
    if values is None:
        raise InputError("this estimator requires y to be passed, but the target y is None.")
    if hasattr(values, "toarray"):  # a sparse matrix
        values = values.toarray()
    shape: tuple[int, ...] = getattr(values, "shape", ())
    if len(shape) == 2 and shape[1] != 1:
        return _matrix(np.asarray(values), getattr(values, "columns", None))
    if len(shape) == 2:
        if not hasattr(values, "columns"):  # as scikit-learn does
            said = "A column-vector y was passed when a 1d array was expected; each value is taken for one "
            warnings.warn(said + "label.", DataConversionWarning, stacklevel=3)
        values = np.asarray(values)[:, 0]
    entries = _entries(values)
    several = any(isinstance(entry, _LISTS) and not isinstance(entry, str) for entry in entries)
    return _nested(entries) if several else _one_each(entries)


def _matrix(values: npt.NDArray[Any], names: Iterable[Any] | None = None) -> Labels:
    try:
        targets = values.astype(np.float32)
    except (TypeError, ValueError):
        raise InputError(
            "a matrix of labels must hold 0 and 1 or shares; pass names as a list per text."
        ) from None
    if not all_shares(targets):
        raise InputError("a matrix of labels must hold 0 and 1 or shares in [0, 1], one column per label.")
    classes = np.arange(targets.shape[1]) if names is None else np.array([str(name) for name in names])
    return Labels(targets, classes, single=False)


def _nested(entries: list[Any]) -> Labels:
    """Lists of names, or a matrix as nested lists of numbers."""
    for i, entry in enumerate(entries):
        if isinstance(entry, str) or not hasattr(entry, "__iter__"):
            raise InputError(
                f"labels[{i}] is {entry!r:.40} where other texts have a list; make every entry a list."
            )
    rows = [tuple(entry) for entry in entries]
    kinds = {isinstance(member, str) for row in rows for member in row}
    if len(kinds) > 1:
        raise InputError("lists of labels hold both strings and numbers; label names are strings.")
    if kinds == {False}:
        if len({len(row) for row in rows}) > 1:
            raise InputError("lists of numbers are rows of a matrix and must be of one length.")
        return _matrix(np.array(rows))
    blank = [i for i, row in enumerate(rows) if any(map(is_blank, row))]
    if blank:
        raise InputError(f"labels[{blank[0]}] holds an empty name; leave it out: [] means no label.")
    classes = sorted({name for row in rows for name in row})
    return Labels(multi_hot(rows, classes), np.array(classes, dtype=str), single=False)


def _one_each(entries: list[Any]) -> Labels:
    for row, entry in enumerate(entries):
        if _is_missing(entry) or (isinstance(entry, str) and is_blank(entry)):
            raise InputError(f"labels[{row}] is missing; fill or drop such rows first.")
    if len({isinstance(entry, str) for entry in entries}) > 1:
        raise InputError("labels are partly strings and partly numbers; make them all one or the other.")
    values = np.array(entries)
    try:
        check_classification_targets(values)
    except ValueError as fault:
        raise InputError(str(fault)) from fault
    classes, which = np.unique(values, return_inverse=True)
    return Labels(np.eye(len(classes), dtype=np.float32)[which], classes, single=True)


def label_rows(values: Any, classes: npt.NDArray[Any]) -> tuple[Bools, Bools]:
    """Return which of known classes each text has, (n, k), and (n,) whether that is all it has."""
    labels = read_labels(values)
    held = labels.targets > 0.5
    if labels.classes.dtype.kind != "U":  # a matrix, in the order of the classes
        if held.shape[1] != len(classes):
            raise InputError(
                f"y has {held.shape[1]} columns, and the classifier knows {len(classes)} labels."
            )
        return held, np.ones(len(held), dtype=np.bool_)
    same = labels.classes[:, None] == classes.astype(str)
    return held @ same, np.asarray(~held[:, ~same.any(axis=1)].any(axis=1))


def read_weights(values: Any, count: int) -> npt.NDArray[np.float64]:
    """Return (count,) weights of rows, 0 or more, at least one above 0."""
    try:
        weights = np.asarray(_entries(values), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("sample_weight must be numbers, one per text.") from None
    if weights.shape != (count,):
        raise InputError(
            f"sample_weight must be one number per text ({count}), not of shape {weights.shape}."
        )
    if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
        raise InputError("sample_weight must be numbers from 0 up, not all of them 0.")
    return weights
