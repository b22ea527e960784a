"""The ONNX runtime: a graph and a tokenizer, without torch and transformers.

A text's numbers do not depend on its neighbours: it is padded to a width that follows from its own length,
and only texts of one width share a batch.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affekt.decisions import Calibration
from affekt.errors import ModelError, of_classifier
from affekt.inference.runtimes import BATCH_SIZE, Floats
from affekt.inference.runtimes.processor import OnProcessor
from affekt.text.surrogates import paired

GRAPHS = {"float32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}  # where transformers.js looks
TOKENIZER = "tokenizer.json"
FOR_OTHERS = ("config.json", "tokenizer_config.json")  # what transformers.js reads besides
_BEFORE = "model.onnx"  # where graphs lay at first
_WINDOW = 4096  # texts sorted by width together
_STEP = 8  # widths are multiples of it
_BUDGET = 256  # positions of a batch: larger ones leave the processor's caches


@dataclass(frozen=True)
class Reading:
    """How texts become a graph's input, and what it was made for; a model's card has it."""

    precision: str  # "float32" or "int8"
    max_length: int
    head: tuple[int, ...]  # ids up to where the text begins, where label words stand before it
    tail: tuple[int, ...]
    text_segment: int  # the segment id of the text, where the graph reads segments
    filler: int
    line: tuple[tuple[float, ...], tuple[float, ...]] | None  # slopes and intercepts inside the graph

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Reading":
        """Return what `to_json` wrote."""
        line = said["line"]
        return cls(
            precision=str(said["precision"]),
            max_length=int(said["max_length"]),
            head=tuple(map(int, said["head"])),
            tail=tuple(map(int, said["tail"])),
            text_segment=int(said["text_segment"]),
            filler=int(said["filler"]),
            line=None if line is None else (tuple(map(float, line[0])), tuple(map(float, line[1]))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the card has it, under `graph`."""
        return asdict(self)


class OnnxRuntime(OnProcessor):
    """A `Runtime` over a graph that `affekt export` wrote, on the processor."""

    what = "a graph"

    def __init__(self, folder: Path, reading: Reading) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as fault:
            raise ModelError(
                f"{folder}: is run by {fault.name}, which is not here: pip install onnxruntime tokenizers."
            ) from fault
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)  # 0 for its own choice
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave a busy machine alone
        self._graph = GRAPHS[reading.precision]
        if (folder / _BEFORE).is_file():
            self._graph = _BEFORE
        self._session = onnxruntime.InferenceSession(
            folder / self._graph, options, providers=["CPUExecutionProvider"]
        )
        self._folder, self._reading = folder, reading
        self._widths = {output.name: int(output.shape[1]) for output in self._session.get_outputs()}
        self._raw = "uncalibrated" if "uncalibrated" in self._widths else "logits"
        self._segmented = any(given.name == "token_type_ids" for given in self._session.get_inputs())
        self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        room = reading.max_length - len(reading.head) - len(reading.tail)
        self._tokenizer.enable_truncation(room)

    @property
    def dimension(self) -> int:
        """Width of the encoder's vectors."""
        return self._widths["vectors"]

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What gives this model's answers from the saved folder."""
        others = all((self._folder / name).is_file() for name in FOR_OTHERS)
        return ("affekt", "onnxruntime", *(["transformers.js"] if others else []))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, special tokens and label words included."""
        clean = [paired(text) for text in texts]
        head, tail = list(self._reading.head), list(self._reading.tail)
        read = self._tokenizer.encode_batch_fast(clean, add_special_tokens=not head)
        return [head + one.ids + tail or [self._reading.filler] for one in read]

    def logits(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, k) logits, before calibration."""
        of_classifier(self._widths.get("logits"))
        return self._run(texts, [self._raw], batch_size)[0]

    def vectors(
        self, texts: Sequence[str], *, projected: bool = False, batch_size: int = BATCH_SIZE
    ) -> Floats:
        """Return (n, d) vectors as the encoder or its projection makes them, of any length."""
        if projected and "projected" not in self._widths:
            raise ModelError("this model has no projection; embed without projected=True.")
        return self._run(texts, ["projected" if projected else "vectors"], batch_size)[0]

    def both(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> tuple[Floats, Floats]:
        """Return logits and the encoder's vectors, every text encoded once."""
        of_classifier(self._widths.get("logits"))
        logits, vectors = self._run(texts, [self._raw, "vectors"], batch_size)
        return logits, vectors

    def _run(self, texts: Sequence[str], names: list[str], batch_size: int) -> list[Floats]:
        out = [np.zeros((len(texts), self._widths[name]), dtype=np.float32) for name in names]
        for start in range(0, len(texts), _WINDOW):
            rows = self.tokenize(texts[start : start + _WINDOW])
            for chosen, width in _batches(
                [self._width(row) for row in rows], 1 if self._alone else batch_size
            ):
                made = self._session.run(names, self._collated([rows[i] for i in chosen], width))
                for array, values in zip(out, made, strict=True):
                    array[[start + i for i in chosen]] = values
        if not all(np.isfinite(array).all() for array in out):
            raise ModelError(
                "what this model makes of some texts is infinite or not a number: its graph is damaged; "
                "export or copy it again."
            )
        return out

    def _width(self, row: list[int]) -> int:
        return min(-(-len(row) // _STEP) * _STEP, self._reading.max_length)

    def _collated(self, rows: list[list[int]], width: int) -> dict[str, np.ndarray]:
        lengths = np.array([len(row) for row in rows])
        mask = np.arange(width) < lengths[:, None]
        ids = np.full((len(rows), width), self._reading.filler, dtype=np.int64)
        ids[mask] = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
        given = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
        if self._segmented:
            text = mask & (np.arange(width) >= len(self._reading.head))
            given["token_type_ids"] = text.astype(np.int64) * self._reading.text_segment
        return given

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None,
        projected: bool,
    ) -> dict[str, Any]:
        """Copy graph and tokenizer into an existing folder and return what opening it must know."""
        line = (calibration.slopes, calibration.intercepts) if calibration else None
        if line != self._reading.line or projected:
            raise ModelError(
                "a graph has its calibration inside and gives what it was made to give; export the model "
                "that it came from again."
            )
        for name in (self._graph, TOKENIZER, *FOR_OTHERS):
            if (self._folder / name).is_file():
                (folder / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(self._folder / name, folder / name)
        return {"graph": self._reading.to_json()}


def _batches(widths: Sequence[int], batch_size: int) -> list[tuple[list[int], int]]:
    """Return places of one width each, the wide ones first, and their width."""
    found = []
    for width in sorted(set(widths), reverse=True):
        places = [i for i, other in enumerate(widths) if other == width]
        size = max(1, min(batch_size, _BUDGET // width))
        found += [(places[at : at + size], width) for at in range(0, len(places), size)]
    return found
