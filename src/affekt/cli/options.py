"""Arguments and options that several verbs take."""

import inspect
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from affekt.data.columns import OPTIONS, Columns, OnBadRow, as_options
from affekt.errors import AffektError, UsageError
from affekt.files import CARD

ModelName = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="A model folder, a run folder, or an encoder's name; affekt-small if left out."
    ),
]
Speed = Annotated[
    str | None,
    typer.Option(
        help="exact: the model as trained; fast: its graph; fastest: its static student or cascade.",
        show_default=False,
    ),
]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task", help="Of a model trained on several corpora: whose labels; the first's if left out."
    ),
]
Data = Annotated[str, typer.Argument(help="A known data set, a file of texts, or a folder of split files.")]
TextFile = Annotated[
    Path, typer.Argument(help="A file of texts (csv, tsv, jsonl, json, txt, .gz, xlsx, parquet).")
]
Split = Annotated[str | None, typer.Option(help="Which split, where there are several; test by default.")]
BadRows = Annotated[OnBadRow, typer.Option(help="What to do with bad rows.")]
SafeCells = Annotated[
    bool,
    typer.Option("--safe-cells", help="Put ' before cells of a csv that a spreadsheet would run."),
]

FIELDS = tuple(one.name for one in fields(Columns))
FORM = ("text", "id", "delimiter", "quoted", "encoding")  # what matters where no labels are read
_TYPES = get_type_hints(Columns)


class OfAModel(TyperCommand):
    """A verb with --model: a call with the model before what is to be read, as it once was, is told so."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a call.

        Raises:
            UsageError: When they begin with a model, or are too many.
        """
        extra = super().parse_args(ctx, args)
        names = [str(one.name) for one in self.params if one.param_type_name == "argument"]
        given, takes = [*(str(ctx.params[name]) for name in names), *extra], " ".join(names).upper()
        first, others = given[0], given[1:]
        if _is_model(Path(first)):
            said = shlex.join(others) or takes
            raise UsageError(
                f"{first} is a model, which is named by --model: "
                f"affekt {ctx.info_name} {said} --model {shlex.quote(first)}"
            )
        if extra:
            raise UsageError(
                f"affekt {ctx.info_name} takes {takes} and was given {shlex.join(given)}: "
                "put a text in quotes, and name a model by --model."
            )
        return extra


def _is_model(path: Path) -> bool:
    """Whether a path is a model's folder or a run's: a file of texts, or a folder of them, is none."""
    try:
        return any((path / name).is_file() for name in (CARD, f"model/{CARD}", "config.json"))
    except (OSError, ValueError):  # too long or odd for a path
        return False


def numbers(option: str, said: str) -> tuple[int, ...]:
    """Return the different whole numbers that an option says, parted by commas."""
    try:
        return tuple(dict.fromkeys(int(part) for part in said.split(",")))
    except ValueError:
        raise UsageError(f"{option} {said}: write whole numbers parted by commas, such as 8,64.") from None


@contextmanager
def spoken(words: Callable[[str], str]) -> Iterator[None]:
    """Let faults speak of options, or keys of a recipe, where they speak of Python's keywords."""
    try:
        yield
    except AffektError as fault:
        raise type(fault)(words(str(fault))) from fault


def columns_as_options(
    names: tuple[str, ...] = FIELDS, *, labels: str | None = "labels", labels_help: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb an option for each of some fields of `Columns`, in place of its parameter `columns`.

    `labels` is the label column unless said, None for no labels. Faults raised in the verb then speak of its
    options where they would speak of Python's keywords.
    """
    chosen = [one for one in fields(Columns) if one.name in names]

    def with_options(verb: Callable[..., None]) -> Callable[..., None]:
        @wraps(verb)
        @spoken(as_options)
        def run(**given: Any) -> None:
            said = {one.name: _value(one.name, given.pop(one.name)) for one in chosen}
            verb(**given, columns=Columns(**{"labels": labels, **said}))

        own = [one for one in inspect.signature(verb).parameters.values() if one.name != "columns"]
        both = [*own, *(_parameter(one, labels, labels_help) for one in chosen)]
        run.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in both}
        return run

    return with_options


def _parameter(declared: Field[Any], labels: str | None, labels_help: str) -> inspect.Parameter:
    """Return a verb's parameter for a field; a list is given with commas, and no text at all as ''."""
    name, default = declared.name, declared.default
    meaning = (name == "labels" and labels_help) or declared.metadata["help"]
    if _is_list(name):
        meaning = meaning.rstrip(".") + "; parted by commas."
    if name == "labels":
        default = labels or ""
    kind = bool if bool in (_TYPES[name], *get_args(_TYPES[name])) else str
    taken = kind if default is not None else kind | None
    annotation = Annotated[taken, typer.Option(OPTIONS[name], help=meaning)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _is_list(name: str) -> bool:
    return str not in get_args(_TYPES[name]) and "Sequence" in str(_TYPES[name])


def _value(name: str, given: Any) -> Any:
    """Return a field's value as an option says it."""
    if given == "" and name not in ("text", "id"):  # no rows have names, said of the id, is more than unsaid
        return None
    if given and _is_list(name):
        return tuple(part.strip() for part in given.split(","))
    return given.replace("\\t", "\t") if given and name in ("delimiter", "separator") else given
