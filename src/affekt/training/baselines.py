"""What the same texts come to without the run's model: one label for all of them, and counted words."""

from collections.abc import Sequence

import numpy as np

from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.decisions import Decisions
from affekt.encoders.tfidf import TfidfEncoder
from affekt.errors import DataError
from affekt.evaluation.arrays import Floats
from affekt.evaluation.figures import HEADLINES
from affekt.recipe.objectives import Logistic
from affekt.recipe.sections import Recipe
from affekt.training.data import normalised, style_of
from affekt.training.logistic import fit_logistic

MOST_TEXTS = 20_000  # to count words in: more add minutes and hardly a point


def baselines(recipe: Recipe, train: Corpus, judged: Corpus) -> dict[str, dict[str, float]]:
    """Return the headline figures that simple guesses reach on the texts a run is judged on.

    Args:
        recipe: Of the run; its seed draws the texts where there are more than 20,000.
        train: Training texts, normalised as the recipe says.
        judged: The texts that final figures are of, as they were read.

    Returns:
        "majority", of the commonest training label for every text; and "tfidf", of logistic regression on
        TF-IDF of words and pairs of them, several labels decided at .5. The latter is left out where the run
        itself is on TF-IDF, and where the training texts repeat no word or have only one class.
    """
    always: Floats = np.zeros(judged.targets.shape)
    always[:, np.asarray(train.targets).sum(axis=0).argmax()] = 1.0
    guesses = {"majority": always}
    if recipe.encoder.kind != TfidfEncoder.kind:
        rows = np.random.default_rng(recipe.training.seed).permutation(len(train))[:MOST_TEXTS]
        texts = normalised(judged, style_of(recipe)).texts
        counted = _by_counted_words(train.select(np.sort(rows)), texts)
        guesses |= {} if counted is None else {"tfidf": counted}
    return {name: _figures(judged, guess) for name, guess in guesses.items()}


def _by_counted_words(train: Corpus, texts: Sequence[str]) -> Floats | None:
    """Return (n, k) probabilities of some texts; None where nothing can be fitted."""
    if train.single_label and len(np.unique(train.class_indices())) < 2:
        return None
    try:
        encoder = TfidfEncoder.build(train.texts)
    except DataError:  # no word occurs twice
        return None
    out = fit_logistic(encoder, train, Logistic(kind="logistic")).out
    weight, bias = (part.detach().numpy() for part in (out.weight, out.bias))
    logits = encoder.sparse(texts) @ weight.T + bias
    plain = Decisions.unfitted(len(train.labels), single_label=train.single_label)
    return np.asarray(plain.probabilities(logits), dtype=np.float64)


def _figures(judged: Corpus, guess: Floats) -> dict[str, float]:
    single = judged.single_label
    found = evaluation.classification(judged.targets, guess, single_label=single)
    return {name: found[name] for name in HEADLINES[single]}
