"""Cascades: a fast model with an exact one behind it, fitted on dev, and whether their promise holds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from affekt.data.corpus import Corpus
from affekt.decisions import Calibration, Decisions
from affekt.errors import DataError, ModelError, UsageError
from affekt.evaluation.intervals import wilson
from affekt.files import CARD
from affekt.inference.export import fitted_anew, macro_f1
from affekt.inference.model import Model, load
from affekt.inference.runtimes.cascade import FIRST, SECOND, CascadeRuntime, Rule, Stage

LOSS = 0.01  # of macro-F1 on dev, the most that a cascade may lose unless told
_SHARES = np.linspace(1, 0, 51)  # of dev passed on, those that are tried


def cascade(
    first: str | Path, second: str | Path, out: str | Path, dev: Corpus, *, loss: float = LOSS
) -> Model:
    """Write a folder with two models, of which the second reads what the first is unsure of, and open it.

    A text's doubt is the number of its labels that the first decides wrongly, as its calibrated probabilities
    expect. As few of dev's texts go on as cost at most `loss` of the second's macro-F1 on dev, thresholds
    being fitted anew to the answers of both; `about["cascade"]` says what that gave.

    Args:
        first: A fast model, as a static one.
        second: The exact model, of the same labels in the same order.
        out: A new folder, or one with an older model, which is replaced once the new one is whole. It holds
            both models, so that it can be moved.
        dev: Labelled texts that neither has learned from.
        loss: How much macro-F1 on dev may be lost.

    Raises:
        ModelError: When the labels are not the same, or only the second alone loses so little.
        DataError: When dev has other labels than the models.
        UsageError: When `out` holds other files.
    """
    path, exact = Path(out), load(second)
    fast = load(first)
    _check(path, fast, exact, dev)
    one, two = (Stage(model.runtime, model.deciding(), model.style) for model in (fast, exact))
    quick, slow = one.calibrated(dev.texts), two.calibrated(dev.texts)
    alone, own = (
        replace(stage.decisions, calibration=Calibration.none(len(dev.labels))) for stage in (one, two)
    )
    doubts = one.doubts(quick)
    before = macro_f1(own, slow, dev)
    chosen: tuple[Rule, Decisions, float] | None = None
    for limit in _limits(doubts):
        passed = doubts > limit
        mixed = np.where(passed[:, None], slow, quick)
        decisions = fitted_anew(exact, mixed, dev, calibration="none")
        after = macro_f1(decisions, mixed, dev)
        if before - after > loss:
            break
        if not passed.all():
            same = (_decided(decisions, mixed) == _decided(own, slow)).all(axis=1)
            chosen = _rule(limit, passed, same), decisions, after
    if chosen is None:
        raise ModelError(
            f"within {loss:g} of macro-F1 the first model decides nothing; nothing was written: allow more, "
            "train a better first one, or use the second alone."
        )
    rule, decisions, after = chosen
    about = {
        "dev": dev.digest,
        "n": len(dev),
        "loss_allowed": loss,
        "f1_macro": {"first": macro_f1(alone, quick, dev), "second": before, "cascade": after},
        "passed_on": {"value": rule.share, "low": rule.low, "high": rule.high},
        "agreement": {"value": rule.agreement, "low": rule.agreement_low, "high": rule.agreement_high},
    }
    with TemporaryDirectory() as place:
        fast.save(Path(place) / FIRST)
        exact.save(Path(place) / SECOND)
        runtime = CascadeRuntime(Path(place), rule, one, two)
        known = exact.about | {"cascade": about}
        Model(runtime, exact.labels, exact.single_label, decisions, about=known).save(path)
    return load(path)


def cascade_notes(model: Model) -> list[str]:
    """Return what a cascade has to say of the texts that it has read; of another model nothing."""
    runtime: Any = getattr(model.runtime, "inner", model.runtime)
    return runtime.notes() if isinstance(runtime, CascadeRuntime) else []


def check_second(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """Return on how many of some texts a cascade gives the labels of its second model alone.

    Returns:
        "n"; "agreement", a share with its 95 % interval: "value", "low", "high"; "promised", dev's; and
        "holds", whether the two intervals meet.

    Raises:
        UsageError: When the model is no cascade.
    """
    if not isinstance(model.runtime, CascadeRuntime):
        raise UsageError(
            "check: only a cascade, by its own labels, has a second model to be checked by; leave it out."
        )
    second, rule = load(model.runtime.folder / SECOND), model.runtime.rule
    ours, theirs = ([set(one.labels) for one in made.predict(texts)] for made in (model.steady(), second))
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    low, high = wilson(same, len(texts))
    return {
        "n": len(texts),
        "agreement": {"value": same / max(len(texts), 1), "low": low, "high": high},
        "promised": {"value": rule.agreement, "low": rule.agreement_low, "high": rule.agreement_high},
        "holds": high >= rule.agreement_low,
    }


def _check(path: Path, first: Model, second: Model, dev: Corpus) -> None:
    """Raise what stands against a cascade of two models in a folder, fitted on dev."""
    if path.is_dir() and any(path.iterdir()) and not (path / CARD).exists():
        raise UsageError(f"{path}: holds other files, which a cascade would replace; name a new folder.")
    if (first.labels, first.single_label) != (second.labels, second.single_label):
        raise ModelError(
            f"the first model has the labels {', '.join(first.labels) or '(none)'}, and the second "
            f"{', '.join(second.labels) or '(none)'}; a cascade is of two with the same, in the same order."
        )
    second.deciding()
    if tuple(dev.labels) != second.labels:
        raise DataError(
            f"{dev.name}: has the labels {', '.join(dev.labels)}, not the models'; give data that has."
        )


def _decided(decisions: Decisions, logits: np.ndarray) -> np.ndarray:
    return decisions.decide(decisions.probabilities(logits))


def _rule(limit: float, passed: np.ndarray, same: np.ndarray) -> Rule:
    shares = [value for held in (passed, same) for value in (held.mean(), *wilson(held.sum(), len(held)))]
    return Rule(limit, *map(float, shares))


def _limits(doubts: np.ndarray) -> list[float]:
    """Return limits beyond which ever fewer texts stand, the first below all; each between two doubts."""
    falling = np.sort(doubts.astype(np.float64))[::-1]
    counts = sorted({round(share * len(doubts)) for share in _SHARES}, reverse=True)
    inner = [float(falling[at - 1 : at + 1].mean()) for at in counts if 0 < at < len(doubts)]
    return [-1.0, *inner, float(falling[0])]
