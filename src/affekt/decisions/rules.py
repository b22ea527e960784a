"""Calibration and decisions as they are applied: a line, softmax or sigmoid, and thresholds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.decisions.conformal import LabelSets
from affekt.errors import DataError, ModelError, unknown_name
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Bools, Floats
from affekt.evaluation.prevalence import ScoreCells

KINDS = ("none", "temperature", "platt")
METHODS = ("fixed", "global", "global-jaccard", "per-label")
RULES = ("argmax", "threshold")

FIXED = 0.5  # the threshold where nothing is fitted


def check_thresholds(choice: object) -> str | float:
    """Return how thresholds come about: one of METHODS, or a number in [0, 1] for all labels.

    Raises:
        ValueError: When it is neither.
    """
    if isinstance(choice, int | float) and not isinstance(choice, bool):
        if not 0 <= choice <= 1:
            raise ValueError(f"{choice!r} is no threshold for probabilities; give a number from 0 to 1")
        return float(choice)
    if choice not in METHODS:
        said = unknown_name("threshold method", str(choice), METHODS)
        raise ValueError(f"{said.removesuffix('.')}, or a number from 0 to 1")
    return str(choice)


def way_name(way: str, decisions: Mapping[str, Any] | None) -> str:
    """Return what people call a way of deciding, "fixed" or "fitted", in a run that kept such decisions.

    >>> way_name("fixed", None), way_name("fitted", {"method": "fixed", "thresholds": [0.3]})
    ('thresholds at .5', 'calibrated, thresholds at .3')
    """
    at = f"thresholds at {plain_threshold(decisions)}"
    fitted = f"calibrated, {at}" if (decisions or {}).get("method") == "fixed" else "thresholds fitted on dev"
    return {"fixed": at, "fitted": fitted}.get(way, way)


def plain_threshold(decisions: Mapping[str, Any] | None) -> str:
    """Return the threshold of a run's "fixed" figures as it is written, from the decisions that the run kept.

    >>> plain_threshold({"method": "fixed", "thresholds": [0.3, 0.3]}), plain_threshold(None)
    ('.3', '.5')
    """
    kept = decisions or {}
    fixed = kept["thresholds"][0] if kept.get("method") == "fixed" and kept.get("thresholds") else FIXED
    return f"{fixed:g}".removeprefix("0") or "0"


@dataclass(frozen=True)
class Calibration:
    """A straight line per label from logits to calibrated logits."""

    kind: str  # "none", "temperature" (one slope, no intercepts) or "platt" (a line per label)
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(unknown_name("calibration", self.kind, KINDS))
        if len(self.slopes) != len(self.intercepts) or not self.slopes:
            raise ModelError(
                f"a calibration needs as many slopes as intercepts, at least one, "
                f"but has {len(self.slopes)} and {len(self.intercepts)}."
            )
        if not (np.isfinite(self.slopes + self.intercepts).all() and min(self.slopes) > 0):
            raise ModelError("calibration slopes must be positive numbers and intercepts finite ones.")

    @classmethod
    def none(cls, count: int) -> "Calibration":
        """Return the calibration of `count` labels that changes nothing."""
        return cls("none", (1.0,) * count, (0.0,) * count)

    def __call__(self, logits: ArrayLike) -> Floats:
        """Return (n, k) calibrated logits as float64."""
        values = arrays.matrix(logits, "logits").astype(np.float64)
        if values.shape[1] != len(self.slopes):
            raise DataError(f"logits of {values.shape[1]} labels meet a calibration of {len(self.slopes)}.")
        return np.asarray(values * self.slopes + self.intercepts)


@dataclass(frozen=True)
class Decisions:
    """How a model's logits become probabilities and labels."""

    rule: str  # "argmax" (single-label: the largest) or "threshold" (multi-label: all strictly above)
    thresholds: tuple[float, ...]  # one per label; empty for argmax
    calibration: Calibration
    method: str = "fixed"  # how the thresholds came about
    fitted_on: dict[str, str | int] = field(default_factory=dict)  # split, digest, n; empty if nothing was
    warnings: tuple[str, ...] = ()  # why fitted thresholds were not taken; what is too small to trust
    counted: ScoreCells | None = None  # dev by its scores, from which shares of labels are estimated
    sets: LabelSets | None = None  # with a promised coverage

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ModelError(unknown_name("decision rule", self.rule, RULES))
        if self.method not in METHODS:
            raise ModelError(unknown_name("threshold method", self.method, METHODS))
        expected = len(self.calibration.slopes) if self.rule == "threshold" else 0
        if len(self.thresholds) != expected:
            raise ModelError(
                f"{self.rule} decisions need {expected} thresholds, but have {len(self.thresholds)}."
            )
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ModelError("thresholds must lie between 0 and 1.")
        labels = len(self.calibration.slopes)
        if self.counted and self.counted.labels != labels:
            raise ModelError(f"dev was counted for {self.counted.labels} labels, but {labels} are decided.")

    @classmethod
    def unfitted(cls, count: int, *, single_label: bool, threshold: float = FIXED) -> "Decisions":
        """Return what holds before anything is fitted: argmax, or one threshold for all of `count` labels."""
        if single_label:
            return cls("argmax", (), Calibration.none(count))
        return cls("threshold", (threshold,) * count, Calibration.none(count))

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float32]:
        """Return (n, k) calibrated probabilities; (0, k) logits give (0, k)."""
        if np.ndim(logits) == 2 and not len(np.asarray(logits)):
            return np.zeros((0, len(self.calibration.slopes)), dtype=np.float32)
        calibrated = self.calibration(logits)
        argmax = self.rule == "argmax"
        spread = np.exp(calibrated - log_sum_exp(calibrated)[:, None]) if argmax else sigmoid(calibrated)
        return np.asarray(spread, dtype=np.float32)

    def decide(self, probabilities: ArrayLike) -> Bools:
        """Return (n, k) decisions: the largest of each row, or all strictly above their thresholds.

        Probabilities and thresholds are compared as float32: see `affekt.evaluation.arrays.decide`.
        """
        values = np.asarray(probabilities, dtype=np.float64)
        return arrays.decide(values, self.thresholds, single_label=self.rule == "argmax")

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers; warnings and counts of dev only where there are some."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(replace(self, counted=None, sets=None))))
        plain["counted"] = self.counted and self.counted.to_json()
        plain["sets"] = self.sets and self.sets.to_json()
        return {
            key: held for key, held in plain.items() if held or key not in ("warnings", "counted", "sets")
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Decisions":
        """Return the decisions of `to_json`; ModelError where something is missing or makes no sense."""
        try:
            line = plain["calibration"]
            slopes, intercepts, thresholds = (
                tuple(float(number) for number in numbers)
                for numbers in (line["slopes"], line["intercepts"], plain["thresholds"])
            )
            calibration = Calibration(line["kind"], slopes, intercepts)
            warnings = tuple(map(str, plain.get("warnings", ())))
            fitted_on = dict(plain["fitted_on"])
            counted = ScoreCells.from_json(plain["counted"]) if plain.get("counted") else None
            sets = LabelSets.from_json(plain["sets"]) if plain.get("sets") else None
            return cls(
                plain["rule"], thresholds, calibration, plain["method"], fitted_on, warnings, counted, sets
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, DataError) as fault:
            raise ModelError(f"stored decisions cannot be read ({fault!r}); save the model again.") from fault


def sigmoid(logits: Floats | float) -> Floats:
    """Return the probability of each label by itself."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))))


def log_sum_exp(logits: Floats) -> Floats:
    """Return (n,) what (n, k) logits are to be lessened by for their exponentials to sum to 1."""
    top = logits.max(axis=1)
    return np.asarray(top + np.log(np.exp(logits - top[:, None]).sum(axis=1)))
