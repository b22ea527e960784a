"""Clusters and their agreement with labels: scikit-learn's definitions, and spaces that have no clusters."""

import sys

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans

from affekt.errors import DataError, UsageError
from affekt.evaluation import agreement, clustering

TRUE = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 5]


def space(seed=0, rows=120, classes=4, spread=0.7):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    centres = random.normal(size=(classes, 8))
    return centres[labels] + spread * random.normal(size=(rows, 8)), labels


@pytest.mark.parametrize(
    ("predicted", "ami", "ari", "fms", "v_measure"),
    [
        (
            [0, 4, 2, 2, 4, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 1, 3, 1, 4, 0, 0, 0, 3, 2],
            -0.05439900288699647,
            -0.04403264195851751,
            0.15322409370161832,
            0.2644083966084413,
        ),
        (
            [3, 2, 1, 3, 2, 2, 3, 3, 4, 3, 0, 1, 2, 1, 1, 5, 4, 1, 1, 4, 4, 2, 3, 1],
            0.19480405483395954,
            0.12658227848101267,
            0.2831896879219572,
            0.45543113381312156,
        ),
        (TRUE, 1.0, 1.0, 1.0, 1.0),
    ],
)
def test_agreement_equals_known_figures(predicted, ami, ari, fms, v_measure):
    ours = agreement(TRUE, predicted)

    assert ours == pytest.approx({"ami": ami, "ari": ari, "fms": fms, "v_measure": v_measure}, abs=1e-9)


def test_agreement_does_not_depend_on_the_names():
    words = np.array(["joy", "anger", "fear", "love", "grief", "pride"])

    assert agreement(words[TRUE], words[TRUE][::-1]) == pytest.approx(agreement(TRUE, TRUE[::-1]))


def test_figures_are_scikit_learns_on_k_means_clusters_and_on_the_labels():
    points, labels = space()
    found = KMeans(4, n_init=10, random_state=3).fit_predict(points)

    ours = clustering(points, labels, seed=3)

    expected = {
        "silhouette": metrics.silhouette_score(points, found),
        "davies_bouldin": metrics.davies_bouldin_score(points, found),
        "silhouette_labels": metrics.silhouette_score(points, labels),
        "davies_bouldin_labels": metrics.davies_bouldin_score(points, labels),
        "ami": metrics.adjusted_mutual_info_score(labels, found),
        "ari": metrics.adjusted_rand_score(labels, found),
        "fms": metrics.fowlkes_mallows_score(labels, found),
        "v_measure": metrics.v_measure_score(labels, found),
        "n": 120,
        "dimension": 8,
        "clusters": 4,
        "clusters_found": 4,
    }
    assert ours == pytest.approx(expected)


def test_well_separated_classes_are_found_and_names_may_be_strings():
    points, labels = space(spread=0.05)

    ours = clustering(points.astype(np.float32), np.array(["a", "b", "c", "d"])[labels])

    assert ours["ami"] == pytest.approx(1)
    assert ours["silhouette"] > 0.8


def test_the_number_of_clusters_can_be_given():
    points, labels = space()

    assert clustering(points, labels, clusters=7)["clusters_found"] == 7


def test_the_same_seed_gives_the_same_figures():
    points, labels = space(spread=2.0)

    assert clustering(points, labels, seed=1) == clustering(points, labels, seed=1)


def test_silhouette_of_many_rows_is_close_to_that_of_a_sample(monkeypatch):
    points, labels = space(rows=1500)
    whole = clustering(points, labels)
    monkeypatch.setattr(sys.modules["affekt.evaluation.clustering"], "SILHOUETTE_ROWS", 500)

    sampled = clustering(points, labels)

    assert sampled["silhouette"] != whole["silhouette"]
    assert sampled["silhouette"] == pytest.approx(whole["silhouette"], abs=0.05)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("points", "labels"),
    [
        (np.ones((6, 3)), [0, 0, 1, 1, 2, 2]),  # a collapsed space
        (np.zeros((6, 3)), [0, 0, 1, 1, 2, 2]),
        (np.eye(3), [0, 1, 2]),  # every row its own class
        (np.eye(4)[[0, 0, 0, 1]], [0, 0, 1, 2]),  # fewer distinct points than classes
        (np.eye(2), [0, 1]),
    ],
)
def test_degenerate_spaces_have_finite_figures_and_no_warnings(points, labels):
    ours = clustering(points, labels)

    assert all(np.isfinite(value) for value in ours.values())


def test_a_collapsed_space_is_told_by_clusters_found_and_agrees_with_nothing():
    ours = clustering(np.ones((6, 3)), [0, 0, 1, 1, 2, 2])

    assert (ours["clusters"], ours["clusters_found"]) == (3, 1)
    assert ours["silhouette"] == 0
    assert ours["ami"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("points", "labels", "clusters", "error", "message"),
    [
        (np.eye(3), [1, 1, 1], None, DataError, "at least two classes"),
        (np.eye(3), [1, 2, 1], 4, DataError, "4 clusters .* only 3 rows"),
        (np.eye(3), [1, 2, 1], 1, UsageError, "at least 2"),
        (np.eye(3), [1, 2], None, DataError, r"one per row \(3 rows\)"),
        (np.full((3, 2), np.nan), [1, 2, 1], None, DataError, "nan at row 0"),
    ],
)
def test_what_cannot_be_clustered_is_refused(points, labels, clusters, error, message):
    with pytest.raises(error, match=message):
        clustering(points, labels, clusters)


def test_agreement_needs_equally_many_rows_and_at_least_one():
    with pytest.raises(DataError, match="one per row"):
        agreement([0, 1], [0, 1, 1])
    with pytest.raises(DataError, match="at least one row"):
        agreement([], [])
