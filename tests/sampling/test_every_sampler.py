"""What every sampler keeps: all rows, the same draw again, faults in one sentence."""

import json
import os
from math import ceil
from pathlib import Path

import numpy as np
import pytest

from affekt.errors import UsageError
from affekt.sampling import (
    balanced_pairs,
    bucketed,
    m_per_class,
    pair_batches,
    split_for_process,
    stratified,
)

from .rows import label_sets, one_hot, padding, rows_of, same_batches, tweet_lengths

SIZES = [(1, 1), (1, 4), (3, 8), (7, 1), (32, 32), (33, 32), (100, 32), (1000, 7)]
EVERY_ROW_ONCE = {
    "bucketed": lambda n, size: bucketed(tweet_lengths(n), size, seed=1, epoch=0),
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
    "pair-batches": lambda seed, epoch: pair_batches(
        label_sets(200, 5), 16, lengths=tweet_lengths(200), seed=seed, epoch=epoch
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bucketed([], 8, seed=0, epoch=0), r"lengths have shape \(0,\)"),
        (lambda: pair_batches(np.eye(2), 8, lengths=[], seed=0, epoch=0), r"lengths have shape \(0,\)"),
        (lambda: pair_batches(np.eye(2), 0, lengths=[3, 4], seed=0, epoch=0), "batch_size is 0"),
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
