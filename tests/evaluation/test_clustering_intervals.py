"""Intervals of clustering figures: each resample as scikit-learn would judge the rows drawn, centres kept."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans

from affekt.evaluation import clustering
from affekt.evaluation.clustering_intervals import resampled_agreement, resampled_davies_bouldin
from affekt.evaluation.intervals import resampled_counts, resampled_means


def space(rows=150, classes=4, spread=0.9, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    centres = random.normal(size=(classes, 6))
    points = centres[labels] + spread * random.normal(size=(rows, 6))
    return points, labels, KMeans(classes, n_init=10, random_state=0).fit_predict(points)


def drawn_rows(rows, resamples, seed):
    """The rows of each resample, repeated as often as they were drawn."""
    for draws in resampled_counts(rows, resamples, seed):
        for weights in draws:
            yield np.repeat(np.arange(rows), weights.astype(int))


def test_agreement_of_each_resample_is_scikit_learns_on_the_rows_drawn():
    _, labels, found = space()
    ours = resampled_agreement(labels, found, 20, seed=5)
    for place, rows in enumerate(drawn_rows(len(labels), 20, seed=5)):
        true, predicted = labels[rows], found[rows]
        assert ours["ari"][place] == pytest.approx(metrics.adjusted_rand_score(true, predicted))
        assert ours["fms"][place] == pytest.approx(metrics.fowlkes_mallows_score(true, predicted))
        assert ours["v_measure"][place] == pytest.approx(metrics.v_measure_score(true, predicted))
        # what chance gives is taken from all rows, not from those drawn
        assert ours["ami"][place] == pytest.approx(
            metrics.adjusted_mutual_info_score(true, predicted), abs=0.01
        )


def test_davies_bouldin_by_plain_loops_with_the_centres_kept():
    points, _, found = space()
    centres = np.stack([points[found == group].mean(axis=0) for group in range(4)])
    away = np.linalg.norm(points - centres[found], axis=1)
    ours = resampled_davies_bouldin(points, found, 5, seed=2)
    for place, rows in enumerate(drawn_rows(len(points), 5, seed=2)):
        spread = [away[rows][found[rows] == group].mean() for group in range(4)]
        worst = [
            max((spread[i] + spread[j]) / np.linalg.norm(centres[i] - centres[j]) for j in range(4) if j != i)
            for i in range(4)
        ]
        assert ours[place] == pytest.approx(np.mean(worst))


def test_means_are_those_of_the_rows_drawn():
    values = np.random.default_rng(1).normal(size=40)
    expected = [values[rows].mean() for rows in drawn_rows(40, 8, seed=3)]
    assert resampled_means(values, 8, seed=3) == pytest.approx(expected)


def test_intervals_hold_the_figures_and_shrink_with_the_rows():
    widths = []
    for rows in (150, 1500):
        points, labels, _ = space(rows)
        figures = clustering(points, labels, resamples=300)
        intervals = figures.pop("intervals")
        assert set(figures) == set(clustering(points, labels))
        assert set(intervals) == set(figures) - {"n", "dimension", "clusters", "clusters_found"}
        for name, (low, high) in intervals.items():
            assert low <= figures[name] <= high, name
        widths.append({name: high - low for name, (low, high) in intervals.items()})
    for name, width in widths[1].items():
        assert width < 0.6 * widths[0][name], name


def test_intervals_hold_the_figures_of_many_classes_with_few_rows_each():
    """There repeated rows lift mutual information by more than the interval is wide."""
    points, labels, _ = space(300, classes=20)
    figures = clustering(points, labels, resamples=200)
    for name, (low, high) in figures["intervals"].items():
        assert low < figures[name] < high, name


def test_the_same_seed_gives_the_same_intervals():
    points, labels, _ = space()
    one, two, other = (clustering(points, labels, seed=seed, resamples=50)["intervals"] for seed in (1, 1, 2))
    assert one == two
    assert one != other


@pytest.mark.parametrize(
    "points",
    [np.zeros((6, 3)), np.eye(6), np.repeat(np.eye(2), 3, axis=0)],
    ids=["one point", "every row its own", "two points"],
)
def test_spaces_without_clusters_have_finite_intervals(points):
    figures = clustering(points, [0, 0, 0, 1, 1, 1], resamples=50)
    for name, (low, high) in figures["intervals"].items():
        assert np.isfinite([low, high]).all(), name
        assert low <= high
