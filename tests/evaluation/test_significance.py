"""Differences of estimates drawn together, and Holm's correction."""

import numpy as np
import pytest

from affekt.errors import DataError
from affekt.evaluation.significance import difference, holm


def test_holm_is_its_plain_loop():
    random = np.random.default_rng(0)
    for count in (1, 2, 7):
        given = random.random(count) ** 3
        order, most, expected = np.argsort(given), 0.0, np.zeros(count)
        for rank, place in enumerate(order):
            most = max(most, min(1.0, given[place] * (count - rank)))
            expected[place] = most
        assert holm(given) == pytest.approx(expected)


def test_holm_leaves_out_what_is_no_number():
    assert holm([0.02, np.nan, 0.01]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert holm([]).tolist() == []


@pytest.mark.parametrize("bad", [[1.5], [-0.1], [[0.1]]])
def test_holm_refuses_what_are_no_p_values(bad):
    with pytest.raises(DataError, match="p-values"):
        holm(bad)


def test_a_difference_has_its_interval_and_a_p_value_of_both_tails():
    draws = np.linspace(-0.1, 0.9, 1001)
    found = difference(0.4, draws)
    assert (found.low, found.high) == pytest.approx((-0.075, 0.875))
    assert found.p == pytest.approx(2 * 101 / 1001)
    assert difference(-0.4, -draws).p == found.p


def test_a_tail_that_no_draw_reaches_is_a_normal_one():
    draws = np.random.default_rng(0).normal(5, 1, 1000)
    assert difference(5.0, draws).p == pytest.approx(5.7e-7, rel=0.5)


def test_draws_on_the_other_side_are_no_witnesses_of_a_difference():
    draws = np.linspace(-0.9, 0.1, 1001)
    assert difference(0.001, draws).p == 1
    assert difference(0.0, draws).p == 1


def test_differences_of_nothing():
    assert difference(0.0, np.zeros(50)).p == 1
    assert difference(0.2, np.full(50, 0.2)).p == 0
    assert np.isnan(difference(np.nan, np.zeros(50))).all()
    assert np.isnan(difference(0.1, [np.nan, 0.1])).all()
    assert np.isnan(difference(0.1, [])).all()


@pytest.mark.slow
def test_without_a_difference_few_p_values_are_small():
    random = np.random.default_rng(1)
    centres = random.normal(size=2000)
    found = [difference(centre, random.normal(centre, 1, 500)).p for centre in centres]
    assert 0.03 < np.mean(np.array(found) < 0.05) < 0.07
