"""The texts of a recipe: read, selected, split and normalised, and what else an objective reads."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affekt.data import catalog
from affekt.data.columns import Columns, split_named
from affekt.data.corpus import Corpus, read_splits, stratified_split
from affekt.data.files import open_table
from affekt.data.leaks import leaks
from affekt.data.splits import few_of_each, split_files
from affekt.data.taxonomies import TAXONOMIES
from affekt.errors import AffektError, DataError, FollowerError, RecipeError, reachable, unknown_name
from affekt.recipe.parts import EncoderSpec
from affekt.recipe.sections import DataSpec, Recipe
from affekt.runs.folder import RunFolder
from affekt.text import normalize

MEAN = "mean"  # before the name of a figure: the mean over several corpora
RESERVED = (MEAN, "labels")  # which no corpus may be called; the second is what a head is called alone


@dataclass(frozen=True)
class LeftOut:
    """A training text that a guarded split holds too: where it stood, where it was met, and how alike."""

    corpus: str
    row: int  # of the training split, from 0
    id: str
    met_in: str
    met_id: str
    similarity: float


class RunTexts(dict[str, Corpus]):
    """The splits of a run's corpus, or of the first where it has several.

    Attributes:
        task: What that corpus is called among several.
        further: The splits of the others, by what each is called.
        left_out: The training texts that were left out since guarded splits hold them, see `LeftOut`.
    """

    def __init__(
        self,
        splits: Mapping[str, Corpus],
        task: str = "",
        further: Mapping[str, dict[str, Corpus]] | None = None,
        left_out: tuple[LeftOut, ...] = (),
    ) -> None:
        super().__init__(splits)
        self.task, self.further, self.left_out = task, dict(further or {}), left_out

    @property
    def tasks(self) -> dict[str, dict[str, Corpus]]:
        """The splits of all corpora, by what each is called."""
        return {self.task: dict(self), **self.further}

    @property
    def trains(self) -> dict[str, Corpus]:
        """The training split of each."""
        return {task: splits["train"] for task, splits in self.tasks.items()}

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each split, by what a fault calls it."""
        of_main = {f"data ({name})": corpus.digest for name, corpus in self.items()}
        return of_main | {
            f"data ({task} {name})": corpus.digest
            for task, splits in self.further.items()
            for name, corpus in splits.items()
        }

    @property
    def all(self) -> list[Corpus]:
        """Every split of every corpus."""
        return [corpus for splits in self.tasks.values() for corpus in splits.values()]


def look_first(recipe: Recipe, out: Path, *, resume: bool) -> RunTexts | None:
    """Return a run's texts, after seeing whether it can be trained into a folder; None where it is finished.

    This needs no torch, so that a fault in the recipe's texts or of the folder is said at once.

    Raises:
        FollowerError: In all processes of a run but the first, whatever the fault: that one tells it.
    """
    folder = RunFolder(out)
    try:
        folder.check(resume=resume)
        return None if folder.is_finished else load_texts(recipe)
    except AffektError as fault:
        if os.environ.get("RANK", "0") != "0":  # as torchrun numbers them; they are not joined yet
            raise FollowerError from fault
        raise


def style_of(recipe: Recipe, encoder: EncoderSpec | None = None) -> str:
    """The normalisation of an encoder's texts: the one the recipe names, or that encoder's own."""
    from affekt.encoders.pretrained import known  # with torch, which reading the texts does without

    return recipe.data.style or known((encoder or recipe.encoder).name).style


def load_texts(recipe: Recipe) -> RunTexts:
    """Return all that a recipe trains on, without the training texts that what is guarded holds too.

    Guarded are the data sets that `guard` names and, where it names any or there are several corpora, the
    dev and test splits of them all.
    """
    tasks: dict[str, dict[str, Corpus]] = {}
    for spec in recipe.corpora:
        splits = load_splits(spec)
        task = spec.task or re.sub(r"[^\w-]+", "-", splits["train"].name)
        if task in tasks or task in RESERVED:
            raise RecipeError(
                f"data: a corpus is called {task!r}, as another is or none may be; name it by its key task."
            )
        tasks[task] = splits
    left_out: tuple[LeftOut, ...] = ()
    if len(tasks) > 1 or recipe.guard:
        tasks, left_out = _without_leaks(tasks, recipe)
    main, *others = tasks
    return RunTexts(tasks[main], main, {task: tasks[task] for task in others}, left_out)


def _without_leaks(
    tasks: Mapping[str, dict[str, Corpus]], recipe: Recipe
) -> tuple[dict[str, dict[str, Corpus]], tuple[LeftOut, ...]]:
    """Return corpora without the training texts that guarded splits hold too, and what was left out."""
    held_out = {
        f"{task} {split}": corpus
        for task, splits in tasks.items()
        for split, corpus in splits.items()
        if split != "train"
    }
    guarded = held_out | guarded_splits(recipe)
    kept, left_out = {}, []
    for task, splits in tasks.items():
        train = splits["train"]
        met = left_out_of(task, train, guarded)
        left_out += met
        stays = np.ones(len(train), dtype=bool)
        stays[[one.row for one in met]] = False
        if not stays.any():
            raise DataError(
                f"{train.name}: no training text is left, since {', '.join({one.met_in: 0 for one in met})} "
                "hold them all; guard what the run does not train on."
            )
        kept[task] = {**splits, "train": train.select(stays)}
    return kept, tuple(left_out)


def left_out_of(name: str, corpus: Corpus, guarded: Mapping[str, Corpus]) -> list[LeftOut]:
    """Return the texts of a corpus of that name that guarded ones hold too, once for each that does."""
    found = leaks(corpus.texts, {where: one.texts for where, one in guarded.items()})
    return [
        LeftOut(
            name, one.row, corpus.ids[one.row], one.where, guarded[one.where].ids[one.met], one.similarity
        )
        for one in found
    ]


def guarded_splits(recipe: Recipe) -> dict[str, Corpus]:
    """Return the texts that `guard` names, by name: of known data sets, of one of their splits, of files."""
    guarded = {}
    for named in recipe.guard:
        name, _, split = named.rpartition("/")
        if name in catalog.DATASETS:
            guarded[f"{name} {split}"] = catalog.load(name, splits=[split_named(split)])[split_named(split)]
            continue
        found = read_texts(named, recipe)
        guarded |= {named if part == "all" else f"{named} {part}": corpus for part, corpus in found.items()}
    return guarded


def read_texts(source: str, recipe: Recipe) -> dict[str, Corpus]:
    """Return the texts of a known data set, a folder of splits or a file, by split, as a recipe reads rows.

    Texts stand in the column that one of the recipe's corpora names, where there is such a column. Rows have
    numbers for names where the recipe says so, as where a file has a name twice.
    """
    numbered = "" if recipe.data.id == "" else None
    there = _columns_in(source)
    text = next((spec.text for spec in recipe.corpora if spec.text in there), Columns.text)
    return catalog.read(
        source, columns=Columns(text=text, labels=None, id=numbered), on_bad_row=recipe.data.on_bad_row
    )


def _columns_in(source: str) -> set[str]:
    """Return the columns that a file, or each file of a folder of splits, has; none without a file."""
    path = Path(source)
    with reachable(source):
        if source in catalog.DATASETS or not path.exists():
            return set()
        files = split_files(path).values() if path.is_dir() else [path]
    columns = []
    for file in files:
        with open_table(file) as table:
            columns.append(set(table.columns))
    return set.intersection(*columns)


def load_splits(spec: DataSpec) -> dict[str, Corpus]:
    """Return train, dev and, where there is one, test; dev is cut from train where there is none."""
    if (spec.name is None) == (spec.train is None):
        raise RecipeError("data: give either data.name (a known data set) or data.train (a file).")
    if spec.name is not None and (spec.dev or spec.test or spec.split_column):
        raise RecipeError(
            f"data: {spec.name} has its own splits; dev, test and split_column go with data.train."
        )
    if spec.name is not None:
        splits = catalog.load(spec.name)
    else:
        paths = {"train": spec.train, "dev": spec.dev, "test": spec.test}
        named = {name: path for name, path in paths.items() if path}
        source = str(spec.train) if spec.split_column else named
        splits = read_splits(source, columns=spec.columns, on_bad_row=spec.on_bad_row)
    if spec.taxonomy is not None:
        if spec.taxonomy not in TAXONOMIES:
            raise RecipeError(f"data.taxonomy: {unknown_name('taxonomy', spec.taxonomy, TAXONOMIES)}")
        splits = {name: corpus.map_labels(TAXONOMIES[spec.taxonomy]) for name, corpus in splits.items()}
    splits = {name: _not_empty(_selected(corpus, spec)) for name, corpus in splits.items()}
    splits = _with_dev(splits, spec)
    if spec.train_share < 1:
        shares = {"train": spec.train_share, "rest": 1 - spec.train_share}
        kept = stratified_split(splits["train"], shares, spec.split_seed)["train"]
        splits["train"] = replace(kept, split="train")
    if spec.rows_per_label is not None:
        if not splits["train"].labels:
            raise RecipeError("data.rows_per_label: there are no labels; name data.labels, or leave it out.")
        drawn = few_of_each(splits["train"].present, spec.rows_per_label, spec.split_seed)
        splits["train"] = splits["train"].select(drawn)
    return splits


def _selected(corpus: Corpus, spec: DataSpec) -> Corpus:
    if spec.single_rows and not corpus.labels:
        raise RecipeError("data.single_rows: there are no labels; name data.labels, or leave it out.")
    if spec.single_rows:
        corpus = corpus.single_rows()
    if not spec.without:
        return corpus
    unknown = set(spec.without) - set(corpus.labels)
    if unknown:
        raise RecipeError(f"data.without: {', '.join(sorted(unknown))} is no label of {corpus.name}.")
    kept = [i for i, label in enumerate(corpus.labels) if label not in spec.without]
    left = corpus.select(np.flatnonzero(np.asarray(corpus.targets)[:, kept].sum(1) > 0))
    targets = left.targets[:, kept]
    if corpus.single_label:
        targets = targets / targets.sum(1, keepdims=True)  # shares of raters add up to 1 again
    return replace(left, targets=targets, labels=tuple(corpus.labels[i] for i in kept))


def _not_empty(corpus: Corpus) -> Corpus:
    if not len(corpus):
        skipped = f", {len(corpus.skipped)} were skipped" if corpus.skipped else ""
        raise DataError(f"{corpus.name} {corpus.split}: no row is left to use{skipped}.")
    return corpus


def _with_dev(splits: dict[str, Corpus], spec: DataSpec) -> dict[str, Corpus]:
    """Cut a dev split, and with a single file a test split, from train; test rows stay test rows."""
    if "train" not in splits:
        raise DataError(f"{spec.name or spec.train}: has no train split, only {', '.join(splits)}.")
    if "dev" in splits:
        return splits
    shares = {"dev": spec.dev_share}
    if "test" not in splits:
        shares["test"] = spec.test_share
    if sum(shares.values()) >= 1:
        raise RecipeError(f"data.dev_share and data.test_share leave nothing to train on ({shares}).")
    cut = stratified_split(splits["train"], {"train": 1 - sum(shares.values()), **shares}, spec.split_seed)
    return {**splits, **cut}


def normalised(corpus: Corpus, style: str) -> Corpus:
    """Return a corpus with every text in a normalisation style."""
    if style == "none":
        return corpus
    return replace(corpus, texts=[normalize(text, style) for text in corpus.texts])


def weighting_texts(recipe: Recipe, train: Corpus) -> Corpus | None:
    """The training texts as Ψ reads them, from the raw ones; None unless its normalisation is another."""
    if recipe.objective.weighting_network is None:
        return None
    style = style_of(recipe, recipe.objective.weighting_network[0])
    return None if style == style_of(recipe) else normalised(train, style)


def view_texts(recipe: Recipe, train: Corpus) -> Callable[[int], dict[str, list[str]]] | None:
    """Return what makes an epoch's views, or None where the objective needs no changed texts."""
    if not recipe.objective.changes_texts:
        return None
    from affekt.text.synonyms import replace_words

    def views(epoch: int) -> dict[str, list[str]]:
        return {"view": replace_words(train.texts, seed=recipe.training.seed * 1009 + epoch)}

    return views
