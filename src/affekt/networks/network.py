"""Network: an encoder with the head and the projection that were trained on it, as one torch module.

A folder written here opens in plain transformers when the head is the family's own, and in
SentenceTransformer when the encoder is a transformer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from affekt.decisions import Calibration
from affekt.encoders import Batch, Encoded
from affekt.encoders.kinds import encoder_kind, load_encoder
from affekt.encoders.saving import read_tensors, restore
from affekt.encoders.sentence import write_sentence_transformer
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import NO_CLASSIFIER, ModelError, unknown_name
from affekt.files import read_json, write_json
from affekt.networks.heads.classification import ClassificationHead, LinearHead
from affekt.networks.heads.label_span import LabelSpanHead
from affekt.networks.heads.projection import Projection

Head = ClassificationHead | LinearHead | LabelSpanHead

HEADS = ("classification", "linear", "label-span")


@dataclass(frozen=True)
class _Family:
    """What transformers calls the parts of a family's own classifier."""

    architecture: str
    backbone: str
    dense: str
    out: str
    activation: str
    dropout: str = "classifier_dropout"  # its name in config.json


_ROBERTA_HEAD = ("classifier.dense", "classifier.out_proj")
_FAMILIES = {
    "bert": _Family("BertForSequenceClassification", "bert", "bert.pooler.dense", "classifier", "tanh"),
    "roberta": _Family("RobertaForSequenceClassification", "roberta", *_ROBERTA_HEAD, "tanh"),
    "xlm-roberta": _Family("XLMRobertaForSequenceClassification", "roberta", *_ROBERTA_HEAD, "tanh"),
    "electra": _Family("ElectraForSequenceClassification", "electra", *_ROBERTA_HEAD, "gelu"),
    "distilbert": _Family(
        "DistilBertForSequenceClassification",
        "distilbert",
        "pre_classifier",
        "classifier",
        "relu",
        "seq_classif_dropout",
    ),
}


def family_activation(encoder: Any) -> str:
    """The activation of transformers' own classifier for this encoder's family; tanh for the others."""
    if isinstance(encoder, TransformerEncoder) and encoder.family in _FAMILIES:
        return _FAMILIES[encoder.family].activation
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
        return self.classifier(encoded)  # type: ignore[no-any-return]

    @property
    def classifier(self) -> Head:
        """The head; ModelError where there is none."""
        if self.head is None:
            raise ModelError(NO_CLASSIFIER)
        return self.head

    def opens_in_transformers(self) -> bool:
        """Whether transformers' text-classification pipeline gives the same logits from the saved folder."""
        encoder = self.encoder
        return (
            isinstance(encoder, TransformerEncoder)
            and isinstance(self.head, ClassificationHead)
            and encoder.pooling == "cls"
            and encoder.prefix is None
            and encoder.family in _FAMILIES
            and self.head.activation == _FAMILIES[encoder.family].activation
        )

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None = None,
    ) -> dict[str, Any]:
        """Write the weights into an existing folder and return what `load` needs to know.

        Args:
            folder: An existing folder.
            labels: Names of the labels, in the order of the logits.
            single_label: Whether the logits belong to one softmax or to one sigmoid each.
            calibration: What transformers' classifier shall answer with, where the folder opens as one; the
                logits that `load` gives stay as they are.
        """
        self.encoder.save(folder)
        if self.head is not None:
            _save_part(self.head, folder / "head.safetensors")
        if self.opens_in_transformers():
            line = calibration or Calibration.none(len(labels))
            _save_as_classifier(self.encoder, self.head, folder, labels, line, single_label=single_label)
        if self.projection is not None:
            _save_part(self.projection, folder / "projection.safetensors")
        return {
            "encoder": encoder_kind(self.encoder),
            "head": _describe_head(self.head) if self.head else None,
            "projection": _describe_projection(self.projection) if self.projection else None,
        }

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


def _describe_projection(projection: Projection) -> dict[str, Any]:
    first, *later = projection.linear_layers()
    hidden = first.out_features if later else None
    return {"kind": projection.kind, "out": projection.width, "hidden": hidden}


def _save_part(module: nn.Module, path: Path) -> None:
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    save_file(state, path, metadata={"format": "pt"})


def _save_as_classifier(
    encoder: Any, head: Any, folder: Path, labels: tuple[str, ...], line: Calibration, *, single_label: bool
) -> None:
    """Rename the weights to those of the family's own classifier and say so in config.json.

    Calibration is a line per label, so the last layer takes it in: s · (w·x + b) + c = (s w)·x + (s b + c).
    """
    family = _FAMILIES[encoder.family]
    parts = {family.backbone: encoder.backbone, family.dense: head.dense, family.out: head.out}
    state = {
        f"{prefix}.{name}": value.detach().cpu().clone().contiguous()
        for prefix, part in parts.items()
        for name, value in part.state_dict().items()
    }
    slopes = torch.tensor(line.slopes)
    state[f"{family.out}.weight"] *= slopes[:, None]
    state[f"{family.out}.bias"] = state[f"{family.out}.bias"] * slopes + torch.tensor(line.intercepts)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = read_json(folder / "config.json")
    config |= {
        "architectures": [family.architecture],
        "problem_type": "single_label_classification" if single_label else "multi_label_classification",
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
        family.dropout: head.dropout.p,
    }
    write_json(folder / "config.json", config)


def load_network(folder: Path, description: dict[str, Any], labels: int) -> Network:
    """Open what `Network.save` wrote."""
    encoder = load_encoder(description["encoder"], folder)
    network = Network(encoder)
    if description.get("head"):
        network.head = build_head(encoder, labels, **description["head"])
        _load_part(network.head, folder / "head.safetensors")
    if description.get("projection"):
        network.projection = Projection(encoder.dimension, dropout=0.0, **description["projection"])
        _load_part(network.projection, folder / "projection.safetensors")
    return network.eval()


def _load_part(module: nn.Module, path: Path) -> None:
    restore(module, read_tensors(path), path)


def build_head(encoder: Any, labels: int, *, kind: str, **options: Any) -> Head:
    """Make a head for an encoder.

    Args:
        encoder: The encoder whose vectors or states it reads.
        labels: How many labels.
        kind: One of `HEADS`.
        options: `dropout`, `activation` or `unit`, where the kind has them.
    """
    if kind not in HEADS:
        raise ModelError(unknown_name("head", kind, HEADS))
    if kind == "linear":
        return LinearHead(encoder.dimension, labels, unit=options.get("unit", False))
    if kind == "label-span":
        prefix = getattr(encoder, "prefix", None)
        if prefix is None or len(prefix.spans) != labels:
            raise ModelError(
                f"a label-span head needs an encoder with one word or phrase for each of the {labels} labels."
            )
        return LabelSpanHead(encoder.dimension, prefix.spans, dropout=options.get("dropout", 0.1))
    activation = options.get("activation") or family_activation(encoder)
    dropout = options.get("dropout", 0.3)
    return ClassificationHead(encoder.dimension, labels, dropout=dropout, activation=activation)
