import math

import pytest
import torch
from torch.nn import functional

from affekt.errors import UsageError
from affekt.losses import Focus, classification_loss

GENERATOR = torch.Generator().manual_seed(16)
LOGITS = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64) * 2
CLASSES = torch.tensor([0, 3, 1, 1, 2, 0])
ONE_HOT = functional.one_hot(CLASSES, 4).double()
SETS = torch.tensor(
    [[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]], dtype=torch.float64
)
VOTES = torch.tensor([[0.3, 0.7, 0, 0], [0, 0, 0.5, 0.5]], dtype=torch.float64).repeat(3, 1)
WEIGHTS = torch.tensor([1.0, 0.5, 4.0, 2.0], dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def binary_loop(logits, targets, cost):
    cells = [
        cost(sigmoid(x), t, weight)
        for row, labels in zip(logits.tolist(), targets.tolist(), strict=True)
        for x, t, weight in zip(row, labels, WEIGHTS.tolist(), strict=True)
    ]
    return sum(cells) / len(cells)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_of_single_labels_equals_torch_with_class_indices(weights, smoothing):
    loss = classification_loss(
        LOGITS, ONE_HOT, kind="cross-entropy", label_weights=weights, smoothing=smoothing
    )
    reference = functional.cross_entropy(LOGITS, CLASSES, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss, reference)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_soft_targets_equals_torch_with_probabilities(smoothing):
    loss = classification_loss(LOGITS, VOTES, kind="cross-entropy", smoothing=smoothing)
    torch.testing.assert_close(loss, functional.cross_entropy(LOGITS, VOTES, label_smoothing=smoothing))


@pytest.mark.parametrize("targets", [ONE_HOT, VOTES])
def test_cross_entropy_equals_plain_loops(targets):
    total, mass = 0.0, 0.0
    for row, labels in zip(LOGITS.tolist(), targets.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(x) for x in row))
        for x, t, weight in zip(row, labels, WEIGHTS.tolist(), strict=True):
            smoothed = 0.8 * t + 0.2 / 4
            total += weight * smoothed * (normaliser - x)
            mass += weight * t
    loss = classification_loss(LOGITS, targets, kind="cross-entropy", label_weights=WEIGHTS, smoothing=0.2)
    assert loss.item() == pytest.approx(total / mass, abs=1e-12)


def test_a_row_without_labels_leaves_the_mean_of_cross_entropy():
    targets = ONE_HOT.clone()
    targets[2] = 0
    kept = [0, 1, 3, 4, 5]
    for smoothing in (0.0, 0.1):
        loss = classification_loss(LOGITS, targets, kind="cross-entropy", smoothing=smoothing)
        reference = functional.cross_entropy(LOGITS[kept], CLASSES[kept], label_smoothing=smoothing)
        torch.testing.assert_close(loss, reference)


@pytest.mark.parametrize("targets", [SETS, VOTES])
def test_bce_equals_torch_and_weights_the_presence_of_a_label(targets):
    loss = classification_loss(LOGITS, targets, kind="bce", label_weights=WEIGHTS)
    reference = functional.binary_cross_entropy_with_logits(LOGITS, targets, pos_weight=WEIGHTS)
    torch.testing.assert_close(loss, reference)


def test_bce_smoothing_moves_targets_towards_one_half():
    loss = classification_loss(LOGITS, SETS, kind="bce", smoothing=0.1)
    reference = functional.binary_cross_entropy_with_logits(LOGITS, SETS * 0.9 + 0.05)
    torch.testing.assert_close(loss, reference)


@pytest.mark.parametrize("targets", [SETS, VOTES])
def test_smoothed_and_weighted_bce_equals_plain_loops(targets):
    def cost(p, t, weight):
        def towards(q):
            return -q * math.log(p) - (1 - q) * math.log(1 - p)

        return weight * t * towards(0.9) + (1 - t) * towards(0.1)

    loss = classification_loss(LOGITS, targets, kind="bce", label_weights=WEIGHTS, smoothing=0.2)
    assert loss.item() == pytest.approx(binary_loop(LOGITS, targets, cost), abs=1e-12)


def test_a_weight_on_presence_does_not_raise_what_is_smoothed_into_absence():
    """A label that is never there is learned as ε / 2, whatever its weight."""
    logit = torch.logit(torch.tensor([[0.05]], dtype=torch.float64)).requires_grad_()
    weights = torch.tensor([30.0], dtype=torch.float64)
    classification_loss(
        logit, torch.zeros(1, 1, dtype=torch.float64), kind="bce", label_weights=weights, smoothing=0.1
    ).backward()
    assert logit.grad.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("targets", [SETS, VOTES])
def test_focal_equals_plain_loops(targets, gamma):
    def cost(p, t, weight):
        p_t = t * p + (1 - t) * (1 - p)
        return (1 - p_t) ** gamma * -(weight * t * math.log(p) + (1 - t) * math.log(1 - p))

    loss = classification_loss(LOGITS, targets, kind="focal", label_weights=WEIGHTS, focus=Focus(gamma=gamma))
    assert loss.item() == pytest.approx(binary_loop(LOGITS, targets, cost), abs=1e-12)


def test_focal_without_focus_is_bce_and_with_it_plays_down_easy_labels():
    bce = classification_loss(LOGITS, SETS, kind="bce")
    torch.testing.assert_close(classification_loss(LOGITS, SETS, kind="focal", focus=Focus(gamma=0.0)), bce)
    easy, hard = torch.tensor([[4.0]]), torch.tensor([[-4.0]])
    present = torch.ones(1, 1)
    ratios = [
        classification_loss(logits, present, kind="focal") / classification_loss(logits, present, kind="bce")
        for logits in (easy, hard)
    ]
    assert ratios[0] < 0.001
    assert ratios[1] > 0.9


@pytest.mark.parametrize("clip", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("targets", [SETS, VOTES])
def test_asymmetric_equals_plain_loops(targets, clip):
    def cost(p, t, weight):
        p_m = max(p - clip, 0.0)
        return -(weight * t * (1 - p) ** 1.5 * math.log(p) + (1 - t) * p_m**3 * math.log(1 - p_m))

    focus = Focus(gamma_positive=1.5, gamma_negative=3.0, clip=clip)
    loss = classification_loss(LOGITS, targets, kind="asymmetric", label_weights=WEIGHTS, focus=focus)
    assert loss.item() == pytest.approx(binary_loop(LOGITS, targets, cost), abs=1e-12)


def test_asymmetric_defaults_are_the_papers_and_without_focus_it_is_bce():
    assert Focus() == Focus(gamma=2.0, gamma_negative=4.0, gamma_positive=1.0, clip=0.05)
    plain = Focus(gamma_negative=0.0, gamma_positive=0.0, clip=0.0)
    torch.testing.assert_close(
        classification_loss(LOGITS, SETS, kind="asymmetric", focus=plain),
        classification_loss(LOGITS, SETS, kind="bce"),
    )


def test_an_absent_label_below_the_clip_costs_nothing():
    logits = torch.full((1, 1), -4.0, requires_grad=True)  # p = 0.018
    loss = classification_loss(logits, torch.zeros(1, 1), kind="asymmetric")
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.item() == 0


@pytest.mark.parametrize("kind", ["cross-entropy", "bce", "focal", "asymmetric"])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_saturated_logits_stay_finite(kind, exponent, clip):
    logits = torch.tensor([[200.0, -200.0, 0.0, 30.0]]).requires_grad_()
    focus = Focus(gamma=exponent, gamma_negative=exponent, gamma_positive=exponent, clip=clip)
    for targets in ([[1.0, 0, 0, 0]], [[0.0, 1, 0, 0]], [[0.25, 0.25, 0.25, 0.25]]):
        logits.grad = None
        loss = classification_loss(logits, torch.tensor(targets), kind=kind, focus=focus)
        loss.backward()
        assert loss.isfinite()
        assert logits.grad.isfinite().all()


def test_integer_and_boolean_targets_are_taken():
    for targets in (SETS.bool(), SETS.long()):
        assert classification_loss(LOGITS, targets, kind="bce") == classification_loss(
            LOGITS, SETS, kind="bce"
        )


def test_an_unknown_kind_is_answered_with_the_near_one():
    with pytest.raises(UsageError, match="did you mean focal"):
        classification_loss(LOGITS, SETS, kind="focl")


def test_smoothing_is_refused_where_it_would_be_ignored():
    with pytest.raises(UsageError, match="focal has none"):
        classification_loss(LOGITS, SETS, kind="focal", smoothing=0.1)
