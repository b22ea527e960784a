"""The card of a model folder, affekt.json: the labels a model gives, how it decides, where it comes from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affekt._version import __version__
from affekt.decisions import Decisions
from affekt.errors import ModelError, unknown_name
from affekt.files import CARD, read_json, write_json
from affekt.text import STYLES

FORMAT = 2


def answers(
    labels: tuple[str, ...],
    decisions: Decisions | None,
    coarse: Mapping[str, Decisions],
    *,
    single_label: bool,
) -> dict[str, Any]:
    """Return what a card says of the labels of one task, which `coarse_of` and `Decisions` read again."""
    said: dict[str, Any] = {"labels": list(labels), "single_label": single_label}
    said["decisions"] = decisions.to_json() if decisions else None
    return said | ({"coarser": {name: one.to_json() for name, one in coarse.items()}} if coarse else {})


def coarse_of(said: Mapping[str, Any]) -> dict[str, Decisions]:
    """Return the decisions by coarser labels that a card holds."""
    return {name: Decisions.from_json(one) for name, one in said.get("coarser", {}).items()}


def write_card(folder: Path, said: Mapping[str, Any]) -> None:
    """Write a card, with what reads it again."""
    write_json(folder / CARD, {"format": FORMAT, "affekt": __version__, **said})


def read_card(folder: Path) -> dict[str, Any]:
    """Read a card and look whether a model can be what it says, and those of further tasks.

    Raises:
        ModelError: For another format, or for labels, a task or a normaliser that no model has.
    """
    path = folder / CARD
    card: dict[str, Any] = read_json(path)
    if card["format"] != FORMAT:
        raise ModelError(
            f"{folder}: {CARD} has format {card['format']}, and this affekt reads {FORMAT}; "
            "open it with the affekt that wrote it, or train it again."
        )
    if card["style"] not in STYLES:
        raise ModelError(f"{path}: {unknown_name('style', card['style'], STYLES)}")
    for said in (card, *card.get("tasks", {}).values()):
        _check_answers(path, said)
    if not isinstance(card["about"], dict):
        raise ModelError(f"{path}: does not say where the model comes from; train or copy it again.")
    return card


def _check_answers(path: Path, said: Mapping[str, Any]) -> None:
    labels = said["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(f"{path}: labels are {labels!r}, not a list of names; train or copy it again.")
    if len(set(labels)) < len(labels):
        raise ModelError(f"{path}: a label stands twice among {', '.join(labels)}; train or copy it again.")
    if not isinstance(said["single_label"], bool):
        raise ModelError(f"{path}: does not say whether texts have one label; train or copy it again.")
