"""What transformers calls the parts of its classifiers, and how saved folders open there, or don't."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from affekt.decisions import Calibration
from affekt.files import read_json, write_json


@dataclass(frozen=True)
class Family:
    """What transformers calls the parts of a family's own classifier, which reads the first position."""

    architecture: str
    backbone: str
    dense: str
    out: str
    activation: str
    dropout: str | None = "classifier_dropout"  # its name in config.json; None where it has none of its own


_ROBERTA_HEAD = ("classifier.dense", "classifier.out_proj")
_DISTILBERT_HEAD = ("pre_classifier", "classifier")
FAMILIES = {
    "bert": Family("BertForSequenceClassification", "bert", "bert.pooler.dense", "classifier", "tanh"),
    "roberta": Family("RobertaForSequenceClassification", "roberta", *_ROBERTA_HEAD, "tanh"),
    "xlm-roberta": Family("XLMRobertaForSequenceClassification", "roberta", *_ROBERTA_HEAD, "tanh"),
    "camembert": Family("CamembertForSequenceClassification", "roberta", *_ROBERTA_HEAD, "tanh"),
    "electra": Family("ElectraForSequenceClassification", "electra", *_ROBERTA_HEAD, "gelu"),
    "mpnet": Family("MPNetForSequenceClassification", "mpnet", *_ROBERTA_HEAD, "tanh", None),
    "distilbert": Family(
        "DistilBertForSequenceClassification", "distilbert", *_DISTILBERT_HEAD, "relu", "seq_classif_dropout"
    ),
}


def family_of(encoder: Any) -> Family | None:
    """Return the family of a transformer; None for other encoders, and for families not known here."""
    return FAMILIES.get(getattr(encoder, "family", ""))


def save_as_classifier(
    encoder: Any, head: Any, folder: Path, labels: tuple[str, ...], line: Calibration, *, single_label: bool
) -> None:
    """Rename the weights of a saved folder to those of the family's own classifier and say so in config.json.

    Calibration is a line per label, so the last layer takes it in: s · (w·x + b) + c = (s w)·x + (s b + c).
    """
    family = FAMILIES[encoder.family]
    parts: dict[str, nn.Module] = {
        family.backbone: encoder.backbone,
        family.dense: head.dense,
        family.out: head.out,
    }
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
        **labelled(labels, single_label=single_label),
    }
    if family.dropout is not None:
        config[family.dropout] = head.dropout.p
    write_json(folder / "config.json", config)


def labelled(labels: Sequence[str], *, single_label: bool) -> dict[str, Any]:
    """Return what a config of transformers says of a classifier's labels."""
    return {
        "problem_type": "single_label_classification" if single_label else "multi_label_classification",
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }


def bar_from_classifying(backbone: Any, folder: Path) -> None:
    """Let transformers refuse to open a saved folder as a classifier, where it can't be this one.

    It would put an untrained head of its own on the encoder and answer LABEL_0. Tensors of no size stand
    under that head's names: they fit no classifier, and whoever opens the encoder alone leaves them out.
    """
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as CLASSIFIERS

    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {key: config[key] for key in config if key != "architectures"})
    stock: Any = CLASSIFIERS.get(type(backbone.config), None)
    if stock is None:
        return
    with torch.device("meta"):
        names = list(stock(backbone.config).state_dict())
    base = f"{stock.base_model_prefix}."
    weights = folder / "model.safetensors"
    state = {base + name: tensor for name, tensor in load_file(weights).items()}
    state |= {name: torch.zeros(0) for name in names if not name.startswith(base)}
    save_file(state, weights, metadata={"format": "pt"})
