"""What makes a shard: a model's predictions or its vectors for rows that were read, and its manifest."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affekt.data.writing import Header, rows_to, vectors_to
from affekt.decisions import Decisions
from affekt.files import sha256_of, write_json, written_aside
from affekt.inference.model import Model, load
from affekt.inference.score import WINDOW, scored
from affekt.inference.set_column import SetColumn

MANIFESTS = "_manifests"  # readers of folders of files pass over what begins with "_"


@dataclass(frozen=True)
class Shard:
    """Rows of a file that follow one another, and where they go."""

    source: str  # below the input folder
    digest: str  # of the whole file
    first: int  # row, counted from 0
    rows: int
    target: str  # below the output folder


@dataclass(frozen=True)
class ShardRows:
    """A shard with its rows: their cells, their texts, None for those that cannot be used, and their ids."""

    shard: Shard
    cells: list[dict[str, Any]]
    texts: list[str | None]
    ids: list[str]


@dataclass(frozen=True)
class LabelShards:
    """What writes the predictions of every shard of a run: it travels to the processes that compute."""

    model: str | Path | None
    task: str | None
    taxonomy: str | None
    out: Path
    kind: str
    header: Header
    safe: bool
    described: dict[str, Any]  # of the model, for the manifests
    sets: SetColumn | None = None

    def open(self) -> Callable[[ShardRows], dict[str, int]]:
        """Open the model and return what makes a shard and says how many texts got each label."""
        model = by_labels(self.model, self.task, self.taxonomy).steady()
        decisions = model.deciding()
        return lambda task: self.make(model, decisions, task)

    def make(self, model: Model, decisions: Decisions, task: ShardRows) -> dict[str, int]:
        """Write a shard, then its manifest."""
        counts: Counter[str] = Counter()

        def write(aside: Path) -> None:
            with rows_to(aside, self.kind, self.header, safe=self.safe) as writer:
                for at in range(0, len(task.texts), WINDOW):
                    probabilities, predicted = scored(model, decisions, task.texts[at : at + WINDOW])
                    counts.update(name for names in predicted if names is not None for name in names or [""])
                    cells = task.cells[at : at + WINDOW]
                    cells = cells if self.sets is None else self.sets.filled(model, cells, probabilities)
                    writer(cells, predicted, probabilities)

        digest = _written(self.out / task.shard.target, write)
        found = {name: counts[name] for name in (*model.labels, "") if counts[name]}
        say(self.out, task.shard, self.described, {"sha256": digest, "predicted": found})
        return found


@dataclass(frozen=True)
class VectorShards:
    """What writes the vectors of every shard of a run."""

    model: str | Path | None
    out: Path
    kind: str
    projected: bool
    dimension: int
    described: dict[str, Any]

    def open(self) -> Callable[[ShardRows], dict[str, int]]:
        """Open the model and return what makes a shard."""
        model = load(self.model).steady()
        return lambda task: self.make(model, task)

    def make(self, model: Model, task: ShardRows) -> dict[str, int]:
        """Write a shard, then its manifest; rows that cannot be used have no vector."""
        usable = [(name, text) for name, text in zip(task.ids, task.texts, strict=True) if text is not None]

        def write(aside: Path) -> None:
            with vectors_to(aside, self.kind, (len(usable), self.dimension)) as writer:
                for at in range(0, len(usable), WINDOW):
                    ids, texts = zip(*usable[at : at + WINDOW], strict=True)
                    writer(ids, texts, model.embed(texts, projected=self.projected))

        digest = _written(self.out / task.shard.target, write)
        say(self.out, task.shard, self.described, {"sha256": digest, "predicted": {}, "vectors": len(usable)})
        return {}


def by_labels(model: str | Path | None, task: str | None, taxonomy: str | None) -> Model:
    """Open a model with the labels of a task, or coarser ones."""
    opened = load(model, task=task)
    return opened if taxonomy is None else opened.coarser(taxonomy)


def _written(target: Path, write: Callable[[Path], None]) -> str:
    """Write a file aside and return its digest."""
    with written_aside(target) as aside:
        write(aside)
        return sha256_of(aside)


def say(out: Path, shard: Shard, model: dict[str, Any], content: dict[str, Any]) -> None:
    """Write a shard's manifest."""
    write_json(manifest_of(out, shard), {**expected_of(shard, model), **content})


def manifest_of(out: Path, shard: Shard) -> Path:
    """Return where a shard's manifest is."""
    return out / MANIFESTS / f"{shard.target}.json"


def expected_of(shard: Shard, model: dict[str, Any]) -> dict[str, Any]:
    """Return what a shard's manifest says before its content is known."""
    source = {"file": shard.source, "sha256": shard.digest, "first": shard.first}
    return {"shard": shard.target, "rows": shard.rows, "input": source, "model": model}
