"""Projections, against their formulas."""

import pytest
import torch
from torch import nn

from affekt.errors import UsageError
from affekt.networks.heads import Projection


def test_a_linear_projection_is_one_layer():
    projection = Projection(5, 2, kind="linear").double()
    [layer] = projection.linear_layers()
    vectors = torch.randn(4, 5, dtype=torch.float64)
    torch.testing.assert_close(projection(vectors), vectors @ layer.weight.T + layer.bias)


def test_an_mlp_projection_has_a_relu_between_two_layers():
    torch.manual_seed(0)
    projection = Projection(5, 2, kind="mlp", hidden=7).double().eval()
    first, last = projection.linear_layers()
    vectors = torch.randn(4, 5, dtype=torch.float64)
    hidden = (vectors @ first.weight.T + first.bias).clamp(min=0)
    assert 0 < (hidden == 0).sum() < hidden.numel()
    torch.testing.assert_close(projection(vectors), hidden @ last.weight.T + last.bias)


def test_by_default_768_becomes_512_and_then_what_is_asked():
    layers = Projection(768, 128).linear_layers()
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(768, 512), (512, 128)]


def test_the_width_is_that_of_what_comes_out():
    assert Projection(6, 3).width == Projection(6, 3)(torch.randn(1, 6)).shape[1] == 3


def test_dropout_falls_on_the_hidden_units_while_training_only():
    torch.manual_seed(1)
    projection = Projection(50, 8, dropout=0.5)
    nn.init.constant_(projection.linear_layers()[-1].bias, 1.0)
    vectors = torch.randn(20, 50)
    assert not torch.equal(projection(vectors), projection(vectors))
    assert (projection(vectors) != 0).all()
    projection.eval()
    assert torch.equal(projection(vectors), projection(vectors))


def test_an_unknown_kind_answers_with_the_near_ones():
    with pytest.raises(UsageError, match="unknown projection 'linaer': did you mean linear"):
        Projection(4, 2, kind="linaer")
