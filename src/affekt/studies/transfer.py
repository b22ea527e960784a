"""Transfer: what several models are worth on several data sets, in several ways.

All that is found is kept in the study's folder (see `answers`), and figures and page are made of it anew by
every call: transfer.json holds the figures, transfer.html shows them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affekt import evaluation
from affekt._version import __version__
from affekt.data.columns import Columns, OnBadRow
from affekt.data.corpus import stratified_split
from affekt.data.known import DATASETS
from affekt.data.splits import split_files
from affekt.encoders.pretrained import KNOWN, locate
from affekt.errors import DataError, UsageError, unknown_name
from affekt.evaluation.figures import HEADLINES
from affekt.evaluation.repeats import Repeated
from affekt.files import CARD, READY, write_json
from affekt.hardware import hardware
from affekt.inference.model import load
from affekt.inference.places import check
from affekt.recipe.read import parse_recipe
from affekt.recipe.sections import DataSpec
from affekt.report.transfer import write_transfer
from affekt.studies.answers import Answer, Kept, digest_of_folder
from affekt.studies.ways import WAYS, Job, Plan, Source, Subject, Task
from affekt.training.data import load_splits

FIGURES, PAGE = "transfer.json", "transfer.html"

Done = Callable[[int, int], None]


def transfer(
    models: Sequence[str | None],
    sources: Sequence[str],
    out: Path,
    plan: Plan | None = None,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "fail",
    command: str = "",
    tick: Done = lambda done, of: None,
) -> dict[str, Any]:
    """Try models on data sets in the ways of a plan, and return the figures.

    The same call goes on where an earlier one was stopped; one with further models, data or ways adds to it.

    Args:
        models: Folders or names, as `affekt.load` takes them; the others are compared with the first.
        sources: Known data sets, files, or folders of split files. What lacks a dev or test split has one cut
            from train, always the same.
        out: The study's folder.
        plan: What is asked of every model on every data set.
        columns: Which columns of files hold what.
        on_bad_row: What to do with rows of files that can't be used.
        command: How the study was started, for the record.
        tick: Hears how many answers there are, of how many.

    Returns:
        What transfer.json holds: "models", "data", "plan", "hardware", and "results": for each data set,
        model, way and setting the figures, each with its mean over "runs", their "sd", and the interval "low"
        to "high" over test texts and runs; and "difference", how much more it is than the first model's.
    """
    plan = plan or Plan()
    _check(plan, out, models, sources)
    tasks = [read_task(source, columns, on_bad_row) for source in sources]
    called = _called("a data set", sources, [task.name for task in tasks])
    tasks = [replace(task, name=name) for task, name in zip(tasks, called, strict=True)]
    opened = _opened(models)
    kept = Kept(out)
    subjects = [Subject(source, task, kept) for task in tasks for source in opened]
    asked = [
        (subject, way, job) for subject in subjects for way in plan.ways for job in WAYS[way](subject, plan)
    ]
    answers: dict[tuple[str, str, str, str], list[Answer]] = defaultdict(list)
    for done, (subject, way, job) in enumerate(asked):
        tick(done, len(asked))
        facts = _facts(subject, way, job)
        if not kept.has_answer(facts):
            kept.keep(facts, job.find())
        key = subject.task.name, subject.source.name, way, json.dumps(job.setting)
        answers[key].append(kept.answer(facts))
    tick(len(asked), len(asked))
    content = {
        "format": 1,
        "affekt": __version__,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
        "plan": asdict(plan),
        "models": {source.name: _describe_model(source) for source in opened},
        "data": {task.name: _describe_task(task) for task in tasks},
        "results": _results(tasks, answers),
    }
    write_json(out / FIGURES, content)
    write_transfer(content, out / PAGE)
    return content


def told_apart(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of some names are models and which data; what could be either is data."""
    models = [name for name in names if name not in DATASETS and _is_model(name)]
    return models, [name for name in names if name not in models]


def _is_model(name: str) -> bool:
    path = Path(name)
    files = (path / CARD, path / "model" / CARD, path / "config.json")
    return any(file.exists() for file in files) or (not path.exists() and name in {READY, *KNOWN})


def _check(plan: Plan, out: Path, models: Sequence[str | None], sources: Sequence[str]) -> None:
    if not models or not sources:
        raise UsageError("a transfer study needs a model and a data set at least.")
    for way in plan.ways:
        if way not in WAYS:
            raise UsageError(unknown_name("way", way, WAYS))
    counts = {
        "shots": plan.shots,
        "draws": (plan.draws,),
        "limit": () if plan.limit is None else (plan.limit,),
    }
    for name, numbers in counts.items():
        if any(number < 1 for number in numbers):
            raise UsageError(f"{name} is {min(numbers)}: it must be at least 1.")
    if not (plan.ways and plan.shots and plan.seeds):
        raise UsageError("a transfer study needs a way, a number of rows per label and a seed at least.")
    if any(seed < 0 for seed in plan.seeds):
        raise UsageError(f"a seed is {min(plan.seeds)}: it must be 0 or more.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder for the study.")


def read_task(source: str, columns: Columns | None = None, on_bad_row: OnBadRow = "fail") -> Task:
    """Return a known data set, a file or a folder of split files, with the figure it is judged by."""
    if source in DATASETS:
        splits, known = load_splits(parse_recipe(_data({"name": source})).data), DATASETS[source]
        return _checked(Task(source, splits, known.metric, known.metric_label))
    path = Path(source)
    files = split_files(path) if path.is_dir() else {"train": path}
    if "train" not in files:
        raise DataError(f"{source}: has no train split, only {', '.join(files)}; add one.")
    said = {one.name: getattr(columns or Columns(labels="labels"), one.name) for one in fields(Columns)}
    data = {split: str(file) for split, file in files.items()} | said | {"on_bad_row": on_bad_row}
    return _checked(Task(path.name.split(".")[0], load_splits(parse_recipe(_data(data), source=source).data)))


def _data(section: dict[str, Any]) -> dict[str, Any]:
    return {"name": "transfer", "data": section}


def _checked(task: Task) -> Task:
    """Return a task with a test split, cut from train where there is none, if its texts can be told apart."""
    splits, spec = task.splits, DataSpec()
    if "test" not in splits:  # dev was given without it
        shares = {"train": 1 - spec.test_share, "test": spec.test_share}
        splits = {**splits, **stratified_split(splits["train"], shares, spec.split_seed)}
    for corpus in splits.values():
        if corpus.split == "train" or not corpus.labels:
            corpus.require_classes()
    return replace(task, splits=splits)


def _opened(models: Sequence[str | None]) -> list[Source]:
    given = [READY if one is None else one for one in models]
    names = _called("a model", given, [Path(one).name for one in given])
    return [_open(name, place) for name, place in zip(names, given, strict=True)]


def _called(what: str, given: Sequence[str], short: Sequence[str]) -> Sequence[str]:
    """Return what each of several is called: its short name, or as it was given where two would be one."""
    if len(set(given)) < len(given):
        raise UsageError(f"{what} is named twice in {', '.join(given)}; name each once.")
    return short if len(set(short)) == len(short) else given


def _open(name: str, given: str) -> Source:
    model, path = load(given), check(given)
    place, revision = (str(path), None) if path.is_dir() else locate(given)
    identity = digest_of_folder(Path(place)) if Path(place).is_dir() else f"{place} {revision}"
    return Source(name, str(path) if path.is_dir() else given, identity, model)


def _facts(subject: Subject, way: str, job: Job) -> dict[str, Any]:
    """Return all that an answer follows from, in plain values."""
    return {
        "model": subject.source.identity,
        "data": {split: corpus.digest for split, corpus in subject.task.splits.items()},
        "figure": [subject.task.metric, subject.task.metric_label],  # by which knn chooses on dev
        "way": way,
        "setting": dict(job.setting),
        "run": job.run,
        "depends": dict(job.depends),
    }


# --- figures


def _results(
    tasks: Sequence[Task], answers: dict[tuple[str, str, str, str], list[Answer]]
) -> list[dict[str, Any]]:
    found, firsts = [], dict[tuple[str, str, str], tuple[Any, dict[str, Repeated]]]()
    by_name = {task.name: task for task in tasks}
    for (data, model, way, setting), runs in answers.items():
        rows, figures = runs[0].rows, _figures(by_name[data], way, runs)
        entry = {
            "data": data,
            "model": model,
            "way": way,
            "setting": json.loads(setting),
            "runs": len(runs),
            "n": len(rows),
            "figures": {key: {**_written(one), "sd": one.spread} for key, one in figures.items()},
            "about": [{name: one for name, one in run.about.items() if name != "of"} for run in runs],
        }
        first = firsts.setdefault((data, way, setting), (rows.tolist(), figures))
        if first[1] is not figures and first[0] == rows.tolist():
            entry["difference"] = {key: _written(one.less(first[1][key])) for key, one in figures.items()}
        found.append(entry)
    return found


def _figures(task: Task, way: str, runs: Sequence[Answer]) -> dict[str, Repeated]:
    """Return the data's own figure and the headline ones of an answer of several draws or seeds."""
    test = task.test
    figures = evaluation.repeated_classification(
        test.targets[runs[0].rows],
        [run.predicted for run in runs],
        single_label=test.single_label,
        only_present=way == "mapped",  # the others learn of all labels
        label=task.label_place,
    )
    return {key: figures[key] for key in dict.fromkeys((task.metric, *HEADLINES[test.single_label]))}


def _written(figure: Repeated) -> dict[str, float]:
    return figure.interval()._asdict()


def _describe_model(source: Source) -> dict[str, Any]:
    return {
        "from": source.place,
        "digest": source.identity,
        "dimension": source.model.runtime.dimension,
        "labels": len(source.model.labels),
        "about": source.model.about,
    }


def _describe_task(task: Task) -> dict[str, Any]:
    return {
        "n": {split: len(corpus) for split, corpus in task.splits.items()},
        "labels": list(task.test.labels),
        "single_label": task.test.single_label,
        "figure": task.metric,
        "figure_label": task.metric_label,
        "digests": {split: corpus.digest for split, corpus in task.splits.items()},
    }
