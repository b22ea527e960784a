"""What both estimators share: texts go in, training holds some out, and pickles are model folders."""

import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from affekt.data.corpus import Corpus, stratified_split
from affekt.errors import DataError, UsageError, installed
from affekt.estimators.data import InputError, faults_as_values, read_texts, read_weights
from affekt.inference.model import Model, load
from affekt.recipe.sections import Recipe

with installed():
    import torch

    from affekt.training.fit import Listener, fit_model
    from affekt.training.processes import alone

Floats = npt.NDArray[np.float32]
RATES = {"epochs": 4, "learning_rate": 2e-4, "layer_decay": 0.9}


class TextEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose `model_` works on texts.

    It is pickled as the files of the model's folder: safetensors and JSON, bound to no device.
    """

    model_: Model
    n_features_in_: int

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        return state | {"model_": _packed(self.model_)} if "model_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state | {"model_": _unpacked(state["model_"])} if "model_" in state else state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _fitted(self) -> Model:
        check_is_fitted(self)
        return self.model_

    @staticmethod
    def _texts(values: Any) -> list[str]:
        with faults_as_values():
            return read_texts(values)


def held_out(corpus: Corpus, share: float | None, recipe: Recipe, weights: Any = None) -> dict[str, Corpus]:
    """Hold a dev split out, each label in proportion, of rows drawn by their weights.

    Args:
        corpus: The texts with their labels.
        share: How much is held out; where None the recipe's dev_share, or nothing for few rows.
        recipe: Its seed decides the draw.
        weights: (n,) what each row counts, or None. A row is drawn weight / mean weight times, give or take
            one, and all its copies go to one split: so weights mean the same to every objective.
    """
    if share is None:
        share = recipe.data.dev_share if recipe.objective.holds_out else 0.0
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise UsageError(f"dev_share = {share!r}: is a share of the texts, at least 0 and below 1.")
    if weights is not None:
        ends = np.cumsum(read_weights(weights, len(corpus)))
        rows = np.count_nonzero(np.diff(ends, prepend=0.0))
        corpus = corpus.select(np.searchsorted(ends / ends[-1] * rows, np.arange(rows) + 0.5))
    if share == 0:
        return {"train": corpus}
    try:
        return stratified_split(corpus, {"train": 1 - share, "dev": share}, recipe.training.seed)
    except DataError as fault:
        raise InputError(
            f"dev_share = {share}: too few of {len(corpus)} texts to hold any out (those that are alike stay "
            "together); raise it, or set it to 0."
        ) from fault


def trained(recipe: Recipe, splits: dict[str, Corpus], *, verbose: bool) -> tuple[Model, dict[str, Any]]:
    """Train, leaving torch's own random numbers as they were."""
    listener = Listener(say=partial(print, file=sys.stderr)) if verbose else Listener()
    with alone(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        model, metrics = fit_model(recipe, splits, listener=listener)
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), metrics


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
