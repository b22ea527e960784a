"""Recipes from YAML files and from what a program holds; all faults of one come at once."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from affekt.errors import RecipeError, unknown_name
from affekt.recipe.faults import explained
from affekt.recipe.objectives import OBJECTIVE_SECTIONS
from affekt.recipe.sections import Recipe
from affekt.recipe.yaml import load_yaml, with_change


def parse_recipe(content: Any, *, source: str = "recipe") -> Recipe:
    """Check a parsed recipe; all its faults are reported at once. A section without keys has its defaults.

    Raises:
        RecipeError: One line per fault: the key, the value seen, what would be right.
    """
    if not isinstance(content, dict):
        raise RecipeError(
            f"{source}: a recipe is a mapping of keys to values, this is {type(content).__name__}."
        )
    empty = {key for key, value in content.items() if value is None and key in Recipe.model_fields}
    given = {key: value for key, value in content.items() if key == "name" or key not in empty}
    try:
        return Recipe.model_validate(given)
    except ValidationError as fault:
        lines = explained(fault, Recipe, OBJECTIVE_SECTIONS, listed=isinstance(given.get("data"), list))
        count = f"{len(lines)} fault" + ("s" if len(lines) > 1 else "")
        raise RecipeError(f"{source} has {count}:\n" + "\n".join(f"  {line}" for line in lines)) from None


def read_recipe(place: str | Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe from a YAML file, or one of the bundled recipes by name, with `key=value` changes."""
    content = load_yaml(_recipe_text(Path(place)), str(place))
    for change in changes:
        content = with_change(content, change)
    return parse_recipe(content, source=str(place))


def _recipe_text(path: Path) -> str:
    """The text of a recipe file, or of a bundled recipe; a folder that bears its name does not hide it."""
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError) as fault:
            raise RecipeError(f"{path}: cannot be read as UTF-8 text ({fault}).") from fault
    entries = (entry for entry in files("affekt.recipes").iterdir() if entry.name.endswith(".yaml"))
    bundled = {entry.name.removesuffix(".yaml"): entry for entry in entries}
    name = path.name.removesuffix(".yaml")
    if name in bundled:
        return bundled[name].read_text(encoding="utf-8")
    seen = "a folder, not a recipe file" if path.is_dir() else "no such file"
    raise RecipeError(f"{path}: {seen}, and {unknown_name('bundled recipe', name, bundled)}")
