"""Labels and texts at hand as label matrices: names, lists, arrays and frames."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from affekt.errors import DataError, check_several, unknown_name

Targets = npt.NDArray[np.float32]

_BLANK = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # control and format characters, spaces


def is_blank(text: str) -> bool:
    r"""Whether a text shows nothing: only spaces, control and invisible characters.

    >>> is_blank(" \u200b\x00"), is_blank("🙂")
    (True, False)
    """
    return all(unicodedata.category(character) in _BLANK for character in text)


# --- labels by name, and their matrix


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names sorted, numbers by size.

    >>> in_order(["10", "9"]), in_order(["joy", "10", "9"])
    (('9', '10'), ('10', '9', 'joy'))
    """
    names = list(names)
    numbers = all(re.fullmatch(r"-?\d+", name) for name in names)
    return tuple(sorted(sorted(names), key=int) if numbers else sorted(names))


def multi_hot(rows: Sequence[tuple[str, ...]], names: Sequence[str]) -> Targets:
    """Return the (n, k) matrix of rows of label names."""
    place = {name: index for index, name in enumerate(names)}
    kinds = {kind: index for index, kind in enumerate(dict.fromkeys(rows))}  # rows repeat: laid out once
    laid_out = np.zeros((len(kinds), len(names)), dtype=np.float32)
    for kind, index in kinds.items():
        laid_out[index, [place[label] for label in kind]] = 1.0
    return laid_out[list(map(kinds.__getitem__, rows))]


# --- texts and labels at hand


def text_list(texts: Iterable[str]) -> list[str]:
    """Return texts as a list, after checking that each is one."""
    check_several("texts", texts)
    rows = [str(text) if isinstance(text, str) else text for text in texts]  # numpy's strings become plain
    for position, text in enumerate(rows):
        if not isinstance(text, str):
            raise DataError(f"texts[{position}] is {type(text).__name__} {text!r:.40}, not a string")
    return rows


def label_matrix(
    labels: Any, n: int, label_names: Sequence[str] | None, single_label: bool | None
) -> tuple[Targets, tuple[str, ...], bool]:
    """Return the (n, k) targets, the k label names, and whether rows have exactly one label.

    Args:
        labels: One label per text, a list of labels per text, an (n, k) array or frame, or None.
        n: How many texts there are.
        label_names: The label space, or None for the columns of a frame, else the labels that occur.
        single_label: As declared, or None for what the form of `labels` says.
    """
    if labels is None:
        return np.zeros((n, 0), dtype=np.float32), (), False
    if label_names is None and _is_table(labels):
        # what a frame of pandas, polars or pyarrow calls its columns; None for an array
        columns = getattr(labels, "column_names", getattr(labels, "columns", None))
        label_names = None if columns is None else [str(name) for name in columns]
    labels = _plain(labels)
    if len(labels) != n:
        raise DataError(f"there are {n} texts and {len(labels)} entries of labels; they must be as many")
    if isinstance(labels, np.ndarray):
        targets, k = labels, labels.shape[1]
        names = tuple(label_names) if label_names is not None else tuple(map(str, range(k)))
        if len(names) != k:
            raise DataError(f"the labels have {k} columns and there are {len(names)} label names")
        single = bool(single_label)
    else:
        targets, names, single = _names(labels, label_names, single_label)
    _check_targets(targets, single)
    return targets, names, single


def _is_table(labels: Any) -> bool:
    return len(getattr(labels, "shape", ())) == 2


def _plain(labels: Any) -> Any:
    """Return a 2-d numeric array or frame as an array, anything else as a list."""
    check_several("labels", labels)
    if not hasattr(labels, "__array__") and not isinstance(labels, Sequence):
        labels = list(labels)
    if _is_table(labels):
        try:
            return np.asarray(labels, dtype=np.float32)
        except (TypeError, ValueError) as fault:
            raise DataError(f"a table of labels must hold numbers: {fault}") from fault
    return labels.tolist() if hasattr(labels, "tolist") else list(labels)


def _names(
    labels: Sequence[Any], label_names: Sequence[str] | None, single_label: bool | None
) -> tuple[Targets, tuple[str, ...], bool]:
    kinds = {isinstance(entry, str) or not isinstance(entry, Iterable) for entry in labels}
    if len(kinds) > 1:
        raise DataError("labels hold both single labels and lists of labels; make every entry a list")
    one_each = kinds == {True}
    rows = [[entry] if one_each else list(entry) for entry in labels]
    declared = tuple(map(str, label_names)) if label_names is not None else None
    named = [tuple(_name(label, row, declared) for label in entry) for row, entry in enumerate(rows)]
    names = declared or in_order({label for entry in named for label in entry})
    return multi_hot(named, names), names, one_each if single_label is None else single_label


def _name(label: Any, row: int, names: tuple[str, ...] | None) -> str:
    """Return a label's name; a whole number counts into the declared names."""
    if label is None or label != label or (isinstance(label, str) and is_blank(label)):
        raise DataError(f"labels[{row}] is empty")
    if isinstance(label, bool | np.bool_) or (isinstance(label, float) and label.is_integer()):
        label = int(label)
    name = str(label)
    if names is None or name in names:
        return name
    if isinstance(label, int | np.integer) and 0 <= label < len(names):
        return names[label]
    raise DataError(f"labels[{row}] holds an {unknown_name('label', name, names)}")


def _check_targets(targets: Targets, single_label: bool) -> None:
    wrong = ~((targets >= 0) & (targets <= 1)).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"labels[{row}] holds {targets[row].tolist()}, which is not all in [0, 1]")
    off = np.abs(targets.sum(axis=1) - 1) > 1e-3
    if single_label and off.any():
        row = int(off.argmax())
        raise DataError(f"labels[{row}] sums to {targets[row].sum():g} where exactly one label is wanted")
