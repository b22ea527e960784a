"""What the labels of one data set are among those of another, as known data sets state it."""

from collections.abc import Sequence

from affekt.data.known import DATASETS
from affekt.errors import DataError


def mapping_to(name: str, labels: Sequence[str], known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return which of a model's labels stand for each label of a data set that it was not trained on.

    A known data set states it for models with the labels of another one, some of which may stand for none of
    its own; labels of its own that nothing stands for are left out. Otherwise, where the model has all labels
    of the data by the same names, each stands for itself.

    Args:
        name: Of the data set.
        labels: The data set's labels.
        known: The model's labels.

    Raises:
        DataError: Where no mapping is stated.
    """
    sources = DATASETS[name].sources if name in DATASETS else {}
    for source, stated in sources.items():
        if set(known) == set(DATASETS[source].labels):
            return {label: stated[label] for label in labels if label in stated}
    if set(labels) <= set(known):
        return {label: (label,) for label in labels}
    stated_for = ", ".join(other for other, one in DATASETS.items() if one.sources)
    raise DataError(
        f"{name}: no mapping is stated from {', '.join(known[:3])}… to its labels; these must be among the "
        f"model's, or it must be one of {stated_for} with a model of goemotions."
    )
