"""What is said of a recipe's faults: the key, the value seen, what would be right."""

from collections.abc import Mapping
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ValidationError

from affekt.errors import unknown_name

Members = Mapping[str, type[BaseModel]]  # the sections that `objective` may be, by their kind
_LIST = "input should be a list"
_KINDS = {
    "tuple_type": _LIST,
    "is_instance_of": _LIST,  # of a sequence
    "sequence_str": _LIST,
    "string_type": "input should be text",
}
_SECTION_FAULTS = {"model_type", "model_attributes_type", "dict_type"}
_SHOWN = 200  # characters of a value or a key


def _shown(value: Any) -> str:
    """A value as Python writes it, shortened where it is long."""
    brief = Repr()
    brief.maxstring = brief.maxother = brief.maxlong = _SHOWN
    written = brief.repr(value)
    return written if len(written) <= _SHOWN else f"{written[: _SHOWN - 1]}…"


def explained(
    fault: ValidationError, recipe: type[BaseModel], objectives: Members, *, listed: bool = False
) -> list[str]:
    """Return one line per key; what each member of a union would want is joined.

    `listed` says whether data came as a list of corpora, so that the first is its 0.
    """
    wanted: dict[str, list[str]] = {}
    for error in fault.errors():
        about, what = _explain(error, recipe, objectives)
        if listed and error["loc"][:1] == ("data",) and about.startswith("data."):
            about = f"data.0{about.removeprefix('data')}"
        wanted.setdefault(about, []).append(what)
    joined = {about: " or ".join(what.removesuffix(".") for what in whats) for about, whats in wanted.items()}
    return [f"{about}: {what}." if about else f"{what}." for about, what in joined.items()]


def _explain(error: Any, recipe: type[BaseModel], objectives: Members) -> tuple[str, str]:
    """Return which key and value a fault is about, and what would be right."""
    loc, kind, value = error["loc"], error["type"], error["input"]
    path = [str(part)[:_SHOWN] for i, part in enumerate(loc) if not _is_tag(i, part, loc[0], objectives)]
    aliases = {one.alias: name for name, one in recipe.model_fields.items() if one.alias}
    if path and path[0] in aliases:  # corpora after the first of a list
        loc = (aliases[path[0]], *loc[1:])
        path[:2] = ["data", str(int(path[1]) + 1)] if len(path) > 1 else ["data"]
    key = ".".join(path)
    if kind.startswith("union_tag"):
        seen = value.get("kind") if isinstance(value, dict) else None
        if seen is None:
            return f"{key}.kind", f"is missing; one of {', '.join(objectives)}."
        return f"{key}.kind = {_shown(seen)}", unknown_name("objective", str(seen)[:_SHOWN], objectives)
    if kind == "missing":
        return key, "is missing; it is required."
    if kind == "value_error":
        return key, f"{error['ctx']['error']}."
    if kind == "extra_forbidden":
        section = _section_at(loc[:-1], recipe, objectives)
        return f"{key} = {_shown(value)}", unknown_name("key", path[-1][:_SHOWN], _keys(section))
    if kind in _SECTION_FAULTS:
        return f"{key} = {_shown(value)}", "a section with keys of its own belongs here."
    message = _KINDS.get(kind) or error["msg"][0].lower() + error["msg"][1:]
    return f"{key} = {_shown(value)}", f"{message}."


def _keys(section: type[BaseModel]) -> list[str]:
    """The keys that a section of a recipe may have."""
    return [name for name, one in section.model_fields.items() if one.alias is None]


def _is_tag(place: int, part: Any, first: Any, objectives: Members) -> bool:
    """Whether a part of a fault's place is no key, but the name of the member of a union."""
    if place == 1 and first == "objective":
        return part in objectives
    return part == "str" or str(part).startswith(("tuple[", "literal[", "json-or-python["))


def _section_at(loc: tuple[Any, ...], recipe: type[BaseModel], objectives: Members) -> type[BaseModel]:
    """The section of the recipe in which a fault is."""
    model = recipe
    for i, part in enumerate(loc):
        if i == 1 and loc[0] == "objective":
            model = objectives[part]
        elif part in model.model_fields:
            annotation: Any = model.model_fields[part].annotation
            members = [annotation, *getattr(annotation, "__args__", ())]
            model = next((m for m in members if isinstance(m, type) and issubclass(m, BaseModel)), model)
    return model
