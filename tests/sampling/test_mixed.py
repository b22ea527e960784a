"""Batches of several corpora: whose turn it is, and how often."""

import numpy as np
import pytest

from affekt.errors import UsageError
from affekt.sampling import mixed

MADE = {"large": [np.array([i]) for i in range(90)], "small": [np.array([i]) for i in range(10)]}


def of(name, found):
    return [int(batch[0]) for which, batch in found if which == name]


def test_by_size_every_batch_comes_once_and_those_of_a_corpus_keep_their_order():
    found = mixed(MADE, seed=0, epoch=0)
    assert of("large", found) == list(range(90))
    assert of("small", found) == list(range(10))
    turns = [at for at, (which, _) in enumerate(found) if which == "small"]
    assert max(turns) - min(turns) > 20  # they stand among the others


def test_one_corpus_is_as_it_was():
    assert of("large", mixed({"large": MADE["large"]}, seed=3, epoch=2)) == list(range(90))


def test_a_higher_temperature_brings_the_shares_together_and_keeps_the_length():
    found = mixed(MADE, temperature=2.0, seed=0, epoch=0)
    assert len(found) == 100
    assert of("small", found) == [i % 10 for i in range(25)]  # √10 of √10 + √90
    assert of("large", found) == list(range(75))
    assert abs(len(of("small", mixed(MADE, temperature=1e6, seed=0, epoch=0))) - 50) <= 1


def test_the_smallest_corpus_has_a_turn():
    found = mixed({"large": MADE["large"], "tiny": [np.array([7])]}, temperature=0.5, seed=0, epoch=0)
    assert of("tiny", found) == [7]


def test_however_low_the_temperature_the_largest_corpus_has_the_turns():
    found = mixed(MADE, temperature=1e-4, seed=0, epoch=0)
    assert (len(of("large", found)), len(of("small", found))) == (100, 1)


def test_seed_and_epoch_decide_the_order():
    def order(seed, epoch):
        return [which for which, _ in mixed(MADE, seed=seed, epoch=epoch)]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(UsageError, match="temperature is"):
        mixed(MADE, temperature=temperature, seed=0, epoch=0)
