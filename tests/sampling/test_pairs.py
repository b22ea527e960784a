"""Pairs: half alike, drawn evenly, never all listed."""

from collections import Counter

import numpy as np
import pytest

from affekt.sampling import balanced_pairs, pair_batches

from .rows import label_sets, one_hot, padding, skewed, tweet_lengths


def shares(targets, left, right):
    return ((targets[left] > 0) & (targets[right] > 0)).any(axis=1)


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param(skewed([50, 30, 20]), id="three classes"),
        pytest.param(skewed([95, 4, 1]), id="skewed, one class of one row"),
        pytest.param(label_sets(100, 5), id="label sets, some empty"),
    ],
)
def test_pairs_are_half_alike_and_every_labelled_row_is_anchor_equally_often(targets):
    left, right, same = balanced_pairs(targets, 501, seed=5, epoch=0)
    assert (left != right).all()
    assert np.array_equal(shares(targets, left, right), same)
    assert same.sum() == 250
    labelled = np.flatnonzero(targets.any(axis=1))
    turns = [Counter(left.tolist())[row] for row in labelled]
    assert set(left) | set(right) <= set(labelled)
    assert max(turns) - min(turns) <= 1


def test_any_stretch_of_pairs_is_balanced():
    _, _, same = balanced_pairs(skewed([50, 30, 20]), 1000, seed=0, epoch=0)
    for start in range(0, 1000, 32):
        stretch = same[start : start + 32]
        assert abs(stretch.sum() - len(stretch) / 2) <= 1


def test_a_row_alone_in_its_class_is_never_paired_with_itself():
    targets = one_hot([0, 0, 0, 0, 1])
    left, right, same = balanced_pairs(targets, 100, seed=0, epoch=0)
    assert (left != right).all()
    assert not same[left == 4].any()
    assert not same[right == 4].any()
    assert (left == 4).sum() == 20
    assert same.sum() == 50


def test_one_class_gives_positives_only_and_only_lone_rows_negatives_only():
    _, _, same = balanced_pairs(one_hot([0] * 6), 20, seed=0, epoch=0)
    assert same.all()
    left, right, same = balanced_pairs(np.eye(6), 20, seed=0, epoch=0)
    assert not same.any()
    assert (left != right).all()


def test_partners_are_drawn_evenly_from_the_class():
    left, right, same = balanced_pairs(one_hot([0] * 5 + [1] * 5), 20_000, seed=0, epoch=0)
    partners = Counter(right[same & (left == 0)].tolist())
    strangers = Counter(right[~same & (left == 0)].tolist())
    assert set(partners) == {1, 2, 3, 4}
    assert set(strangers) == {5, 6, 7, 8, 9}
    for counts in (partners, strangers):
        assert max(counts.values()) < 1.5 * min(counts.values())


def test_a_stranger_is_found_however_rare():
    """Two rows in 4000 are of another class: chance alone would mostly miss them."""
    targets = one_hot([0] * 3998 + [1] * 2)
    left, right, same = balanced_pairs(targets, 8000, seed=0, epoch=0)
    assert same.sum() == 4000
    assert np.array_equal(shares(targets, left, right), same)


def test_pairs_of_many_rows_take_no_memory_for_all_pairs():
    """All pairs of 60,000 rows would be 3.6 billion; this ends in a moment or not at all."""
    targets = skewed([30_000, 20_000, 10_000])
    left, _, same = balanced_pairs(targets, 60_000, seed=0, epoch=0)
    assert len(left) == 60_000
    assert same.mean() == 0.5


# --- in batches by length


def halves(batch):
    left, right = np.split(batch, 2)
    return left, right


@pytest.mark.parametrize("rows", [1000, 1007])
def test_batches_of_pairs_hold_the_same_pairs_each_once_and_stay_balanced(rows):
    targets = skewed([rows - 400, 300, 100])
    batches = pair_batches(targets, 32, lengths=tweet_lengths(rows), seed=3, epoch=1)
    assert [len(batch) for batch in batches[:-1]] == [64] * (len(batches) - 1)
    left, right, same = balanced_pairs(targets, rows, seed=3, epoch=1)
    pairs = [pair for batch in batches for pair in zip(*halves(batch), strict=True)]
    assert Counter(pairs) == Counter(zip(left, right, strict=True))
    for batch in batches:
        alike = shares(targets, *halves(batch)).sum()
        assert abs(alike - len(batch) / 4) <= 1
    assert same.sum() == rows // 2


def test_pairs_of_like_length_share_a_batch_and_batches_come_in_no_order_of_length():
    lengths, targets = tweet_lengths(3200), skewed([1600, 1000, 600])
    batches = pair_batches(targets, 32, lengths=lengths, seed=0, epoch=0)
    left, right, _ = balanced_pairs(targets, 3200, seed=0, epoch=0)
    as_drawn = [np.concatenate([left[at : at + 32], right[at : at + 32]]) for at in range(0, len(left), 32)]
    assert padding(batches, lengths) < 0.75 * padding(as_drawn, lengths)
    means = [lengths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.4
