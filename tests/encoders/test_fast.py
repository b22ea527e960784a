"""The training step with its waste taken out computes what the stock modules compute."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import MobileBertConfig, MobileBertModel

from affekt.encoders import fast
from affekt.encoders.fast import (
    Dropout,
    bert_layer,
    dropout,
    is_bert_shaped,
    padding_bias,
    score_bias,
    use_fast_dropout,
)
from affekt.encoders.transformer import TransformerEncoder
from tiny import make_model

SHAPED = ("bert", "roberta", "xlm-roberta", "electra", "mpnet")


# --- dropout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.05, 0.1, 0.3, 0.5, 0.9])
def test_dropout_keeps_the_expected_share_and_scales_it_up(p):
    torch.manual_seed(0)
    n = 200_000
    out = dropout(torch.ones(n), p, True)
    kept = out[out != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)))
    assert abs(len(kept) / n - (1 - p)) < 4 * math.sqrt(p * (1 - p) / n)


def test_dropout_preserves_the_mean():
    torch.manual_seed(1)
    x = torch.rand(400_000, dtype=torch.float64) + 1
    assert dropout(x, 0.1, True).mean().item() == pytest.approx(x.mean().item(), rel=0.005)


def test_neighbours_whose_masks_come_from_one_draw_are_independent():
    torch.manual_seed(2)
    n = 200_000
    kept = (dropout(torch.ones(n), 0.3, True) != 0).double() - 0.7
    for lag in (1, 2, 3, 4, 8):
        correlation = (kept[lag:] * kept[:-lag]).mean() / 0.21
        assert abs(correlation) < 5 / math.sqrt(n), lag


def test_dropout_with_p_zero_or_while_evaluating_changes_nothing():
    x = torch.randn(3, 5)
    assert dropout(x, 0.0, True) is x
    assert dropout(x, 0.7, False) is x


def test_dropout_with_p_one_drops_all_and_passes_no_gradient():
    x = torch.randn(3, 5, requires_grad=True)
    out = dropout(x, 1.0, True)
    out.sum().backward()
    assert not out.any()
    assert not x.grad.any()


def test_the_gradient_of_dropout_is_its_mask():
    torch.manual_seed(3)
    x = torch.randn(7, 11, dtype=torch.float64).add_(10).requires_grad_()
    weight = torch.randn(7, 11, dtype=torch.float64)
    out = dropout(x, 0.4, True)
    (out * weight).sum().backward()
    mask = (out != 0).double() / 0.6
    torch.testing.assert_close(out, x * mask)
    torch.testing.assert_close(x.grad, weight * mask)
    assert 0 < (mask == 0).sum() < mask.numel()


def test_the_seed_decides_what_is_dropped():
    x = torch.ones(1000)
    torch.manual_seed(4)
    first, second = dropout(x, 0.5, True), dropout(x, 0.5, True)
    torch.manual_seed(4)
    assert torch.equal(dropout(x, 0.5, True), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 7), (0, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dropout_keeps_shape_and_type(shape, dtype):
    out = dropout(torch.ones(shape, dtype=dtype), 0.5, True)
    assert out.shape == shape
    assert out.dtype == dtype


def test_dropout_of_a_transposed_view_drops_by_position():
    torch.manual_seed(5)
    x = torch.ones(6, 4)
    whole = dropout(x.t().contiguous(), 0.5, True)
    torch.manual_seed(5)
    assert torch.equal(dropout(x.t(), 0.5, True), whole)


def test_use_fast_dropout_replaces_every_stock_dropout_and_keeps_its_share_and_mode():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.4), nn.ReLU()))
    model.eval()
    use_fast_dropout(model)
    replaced = [model[1], model[2][0]]
    assert [type(module) for module in replaced] == [Dropout, Dropout]
    assert [module.p for module in replaced] == [0.2, 0.4]
    assert not any(module.training for module in model.modules())
    assert type(model[2][1]) is nn.ReLU


def test_the_module_drops_while_training_only():
    module = Dropout(0.5)
    x = torch.ones(1000)
    assert 300 < (module(x) == 0).sum() < 700
    assert torch.equal(module.eval()(x), x)


# --- linear layers through oneDNN ---------------------------------------------------------------------------

needs_onednn = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="this build of torch has no oneDNN linear layer",
)


@pytest.fixture
def products(monkeypatch) -> list[tuple[int, ...]]:
    """Send products through oneDNN whatever the processor, and note the shapes of what went there."""
    seen: list[tuple[int, ...]] = []
    stock = fast._product

    def noted(x, weight, bias):
        seen.append(tuple(x.shape))
        return stock(x, weight, bias)

    monkeypatch.setattr(fast, "_product", noted)
    monkeypatch.setattr(fast, "_onednn_is_faster", lambda: True)
    return seen


@needs_onednn
@pytest.mark.parametrize("shape", [(5, 24), (3, 4, 24), (1, 24)])
def test_linear_through_onednn_equals_the_stock_layer_forwards_and_backwards(products, shape):
    torch.manual_seed(6)
    layer = nn.Linear(24, 40)
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(*shape[:-1], 40)
    results = []
    for function in (layer, lambda given: fast.linear(layer, given)):
        out = function(x)
        grads = torch.autograd.grad((out * weight).sum(), [x, layer.weight, layer.bias])
        results.append((out, *grads))
    assert len(products) == 3  # the layer, the gradient of its input, the gradient of its weight
    for stock, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, stock, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_linear_makes_only_the_gradients_asked_for(products):
    layer = nn.Linear(6, 4)
    layer.weight.requires_grad_(False)
    fast.linear(layer, torch.randn(3, 6)).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(layer.bias.grad, torch.full((4,), 3.0))
    assert len(products) == 1


def test_linear_keeps_to_the_stock_layer_for_float64_and_under_autocast(products):
    layer = nn.Linear(6, 4)
    x = torch.randn(3, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = fast.linear(layer, x)
        assert torch.equal(out, layer(x))
    assert out.dtype == torch.bfloat16
    layer = layer.double()
    assert torch.equal(fast.linear(layer, x.double()), layer(x.double()))
    assert products == []


def test_linear_keeps_to_the_stock_layer_where_onednn_is_not_faster(products, monkeypatch):
    monkeypatch.setattr(fast, "_onednn_is_faster", lambda: False)
    layer = nn.Linear(6, 4)
    x = torch.randn(3, 6)
    assert torch.equal(fast.linear(layer, x), layer(x))
    assert products == []


def test_linear_without_a_bias_is_the_stock_layer(products):
    layer = nn.Linear(6, 4, bias=False)
    x = torch.randn(3, 6)
    assert torch.equal(fast.linear(layer, x), layer(x))


# --- layers of BERT's shape ---------------------------------------------------------------------------------


def states(family: str):
    """A float64 model, what goes into its layers and out of each, and a mask that pads two of three texts."""
    model = make_model(family).double()
    torch.manual_seed(7)
    ids = torch.randint(5, 150, (3, 9))
    mask = torch.arange(9)[None] < torch.tensor([9, 5, 2])[:, None]
    ids[~mask] = model.config.pad_token_id
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
    return model, out.hidden_states, mask


@pytest.mark.parametrize("family", SHAPED)
def test_a_layer_equals_the_stock_layer_at_every_position_with_padding(family):
    model, hidden, mask = states(family)
    bias = score_bias(model, hidden[0], mask)
    for i, layer in enumerate(model.encoder.layer):
        with torch.no_grad():
            ours = bert_layer(layer, hidden[i], bias)
        torch.testing.assert_close(ours[mask], hidden[i + 1][mask], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", SHAPED)
@pytest.mark.parametrize("read", [1, 4])
def test_a_partial_read_equals_the_first_rows_of_the_whole_and_has_the_same_gradients(family, read):
    model, hidden, mask = states(family)
    layer, bias = model.encoder.layer[0], score_bias(model, hidden[0], mask)
    bias = None if bias is None else bias.detach()
    weight = torch.randn(3, read, 32, dtype=torch.float64)
    results = []
    for asked in (None, read):
        x = hidden[0].detach().clone().requires_grad_()
        out = bert_layer(layer, x, bias, asked)[:, :read]
        results.append([out, *torch.autograd.grad((out * weight).sum(), [x, *layer.parameters()])])
    assert results[1][0].shape == (3, read, 32)
    for whole, partial in zip(*results, strict=True):
        torch.testing.assert_close(partial, whole, rtol=1e-9, atol=1e-10)


def test_the_attention_of_training_is_that_of_evaluation_where_nothing_is_dropped():
    model, hidden, mask = states("bert")
    layer, bias = model.encoder.layer[1], padding_bias(mask, torch.float64)
    with torch.no_grad():
        still = bert_layer(layer, hidden[1], bias)
        use_fast_dropout(layer)
        for module in layer.modules():
            if isinstance(module, nn.Dropout):
                module.p = 1e-9  # above zero, so that masks are drawn, and below what they can resolve
        moving = bert_layer(layer.train(), hidden[1], bias)
    torch.testing.assert_close(moving, still, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("dropped", [0.0, 1e-9])  # the latter draws masks that drop nothing
@pytest.mark.parametrize("family", SHAPED)
def test_a_model_computes_and_learns_as_the_stock_one_does(family, dropped, padded):
    still = {"hidden_dropout_prob": dropped, "attention_probs_dropout_prob": dropped}
    model = make_model(family, **still).double().train()
    model.pooler = None
    torch.manual_seed(8)
    ids, lengths = torch.randint(5, 150, (3, 40)), torch.tensor([40, 17, 2] if padded else [40, 40, 40])
    mask = torch.arange(40)[None] < lengths[:, None]
    ids[~mask] = model.config.pad_token_id
    weight = torch.randn(3, 40, 32, dtype=torch.float64) * mask[:, :, None]
    parameters = {name: value for name, value in model.named_parameters() if "pooler" not in name}
    ours = SimpleNamespace(backbone=model, _bert_shaped=True)
    results = []
    for encode in (
        lambda: model(input_ids=ids, attention_mask=mask.long()).last_hidden_state,
        lambda: TransformerEncoder._hidden(ours, {"ids": ids, "mask": mask}, None),
    ):
        hidden = encode()
        results.append([hidden[mask], *torch.autograd.grad((hidden * weight).sum(), [*parameters.values()])])
    for name, stock, fast_one in zip(["states", *parameters], *results, strict=True):
        torch.testing.assert_close(fast_one, stock, rtol=1e-8, atol=1e-8, msg=name)


def test_training_drops_attention_weights_and_states():
    model, hidden, mask = states("bert")
    layer = model.encoder.layer[0].train()
    assert layer.attention.self.dropout.p > 0
    with torch.no_grad():
        first, second = (bert_layer(layer, hidden[0], padding_bias(mask, torch.float64)) for _ in range(2))
    assert not torch.allclose(first, second)


def test_the_padding_bias_is_none_where_nothing_is_padded():
    assert padding_bias(torch.ones(2, 3, dtype=torch.bool), torch.float32) is None


def test_the_padding_bias_is_zero_at_text_and_as_low_as_can_be_at_padding():
    bias = padding_bias(torch.tensor([[True, True], [True, False]]), torch.float32)
    lowest = torch.finfo(torch.float32).min
    assert bias.tolist() == [[[[0.0, 0.0]]], [[[0.0, lowest]]]]


@pytest.mark.parametrize("family", [*SHAPED, "distilbert"])
def test_families_whose_layers_are_berts_are_known(family):
    assert is_bert_shaped(make_model(family)) == (family != "distilbert")


def test_a_decoder_is_not_bert_shaped():
    assert not is_bert_shaped(make_model("bert", is_decoder=True))


def test_a_family_with_berts_names_and_other_mathematics_is_not_bert_shaped():
    sizes = {"hidden_size": 32, "embedding_size": 16, "intermediate_size": 32, "intra_bottleneck_size": 16}
    model = MobileBertModel(
        MobileBertConfig(vocab_size=20, num_hidden_layers=1, num_attention_heads=4, **sizes)
    )
    assert not is_bert_shaped(model)


def test_a_module_that_is_no_transformer_is_not_bert_shaped():
    assert not is_bert_shaped(nn.Linear(2, 2))
