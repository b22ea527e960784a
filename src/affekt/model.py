"""Model: a trained network in use. Opened with `affekt.load(folder)`; predicts, embeds, and is a plain folder."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affekt._version import __version__
from affekt.decisions import Decisions
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError, UsageError
from affekt.files import folder_written_aside, read_json, write_json
from affekt.network import Network, load_network
from affekt.text import normalize

BATCH_SIZE = 64
_NO_CLASSIFIER = "this model is an encoder without a classifier: embed with it, or train a head on it."
_WINDOW = 4096  # texts sorted by length together: little padding, bounded memory


@dataclass(frozen=True)
class Prediction:
    """What a model says of one text."""

    text: str
    labels: list[str]  # the labels decided on, the surest first; may be empty where several may hold
    scores: dict[str, float]  # a probability for every label, calibrated when the model is


@dataclass
class Model:
    """A trained network with its labels, decisions and normaliser.

    Attributes:
        network: Encoder, head and projection.
        labels: Label names, in the order of the probabilities; empty for an encoder without a classifier.
        single_label: Whether each text has exactly one label.
        decisions: Calibration and thresholds; None for an encoder without a classifier.
        style: The normalisation that texts went through in training, see `affekt.text.STYLES`.
        about: Where the model comes from: recipe, data, scores.
    """

    network: Network
    labels: tuple[str, ...] = ()
    single_label: bool = False
    decisions: Decisions | None = None
    style: str = "none"
    about: dict[str, Any] = field(default_factory=dict)

    def predict(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """Return a `Prediction` for each text."""
        given = as_texts(texts)
        probabilities = self.probabilities(given, batch_size=batch_size)
        decided: Iterable[np.ndarray] = self._deciding().decide(probabilities) if given else ()
        return [
            Prediction(text, self._names(row, held), dict(zip(self.labels, row.tolist(), strict=True)))
            for text, row, held in zip(given, probabilities, decided, strict=True)
        ]

    def _names(self, probabilities: np.ndarray, held: np.ndarray) -> list[str]:
        order = sorted(np.flatnonzero(held), key=lambda i: -probabilities[i])
        return [self.labels[i] for i in order]

    def probabilities(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Return (n, k) float32 probabilities, calibrated when the model is."""
        logits = self.logits(texts, batch_size=batch_size)
        return self._deciding().probabilities(logits)

    def _deciding(self) -> Decisions:
        if self.decisions is None:
            raise ModelError(_NO_CLASSIFIER)
        return self.decisions

    def logits(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Return (n, k) float32 logits, before calibration."""
        if self.network.head is None:
            raise ModelError(_NO_CLASSIFIER)
        return self._run(texts, batch_size, len(self.labels), self.network)

    def embed(
        self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE, unit: bool = True, projected: bool = False
    ) -> np.ndarray:
        """Return (n, d) float32 vectors.

        Args:
            texts: One text or many.
            batch_size: Texts per forward pass.
            unit: Scale vectors to length 1; a zero vector stays zero.
            projected: Give the space the contrastive loss worked in rather than the encoder's own.
        """
        network = self.network
        if projected and network.projection is None:
            raise ModelError("this model has no projection; embed without projected=True.")

        def vectors(batch: dict[str, torch.Tensor]) -> torch.Tensor:
            out = network.encode(batch).vectors
            if projected and network.projection is not None:
                out = network.projection(out)
            return torch.nn.functional.normalize(out, dim=1) if unit else out

        if projected and network.projection is not None:
            width = network.projection.linear_layers()[-1].out_features
        else:
            width = network.encoder.dimension
        return self._run(texts, batch_size, width, vectors)

    def _run(self, texts: str | Iterable[str], batch_size: int, width: int, function: Any) -> np.ndarray:
        """Apply a function of collated batches to texts, sorted by length within windows."""
        given = as_texts(texts)
        prepared = [normalize(text, self.style) for text in given]
        out = np.zeros((len(given), width), dtype=np.float32)
        self.network.eval()
        device = next(self.network.parameters(), torch.zeros(0)).device
        with torch.inference_mode():
            for start in range(0, len(given), _WINDOW):
                rows = self.network.encoder.tokenize(prepared[start : start + _WINDOW])
                order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
                for at in range(0, len(order), batch_size):
                    chosen = order[at : at + batch_size]
                    batch = self.network.encoder.collate([rows[i] for i in chosen])
                    moved = {name: value.to(device) for name, value in batch.items()}
                    out[[start + i for i in chosen]] = function(moved).float().cpu().numpy()
        return out

    def with_decisions(self, decisions: Decisions) -> "Model":
        """Return the same model deciding otherwise."""
        return replace(self, decisions=decisions)

    def save(self, folder: str | Path) -> Path:
        """Write the model as a plain folder: safetensors, JSON and vocabularies, no pickle."""
        path = Path(folder)
        with folder_written_aside(path) as aside:
            network = self.network.save(aside, self.labels, single_label=self.single_label)
            card = {
                "format": 1,
                "affekt": __version__,
                "labels": list(self.labels),
                "single_label": self.single_label,
                "style": self.style,
                "network": network,
                "decisions": self.decisions.to_json() if self.decisions else None,
                "about": self.about,
            }
            write_json(aside / "affekt.json", card)
        return path

    def to(self, device: str) -> "Model":
        """Move the network to a device, such as "cuda", and return the model."""
        self.network.to(device)
        return self


def as_texts(texts: str | Iterable[str]) -> list[str]:
    """Return a list of texts from one text, a list, an array, a series or any iterable of str."""
    if isinstance(texts, str):
        return [texts]
    given = list(texts)
    for i, text in enumerate(given):
        if not isinstance(text, str):
            raise UsageError(f"text {i} is {type(text).__name__}, not str; fill or drop missing texts first.")
    return given


def load(folder: str | Path, *, device: str | None = None) -> Model:
    """Open a model: a folder that affekt wrote, or an encoder by name (it then embeds, but cannot predict).

    Args:
        folder: A model folder, a run folder holding `model/`, or the name of an encoder.
        device: Where to run; a GPU when there is one, else the CPU.
    """
    path = Path(folder)
    if not (path / "affekt.json").exists() and (path / "model" / "affekt.json").exists():
        path = path / "model"
    card_path = path / "affekt.json"
    if card_path.exists():
        model = _open(path, card_path)
    elif path.is_dir() and not (path / "config.json").exists():
        raise ModelError(f"{path}: holds no affekt.json and no config.json, so it is no model; name the folder that training wrote.")
    else:
        model = Model(Network(TransformerEncoder.pretrained(str(folder), pooling="mean")).eval())
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _open(path: Path, card_path: Path) -> Model:
    try:
        card = read_json(card_path)
        labels = tuple(card["labels"])
        network = load_network(path, card["network"], len(labels))
        decisions = Decisions.from_json(card["decisions"]) if card["decisions"] else None
        return Model(network, labels, card["single_label"], decisions, card["style"], card["about"])
    except (KeyError, ValueError, OSError, RuntimeError) as fault:
        raise ModelError(f"{path}: not a whole model folder ({type(fault).__name__}: {fault}); train or copy it again.") from fault


