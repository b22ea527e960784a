"""The metrics of a run: their form, the split that final figures are of, the space's figures by name."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affekt.errors import DataError

Metrics = dict[str, Any]

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Numbers = dict[str, _Number | None]


class _Part(BaseModel):
    """What later verbs read of an object: most may be absent or null, and more may stand there."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Figure(_Part):
    value: _Number
    low: _Number | None = None
    high: _Number | None = None


_Figures = dict[str, _Figure | _Number]
_Decided = dict[str, dict[str, _Figure | None]]  # by way of deciding


class _Split(_Part):
    n: _Count | None = None
    label_counts: dict[str, _Number] | None = None
    mean_words: _Number | None = None


class _Data(_Part):
    name: str | None = None
    digest: str | None = None
    single_label: bool | None = None
    labels: list[str] | None = None
    splits: dict[str, _Split] | None = None
    skipped: list[dict[str, Any]] | None = None


class _Encoder(_Part):
    kind: str | None = None
    name: str | None = None
    parameters: _Count | None = None
    dimension: _Count | None = None


class _Timing(_Part):
    epochs: _Count | None = None
    seconds_per_epoch: list[_Number] | None = None
    total_seconds: _Number | None = None
    peak_memory_mb: _Number | None = None


class _Calibration(_Part):
    kind: str | None = None
    slopes: list[_Number] | None = None
    intercepts: list[_Number] | None = None


class _FittedOn(_Part):
    split: str | None = None
    digest: str | None = None
    n: _Count | None = None


class _Decisions(_Part):
    rule: str | None = None
    thresholds: list[_Number] | None = None
    method: str | None = None
    calibration: _Calibration | None = None
    fitted_on: _FittedOn | None = None


class _Published(_Part):
    metric: str
    value: _Number
    encoder: str | None = None
    source: str | None = None
    thresholds: str | None = None


_Carried = Annotated[tuple[str, str, _Number], Field(strict=False)]  # in JSON a list


class _Example(_Part):
    text: str | None = None
    scores: dict[str, _Number] | None = None
    why: list[_Carried] | None = None


class _Clustering(_Part):
    """Figures of the space, and of how many rows and dimensions they are."""

    __pydantic_extra__: _Figures = Field(init=False)
    n: _Count
    dimension: _Count


class _Metrics(_Part):
    affekt: str | None = None
    name: str | None = None
    row: str | None = None
    status: str | None = None
    seed: int | None = None
    command: str | None = None
    created: str | None = None
    data: _Data | None = None
    encoder: _Encoder | None = None
    objective: dict[str, Any] | None = None
    hardware: dict[str, Any] | None = None
    timing: _Timing | None = None
    decisions: _Decisions | None = None
    dev: _Decided | None = None
    test: _Decided | None = None
    per_label: dict[str, dict[str, _Numbers]] | None = None
    calibration: dict[str, dict[str, Any]] | None = None
    clustering: _Clustering | None = None
    retrieval: _Figures | None = None
    overlap_retrieval: _Figures | None = None
    space_shift: _Figures | None = None
    space_intervals: dict[str, _Numbers] | None = None
    baselines: dict[str, _Numbers] | None = None
    leaks: dict[str, dict[str, _Count]] | None = None
    task: str | None = None
    tasks: "dict[str, _Metrics] | None" = None
    warnings: list[str] | None = None
    published: list[_Published] | None = None
    examples: list[_Example] | None = None


class _Epoch(_Part):
    """An entry of the history, in which a loss may have become what is no number."""

    epoch: _Count | None = None
    step: _Count | None = None
    train_loss: float | None = None
    terms: dict[str, float] | None = None
    dev_loss: float | None = None
    dev: dict[str, float] | None = None
    seconds: _Number | None = None
    learning_rate: _Number | None = None


def check_epoch(entry: Any, where: str) -> None:
    """Refuse an entry of history.jsonl as `check_metrics` does metrics.json."""
    check_metrics(entry, where, _Epoch)


def check_metrics(metrics: Any, where: str, form: type[_Part] = _Metrics) -> None:
    """Refuse what is not of the form of metrics.json, so that whoever reads it can rely on it.

    Raises:
        DataError: With the first key that is wrong; `where` names the file.
    """
    try:
        form.model_validate(metrics)
    except ValidationError as fault:
        first = fault.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if not str(part).startswith("_"))
        raise DataError(
            f"{where}: {key or 'the whole'} is not as training writes it ({first['msg'].lower()}); "
            "train again or restore the file."
        ) from fault


def judged_split(metrics: Metrics) -> str:
    """Return the split that a run's final figures are of: test where it was read, else dev.

    An encoder without a classifier has figures of its space alone, and they are of test where there is one.
    """
    if metrics.get("test"):
        return "test"
    splits = (metrics.get("data") or {}).get("splits") or {}
    return "test" if not metrics.get("dev") and "test" in splits else "dev"


def judged_texts(metrics: Metrics) -> str:
    """Return the digest of the texts and labels that final figures are of; empty where none was recorded."""
    digests = str((metrics.get("data") or {}).get("digest") or "").split("-")
    split = f"{judged_split(metrics)}:"
    return next((one.removeprefix(split) for one in digests if one.startswith(split)), "")


def headline(metrics: Metrics) -> str:
    """Return the way of deciding whose final figures come first: the one with the higher macro-F1 on dev.

    Thresholds fitted on dev flatter themselves there, so where .5 does as well or better, it is .5: "fixed".
    """
    dev, final = metrics.get("dev") or {}, metrics.get(judged_split(metrics)) or {}
    scores = {way: ((dev.get(way) or {}).get("f1_macro") or {}).get("value") for way in final}
    known = {way: score for way, score in scores.items() if score is not None}
    best = max(known, key=lambda way: known[way], default="")
    return best or ("fitted" if "fitted" in final else next(iter(final), "fixed"))


def space_by_name(metrics: Metrics) -> dict[str, Any]:
    """Return a run's figures of its space in one dict; overlap_ marks those of texts that share a label.

    "n" is of the rows that were clustered.
    """
    parts = [metrics.get(part) or {} for part in ("space_shift", "retrieval", "clustering")]
    overlap = metrics.get("overlap_retrieval") or {}
    flat = {name: value for part in parts for name, value in part.items()}
    return flat | {f"overlap_{name}": value for name, value in overlap.items()}


def space_figures(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Return the same, each as "value", with "low" and "high" where an interval was measured."""
    intervals = metrics.get("space_intervals") or {}
    return {
        name: {"value": value, **intervals.get(name, {})} for name, value in space_by_name(metrics).items()
    }


def space_part(metrics: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the figures of one part, such as "retrieval", with their intervals where there are any."""
    intervals = metrics.get("space_intervals") or {}
    prefix = "overlap_" if part == "overlap_retrieval" else ""
    return {
        name: {"value": value, **intervals[prefix + name]} if prefix + name in intervals else value
        for name, value in (metrics.get(part) or {}).items()
    }
