import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest

from affekt import evaluation
from affekt.evaluation.figures import BRIEF, FIGURES, HEADLINES, MAIN, SPACE, figure

ROOT = Path(__file__).parents[2]
KEPT = sorted((ROOT / "docs" / "results" / "runs").glob("*.json"))
LIMITS = {"value", "low", "high"}  # said beside a figure


def keys_of(part):
    """Return the names of numbers in figures that may be nested by way, split or label."""
    found = set()
    for key, value in part.items():
        if isinstance(value, dict) and "value" not in value:
            found |= keys_of(value)
        elif isinstance(value, int | float | dict):
            found.add(key)
    return found - LIMITS


def computed(single_label):
    random = np.random.default_rng(0)
    classes, vectors = random.integers(0, 3, 40), random.normal(size=(40, 4))
    targets = np.eye(3)[classes] if single_label else random.integers(0, 2, (40, 3))
    scores = random.dirichlet(np.ones(3), 40)
    overlap = evaluation.retrieval(vectors, random.integers(0, 2, (40, 3)))
    return [
        evaluation.classification(targets, scores, single_label=single_label),
        evaluation.classification_intervals(targets, scores > 0.5, single_label=single_label),
        evaluation.calibration(targets, scores, single_label=single_label),
        evaluation.clustering(vectors, classes),
        evaluation.retrieval(vectors, classes),
        overlap,
        {f"overlap_{name}": value for name, value in overlap.items()},
        evaluation.space_shift(vectors, vectors),
    ]


@pytest.mark.parametrize("single_label", [True, False])
def test_every_figure_that_is_computed_has_its_line(single_label):
    assert keys_of(dict(enumerate(computed(single_label)))) <= set(FIGURES)


def test_every_figure_of_a_run_s_metrics_has_its_line():
    sections = ("test", "dev", "per_label", "calibration", "clustering", "retrieval", "overlap_retrieval")
    sections += ("space_shift", "space_intervals")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in KEPT]
    assert len(found) > 20
    for metrics in found:
        assert keys_of({name: metrics.get(name) or {} for name in sections}) <= set(FIGURES)


def test_selections_are_of_figures():
    chosen = {*MAIN, *BRIEF, *SPACE, *HEADLINES[True], *HEADLINES[False]}
    assert chosen <= set(FIGURES)
    assert all(FIGURES[key].better for key in chosen)


def test_no_other_file_has_a_table_of_figures():
    computing = ROOT / "src" / "affekt" / "evaluation"
    files = [path for path in (ROOT / "src").rglob("*.py") if path.parent != computing]
    assert len(files) > 100
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            entries = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
            named = [one.value for one in entries if isinstance(one, ast.Constant) and one.value in FIGURES]
            assert len(named) < 3, f"{path}:{node.lineno}: {', '.join(named)}"


def test_every_way_of_being_better():
    assert figure("accuracy").best([0.5, 0.7, 0.6]) == 0.7
    assert figure("brier").best([0.5, 0.7, 0.6]) == 0.5
    assert figure("f1_std").best([0.5, 0.7, 0.6]) is None
    assert figure("accuracy").best([0.5, 0.5]) is None
    assert figure("accuracy").best([]) is None


@pytest.mark.parametrize(
    "key", ["davies_bouldin", "davies_bouldin_labels", "silhouette", "silhouette_labels"]
)
def test_a_space_fallen_into_one_point_is_never_the_best(key):
    of = figure(key)
    assert not of.is_better(0.0, 2.0)
    assert not of.is_better(0.0, None)
    assert of.is_better(-0.1, 0.0)
    assert of.best([0.0, 2.1, 1.9]) == (1.9 if of.better == "lower" else 2.1)
    assert of.best([0.0, 2.0]) is None


def test_what_is_no_number_is_never_better_and_any_number_is_better_than_it():
    of = figure("loss")
    assert not of.is_better(math.nan, None)
    assert of.is_better(5.0, math.nan)
    assert not of.is_better(5.0, 5.0)


def test_an_unknown_figure_loses_only_its_underscores_and_is_better_when_higher():
    assert figure("my_own_metric").title == "my own metric"
    assert figure("my_own_metric").is_better(2.0, 1.0)


def test_what_says_accuracy_again_follows_from_it_with_one_label_per_text():
    repeated = {key for key, one in FIGURES.items() if one.says_accuracy}
    random = np.random.default_rng(1)
    scores, targets = random.dirichlet(np.ones(4), 50), np.eye(4)[random.integers(0, 4, 50)]
    found = evaluation.classification(targets, scores, single_label=True)
    assert [found[key] for key in repeated - {"hamming"}] == pytest.approx([found["accuracy"]] * 5)
    assert found["hamming"] == pytest.approx((1 - found["accuracy"]) * 2 / 4)
