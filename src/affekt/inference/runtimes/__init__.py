"""Runtimes: what computes a model's numbers. All that `Model` knows of one is the face below.

Texts come in normalised and numbers go out as numpy arrays, so that a model can run without torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from affekt.decisions import Calibration

BATCH_SIZE = 64

Floats = NDArray[np.float32]


class Runtime(Protocol):
    """Encoder, head and projection, wherever they run. Answers come in the order of the texts."""

    @property
    def dimension(self) -> int:
        """Width of the encoder's vectors."""
        ...

    @property
    def by_direction(self) -> bool:
        """Whether vectors are compared by direction; the lengths of others carry meaning."""
        ...

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""
        ...

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What gives this model's answers from the saved folder: "affekt" and perhaps other libraries."""
        ...

    def logits(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, k) logits, before calibration; ModelError without a classifier."""
        ...

    def vectors(
        self, texts: Sequence[str], *, projected: bool = False, batch_size: int = BATCH_SIZE
    ) -> Floats:
        """Return (n, d) vectors as the encoder or its projection makes them, of any length."""
        ...

    def both(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> tuple[Floats, Floats]:
        """Return logits and the encoder's vectors, every text encoded once."""
        ...

    def steady(self) -> Self:
        """Return a runtime whose answers do not depend on what else is asked with a text."""
        ...

    def to(self, device: str | None) -> Self:
        """Move to a device, by default to the best there is here; UsageError when there is no such device."""
        ...

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None,
        projected: bool,
    ) -> dict[str, Any]:
        """Write the weights into an existing folder and return what opening it must know."""
        ...
