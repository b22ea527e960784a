"""Teachers of a distillation: what they say of the training rows, computed once and kept."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affekt.data.corpus import Corpus
from affekt.data.splits import fold
from affekt.errors import DataError, ModelError, RecipeError
from affekt.files import cache_folder, written_aside
from affekt.hardware import chosen_precision
from affekt.inference.model import Model, load
from affekt.inference.places import check
from affekt.inference.runtimes import Floats
from affekt.losses.distillation import taught_by
from affekt.recipe.objectives import Distil
from affekt.recipe.sections import Recipe
from affekt.text import normalize
from affekt.training.data import LeftOut, guarded_splits, left_out_of, normalised, read_texts, style_of
from affekt.training.processes import from_leader, leads

AT_ONCE = 4096  # texts whose answers are kept in one file

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Lessons:
    """Training rows with what teachers say of each.

    Attributes:
        corpus: The rows with labels, then the further texts, normalised; the targets of these are the
            teachers' probabilities.
        probabilities: (n, k) mean over the teachers, at the recipe's temperature.
        labelled: (n,) whether a row has labels of its own.
        digest: Of the texts and the teachers' files.
        left_out: How many further texts were left out, by reason.
        leaked: Those of them that dev, test or what is guarded holds.
    """

    corpus: Corpus
    probabilities: torch.Tensor
    labelled: torch.Tensor
    digest: str
    left_out: dict[str, int]
    leaked: tuple[LeftOut, ...] = ()

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """What the objective reads of each row."""
        return {"probabilities": self.probabilities, "labelled": self.labelled}

    @property
    def described(self) -> dict[str, Any]:
        """What a run's record says of its further texts."""
        return {"further_texts": {"n": int((~self.labelled).sum()), "left_out": self.left_out}}


def lessons(
    recipe: Recipe,
    splits: dict[str, Corpus],
    say: Callable[[str], None] = lambda line: None,
    tick: Tick = lambda done, of: None,
) -> Lessons | None:
    """Return the rows a distillation trains on; None where the recipe is of another objective.

    Args:
        recipe: What to do.
        splits: The texts as they were read: every teacher normalises them its own way.
        say: Hears how many rows there are, and which teacher is being asked.
        tick: Hears how many batches of texts a teacher has answered, and of how many.

    Raises:
        RecipeError: When a teacher's labels are not the corpus's.
    """
    spec, train = recipe.objective, splits["train"]
    if not isinstance(spec, Distil):
        return None
    device = None if recipe.training.device == "auto" else recipe.training.device
    teachers = [_teacher(folder, train, device) for folder in spec.teachers]
    further, left_out, leaked = _further_texts(spec, splits, recipe)
    if spec.texts:
        reasons = " and ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        say(f"further texts: {len(further):,}, {reasons} left out; {len(train) + len(further):,} train")
    texts = [*train.texts, *further]
    low = chosen_precision(recipe.training.precision, recipe.training.device) == "bfloat16"
    answers = []
    for place, (name, teacher) in enumerate(zip(spec.teachers, teachers, strict=True), start=1):
        say(f"teacher {place} of {len(teachers)}: {name} on {len(texts):,} texts")
        if leads():
            teacher.answer(texts, low=low, tick=tick)
        from_leader(None)
        answers.append(torch.as_tensor(teacher.answer(texts, low=low)))
    single = train.single_label
    plain = taught_by(answers, temperature=1.0, single_label=single)[len(train) :].numpy()
    joined = replace(
        train,
        texts=texts,
        targets=np.concatenate([train.targets, plain]),
        ids=[*train.ids, *(f"further {place}" for place in range(len(further)))],
    )
    return Lessons(
        corpus=normalised(joined, style_of(recipe)),
        probabilities=taught_by(answers, temperature=spec.temperature, single_label=single),
        labelled=torch.arange(len(texts)) < len(train),
        digest=_digest(_encoded([train.digest, *(teacher.digest for teacher in teachers), *further])),
        left_out=left_out,
        leaked=leaked,
    )


@dataclass(frozen=True)
class _Teacher:
    """A model whose answers are kept under its digest, its labels in the order of the student's."""

    model: Model
    digest: str
    order: list[int]

    def answer(self, texts: Sequence[str], *, low: bool, tick: Tick = lambda done, of: None) -> Floats:
        """Return (n, k) logits, where `low` in bfloat16; what is kept and whole is not computed again."""
        folder = cache_folder() / "teachers" / (self.digest + "-bfloat16" * low)
        starts = range(0, len(texts), AT_ONCE)
        answers = []
        for done, start in enumerate(starts, start=1):
            part = texts[start : start + AT_ONCE]
            path = folder / f"{_digest(_encoded(part))}.npz"
            found = _kept(path, (len(part), len(self.order)))
            if found is None:
                with torch.autocast(self.model.runtime.device.split(":")[0], torch.bfloat16, enabled=low):
                    found = self.model.logits(part)
                with written_aside(path) as aside, aside.open("wb") as file:
                    np.savez(file, logits=found)
            answers.append(found[:, self.order])
            tick(done, len(starts))
        return np.concatenate(answers)


def _teacher(folder: str, train: Corpus, device: str | None) -> _Teacher:
    try:
        model, path = load(folder, device=device), check(folder)
    except ModelError as fault:
        raise ModelError(f"objective.teachers: {fault}") from fault
    if model.decisions is None:
        raise ModelError(f"objective.teachers: {folder} is an encoder without labels; name a trained model.")
    model = max(  # of a run on several corpora, the one that knows these labels
        (model, *model.others.values()),
        key=lambda one: (set(one.labels) == set(train.labels), one.single_label == train.single_label),
    )
    if set(model.labels) != set(train.labels):
        lacks = ", ".join(sorted(set(train.labels) - set(model.labels))) or "none"
        more = ", ".join(sorted(set(model.labels) - set(train.labels))) or "none"
        raise RecipeError(
            f"objective.teachers: {folder} has other labels than {train.name} (it lacks {lacks}, and has "
            f"{more} more); a teacher knows the same labels, in any order."
        )
    if model.single_label != train.single_label:
        kinds = ("several labels", "one label")
        raise RecipeError(
            f"objective.teachers: {folder} gives a text {kinds[model.single_label]} and {train.name} has "
            f"{kinds[train.single_label]} per text; a teacher's task is the same."
        )
    files = sorted(one for one in path.rglob("*") if one.is_file())
    content = (part for one in files for part in (str(one.relative_to(path)).encode(), one.read_bytes()))
    of_head = [model.task.encode()] if model.task else []
    return _Teacher(
        model, _digest(chain(content, of_head)), [model.labels.index(label) for label in train.labels]
    )


def _kept(path: Path, shape: tuple[int, int]) -> Floats | None:
    """Return answers that were kept; None where there are none or they are damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:  # a zip file, with a checksum of its content
            logits: Floats = kept["logits"]
    except Exception:  # a damaged file raises a dozen kinds of exception
        return None
    whole = logits.shape == shape and logits.dtype == np.float32 and bool(np.isfinite(logits).all())
    return logits if whole else None


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _encoded(texts: Sequence[str]) -> Iterator[bytes]:
    return (text.encode("utf-8", "surrogatepass") for text in texts)


def _further_texts(
    spec: Distil, splits: dict[str, Corpus], recipe: Recipe
) -> tuple[list[str], dict[str, int], tuple[LeftOut, ...]]:
    """Return the further texts that may be trained on, how many others there were and which leaked."""
    style = style_of(recipe)
    guarded = {name: corpus for name, corpus in splits.items() if name != "train"} | guarded_splits(recipe)
    seen = {fold(normalize(text, style)) for text in splits["train"].texts}
    kept, leaked = list[str](), list[LeftOut]()
    left_out = {"of dev, test or guard": 0, "that came before": 0}
    for source in spec.texts:
        corpus = _texts_of(source, recipe)
        leaked += (own := left_out_of(source, corpus, guarded))
        rows = {one.row for one in own}
        left_out["of dev, test or guard"] += len(rows)
        for row, text in enumerate(corpus.texts):
            key = fold(normalize(text, style))
            if row in rows:
                continue
            if key in seen:
                left_out["that came before"] += 1
                continue
            seen.add(key)
            kept.append(text)
    return kept, left_out, tuple(leaked)


def _texts_of(source: str, recipe: Recipe) -> Corpus:
    """Return the texts of a file, or the training texts of a known data set or a folder of splits."""
    corpora = read_texts(source, recipe)
    if "train" not in corpora and len(corpora) > 1:
        raise DataError(f"objective.texts: {source} has no train split, only {', '.join(corpora)}.")
    return corpora["train"] if "train" in corpora else next(iter(corpora.values()))
