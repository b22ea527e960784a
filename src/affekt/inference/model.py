"""Model: a trained network in use. `affekt.load(folder)` opens it; it predicts and embeds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from affekt._version import __version__
from affekt.decisions import Decisions
from affekt.encoders import Batch
from affekt.encoders.pretrained import CARD, first_line, known, load_pretrained, locate
from affekt.encoders.sentence import read_sentence_transformer
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError, UsageError
from affekt.files import folder_written_aside, read_json, write_json
from affekt.networks.network import Network, load_network
from affekt.text import normalize

BATCH_SIZE = 64
_NO_CLASSIFIER = "this model is an encoder without a classifier: embed with it, or train a head on it."
FORMAT = 2  # of the card
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
        decided: Iterable[np.ndarray] = self.deciding().decide(probabilities) if given else ()
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
        return self.deciding().probabilities(logits)

    def deciding(self) -> Decisions:
        """Return the decisions of a classifier; ModelError for an encoder without one."""
        if self.decisions is None:
            raise ModelError(_NO_CLASSIFIER)
        return self.decisions

    def logits(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Return (n, k) float32 logits, before calibration."""
        if self.network.head is None:
            raise ModelError(_NO_CLASSIFIER)
        return self._run(texts, batch_size, len(self.labels), self.network)

    def embed(
        self,
        texts: str | Iterable[str],
        *,
        batch_size: int = BATCH_SIZE,
        unit: bool = True,
        projected: bool = False,
    ) -> np.ndarray:
        """Return (n, d) float32 vectors.

        Args:
            texts: One text or many.
            batch_size: Texts per forward pass.
            unit: Scale vectors to length 1; a zero vector stays zero.
            projected: Give the space the contrastive loss worked in rather than the encoder's own.
        """
        projection = self.network.projection if projected else None
        if projected and projection is None:
            raise ModelError("this model has no projection; embed without projected=True.")

        def vectors(batch: Batch) -> torch.Tensor:
            out = self.network.encode(batch).vectors
            out = projection(out) if projection is not None else out
            return torch.nn.functional.normalize(out, dim=1) if unit else out

        width = projection.width if projection is not None else self.network.encoder.dimension
        return self._run(texts, batch_size, width, vectors)

    def _run(
        self,
        texts: str | Iterable[str],
        batch_size: int,
        width: int,
        function: Callable[[Batch], torch.Tensor],
    ) -> np.ndarray:
        """Apply a function of collated batches to texts, sorted by length within windows."""
        if batch_size < 1:
            raise UsageError(f"batch_size = {batch_size!r}: give at least 1 text per forward pass.")
        given = as_texts(texts)
        prepared = [normalize(text, self.style) for text in given]
        out = np.zeros((len(given), width), dtype=np.float32)
        self.network.eval()
        tensors = chain(self.network.parameters(), self.network.buffers())
        device = next(tensors, torch.zeros(0)).device
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

    def save(self, folder: str | Path, *, projected: bool = False) -> Path:
        """Write the model as a plain folder: safetensors, JSON and vocabularies, no pickle.

        What other libraries make of the folder is equal to what affekt makes of texts that are normalised
        already: the normaliser `style` is affekt's own.

        Args:
            folder: Where to; a model that is there is replaced once the new one is whole.
            projected: Let `SentenceTransformer(folder)` give the vectors of `embed(projected=True)` rather
                than the encoder's own. To affekt the folder is the same either way.
        """
        path = Path(folder)
        if path.is_dir() and any(path.iterdir()) and not (path / CARD).exists():
            raise UsageError(f"{path}: holds other files, which saving would replace; name a new folder.")
        with folder_written_aside(path) as aside:
            network = self.network.save(
                aside,
                self.labels,
                single_label=self.single_label,
                calibration=self.decisions.calibration if self.decisions else None,
            )
            if projected:
                self.network.end_in_projection(aside)
            card = {
                "format": FORMAT,
                "affekt": __version__,
                "labels": list(self.labels),
                "single_label": self.single_label,
                "style": self.style,
                "network": network,
                "decisions": self.decisions.to_json() if self.decisions else None,
                "about": self.about,
            }
            write_json(aside / CARD, card)
        return path

    def to(self, device: str) -> "Model":
        """Move the network to a device, such as "cuda", and return the model.

        Raises:
            UsageError: When there is no such device here.
        """
        try:
            self.network.to(device)
        except (RuntimeError, AssertionError) as fault:  # the latter where torch is built without it
            raise UsageError(
                f"device {device!r} cannot be used: {first_line(fault)}; give cpu, or leave it out."
            ) from fault
        return self


def as_texts(texts: str | Iterable[str]) -> list[str]:
    """Return a list of texts from one text, a list, an array, a series or any iterable of str."""
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, Mapping | bytes) or hasattr(
        texts, "columns"
    ):  # iterating would give keys or numbers
        raise UsageError(f"texts are a {type(texts).__name__}; give one column of it, or a list of str.")
    try:
        given = list(texts)
    except TypeError:
        raise UsageError(f"texts are {type(texts).__name__}; give one str or several.") from None
    for i, text in enumerate(given):
        if not isinstance(text, str):
            raise UsageError(f"text {i} is {type(text).__name__}, not str; fill or drop missing texts first.")
    return [str(text) for text in given]  # numpy's str_ are str, but not to everybody


def load(folder: str | Path, *, device: str | None = None) -> Model:
    """Open a model: a folder that affekt wrote, or an encoder by name (it then embeds, but cannot predict).

    Args:
        folder: A model folder, a run folder holding `model/`, or the name of an encoder.
        device: Where to run; a GPU when there is one, else the CPU.

    Raises:
        ModelError: When there is no such model, or not a whole one.
        UsageError: When `folder` is no path or name, or there is no such device.
    """
    if not isinstance(folder, str | Path):
        raise UsageError(f"a model is opened by its folder or its name, not by a {type(folder).__name__}.")
    path = Path(folder).expanduser()
    if not (path / CARD).exists() and (path / "model" / CARD).exists():
        path = path / "model"
    if (path / CARD).exists():
        model = _open(path)
    else:
        _refuse_what_is_no_model(path, str(folder))
        model = _open_encoder(str(path) if path.is_dir() else str(folder))
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _refuse_what_is_no_model(path: Path, name: str) -> None:
    """Raise ModelError for a path that cannot be the folder or the name of an encoder."""
    if path.is_dir() and not (path / "config.json").exists():
        raise ModelError(
            f"{path}: holds neither {CARD} nor config.json; name the folder that training wrote."
        )
    if path.is_file():
        raise ModelError(f"{path}: is a file; name the folder of a model.")
    if not path.exists() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ModelError(f"{path}: no such folder; name the folder that training wrote.")


def _open_encoder(name: str) -> Model:
    """Open an encoder that affekt did not write, pooled as its own files say."""
    backbone, tokenizer = load_pretrained(name)  # first: it says what is wrong with a name
    encoder = TransformerEncoder(backbone, tokenizer, **read_sentence_transformer(*locate(name)))
    return Model(Network(encoder).eval(), style=known(name).style)


def _open(path: Path) -> Model:
    try:
        card = read_json(path / CARD)
        if card["format"] != FORMAT:
            raise ModelError(
                f"{path}: {CARD} has format {card['format']}, and this affekt reads {FORMAT}; "
                "open it with the affekt that wrote it, or train it again."
            )
        labels = tuple(card["labels"])
        network = load_network(path, card["network"], len(labels))
        decisions = Decisions.from_json(card["decisions"]) if card["decisions"] else None
        return Model(network, labels, card["single_label"], decisions, card["style"], card["about"])
    except (KeyError, TypeError, ValueError, OSError, RuntimeError, SafetensorError) as fault:
        raise ModelError(
            f"{path}: not a whole model folder ({type(fault).__name__}: {fault}); train or copy it again."
        ) from fault
