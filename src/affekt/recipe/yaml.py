"""Recipes as YAML: what is written reads back as the same values, and every fault names its line.

Two things differ from plain YAML 1.1: 1e-4 is a number, and a key that stands twice in a section is a fault.
Anchors may be used, but not to hold themselves, nor to stand for more than a person would write.
"""

import re
from typing import Any

import yaml

from affekt.errors import RecipeError

DEPTH = 20  # sections inside one another
SIZE = 100_000  # values, those of an alias counted wherever it stands

_FLOAT = re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)[eE][-+]?[0-9]+$")


def _refused(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


class _Loader(yaml.SafeLoader):
    """Reads a recipe; the keys of a section are all different."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if isinstance(name, str) and name in seen:
                raise _refused(f"the key {name!r} stands twice in one section", key)
            seen |= {name} if isinstance(name, str) else set()
        return dict(super().construct_mapping(node, deep))


class _Dumper(yaml.SafeDumper):
    """Writes a recipe; a string that `_Loader` would take for a number is quoted."""


for _one in (_Loader, _Dumper):
    _one.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def load_yaml(text: str, place: str) -> Any:
    """Return the content of a YAML text; `place` is what a fault's message calls it."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, ())
        return loader.construct_document(node)
    except RecursionError:
        raise RecipeError(f"{place}: not YAML: it is nested too deeply.") from None
    except (yaml.YAMLError, ValueError, LookupError, ArithmeticError, AttributeError, TypeError) as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{place}:{mark.line + 1}" if mark and not place.startswith("--set") else place
        problem = getattr(fault, "problem", None) or str(fault).splitlines()[0]
        raise RecipeError(f"{where}: not YAML: {problem}.") from fault


def _size(node: yaml.Node, known: dict[int, int], inside: tuple[int, ...]) -> int:
    """Count the values of a node, with those of its aliases; refuse what holds itself or has no end."""
    if id(node) in inside or len(inside) > DEPTH:
        itself = id(node) in inside
        raise _refused("an anchor holds itself" if itself else f"more than {DEPTH} sections deep", node)
    if id(node) not in known:
        pairs = isinstance(node, yaml.MappingNode)
        held = [part for pair in node.value for part in pair] if pairs else node.value
        nested = held if isinstance(node, yaml.CollectionNode) else ()
        known[id(node)] = 1 + sum(_size(part, known, (*inside, id(node))) for part in nested)
    if known[id(node)] > SIZE:
        raise _refused(f"aliases stand for more than {SIZE:,} values", node)
    return known[id(node)]


def dump_yaml(content: Any) -> str:
    """Return a YAML text that `load_yaml` reads back to equal values."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))


def with_change(content: Any, change: str) -> Any:
    """Return a recipe's content with one `key=value` put in; sections that are missing or empty are made."""
    key, equals, value = change.partition("=")
    shown = repr(change if len(change) <= 200 else f"{change[:199]}…")
    *sections, last = (part.strip() for part in key.split("."))
    if not equals or not all((*sections, last)):
        raise RecipeError(f"--set {shown}: write key=value, such as training.epochs=3.")
    if not isinstance(content, dict):
        return content  # no recipe, which is said of the whole of it
    at: Any = content
    for section in sections:
        at, held = _held(at, section, shown), at
        if at is None and isinstance(held, dict):
            at = held[section] = {}
        if not isinstance(at, dict | list):
            raise RecipeError(f"--set {shown}: {section} holds a value, not a section.")
    _held(at, last, shown)
    at[int(last) if isinstance(at, list) else last] = load_yaml(value, f"--set {shown}")
    return content


def _held(at: Any, key: str, shown: str) -> Any:
    """Return what a section has under a key, None where nothing; a list, as of corpora, counts from 0."""
    if isinstance(at, dict):
        return at.get(key)
    found = dict(zip(map(str, range(len(at))), at, strict=True))
    if key not in found:
        raise RecipeError(f"--set {shown}: a list of {len(at)} has no {key!r}; its entries count from 0.")
    return found[key]
