"""Logistic regression as a head: scikit-learn's own probabilities from the linear layer."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from affekt.data.corpus import Corpus
from affekt.encoders import Batch, Encoded, Encoder
from affekt.encoders.tfidf import TfidfEncoder
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network
from affekt.recipe.objectives import Logistic
from affekt.training.logistic import fit_logistic

TEXTS = [
    *("so happy today", "i am happy", "happy happy joy", "what a joy", "joy to you"),
    *("so sad today", "i am sad", "sad and blue", "feeling blue", "blue and sad all day"),
    *("that makes me mad", "so mad", "mad at you", "you make me mad today", "i hate this"),
]
ONE = ["joy"] * 5 + ["sadness"] * 5 + ["anger"] * 5
SEVERAL = (
    [["joy"]] * 4
    + [["joy", "love"]]
    + [["sadness"]] * 4
    + [[]]
    + [["anger"]] * 3
    + [["anger", "sadness"]] * 2
)


class Lengths(Encoder):
    """A dense encoder that has no weights: a few numbers about each text, far from unit length."""

    dimension = 3

    def tokenize(self, texts: list[str]) -> list[str]:
        return list(texts)

    def collate(self, rows: list[str]) -> Batch:
        facts = [[len(row), row.count("a") + 1.0, row.count("s") - row.count("o")] for row in rows]
        return {"facts": torch.tensor(facts, dtype=torch.float32)}

    def forward(self, batch: Batch) -> Encoded:
        return Encoded(batch["facts"])


def corpus(labels: Any) -> Corpus:
    return Corpus.build(TEXTS, labels)


def fitted(encoder: Any, train: Corpus, **options: Any) -> NDArray[np.float64]:
    """The head's logits on the training texts."""
    head = fit_logistic(encoder, train, Logistic(kind="logistic", **options))
    model = Model(TorchRuntime(Network(encoder, head).eval()), train.labels, train.single_label)
    return model.logits(train.texts).astype(np.float64)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def dense_features() -> NDArray[np.float64]:
    encoder = Lengths()
    facts = encoder(encoder.collate(TEXTS)).vectors.numpy().astype(np.float64)
    return np.asarray(facts / np.linalg.norm(facts, axis=1, keepdims=True))


def cases() -> list[Any]:
    tfidf = TfidfEncoder.build(TEXTS, min_count=1)
    reduced = TfidfEncoder.build(TEXTS, min_count=1, reduction="pca", components=4)
    with torch.no_grad():
        reduced_features = reduced(reduced.collate(reduced.tokenize(TEXTS))).vectors.numpy()
    return [
        pytest.param(tfidf, tfidf.sparse(TEXTS), id="tf-idf"),
        pytest.param(reduced, reduced_features, id="tf-idf reduced"),
        pytest.param(Lengths(), dense_features(), id="dense"),
    ]


@pytest.mark.parametrize(("encoder", "features"), cases())
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_three_classes_have_scikit_learns_probabilities(encoder: Any, features: Any, weights: Any) -> None:
    train = corpus(ONE)
    theirs = LogisticRegression(C=5.0, max_iter=2000, class_weight=None if weights == "none" else "balanced")
    expected = theirs.fit(features, train.class_indices()).predict_proba(features)
    got = softmax(fitted(encoder, train, inverse_regularisation=5.0, class_weights=weights))
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize(("encoder", "features"), cases())
def test_two_classes_have_scikit_learns_probabilities(encoder: Any, features: Any) -> None:
    train = corpus(["joy"] * 5 + ["other"] * 10)
    expected = LogisticRegression(max_iter=2000).fit(features, train.class_indices()).predict_proba(features)
    np.testing.assert_allclose(softmax(fitted(encoder, train)), expected, atol=2e-5)


@pytest.mark.parametrize(("encoder", "features"), cases())
def test_several_labels_have_scikit_learns_probabilities(encoder: Any, features: Any) -> None:
    train = corpus(SEVERAL)
    theirs = OneVsRestClassifier(LogisticRegression(max_iter=2000)).fit(features, train.targets > 0.5)
    got = 1 / (1 + np.exp(-fitted(encoder, train)))
    np.testing.assert_allclose(got, theirs.predict_proba(features), atol=2e-5)


def test_a_class_without_a_training_row_is_practically_never_predicted() -> None:
    train = Corpus.build(TEXTS, ONE, label_names=["anger", "disgust", "joy", "sadness"])
    got = softmax(fitted(TfidfEncoder.build(TEXTS, min_count=1), train))
    assert got[:, 1].max() < 1e-6
    two = Corpus.build(TEXTS, ["joy"] * 5 + ["anger"] * 10, label_names=["anger", "disgust", "joy"])
    got = softmax(fitted(TfidfEncoder.build(TEXTS, min_count=1), two, inverse_regularisation=100.0))
    assert got[:, 1].max() < 1e-6
    assert (got.argmax(1) == two.class_indices()).mean() > 0.8


def test_labels_that_all_texts_or_no_text_has_are_decided_without_a_warning() -> None:
    targets = np.zeros((len(TEXTS), 3), dtype=np.float32)
    targets[:, 0] = 1
    targets[:5, 2] = 1
    train = Corpus.build(TEXTS, targets, label_names=["always", "never", "joy"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = fitted(TfidfEncoder.build(TEXTS, min_count=1), train)
    assert (logits[:, 0] > 10).all()
    assert (logits[:, 1] < -10).all()


def test_heads_on_dense_vectors_scale_them_to_unit_length_and_those_on_bags_do_not() -> None:
    spec = Logistic(kind="logistic")
    assert fit_logistic(Lengths(), corpus(ONE), spec).unit
    assert not fit_logistic(TfidfEncoder.build(TEXTS, min_count=1), corpus(ONE), spec).unit
