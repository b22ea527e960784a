"""Logistic regression on frozen vectors (row C2) or TF-IDF: fitted by scikit-learn, kept as a linear head."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from affekt.data.corpus import Corpus
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import LinearHead
from affekt.networks.network import Network
from affekt.recipe.objectives import Logistic


def fit_logistic(encoder: Any, train: Corpus, spec: Logistic) -> LinearHead:
    """Fit one softmax for one label per text, one sigmoid per label for several; return the linear head."""
    features = _features(encoder, train)
    targets = np.asarray(train.targets) > 0.5 if not train.single_label else train.class_indices()
    weight = None if spec.class_weights == "none" else "balanced"
    regression = LogisticRegression(C=spec.inverse_regularisation, max_iter=2000, class_weight=weight)
    unit = TorchRuntime(Network(encoder)).by_direction
    head = LinearHead(encoder.dimension, len(train.labels), unit=unit)
    if train.single_label:
        coefficients, intercepts = _softmax(regression.fit(features, targets), len(train.labels))
    else:
        coefficients, intercepts = _sigmoids(regression, features, targets)
    with torch.no_grad():
        head.out.weight.copy_(torch.as_tensor(coefficients, dtype=torch.float32))
        head.out.bias.copy_(torch.as_tensor(intercepts, dtype=torch.float32))
    return head


def _features(encoder: Any, train: Corpus) -> Any:
    if getattr(encoder, "components", ...) is None:  # counts of terms that nothing reduces stay sparse
        return encoder.sparse(train.texts)
    runtime = TorchRuntime(Network(encoder))
    return Model(runtime).embed(train.texts, unit=runtime.by_direction)


def _softmax(fitted: LogisticRegression, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (k, d) and intercepts (k,); classes without a training row get a very low logit."""
    coefficients = np.zeros((k, fitted.coef_.shape[1]))
    intercepts = np.full(k, -20.0)
    if len(fitted.classes_) == 2:  # then scikit-learn keeps the second's logit alone, the first's being 0
        first, second = fitted.classes_
        coefficients[second] = fitted.coef_[0]
        intercepts[first], intercepts[second] = 0.0, fitted.intercept_[0]
        return coefficients, intercepts
    coefficients[fitted.classes_] = fitted.coef_
    intercepts[fitted.classes_] = fitted.intercept_
    return coefficients, intercepts


def _sigmoids(
    regression: LogisticRegression, features: Any, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (k, d) and intercepts (k,); a label that all texts have, or none, gets a far-off logit."""
    coefficients = np.zeros((targets.shape[1], features.shape[1]))
    intercepts = np.zeros(targets.shape[1])
    for label, column in enumerate(targets.T):
        if column.all() or not column.any():
            intercepts[label] = 20.0 if column.all() else -20.0
            continue
        fitted = clone(regression).fit(features, column)
        coefficients[label], intercepts[label] = fitted.coef_[0], fitted.intercept_[0]
    return coefficients, intercepts


FITTED: dict[str, Callable[..., LinearHead]] = {"logistic": fit_logistic}  # objectives without gradients
