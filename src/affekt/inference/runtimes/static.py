"""The static runtime: mean token vectors and a head in numpy, without torch."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from affekt.decisions import Calibration
from affekt.errors import ModelError, not_whole, of_classifier
from affekt.files import read_json
from affekt.inference.runtimes import BATCH_SIZE, Floats
from affekt.inference.runtimes.processor import OnProcessor
from affekt.text.pieces import WordCache, unknown_id

_WEIGHTS, _TOKENIZER, _HEAD = "model.safetensors", "tokenizer.json", "head.safetensors"
_FILES = (_WEIGHTS, _TOKENIZER, "config.json", "encoder.json")
_WINDOW = 256  # texts at once: their token vectors stay within megabytes

_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, np.float32(0)),
}


class StaticRuntime(OnProcessor):
    """A `Runtime` over the folder of a model with a static encoder, on one core of the processor."""

    what = "a static model"

    def __init__(self, folder: Path, description: dict[str, Any], labels: int) -> None:
        self.folder, self.description = folder, description
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        table = _read(folder / _WEIGHTS)["embeddings"]
        width = read_json(folder / "encoder.json")["options"]
        if table.shape != (tokenizer.get_vocab_size(), width["dimension"]):
            raise ModelError(f"{folder}: its token vectors fit another tokenizer; copy or train it again.")
        self._unknown = unknown_id(tokenizer)
        self._tokens = WordCache(tokenizer, int(width["max_length"]))
        self._table = np.vstack([table, np.zeros_like(table[:1])])  # the last is of a text without tokens
        said = description.get("head")
        self._head = _Head(folder, said, self.dimension, labels) if said else None

    @property
    def dimension(self) -> int:
        """Width of the encoder's vectors."""
        return int(self._table.shape[1])

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What gives this model's answers from the saved folder."""
        return ("affekt",)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, without unknown ones; where none are left, that of no vector."""
        none, unknown = [len(self._table) - 1], self._unknown
        rows = self._tokens(texts)
        if unknown is not None:
            rows = [[i for i in row if i != unknown] if unknown in row else row for row in rows]
        return [row or none for row in rows]

    def logits(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, k) logits, before calibration."""
        return self.both(texts, batch_size=batch_size)[0]

    def vectors(
        self, texts: Sequence[str], *, projected: bool = False, batch_size: int = BATCH_SIZE
    ) -> Floats:
        """Return (n, d) mean token vectors."""
        if projected:
            raise ModelError("this model has no projection; embed without projected=True.")
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _WINDOW):
            rows = self.tokenize(texts[start : start + _WINDOW])
            counts = np.array([len(row) for row in rows])
            taken = self._table[np.fromiter((i for row in rows for i in row), np.int64, counts.sum())]
            sums = np.add.reduceat(taken, np.cumsum(counts) - counts, axis=0, dtype=np.float32)
            out[start : start + len(rows)] = sums / counts[:, None].astype(np.float32)
        return out

    def both(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> tuple[Floats, Floats]:
        """Return logits and the encoder's vectors, every text encoded once."""
        head = of_classifier(self._head)
        vectors = self.vectors(texts, batch_size=batch_size)
        if self._alone:  # a product of one row each: how a larger one is added up depends on its size
            return head(vectors[:, None])[:, 0], vectors
        return head(vectors), vectors

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None,
        projected: bool,
    ) -> dict[str, Any]:
        """Copy the model's files into an existing folder and return what opening it must know."""
        if projected:
            raise ModelError("this model has no projection on a transformer to export.")
        for name in (*_FILES, _HEAD) if self._head else _FILES:
            shutil.copyfile(self.folder / name, folder / name)
        return self.description


def runs(description: dict[str, Any]) -> bool:
    """Whether this runtime has all that a described model is made of; torch runs any other."""
    head = description.get("head") or {"kind": "linear"}
    simple = head["kind"] == "linear" or head.get("activation") in _ACTIVATIONS
    others = description.get("projection") or description.get("further")
    return bool(description.get("encoder") == "static" and simple and not others)


class _Head:
    """Logits of vectors, as the head of a network gives them."""

    def __init__(self, folder: Path, said: dict[str, Any], dimension: int, labels: int) -> None:
        path = folder / _HEAD
        found, names = _read(path), ["out"] if said["kind"] == "linear" else ["dense", "out"]
        widths = [dimension] * len(names) + [labels]
        with not_whole(path, "head"):
            self._layers = [
                (np.ascontiguousarray(found[f"{name}.weight"].T), found[f"{name}.bias"]) for name in names
            ]
        for (weight, bias), given, made in zip(self._layers, widths, widths[1:], strict=False):
            if weight.shape != (given, made) or bias.shape != (made,):
                raise ModelError(f"{path}: its weights fit another model; copy or train it again.")
        self._unit = bool(said.get("unit"))
        self._activation = _ACTIVATIONS.get(said.get("activation", "tanh"), np.tanh)

    def __call__(self, vectors: Floats) -> Floats:
        if self._unit:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
        *inner, (weight, bias) = self._layers
        for dense, shift in inner:
            vectors = self._activation(vectors @ dense + shift)
        made: Floats = vectors @ weight + bias
        return made


def _read(path: Path) -> dict[str, Floats]:
    """Read a safetensors file as float32; ModelError where it is damaged or a weight is no number."""
    with not_whole(path, "file of weights"):
        tensors = {name: values.astype(np.float32) for name, values in load_file(path).items()}
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise ModelError(
                f"{path}: numbers are infinite or not numbers in {name}; train or copy it again."
            )
    return tensors
