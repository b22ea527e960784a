"""Pairs of sentences that differ in a word for a person, from templates or the Equity Evaluation Corpus."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from affekt.data import catalog
from affekt.data.files import open_table
from affekt.errors import DataError, UsageError

EEC = "eec"
Source = Literal["eec", "own"]
_COLUMNS = ("text", "template", "person", "gender", "race", "emotion_word")
# who stands for whom, beside names, which are paired in the order of the alphabet
_RELATED = {
    "this woman": "this man",
    "this girl": "this boy",
    "my sister": "my brother",
    "my daughter": "my son",
    "my wife": "my husband",
    "my girlfriend": "my boyfriend",
    "my mother": "my father",
    "my aunt": "my uncle",
    "my mom": "my dad",
    "she": "he",
    "her": "him",
}


@dataclass(frozen=True)
class Counterfactual:
    """Two sentences that differ in whom they are about.

    Attributes:
        kind: What differs, such as "age".
        frame: What they have in common.
        first: The one.
        second: The other.
    """

    kind: str
    frame: str
    first: str
    second: str


@dataclass(frozen=True)
class Counterfactuals:
    """Counterfactual pairs, and of each kind which two groups their first and second texts are of."""

    name: str
    groups: dict[str, tuple[str, str]]
    pairs: tuple[Counterfactual, ...]


def counterfactuals(source: Source | None = None) -> Counterfactuals:
    """Return the Equity Evaluation Corpus's pairs where it is here, else those of this project's templates.

    Raises:
        UsageError: When the corpus is asked for, and is not here.
    """
    place = None if source == "own" else catalog.find(EEC)
    if place is not None:
        return _of_corpus(place)
    if source == EEC:
        raise UsageError(
            f"the Equity Evaluation Corpus is not here: put it into a folder {EEC} of the one that "
            "AFFEKT_DATA names, or take the pairs of this project, own."
        )
    return _of_templates()


def written() -> dict[str, Any]:
    """Return what this project wrote for audits: sentences, feelings, words and terms."""
    text = files("affekt.studies").joinpath("pairs.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _of_templates() -> Counterfactuals:
    content = written()
    frames = [
        sentence.replace("{feeling}", feeling)
        for sentence in content["sentences"]
        for feeling in content["feelings"]
    ]
    found = tuple(
        Counterfactual(kind, frame, *(_filled(frame, word) for word in words))
        for kind, one in content["kinds"].items()
        for frame in [*frames, *content["plain"]]
        for words in one["words"]
    )
    groups = {kind: (one["groups"][0], one["groups"][1]) for kind, one in content["kinds"].items()}
    return Counterfactuals("templates of this project", groups, found)


def _filled(frame: str, person: str) -> str:
    text = frame.replace("{person}", person)
    return text[0].upper() + text[1:]


def _of_corpus(place: Path) -> Counterfactuals:
    by_frame: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    paths = sorted(path for path in place.iterdir() if path.suffix in (".parquet", ".csv", ".tsv"))
    for path in paths:
        with open_table(path) as table:
            if missing := [name for name in _COLUMNS if name not in table.columns]:
                raise DataError(f"{path}: has no column {', '.join(missing)}, by which its pairs are made.")
            for row in table.rows:
                person = {name: str(row.values.get(name) or "") for name in _COLUMNS}
                by_frame[f"{person['template']} | {person['emotion_word']}"][person["person"]] = person
    found = [
        Counterfactual(kind, frame, people[one]["text"], people[other]["text"])
        for frame, people in by_frame.items()
        for kind, one, other in _counterparts(people)
    ]
    gender = ("female", "male")
    groups = {
        "gender, by words": gender,
        "gender, by names": gender,
        "origin, by names": ("European American names", "African American names"),
    }
    return Counterfactuals("Equity Evaluation Corpus", groups, tuple(found))


def _counterparts(people: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, person and counterpart of those that one frame is filled with."""
    for one, other in _RELATED.items():
        if one in people and other in people:
            yield "gender, by words", one, other
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person, row in sorted(people.items()):
        if row["race"]:
            names[row["gender"], row["race"]].append(person)
    for race in ("European", "African-American"):
        for one, other in zip(names["female", race], names["male", race], strict=False):
            yield "gender, by names", one, other
    for gender in ("female", "male"):
        for one, other in zip(names[gender, "European"], names[gender, "African-American"], strict=False):
            yield "origin, by names", one, other
