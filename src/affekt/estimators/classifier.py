"""EmotionClassifier: scikit-learn's estimator that is trained on texts and their labels.

What is tuned is a plain constructor argument. Most are None unless said, which means "as the recipe has it":
so a recipe and a few changes of it go together. What is learned is an ordinary `Model` (`model_`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from affekt.errors import UsageError
from affekt.estimators.base import RATES, Floats, TextEstimator, held_out, trained
from affekt.estimators.data import faults_as_values, label_rows, read_labels, read_texts
from affekt.estimators.recipe import RecipeLike, merged, recipe_content, said, with_encoder
from affekt.recipe.objectives import OBJECTIVE_SECTIONS
from affekt.recipe.read import parse_recipe
from affekt.recipe.sections import Recipe

_DEFAULTS = {"name": "EmotionClassifier", "training": RATES}


class EmotionClassifier(ClassifierMixin, TextEstimator):  # type: ignore[misc]
    """Trains an encoder and a head on texts and their labels.

    Labels are one name or number per text; or several: a list of names per text, or an (n, k) matrix of
    0 and 1 (or shares of raters). `predict` answers in kind: an array of labels, or an (n, k) array of 0 and
    1. Part of the texts is held out as dev, on which calibration and thresholds are fitted.

    Args:
        recipe: What to do, where no other argument says so: the name or path of a recipe, or a dict of what
            differs from the defaults. Of its data section only the style and dev_share are read.
        encoder: A folder, a known name or a Hub model ("all-MiniLM-L6-v2" by default); one of the kinds made
            from the training texts ("tfidf", "word-cnn", …); or a dict, the encoder section of a recipe.
        pooling: "cls" (default) or "mean".
        objective: "classify" (default), "logistic", "supervised-contrastive", "label-aware"; or a dict, the
            objective section of a recipe.
        epochs: Passes over the texts; 4 by default.
        batch_size: Texts per step; 32 by default.
        learning_rate: At its height; 2e-4 by default.
        layer_decay: Rate of each layer, times that of the one above; .9 by default.
        dropout: Of the head; .3 by default.
        style: Normalisation of the texts, see `affekt.text.STYLES`; the encoder's own by default.
        thresholds: For several labels: "per-label" (default), "global", "global-jaccard", "fixed" (.5), or
            a number.
        calibration: "temperature" (default), "platt" or "none".
        dev_share: How much is held out, .1 by default. With 0 nothing is, and nothing is calibrated.
        seed: Of everything random; 0 by default. The same seed gives the same model.
        verbose: Whether each epoch is reported on standard error.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`.
        model_: The trained `affekt.Model`; `model_.save(folder)` keeps it.
        metrics_: The history of the training, its seconds, and the figures and decisions of the held-out
            texts, with what they warn of.
        recipe_: The complete recipe.
        n_features_in_: 1, the column of texts.
        multilabel_: Whether a text may have several labels.
    """

    def __init__(
        self,
        *,
        recipe: RecipeLike | None = None,
        encoder: str | Path | Mapping[str, Any] | None = None,
        pooling: str | None = None,
        objective: str | Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        layer_decay: float | None = None,
        dropout: float | None = None,
        style: str | None = None,
        thresholds: str | float | None = None,
        calibration: str | None = None,
        dev_share: float | None = None,
        seed: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.pooling = pooling
        self.objective = objective
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.layer_decay = layer_decay
        self.dropout = dropout
        self.style = style
        self.thresholds = thresholds
        self.calibration = calibration
        self.dev_share = dev_share
        self.seed = seed
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on texts and their labels.

        Args:
            X: The texts.
            y: Their labels.
            sample_weight: (n,) what each text counts, 0 or more; training and held-out texts are drawn so
                that each is met about weight / mean weight times.

        Raises:
            InputError: (A ValueError.) When the texts or labels cannot be used.
            RecipeError: When an argument is not what it can be.
        """
        recipe = self._complete_recipe()
        with faults_as_values():
            texts = read_texts(X, some=True)
            labels = read_labels(y)
            corpus = labels.corpus(texts).require_classes()
            splits = held_out(corpus, self.dev_share, recipe, sample_weight)
            self.model_, self.metrics_ = trained(recipe, splits, verbose=self.verbose)
        self.recipe_ = recipe
        self.classes_ = labels.classes
        self.multilabel_ = not labels.single
        self.n_features_in_ = 1  # the column of texts
        return self

    def _complete_recipe(self) -> Recipe:
        content = with_encoder(recipe_content(self.recipe, _DEFAULTS), self.encoder)
        content = merged(content, said({
            "encoder": {"pooling": self.pooling},
            "objective": {"kind": self.objective} if isinstance(self.objective, str) else self.objective,
            "head": {"dropout": self.dropout},
            "data": {"style": self.style},
            "decisions": {"thresholds": self.thresholds, "calibration": self.calibration},
            "training": {
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "layer_decay": self.layer_decay,
                "seed": self.seed,
            },
        }))  # fmt: skip
        sections = OBJECTIVE_SECTIONS.items()
        able = {kind: one.to_classify for kind, one in sections if one.to_classify is not None}
        objective = content.get("objective")
        if isinstance(objective, Mapping) and objective.get("kind") in able:
            content["objective"] = {**able[objective["kind"]], **objective}
        recipe = parse_recipe(content, source=type(self).__name__)
        if not recipe.objective.classifies:
            raise UsageError(
                f"objective {recipe.objective.kind!r} trains no classifier; "
                f"{', '.join(able)} do, and EmotionEmbedder is for the others."
            )
        return recipe

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """Return (n,) labels, or where a text may have several (n, k) 0 and 1."""
        probabilities = self.predict_proba(X)
        if not self.multilabel_:
            return np.asarray(self.classes_[probabilities.argmax(axis=1)])
        return self.model_.deciding().decide(probabilities).astype(np.int64)

    def predict_labels(self, X: Any) -> list[list[str]]:  # noqa: N803
        """Return for each text the names of its labels, the surest first."""
        return [prediction.labels for prediction in self._fitted().predict(self._texts(X))]

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return (n, k) calibrated probabilities; of one label per text each row sums to 1."""
        return np.asarray(self._fitted().probabilities(self._texts(X)))

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """Return the calibrated logits that `predict_proba` is the softmax or sigmoid of.

        (n, k); with two classes of which each text has one (n,), the logit of the second, as in scikit-learn.
        """
        logits = self._fitted().logits(self._texts(X))
        if len(logits):
            logits = self.model_.deciding().calibration(logits).astype(np.float32)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 and not self.multilabel_ else logits

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Return the accuracy: the share of texts whose labels are all right."""
        check_is_fitted(self)
        if not self.multilabel_:
            return float(super().score(X, y, sample_weight))
        with faults_as_values():
            truth, complete = label_rows(y, self.classes_)
        right = (truth == self.predict(X)).all(axis=1) & complete
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
