"""What runtimes without torch share: the processor is their device, and vectors are compared by direction."""

from copy import copy
from typing import ClassVar, Self

from affekt.errors import UsageError


class OnProcessor:
    """The part of a `Runtime` that no weights decide, of one that computes on the processor.

    Attributes:
        what: What is run, as a sentence names it.
    """

    what: ClassVar[str]
    _alone = False  # whether every text goes through by itself

    @property
    def by_direction(self) -> bool:
        """Whether vectors are compared by direction: those of transformers and mean ones are."""
        return True

    @property
    def device(self) -> str:
        """Where it computes."""
        return "cpu"

    def steady(self) -> Self:
        """Return a runtime through which every text goes by itself, so that no other changes its answer."""
        steady = copy(self)
        steady._alone = True
        return steady

    def to(self, device: str | None) -> Self:
        """Stay on the processor; UsageError for another device."""
        if device not in {None, "cpu"}:
            raise UsageError(f"device {device!r} cannot be used: {self.what} runs on cpu; leave it out.")
        return self
