import warnings

import numpy as np
import pytest

from affekt.errors import DataError, UsageError
from affekt.explore.projection import project


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def _groups(n=30, d=12):
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(3, d)
    return np.concatenate([centre + rng.normal(scale=0.3, size=(n, d)) for centre in centres])


def test_tsne_keeps_groups_apart():
    places = project(_groups(), "tsne", seed=0).reshape(3, 30, 2)
    centres = places.mean(axis=1)
    within = max(np.linalg.norm(part - part.mean(axis=0), axis=1).max() for part in places)
    between = min(np.linalg.norm(centres[i] - centres[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert between > within


def test_one_seed_gives_one_map():
    np.testing.assert_array_equal(project(_groups(), seed=3), project(_groups(), seed=3))


def test_pca_keeps_the_distances_of_what_lies_in_a_plane():
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(20, 2)) @ np.linalg.qr(rng.normal(size=(7, 2)))[0].T
    places = project(flat, "pca")
    for i in range(20):
        for j in range(i):
            assert np.linalg.norm(places[i] - places[j]) == pytest.approx(np.linalg.norm(flat[i] - flat[j]))


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (5, 1), (7, 200), (6, 0)])
def test_few_rows_and_few_dimensions_have_finite_places(method, shape):
    places = project(np.random.default_rng(0).normal(size=shape), method)
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_rows_that_are_all_alike_lie_in_one_place(method):
    np.testing.assert_array_equal(project(np.full((9, 4), 0.3), method), np.zeros((9, 2)))


def test_a_few_rows_among_copies_have_finite_places():
    vectors = np.zeros((12, 4))
    vectors[0] = 1
    assert np.isfinite(project(vectors)).all()


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match="pca, tsne"):
        project(np.zeros((3, 2)), "umap")


@pytest.mark.parametrize("vectors", [np.zeros(3), np.array([[np.nan, 1.0]])])
def test_what_is_no_finite_matrix_is_refused(vectors):
    with pytest.raises(DataError, match="finite"):
        project(vectors)
