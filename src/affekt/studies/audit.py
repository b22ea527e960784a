"""An audit: what a model makes of whom a text is about."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from affekt._version import __version__
from affekt.data import catalog
from affekt.data.taxonomies import sentiment_of
from affekt.errors import ModelError, UsageError
from affekt.evaluation.arrays import Bools
from affekt.evaluation.fairness import FLIPS, changes, of_same_size
from affekt.evaluation.intervals import bootstrap
from affekt.evaluation.significance import difference, holm
from affekt.hardware import hardware
from affekt.inference.model import Model
from affekt.studies.counterfactuals import Counterfactuals, written

TOXICITY = ("jigsaw-toxic", "jigsaw-toxic-subset")  # the first that is here is read
MOST_COMMENTS = 2_000  # of each kind; comments are long
FEWEST_WITH_TERM = 20
_CHUNK = 512

Tick = Callable[[int, int], None]


def audit(
    model: Model,
    pairs: Counterfactuals,
    *,
    terms: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    command: str = "",
    tick: Tick = lambda done, of: None,
) -> dict[str, Any]:
    """Return how a model's answers change with whom a text is about.

    Args:
        model: A classifier.
        pairs: Counterfactual sentences, see `counterfactuals`.
        terms: Whether to look, where Jigsaw's comments are here, at what words for groups of people do.
        resamples: Draws behind the intervals.
        seed: Of all draws.
        command: How the audit was started, for the record.
        tick: Hears how many texts are scored, of how many.

    Returns:
        "kinds": for each kind of pairs the number of pairs and frames, the share of pairs that are decided
        otherwise, and for each label the mean change of its probability from the first group's texts to the
        second's with interval and p-values, corrected over all labels and kinds, and the worst pair. "terms":
        see `term_rates`, or None.

    Raises:
        ModelError: When the model is no classifier.
        UsageError: When seed or resamples are no numbers to draw by.
    """
    if seed < 0 or resamples < 2:
        raise UsageError(f"seed {seed}, resamples {resamples}: give a seed from 0 and two resamples or more.")
    decisions = model.deciding()
    texts = list(dict.fromkeys(text for pair in pairs.pairs for text in (pair.first, pair.second)))
    place = {text: i for i, text in enumerate(texts)}
    scores = _probabilities(model, texts, tick)
    if not np.isfinite(scores).all():
        raise ModelError("the model's probabilities are not finite on the sentences of the audit.")
    held = decisions.decide(scores)
    kinds: list[dict[str, Any]] = []
    flips = max(FLIPS, 50 * len(pairs.groups) * len(model.labels))  # so that any can stand out among all
    for kind, groups in pairs.groups.items():
        own = [pair for pair in pairs.pairs if pair.kind == kind]
        first, second = [place[pair.first] for pair in own], [place[pair.second] for pair in own]
        frames = [pair.frame for pair in own]
        found = changes(scores[first], scores[second], frames, resamples=resamples, flips=flips, seed=seed)
        otherwise = (held[first] != held[second]).any(axis=1)
        labels = []
        for column, (label, one) in enumerate(zip(model.labels, found, strict=True)):
            worst = own[one.worst]
            before, after = (float(scores[side[one.worst], column]) for side in (first, second))
            said = {name: getattr(one, name) for name in ("mean", "low", "high", "p", "absolute")}
            extreme = {"change": after - before, "first": worst.first, "second": worst.second}
            labels.append({"label": label, **said, "worst": extreme})
        kinds.append(
            {
                "kind": kind,
                "first": groups[0],
                "second": groups[1],
                "pairs": len(own),
                "frames": len(set(frames)),
                "otherwise": float(otherwise.mean()),
                "labels": labels,
            }
        )
    every = [one for kind in kinds for one in kind["labels"]]
    for one, p in zip(every, holm([one["p"] for one in every]).tolist(), strict=True):
        one["p_holm"] = p
    return {
        "format": 1,
        "affekt": __version__,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": dict(model.about).get("name", ""),
        "source": pairs.name,
        "sentences": len(texts),
        "pairs": len(pairs.pairs),
        "tests": len(every),
        "resamples": resamples,
        "seed": seed,
        "hardware": hardware(),
        "kinds": kinds,
        "terms": _terms(model, resamples, seed, tick) if terms else None,
    }


def _probabilities(model: Model, texts: Sequence[str], tick: Tick) -> np.ndarray:
    parts = []
    for start in range(0, len(texts), _CHUNK):
        parts.append(model.probabilities(texts[start : start + _CHUNK]))
        tick(min(start + _CHUNK, len(texts)), len(texts))
    return np.concatenate(parts)


# --- words for groups of people


def _terms(model: Model, resamples: int, seed: int, tick: Tick) -> dict[str, Any] | None:
    negative = [label for label in model.labels if sentiment_of(label) == "negative"]
    name = next((name for name in TOXICITY if catalog.find(name)), None)
    if name is None or not negative:
        return None
    texts = [
        text
        for corpus in catalog.load(name).values()
        for text, toxic in zip(corpus.texts, np.any(corpus.targets, axis=1), strict=True)
        if not toxic
    ]
    texts, named = _drawn(texts, terms_in(texts), seed)
    held = model.deciding().decide(_probabilities(model, texts, tick))
    columns = [model.labels.index(label) for label in negative]
    rates = term_rates(texts, named, np.any(held[:, columns], axis=1), resamples=resamples, seed=seed)
    return {"data": name, "negative": negative, **rates} if rates else None


def terms_in(texts: Sequence[str]) -> list[set[str]]:
    """Return which words for groups of people each text holds."""
    terms = {str(term) for term in written()["terms"]}
    return [terms.intersection(re.findall(r"[a-z]+", text.lower())) for text in texts]


def _drawn(texts: Sequence[str], named: Sequence[set[str]], seed: int) -> tuple[list[str], list[set[str]]]:
    """Return no more texts with such words, and without, than are scored in good time."""
    random = np.random.default_rng(seed)
    rows: list[int] = []
    for wanted in (True, False):
        own = [row for row, found in enumerate(named) if bool(found) is wanted]
        rows += random.permutation(own)[:MOST_COMMENTS].tolist()
    return [texts[row] for row in rows], [named[row] for row in rows]


def term_rates(
    texts: Sequence[str],
    named: Sequence[set[str]],
    negative: Bools,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Mapping[str, Any] | None:
    """Return how often texts without toxicity are given a negative emotion, with words for groups or not.

    Texts with such words tend to be longer, and long texts to be given more; "same_length" is the rate of
    texts without such words, weighted to the lengths of those with them, and "difference" is from that.
    Words of fewer than 20 texts are left out. None where no two texts are of either kind.

    Args:
        texts: Texts without toxicity.
        named: The words for groups of people in each.
        negative: Which are given any negative emotion.
        resamples: Draws behind the intervals.
        seed: Of the draws.
    """
    given, has = (
        np.asarray(negative, dtype=np.float64),
        np.array([bool(found) for found in named], dtype=bool),
    )
    if min(has.sum(), (~has).sum()) < 2:
        return None
    lengths = np.array([len(text.split()) for text in texts], dtype=np.float64)
    random = np.random.default_rng(seed)

    def drawn(rows: np.ndarray) -> float:
        own, others = (random.choice(side, len(side)) for side in (rows, np.flatnonzero(~has)))
        return float(given[own].mean() - of_same_size(lengths[own], lengths[others], given[others]))

    def against(rows: np.ndarray) -> dict[str, Any]:
        same = of_same_size(lengths[rows], lengths[~has], given[~has])
        draws = [drawn(rows) for _ in range(resamples)]
        found = difference(float(given[rows].mean()) - same, [one for one in draws if np.isfinite(one)])
        return {"n": len(rows), "rate": float(given[rows].mean()), "same_length": same, **found._asdict()}

    every = sorted(set().union(*named))
    rows_of = {term: np.array([i for i, found in enumerate(named) if term in found]) for term in every}
    words = [
        {"term": term, **against(rows)} for term, rows in rows_of.items() if len(rows) >= FEWEST_WITH_TERM
    ]
    for word, p in zip(words, holm([word["p"] for word in words]).tolist(), strict=True):
        word["p_holm"] = p
    plain = bootstrap(np.mean, given[~has], resamples=resamples, seed=seed)
    return {
        "without": {"n": int((~has).sum()), **plain._asdict()},
        "with": against(np.flatnonzero(has)),
        "words": sorted(words, key=lambda word: -abs(word["value"])),
    }
