"""Heads on a text's vector, against their formulas; and the bias at the labels' prior."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from affekt.encoders import Encoded
from affekt.errors import UsageError
from affekt.networks.heads import ClassificationHead, LinearHead, set_bias_to_prior

ACTIVATIONS = {
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
}


def by_hand(layer: nn.Linear, vector: list[float]) -> list[float]:
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [
        sum(w * x for w, x in zip(row, vector, strict=True)) + b for row, b in zip(weight, bias, strict=True)
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_logits_are_linear_activation_linear(activation):
    torch.manual_seed(0)
    head = ClassificationHead(5, 3, activation=activation).double().eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    vectors = torch.randn(4, 5, dtype=torch.float64)
    expected = [
        by_hand(head.out, [ACTIVATIONS[activation](x) for x in by_hand(head.dense, vector)])
        for vector in vectors.tolist()
    ]
    torch.testing.assert_close(head(Encoded(vectors)), torch.tensor(expected, dtype=torch.float64))


def test_dropout_falls_on_the_hidden_units_and_never_on_the_logits():
    torch.manual_seed(1)
    head = ClassificationHead(200, 4, dropout=0.5).train()
    vectors = torch.randn(50, 200)
    assert not torch.equal(head(Encoded(vectors)), head(Encoded(vectors)))
    with torch.no_grad():
        head.out.bias.fill_(1.0)
    assert (head(Encoded(vectors)) != 0).all()  # a dropped logit would be an exact zero
    head.eval()
    assert torch.equal(head(Encoded(vectors)), head(Encoded(vectors)))


def test_a_head_starts_where_no_label_is_likelier_and_the_text_already_counts():
    # the weights' scale is Glorot's: pooled vectors are short, and a smaller start would fade them to nothing
    torch.manual_seed(2)
    head = ClassificationHead(384, 28).eval()
    assert head.dense.weight.std().item() == pytest.approx(math.sqrt(2 / (384 + 384)), rel=0.05)
    assert head.out.weight.std().item() == pytest.approx(math.sqrt(2 / (384 + 28)), rel=0.05)
    assert not head.dense.bias.any()
    assert not head.out.bias.any()
    logits = head(Encoded(nn.functional.normalize(torch.randn(8, 384), dim=1)))
    assert 0.02 < logits.std() < 0.2
    assert logits.abs().max() < 0.5


def test_an_unknown_activation_answers_with_the_near_ones():
    with pytest.raises(UsageError, match="unknown activation 'tan': did you mean tanh"):
        ClassificationHead(4, 2, activation="tan")


@pytest.mark.parametrize("unit", [False, True])
def test_the_linear_head_is_logistic_regression_on_unit_vectors_where_asked(unit):
    torch.manual_seed(3)
    head = LinearHead(5, 3, unit=unit).double()
    vectors = torch.randn(4, 5, dtype=torch.float64) * 7
    expected = [
        by_hand(head.out, [x / (math.hypot(*vector) if unit else 1) for x in vector])
        for vector in vectors.tolist()
    ]
    torch.testing.assert_close(head(Encoded(vectors)), torch.tensor(expected, dtype=torch.float64))


def test_the_prior_of_several_labels_is_the_share_of_each_smoothed_by_one_row():
    targets = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], dtype=np.float32)
    out = nn.Linear(2, 3)
    set_bias_to_prior(out, targets, single_label=False)
    shares = [(4 + 1 / 3) / 5, (1 + 1 / 3) / 5, (1 / 3) / 5]
    assert torch.sigmoid(out.bias).tolist() == pytest.approx(shares, rel=1e-5)


def test_the_prior_of_one_label_sums_to_one():
    targets = np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]
    out = nn.Linear(2, 3)
    set_bias_to_prior(out, targets, single_label=True)
    shares = [(3 + 1 / 3) / 5, (1 + 1 / 3) / 5, (1 / 3) / 5]
    assert torch.softmax(out.bias, 0).tolist() == pytest.approx(shares, rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("labels", [1, 5])
def test_the_prior_is_finite_for_labels_that_never_or_always_hold(value, labels):
    out = nn.Linear(2, labels)
    set_bias_to_prior(out, np.full((1000, labels), value, dtype=np.float32), single_label=False)
    assert out.bias.isfinite().all()
    assert ((out.bias > 0) == bool(value)).all()
