"""Adjusted counts: closed forms, QuaPy's figures, and what their intervals cover under prior shift."""

import json

import numpy as np
import pytest

from affekt.errors import DataError, UsageError
from affekt.evaluation.prevalence import FEWEST_HELD, ScoreCells, misfit, prevalence

BINARY = ScoreCells(False, ((0.5,),), (((180, 20), (12, 48)),))
THREE = ScoreCells(True, ((), (), ()), (((80, 15, 5), (10, 60, 10), (6, 4, 50)),))


def scored(random, rows, shares):
    """Targets and probabilities of rows, each label by itself, half well found."""
    held = random.random((rows, len(shares))) < shares
    return held.astype(float), 1 / (1 + np.exp(2 - random.normal(2.2 * held, 1.1)))


def classed(random, rows, shares):
    """Targets and probabilities of rows with one label each."""
    classes = random.choice(len(shares), rows, p=shares)
    logits = random.normal(size=(rows, len(shares)))
    logits[np.arange(rows), classes] += 1.8
    raised = np.exp(logits)
    return np.eye(len(shares))[classes], raised / raised.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("found", [25, 30, 60, 75])
def test_with_two_cells_the_share_is_the_adjusted_count(found):
    true_rate, false_rate = 48 / 60, 20 / 200
    closed = (found / 100 - false_rate) / (true_rate - false_rate)
    assert prevalence(BINARY, [[100 - found, found]]).values == pytest.approx(closed, abs=1e-9)


@pytest.mark.parametrize(("found", "share"), [(0, 0), (8, 0), (85, 1), (100, 1)])
def test_a_share_stays_within_0_and_1(found, share):
    assert prevalence(BINARY, [[100 - found, found]]).values == pytest.approx(share, abs=1e-9)


def test_of_one_label_each_the_shares_solve_the_matrix_of_rates():
    counts = np.array([40, 25, 35])
    table = THREE.table[0] / THREE.table[0].sum(axis=1, keepdims=True)
    closed = np.linalg.solve(table.T, counts / counts.sum())
    assert prevalence(THREE, counts).values[0] == pytest.approx(closed, abs=1e-5)


def test_the_shares_are_those_of_quapy():
    """ACC(method="inversion") of QuaPy 0.2.3, whose solver minimises and stops near the solution."""
    assert prevalence(BINARY, [[70, 30]]).values == pytest.approx(0.28571431, abs=1e-7)
    quapy = [0.42082273, 0.21697238, 0.3622049]
    assert prevalence(THREE, [40, 25, 35]).values[0] == pytest.approx(quapy, abs=1e-5)


def test_of_one_label_each_shares_outside_the_simplex_are_brought_into_it():
    outside = prevalence(THREE, [0, 90, 10]).values[0]
    assert outside.min() >= 0
    assert outside.sum() == pytest.approx(1)
    assert outside.argmax() == 1


@pytest.mark.parametrize("kind", [scored, classed])
def test_the_share_is_the_likeliest_of_all(kind):
    """Against a plain loop over likelihoods of nearby shares."""
    random = np.random.default_rng(3)
    shares = np.array([0.2, 0.3, 0.5])
    cells = ScoreCells.of(*kind(random, 800, shares), single_label=kind is classed)
    tally = cells.tally(kind(random, 300, shares[::-1])[1])
    table = cells.table / cells.table.sum(axis=2, keepdims=True)
    [found] = prevalence(cells, tally, resamples=2).values

    def likelihood(held):
        weights = [held] if kind is classed else [(1 - one, one) for one in held]
        parts = zip(tally, table, weights, strict=True)
        return sum(
            count * np.log(sum(w * row[cell] for w, row in zip(weight, rows, strict=True)))
            for counts, rows, weight in parts
            for cell, count in enumerate(counts)
            if count
        )

    for step in np.vstack([np.eye(3), -np.eye(3)]) * 0.02:
        other = np.clip(found + step, 1e-9, 1)
        assert likelihood(found) >= likelihood(other / other.sum() if kind is classed else other)


def test_cells_hold_each_row_once_and_tallies_add_up():
    random = np.random.default_rng(0)
    for kind in (scored, classed):
        targets, probabilities = kind(random, 500, np.array([0.5, 0.3, 0.2]))
        cells = ScoreCells.of(targets, probabilities, single_label=kind is classed)
        assert cells.table.sum(axis=1).tolist() == cells.tally(probabilities).tolist()
        assert set(cells.tally(probabilities).sum(axis=1)) == {500}
        parts = cells.tally(probabilities[:200]) + cells.tally(probabilities[200:])
        assert parts.tolist() == cells.tally(probabilities).tolist()
        assert cells.tally(probabilities[:0]).sum() == 0


def test_of_dev_itself_the_shares_are_its_own():
    for kind in (scored, classed):
        targets, probabilities = kind(np.random.default_rng(1), 2000, np.array([0.5, 0.3, 0.2]))
        cells = ScoreCells.of(targets, probabilities, single_label=kind is classed)
        [found] = prevalence(cells, cells.tally(probabilities), resamples=2).values
        assert found == pytest.approx(targets.mean(axis=0), abs=1e-4)


def test_what_dev_hardly_holds_is_not_adjusted():
    targets, probabilities = scored(np.random.default_rng(2), 600, np.array([0.3, 0.3, 0.3]))
    targets[:, 1] = np.arange(600) < FEWEST_HELD - 1
    targets[:, 2] = np.arange(600) >= FEWEST_HELD - 1
    cells = ScoreCells.of(targets, probabilities, single_label=False)
    assert cells.adjustable.tolist() == [True, False, False]
    found = prevalence(cells, cells.tally(probabilities))
    assert np.isfinite(found.values).tolist() == [[True, False, False]]
    assert np.isnan(found.limits()[:, 0, 1:]).all()


def test_a_group_without_texts_has_no_share_and_others_keep_theirs():
    found = prevalence(BINARY, [[[0, 0]], [[70, 30]]])
    assert np.isnan(found.values[0]).all()
    assert np.isfinite(found.limits()[:, 1]).all()


def test_rows_of_one_class_alone_and_one_row():
    cells = ScoreCells.of([[1.0], [1.0]], [[0.9], [0.8]], single_label=False)
    assert not cells.adjustable.any()
    assert np.isnan(prevalence(cells, cells.tally([[0.7]])).values).all()
    only = ScoreCells.of([[1.0, 0.0]], [[0.9, 0.1]], single_label=True)
    assert np.isnan(prevalence(only, only.tally([[0.7, 0.3]])).values).all()


@pytest.mark.parametrize("texts", [1, 5, 30])
@pytest.mark.parametrize("kind", [scored, classed])
def test_intervals_of_few_texts_are_wide_enough(kind, texts):
    random, shares, held = np.random.default_rng(0), np.array([0.5, 0.3, 0.2]), []
    for trial in range(25):
        cells = ScoreCells.of(*kind(random, 1000, shares), single_label=kind is classed)
        found = prevalence(cells, cells.tally(kind(random, texts, shares)[1]), resamples=100, seed=trial)
        low, high = found.limits()[:, 0]
        assert (low <= found.values[0]).all()
        assert (found.values[0] <= high).all()
        held.append((low <= shares) & (shares <= high))
    assert np.mean(held) >= 0.8


def test_a_label_that_no_dev_row_holds_takes_nothing_from_the_others():
    random, shares = np.random.default_rng(0), np.array([0.5, 0.3, 0.2, 0])
    cells = ScoreCells.of(*classed(random, 400, shares), single_label=True)
    found = prevalence(cells, cells.tally(classed(random, 2000, shares)[1]), resamples=200)
    assert found.draws[:, 0, 3].max() == 0
    low, high = found.limits()[:, 0, :3]
    assert ((low < shares[:3]) & (shares[:3] < high)).all()
    assert (high - low < 0.2).all()


@pytest.mark.parametrize("kind", [scored, classed])
def test_texts_of_dev_s_kind_fit_whatever_their_shares_about_as_often_as_p_says(kind):
    random, single = np.random.default_rng(5), kind is classed
    drawn = []
    for _ in range(150):  # dev anew each time, since what it lacks is part of the chance
        cells = ScoreCells.of(*kind(random, 2000, np.array([0.6, 0.3, 0.1])), single_label=single)
        drawn.append(misfit(cells, cells.tally(kind(random, 500, np.array([0.2, 0.3, 0.5]))[1])))
    assert drawn[0].p.shape == drawn[0].moved.shape == (1 if single else 3,)
    for level in (0.05, 0.2):
        assert np.mean([one.p < level for one in drawn]) == pytest.approx(level, abs=0.05)


def test_texts_that_score_as_no_mixture_does_are_found_and_how_many_would_have_to_move():
    dev = ScoreCells(False, ((0.2, 0.8),), (((900, 50, 50), (10, 10, 180)),))
    found = misfit(dev, [[300, 400, 300]])  # no share of these two has as many in the middle
    share = prevalence(dev, [[300, 400, 300]]).values[0, 0]
    mixed = (1 - share) * np.array([0.9, 0.05, 0.05]) + share * np.array([0.05, 0.05, 0.9])
    assert found.moved[0] == pytest.approx(np.abs(np.array([0.3, 0.4, 0.3]) - mixed).sum() / 2, abs=1e-6)
    assert found.p[0] < 1e-30
    below = misfit(BINARY, [[396, 4]])  # not even a share of 0 has so few finds
    assert below.moved[0] == pytest.approx(0.09)
    assert below.p[0] < 0.01
    assert misfit(BINARY, [[70, 30]]).p == pytest.approx(np.nan, nan_ok=True)  # two cells fit any share


def test_what_dev_cannot_tell_is_no_misfit():
    rare = ScoreCells(False, ((0.2, 0.8),), (((900, 50, 50), (1, 1, 3)),))
    assert np.isnan(misfit(rare, [[300, 400, 300]]).p).all()
    assert np.isnan(misfit(BINARY, [[0, 0]]).moved).all()


def test_the_same_seed_gives_the_same_draws():
    first, second = (prevalence(BINARY, [[70, 30]], seed=4) for _ in range(2))
    assert np.array_equal(first.draws, second.draws)
    assert not np.array_equal(first.draws, prevalence(BINARY, [[70, 30]], seed=5).draws)


def test_cells_are_kept_as_json():
    for cells in (BINARY, THREE):
        assert ScoreCells.from_json(json.loads(json.dumps(cells.to_json()))) == cells


@pytest.mark.parametrize(
    ("edges", "counts"),
    [
        ((), ()),
        (((0.5,),), (((1, 2),),)),
        (((0.5,),), (((1, 2), (3,)),)),
        (((np.nan,),), (((1, 2), (3, 4)),)),
    ],
)
def test_cells_that_are_none_are_refused(edges, counts):
    with pytest.raises(DataError):
        ScoreCells(False, edges, counts)


def test_resamples_must_be_some():
    with pytest.raises(UsageError, match="resamples must be at least 1"):
        prevalence(BINARY, [[70, 30]], resamples=0)


SHIFTS = [
    (scored, 2000, 1000, [0.1, 0.1, 0.1], [0.02, 0.1, 0.4]),
    (scored, 5000, 5000, [0.02, 0.3, 0.1], [0.08, 0.1, 0.1]),
    (classed, 2000, 1000, [0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]),
    (classed, 3000, 5000, [0.25, 0.25, 0.25, 0.25], [0.6, 0.3, 0.08, 0.02]),
]


def covered(shift, trials, resamples):
    """How often intervals hold the share that texts were drawn with, and how far plain counts are from it."""
    kind, rows, texts, before, after = shift
    random, single, held, biases = np.random.default_rng(0), kind is classed, [], []
    for trial in range(trials):
        cells = ScoreCells.of(*kind(random, rows, np.array(before)), single_label=single)
        _, probabilities = kind(random, texts, np.array(after))
        found = prevalence(cells, cells.tally(probabilities), resamples=resamples, seed=trial)
        low, high = found.limits()[:, 0]
        held.append((low <= after) & (after <= high))
        decided = probabilities > 0.5
        if single:
            decided = probabilities.argmax(axis=1)[:, None] == np.arange(len(after))
        reach = 1.96 * np.sqrt(decided.mean(axis=0) * (1 - decided.mean(axis=0)) / texts)
        biases.append(np.abs(decided.mean(axis=0) - after) <= reach)
    return float(np.mean(held)), float(np.mean(biases))


@pytest.mark.parametrize("shift", SHIFTS)
def test_intervals_hold_the_share_under_prior_shift_and_plain_counts_do_not(shift):
    ours, plain = covered(shift, trials=25, resamples=200)
    assert ours >= 0.85  # of 75 or 100 intervals
    assert plain < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS)
def test_intervals_of_95_in_100_hold_90_to_98(shift):
    ours, plain = covered(shift, trials=400, resamples=400)
    assert 0.90 <= ours <= 0.98
    assert plain < 0.6


def test_any_tally_can_be_resampled():
    """Shares of counts may sum to a little more or less than 1."""
    for rows in range(1, 200):
        found = prevalence(BINARY, [[[0, rows]], [[rows, 7]], [[rows, 0]]], resamples=2)
        assert np.isfinite(found.draws).all()
