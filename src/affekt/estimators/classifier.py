"""scikit-learn estimators: a classifier that is trained on texts, and a transformer from texts to vectors.

What is tuned is a plain constructor argument. Most are None unless said, which means "as the recipe has it":
so a recipe and a few changes of it go together. What is learned is an ordinary `Model` (`model_`), and a
fitted estimator is pickled as the files of its model folder, so it opens with or without a GPU.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from affekt.data.corpus import Corpus, stratified_split
from affekt.decisions import Decisions
from affekt.encoders.pretrained import DEFAULT
from affekt.errors import DataError, ModelError, UsageError
from affekt.estimators.data import InputError, faults_as_values, label_rows, read_labels, read_texts
from affekt.estimators.recipe import (
    RecipeLike,
    merged,
    recipe_content,
    said,
    with_encoder,
)
from affekt.inference.model import Model, load
from affekt.recipe.objectives import OBJECTIVE_SECTIONS
from affekt.recipe.read import parse_recipe
from affekt.recipe.sections import Recipe
from affekt.training.run import Listener, fit_model

Floats = npt.NDArray[np.float32]

_RATES = {"epochs": 4, "learning_rate": 2e-4, "layer_decay": 0.9}
_CLASSIFIER = {"name": "EmotionClassifier", "training": _RATES}
_EMBEDDER = {
    "name": "EmotionEmbedder",
    "encoder": {"pooling": "mean"},
    "objective": {"kind": "supervised-contrastive"},
    "training": {**_RATES, "sampler": "m-per-class"},
}


class _PickledAsFolder:
    """Pickles `model_` as the files of its folder: safetensors and JSON, bound to no device."""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        if "model_" in state:
            state["model_"] = _packed(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model_" in state:
            state = {**state, "model_": _unpacked(state["model_"])}
        super().__setstate__(state)  # type: ignore[misc]


class EmotionClassifier(_PickledAsFolder, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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
        thresholds: For several labels: "per-label" (default), "global", "global-jaccard" or "fixed" (.5).
        calibration: "temperature" (default), "platt" or "none".
        dev_share: How much is held out, .1 by default. With 0 nothing is, and nothing is calibrated.
        seed: Of everything random; 0 by default. The same seed gives the same model.
        verbose: Whether each epoch is reported on standard error.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`.
        model_: The trained `affekt.Model`; `model_.save(folder)` keeps it.
        metrics_: The history of the training, its seconds, and the figures of the held-out texts.
        recipe_: The complete recipe.
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
        thresholds: str | None = None,
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

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on texts and their labels.

        Raises:
            InputError: (A ValueError.) When the texts or labels cannot be used.
            RecipeError: When an argument is not what it can be.
        """
        recipe = self._complete_recipe()
        with faults_as_values():
            texts = read_texts(X, some=True)
            labels = read_labels(y)
            corpus = labels.corpus(texts).require_classes()
            splits = _split(corpus, self.dev_share, recipe)
        self.model_, self.metrics_ = _trained(recipe, splits, self.verbose)
        self.recipe_ = recipe
        self.classes_ = labels.classes
        self.multilabel_ = not labels.single
        return self

    def _complete_recipe(self) -> Recipe:
        content = with_encoder(recipe_content(self.recipe, _CLASSIFIER), self.encoder)
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
        able = {
            kind: how
            for kind, section in OBJECTIVE_SECTIONS.items()
            if (how := section.to_classify) is not None
        }
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
        return self._decisions().decide(probabilities).astype(np.int64)

    def predict_labels(self, X: Any) -> list[list[str]]:  # noqa: N803
        """Return for each text the names of its labels, the surest first."""
        return [prediction.labels for prediction in self._fitted().predict(_texts(X))]

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return (n, k) calibrated probabilities; of one label per text each row sums to 1."""
        return np.asarray(self._fitted().probabilities(_texts(X)))

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """Return the calibrated logits that `predict_proba` is the softmax or sigmoid of.

        (n, k); with two classes of which each text has one (n,), the logit of the second, as in scikit-learn.
        """
        logits = self._fitted().logits(_texts(X))
        if len(logits):
            logits = self._decisions().calibration(logits).astype(np.float32)
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

    def _fitted(self) -> Model:
        check_is_fitted(self)
        return self.model_

    def _decisions(self) -> Decisions:
        decisions = self._fitted().decisions
        if decisions is None:
            raise ModelError("model_ has no classifier; fit the estimator again.")
        return decisions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return _of_strings(tags)


class EmotionEmbedder(
    _PickledAsFolder,
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
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

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Open the model, or train it where there is a recipe; without one, labels are not looked at."""
        recipe = self._complete_recipe()
        with faults_as_values():
            texts = read_texts(X, some=True)
            if recipe is not None:
                corpus = self._corpus(texts, y, recipe)
                splits = _split(corpus, self.dev_share or 0.0, recipe)
        model, metrics = (
            (load(DEFAULT if self.model is None else self.model), {})
            if recipe is None
            else _trained(recipe, splits, self.verbose)
        )
        model.embed([], projected=self.projected)  # a model without a projection says so now
        self.model_, self.metrics_, self.recipe_ = model, metrics, recipe
        return self

    def _corpus(self, texts: list[str], y: Any, recipe: Recipe) -> Corpus:
        if not recipe.objective.needs_labels:
            return Corpus.build(texts, name="texts", split="train")
        return read_labels(y).corpus(texts).require_classes()

    def _complete_recipe(self) -> Recipe | None:
        changes = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
        }
        if self.recipe is None:
            given = [
                name for name, value in {**changes, "dev_share": self.dev_share}.items() if value is not None
            ]
            if given:
                raise UsageError(
                    f"{', '.join(given)}: nothing is trained without a recipe; give recipe={{}} to train."
                )
            return None
        content = with_encoder(recipe_content(self.recipe, _EMBEDDER), self.model)
        return parse_recipe(merged(content, said({"training": changes})), source=type(self).__name__)

    def transform(self, X: Any) -> Floats:  # noqa: N803
        """Return (n, d) float32 vectors."""
        check_is_fitted(self)
        return np.asarray(self.model_.embed(_texts(X), unit=self.unit, projected=self.projected))

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.embed([], projected=self.projected).shape[1])

    def __sklearn_tags__(self) -> Any:
        return _of_strings(super().__sklearn_tags__())


def _of_strings(tags: Any) -> Any:
    tags.input_tags.one_d_array = True
    tags.input_tags.two_d_array = False
    tags.input_tags.string = True
    return tags


def _texts(values: Any) -> list[str]:
    with faults_as_values():
        return read_texts(values)


# --- training and keeping


def _split(corpus: Corpus, dev_share: float | None, recipe: Recipe) -> dict[str, Corpus]:
    """Hold a dev split out, each label in proportion."""
    share = recipe.data.dev_share if dev_share is None else dev_share
    if not 0 <= share < 1:
        raise UsageError(f"dev_share = {share!r}: is a share of the texts, at least 0 and below 1.")
    if share == 0:
        return {"train": corpus}
    try:
        return stratified_split(corpus, {"train": 1 - share, "dev": share}, recipe.training.seed)
    except DataError as fault:
        raise InputError(
            f"dev_share = {share}: too few of {len(corpus)} texts to hold any out (those that are alike stay "
            "together); raise it, or set it to 0."
        ) from fault


def _trained(recipe: Recipe, splits: dict[str, Corpus], verbose: bool) -> tuple[Model, dict[str, Any]]:
    """Train, leaving torch's own random numbers as they were."""
    listener = Listener(say=_to_stderr) if verbose else Listener()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        model, metrics = fit_model(recipe, splits, listener=listener)
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), metrics


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


def _packed(model: Model) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        folder = model.save(Path(place) / "model")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _unpacked(files: Mapping[str, bytes]) -> Model:
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return load(place)
