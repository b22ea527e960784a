"""The training step of BERT-shaped layers, with its waste taken out. The mathematics is unchanged.

Three things are done differently from the stock modules, whose weights are used in place:

* Dropout masks are cut from a stream of 16-bit numbers, four for each draw of the generator. The stock mask
  costs one serial draw per element, up to 40 % of a training step on a CPU.
* The last layer is computed only for the leading positions somebody reads: one with [CLS] pooling.
* On AMD processors from Zen 5 on, float32 products go through oneDNN: the default library leaves half of
  their vector units idle. Before Zen 5 it is as fast, without compiling kernels for each width.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from affekt.hardware import processor_field

# transformers' model types whose layers are BERT's, and MPNet, which adds to the scores a bias by position
_BERT_SHAPED = {"bert", "camembert", "electra", "mpnet", "roberta", "xlm-roberta"}
_NAMES = {"attention.self.query", "attention.output.LayerNorm", "intermediate.dense", "output.LayerNorm"}
_NAMES_OF_MPNET = {"attention.attn.q", "attention.LayerNorm", "intermediate.dense", "output.LayerNorm"}
_ZEN_5 = 26  # the processor family
_DRAWS = 1 << 16  # a mask element is kept when its 16 bits are at least p · 2¹⁶


class _Dropout(torch.autograd.Function):
    """y = x · mask / (1 − p), keeping one byte per element for the way back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, p: float) -> torch.Tensor:
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        mask = bits >= round(p * _DRAWS) - _DRAWS // 2
        ctx.save_for_backward(mask)
        ctx.scale = 1.0 / (1.0 - p)
        return torch.ops.aten.native_dropout_backward(x.contiguous(), mask, ctx.scale)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (mask,) = ctx.saved_tensors
        return torch.ops.aten.native_dropout_backward(grads[0].contiguous(), mask, ctx.scale), None


def dropout(x: torch.Tensor, p: float, training: bool) -> torch.Tensor:
    """Drop elements with probability p, exact to 2⁻¹⁶; elsewhere than on a CPU the stock kernel is best."""
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu" or round(p * _DRAWS) >= _DRAWS:
        return nn.functional.dropout(x, p)
    return _Dropout.apply(x, p)  # type: ignore[no-any-return,no-untyped-call]


class Dropout(nn.Dropout):
    """Drop-in for `nn.Dropout` with the cheap mask."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop elements while training."""
        return dropout(x, self.p, self.training)


def use_fast_dropout(module: nn.Module) -> None:
    """Replace every `nn.Dropout` below a module."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p).train(child.training))
        else:
            use_fast_dropout(child)


@cache
def _onednn_is_faster() -> bool:
    """Whether float32 products should go through oneDNN: decided by the processor, so that runs repeat."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    family = processor_field("cpu family") or ""
    return processor_field("vendor_id") == "AuthenticAMD" and family.isdigit() and int(family) >= _ZEN_5


def _product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


class _Linear(torch.autograd.Function):
    """x Wᵀ + b through oneDNN, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grads[0].reshape(-1, weight.shape[0])
        need_x, need_weight, need_bias = ctx.needs_input_grad
        flat = x.reshape(-1, weight.shape[1])
        return (
            _product(grad, weight.t(), None).view(x.shape) if need_x else None,
            _product(grad.t(), flat.t(), None) if need_weight else None,
            grad.sum(0) if need_bias else None,
        )


def linear(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """Apply a linear layer, through oneDNN where that is faster and the numbers stay float32."""
    plain = x.dtype != torch.float32 or x.device.type != "cpu" or torch.is_autocast_enabled("cpu")
    if plain or layer.bias is None or not _onednn_is_faster():
        return layer(x)  # type: ignore[no-any-return]
    return _Linear.apply(x, layer.weight, layer.bias)  # type: ignore[no-any-return,no-untyped-call]


def is_bert_shaped(backbone: nn.Module) -> bool:
    """Whether a transformers model has BERT's layers under BERT's names and does with them what BERT does.

    Names alone do not say so: other families put bottlenecks or convolutions beside layers of these names.
    """
    layers = getattr(getattr(backbone, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or len(layers) == 0:
        return False
    names = {name for name, _ in layers[0].named_modules()}
    config = getattr(backbone, "config", None)
    family = getattr(config, "model_type", None)
    expected = _NAMES_OF_MPNET if family == "mpnet" else _NAMES
    return family in _BERT_SHAPED and not getattr(config, "is_decoder", False) and expected <= names


@dataclass(frozen=True)
class AttentionParts:
    """The parts of a layer's attention, whatever their names."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    heads: int
    of_weights: nn.Dropout
    out: nn.Linear
    of_states: nn.Dropout
    norm: nn.LayerNorm


def attention_parts(attention: Any) -> AttentionParts:
    """Return the parts of the attention of a BERT-shaped layer."""
    if hasattr(attention, "attn"):  # MPNet
        own, after = attention.attn, attention
        query, key, value, out = own.q, own.k, own.v, own.o
    else:
        own, after = attention.self, attention.output
        query, key, value, out = own.query, own.key, own.value, after.dense
    return AttentionParts(
        query, key, value, own.num_attention_heads, own.dropout, out, after.dropout, after.LayerNorm
    )


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    n, t, d = x.shape
    return x.view(n, t, heads, d // heads).transpose(1, 2)  # (n, heads, t, d / heads)


def _attend(
    attention: AttentionParts, hidden: torch.Tensor, bias: torch.Tensor | None, read: int | None
) -> torch.Tensor:
    """Self-attention of the first `read` positions over all positions."""
    query = _heads(linear(attention.query, hidden if read is None else hidden[:, :read]), attention.heads)
    key = _heads(linear(attention.key, hidden), attention.heads)
    value = _heads(linear(attention.value, hidden), attention.heads)
    bias = bias if read is None or bias is None else bias[:, :, :read]
    p = attention.of_weights.p if attention.of_weights.training else 0.0
    if p == 0.0:
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    else:
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        scores = scores if bias is None else scores + bias
        mixed = dropout(scores.softmax(-1), p, True).to(value.dtype) @ value
    return mixed.transpose(1, 2).flatten(2)


def bert_layer(
    layer: Any, hidden: torch.Tensor, bias: torch.Tensor | None, read: int | None = None
) -> torch.Tensor:
    """Apply a stock BERT-shaped layer to (n, t, d) with a `score_bias`; return the first `read` positions."""
    attention = attention_parts(layer.attention)
    mixed = _attend(attention, hidden, bias, read)
    residual = hidden if read is None else hidden[:, :read]
    hidden = attention.norm(attention.of_states(linear(attention.out, mixed)) + residual)
    inner = layer.intermediate.intermediate_act_fn(linear(layer.intermediate.dense, hidden))
    return layer.output.LayerNorm(layer.output.dropout(linear(layer.output.dense, inner)) + hidden)  # type: ignore[no-any-return]


def score_bias(backbone: Any, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """Return what is added to the scores of every layer, or None: `padding_bias`, and MPNet's by position."""
    bias = padding_bias(mask, hidden.dtype)
    if not hasattr(backbone.encoder, "relative_attention_bias"):
        return bias
    by_position: torch.Tensor = backbone.encoder.compute_position_bias(hidden[:1])  # (1, heads, t, t)
    return by_position if bias is None else by_position + bias


def padding_bias(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
    """Return (n, 1, 1, t) with the most negative number at padding, or None where nothing is padded."""
    if bool(mask.all()):
        return None
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill_(~mask.bool(), torch.finfo(dtype).min)[:, None, None, :]
