"""Vectors and decisions of a study, kept in its folder under what they follow from.

A name is a digest of all that its content depends on. So a study that was killed goes on where it was,
another call takes up what it can use, and what has changed is made again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from affekt.errors import DataError, first_line
from affekt.evaluation.arrays import Bools, Floats
from affekt.files import written_aside


def digest_of(facts: Any) -> str:
    """Return a short sha256 of plain values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def digest_of_folder(folder: Path) -> str:
    """Return a short sha256 of the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:24]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model decided on texts.

    Attributes:
        predicted: (m, k) decisions.
        rows: (m,) the texts they are of, as places in the split.
        about: How they came about, in plain values.
    """

    predicted: Bools
    rows: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """The folder of a study."""

    folder: Path

    def vectors(self, facts: Any, make: Callable[[], Floats]) -> Floats:
        """Return the vectors that follow from some facts, made now where they are not kept."""
        path = self.folder / "vectors" / f"{digest_of(facts)}.npy"
        if not path.exists():
            made = make()
            with written_aside(path) as aside, aside.open("wb") as file:
                np.save(file, made, allow_pickle=False)
            return made
        with _whole(path):
            return np.asarray(np.load(path, allow_pickle=False))

    def _answer(self, facts: Any) -> Path:
        return self.folder / "answers" / f"{digest_of(facts)}.npz"

    def has_answer(self, facts: Any) -> bool:
        """Whether an answer is kept."""
        return self._answer(facts).exists()

    def keep(self, facts: Any, answer: Answer) -> None:
        """Write an answer whole, or not at all."""
        about = np.array(json.dumps({**answer.about, "of": facts}))
        with written_aside(self._answer(facts)) as aside, aside.open("wb") as file:
            np.savez_compressed(file, predicted=answer.predicted, rows=answer.rows, about=about)

    def answer(self, facts: Any) -> Answer:
        """Return an answer that is kept."""
        path = self._answer(facts)
        with _whole(path), np.load(path, allow_pickle=False) as held:
            about = json.loads(str(held["about"]))
            return Answer(held["predicted"].astype(np.bool_), held["rows"].astype(np.int64), about)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as fault:  # a damaged archive raises a dozen kinds
        raise DataError(
            f"{path}: is damaged ({first_line(fault)}); remove it, and it is made again."
        ) from fault
