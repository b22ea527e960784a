"""The house: floors, no circles, one name for one thing, and no torch where nothing is trained."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import affekt

ROOT = Path(affekt.__file__).parent

FLOORS = {
    0: {"_version", "errors", "files", "hardware"},
    1: {"text", "evaluation", "losses", "sampling"},
    2: {"data", "encoders"},
    3: {"decisions"},
    4: {"networks", "runs", "recipe", "recipes"},
    5: {"inference", "report"},
    6: {"training", "explore"},
    7: {"studies", "estimators", "serving"},
    8: {"cli", "__main__"},
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
AT_THE_TOP = {"__init__", "__main__", "_version", "errors", "files", "hardware"}
WITHOUT_TORCH = (
    "text",
    "evaluation",
    "data",
    "decisions",
    "recipe",
    "runs",
    "report",
    "cli",
    "inference.model",
)
HEAVY = {"torch", "transformers", "accelerate", "sentence_transformers"}


@cache
def modules() -> dict[str, Path]:
    """Every module below the package, by its name without "affekt.": a package by its folder's."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in found.items() if name}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def room(name: str) -> str:
    return name.partition(".")[0]


@cache
def imported(name: str) -> frozenset[str]:
    """The modules of affekt that one imports, also inside functions and for type checking alone."""
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom) and room(node.module or "") == "affekt":
            module = (node.module or "").partition(".")[2]
            inner = {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {other if other in modules() else module for other in inner}
        elif isinstance(node, ast.Import):
            found |= {alias.name[7:] for alias in node.names if alias.name.startswith("affekt.")}
    return frozenset(found - {"", name})


def at_import(body: list[ast.stmt]) -> Iterator[str]:
    """The names that statements import as soon as their module is: not in functions, not for types alone."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from at_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from at_import([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.ClassDef | ast.With):
            yield from at_import(node.body)


def test_at_the_top_stand_six_files() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} == AT_THE_TOP


def test_the_rooms_are_those_that_have_a_floor() -> None:
    assert {room(name) for name in modules()} == set(FLOOR_OF)


def test_a_module_imports_nothing_from_floors_above() -> None:
    faults = [
        f"{name} (floor {FLOOR_OF[room(name)]}) imports {other} (floor {FLOOR_OF[room(other)]})"
        for name in modules()
        for other in imported(name)
        if FLOOR_OF[room(other)] > FLOOR_OF[room(name)]
    ]
    assert faults == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    try:
        TopologicalSorter({name: imported(name) for name in modules()}).prepare()
    except CycleError as circle:
        raise AssertionError(" -> ".join(circle.args[1])) from None


def test_what_trains_nothing_imports_no_torch() -> None:
    """Followed through the imports that run when a module is imported."""
    starts = {name: set(at_import(tree(name).body)) for name in modules()}

    def reached(name: str) -> set[str]:
        seen, left = {name}, [name]
        while left:
            inner = {other.removeprefix("affekt.") for other in starts[left.pop()] if "affekt." in other}
            left += (new := (inner & set(modules())) - seen)
            seen |= new
        return seen

    light = [name for name in modules() if any(f"{name}.".startswith(f"{one}.") for one in WITHOUT_TORCH)]
    faults = {
        f"{name}, by way of {other}"
        for name in light
        for other in reached(name)
        if HEAVY & {room(outer) for outer in starts[other]}
    }
    assert faults == set()


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for name in modules():
        for node in tree(name).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_only_the_command_line_ends_the_process() -> None:
    faults = [
        f"{name}:{node.lineno}"
        for name in modules()
        if room(name) not in ("cli", "__main__")
        for node in ast.walk(tree(name))
        if (isinstance(node, ast.Name) and node.id == "SystemExit")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.exit", "os._exit"))
    ]
    assert faults == []
