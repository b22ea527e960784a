"""scikit-learn estimators: a classifier that is trained on texts, and a transformer from texts to vectors.

What is tuned is a plain constructor argument. Each is None unless said, which means "as the recipe has it",
so that a recipe and a few changes of it go together. The learned model is an ordinary `Model` (`model_`), and
a fitted estimator is pickled as the files of its model folder: it opens on another machine, with or without
a GPU.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from affekt.corpus import Corpus, stratified_split
from affekt.encoders.pretrained import DEFAULT
from affekt.errors import AffektError, DataError, UsageError
from affekt.judge import takes_unit_vectors
from affekt.model import Model, load
from affekt.tabular import InputError, Labels, read_labels, read_texts
from affekt.training.recipe import Recipe, parse_recipe, read_recipe
from affekt.training.run import Listener, fit_model

Floats = npt.NDArray[np.float32]
RecipeLike = str | Path | Mapping[str, Any] | Recipe

_CLASSIFIER = {
    "name": "EmotionClassifier",
    "training": {"epochs": 4, "learning_rate": 2e-4, "layer_decay": 0.9},
}
_EMBEDDER = {
    "name": "EmotionEmbedder",
    "encoder": {"pooling": "mean"},
    "objective": {"kind": "supervised-contrastive"},
    "training": {"epochs": 4, "learning_rate": 2e-4, "layer_decay": 0.9, "sampler": "m-per-class"},
}
