"""The column of scored rows that holds each text's set of labels of a promised coverage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from affekt.data.writing import SEPARATOR, free_name
from affekt.decisions import Decisions
from affekt.decisions.conformal import promised
from affekt.inference.model import Model


@dataclass(frozen=True)
class SetColumn:
    """A further column of scored rows: the set of labels of a promised coverage.

    Attributes:
        name: What no column of the file is called.
        coverage: What is promised, see `Model.sets`.
        joined: Whether its cells hold no lists, but names parted by `SEPARATOR`.
    """

    name: str
    coverage: float
    joined: bool

    @classmethod
    def beside(cls, columns: Iterable[str], coverage: float, kind: str, decisions: Decisions) -> "SetColumn":
        """Return the column for a file of a kind; ModelError for a model that knows no sets."""
        promised(decisions.sets, coverage)
        return cls(free_name("set", set(columns)), coverage, "sv" in kind)

    def added(
        self, columns: Iterable[str], types: Mapping[str, pa.DataType]
    ) -> tuple[tuple[str, ...], dict[str, pa.DataType]]:
        """Return columns with this one after them, and the Arrow types of all."""
        return (*columns, self.name), {**types, self.name: pa.list_(pa.string())}

    def filled(
        self, model: Model, rows: Sequence[Mapping[str, Any]], probabilities: np.ndarray
    ) -> list[dict[str, Any]]:
        """Return rows with their sets; None for a text without probabilities or with too wide a set."""
        sets = model.sets_of(probabilities, self.coverage)
        cells = [SEPARATOR.join(one) if one and self.joined else one for one in sets]
        return [{**row, self.name: cell} for row, cell in zip(rows, cells, strict=True)]
