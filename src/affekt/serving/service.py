"""The service behind all routes: a model, its batcher and its cache, and whether it can answer yet."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from affekt._version import __version__
from affekt.errors import AffektError
from affekt.files import READY
from affekt.inference.model import Model
from affekt.serving.batching import Batcher
from affekt.serving.cache import Cache
from affekt.serving.logs import log
from affekt.serving.metrics import Metrics
from affekt.serving.refusals import Refusal
from affekt.serving.rises import WINDOW, Rises
from affekt.serving.settings import Keys, Settings

WARM_UP = ("i can't stop smiling", "so sad today", "a longer text, so that more than one length is tried")
COARSER = ("ekman", "sentiment")
FINEST = ""  # the label set that the model has by itself


@dataclass(frozen=True)
class ModelFacts:
    """What is said of the model beside every answer."""

    name: str
    version: str  # of labels, decisions and origin
    thresholds: str  # of calibration and thresholds
    labels: tuple[str, ...]
    single_label: bool
    dimension: int


class Service:
    """A model that answers many requests at once.

    Args:
        open_model: Gives the model; runs in the worker thread, while the service says that it starts.
        settings: How it is set up.
    """

    def __init__(self, open_model: Callable[[], Model], settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.keys = Keys(settings.keys)
        self.metrics = Metrics()
        self.state: Literal["starting", "ready", "draining", "failed"] = "starting"
        self.fault: AffektError | None = None  # why no model opened
        self.failed: Callable[[], None] = lambda: None  # called when none did; stops the server
        self.listeners: set[asyncio.Queue[str]] = set()  # to events of streams
        self.pushing = 0  # streams of posts that come
        self.rises = Rises((), WINDOW)  # of all posts that are pushed, by whomever
        self._open_model = open_model
        self._cache = Cache(settings.limits.cache)
        self._model: Model | None = None
        self._coarser: dict[str, Model] = {}
        self._facts: ModelFacts | None = None
        self.batcher = Batcher(self._work, self.limits, self.metrics)
        self._tasks: list[asyncio.Task[None]] = []

    # --- its life

    async def start(self) -> None:
        """Begin to open the model; the service listens meanwhile, and refuses with 503."""
        self._tasks = [asyncio.create_task(self._opened()), asyncio.create_task(self.batcher.run())]

    async def _opened(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self.batcher.thread, self._open)
        except Exception as fault:
            self.state = "failed"
            odd = AffektError(f"the model does not open: {fault!r}")
            self.fault = fault if isinstance(fault, AffektError) else odd
            log("failed", reason=str(self.fault))
            self.failed()
            return
        if self.state == "starting":
            self.state = "ready"
            self.metrics.ready.set(1)
            log("ready", model=self.facts.name, version=self.facts.version)

    def _open(self) -> None:
        model = self._open_model()
        self._coarser = coarser(model)
        for text in WARM_UP:
            model.embed([text])
            if model.labels:
                model.probabilities([text])
        self.rises = Rises(model.labels, WINDOW)
        self._model, self._facts = model, facts_of(model, self.settings.model)

    def drain(self) -> None:
        """Accept nothing more; what was accepted is answered."""
        if self.state in ("starting", "ready"):
            self.state = "draining"
            self.metrics.ready.set(0)
            log("draining")

    async def stop(self) -> None:
        """End; every request has its answer by now."""
        for task in self._tasks:
            task.cancel()
        self.batcher.close()

    # --- what it is

    def ready(self) -> Model:
        """Return the model, or refuse with 503 where requests are not answered yet or any more."""
        if self.state != "ready" or self._model is None:
            raise self._not_ready()
        return self._model

    def _not_ready(self) -> Refusal:
        words = {"starting": "the model is being opened; try again soon."}
        return Refusal(
            503, words.get(self.state, "the service is being stopped; try another one."), retry_after=2
        )

    @property
    def facts(self) -> ModelFacts:
        """What is said of the model; 503 before there is one."""
        if self._facts is None:
            raise self._not_ready()
        return self._facts

    @property
    def label_sets(self) -> list[str]:
        """The coarser label sets there are."""
        return list(self._coarser)

    def tell(self, event: str) -> None:
        """Let all listeners hear of an event; who does not keep up misses it."""
        for listener in self.listeners:
            with suppress(asyncio.QueueFull):
                listener.put_nowait(event)

    # --- what it answers

    async def probabilities(self, texts: Sequence[str], label_set: str = FINEST) -> np.ndarray:
        """Return (n, k) calibrated probabilities by the model's own labels or a coarser set of them."""
        model = await self.model(label_set)
        model.deciding()
        rows = await self._answers(f"probabilities {label_set}".strip(), texts)
        return np.stack(rows)

    async def vectors(
        self, texts: Sequence[str], *, unit: bool = True, dimensions: int | None = None
    ) -> np.ndarray:
        """Return (n, d) vectors, of length 1 unless they are to stay as they are.

        Args:
            texts: Of what.
            unit: Whether they are scaled to length 1.
            dimensions: Give only the first so many numbers of each; 422 for more than there are.
        """
        width = self.facts.dimension
        if (dimensions or 1) > width:
            raise Refusal(422, f"dimensions: this model's vectors have {width}; ask for no more.")
        rows = np.stack(await self._answers("vectors" if unit else "lengths", texts))[:, :dimensions]
        if not unit or dimensions in (None, width):
            return rows
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny))

    async def model(self, label_set: str = FINEST) -> Model:
        """Return the model that answers by a label set; 422 for one that it has not."""
        model = self.ready()
        if not label_set:
            return model
        if label_set not in self._coarser:
            there = f"has {', '.join(self._coarser)}" if self._coarser else "has none"
            raise Refusal(422, f"label_set: there is no such coarser set of labels; this model {there}.")
        return self._coarser[label_set]

    async def _answers(self, kind: str, texts: Sequence[str]) -> list[Any]:
        """Return answers from the cache and, for the rest, from the model."""
        self.ready()
        found = {text: self._cache.get(kind, text) for text in texts}
        new = [text for text, answer in found.items() if answer is None]
        if new:
            for text, answer in zip(new, await self.batcher.answers(kind, new), strict=True):
                found[text] = answer
                self._cache.put(kind, text, answer)
        self.metrics.texts.inc(len(texts))
        self.metrics.cached.inc(len(found) - len(new))
        return [found[text] for text in texts]

    def _work(self, kind: str, texts: Sequence[str]) -> Sequence[Any]:
        """Answer texts of a kind, in the worker thread."""
        what, _, label_set = kind.partition(" ")
        model: Any = self._coarser[label_set] if label_set else self._model
        if what in ("vectors", "lengths"):
            rows = model.embed(texts, batch_size=len(texts), unit=what == "vectors")
            return [row.copy() for row in rows]
        return [row.copy() for row in model.probabilities(texts, batch_size=len(texts))]


def coarser(model: Any) -> dict[str, Model]:
    """Return a model by each coarser label set that its labels fit."""
    found: dict[str, Model] = {}
    for name in COARSER if model.labels and hasattr(model, "coarser") else ():
        with suppress(AffektError):
            found[name] = model.coarser(name)
    return found


def facts_of(model: Model, name: str | None) -> ModelFacts:
    """Return what is said of a model; its version changes with its labels, decisions or origin."""
    decisions = model.decisions.to_json() if model.decisions else None
    whole = {"labels": model.labels, "decisions": decisions, "about": model.about, "affekt": __version__}
    return ModelFacts(
        name=_name(model, name),
        version=_digest(whole),
        thresholds=_digest(decisions),
        labels=model.labels,
        single_label=model.single_label,
        dimension=model.runtime.dimension,
    )


def _name(model: Model, name: str | None) -> str:
    """Return the name a model goes by: the ready one's, its card's, or the end of its folder's path."""
    if name in (None, READY):
        return READY
    said = model.about.get("name")
    if isinstance(said, str) and said:
        return said
    parts = [part for part in str(name).replace("\\", "/").split("/") if part]
    return next((part for part in reversed(parts) if part not in ("model", ".", "..")), "affekt")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]
