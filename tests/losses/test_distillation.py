"""Distillation equals plain loops, and is least where the student says what the teachers say."""

import math

import pytest
import torch

from affekt.errors import UsageError
from affekt.losses import classification_loss, distillation
from affekt.losses.distillation import taught_by

GENERATOR = torch.Generator().manual_seed(5)
LOGITS = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64) * 2
TEACHERS = [torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64) * 3 for _ in range(2)]


def softmax(row, temperature):
    scaled = [math.exp(x / temperature) for x in row]
    return [x / sum(scaled) for x in scaled]


def sigmoid(row, temperature):
    return [1 / (1 + math.exp(-x / temperature)) for x in row]


def mean_of_teachers(function, place, temperature):
    said = [function(teacher[place].tolist(), temperature) for teacher in TEACHERS]
    return [sum(of_label) / len(said) for of_label in zip(*said, strict=True)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_one_label_equals_plain_loops(temperature):
    rows = []
    for place, row in enumerate(LOGITS.tolist()):
        q = mean_of_teachers(softmax, place, temperature)
        p = softmax(row, temperature)
        rows.append(sum(a * (math.log(a) - math.log(b)) for a, b in zip(q, p, strict=True)))
    taught = taught_by(TEACHERS, temperature=temperature, single_label=True)
    found = distillation(LOGITS, taught, temperature=temperature, single_label=True)
    assert found.item() == pytest.approx(temperature**2 * sum(rows) / len(rows), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_several_labels_equal_plain_loops(temperature):
    cells = []
    for place, row in enumerate(LOGITS.tolist()):
        q = mean_of_teachers(sigmoid, place, temperature)
        p = sigmoid(row, temperature)
        cells += [-a * math.log(b) - (1 - a) * math.log(1 - b) for a, b in zip(q, p, strict=True)]
    taught = taught_by(TEACHERS, temperature=temperature, single_label=False)
    found = distillation(LOGITS, taught, temperature=temperature, single_label=False)
    assert found.item() == pytest.approx(temperature**2 * sum(cells) / len(cells), abs=1e-12)


@pytest.mark.parametrize(("single", "kind"), [(True, "cross-entropy"), (False, "bce")])
def test_at_a_temperature_of_one_gradients_are_those_of_soft_targets(single, kind):
    taught = taught_by(TEACHERS, temperature=1.0, single_label=single)
    gradients = []
    for loss in (
        lambda x: distillation(x, taught, temperature=1.0, single_label=single),
        lambda x: classification_loss(x, taught, kind=kind),
    ):
        logits = LOGITS.clone().requires_grad_()
        loss(logits).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("single", [True, False])
def test_a_student_that_says_what_its_one_teacher_says_has_nothing_to_learn(single):
    logits = TEACHERS[0].clone().requires_grad_()
    taught = taught_by(TEACHERS[:1], temperature=3.0, single_label=single)
    loss = distillation(logits, taught, temperature=3.0, single_label=single)
    loss.backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-12, rtol=0)
    if single:
        assert loss.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("single", [True, False])
def test_gradients_hardly_depend_on_a_high_temperature(single):
    """What T² is for: with T = 1 / T it would fall to a hundredth here."""

    def size(temperature):
        logits = LOGITS.clone().requires_grad_()
        taught = taught_by(TEACHERS, temperature=temperature, single_label=single)
        distillation(logits, taught, temperature=temperature, single_label=single).backward()
        return logits.grad.norm().item()

    assert size(100.0) == pytest.approx(size(10.0), rel=0.1)


@pytest.mark.parametrize("single", [True, False])
def test_certain_teachers_cost_a_finite_sum(single):
    taught = taught_by([torch.tensor([[1e9, -1e9], [-1e9, 1e9]])], temperature=2.0, single_label=single)
    logits = torch.tensor([[1e4, -1e4], [1e4, -1e4]], requires_grad=True)
    loss = distillation(logits, taught, temperature=2.0, single_label=single)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_of_zero_or_less_is_refused(temperature):
    with pytest.raises(UsageError, match="temperature"):
        distillation(LOGITS, LOGITS.sigmoid(), temperature=temperature, single_label=False)
    with pytest.raises(UsageError, match="temperature"):
        taught_by(TEACHERS, temperature=temperature, single_label=False)
