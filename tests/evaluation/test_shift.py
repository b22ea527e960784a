"""How far vectors moved, and how many directions they use."""

import numpy as np
import pytest

from affekt.errors import DataError
from affekt.evaluation import effective_rank, space_shift


def test_vectors_that_did_not_move_have_no_difference_and_cosine_one():
    points = np.random.default_rng(0).normal(size=(10, 4))

    assert space_shift(points, points) == pytest.approx(
        {"mean_squared_difference": 0, "mean_cosine": 1, "n": 10}
    )


def test_the_difference_is_the_mean_over_rows_and_dimensions():
    """(0,0)→(3,4): squares 9, 16; (1,0)→(0,1): 1, 1; so 27/4. A zero row and a right angle: cosine 0."""
    ours = space_shift([[0.0, 0.0], [1.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])

    assert ours == pytest.approx({"mean_squared_difference": 27 / 4, "mean_cosine": 0, "n": 2})


def test_the_cosine_does_not_see_length_but_the_difference_does():
    ours = space_shift([[1.0, 1.0]], [[-2.0, -2.0]])

    assert ours["mean_cosine"] == pytest.approx(-1)
    assert ours["mean_squared_difference"] == pytest.approx(9)


def test_spaces_of_different_shapes_are_refused():
    with pytest.raises(DataError, match="same shape"):
        space_shift(np.ones((2, 3)), np.ones((2, 4)))


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (5, 5)])
def test_effective_rank_is_the_exponential_of_the_entropy_of_singular_values(shape):
    points = np.random.default_rng(0).normal(size=shape)
    singular = np.linalg.svd(points, compute_uv=False)
    shares = singular / singular.sum()

    assert effective_rank(points) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


@pytest.mark.parametrize("directions", [1, 3, 7])
def test_effective_rank_counts_equally_used_directions(directions):
    points = np.eye(7)[np.arange(84) % directions]

    assert effective_rank(points) == pytest.approx(directions)


def test_a_collapsed_space_has_rank_one_and_a_zero_space_rank_zero():
    assert effective_rank(np.full((100, 16), 0.3, dtype=np.float32)) == pytest.approx(1, abs=1e-5)
    assert effective_rank(np.zeros((4, 3))) == 0


def test_effective_rank_falls_as_a_space_collapses():
    random = np.random.default_rng(0)
    points, direction = random.normal(size=(200, 16)), random.normal(size=16)

    ranks = [effective_rank(points * (1 - share) + share * direction) for share in (0, 0.5, 0.9, 0.99)]

    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] > 14
    assert ranks[-1] < 2
