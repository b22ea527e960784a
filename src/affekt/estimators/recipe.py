"""Recipes from what people write: a name or a dict, and arguments that change it. None changes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from affekt.errors import UsageError
from affekt.recipe.read import parse_recipe, read_recipe
from affekt.recipe.sections import Recipe

RecipeLike = str | Path | Mapping[str, Any] | Recipe

_SECTIONS = [key for key, field in Recipe.model_fields.items() if isinstance(field.default, BaseModel)]


def recipe_content(recipe: RecipeLike | None, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe as nested dicts.

    Raises:
        RecipeError: When a plain value stands where a section belongs: changes to it would replace it unseen.
    """
    if recipe is None:
        return dict(defaults)
    if isinstance(recipe, Mapping):
        content = merged(defaults, recipe)
        if all(isinstance(content.get(key), Mapping | None) for key in _SECTIONS):
            return content
        recipe = parse_recipe(content)
    if isinstance(recipe, str | Path):
        recipe = read_recipe(recipe)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"recipe is {type(recipe).__name__}; give a name, a path, a dict or a Recipe.")
    return recipe.model_dump(mode="json")


def with_encoder(content: dict[str, Any], encoder: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a recipe with another encoder: a folder, a name, a kind made from training texts, a section."""
    if encoder is None:
        return content
    if isinstance(encoder, Mapping):
        return merged(content, {"encoder": encoder})
    if not isinstance(encoder, str | Path):
        raise UsageError(f"an encoder is a folder or a name, not {type(encoder).__name__}.")
    from affekt.encoders.kinds import ENCODERS  # with torch

    named_kinds = [kind for kind, one in ENCODERS.items() if one.has_name]
    if str(encoder) in ENCODERS and str(encoder) not in named_kinds:
        return merged(content, {"encoder": {"kind": str(encoder)}})
    kind = (content.get("encoder") or {}).get("kind")
    named = {"kind": kind if kind in named_kinds else "transformer", "name": str(encoder), "revision": None}
    return merged(content, {"encoder": named})


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested dicts with changes; an encoder or objective of another kind replaces all of it."""
    content = dict(base)
    plain = {"encoder": "transformer", "objective": Recipe.model_fields["objective"].default.kind}
    for key, value in changes.items():
        before = content.get(key)
        content[key] = value
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            was = before.get("kind", plain.get(key))
            if key not in plain or value.get("kind", was) == was:
                content[key] = merged(before, value)
    return content


def said(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested dicts without what is None, and without sections that then hold nothing."""
    nested = {key: said(value) if isinstance(value, Mapping) else value for key, value in changes.items()}
    return {key: value for key, value in nested.items() if value is not None and value != {}}
