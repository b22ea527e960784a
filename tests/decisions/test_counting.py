"""Dev by cells of scores, kept with a model's decisions."""

import json

import numpy as np
import pytest

from affekt.decisions import Decisions, fit
from affekt.errors import ModelError


def fitted(*, single_label, labels=4):
    random = np.random.default_rng(0)
    targets = np.eye(labels)[random.integers(0, labels, 200)]
    return fit(targets * 2 + random.normal(size=(200, labels)), targets, single_label=single_label)


@pytest.mark.parametrize("single_label", [False, True])
def test_decisions_keep_how_dev_scored_and_give_it_back(single_label):
    decisions = fitted(single_label=single_label)
    assert Decisions.from_json(json.loads(json.dumps(decisions.to_json()))) == decisions
    assert decisions.counted.table[0].sum() == 200


def test_decisions_of_before_are_read_and_know_no_cells():
    plain = fitted(single_label=False).to_json()
    del plain["counted"]
    old = Decisions.from_json(plain)
    assert old.counted is None
    assert "counted" not in old.to_json()


@pytest.mark.parametrize("damage", [{"edges": [[1]]}, [1], "x", 7, {"edges": 3, "counts": 4}])
def test_damaged_cells_are_refused(damage):
    plain = {**fitted(single_label=False).to_json(), "counted": damage}
    with pytest.raises(ModelError, match="cannot be read"):
        Decisions.from_json(plain)


def test_cells_of_other_labels_are_refused():
    plain = fitted(single_label=False).to_json()
    plain["counted"] = fitted(single_label=False, labels=3).counted.to_json()
    with pytest.raises(ModelError, match="counted for 3 labels, but 4 are decided"):
        Decisions.from_json(plain)
