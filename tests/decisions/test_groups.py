"""Groups of labels: their probabilities, how they are decided, and what is fitted to them on dev."""

import numpy as np
import pytest

from affekt.decisions import Calibration, Decisions
from affekt.decisions.groups import Groups, fit_coarser
from affekt.errors import UsageError

LABELS = ("joy", "love", "fear")
GROUPS = {"glad": ("joy", "love"), "afraid": ("fear",)}


def several(*thresholds: float) -> Decisions:
    """Decisions of several labels a text, calibrated by doubling logits."""
    return Decisions("threshold", thresholds, Calibration("temperature", (2.0,) * 3, (0.0,) * 3))


ONE = Decisions("argmax", (), Calibration("temperature", (0.5,) * 3, (0.0,) * 3))
LOGITS = np.array([[0.0, 1.0, -1.0], [-3.0, -2.0, 2.0], [40.0, 40.0, -40.0]], dtype=np.float32)


def test_of_several_labels_a_group_holds_when_any_member_does():
    groups = Groups.of(GROUPS, LABELS, several(0.5, 0.5, 0.5))
    for found, row in zip(groups.probabilities(LOGITS), LOGITS.tolist(), strict=True):
        joy, love, fear = (1 / (1 + np.exp(-2 * logit)) for logit in row)
        assert found == pytest.approx([joy + love - joy * love, fear], abs=1e-6)


def test_of_one_label_a_group_has_the_sum_of_its_members():
    groups = Groups.of(GROUPS, LABELS, ONE)
    for found, row in zip(groups.probabilities(LOGITS), LOGITS.tolist(), strict=True):
        weights = np.exp(0.5 * np.array(row))
        assert found == pytest.approx(
            [weights[:2].sum() / weights.sum(), weights[2] / weights.sum()], abs=1e-6
        )


@pytest.mark.parametrize("own", [several(0.5, 0.5, 0.5), ONE])
def test_plain_decisions_make_the_probabilities_of_the_logits_again(own):
    groups = Groups.of(GROUPS, LABELS, own)
    again = groups.unfitted().probabilities(groups.logits(LOGITS))
    assert again == pytest.approx(groups.probabilities(LOGITS), abs=1e-6)
    assert np.isfinite(groups.logits(LOGITS)).all()
    assert groups.logits(np.zeros((0, 3), dtype=np.float32)).shape == (0, 2)


def test_groups_to_which_nothing_was_fitted_have_the_highest_threshold_of_their_members():
    assert Groups.of(GROUPS, LABELS, several(0.2, 0.4, 0.3)).unfitted().thresholds == (0.4, 0.3)
    assert Groups.of(GROUPS, LABELS, ONE).unfitted().rule == "argmax"


def made(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits and what they say too little of: labels that hold more often than their probabilities."""
    random = np.random.default_rng(0)
    logits = random.normal(-1, 2, (rows, 3)).astype(np.float32)
    return logits, (random.random((rows, 3)) < 1 / (1 + np.exp(-logits))).astype(np.float32)


def test_decisions_are_fitted_for_each_taxonomy_in_which_the_labels_stand():
    logits, targets = made(400)
    own = Decisions("threshold", (0.5,) * 3, Calibration("platt", (1.0,) * 3, (-1.0,) * 3), "per-label")
    fitted = fit_coarser(own, LABELS, logits, targets, split="dev", digest="abc")
    assert list(fitted) == ["ekman", "sentiment"]
    assert {one.method for one in fitted.values()} == {"per-label"}
    assert {one.calibration.kind for one in fitted.values()} == {"platt"}
    assert fitted["ekman"].fitted_on == {"split": "dev", "digest": "abc", "n": 400}
    groups = Groups.of({"fear": ("fear",), "joy": ("joy", "love")}, LABELS, own)
    probable = fitted["ekman"].probabilities(groups.logits(logits)).mean(axis=0)
    held = [targets[:, 2].mean(), targets[:, :2].max(axis=1).mean()]
    assert probable == pytest.approx(held, abs=0.01)  # the line of own probabilities is far off
    assert groups.probabilities(logits).mean(axis=0) != pytest.approx(held, abs=0.05)


def test_labels_that_stand_in_no_taxonomy_have_none():
    logits, targets = made(50)
    own = several(0.5, 0.5, 0.5)
    assert fit_coarser(own, ("a", "joy", "fear"), logits, targets, split="dev", digest="") == {}
    found = fit_coarser(own, ("worry", "joy", "fear"), logits, targets, split="dev", digest="")
    assert list(found) == ["sentiment"]


def test_a_number_as_threshold_is_that_of_the_groups_too_and_test_is_refused():
    logits, targets = made(50)
    found = fit_coarser(several(0.3, 0.3, 0.3), LABELS, logits, targets, split="dev", digest="")
    assert found["ekman"].thresholds == (0.3, 0.3)
    with pytest.raises(UsageError, match="not fitted on the test split"):
        fit_coarser(several(0.3, 0.3, 0.3), LABELS, logits, targets, split="test", digest="")
