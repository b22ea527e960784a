"""The house has floors: a module imports only from its own floor's rooms below it, never from above."""

import ast
from pathlib import Path

import affekt

ROOT = Path(affekt.__file__).parent

FLOORS = {
    0: {"_version", "errors", "files", "hardware"},
    1: {"text", "evaluation", "losses", "sampling"},
    2: {"data", "encoders", "samples"},
    3: {"decisions"},
    4: {"networks", "runs", "recipe", "recipes"},
    5: {"inference", "report"},
    6: {"training", "explore"},
    7: {"studies", "estimators"},
    8: {"cli", "__main__"},
}


def floor_of(name: str) -> int:
    for floor, rooms in FLOORS.items():
        if name in rooms:
            return floor
    raise AssertionError(f"{name} stands on no floor: give it one in this test and in CONTRIBUTING.md")


def imports_of(path: Path) -> set[str]:
    """The rooms of affekt that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "affekt":
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("affekt.")}
    return names


def test_every_module_imports_only_from_its_own_floor_or_those_below():
    faults = []
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        faults += [
            f"{path.relative_to(ROOT)} (floor {floor_of(room)}) imports {other} (floor {floor_of(other)})"
            for other in imports_of(path)
            if other in {name for rooms in FLOORS.values() for name in rooms}
            and floor_of(other) > floor_of(room)
        ]
    assert faults == []


def test_every_room_has_a_floor():
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")}
    assert sorted(room for room in rooms - {"__init__"} if floor_of(room) is None) == []
