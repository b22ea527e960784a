"""Logistic regression on frozen vectors (row C2) or TF-IDF: fitted by scikit-learn, kept as a linear head."""

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from affekt.corpus import Corpus
from affekt.encoders.bag import TfidfEncoder
from affekt.heads.classification import LinearHead
from affekt.judge import takes_unit_vectors
from affekt.model import Model
from affekt.network import Network
from affekt.training.recipe import Logistic


def fit_logistic(encoder: Any, train: Corpus, spec: Logistic) -> LinearHead:
    """Fit one softmax for one label per text, one sigmoid per label for several; return the linear head."""
    features = _features(encoder, train)
    targets = np.asarray(train.targets) > 0.5 if not train.single_label else train.class_indices()
    weight = None if spec.class_weights == "none" else "balanced"
    regression = LogisticRegression(C=spec.inverse_regularisation, max_iter=2000, class_weight=weight)
    unit = takes_unit_vectors(encoder)
    head = LinearHead(encoder.dimension, len(train.labels), unit=unit)
    if train.single_label:
        coefficients, intercepts = _softmax(regression.fit(features, targets), len(train.labels))
    else:
        coefficients, intercepts = _sigmoids(OneVsRestClassifier(regression).fit(features, targets))
    with torch.no_grad():
        head.out.weight.copy_(torch.as_tensor(coefficients, dtype=torch.float32))
        head.out.bias.copy_(torch.as_tensor(intercepts, dtype=torch.float32))
    return head


def _features(encoder: Any, train: Corpus) -> Any:
    if isinstance(encoder, TfidfEncoder) and encoder.components is None:
        return encoder.sparse(train.texts)
    return Model(Network(encoder)).embed(train.texts, unit=takes_unit_vectors(encoder))


def _softmax(fitted: LogisticRegression, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (k, d) and intercepts (k,); classes without a training row get a very low logit."""
    coefficients = np.zeros((k, fitted.coef_.shape[1]))
    intercepts = np.full(k, -20.0)
    if (
        len(fitted.classes_) == 2
    ):  # scikit-learn keeps one row for two classes: the second's logit, the first's is 0
        first, second = fitted.classes_
        coefficients[second] = fitted.coef_[0]
        intercepts[first], intercepts[second] = 0.0, fitted.intercept_[0]
        return coefficients, intercepts
    coefficients[fitted.classes_] = fitted.coef_
    intercepts[fitted.classes_] = fitted.intercept_
    return coefficients, intercepts


def _sigmoids(fitted: OneVsRestClassifier) -> tuple[np.ndarray, np.ndarray]:
    rows, intercepts = [], []
    width = next(e.coef_.shape[1] for e in fitted.estimators_ if hasattr(e, "coef_"))
    for estimator in fitted.estimators_:
        if hasattr(estimator, "coef_"):
            rows.append(estimator.coef_[0])
            intercepts.append(float(estimator.intercept_[0]))
        else:  # a label that every training row has, or none
            rows.append(np.zeros(width))
            intercepts.append(20.0 if estimator.predict(np.zeros((1, width)))[0] else -20.0)
    return np.stack(rows), np.array(intercepts)
