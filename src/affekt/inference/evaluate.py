"""How a model does on a corpus: its decisions, its probabilities and its vectors."""

from dataclasses import replace
from typing import Any

import numpy as np

from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.data.taxonomies import group_in, grouping, renaming
from affekt.decisions import Calibration, Decisions
from affekt.errors import DataError
from affekt.evaluation.figures import figure
from affekt.inference.model import Model

SPACE_PARTS = ("clustering", "retrieval", "overlap_retrieval", "space_intervals")
SPACE_RESAMPLES = 50  # parts drawn for the intervals of final figures

# Clustering and retrieval of large splits would take longer than an epoch; these many rows say enough.
_SPACE_ROWS = 20_000
_SPACE_WIDTH = 4_096  # wider vectors are counts of terms, not a space
_MENDING = (
    "say which of its labels are which of the model's (Corpus.map_labels), or judge those alone that "
    "the model knows (its only_known)."
)
_RANK_ROWS = 1_000  # of which the effective rank is taken after every epoch


def dev_figures(model: Model, dev: Corpus) -> dict[str, float]:
    """Return flat figures for early stopping and the history: the classifier's, or else the space's."""
    if model.decisions is None:
        figures = space_figures(model, dev if dev.single_label else dev.single_rows())
        flat = {**figures.get("clustering", {}), **figures.get("retrieval", {})}
        return {name: value for name, value in flat.items() if figure(name).better}
    logits = model.logits(dev.texts)
    probabilities = model.decisions.probabilities(logits)
    limits = model.decisions.thresholds or 0.5
    figures = evaluation.classification(dev.targets, probabilities, limits, single_label=dev.single_label)
    flat = {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}
    return {**flat, "loss": mean_loss(logits, np.asarray(dev.targets), single_label=dev.single_label)}


def space_rank(model: Model, corpus: Corpus) -> float:
    """Return how many directions the vectors of up to 1,000 texts use: the sign by which collapse is seen."""
    return evaluation.effective_rank(model.embed(_some(corpus, _RANK_ROWS).texts))


def _some(corpus: Corpus, rows: int) -> Corpus:
    """Return at most so many texts, from anywhere in the corpus: files may be sorted by label."""
    if len(corpus) <= rows:
        return corpus
    return corpus.select(np.sort(np.random.default_rng(0).permutation(len(corpus))[:rows]))


def mean_loss(logits: np.ndarray, targets: np.ndarray, *, single_label: bool) -> float:
    """Cross-entropy, or binary cross-entropy averaged over labels, from logits."""
    z = logits.astype(np.float64)
    if single_label:
        top = z.max(1, keepdims=True)
        log_probabilities = z - top - np.log(np.exp(z - top).sum(1, keepdims=True))
        return float(-(targets * log_probabilities).sum(1).mean())
    return float((np.logaddexp(0, z) - targets * z).mean())


def space_figures(model: Model, corpus: Corpus, *, resamples: int = 0) -> dict[str, Any]:
    """Clustering and retrieval of a split's vectors.

    Of several labels per text, both look at the rows that have exactly one, as the studies do;
    "overlap_retrieval" looks at all rows, of which those that share any label are relevant to each other.
    With resamples, "space_intervals" holds low and high of each figure, those by overlap as overlap_….
    """
    corpus = _some(corpus, _SPACE_ROWS)
    if not _has_space(model, corpus):
        return {}
    return _space_of(model.embed(corpus.texts, unit=model.runtime.by_direction), corpus, resamples)


def logits_and_space(
    model: Model, corpus: Corpus, *, resamples: int = 0
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return logits and `space_figures`, each of up to 20,000 texts encoded once."""
    if len(corpus) > _SPACE_ROWS or not _has_space(model, corpus):
        return model.logits(corpus.texts), space_figures(model, corpus, resamples=resamples)
    logits, vectors = model.logits_and_vectors(corpus.texts, unit=model.runtime.by_direction)
    return logits, _space_of(vectors, corpus, resamples)


def _has_space(model: Model, corpus: Corpus) -> bool:
    """Whether there are vectors to judge, and among texts of one label some that differ and some alike."""
    if model.runtime.dimension > _SPACE_WIDTH:
        return False
    single = corpus if corpus.single_label else corpus.single_rows()
    classes = single.class_indices() if len(single) >= 3 else np.zeros(0)
    sizes = np.unique(classes, return_counts=True)[1]
    return len(sizes) >= 2 and bool(sizes.max() >= 2)


def _space_of(vectors: np.ndarray, corpus: Corpus, resamples: int) -> dict[str, Any]:
    single = corpus if corpus.single_label else corpus.single_rows()
    classes = single.class_indices()
    of_one = vectors if corpus.single_label else vectors[corpus.present.sum(1) == 1]
    found: dict[str, Any] = {
        "clustering": evaluation.clustering(of_one, classes, resamples=resamples),
        "retrieval": evaluation.retrieval(of_one, classes, resamples=resamples),
    }
    if not corpus.single_label:
        found["overlap_retrieval"] = evaluation.retrieval(vectors, corpus.targets, resamples=resamples)
    if resamples:
        found["space_intervals"] = {
            ("overlap_" if part == "overlap_retrieval" else "") + name: {"low": low, "high": high}
            for part, figures in found.items()
            for name, (low, high) in figures.pop("intervals").items()
        }
    return found


def classifier_figures(
    judged: dict[str, Corpus], logits: dict[str, np.ndarray], plain: Decisions, fitted: Decisions
) -> dict[str, Any]:
    """Return figures with intervals per split: as they come, and with the decisions fitted on dev."""
    figures: dict[str, Any] = {}
    for name, corpus in judged.items():
        ways = {"fixed": plain} if corpus.single_label else {"fixed": plain, "fitted": fitted}
        results = {way: _figures(corpus, logits[name], decisions) for way, decisions in ways.items()}
        figures[name] = {way: result[0] for way, result in results.items()}
        if name == "test" or "test" not in judged:
            figures["per_label"] = {way: result[1] for way, result in results.items()}
            figures["calibration"] = {
                when: evaluation.calibration(
                    corpus.targets, decisions.probabilities(logits[name]), single_label=corpus.single_label
                )
                for when, decisions in (("before", plain), ("after", fitted))
            }
    return figures


def _figures(
    corpus: Corpus, logits: np.ndarray, decisions: Decisions, *, only_present: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    probabilities = decisions.probabilities(logits)
    predicted = decisions.decide(probabilities)
    about: Any = {
        "labels": corpus.labels,
        "single_label": corpus.single_label,
        "only_present": only_present,
    }
    limits = decisions.thresholds or 0.5
    plain = evaluation.classification(corpus.targets, probabilities, limits, **about)
    intervals = evaluation.classification_intervals(corpus.targets, predicted, **about)
    per_label = intervals.pop("per_label")
    del plain["per_label"]  # the same without intervals
    flat = {name: intervals.get(name, {"value": value}) for name, value in plain.items()}
    return flat, per_label


def _decided_alike(corpus: Corpus, model: Model) -> Corpus:
    """Return the corpus with one label per text, or with several, as the model decides."""
    if corpus.single_label == model.single_label:
        return corpus
    if not model.single_label:
        return replace(corpus, single_label=False)
    single = corpus.single_rows()
    if len(single) < len(corpus):
        raise DataError(
            f"{corpus.name}: {len(corpus) - len(single):,} of {len(corpus):,} texts have several labels or "
            "none, and the model gives each text one; keep the rows with one label."
        )
    return single


def _of_labels(decisions: Decisions, places: np.ndarray) -> Decisions:
    """Return how some of the labels are decided, where each is decided by itself."""
    line = decisions.calibration
    kept = (tuple(values[at] for at in places) for values in (line.slopes, line.intercepts))
    return replace(
        decisions,
        thresholds=tuple(decisions.thresholds[at] for at in places),
        calibration=Calibration(line.kind, *kept),
        counted=None,
        sets=None,
    )


def evaluate_by(model: Model, corpus: Corpus, taxonomy: str, *, only_known: bool = False) -> dict[str, Any]:
    """Return the figures of a model on texts with other labels, both taken to a taxonomy's.

    Averages are over the data's labels alone; where each text has one of several, the likeliest of these is
    decided on.

    Args:
        model: A classifier whose labels stand in the taxonomy.
        corpus: Labelled texts.
        taxonomy: "ekman" or "sentiment".
        only_known: Whether to leave out labels of the data that stand in no group of the model's, with the
            texts that have no other.

    Returns:
        What `evaluate_model` gives; "taxonomy"; "judged_labels", those of the data; and "other_labels", those
        that only the model has.
    """
    coarse = model.coarser(taxonomy)
    if only_known:
        stand = [label for label in corpus.labels if group_in(taxonomy, label) in coarse.labels]
        if not stand:
            raise DataError(
                f"{corpus.name}: none of its labels ({', '.join(corpus.labels)}) stands in a group of the "
                f"taxonomy {taxonomy!r} that the model has, so nothing can be judged."
            )
        corpus = corpus.map_labels({}, only_known=stand)
    try:
        mapped = corpus.map_labels(grouping(corpus.labels, taxonomy))
    except DataError as fault:
        raise DataError(f"{corpus.name}: {str(fault).rstrip('.')}; {_MENDING}") from fault
    shared = [label for label in coarse.labels if label in mapped.labels]
    judged = coarse.one_of(shared) if mapped.single_label and len(shared) > 1 else coarse
    figures = evaluate_model(judged, mapped)
    others = [label for label in coarse.labels if label not in shared]
    return {**figures, "taxonomy": taxonomy, "judged_labels": shared, "other_labels": others}


def evaluate_model(model: Model, corpus: Corpus) -> dict[str, Any]:
    """Return the figures of a model on labelled texts, with the decisions it carries.

    The corpus's labels must be among the model's, whatever their case; its columns are put in the model's
    order. Averages over labels are of those that some text has; "absent_labels" names the others. Where texts
    have several labels, those that the corpus does not know are not judged; where they have one, to give such
    a label is wrong. roc_auc_macro and average_precision_macro are, with one label per text, of the
    probabilities before calibration, as in metrics.json: a temperature changes in which order texts stand.
    """
    figures: dict[str, Any] = {"data": corpus.name, "split": corpus.split, "n": len(corpus)}
    if model.decisions is None:
        return figures | space_figures(model, corpus, resamples=SPACE_RESAMPLES)
    if not set(corpus.labels) <= set(model.labels):
        corpus = corpus.map_labels(renaming(corpus.labels, {}, model.labels, ignore_case=True))
    missing = [label for label in corpus.labels if label not in model.labels]
    if not corpus.labels:
        raise DataError(f"{corpus.name}: no text has a label, so nothing can be judged; name their column.")
    if missing:
        able = [task for task, one in model.others.items() if set(missing) <= set(one.labels)]
        raise DataError(
            f"{corpus.name}: the model does not know the label{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}; it knows {', '.join(model.labels)}; "
            + (f"its task {able[0]!r} does, so name that." if able else _MENDING)
        )
    order = [corpus.labels.index(label) if label in corpus.labels else -1 for label in model.labels]
    padded = np.hstack([np.asarray(corpus.targets), np.zeros((len(corpus), 1), dtype=np.float32)])
    aligned = replace(corpus, labels=model.labels, targets=padded[:, order])
    aligned = _decided_alike(aligned, model)
    logits, space = logits_and_space(model, corpus, resamples=SPACE_RESAMPLES)
    decisions = model.decisions
    if not aligned.single_label:
        known = np.flatnonzero([label in corpus.labels for label in model.labels])
        aligned = replace(
            aligned, labels=tuple(model.labels[at] for at in known), targets=aligned.targets[:, known]
        )
        logits, decisions = logits[:, known], _of_labels(decisions, known)
    ranking = Decisions.unfitted(len(model.labels), single_label=True) if aligned.single_label else decisions
    flat, per_label = _figures(aligned, logits, ranking, only_present=True)
    probabilities = decisions.probabilities(logits)
    calibration = evaluation.calibration(
        aligned.targets, probabilities, single_label=aligned.single_label, only_present=True
    )
    figures |= space
    held = {label for label, row in per_label.items() if row["support"]}
    figures["absent_labels"] = [label for label in model.labels if label not in held]
    limits = decisions.thresholds or 0.5
    figures["risk_coverage"] = evaluation.risk_coverage(
        aligned.targets, probabilities, limits, single_label=aligned.single_label
    )
    return {**figures, "classification": flat, "per_label": per_label, "calibration": calibration}
