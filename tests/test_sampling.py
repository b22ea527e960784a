"""Samplers are judged by what they yield over an epoch: every row, class shares, several classes a batch."""

import json
import os
import subprocess
import sys
from collections import Counter
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt.errors import UsageError
from affekt.sampling import (
    SAMPLERS,
    balanced_pairs,
    bucketed,
    in_order,
    m_per_class,
    split_for_process,
    stratified,
)


def one_hot(classes, k=None):
    return np.eye(k or max(classes) + 1)[classes]


def skewed(counts, seed=0):
    """Return shuffled one-hot targets with so many rows of each class."""
    return one_hot(
        np.random.default_rng(seed).permutation(np.repeat(range(len(counts)), counts)), len(counts)
    )


def label_sets(rows, k, seed=0, chance=0.3):
    """Return multi-hot targets with falling label frequencies; some rows have no label."""
    share = chance * 1.6 / (1 + np.arange(k))
    return (np.random.default_rng(seed).random((rows, k)) < share).astype(float)


def tweet_lengths(rows, seed=0):
    """Return token counts spread as those of tweets are: mostly 10 to 30."""
    return np.clip(np.random.default_rng(seed).gamma(5, 4, rows), 3, 64).astype(int)


def padding(batches, lengths):
    """Return the share of a batch matrix that is padding."""
    cells = sum(len(batch) * lengths[batch].max() for batch in batches)
    return 1 - sum(lengths[batch].sum() for batch in batches) / cells


def rows_of(batches):
    return sorted(np.concatenate(batches).tolist())


def same_batches(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))


SIZES = [(1, 1), (1, 4), (3, 8), (7, 1), (32, 32), (33, 32), (100, 32), (1000, 7)]
EVERY_ROW_ONCE = {
    "bucketed": lambda n, size: bucketed(tweet_lengths(n), size, seed=1, epoch=0),
    "in_order": lambda n, size: in_order(tweet_lengths(n), size),
    "stratified": lambda n, size: stratified(label_sets(n, 5), size, seed=1, epoch=0),
    "stratified by length": lambda n, size: stratified(
        label_sets(n, 5), size, seed=1, epoch=0, lengths=tweet_lengths(n)
    ),
}


@pytest.mark.parametrize(("rows", "batch_size"), SIZES)
@pytest.mark.parametrize("sampler", EVERY_ROW_ONCE)
def test_every_row_comes_once_in_as_few_batches_as_fit(sampler, rows, batch_size):
    batches = EVERY_ROW_ONCE[sampler](rows, batch_size)
    assert rows_of(batches) == list(range(rows))
    assert len(batches) == ceil(rows / batch_size)
    assert all(0 < len(batch) <= batch_size for batch in batches)


# bucketed and in_order


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


def test_rows_in_order_go_from_longest_to_shortest_and_ties_keep_their_order():
    batches = in_order([2, 9, 2, 5, 9], 2)
    assert [batch.tolist() for batch in batches] == [[1, 4], [3, 0], [2]]


# stratified


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


# m_per_class


def groups_of(batch, m):
    return np.asarray(batch).reshape(-1, m)


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


# balanced_pairs


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


# Determinism and processes

DRAWS = {
    "bucketed": lambda seed, epoch: bucketed(tweet_lengths(200), 16, seed=seed, epoch=epoch),
    "stratified": lambda seed, epoch: stratified(label_sets(200, 5), 16, seed=seed, epoch=epoch),
    "stratified by length": lambda seed, epoch: stratified(
        label_sets(200, 5), 16, seed=seed, epoch=epoch, lengths=tweet_lengths(200)
    ),
    "m-per-class": lambda seed, epoch: m_per_class(label_sets(200, 5), 16, m=4, seed=seed, epoch=epoch),
    "balanced-pairs": lambda seed, epoch: list(
        balanced_pairs(label_sets(200, 5), 200, seed=seed, epoch=epoch)
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_an_epoch_can_be_drawn_again_and_differs_by_seed_and_epoch(name):
    draw = DRAWS[name]
    assert same_batches(draw(1, 2), draw(1, 2))
    assert not same_batches(draw(1, 2), draw(1, 3))
    assert not same_batches(draw(1, 2), draw(2, 2))
    assert not same_batches(draw(1, 2), draw(2, 1))


def test_a_draw_leaves_numpys_own_generator_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for draw in DRAWS.values():
        draw(0, 0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


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


# Faults


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bucketed([], 8, seed=0, epoch=0), r"lengths have shape \(0,\)"),
        (lambda: in_order([], 8), r"lengths have shape \(0,\)"),
        (lambda: stratified(np.zeros((0, 3)), 8, seed=0, epoch=0), r"targets have shape \(0, 3\)"),
        (lambda: m_per_class(np.zeros((5, 0)), 8, m=2, seed=0, epoch=0), r"targets have shape \(5, 0\)"),
        (lambda: balanced_pairs(np.zeros(4), 8, seed=0, epoch=0), r"targets have shape \(4,\)"),
        (lambda: balanced_pairs(np.zeros((4, 2)), 8, seed=0, epoch=0), "0 of 4 rows have a label"),
        (lambda: balanced_pairs(np.ones((1, 2)), 8, seed=0, epoch=0), "1 of 1 rows have a label"),
        (lambda: balanced_pairs(np.eye(2), 0, seed=0, epoch=0), "pairs is 0"),
        (lambda: bucketed([3, 4], 0, seed=0, epoch=0), "batch_size is 0"),
        (lambda: m_per_class(np.eye(2), 1, m=1, seed=0, epoch=0), "m is 1 and batch_size 1"),
        (lambda: m_per_class(np.eye(2), 8, m=5, seed=0, epoch=0), "two groups of m rows"),
        (lambda: m_per_class(np.eye(2), 8, m=0, seed=0, epoch=0), "m is 0"),
        (lambda: stratified(np.eye(3), 2, seed=0, epoch=0, lengths=[4, 5]), "2 lengths for 3 rows"),
        (lambda: split_for_process([np.arange(3)], 2, 2), "rank is 2 of 2"),
    ],
)
def test_what_cannot_be_sampled_is_refused_in_one_sentence(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_soft_targets_and_lists_are_taken():
    votes = [[0.2, 0.8], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
    assert rows_of(stratified(votes, 2, seed=0, epoch=0)) == [0, 1, 2, 3]
    _, _, same = balanced_pairs(votes, 6, seed=0, epoch=0)
    assert same.sum() == 3


def test_sampling_needs_no_torch():
    code = "import sys, affekt.sampling; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_samplers_are_looked_up_by_name():
    assert SAMPLERS["m-per-class"] is m_per_class
    assert set(SAMPLERS) == {"bucketed", "stratified", "m-per-class", "balanced-pairs"}


@pytest.mark.skipif("AFFEKT_DATA" not in os.environ, reason="AFFEKT_DATA does not name a folder of data sets")
def test_real_tweets_are_padded_little_and_mixed_well():
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = Path(os.environ["AFFEKT_DATA"]) / "tweeteval-emotion"
    if not folder.exists():
        pytest.skip("tweeteval-emotion is not in AFFEKT_DATA")
    table = parquet.read_table(folder / "train.parquet").to_pydict()
    names = sorted({json.dumps(labels) for labels in table["labels"]})
    targets = one_hot([names.index(json.dumps(labels)) for labels in table["labels"]])
    lengths = np.array([len(text.split()) for text in table["text"]])
    assert padding(bucketed(lengths, 32, seed=0, epoch=0), lengths) < 0.08
    batches = m_per_class(targets, 32, m=4, seed=0, epoch=0, lengths=lengths)
    assert set(rows_of(batches)) == set(range(len(lengths)))
    assert min(len(set(targets[batch].argmax(axis=1))) for batch in batches) >= 3
    assert padding(batches, lengths) < 0.15
