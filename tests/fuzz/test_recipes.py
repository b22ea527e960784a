"""Recipes spoiled at random: nothing but a sentence comes of reading them, or a recipe that is whole."""

import copy
import random
from importlib.resources import files
from typing import Any

import pytest

from affekt.errors import AffektError
from affekt.recipe.read import parse_recipe
from affekt.recipe.yaml import dump_yaml, load_yaml, with_change

BUNDLED = sorted(
    entry.read_text(encoding="utf-8")
    for entry in files("affekt.recipes").iterdir()
    if entry.name.endswith(".yaml")
)
VALUES = [
    *(None, True, False, 0, -1, 1, 2**31, 2**64, -(2**70), 10**400, 0.0, -0.5, 1e308, 1e-320),
    *(
        float("nan"),
        float("inf"),
        "",
        " ",
        "1e5",
        "none",
        "auto",
        "a\nb",
        "\ud800",
        "ü" * 5000,
        "../..",
        "~x",
    ),
    *([], [[]], ["a", "a"], [None], {}, {"kind": "classify"}, {"kind": 3}, {1: 2}, {"a": {"b": []}}, b"x"),
]
PIECES = [
    *(
        "&a ",
        "*a",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "- ",
        "\n",
        "  ",
        "\t",
        "!!binary ",
        "!!set ",
        "!!bool ",
        "!!int ",
    ),
    *(
        "<<: ",
        "? ",
        "'",
        '"',
        "|",
        ">",
        "#",
        "%",
        "@",
        "\x00",
        "\ufeff",
        "9" * 5000,
        "2020-13-45",
        "{a: " * 40,
    ),
    *(
        "[" * 500,
        "!!python/object:os.system ",
        "---\n",
        "...\n",
        "1:99:99",
        "0x",
        ".nan",
        "&a [*a]",
        "\u2028",
    ),
]


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every (section, key) of a recipe, those within lists too."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    found = [(content, key) for key in keys]
    inner = [content[key] for key in keys if isinstance(content[key], dict | list)]
    return found + [place for part in inner for place in places(part)]


def spoiled_values(chance: random.Random) -> Any:
    """A recipe in which up to three values are others, gone, or under another key."""
    content = load_yaml(chance.choice(BUNDLED), "recipe")
    for _ in range(chance.randint(1, 3)):
        section, key = chance.choice(places(content) or [(content, "name")])
        turn = chance.random()
        if turn < 0.7:
            section[key] = copy.deepcopy(chance.choice(VALUES))
        elif turn < 0.85:
            del section[key]
        elif isinstance(section, dict):
            section[chance.choice(["nmae", "kind", "loss", 7, None, ""])] = copy.deepcopy(
                chance.choice(VALUES)
            )
    return content


def spoiled_text(chance: random.Random) -> str:
    """The text of a recipe in which up to three pieces are put in or cut out."""
    text = chance.choice(BUNDLED)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice([*PIECES, ""]) + text[at + chance.choice([0, 0, 1, 5, 40]) :]
    return text


def check(read: Any) -> None:
    """A recipe that is read is whole; what is wrong with another is short enough to be read."""
    try:
        recipe = parse_recipe(read())
    except AffektError as fault:
        message = str(fault)
        assert 0 < len(message) < 20_000
        assert max(map(len, message.splitlines())) < 1_500
        return
    assert parse_recipe(load_yaml(recipe.to_yaml(), "again")).digest == recipe.digest


def check_values(seed: int) -> None:
    check(lambda: spoiled_values(random.Random(seed)))


def check_text(seed: int) -> None:
    check(lambda: load_yaml(spoiled_text(random.Random(seed)), "recipe.yaml"))


def check_change(seed: int) -> None:
    chance = random.Random(seed)
    key = chance.choice(["training.seed", "data", "objective.kind", "name", "a.b", ".", "training.epochs.x"])
    value = chance.choice([*PIECES, *(dump_yaml(value) for value in VALUES if value not in (b"x", "\ud800"))])
    content = load_yaml(chance.choice(BUNDLED), "recipe")
    check(lambda: with_change(content, f"{key}={value}"))


CHECKS = {"values": check_values, "text": check_text, "--set": check_change}


@pytest.mark.parametrize("what", CHECKS)
def test_a_spoiled_recipe_is_a_sentence_or_a_whole_recipe(what: str) -> None:
    for seed in range(120):
        CHECKS[what](seed)


@pytest.mark.slow
@pytest.mark.parametrize("what", CHECKS)
def test_thousands_of_spoiled_recipes(what: str) -> None:
    for seed in range(120, 3_500):
        CHECKS[what](seed)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: x\ndata: " + "[" * 3000, "nested too deep"),
        ("name: x\nencoder: {options: " + "{a: " * 30 + "1" + "}" * 31, "more than 20 sections deep"),
        ("name: x\ndata: &a\n  without: *a\n", "recipe:2: not YAML: an anchor holds itself"),
        (BOMB, "aliases stand for more than 100,000 values"),
        ("name: x\ntraining: {seed: " + "9" * 5000 + "}", "limit"),
        ("name: x\ntraining: {seed: 18446744073709551616}", "training.seed = 18446744073709551616"),
        ("name: x\nnote: !!bool x", "not YAML"),
        ("name: x\nencoder: {options: {a: 2020-01-01}}", "encoder.options: only plain finite values"),
    ],
)
def test_what_was_found_stays_mended(text: str, sentence: str) -> None:
    with pytest.raises(AffektError, match=sentence) as caught:
        parse_recipe(load_yaml(text, "recipe"))
    assert len(str(caught.value)) < 500


def test_a_list_of_one_corpus_is_that_corpus() -> None:
    section = {"name": "sample"}
    one, listed = (parse_recipe({"name": "x", "data": data}) for data in (section, [section]))
    assert one == listed
    assert one.digest == listed.digest
