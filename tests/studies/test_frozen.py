"""Nearest neighbours and the probe, on vectors that are made up."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from affekt.studies import frozen
from affekt.studies.frozen import by_neighbours, by_probe, neighbours


@pytest.fixture
def space():
    """Vectors around three places, with their classes: 90 to learn from and 60 others."""
    random = np.random.default_rng(0)
    classes = np.arange(150) % 3
    vectors = np.eye(5)[classes] + random.normal(scale=0.6, size=(150, 5))
    return vectors[:90], classes[:90], vectors[90:], classes[90:]


def test_the_nearest_are_those_of_a_plain_loop(space, monkeypatch):
    monkeypatch.setattr(frozen, "_CHUNK", 7)
    train, _, vectors, _ = space
    found = neighbours(train, 3 * vectors, 4)
    for row, vector in zip(found, vectors, strict=True):
        cosines = [one @ vector / np.linalg.norm(one) / np.linalg.norm(vector) for one in train]
        assert row.tolist() == np.argsort(-np.array(cosines))[:4].tolist()


def test_fewer_rows_than_neighbours_are_all_there_are(space):
    train, _, vectors, _ = space
    assert neighbours(train[:2], vectors, 9).shape == (60, 2)
    assert neighbours(train, vectors[:0], 9).shape == (0, 9)


def test_the_vote_is_scikit_learn_s_where_there_are_no_ties(space):
    train, classes, vectors, _ = space
    oracle = KNeighborsClassifier(1, metric="cosine").fit(train, classes).predict(vectors)
    voted = by_neighbours(np.eye(3)[classes], neighbours(train, vectors, 1), single_label=True)
    assert voted.argmax(axis=1).tolist() == oracle.tolist()


def test_of_labels_with_as_many_votes_the_nearer_is_taken_and_a_majority_goes_before_it():
    targets = np.eye(3)[[2, 0, 0, 2, 1]]
    assert by_neighbours(targets, np.array([[0, 1, 2, 3]]), single_label=True).argmax() == 2
    assert by_neighbours(targets, np.array([[1, 0, 3, 2]]), single_label=True).argmax() == 0
    assert by_neighbours(targets, np.array([[0, 1, 2, 4]]), single_label=True).argmax() == 0


def test_several_labels_need_more_than_half_of_the_votes():
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0.0]])
    assert by_neighbours(targets, np.array([[0, 1, 2]]), single_label=False).tolist() == [
        [True, False, False]
    ]


def test_the_probe_is_scikit_learn_s_logistic_regression(space):
    train, classes, vectors, truth = space
    decided = by_probe(train, np.eye(3)[classes], vectors, single_label=True)
    oracle = LogisticRegression(max_iter=100).fit(train, classes).predict(vectors)
    assert decided.argmax(axis=1).tolist() == oracle.tolist()
    assert decided.sum(axis=1).tolist() == [1] * 60
    assert (decided.argmax(axis=1) == truth).mean() > 0.6


def test_a_class_that_no_row_has_is_never_given_and_one_that_is_alone_always(space):
    train, classes, vectors, _ = space
    wider = np.eye(5)[classes + 1]
    assert not by_probe(train, wider, vectors, single_label=True)[:, [0, 4]].any()
    alone = np.eye(5)[np.full(90, 3)]
    assert by_probe(train, alone, vectors, single_label=True)[:, 3].all()


def test_several_labels_are_decided_one_by_one(space):
    train, classes, vectors, _ = space
    targets = np.column_stack([classes == 0, classes != 1, np.ones(90), np.zeros(90)]).astype(float)
    decided = by_probe(train, targets, vectors, single_label=False)
    oracle = LogisticRegression(class_weight="balanced").fit(train, classes == 0).predict(vectors)
    assert decided[:, 0].tolist() == oracle.tolist()
    assert decided[:, 2].all()
    assert not decided[:, 3].any()


def test_of_many_labels_with_a_few_rows_each_some_are_given():
    random = np.random.default_rng(1)
    classes = np.arange(200) % 25
    vectors = np.eye(25)[classes] + random.normal(scale=0.3, size=(200, 25))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    decided = by_probe(vectors[:100], np.eye(25)[classes[:100]], vectors[100:], single_label=False)
    assert decided[np.arange(100), classes[100:]].mean() > 0.6
    plain = [LogisticRegression().fit(vectors[:100], classes[:100] == one) for one in range(25)]
    assert not any(one.predict(vectors[100:]).any() for one in plain)
