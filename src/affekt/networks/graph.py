"""A network as an ONNX graph: embeddings, fused layers, pooling, head and calibration.

The graph is written from the weights, not traced, with ONNX Runtime's own operators for attention, GELU and
the sum with its normalisation. It computes what the network does in evaluation.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from affekt.decisions import Calibration
from affekt.encoders.fast import attention_parts, is_bert_shaped
from affekt.errors import ModelError
from affekt.networks.heads import ClassificationHead, LabelSpanHead, LinearHead
from affekt.networks.network import Network

_FUSED = "com.microsoft"
_OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid(_FUSED, 1)]
_IR_VERSION = 10
_WEIGHT_LEVELS = 63  # 7 bits: products of 8 and 7 bits add up exactly on every processor
_ROW_LEVELS = 127
_ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "gelu": "Gelu"}  # of heads
# families that count positions on from their padding id, over what is not padding
_FROM_PADDING = {"camembert", "mpnet", "roberta", "xlm-roberta"}


@dataclass(frozen=True)
class _Layer:
    """The parts of a layer that every family here has, whatever their names."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    heads: int
    out: nn.Linear
    norm: nn.LayerNorm
    inner: nn.Linear
    outer: nn.Linear
    last_norm: nn.LayerNorm


def _layers(backbone: Any) -> list[_Layer]:
    config = backbone.config
    activation = getattr(config, "hidden_act", None) or getattr(config, "activation", None)
    if activation not in {"gelu", "relu"}:
        raise ModelError(
            f"an encoder with the activation {activation!r} has no ONNX export; run it by torch."
        )
    if is_bert_shaped(backbone):
        found = []
        for layer in backbone.encoder.layer:
            own = attention_parts(layer.attention)
            rest = (layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm)
            found.append(_Layer(own.query, own.key, own.value, own.heads, own.out, own.norm, *rest))
        return found
    if config.model_type == "distilbert":
        return [
            _Layer(
                own.attention.q_lin,
                own.attention.k_lin,
                own.attention.v_lin,
                config.n_heads,
                own.attention.out_lin,
                own.sa_layer_norm,
                own.ffn.lin1,
                own.ffn.lin2,
                own.output_layer_norm,
            )
            for own in backbone.transformer.layer
        ]
    raise ModelError(
        f"encoders of the family {config.model_type!r} have no ONNX export, only those with BERT's, MPNet's "
        "or DistilBERT's layers; run it by torch."
    )


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().cpu().float().numpy(), dtype=np.float32)


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self, kept: Set[str] | None) -> None:
        self.kept = kept  # the products left in float32; None for all
        self.products: list[str] = []
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, value: Any) -> str:
        """Add a number or an array, each once."""
        array = np.asarray(value)
        for name, other in self.constants.items():
            if array.ndim == 0 and other.ndim == 0 and other.dtype == array.dtype and other == array:
                return name
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def several(
        self, op: str, *inputs: str, outputs: int, fused: bool = False, **attributes: Any
    ) -> list[str]:
        """Add a node and return the names of what it gives."""
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        domain = _FUSED if fused else ""
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def add(self, op: str, *inputs: str, fused: bool = False, **attributes: Any) -> str:
        """Add a node that gives one thing."""
        return self.several(op, *inputs, outputs=1, fused=fused, **attributes)[0]

    def name(self, value: str, name: str) -> None:
        """Let something leave the graph under a name."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def table(self, rows: NDArray[np.float32], ids: str) -> str:
        """Add a look-up of rows, which are kept in 8 bits with a scale each unless all is in float32."""
        if self.kept is None:
            return self.add("Gather", self.constant(rows), ids)
        scales = np.maximum(np.abs(rows).max(1, keepdims=True), 1e-12) / _ROW_LEVELS
        whole = self.constant(np.rint(rows / scales).astype(np.int8))
        found = self.add("Cast", self.add("Gather", whole, ids), to=TensorProto.FLOAT)
        return self.add("Mul", found, self.add("Gather", self.constant(scales.astype(np.float32)), ids))

    def product(self, name: str, x: str, weight: NDArray[np.float32]) -> str:
        """Add x Wᵀ. In 8 bits, each row of x has its own scale, and so does each column of the result.

        So a row's result depends on no other row: a text's answer not on its neighbours.
        """
        self.products.append(name)
        width, out = weight.shape[1], weight.shape[0]
        if self.kept is None or name in self.kept:
            return self.add("MatMul", x, self.constant(np.ascontiguousarray(weight.T)))
        scales = np.maximum(np.abs(weight).max(1), 1e-12) / _WEIGHT_LEVELS
        whole = np.ascontiguousarray(np.rint(weight / scales[:, None]).astype(np.int8).T)
        axis, middle = self.constant(np.array([1])), self.constant(np.uint8(128))
        rows = self.add("Reshape", x, self.constant(np.array([-1, width])))
        largest = self.add("ReduceMax", self.add("Abs", rows), axis, keepdims=0)
        above = self.add("Max", largest, self.constant(np.float32(1e-12)))
        scale = self.add("Mul", above, self.constant(np.float32(1 / _ROW_LEVELS)))
        middles = self.add("Expand", middle, self.add("Shape", scale))
        levels = self.add("QuantizeLinear", rows, scale, middles, axis=0)
        found = self.add(
            "MatMulIntegerToFloat",
            levels,
            self.constant(whole),
            self.constant(np.float32(1)),
            self.constant(scales.astype(np.float32)),
            middle,
            fused=True,
        )
        scaled = self.add("Mul", found, self.add("Unsqueeze", scale, axis))
        shape = self.add("Concat", self.add("Shape", x, end=-1), self.constant(np.array([out])), axis=0)
        return self.add("Reshape", scaled, shape)

    def linear(self, name: str, x: str, layer: nn.Linear) -> str:
        """Add x Wᵀ + b."""
        found = self.product(name, x, _array(layer.weight))
        return found if layer.bias is None else self.add("Add", found, self.constant(_array(layer.bias)))

    def normalised_sum(self, x: str, other: str, norm: nn.LayerNorm, bias: nn.Parameter | None = None) -> str:
        """Add LayerNorm(x + other + bias)."""
        weights = [self.constant(_array(weight)) for weight in (norm.weight, norm.bias)]
        biases = [] if bias is None else [self.constant(_array(bias))]
        return self.add(
            "SkipLayerNormalization", x, other, *weights, *biases, fused=True, epsilon=float(norm.eps)
        )


def build(
    network: Network, calibration: Calibration | None, *, single_label: bool, kept: Set[str] | None = None
) -> onnx.ModelProto:
    """Return a network's graph.

    It reads input_ids and attention_mask, padded to the right, and token_type_ids where label words and text
    are told apart. It gives probabilities, the sentence vectors, logits calibrated and as they come from the
    head, and the projected vectors; only what the network has.

    Args:
        network: A transformer with or without a head and a projection.
        calibration: A line per label; None for an encoder without a head.
        single_label: Whether probabilities are shared out between the labels.
        kept: The `products` left in float32, the others being in 8 bits; None for float32 throughout.

    Raises:
        ModelError: When the encoder is of a family that has no export.
    """
    encoder = network.encoder
    if not encoder.in_transformers:
        raise ModelError(
            f"encoders of kind {encoder.kind!r} have no ONNX export, only transformers; run it by torch."
        )
    graph = _Graph(kept)
    mask = graph.add("Cast", "attention_mask", to=TensorProto.INT32)
    read = len(encoder.prefix.head) if encoder.prefix else 1 if encoder.pooling == "cls" else None
    states = _stack(graph, encoder, mask, read)
    vectors = _pooled(graph, states, encoder.pooling)
    outputs = {"vectors": encoder.dimension}
    if network.head is not None and calibration is not None:
        logits = _logits(graph, network.head, states, vectors)
        line = [np.array(values, dtype=np.float32) for values in (calibration.slopes, calibration.intercepts)]
        calibrated = graph.add(
            "Add", graph.add("Mul", logits, graph.constant(line[0])), graph.constant(line[1])
        )
        spread = (
            graph.add("Softmax", calibrated, axis=-1) if single_label else graph.add("Sigmoid", calibrated)
        )
        graph.name(spread, "probabilities")
        graph.name(calibrated, "logits")  # by this name others spread them into probabilities
        graph.name(logits, "uncalibrated")
        k = len(calibration.slopes)
        outputs = {"probabilities": k, **outputs, "logits": k, "uncalibrated": k}
    graph.name(vectors, "vectors")
    if network.projection is not None:
        graph.name(_projected(graph, network.projection.linear_layers(), vectors), "projected")
        outputs["projected"] = network.projection.width
    return _model(graph, outputs, segments=bool(encoder.prefix and encoder.prefix.text_segment))


def products(network: Network) -> list[str]:
    """Return the names of the products of a network's graph that may be in 8 bits."""
    graph = _Graph(None)
    _stack(graph, network.encoder, "", None if network.encoder.pooling == "mean" else 1)
    return graph.products


def _model(graph: _Graph, outputs: dict[str, int], *, segments: bool) -> onnx.ModelProto:
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if segments else [])]
    made = helper.make_graph(
        graph.nodes,
        "affekt",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "positions"]) for name in inputs],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", width])
            for name, width in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
    )
    model = helper.make_model(made, opset_imports=_OPSETS, ir_version=_IR_VERSION, producer_name="affekt")
    onnx.checker.check_model(model, full_check=False)
    return model


def _embedded(graph: _Graph, encoder: Any) -> str:
    backbone = encoder.backbone
    parts = backbone.embeddings
    words = _array(parts.word_embeddings.weight)
    places = _array(parts.position_embeddings.weight)
    first = 0
    if backbone.config.model_type in _FROM_PADDING:
        first = int(parts.padding_idx) + 1
        text = graph.add("Not", graph.add("Equal", "input_ids", graph.constant(np.int64(first - 1))))
        ones = graph.add("Cast", text, to=TensorProto.INT64)
        counted = graph.add("Mul", graph.add("CumSum", ones, graph.constant(np.int64(1))), ones)
        ids = graph.add("Add", counted, graph.constant(np.int64(first - 1)))
    else:
        length = graph.add("Squeeze", graph.add("Shape", "input_ids", start=1))
        ids = graph.add("Range", graph.constant(np.int64(0)), length, graph.constant(np.int64(1)))
        ids = graph.add("Expand", ids, graph.add("Shape", "input_ids"))
    places = places[: first + encoder.max_length]
    kinds = getattr(parts, "token_type_embeddings", None)
    segments = None if kinds is None else _array(kinds.weight)
    segmented = bool(encoder.prefix and encoder.prefix.text_segment)
    if segments is not None and not segmented:
        places = places + segments[0]
    placed = graph.table(places, ids)
    if segments is not None and segmented:
        of_kind = graph.add("Gather", graph.constant(segments), "token_type_ids")
        placed = graph.add("Add", placed, of_kind)
    hidden = graph.normalised_sum(graph.table(words, _ended(graph, encoder)), placed, parts.LayerNorm)
    project = getattr(backbone, "embeddings_project", None)
    return hidden if project is None else graph.linear("embeddings", hidden, project)


def _ended(graph: _Graph, encoder: Any) -> str:
    """The ids, at whose last place stands what ends a text: transformers.js cuts that off long ones."""
    longest = encoder.max_length
    cut = encoder.tokenizer("a " * longest, truncation=True, max_length=longest)["input_ids"]
    if encoder.prefix or len(cut) < longest or cut[-1] not in encoder.tokenizer.all_special_ids:
        return "input_ids"
    length = graph.add("Squeeze", graph.add("Shape", "input_ids", start=1))
    places = graph.add("Range", graph.constant(np.int64(0)), length, graph.constant(np.int64(1)))
    last = graph.add("Equal", places, graph.constant(np.int64(longest - 1)))
    return graph.add("Where", last, graph.constant(np.int64(cut[-1])), "input_ids")


def _by_distance(graph: _Graph, encoder: Any) -> str:
    """MPNet's bias (1, heads, t, t) by how far two positions are apart."""
    import torch

    stack, longest = encoder.backbone.encoder, encoder.max_length
    buckets = stack.relative_position_bucket(torch.arange(-longest + 1, longest))
    table = graph.constant(_array(stack.relative_attention_bias(buckets)))
    length = graph.add("Squeeze", graph.add("Shape", "input_ids", start=1))
    places = graph.add("Range", graph.constant(np.int64(0)), length, graph.constant(np.int64(1)))
    rows = graph.add("Unsqueeze", places, graph.constant(np.array([1])))
    apart = graph.add("Add", graph.add("Sub", places, rows), graph.constant(np.int64(longest - 1)))
    values = graph.add("Transpose", graph.add("Gather", table, apart), perm=[2, 0, 1])
    return graph.add("Unsqueeze", values, graph.constant(np.array([0])))


def _stack(graph: _Graph, encoder: Any, mask: str, read: int | None) -> str:
    """The last layer's states, of the first `read` positions where nobody reads more."""
    backbone = encoder.backbone
    layers = _layers(backbone)
    hidden = _embedded(graph, encoder)
    bias = _by_distance(graph, encoder) if backbone.config.model_type == "mpnet" else ""
    gelu = (getattr(backbone.config, "hidden_act", None) or backbone.config.activation) == "gelu"
    for i, layer in enumerate(layers):
        last = read if i == len(layers) - 1 else None
        hidden = _layer(graph, f"layer.{i}", layer, hidden, mask, bias, last, gelu=gelu)
    return hidden


def _first(graph: _Graph, x: str, count: int, axis: int = 1) -> str:
    bounds = [graph.constant(np.array([value])) for value in (0, count, axis)]
    return graph.add("Slice", x, *bounds)


def _layer(
    graph: _Graph,
    name: str,
    layer: _Layer,
    hidden: str,
    mask: str,
    bias: str,
    read: int | None,
    *,
    gelu: bool,
) -> str:
    weights = [_array(part.weight) for part in (layer.query, layer.key, layer.value)]
    if read is None:
        joined = graph.product(f"{name}.attention", hidden, np.concatenate(weights))
        inputs = graph.several("Split", joined, outputs=3, axis=-1, num_outputs=3)
    else:
        others = graph.product(f"{name}.attention", hidden, np.concatenate(weights[1:]))
        hidden = _first(graph, hidden, read)
        inputs = [
            graph.product(f"{name}.query", hidden, weights[0]),
            *graph.several("Split", others, outputs=2, axis=-1, num_outputs=2),
        ]
        bias = bias and _first(graph, bias, read, 2)
    biases = np.concatenate([_array(part.bias) for part in (layer.query, layer.key, layer.value)])
    mixed = graph.add(
        "MultiHeadAttention", *inputs, graph.constant(biases), mask, bias, fused=True, num_heads=layer.heads
    )
    out = graph.product(f"{name}.out", mixed, _array(layer.out.weight))
    hidden = graph.normalised_sum(out, hidden, layer.norm, layer.out.bias)
    inner = graph.product(f"{name}.inner", hidden, _array(layer.inner.weight))
    inner_bias = graph.constant(_array(layer.inner.bias))
    active = (
        graph.add("BiasGelu", inner, inner_bias, fused=True)
        if gelu
        else graph.add("Relu", graph.add("Add", inner, inner_bias))
    )
    outer = graph.product(f"{name}.outer", active, _array(layer.outer.weight))
    return graph.normalised_sum(outer, hidden, layer.last_norm, layer.outer.bias)


def _pooled(graph: _Graph, states: str, pooling: str) -> str:
    if pooling == "cls":
        return graph.add("Gather", states, graph.constant(np.int64(0)), axis=1)
    # a product for each text, since how a sum over positions is ordered depends on the number of texts
    weights = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    axis = graph.constant(np.array([1]))
    total = graph.add("MatMul", graph.add("Unsqueeze", weights, axis), states)
    counts = graph.add("ReduceSum", weights, axis, keepdims=1)
    return graph.add("Div", graph.add("Squeeze", total, axis), counts)


def _plain(graph: _Graph, x: str, layer: nn.Linear) -> str:
    """X Wᵀ + b in float32: heads are small, and what they give is what is decided on."""
    found = graph.add("MatMul", x, graph.constant(np.ascontiguousarray(_array(layer.weight).T)))
    return found if layer.bias is None else graph.add("Add", found, graph.constant(_array(layer.bias)))


def _logits(graph: _Graph, head: Any, states: str, vectors: str) -> str:
    forms: dict[type, Callable[[], str]] = {
        ClassificationHead: lambda: _plain(
            graph, graph.add(_ACTIVATIONS[head.activation], _plain(graph, vectors, head.dense)), head.out
        ),
        LinearHead: lambda: _plain(graph, _unit(graph, vectors) if head.unit else vectors, head.out),
        LabelSpanHead: lambda: _span_logits(graph, head, states),
    }
    return forms[type(head)]()


def _unit(graph: _Graph, vectors: str) -> str:
    length = graph.add("ReduceL2", vectors, graph.constant(np.array([1])), keepdims=1)
    return graph.add("Div", vectors, graph.add("Max", length, graph.constant(np.float32(1e-12))))


def _span_logits(graph: _Graph, head: LabelSpanHead, states: str) -> str:
    pooling = _array(head.pooling)
    pieces = graph.add("MatMul", graph.constant(pooling), _first(graph, states, pooling.shape[1]))
    hidden = graph.add("Tanh", _plain(graph, pieces, head.dense))
    logits = graph.add("Squeeze", _plain(graph, hidden, head.out), graph.constant(np.array([2])))
    return graph.add("Add", logits, graph.constant(_array(head.bias)))


def _projected(graph: _Graph, layers: list[nn.Linear], vectors: str) -> str:
    for layer in layers[:-1]:
        vectors = graph.add("Relu", _plain(graph, vectors, layer))
    return _plain(graph, vectors, layers[-1])
