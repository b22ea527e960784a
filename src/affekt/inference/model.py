"""A model in use, whatever runs it. `affekt.load(folder)` opens it; it predicts and embeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from affekt.data.taxonomies import grouping
from affekt.decisions import Decisions
from affekt.decisions.conformal import promised, too_wide
from affekt.decisions.groups import Groups
from affekt.errors import ModelError, UsageError, not_whole, of_classifier, unknown_name
from affekt.files import CARD, folder_written_aside
from affekt.inference.card import answers, coarse_of, read_card, write_card
from affekt.inference.explain import Explanation, explain
from affekt.inference.places import check
from affekt.inference.runtimes import BATCH_SIZE, Runtime
from affekt.inference.runtimes.grouped import GroupedRuntime
from affekt.inference.runtimes.opening import further_runtimes, open_encoder, open_runtime
from affekt.inference.search import Hit, search
from affekt.text import normalize


@dataclass(frozen=True)
class Prediction:
    """What a model says of one text."""

    text: str
    labels: list[str]  # the labels decided on, the surest first; may be empty where several may hold
    scores: dict[str, float]  # a probability for every label, calibrated when the model is

    @property
    def top(self) -> tuple[str, float]:
        """The likeliest label with its probability, whether it was decided on or not."""
        return max(self.scores.items(), key=lambda item: item[1])


@dataclass
class Model:
    """What computes, with its labels, decisions and normaliser.

    Attributes:
        runtime: Encoder, head and projection, see `affekt.inference.runtimes`.
        labels: Label names, in the order of the probabilities; empty for an encoder without a classifier.
        single_label: Whether each text has exactly one label.
        decisions: Calibration and thresholds; None for an encoder without a classifier.
        style: The normalisation that texts went through in training, see `affekt.text.STYLES`.
        about: Where the model comes from: recipe, data, scores.
        coarse: Decisions by coarser labels, as fitted on dev, under their taxonomies' names.
        task: Of a model that was trained on several corpora, what the one is called whose labels these are.
        others: Of such a model, that of each other corpus; all share one encoder.
    """

    runtime: Runtime
    labels: tuple[str, ...] = ()
    single_label: bool = False
    decisions: Decisions | None = None
    style: str = "none"
    about: dict[str, Any] = field(default_factory=dict)
    coarse: dict[str, Decisions] = field(default_factory=dict)
    task: str = ""
    others: "dict[str, Model]" = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The corpora that it has a head for, the main one first; empty where it was trained on one."""
        return (self.task, *self.others) if self.task else ()

    def of(self, task: str) -> "Model":
        """Return the model of one of `tasks`, with its labels and decisions."""
        if task not in self.tasks:
            if not self.tasks:
                raise ModelError(f"task {task!r}: this model was trained on one corpus; leave task out.")
            raise ModelError(unknown_name("task", task, self.tasks))
        return self if task == self.task else self.others[task]

    def predict(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """Return a `Prediction` for each text."""
        given = as_texts(texts)
        probabilities = self.probabilities(given, batch_size=batch_size)
        if not given:
            return []
        decided = self._names(probabilities, self.deciding().decide(probabilities))
        return [
            Prediction(text, names, dict(zip(self.labels, row, strict=True)))
            for text, names, row in zip(given, decided, probabilities.tolist(), strict=True)
        ]

    def sets(
        self, texts: str | Iterable[str], *, coverage: float = 0.9, batch_size: int = BATCH_SIZE
    ) -> list[list[str] | None]:
        """Return for each text the labels among which all of its own are with the chance promised.

        The surest comes first. None where the set would say nothing: more than half of the labels, or none.
        The promise is over texts of dev's kind, see `affekt.decisions.conformal`.

        Raises:
            ModelError: When no sets were fitted with this model's decisions.
            UsageError: When such a coverage cannot be promised.
        """
        return self.sets_of(self.probabilities(texts, batch_size=batch_size), coverage)

    def sets_of(self, probabilities: np.ndarray, coverage: float) -> list[list[str] | None]:
        """Return what `sets` does, of (n, k) probabilities that were computed already."""
        held = promised(self.deciding().sets, coverage).hold(probabilities, coverage)
        named = zip(self._names(probabilities, held), too_wide(held), strict=True)
        return [None if wide else names for names, wide in named]

    def explain(
        self, texts: str | Iterable[str], *, gradients: bool = False, batch_size: int = BATCH_SIZE
    ) -> list[Explanation]:
        """Return for each text how much each of its words makes each label likelier, by leaving it out.

        With `gradients` by integrated gradients instead, of the text as the model reads it: what its words
        are given sums to its probability less that of no words. This needs torch.

        Raises:
            UsageError: With `gradients`, when the model is no transformer that torch computes.
        """
        given = as_texts(texts)
        if gradients:
            from affekt.inference.gradients import integrated

            read, decisions = self._prepared(given, batch_size), self.deciding()
            return [integrated(self.runtime, decisions, text, self.labels) for text in read]

        def probabilities(some: list[str]) -> np.ndarray:
            return self.probabilities(some, batch_size=batch_size)

        return explain(given, self.labels, probabilities)

    def _names(self, probabilities: np.ndarray, held: np.ndarray) -> list[list[str]]:
        """Return for each text the labels that hold, the surest first."""
        rows, columns = np.nonzero(held)
        order = np.lexsort((-probabilities[rows, columns], rows))
        names: list[list[str]] = [[] for _ in probabilities]
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            names[row].append(self.labels[column])
        return names

    def probabilities(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Return (n, k) float32 probabilities, calibrated when the model is."""
        logits = self.logits(texts, batch_size=batch_size)
        return self.deciding().probabilities(logits)

    def deciding(self) -> Decisions:
        """Return the decisions of a classifier; ModelError for an encoder without one."""
        return of_classifier(self.decisions)

    def logits(self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Return (n, k) float32 logits, before calibration."""
        return self.runtime.logits(self._prepared(texts, batch_size), batch_size=batch_size)

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
        prepared = self._prepared(texts, batch_size)
        vectors = self.runtime.vectors(prepared, projected=projected, batch_size=batch_size)
        return _scaled(vectors) if unit else vectors

    def logits_and_vectors(
        self, texts: str | Iterable[str], *, batch_size: int = BATCH_SIZE, unit: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what `logits` and `embed` give, every text encoded once."""
        logits, vectors = self.runtime.both(self._prepared(texts, batch_size), batch_size=batch_size)
        return logits, _scaled(vectors) if unit else vectors

    def search(
        self,
        query: str | None,
        texts: Iterable[str],
        *,
        like: str | Sequence[str] = (),
        emotion: str | None = None,
        k: int = 10,
    ) -> list[Hit]:
        """Return the k texts nearest to a query or to others, or with an emotion; see `inference.search`."""
        return search(self, query, texts, like=like, emotion=emotion, k=k)

    def _prepared(self, texts: str | Iterable[str], batch_size: int) -> list[str]:
        if batch_size < 1:
            raise UsageError(f"batch_size = {batch_size!r}: give at least 1 text per forward pass.")
        return [normalize(text, self.style) for text in as_texts(texts)]

    def steady(self) -> "Model":
        """Return the same model, whose answers do not depend, by a bit, on what else is asked with a text.

        That holds on a processor, of calls with the same number of threads. Single texts take longer.
        """
        return replace(self, runtime=self.runtime.steady())

    def with_decisions(self, decisions: Decisions) -> "Model":
        """Return the same model deciding otherwise; what was fitted to coarser labels fits no more."""
        return replace(self, decisions=decisions, coarse={})

    def coarser(self, taxonomy: str) -> "Model":
        """Return the model with the labels of a coarser taxonomy, "ekman" or "sentiment".

        Where several labels may hold, a group is decided as training fitted it on dev, and else by the
        highest threshold of its members.

        Raises:
            DataError: When there is no such taxonomy, or a label of the model stands in none of its groups.
            ModelError: When the model is an encoder without a classifier.
        """
        groups = Groups.of(grouping(self.labels, taxonomy).groups, self.labels, self.deciding())
        return self._by(groups, self.coarse.get(taxonomy) or groups.unfitted())

    def one_of(self, labels: Sequence[str]) -> "Model":
        """Return the model giving each text exactly one of some of its labels, the likeliest.

        Probabilities are those of the labels named, given that one of them holds and no other.

        Raises:
            UsageError: When a label is none of the model's, or none is named.
        """
        if unknown := next((label for label in labels if label not in self.labels), None):
            raise UsageError(unknown_name("label", unknown, self.labels))
        if not labels:
            raise UsageError("no label is named; name at least one.")
        groups = Groups.of({label: [label] for label in labels}, self.labels, self.deciding())
        exclusive = replace(groups, single_label=True)
        return self._by(exclusive, exclusive.unfitted())

    def _by(self, groups: Groups, decisions: Decisions) -> "Model":
        runtime = GroupedRuntime(self.runtime, groups)
        labels, single = groups.labels, groups.single_label
        return Model(runtime, labels, single, decisions, self.style, self.about)

    def save(self, folder: str | Path, *, projected: bool = False) -> Path:
        """Write the model as a plain folder: safetensors, JSON and vocabularies, no pickle.

        `runtime.opens_in` names the libraries that give the same answers from the folder, of texts that are
        normalised already: the normaliser `style` is affekt's own. Plain transformers refuses a classifier
        that it would open with an untrained head.

        Args:
            folder: Where to; a model that is there is replaced once the new one is whole.
            projected: Let `SentenceTransformer(folder)` give the vectors of `embed(projected=True)` rather
                than the encoder's own. To affekt the folder is the same either way.
        """
        path = Path(folder)
        if path.is_dir() and any(path.iterdir()) and not (path / CARD).exists():
            raise UsageError(f"{path}: holds other files, which saving would replace; name a new folder.")
        with folder_written_aside(path) as aside:
            network = self.runtime.save(
                aside,
                self.labels,
                single_label=self.single_label,
                calibration=self.decisions.calibration if self.decisions else None,
                projected=projected,
            )
            described = self._answers() | {
                "style": self.style,
                "network": network,
                "opens_in": list(self.runtime.opens_in),
                "about": self.about,
            }
            if self.others:
                further = {task: one._answers() for task, one in self.others.items()}
                described |= {"task": self.task, "tasks": further}
            write_card(aside, described)
        return path

    def _answers(self) -> dict[str, Any]:
        return answers(self.labels, self.decisions, self.coarse, single_label=self.single_label)

    def to(self, device: str) -> "Model":
        """Move to a device, such as "cuda", and return the model.

        Raises:
            UsageError: When there is no such device here.
        """
        self.runtime.to(device)
        return self


def _scaled(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length 1, in place; a zero vector stays zero."""
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


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


def load(
    folder: str | Path | None = None,
    *,
    task: str | None = None,
    device: str | None = None,
    speed: str | None = None,
) -> Model:
    """Open a model: a folder that affekt wrote, or an encoder by name (it then embeds, but cannot predict).

    Args:
        folder: A model folder, a run folder holding `model/`, or the name of an encoder; unless said the
            ready model, affekt-small.
        task: Of a model that was trained on several corpora, whose labels to give; unless said, the first's.
        device: Where to run; a GPU when there is one, else the CPU.
        speed: "exact" for the model as it was trained; "fast" for its graph, "fastest" for its static student
            or cascade, which lie with it. Unless said exact, or fast where torch is needed and not there.

    Raises:
        ModelError: When there is no such model, or not a whole one, or no variant of it that is as fast.
        UsageError: When `folder` is no path or name, or there is no such device or speed.
    """
    path = check(folder, speed)
    if (path / CARD).exists():
        model = _open(path)
    else:
        runtime, style = open_encoder(str(path) if path.is_dir() else str(folder))
        model = Model(runtime, style=style)
    model.runtime.to(device)
    return model if task is None else model.of(task)


def _open(path: Path) -> Model:
    with not_whole(path, "model folder"):
        card = read_card(path)
        runtime = open_runtime(path, card["network"], len(card["labels"]))
        shared = {"style": card["style"], "about": card["about"]}
        model = Model(runtime, **_answering(card), **shared, task=str(card.get("task", "")))
        for task, of_task in further_runtimes(runtime).items():
            model.others[task] = Model(of_task, **_answering(card["tasks"][task]), **shared, task=task)
        return model


def _answering(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a model that a card's answers say."""
    decisions = Decisions.from_json(said["decisions"]) if said["decisions"] else None
    own = {"labels": tuple(said["labels"]), "single_label": said["single_label"]}
    return own | {"decisions": decisions, "coarse": coarse_of(said)}
