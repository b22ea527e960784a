"""Sets of labels with a promised coverage."""

import json

import numpy as np
import pytest

from affekt.decisions import Decisions, fit
from affekt.decisions.conformal import LabelSets
from affekt.errors import ModelError, UsageError
from affekt.inference.model import Model


def drawn(random, rows, *, single_label):
    logits = random.normal(size=(rows, 5)) * 2
    if single_label:
        logits[np.arange(rows), classes := random.integers(0, 5, rows)] += 3
        raised = np.exp(logits)
        return np.eye(5)[classes], raised / raised.sum(axis=1, keepdims=True)
    held = random.random((rows, 5)) < 0.2
    return held * 1.0, 1 / (1 + np.exp(1 - logits - 3 * held))


@pytest.mark.parametrize("single_label", [True, False])
@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_hold_all_true_labels_as_often_as_promised(single_label, coverage):
    random = np.random.default_rng(0)
    held = []
    for _ in range(20):
        sets = LabelSets.fit(*drawn(random, 1000, single_label=single_label), single_label=single_label)
        targets, probabilities = drawn(random, 2000, single_label=single_label)
        held.append((sets.hold(probabilities, coverage) | (targets == 0)).all(axis=1).mean())
    assert np.mean(held) == pytest.approx(coverage, abs=0.01)


def test_the_floor_is_that_of_the_plain_definition():
    scores = np.random.default_rng(0).random((99, 1)).astype(np.float32)
    sets = LabelSets.fit(np.ones((99, 1)), scores, single_label=False)
    ordered = sorted(scores[:, 0].tolist())
    assert sets.floors[90 - 50] == ordered[10 - 1]
    assert sets.hold([[ordered[9]], [ordered[8]]], 0.9).tolist() == [[True], [False]]  # equal is enough


def test_too_few_rows_promise_nothing_and_their_sets_hold_every_label():
    sets = LabelSets.fit([[1.0, 0.0]], [[0.9, 0.1]], single_label=True)
    assert sets.hold([[0.5, 0.5]], 0.9).all()


def test_a_row_without_labels_is_in_every_set():
    sets = LabelSets.fit(np.zeros((200, 2)), np.full((200, 2), 0.3), single_label=False)
    assert not sets.hold([[0.3, 0.9]], 0.9).any()


@pytest.mark.parametrize("coverage", [0.2, 1.0, 0.995, float("nan"), -1])
def test_what_cannot_be_promised_is_refused(coverage):
    sets = LabelSets.fit([[1.0, 0.0]], [[0.9, 0.1]], single_label=True)
    with pytest.raises(UsageError, match="coverage = "):
        sets.hold([[0.5, 0.5]], coverage)


def test_decisions_keep_their_sets_and_those_of_before_have_none():
    random = np.random.default_rng(0)
    targets = np.eye(3)[random.integers(0, 3, 120)]
    decisions = fit(targets + random.normal(size=(120, 3)), targets, single_label=False)
    assert decisions.sets.n == 120
    plain = json.loads(json.dumps(decisions.to_json()))
    assert Decisions.from_json(plain) == decisions
    assert Decisions.from_json({key: plain[key] for key in plain if key != "sets"}).sets is None
    for damage in (
        {"n": 3, "floors": [1]},
        [2],
        {"n": 0, "floors": [0.1] * 50},
        {"n": 5, "floors": [2] * 50},
    ):
        with pytest.raises(ModelError):
            Decisions.from_json({**plain, "sets": damage})


class Fixed:
    """A runtime with the same logits for every text."""

    def __init__(self, logits):
        self.row = logits

    def logits(self, texts, *, batch_size=64):
        return np.tile(np.array(self.row, dtype=np.float32), (len(texts), 1))


def test_a_model_gives_sets_and_abstains_where_they_say_nothing():
    targets = np.eye(4)[np.arange(200) % 4]
    decisions = fit(targets * 4, targets, single_label=True)
    sure = Model(Fixed([9, 0, 0, 0]), ("a", "b", "c", "d"), True, decisions)
    assert sure.sets(["x", "y"], coverage=0.9) == [["a"], ["a"]]
    unsure = Model(Fixed([0, 0, 0, 0]), ("a", "b", "c", "d"), True, decisions)
    assert unsure.sets(["x"], coverage=0.9) == [None]
    old = Model(Fixed([0, 0, 0, 0]), ("a", "b", "c", "d"), True, Decisions.unfitted(4, single_label=True))
    with pytest.raises(ModelError, match="knows no sets"):
        old.sets(["x"], coverage=0.9)
