"""A runtime by coarser labels, over any other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from affekt.decisions import Calibration
from affekt.decisions.groups import Groups
from affekt.errors import UsageError
from affekt.inference.runtimes import BATCH_SIZE, Floats, Runtime


@dataclass(frozen=True)
class GroupedRuntime:
    """A `Runtime` whose labels are groups of those of another one."""

    inner: Runtime
    groups: Groups

    @property
    def dimension(self) -> int:
        """Width of the encoder's vectors."""
        return self.inner.dimension

    @property
    def by_direction(self) -> bool:
        """Whether vectors are compared by direction."""
        return self.inner.by_direction

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.inner.device

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What opens the folder of the model it is over."""
        return self.inner.opens_in

    def logits(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, g) logits of the groups."""
        return self.groups.logits(self.inner.logits(texts, batch_size=batch_size))

    def vectors(
        self, texts: Sequence[str], *, projected: bool = False, batch_size: int = BATCH_SIZE
    ) -> Floats:
        """Return (n, d) vectors, those of the other."""
        return self.inner.vectors(texts, projected=projected, batch_size=batch_size)

    def both(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> tuple[Floats, Floats]:
        """Return logits of the groups and the vectors."""
        logits, vectors = self.inner.both(texts, batch_size=batch_size)
        return self.groups.logits(logits), vectors

    def steady(self) -> "GroupedRuntime":
        """Return one over the other's steady runtime."""
        return replace(self, inner=self.inner.steady())

    def to(self, device: str | None) -> Self:
        """Move the other to a device."""
        self.inner.to(device)
        return self

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None,
        projected: bool,
    ) -> dict[str, Any]:
        """Refuse, since its weights are another model's: that one is to be saved."""
        raise UsageError("a model by coarser labels is not saved; save the model that it was made of.")
