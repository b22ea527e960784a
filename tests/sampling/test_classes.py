"""Batches by class: class shares, several classes in every batch."""

from collections import Counter
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt.sampling import m_per_class, stratified

from .rows import groups_of, label_sets, one_hot, padding, rows_of, skewed, tweet_lengths


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    batch_size=st.integers(1, 40),
    by_length=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_each_stratified_batch_has_every_class_share_rounded_down_or_up(counts, batch_size, by_length, epoch):
    targets = skewed(counts)
    lengths = tweet_lengths(len(targets)) if by_length else None
    batches = stratified(targets, batch_size, seed=3, epoch=epoch, lengths=lengths)
    held = np.array([targets[batch].sum(axis=0) for batch in batches])
    exact = np.array(counts) / len(batches)
    assert rows_of(batches) == list(range(len(targets)))
    assert (held >= np.floor(exact)).all()
    assert (held <= np.ceil(exact)).all()
    sizes = [len(batch) for batch in batches]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch_size


def test_stratified_label_sets_keep_the_share_of_every_label_within_a_few_rows():
    targets = label_sets(3000, 8)
    batches = stratified(targets, 32, seed=0, epoch=0)
    off = np.abs([targets[batch].sum(axis=0) - len(batch) * targets.mean(axis=0) for batch in batches])
    shuffled = np.array_split(np.random.default_rng(0).permutation(3000), len(batches))
    by_chance = np.abs([targets[rows].sum(axis=0) - len(rows) * targets.mean(axis=0) for rows in shuffled])
    assert off.max() < 5
    assert off.mean() < by_chance.mean() / 2


@pytest.mark.parametrize("lengths", [None, tweet_lengths(3000)], ids=["shuffled", "by length"])
def test_stratified_label_sets_spread_each_rarest_label_evenly(lengths):
    targets = label_sets(3000, 8)
    counts = targets.sum(axis=0)
    rarest = np.array([min(np.flatnonzero(row), key=counts.item, default=8) for row in targets])
    batches = stratified(targets, 32, seed=0, epoch=0, lengths=lengths)
    for label in range(9):
        exact = (rarest == label).sum() / len(batches)
        held = {int((rarest[batch] == label).sum()) for batch in batches}
        assert held <= {int(np.floor(exact)), ceil(exact)}


def test_rows_of_a_stratified_batch_are_in_no_order_of_class():
    batch = stratified(skewed([500, 500]), 100, seed=0, epoch=0)[0]
    classes = skewed([500, 500])[batch].argmax(axis=1)
    assert 0.3 < classes[:50].mean() < 0.7


@settings(max_examples=80, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    m=st.integers(1, 5),
    groups=st.integers(2, 6),
    by_length=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_m_per_class_batches_are_groups_of_one_class_several_classes_each_and_miss_no_row(
    counts, m, groups, by_length, epoch
):
    targets = skewed(counts)
    classes = targets.argmax(axis=1)
    lengths = tweet_lengths(len(targets)) if by_length else None
    batches = m_per_class(targets, m * groups, m=m, seed=4, epoch=epoch, lengths=lengths)
    assert set(rows_of(batches)) == set(range(len(targets)))
    for batch in batches:
        assert 0 < len(batch) <= m * groups
        assert all(len(set(classes[group])) == 1 for group in groups_of(batch, m))
        assert len(set(classes[batch])) >= min(2, len(counts))


def test_no_row_comes_twice_when_classes_divide_into_groups():
    targets = skewed([400, 300, 200, 100])
    batches = m_per_class(targets, 32, m=4, seed=0, epoch=0)
    assert rows_of(batches) == list(range(1000))
    assert all(len(set(targets[batch].argmax(axis=1))) >= 3 for batch in batches)


def test_classes_keep_about_their_share_in_every_m_per_class_batch():
    targets = skewed([400, 300, 200, 100])
    batches = m_per_class(targets, 40, m=4, seed=0, epoch=0)
    for batch in batches:
        groups = Counter(targets[batch].argmax(axis=1))
        assert {label: count // 4 for label, count in groups.items()} == {0: 4, 1: 3, 2: 2, 3: 1}


def test_groups_of_a_batch_are_in_no_order_of_class():
    targets = skewed([160, 160])
    batches = m_per_class(targets, 8, m=4, seed=0, epoch=0)
    assert 10 < sum(targets[batch[0], 0] for batch in batches) < 30  # of 40


def test_the_last_group_of_a_class_repeats_rows_of_other_groups_and_never_its_own():
    targets = skewed([10, 9])
    batches = m_per_class(targets, 8, m=4, seed=0, epoch=0)
    assert all(len(set(group)) == 4 for batch in batches for group in groups_of(batch, 4))
    repeated = Counter(rows_of(batches))
    assert max(repeated.values()) <= 3
    assert sum(repeated.values()) == 24  # 3 groups of 4 for each class


def test_a_class_of_one_row_fills_its_group_with_it():
    batches = m_per_class(one_hot([0, 0, 0, 0, 1]), 8, m=4, seed=0, epoch=0)
    assert len(batches) == 1
    assert sorted(tuple(sorted(group)) for group in groups_of(batches[0], 4)) == [(0, 1, 2, 3), (4, 4, 4, 4)]


def test_an_overwhelming_class_is_mixed_by_repeating_the_others():
    targets = skewed([960, 8])
    batches = m_per_class(targets, 16, m=4, seed=0, epoch=0)
    assert len(batches) == 80  # 240 groups of the large class, three a batch, beside one of the small
    assert all(Counter(targets[batch].argmax(axis=1)) == {0: 12, 1: 4} for batch in batches)


def test_rows_with_several_labels_stand_under_their_rare_ones_more_often():
    """98 rows of label 0 alone and 2 with both: under label 1 with odds of 100 to 2."""
    targets = np.zeros((100, 2))
    targets[:, 0] = 1
    targets[:2, 1] = 1
    together = 0
    for epoch in range(30):
        batches = m_per_class(targets, 8, m=2, seed=0, epoch=epoch)
        together += any(set(group) == {0, 1} for batch in batches for group in groups_of(batch, 2))
    assert together >= 24


def test_every_group_of_label_sets_shares_a_label():
    targets = label_sets(500, 6)
    for batch in m_per_class(targets, 32, m=4, seed=0, epoch=0):
        for group in groups_of(batch, 4):
            unlabelled = not targets[group].any()
            assert unlabelled or targets[group].all(axis=0).any()


@pytest.mark.parametrize("sampler", ["stratified", "m_per_class"])
def test_sampling_by_class_and_length_leaves_little_padding(sampler):
    targets, lengths = skewed([1400, 900, 500, 200]), tweet_lengths(3000)
    draw = {"stratified": stratified, "m_per_class": lambda *a, **k: m_per_class(*a, m=4, **k)}[sampler]
    assert padding(draw(targets, 32, seed=0, epoch=0), lengths) > 0.4
    assert padding(draw(targets, 32, seed=0, epoch=0, lengths=lengths), lengths) < 0.12


def test_few_rows_of_a_rare_class_still_go_to_batches_of_their_length():
    """40 rows among 94 batches: dealt one after the other they would land in batches of any length."""
    targets, lengths = skewed([2960, 40]), tweet_lengths(3000)
    batches = stratified(targets, 32, seed=0, epoch=0, lengths=lengths)
    own, company = [], []
    for batch in batches:
        rare = targets[batch, 1] == 1
        own += lengths[batch[rare]].tolist()
        company += [lengths[batch[~rare]].mean()] * int(rare.sum())
    assert np.corrcoef(own, company)[0, 1] > 0.9
