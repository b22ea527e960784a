"""How answers change from one text of a pair to the other."""

from itertools import product

import numpy as np
import pytest

from affekt.errors import DataError
from affekt.evaluation import fairness
from affekt.evaluation.fairness import changes, of_same_size


def test_means_are_over_frames_and_the_worst_pair_is_named():
    first = np.array([[0.1], [0.2], [0.5]])
    second = np.array([[0.3], [0.2], [0.1]])
    [found] = changes(first, second, ["a", "a", "b"])
    assert found.mean == pytest.approx((0.1 - 0.4) / 2)
    assert found.absolute == pytest.approx((0.2 + 0 + 0.4) / 3)
    assert found.worst == 2


def test_p_values_are_those_of_all_signs():
    random = np.random.default_rng(1)
    moved = random.normal(0.4, 1, (8, 1))
    seen = abs(moved.mean())
    every = [abs(np.mean(moved[:, 0] * signs)) for signs in product((-1, 1), repeat=8)]
    exact = np.mean([one >= seen - 1e-12 for one in every])
    [found] = changes(np.zeros((8, 1)), moved, [str(i) for i in range(8)])
    assert found.p == pytest.approx(exact, abs=0.015)


def test_of_no_difference_few_p_values_are_small():
    random = np.random.default_rng(0)
    moved = random.normal(0, 1, (40, 400))
    found = changes(np.zeros_like(moved), moved, [str(i) for i in range(40)], resamples=400)
    assert 0.02 < np.mean([one.p < 0.05 for one in found]) < 0.09
    assert 0.9 < np.mean([one.low <= 0 <= one.high for one in found]) < 0.98


def test_pairs_of_one_frame_are_one_witness():
    few = np.array([[0.3], [0.1], [-0.05], [0.2]])
    [one] = changes(np.zeros((4, 1)), few, ["a", "b", "c", "d"])
    many = np.repeat(few, 50, axis=0)
    [other] = changes(np.zeros((200, 1)), many, np.repeat(["a", "b", "c", "d"], 50).tolist())
    assert other.p == one.p
    assert (other.low, other.high) == pytest.approx((one.low, one.high))


def test_no_change_at_all_has_a_p_value_of_one():
    [found] = changes(np.ones((3, 1)), np.ones((3, 1)), ["a", "b", "c"])
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_the_smallest_p_value_leaves_room_for_a_correction():
    moved = np.full((30, 1), 0.1)
    [found] = changes(np.zeros((30, 1)), moved, [str(i) for i in range(30)])
    assert found.p == 1 / (fairness.FLIPS + 1)


@pytest.mark.parametrize(
    ("first", "frames", "said"),
    [
        (np.zeros((2, 1)), ["a", "a"], "two frames or more"),
        (np.zeros((0, 1)), [], "two frames or more"),
        (np.zeros((3, 1)), ["a", "b"], "a row for each pair"),
        (np.full((2, 1), np.nan), ["a", "b"], "finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(first, frames, said):
    with pytest.raises(DataError, match=said):
        changes(first, np.zeros_like(first), frames)


def test_a_mean_is_weighted_to_the_sizes_of_a_reference():
    sizes, answers = np.array([1.0] * 90 + [100.0] * 10), np.array([0.0] * 90 + [1.0] * 10)
    assert of_same_size([1, 1, 100, 100], sizes, answers, bins=2) == pytest.approx(0.5)
    assert of_same_size(sizes, sizes, answers, bins=2) == pytest.approx(0.1)
