"""The cascade runtime: a fast model first, and of what it is unsure a slower one."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from affekt.decisions import Calibration, Decisions
from affekt.errors import ModelError, UsageError
from affekt.evaluation.intervals import wilson
from affekt.inference.runtimes import BATCH_SIZE, Floats, Runtime
from affekt.text import normalize

STAGES = FIRST, SECOND = "first", "second"  # folders of the two models, whole ones


@dataclass(frozen=True)
class Rule:
    """Which texts go on to the second model, as fitted on dev; a model's card has it."""

    limit: float  # texts of more doubt go on
    share: float  # of dev's texts that went on, with its 95 % interval
    low: float
    high: float
    agreement: float  # share of dev's texts given the second's labels, with its 95 % interval
    agreement_low: float
    agreement_high: float

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Rule":
        """Return what a card holds."""
        return cls(**{name: float(value) for name, value in said.items()})


@dataclass(frozen=True)
class Stage:
    """One of the two models: what computes it, how it decides, and how texts are normalised for it."""

    runtime: Runtime
    decisions: Decisions
    style: str

    def prepared(self, texts: Sequence[str]) -> list[str]:
        """Return texts as its runtime reads them."""
        return [normalize(text, self.style) for text in texts]

    def calibrated(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, k) calibrated logits."""
        logits = self.runtime.logits(self.prepared(texts), batch_size=batch_size)
        return self.decisions.calibration(logits).astype(np.float32) if len(logits) else logits

    def doubts(self, calibrated: Floats) -> Floats:
        """Return for each text how many of its labels are decided wrongly, as its probabilities expect."""
        plain = replace(self.decisions, calibration=Calibration.none(calibrated.shape[1]))
        probabilities = plain.probabilities(calibrated)
        held = plain.decide(probabilities) if len(probabilities) else probabilities > 0
        doubts: Floats = np.where(held, 1 - probabilities, probabilities).sum(axis=1)
        return doubts


class CascadeRuntime:
    """A `Runtime` whose logits are the calibrated ones of the model that decides a text.

    Vectors are the second's, so that all are of one space. It counts texts, those seen and those passed on.
    """

    def __init__(self, folder: Path, rule: Rule, first: Stage, second: Stage) -> None:
        self.folder, self.rule, self.first, self.second = folder, rule, first, second
        self.seen = self.passed = 0

    @property
    def dimension(self) -> int:
        """Width of the second's vectors."""
        return self.second.runtime.dimension

    @property
    def by_direction(self) -> bool:
        """Whether the second's vectors are compared by direction."""
        return self.second.runtime.by_direction

    @property
    def device(self) -> str:
        """Where the second computes."""
        return self.second.runtime.device

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What gives this model's answers from the saved folder."""
        return ("affekt",)

    def logits(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, k) calibrated logits, the first's or the second's."""
        found = self.first.calibrated(texts, batch_size=batch_size)
        passed = np.flatnonzero(self.first.doubts(found) > self.rule.limit).tolist()
        if passed:
            found[passed] = self.second.calibrated([texts[i] for i in passed], batch_size=batch_size)
        self.seen, self.passed = self.seen + len(texts), self.passed + len(passed)
        return found

    def vectors(
        self, texts: Sequence[str], *, projected: bool = False, batch_size: int = BATCH_SIZE
    ) -> Floats:
        """Return the second's vectors."""
        prepared = self.second.prepared(texts)
        return self.second.runtime.vectors(prepared, projected=projected, batch_size=batch_size)

    def both(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> tuple[Floats, Floats]:
        """Return what `logits` and `vectors` give."""
        return self.logits(texts, batch_size=batch_size), self.vectors(texts, batch_size=batch_size)

    def notes(self) -> list[str]:
        """Return a sentence where the share passed on so far is not dev's, by more than chance explains."""
        low, high = wilson(self.passed, self.seen)
        if low <= self.rule.high and high >= self.rule.low:
            return []
        return [
            f"{self.passed / self.seen:.1%} of the texts went on to the second model, and of dev's "
            f"{self.rule.share:.1%}: they are not of dev's kind, so more may be lost than was allowed"
        ]

    def steady(self) -> "CascadeRuntime":
        """Return one of both models' steady runtimes."""
        stages = (replace(one, runtime=one.runtime.steady()) for one in (self.first, self.second))
        return CascadeRuntime(self.folder, self.rule, *stages)

    def to(self, device: str | None) -> Self:
        """Move the second to a device, and the first where it can."""
        self.second.runtime.to(device)
        with suppress(UsageError):  # a fast one may run on a processor alone
            self.first.runtime.to(device)
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
        """Copy both models into an existing folder and return what opening it must know."""
        if projected:
            raise ModelError("a cascade is of two models; save its second one projected.")
        for name in STAGES:
            shutil.copytree(self.folder / name, folder / name)
        return {"cascade": asdict(self.rule)}
