"""Intervals of figures in which rows meet each other: computed anew on parts of the rows."""

import numpy as np
import pytest

from affekt.evaluation import clustering, retrieval
from affekt.evaluation.intervals import MOST_DRAWN, part_limits


def space(rows=150, classes=4, spread=0.9, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    centres = random.normal(size=(classes, 6))
    return centres[labels] + spread * random.normal(size=(rows, 6)), labels


def of_mean(values, resamples=300, **options):
    def figures(rows):
        return {"accuracy": values[rows].mean()}

    whole = {"accuracy": float(values.mean())}
    return part_limits(whole, figures, len(values), resamples=resamples, seed=0, **options)["accuracy"]


@pytest.mark.parametrize("rows", [100, 401, 5 * MOST_DRAWN])
def test_of_a_mean_the_width_is_known_whatever_share_of_the_rows_is_drawn(rows):
    values = np.random.default_rng(1).normal(size=rows)
    low, high = of_mean(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(rows), rel=0.15)
    assert (low + high) / 2 == pytest.approx(values.mean())
    wider = of_mean(values, level=0.99)
    assert (wider[1] - wider[0]) / (high - low) == pytest.approx(2.576 / 1.96, rel=1e-3)


def test_shares_stay_between_0_and_1():
    low, high = of_mean((np.arange(100) < 1).astype(float))
    assert low == 0.0 < 0.01 < high

    def figures(rows):  # parts that differ by much more than rows do
        return {"accuracy": float(rows[0] % 2)}

    assert part_limits({"accuracy": 0.7}, figures, 100, resamples=50, seed=0)["accuracy"][1] == 1.0


def test_no_row_is_drawn_twice_in_a_part():
    def figures(rows):
        assert len(rows) == len(set(rows)) == 60
        assert set(rows) <= set(range(120))
        return {"ami": float(rows.sum())}

    assert "ami" in part_limits({"ami": 0.5}, figures, 120, resamples=5, seed=0)


def test_what_parts_lack_or_agree_on_or_is_undefined_or_no_aim_has_no_limits():
    whole = {"ami": 0.5, "ari": 0.5, "silhouette": 0.0, "davies_bouldin": 1.0, "n": 100}

    def figures(rows):
        return {"ari": 0.5, "silhouette": rows[0] / 100, "davies_bouldin": 0.0, "n": int(rows[0])}

    assert part_limits(whole, figures, 100, resamples=10, seed=0) == {}


def test_few_rows_have_no_limits():
    assert part_limits({"ami": 0.5}, lambda rows: {"ami": 1.0 / rows[0]}, 99, resamples=10, seed=0) == {}
    points, labels = space(99)
    assert clustering(points, labels, resamples=10)["intervals"] == {}
    assert retrieval(points, labels, resamples=10)["intervals"] == {}


@pytest.mark.parametrize("rows", [100, 1000])
def test_a_figure_that_few_rows_keep_from_1_has_no_limits(rows):
    def found(wrong):
        right = (np.arange(rows) >= wrong).astype(float)
        whole = {"precision_at_1": float(right.mean()), "davies_bouldin": float(right.mean())}

        def figures(part):
            return dict.fromkeys(whole, float(right[part].mean()))

        return set(part_limits(whole, figures, rows, resamples=20, seed=0))

    assert found(wrong=19) == {"davies_bouldin"}  # of which 1 is no bound
    assert found(wrong=21) == {"precision_at_1", "davies_bouldin"}


def test_an_almost_perfect_space_has_no_limits_of_agreement_and_neighbours():
    points, labels = space(400, spread=0.15)
    groups, neighbours = (judge(points, labels, resamples=10) for judge in (clustering, retrieval))
    assert min(groups["ami"], neighbours["precision_at_1"]) > 0.98
    assert set(groups["intervals"]) == {
        *("silhouette", "silhouette_labels", "davies_bouldin", "davies_bouldin_labels")
    }
    assert neighbours["intervals"] == {}


def test_intervals_of_a_space_hold_its_figures_and_shrink_with_the_rows():
    widths = []
    for rows in (150, 1500):
        points, labels = space(rows)
        figures = clustering(points, labels, resamples=40)
        intervals = figures.pop("intervals")
        assert figures == clustering(points, labels)
        assert set(intervals) == set(figures) - {"n", "dimension", "clusters", "clusters_found"}
        for name, (low, high) in intervals.items():
            assert low < figures[name] < high, name
        widths.append({name: high - low for name, (low, high) in intervals.items()})
    for name, width in widths[1].items():
        assert width < 0.6 * widths[0][name], name


def test_the_same_seed_gives_the_same_intervals():
    points, labels = space()
    one, two, other = (clustering(points, labels, seed=seed, resamples=20)["intervals"] for seed in (1, 1, 2))
    assert one == two
    assert one != other


@pytest.mark.parametrize(
    "points",
    [np.zeros((120, 3)), np.eye(120), np.repeat(np.eye(2), 60, axis=0)],
    ids=["one point", "every row its own", "two points"],
)
def test_spaces_without_clusters_have_finite_intervals_or_none(points):
    labels = np.arange(120) % 2
    figures = clustering(points, labels, resamples=20) | retrieval(points, labels, resamples=20)
    for name, (low, high) in figures["intervals"].items():
        assert np.isfinite([low, high]).all(), name
        assert low <= high


def test_neighbours_count_in_an_interval_beside_queries():
    """Each query's finding counted by itself would make the interval of a share 1.4 times too narrow."""
    points, labels = space(300, spread=1.5)
    found = retrieval(points, labels, resamples=100)
    low, high = found["intervals"]["precision_at_1"]
    share = found["precision_at_1"]
    assert high - low > 1.15 * 2 * 1.96 * np.sqrt(share * (1 - share) / 300)


def test_queries_of_another_split_are_drawn_too():
    points, labels = space(300, spread=1.5)
    wanted, true = space(40, spread=1.5, seed=0)
    found = retrieval(points, labels, queries=wanted, query_labels=true, resamples=50)
    assert set(found["intervals"]) == {"mrr", "precision_at_1", "map_at_r"}
    for name, (low, high) in found["intervals"].items():
        assert low < found[name] < high, name
    few = retrieval(points, labels, queries=wanted[:10], query_labels=true[:10], resamples=50)
    assert np.diff(few["intervals"]["map_at_r"]) > 1.4 * np.diff(found["intervals"]["map_at_r"])
