"""Network: an encoder with the head and the projection that were trained on it, as one torch module.

A folder written here opens in plain transformers when the head is the family's own, and in
SentenceTransformer when the encoder is a transformer.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from affekt.decisions import Calibration
from affekt.encoders import Batch, Encoded
from affekt.encoders.kinds import load_encoder
from affekt.encoders.saving import read_tensors, restore
from affekt.encoders.sentence import write_sentence_transformer
from affekt.errors import ModelError, of_classifier
from affekt.networks.families import bar_from_classifying, family_of, save_as_classifier
from affekt.networks.heads import ClassificationHead, Head, Projection, build_head

TASK = "labels"  # the name of the task of a network that has one, and of the main one of several

_FURTHER = "of "  # before a task's name


class Network(nn.Module):
    """Encoder, a head for each task and a projection; the last two may be absent."""

    def __init__(self, encoder: Any, head: Head | None = None, projection: Projection | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict({} if head is None else {TASK: head})
        self.projection = projection

    def add_head(self, task: str, head: Head) -> None:
        """Give a further task a head."""
        self.heads[_key(task)] = head

    @property
    def further(self) -> dict[str, Head]:
        """The heads of the tasks beside the main one."""
        heads = self.heads.items()
        return {key.removeprefix(_FURTHER): head for key, head in heads if key != TASK}  # type: ignore[misc]

    def of(self, task: str) -> "Network":
        """Return the network with the head of one task alone; the parts are the same ones."""
        return Network(self.encoder, self.heads[_key(task)], self.projection)  # type: ignore[arg-type]

    def encode(self, batch: Batch) -> Encoded:
        """Encode a batch."""
        return self.encoder(batch)  # type: ignore[no-any-return]

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return logits (n, k)."""
        return self.logits(self.encode(batch))

    def logits(self, encoded: Encoded, task: str = TASK) -> torch.Tensor:
        """Return logits (n, k) of an encoded batch, those of one task."""
        return of_classifier(dict(self.heads.items()).get(_key(task)))(encoded)  # type: ignore[no-any-return]

    @property
    def head(self) -> Head | None:
        """The head of a network of one task, or of the main one, if it has one."""
        return dict(self.heads.items()).get(TASK)  # type: ignore[return-value]

    @property
    def classifier(self) -> Head:
        """The head; ModelError where there is none."""
        return of_classifier(self.head)  # type: ignore[return-value]

    def opens_in_transformers(self) -> bool:
        """Whether transformers' text-classification pipeline gives the same logits from the saved folder."""
        family = family_of(self.encoder)
        return (
            family is not None
            and isinstance(self.head, ClassificationHead)
            and self.head.activation == family.activation
            and self.encoder.pooling == "cls"
            and self.encoder.prefix is None
        )

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What opens the saved folder and gives this model's answers: as a classifier, or as an encoder."""
        encodes = self.encoder.in_transformers and self.encoder.prefix is None
        classifies = self.opens_in_transformers() or (self.head is None and encodes)
        opens = {"affekt": True, "transformers": classifies, "sentence-transformers": encodes}
        return tuple(name for name, does in opens.items() if does)

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None = None,
    ) -> dict[str, Any]:
        """Write the weights into an existing folder and return what `load_network` needs to know.

        Calibration is for transformers' classifier, where the folder opens as one; our logits stay.
        """
        self.encoder.save(folder)
        if self.head is not None:
            _save_part(self.head, folder / "head.safetensors")
        if self.opens_in_transformers():
            line = calibration or Calibration.none(len(labels))
            save_as_classifier(self.encoder, self.head, folder, labels, line, single_label=single_label)
        elif self.head is not None and self.encoder.in_transformers:
            bar_from_classifying(self.encoder.backbone, folder)
        if self.projection is not None:
            _save_part(self.projection, folder / "projection.safetensors")
        for task, head in self.further.items():
            _save_part(head, folder / _head_file(task))
        further = {task: {"labels": head.labels, **head.describe()} for task, head in self.further.items()}
        return {
            "encoder": self.encoder.kind,
            "head": self.head.describe() if self.head else None,
            "projection": self.projection.describe() if self.projection else None,
        } | ({"further": further} if further else {})

    def end_in_projection(self, folder: Path) -> None:
        """Rewrite a saved folder so that SentenceTransformer gives the projected vectors."""
        if self.projection is None or not self.encoder.in_transformers:
            raise ModelError("this model has no projection on a transformer to export.")
        about = {name: getattr(self.encoder, name) for name in ("dimension", "pooling", "max_length")}
        write_sentence_transformer(folder, dense=self.projection.linear_layers(), **about)


def _key(task: str) -> str:
    """What a task's head is called among a module's parts, which may not bear the names of its methods."""
    return task if task == TASK else _FURTHER + task


def _head_file(task: str) -> str:
    return f"head-{task}.safetensors"


def _save_part(module: nn.Module, path: Path) -> None:
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    save_file(state, path, metadata={"format": "pt"})


def load_network(folder: Path, description: dict[str, Any], labels: int) -> Network:
    """Open what `Network.save` wrote."""
    encoder = load_encoder(description["encoder"], folder)
    network = Network(encoder)
    if description.get("head"):
        head = build_head(encoder, labels, **description["head"])
        path = folder / "head.safetensors"
        restore(head, read_tensors(path), path)
        network.heads[TASK] = head
    for task, described in description.get("further", {}).items():
        head = build_head(encoder, **described)
        restore(head, read_tensors(folder / _head_file(task)), folder / _head_file(task))
        network.add_head(task, head)
    if description.get("projection"):
        network.projection = Projection(encoder.dimension, dropout=0.0, **description["projection"])
        path = folder / "projection.safetensors"
        restore(network.projection, read_tensors(path), path)
    return network.eval()
