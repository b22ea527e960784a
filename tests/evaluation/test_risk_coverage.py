"""Risk over coverage against plain loops."""

import numpy as np
import pytest

from affekt.errors import DataError
from affekt.evaluation.coverage import risk_coverage


def rows(single_label):
    random = np.random.default_rng(0)
    scores = random.dirichlet(np.ones(3), 57)
    classes = [random.choice(3, p=row) for row in scores]
    return (np.eye(3)[classes] if single_label else random.random((57, 3)) < scores), scores


@pytest.mark.parametrize("single_label", [True, False])
def test_the_curve_is_its_plain_loop(single_label):
    targets, scores = rows(single_label)
    told = []
    for truth, row in zip(np.asarray(targets) > 0.5, scores, strict=True):
        if single_label:
            told.append((-row.max(), float(not truth[row.argmax()])))
        else:
            given = row > 0.4
            either = (given | truth).sum()
            told.append((-np.abs(row - 0.4).min(), 1 - (given & truth).sum() / either if either else 0.0))
    risks = [risk for _, risk in sorted(told, key=lambda one: one[0])]
    means = [np.mean(risks[:kept]) for kept in range(1, 58)]
    found = risk_coverage(targets, scores, 0.4, single_label=single_label)
    assert found["risk"] == pytest.approx(means[-1])
    assert found["aurc"] == pytest.approx(np.mean(means))
    assert len(found["curve"]) == 20
    for point in found["curve"]:
        assert point["risk"] == pytest.approx(means[round(point["coverage"] * 57) - 1])


def test_scores_that_know_their_faults_have_a_smaller_area_than_those_that_do_not():
    targets = np.eye(2)[np.zeros(100, dtype=int)]
    first = np.linspace(0.51, 0.99, 100)
    wrong = np.arange(100) < 30
    knows = np.where(wrong, 1 - first, first)  # wrong where it is least sure
    turned = np.where(wrong[::-1], 1 - first, first)  # wrong where it is surest
    areas = [risk_coverage(targets, np.c_[one, 1 - one], single_label=True) for one in (knows, turned)]
    assert areas[0]["risk"] == areas[1]["risk"] == pytest.approx(0.3)
    assert areas[0]["aurc"] < 0.1 < 0.5 < areas[1]["aurc"]


def test_one_row_and_nothing_wrong():
    found = risk_coverage([[1.0, 0.0]], [[0.9, 0.1]], single_label=True)
    assert found == {"aurc": 0.0, "risk": 0.0, "curve": [{"coverage": 1.0, "risk": 0.0}]}
    assert risk_coverage([[0.0, 0.0]], [[0.1, 0.1]])["risk"] == 0.0
    with pytest.raises(DataError, match="same shape"):
        risk_coverage([[1.0, 0.0]], [[0.9]])
