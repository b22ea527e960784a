"""Network: an encoder with the head and the projection that were trained on it, as one torch module.

A folder written here opens in plain transformers when the head is the family's own, and in
SentenceTransformer when the encoder is a transformer.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from affekt.encoders import Batch, Encoded
from affekt.encoders.sentence import write_sentence_transformer
from affekt.encoders.table import encoder_kind, load_encoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError
from affekt.heads.classification import ClassificationHead, LinearHead
from affekt.heads.label_span import LabelSpanHead
from affekt.heads.projection import Projection

Head = ClassificationHead | LinearHead | LabelSpanHead

# What transformers calls the parts of its own classifier: backbone, dense layer, output layer, activation
_FAMILIES = {
    "bert": ("BertForSequenceClassification", "bert", "bert.pooler.dense", "classifier", "tanh"),
    "roberta": ("RobertaForSequenceClassification", "roberta", "classifier.dense", "classifier.out_proj", "tanh"),
    "xlm-roberta": ("XLMRobertaForSequenceClassification", "roberta", "classifier.dense", "classifier.out_proj", "tanh"),
    "electra": ("ElectraForSequenceClassification", "electra", "classifier.dense", "classifier.out_proj", "gelu"),
    "distilbert": ("DistilBertForSequenceClassification", "distilbert", "pre_classifier", "classifier", "relu"),
}


def family_activation(encoder: Any) -> str:
    """The activation of transformers' own classifier for this encoder's family; tanh for the others."""
    if isinstance(encoder, TransformerEncoder) and encoder.family in _FAMILIES:
        return _FAMILIES[encoder.family][-1]
    return "tanh"


class Network(nn.Module):
    """Encoder, head and projection; the last two may be absent."""

    def __init__(self, encoder: Any, head: Head | None = None, projection: Projection | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.projection = projection

    def encode(self, batch: Batch) -> Encoded:
        """Encode a batch."""
        return self.encoder(batch)  # type: ignore[no-any-return]

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return logits (n, k)."""
        return self.logits(self.encode(batch))

    def logits(self, encoded: Encoded) -> torch.Tensor:
        """Return logits (n, k) of an encoded batch."""
        if self.head is None:
            raise ModelError("this model is an encoder without a classifier; it can embed, not predict.")
        return self.head(encoded)  # type: ignore[no-any-return]

    def opens_in_transformers(self) -> bool:
        """Whether transformers' text-classification pipeline gives the same logits from the saved folder."""
        encoder = self.encoder
        return (
            isinstance(encoder, TransformerEncoder)
            and isinstance(self.head, ClassificationHead)
            and encoder.pooling == "cls"
            and encoder.prefix is None
            and encoder.family in _FAMILIES
            and self.head.activation == _FAMILIES[encoder.family][-1]
        )

    def save(self, folder: Path, labels: tuple[str, ...], *, single_label: bool) -> dict[str, Any]:
        """Write the weights into an existing folder and return what `load` needs to know.

        Args:
            folder: An existing folder.
            labels: Names of the labels, in the order of the logits.
            single_label: Whether the logits belong to one softmax or to one sigmoid each.
        """
        self.encoder.save(folder)
        description: dict[str, Any] = {"encoder": encoder_kind(self.encoder), "head": None, "projection": None}
        if self.head is not None:
            description["head"] = _describe_head(self.head)
            if self.opens_in_transformers():
                _save_as_classifier(self, folder, labels, single_label=single_label)
            else:
                _save_part(self.head, folder / "head.safetensors")
        if self.projection is not None:
            layers = self.projection.linear_layers()
            sizes = {"out": layers[-1].out_features, "hidden": layers[0].out_features if len(layers) > 1 else None}
            description["projection"] = {"kind": self.projection.kind, **sizes}
            _save_part(self.projection, folder / "projection.safetensors")
        return description

    def end_in_projection(self, folder: Path) -> None:
        """Rewrite a saved folder so that SentenceTransformer gives the projected vectors."""
        if self.projection is None or not isinstance(self.encoder, TransformerEncoder):
            raise ModelError("this model has no projection on a transformer to export.")
        encoder = self.encoder
        write_sentence_transformer(
            folder,
            dimension=encoder.dimension,
            pooling=encoder.pooling,
            max_length=encoder.max_length,
            dense=self.projection.linear_layers(),
        )


def _describe_head(head: Head) -> dict[str, Any]:
    if isinstance(head, ClassificationHead):
        return {"kind": "classification", "activation": head.activation, "dropout": head.dropout.p}
    if isinstance(head, LabelSpanHead):
        return {"kind": "label-span", "dropout": head.dropout.p}
    return {"kind": "linear", "unit": head.unit}


def _save_part(module: nn.Module, path: Path) -> None:
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    save_file(state, path, metadata={"format": "pt"})


def _save_as_classifier(network: Network, folder: Path, labels: tuple[str, ...], *, single_label: bool) -> None:
    """Rename the weights to those of the family's own classifier and say so in config.json."""
    encoder, head = network.encoder, network.head
    assert isinstance(encoder, TransformerEncoder) and isinstance(head, ClassificationHead)
    architecture, backbone, dense, out, _ = _FAMILIES[encoder.family]
    state = {f"{backbone}.{name}": value for name, value in encoder.backbone.state_dict().items()}
    state |= {f"{dense}.{name}": value for name, value in head.dense.state_dict().items()}
    state |= {f"{out}.{name}": value for name, value in head.out.state_dict().items()}
    plain = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {
        "architectures": [architecture],
        "problem_type": "single_label_classification" if single_label else "multi_label_classification",
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
        "classifier_dropout": head.dropout.p,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_network(folder: Path, description: dict[str, Any], labels: int) -> Network:
    """Open what `Network.save` wrote."""
    encoder = load_encoder(description["encoder"], folder)
    network = Network(encoder)
    if description.get("head"):
        network.head = _load_head(folder, encoder, description["head"], labels)
    if description.get("projection"):
        network.projection = Projection(encoder.dimension, dropout=0.0, **description["projection"])
        network.projection.load_state_dict(load_file(folder / "projection.safetensors"))
    return network.eval()


def _load_head(folder: Path, encoder: Any, options: dict[str, Any], labels: int) -> Head:
    head = build_head(encoder, labels, **options)
    if (folder / "head.safetensors").exists():
        head.load_state_dict(load_file(folder / "head.safetensors"))
        return head
    _, _, dense, out, _ = _FAMILIES[encoder.family]
    state = load_file(folder / "model.safetensors")
    names = {"dense": dense, "out": out}
    parts = {f"{ours}.{kind}": state[f"{theirs}.{kind}"] for ours, theirs in names.items() for kind in ("weight", "bias")}
    head.load_state_dict(parts)
    return head


def build_head(encoder: Any, labels: int, *, kind: str, **options: Any) -> Head:
    """Make a head of one of the kinds "classification", "linear", "label-span" for an encoder."""
    if kind == "linear":
        return LinearHead(encoder.dimension, labels, unit=options.get("unit", False))
    if kind == "label-span":
        if encoder.prefix is None or len(encoder.prefix.spans) != labels:
            raise ModelError(f"a label-span head needs an encoder with one label word or phrase for each of {labels} labels.")
        return LabelSpanHead(encoder.dimension, encoder.prefix.spans, dropout=options.get("dropout", 0.1))
    activation = options.get("activation") or family_activation(encoder)
    return ClassificationHead(encoder.dimension, labels, dropout=options.get("dropout", 0.3), activation=activation)
