"""The torch runtime: a network in evaluation mode, on a processor or a GPU."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from affekt.decisions import Calibration
from affekt.encoders import Batch
from affekt.encoders.pretrained import known, load_pretrained, locate
from affekt.encoders.sentence import read_sentence_transformer
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError, UsageError, first_line, installed, not_whole
from affekt.inference.runtimes import BATCH_SIZE, Floats
from affekt.networks.network import Network

with installed():
    import torch

_WINDOW = 4096  # texts sorted by length together: little padding, bounded memory

_STEADY = 8  # texts of every batch of a steady runtime
_ALIGNED = 16  # numbers; where rows are no multiple of them, sums depend on where in a batch a row stands

Outputs = tuple[torch.Tensor, ...]


class TorchRuntime:
    """A `Runtime` over a network, which it never trains.

    How a product is added up depends on its sizes, by the last bits. Where answers must not, every batch has
    so many texts of one length: what is missing is filled with a text that is there.

    Args:
        network: It, with its weights.
        steady_size: Texts of every batch; 0 where sizes may differ.
    """

    def __init__(self, network: Network, *, steady_size: int = 0) -> None:
        self.network = network
        self.steady_size = steady_size

    def steady(self) -> "TorchRuntime":
        """Return a runtime whose answers do not depend on what else is asked with a text."""
        weights = [weight for weight in self.network.parameters() if weight.ndim > 1]
        aligned = all(weight.ndim == 2 and weight.shape[1] % _ALIGNED == 0 for weight in weights)
        return TorchRuntime(self.network, steady_size=_STEADY if aligned else 1)

    @property
    def dimension(self) -> int:
        """Width of the encoder's vectors."""
        return int(self.network.encoder.dimension)

    @property
    def by_direction(self) -> bool:
        """Whether vectors are compared by direction; the lengths of others carry meaning."""
        return bool(self.network.encoder.by_direction)

    @property
    def device(self) -> str:
        """Where the network's tensors are; "cpu" for a network without any."""
        tensors = chain(self.network.parameters(), self.network.buffers())
        return str(next(tensors, torch.zeros(0)).device)

    @property
    def opens_in(self) -> tuple[str, ...]:
        """What gives this model's answers from the saved folder."""
        return self.network.opens_in

    def logits(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Floats:
        """Return (n, k) logits, before calibration."""
        width = self.network.classifier.labels
        [logits] = self._run(texts, batch_size, [width], lambda batch: (self.network(batch),))
        return logits

    def vectors(
        self, texts: Sequence[str], *, projected: bool = False, batch_size: int = BATCH_SIZE
    ) -> Floats:
        """Return (n, d) vectors as the encoder or its projection makes them, of any length."""
        projection = self.network.projection if projected else None
        if projected and projection is None:
            raise ModelError("this model has no projection; embed without projected=True.")

        def vectors(batch: Batch) -> Outputs:
            found = self.network.encode(batch).vectors
            return (found if projection is None else projection(found),)

        width = self.dimension if projection is None else projection.width
        [made] = self._run(texts, batch_size, [width], vectors)
        return made

    def both(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> tuple[Floats, Floats]:
        """Return logits and the encoder's vectors, every text encoded once."""

        def outputs(batch: Batch) -> Outputs:
            encoded = self.network.encode(batch)
            return self.network.logits(encoded), encoded.vectors

        widths = [self.network.classifier.labels, self.dimension]
        logits, vectors = self._run(texts, batch_size, widths, outputs)
        return logits, vectors

    def _run(
        self,
        texts: Sequence[str],
        batch_size: int,
        widths: Sequence[int],
        function: Callable[[Batch], Outputs],
    ) -> list[Floats]:
        """Apply a function of collated batches to texts, sorted by length within windows."""
        out = [np.zeros((len(texts), width), dtype=np.float32) for width in widths]
        encoder, device = self.network.eval().encoder, self.device
        with torch.inference_mode():
            for start in range(0, len(texts), _WINDOW):
                rows = encoder.tokenize(texts[start : start + _WINDOW])
                for chosen in self._batches([len(row) for row in rows], batch_size):
                    filling = [chosen[-1]] * (self.steady_size - len(chosen))
                    batch = encoder.collate([rows[i] for i in chosen + filling])
                    moved = {name: value.to(device) for name, value in batch.items()}
                    for array, made in zip(out, function(moved), strict=True):
                        array[[start + i for i in chosen]] = made[: len(chosen)].float().cpu().numpy()
        if not all(np.isfinite(array).all() for array in out):
            raise ModelError(
                "what this model makes of some texts is infinite or not a number: its weights are damaged or "
                "too large; train or copy it again."
            )
        return out

    def _batches(self, lengths: list[int], size: int) -> Iterator[list[int]]:
        """Yield which rows go through together, the longest first; if steady, only such of one length."""
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        if not self.steady_size:
            yield from (order[at : at + size] for at in range(0, len(order), size))
            return
        for _, alike in groupby(order, key=lambda i: lengths[i]):
            while chosen := list(islice(alike, self.steady_size)):
                yield chosen

    def to(self, device: str | None) -> Self:
        """Move the network to a device, by default to a GPU where there is one."""
        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.network.to(place)
        except (RuntimeError, AssertionError) as fault:  # the latter where torch is built without it
            raise UsageError(
                f"device {place!r} cannot be used: {first_line(fault)}; give cpu, or leave it out."
            ) from fault
        return self

    def save(
        self,
        folder: Path,
        labels: tuple[str, ...],
        *,
        single_label: bool,
        calibration: Calibration | None,
        projected: bool,
    ) -> dict[str, Any]:
        """Write the weights into an existing folder and return what opening it must know."""
        description = self.network.save(folder, labels, single_label=single_label, calibration=calibration)
        if projected:
            self.network.end_in_projection(folder)
        return description


def open_encoder(name: str) -> tuple[TorchRuntime, str]:
    """Open an encoder that affekt did not write, pooled and normalised as its own files say."""
    backbone, tokenizer = load_pretrained(name)  # first: it says what is wrong with a name
    with not_whole(name, "encoder"):
        encoder = TransformerEncoder(backbone, tokenizer, **read_sentence_transformer(*locate(name)))
        return tried(TorchRuntime(Network(encoder).eval())), known(name).style


def tried(runtime: TorchRuntime) -> TorchRuntime:
    """Return a runtime after one text has gone through it: sizes and numbers that do not fit raise here."""
    runtime.vectors(["a"])
    if runtime.network.head is not None:
        runtime.logits(["a"])
    return runtime
