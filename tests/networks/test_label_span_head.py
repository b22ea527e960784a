"""The label-aware head, against plain loops over labels and their pieces."""

import math

import pytest
import torch
from torch import nn

from affekt.encoders import Encoded
from affekt.errors import ModelError
from affekt.networks.heads import LabelSpanHead

SPANS = ((1, 2), (2, 5), (5, 7))  # of one, three and two pieces


def made(seed: int = 0) -> LabelSpanHead:
    torch.manual_seed(seed)
    head = LabelSpanHead(4, SPANS).double().eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    return head


def by_hand(head: LabelSpanHead, tokens: torch.Tensor) -> torch.Tensor:
    """Per label: mean over its pieces, linear, tanh, one number, its own bias."""
    rows = []
    for states in tokens:
        row = []
        for label, (start, end) in enumerate(SPANS):
            total = torch.zeros(4, dtype=torch.float64)
            for position in range(start, end):
                total = total + states[position]
            mean = total / (end - start)
            hidden = torch.tanh(head.dense.weight @ mean + head.dense.bias)
            row.append((head.out.weight[0] * hidden).sum() + head.out.bias[0] + head.bias[label])
        rows.append(torch.stack(row))
    return torch.stack(rows)


def test_a_logit_reads_the_mean_of_its_labels_pieces():
    head = made()
    tokens = torch.randn(3, 9, 4, dtype=torch.float64)
    logits = head(Encoded(tokens[:, 0], tokens))
    assert logits.shape == (3, 3)
    torch.testing.assert_close(logits, by_hand(head, tokens))


def test_gradients_are_those_of_the_plain_loops():
    head = made(1)
    tokens = torch.randn(2, 9, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, dtype=torch.float64)
    wanted = [tokens, *head.parameters()]
    ours = torch.autograd.grad((head(Encoded(tokens[:, 0], tokens)) * weight).sum(), wanted)
    plain = torch.autograd.grad((by_hand(head, tokens) * weight).sum(), wanted)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_positions_outside_the_labels_do_not_count():
    head = made(2)
    tokens = torch.randn(2, 9, 4, dtype=torch.float64)
    other = tokens.clone()
    other[:, 0] += 5
    other[:, 7:] += 5
    assert torch.equal(head(Encoded(tokens[:, 0], tokens)), head(Encoded(other[:, 0], other)))


def test_an_encoder_without_states_is_refused():
    with pytest.raises(ModelError, match="one vector per position"):
        made()(Encoded(torch.zeros(2, 4)))


def test_a_label_has_a_bias_of_its_own_which_starts_at_zero():
    head = LabelSpanHead(4, SPANS)
    assert head.bias.tolist() == [0.0, 0.0, 0.0]


def test_where_the_labels_stand_is_not_among_the_weights():
    assert set(LabelSpanHead(4, SPANS).state_dict()) == {
        "bias",
        "dense.weight",
        "dense.bias",
        "out.weight",
        "out.bias",
    }


def test_dropout_falls_on_the_hidden_units_while_training_only():
    torch.manual_seed(3)
    head = LabelSpanHead(64, SPANS, dropout=0.5).train()
    tokens = torch.randn(2, 9, 64)
    encoded = Encoded(tokens[:, 0], tokens)
    assert not torch.equal(head(encoded), head(encoded))
    head.eval()
    assert torch.equal(head(encoded), head(encoded))
    assert math.isfinite(head(encoded).sum().item())
