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
from affekt.recipe.objectives import FittedHead


def fit_logistic(encoder: Any, train: Corpus, spec: FittedHead) -> LinearHead:
    """Fit one softmax for one label per text, one sigmoid per label for several; return the linear head."""
    runtime, k = TorchRuntime(Network(encoder)), len(train.labels)
    if getattr(encoder, "components", ...) is None:  # counts of terms that nothing reduces stay sparse
        features = encoder.sparse(train.texts)
    else:
        features = Model(runtime).embed(train.texts, unit=runtime.by_direction)
    weight = None if spec.class_weights == "none" else "balanced"
    regression = LogisticRegression(C=spec.inverse_regularisation, max_iter=2000, class_weight=weight)
    # a label that no training text has gets a very low logit, one that all have a very high one
    coefficients, intercepts = np.zeros((k, features.shape[1])), np.full(k, -20.0)
    if train.single_label:
        fitted = regression.fit(features, train.class_indices())
        rows, shifts = fitted.coef_, fitted.intercept_
        if len(fitted.classes_) == 2:  # then scikit-learn keeps the second's logit alone, the first's being 0
            rows, shifts = np.vstack([0 * rows, rows]), np.r_[0.0, shifts]
        coefficients[fitted.classes_], intercepts[fitted.classes_] = rows, shifts
    else:
        for label, column in enumerate((np.asarray(train.targets) > 0.5).T):
            if column.all():
                intercepts[label] = 20.0
            elif column.any():
                fitted = clone(regression).fit(features, column)
                coefficients[label], intercepts[label] = fitted.coef_[0], fitted.intercept_[0]
    head = LinearHead(encoder.dimension, k, unit=runtime.by_direction)
    with torch.no_grad():
        head.out.weight.copy_(torch.as_tensor(coefficients, dtype=torch.float32))
        head.out.bias.copy_(torch.as_tensor(intercepts, dtype=torch.float32))
    return head


FITTED: dict[str, Callable[..., LinearHead]] = {  # by objective that fits its head
    "logistic": fit_logistic,
    "few-shot": fit_logistic,
}
