"""EmotionEmbedder: scikit-learn's transformer of texts to vectors, trained where there is a recipe."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from affekt.data.corpus import Corpus
from affekt.encoders.pretrained import DEFAULT
from affekt.errors import UsageError
from affekt.estimators.base import RATES, Floats, TextEstimator, held_out, trained
from affekt.estimators.data import faults_as_values, read_labels, read_texts
from affekt.estimators.recipe import RecipeLike, merged, recipe_content, said, with_encoder
from affekt.inference.model import load
from affekt.recipe.read import parse_recipe
from affekt.recipe.sections import Recipe

_DEFAULTS = {
    "name": "EmotionEmbedder",
    "encoder": {"pooling": "mean"},
    "objective": {"kind": "supervised-contrastive"},
    "training": {**RATES, "sampler": "m-per-class"},
}


class EmotionEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TextEstimator):  # type: ignore[misc]
    """Turns texts into vectors, as a step of a pipeline; trains the encoder first where a recipe is given.

    Args:
        model: A model folder, a run folder, or an encoder by name: all-MiniLM-L6-v2 unless said. With a
            recipe, the encoder that training starts from (the recipe's own unless said).
        projected: Give the space that the contrastive loss worked in rather than the encoder's own.
        unit: Scale vectors to length 1.
        recipe: What to train on the texts and labels that `fit` gets: the name or path of a recipe, or a
            dict of what differs from the defaults, which are supervised contrastive learning; {} for just
            these. None trains nothing.
        epochs: Passes over the texts; with a recipe, as are those below.
        batch_size: Texts per step.
        learning_rate: At its height.
        dev_share: How much is held out to watch the training by, 0 unless said; early stopping needs some.
        seed: Of everything random.
        verbose: Whether each epoch is reported on standard error.

    Attributes:
        model_: The `affekt.Model` that embeds.
        metrics_: The history of the training and its seconds; empty without one.
        recipe_: The complete recipe; None without one.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        projected: bool = False,
        unit: bool = True,
        recipe: RecipeLike | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        dev_share: float | None = None,
        seed: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.projected = projected
        self.unit = unit
        self.recipe = recipe
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dev_share = dev_share
        self.seed = seed
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: N803
        """Open the model, or train it where there is a recipe; without one, only the texts are looked at."""
        recipe = self._complete_recipe()
        with faults_as_values():
            texts = read_texts(X, some=True)
            if recipe is not None:
                corpus = Corpus.build(texts, name="texts", split="train")
                if recipe.objective.needs_labels:
                    corpus = read_labels(y).corpus(texts).require_classes()
                share = 0.0 if self.dev_share is None else self.dev_share
                splits = held_out(corpus, share, recipe, sample_weight)
        metrics: dict[str, Any] = {}
        if recipe is None:
            model = load(DEFAULT if self.model is None else self.model)
        else:
            model, metrics = trained(recipe, splits, verbose=self.verbose)
        model.embed([], projected=self.projected)  # a model without a projection says so now
        self.model_, self.metrics_, self.recipe_ = model, metrics, recipe
        self.n_features_in_ = 1  # the column of texts
        return self

    def _complete_recipe(self) -> Recipe | None:
        changes = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
        }
        if self.recipe is None:
            given = said({**changes, "dev_share": self.dev_share})
            if given:
                raise UsageError(
                    f"{', '.join(given)}: nothing is trained without a recipe; give recipe={{}} to train."
                )
            return None
        content = with_encoder(recipe_content(self.recipe, _DEFAULTS), self.model)
        return parse_recipe(merged(content, said({"training": changes})), source=type(self).__name__)

    def transform(self, X: Any) -> Floats:  # noqa: N803
        """Return (n, d) float32 vectors."""
        return np.asarray(self._fitted().embed(self._texts(X), unit=self.unit, projected=self.projected))

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.embed([], projected=self.projected).shape[1])
