"""Batches by length, and each process's share of a batch."""

import numpy as np
import pytest

from affekt.sampling import bucketed, m_per_class, split_for_process

from .rows import groups_of, padding, same_batches, skewed, tweet_lengths


def test_bucketing_leaves_little_padding_on_tweets():
    lengths = tweet_lengths(5000)
    shuffled = np.array_split(np.random.default_rng(0).permutation(5000), 157)
    assert padding(shuffled, lengths) > 0.4
    assert padding(bucketed(lengths, 32, seed=0, epoch=0), lengths) < 0.08


def test_only_the_last_bucketed_batch_is_smaller():
    sizes = [len(batch) for batch in bucketed(tweet_lengths(5000), 32, seed=0, epoch=0)]
    assert sizes[:-1] == [32] * 156
    assert sizes[-1] == 5000 - 156 * 32


def test_the_smaller_bucketed_batch_is_not_always_the_longest_rows():
    lengths = tweet_lengths(100)
    last = [lengths[bucketed(lengths, 32, seed=0, epoch=epoch)[-1]].mean() for epoch in range(20)]
    assert min(last) < 15
    assert max(last) > 30


def test_bucketed_batches_come_in_no_order_of_length():
    lengths = tweet_lengths(3200)
    means = [lengths[batch].mean() for batch in bucketed(lengths, 32, seed=0, epoch=0)]
    assert abs(np.corrcoef(means, range(100))[0, 1]) < 0.4


def test_rows_meet_other_rows_in_the_next_epoch():
    """Of rows that shared a batch in one epoch, few share one in the next, also inside a single window."""
    lengths = tweet_lengths(640)
    epochs = [bucketed(lengths, 32, seed=0, epoch=epoch) for epoch in (0, 1)]
    batch_of = [{row: place for place, batch in enumerate(batches) for row in batch} for batches in epochs]
    pairs = [(int(a), int(b)) for batch in epochs[0] for a in batch for b in batch if a < b]
    assert np.mean([batch_of[1][a] == batch_of[1][b] for a, b in pairs]) < 0.7


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_processes_get_equal_shares_that_together_hold_every_row(world):
    batches = bucketed(tweet_lengths(101), 16, seed=0, epoch=0)
    shares = [split_for_process(batches, rank, world) for rank in range(world)]
    for place, batch in enumerate(batches):
        parts = [share[place] for share in shares]
        assert len({len(part) for part in parts}) == 1
        assert set(np.concatenate(parts)) == set(batch)
        assert sum(map(len, parts)) < len(batch) + world


def test_one_process_gets_the_batches_as_they_are():
    batches = bucketed(tweet_lengths(50), 16, seed=0, epoch=0)
    assert same_batches(split_for_process(batches, 0, 1), batches)


def test_groups_stay_whole_on_a_process_where_m_divides_its_share():
    targets = skewed([64, 64, 64, 64])
    classes = targets.argmax(axis=1)
    batches = m_per_class(targets, 32, m=4, seed=0, epoch=0)
    for share in split_for_process(batches, 1, 2):
        assert len(share) == 16
        assert all(len(set(classes[group])) == 1 for group in groups_of(share, 4))
