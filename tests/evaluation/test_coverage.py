"""Intervals tell the truth: in simulated samples nine in ten or more hold what the figure is on average."""

import numpy as np
import pytest

from affekt import evaluation
from affekt.evaluation.figures import figure

SAMPLES = 200
pytestmark = pytest.mark.slow


def covered(draw, figures_of, intervals_of):
    """Return figure → share of samples whose interval holds the figure's mean over other samples."""
    random = np.random.default_rng(0)
    others = [figures_of(*draw(random)) for _ in range(300)]
    means = {name: np.mean([one[name] for one in others]) for name in others[0]}
    held = [intervals_of(*draw(random)) for _ in range(SAMPLES)]
    names = dict.fromkeys(name for one in held for name in one)
    return {
        name: np.mean([one[name][0] <= means[name] <= one[name][1] for one in held if name in one])
        for name in names
    }


def check(found, names):
    assert set(found) == names
    wrong = {name: share for name, share in found.items() if not 0.90 <= share <= 0.98}
    assert not wrong


# --- decisions


@pytest.mark.parametrize("single", [True, False])
def test_intervals_of_decisions(single):
    shares = np.array([0.4, 0.3, 0.2, 0.1])

    def draw(random, n=400):
        if single:
            true = np.eye(4)[random.choice(4, n, p=shares)]
        else:
            true = (random.random((n, 4)) < shares).astype(float)
        scores = true + random.normal(size=(n, 4)) * 0.7
        predicted = np.eye(4)[scores.argmax(1)] if single else (scores > 0.6).astype(float)
        return true, predicted

    def figures(true, predicted):
        return intervals_or_values(true, predicted, value=True, resamples=2)

    def intervals(true, predicted):
        return intervals_or_values(true, predicted, value=False, resamples=500)

    def intervals_or_values(true, predicted, *, value, resamples):
        found = evaluation.classification_intervals(true, predicted, single_label=single, resamples=resamples)
        per_label = {
            f"f1 of {name}": {**row, "value": row["f1"]} for name, row in found.pop("per_label").items()
        }
        flat = {**found, **per_label}
        return {name: one["value"] if value else (one["low"], one["high"]) for name, one in flat.items()}

    names = set(evaluation.classification(*draw(np.random.default_rng(0)), single_label=single))
    names -= {"never_predicted", "average_precision_macro", "roc_auc_macro", "per_label"}
    check(covered(draw, figures, intervals), names | {f"f1 of {label}" for label in range(4)})


# --- spaces


def texts(random, n, apart):
    """Vectors of n texts in five emotions that overlap, as long in some directions as real spaces are."""
    shares = np.arange(5, 0, -1) / 15
    centres = np.random.default_rng(7).normal(size=(5, 20)) / np.sqrt(20)
    labels = random.choice(5, n, p=shares)
    noise = random.normal(size=(n, 20)) / np.sqrt(np.arange(1, 21))
    return apart * centres[labels] + noise, labels


def test_intervals_of_groups():
    def figures(points, labels, resamples=0):
        return evaluation.clustering(points, labels, resamples=resamples)

    found = covered(
        lambda random: texts(random, 400, apart=2.0),
        lambda *sample: {name: value for name, value in figures(*sample).items() if figure(name).better},
        lambda *sample: figures(*sample, resamples=40)["intervals"],
    )
    check(
        found,
        {
            name
            for name, value in figures(*texts(np.random.default_rng(0), 200, 2.0)).items()
            if figure(name).better
        },
    )


@pytest.mark.parametrize("several", [False, True])
def test_intervals_of_neighbours(several):
    def draw(random):
        points, labels = texts(random, 400, apart=1.0)
        return points, np.column_stack([np.eye(5)[labels], points[:, :2] > 0.5]) if several else labels

    found = covered(
        draw,
        lambda *sample: evaluation.retrieval(*sample),
        lambda *sample: evaluation.retrieval(*sample, resamples=60)["intervals"],
    )
    check(found, {"mrr", "precision_at_1", "map_at_r"} | ({"ndcg_at_10"} if several else set()))
