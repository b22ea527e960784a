"""Retrieval against known figures, against pytorch-metric-learning and against plain loops."""

import sys
import tracemalloc

import numpy as np
import pytest

from affekt.errors import DataError, UsageError
from affekt.evaluation import retrieval

LABELS = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 5]  # 5 has one member
POINTS = [
    [1.3118, 2.2135, -0.2699, 0.9045, -0.3021],
    [2.3707, -1.1502, 0.9018, 0.3555, 0.415],
    [-0.0633, -0.4642, 1.3644, -1.5292, -0.4075],
    [1.6558, 1.967, 1.2087, 1.3715, -0.4671],
    [1.3913, -0.745, -0.3094, 0.1098, -0.76],
    [2.5158, 0.0415, -0.3691, -0.8857, 1.2529],
    [0.6488, 0.9005, -1.215, 0.7851, -0.1715],
    [0.9407, 1.2041, 1.4052, -0.0655, 1.574],
    [0.7897, -0.1556, -0.3056, 1.5462, 0.2687],
    [-0.5336, 1.2836, 1.1448, 0.3722, -0.1947],
    [-1.6952, 2.8757, -0.9299, 1.0566, -1.5519],
    [-0.5559, -0.8693, 2.0531, -0.5808, 0.5654],
    [1.7412, 0.123, 0.3096, -0.3165, -1.0082],
    [0.838, 0.6963, 1.5029, -1.0608, -2.1983],
    [-0.3574, -0.3293, 0.2205, -0.8982, -0.3792],
    [0.7842, -2.0922, -0.4991, 2.098, -2.1804],
    [-0.1614, 0.0313, 0.1032, 3.0171, -0.028],
    [-0.6904, -0.45, 0.04, 0.2816, -1.5451],
    [-0.8079, -0.2861, 1.6534, 0.5609, -0.606],
    [-1.3814, 1.3401, 0.368, 2.0055, 0.4699],
    [-0.7122, 0.2077, -0.9884, 1.6735, 1.198],
    [2.5842, -0.8854, 1.2349, 0.8786, 0.0364],
    [0.2444, 1.363, -0.6284, 0.4415, 1.0417],
    [0.3532, -0.728, 0.0918, 0.481, -0.5393],
]


@pytest.fixture
def in_small_blocks(monkeypatch):
    monkeypatch.setattr(sys.modules["affekt.evaluation.retrieval"], "BLOCK_BYTES", 1)


def space(seed, rows, classes, dimension=8):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    return random.normal(size=(classes, dimension))[labels] + random.normal(size=(rows, dimension)), labels


def metric_learning(embeddings, labels, queries=None, query_labels=None, metric="cosine"):
    import torch
    from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    names = ("mean_reciprocal_rank", "precision_at_1", "mean_average_precision_at_r")
    distance = CosineSimilarity() if metric == "cosine" else LpDistance(normalize_embeddings=False)
    calculator = AccuracyCalculator(names, k=None, device=torch.device("cpu"), knn_func=CustomKNN(distance))
    if queries is None:
        figures = calculator.get_accuracy(embeddings, labels)
    else:
        figures = calculator.get_accuracy(queries, query_labels, embeddings, labels)
    return dict(zip(("mrr", "precision_at_1", "map_at_r"), (figures[name] for name in names), strict=True))


def by_loops(similarity, relevant):
    """Figures of one query: similarities to the references it may find, and which of those are relevant."""
    order = sorted(range(len(similarity)), key=lambda column: -similarity[column])
    hits = [bool(relevant[column]) for column in order]
    wanted = sum(hits)
    precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(wanted) if hits[rank]]
    return 1 / (hits.index(True) + 1), float(hits[0]), sum(precisions) / wanted


@pytest.mark.parametrize(
    ("metric", "mrr", "precision_at_1", "map_at_r"),
    [
        ("cosine", 0.535024106502533, 0.30434782608695654, 0.20342995169082123),
        ("euclidean", 0.4706694483757019, 0.21739130434782608, 0.14961352657004828),
    ],
)
def test_leave_one_out_equals_known_figures_and_drops_the_lone_query(metric, mrr, precision_at_1, map_at_r):
    ours = retrieval(POINTS, LABELS, metric=metric)

    expected = {"mrr": mrr, "precision_at_1": precision_at_1, "map_at_r": map_at_r, "n": 23}
    assert ours == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("rows", "classes"), [(300, 5), (60, 25), (100, 1)])
def test_leave_one_out_equals_pytorch_metric_learning(metric, rows, classes):
    points, labels = space(rows, rows, classes)

    ours = retrieval(points, labels, metric=metric)

    ours.pop("n")
    assert ours == pytest.approx(metric_learning(points, labels, metric=metric), abs=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_queries_from_another_split_equal_pytorch_metric_learning(metric):
    points, labels = space(0, 250, 8)
    queries, query_labels = points[200:], labels[200:].copy()
    query_labels[:3] = 99  # a class that nothing in the searched split has
    data = (points[:200], labels[:200])

    ours = retrieval(*data, queries=queries, query_labels=query_labels, metric=metric)

    assert ours.pop("n") == 47
    assert ours == pytest.approx(metric_learning(*data, queries, query_labels, metric=metric), abs=1e-6)


def test_figures_do_not_depend_on_the_size_of_blocks(request):
    points, labels = space(1, 150, 6)
    several = (labels[:, None] == np.arange(6)) | (np.arange(150)[:, None] % 7 == np.arange(6))
    whole = [retrieval(points, labels), retrieval(points, several)]
    request.getfixturevalue("in_small_blocks")

    for labelling, figures in zip((labels, several), whole, strict=True):
        assert retrieval(points, labelling) == pytest.approx(figures)


def test_class_names_may_be_strings():
    points, labels = space(2, 80, 4)

    assert retrieval(points, np.array(["joy", "fear", "love", "anger"])[labels]) == retrieval(points, labels)


def test_one_hot_rows_give_what_classes_give():
    points, labels = space(3, 80, 4)

    ours = retrieval(points, np.eye(4)[labels])

    ours.pop("ndcg_at_10")
    assert ours == pytest.approx(retrieval(points, labels))


def test_overlapping_labels_equal_plain_loops():
    random = np.random.default_rng(0)
    points = random.normal(size=(70, 5))
    labels = random.random((70, 6)) < 0.25
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    figures, graded = [], []
    for query in range(70):
        others = [row for row in range(70) if row != query]
        relevant = [(labels[row] & labels[query]).any() for row in others]
        if not any(relevant):
            continue
        similarity = unit[others] @ unit[query]
        figures.append(by_loops(similarity, relevant))
        gain = [(labels[row] & labels[query]).sum() / (labels[row] | labels[query]).sum() for row in others]
        found = [gain[column] for column in np.argsort(-similarity)[:10]]
        ideal = sorted(gain, reverse=True)[:10]
        reached, possible = (
            sum(g / np.log2(rank + 2) for rank, g in enumerate(gains)) for gains in (found, ideal)
        )
        graded.append(reached / possible)

    ours = retrieval(points, labels)

    mrr, precision_at_1, map_at_r = np.mean(figures, axis=0)
    assert ours == pytest.approx(
        {
            "mrr": mrr,
            "precision_at_1": precision_at_1,
            "map_at_r": map_at_r,
            "n": len(figures),
            "ndcg_at_10": np.mean(graded),
        }
    )


def test_graded_gain_between_splits_equals_plain_loops():
    random = np.random.default_rng(1)
    points, queries = random.normal(size=(6, 3)), random.normal(size=(5, 3))
    labels, wanted = np.eye(3)[[0, 0, 1, 1, 2, 2]], np.array([[1, 1, 0]] * 5)
    graded = []
    for query in queries:
        similarity = points @ query / np.linalg.norm(points, axis=1)
        gain = (labels[:, :2].sum(axis=1) / 2)[np.argsort(-similarity)]
        discount = 1 / np.log2(np.arange(2, 8))
        graded.append(gain @ discount / (np.sort(gain)[::-1] @ discount))

    ours = retrieval(points, labels, queries=queries, query_labels=wanted)

    assert ours["ndcg_at_10"] == pytest.approx(np.mean(graded))


def test_perfect_classes_score_one_everywhere():
    points = np.eye(4)[[0, 1, 2, 3] * 5]

    ours = retrieval(points, points)

    assert ours == pytest.approx({"mrr": 1, "precision_at_1": 1, "map_at_r": 1, "n": 20, "ndcg_at_10": 1})


@pytest.mark.parametrize("points", [np.ones((600, 4)), np.zeros((600, 4))])
@pytest.mark.parametrize("order", ["sorted", "alternating"])
def test_a_collapsed_space_scores_what_chance_scores(points, order):
    labels = np.repeat([0, 1, 2], 200) if order == "sorted" else np.tile([0, 1, 2], 200)

    ours = retrieval(points, labels)

    assert ours["precision_at_1"] == pytest.approx(1 / 3, abs=0.05)
    assert ours["map_at_r"] == pytest.approx(1 / 9, abs=0.06)


def test_rows_without_any_label_are_no_queries_and_relevant_to_none():
    labels = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])

    ours = retrieval(np.array([[1.0, 0], [0, 1.0], [0.9, 0.1], [0.1, 0.9]]), labels)

    assert ours["n"] == 2
    assert ours["precision_at_1"] == 0
    assert ours["mrr"] == pytest.approx(1 / 3)


def test_memory_stays_far_below_the_full_matrix(monkeypatch):
    points, labels = space(0, 4000, 3)
    monkeypatch.setattr(sys.modules["affekt.evaluation.retrieval"], "BLOCK_BYTES", 2**20)
    tracemalloc.start()

    retrieval(points.astype(np.float32), labels)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4 / 8


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.eye(3), [0, 1, 2]), {}, DataError, "nothing to retrieve"),
        ((np.eye(3), [0, 1]), {}, DataError, r"for 3 rows.*\(2,\)"),
        ((np.eye(3), [0, 0, 1]), {"metric": "cosin"}, UsageError, "did you mean cosine"),
        ((np.eye(3), [0, 0, 1]), {"queries": np.eye(3)}, UsageError, "go together"),
        (
            (np.eye(3), [0, 0, 1]),
            {"queries": np.eye(4), "query_labels": [0, 0, 1, 1]},
            DataError,
            "4 dimensions, embeddings 3",
        ),
        (
            (np.eye(3), [0, 0, 1]),
            {"queries": np.eye(3), "query_labels": np.eye(3)},
            DataError,
            "differ in form",
        ),
        ((np.full((3, 3), np.inf), [0, 0, 1]), {}, DataError, "inf at row 0"),
    ],
)
def test_unusable_calls_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        retrieval(*arguments, **options)
