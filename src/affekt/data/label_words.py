"""Label words: what stands for each label in a label-aware input (rows E2 and E5), as recipes choose it.

`encoder.label_words` in a recipe is one of

- `labels`: the names of the labels, "_" read as a blank;
- the name of a set in `LABEL_WORDS`;
- a list of words or phrases, one for each label, in the order of the labels;
- a mapping from each label to its words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from affekt.data.known import DATASETS
from affekt.errors import RecipeError, unknown_name

Choice = str | Sequence[str] | Mapping[str, str]

NAMES = "labels"  # the choice that takes the labels' own names

_SEMEVAL = DATASETS["semeval2018-ec-en"].labels
_GOEMOTIONS = DATASETS["goemotions"].labels
_SPANISH = (
    *("ira", "anticipación", "asco", "miedo", "alegría", "amor"),
    *("optimismo", "pesimismo", "tristeza", "sorpresa", "confianza"),
)
_ARABIC = (*("غضب", "ترقب", "اشمئزاز", "خوف", "فرح", "حب"), *("تفاؤل", "تشاؤم", "حزن", "دهشة", "ثقة"))

# A set may name more labels than a data set has, not fewer.
LABEL_WORDS: dict[str, dict[str, str]] = {
    "english": {label: label for label in _SEMEVAL},
    "spanish": dict(zip(_SEMEVAL, _SPANISH, strict=True)),
    "arabic": dict(zip(_SEMEVAL, _ARABIC, strict=True)),
    "jigsaw": {  # row E5: a single common word for each
        "toxic": "hurt",
        "severe_toxic": "toxic",
        "obscene": "obscene",
        "threat": "threat",
        "insult": "insult",
        "identity_hate": "hate",
    },
    "goemotions": {label: label for label in _GOEMOTIONS},
}


def check_choice(choice: Any) -> Any:
    """Return a recipe's choice of label words if it can be one, whatever the labels will be.

    Raises:
        ValueError: When it is none of the four forms above, or names no known set.
    """
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice != NAMES and choice not in LABEL_WORDS:
            raise ValueError(unknown_name("label words", choice, [NAMES, *LABEL_WORDS]).removesuffix("."))
        return choice
    if isinstance(choice, Mapping):
        given = [*choice.keys(), *choice.values()]
    else:
        given = list(choice) if isinstance(choice, list | tuple) else [choice]
    if not given or not all(isinstance(part, str) and part.strip() for part in given):
        raise ValueError(
            f"{choice!r} are no label words; give {NAMES}, one of {', '.join(LABEL_WORDS)}, a list of words "
            "in the order of the labels, or a mapping from each label to its words"
        )
    return choice


def label_words(choice: Choice, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the words of each label, in the order of the labels.

    Args:
        choice: What a recipe says: `labels`, the name of a set, a list or a mapping.
        labels: The labels of the data.

    Raises:
        RecipeError: When a label has no words, words are given for no label, or two labels share theirs.

    >>> label_words("jigsaw", ["toxic", "identity_hate"])
    ('hurt', 'hate')
    """
    try:
        check_choice(choice)
    except ValueError as fault:
        raise RecipeError(f"encoder.label_words: {fault}.") from None
    words = _in_order(choice, labels)
    for place, word in enumerate(words):
        if word in words[:place]:
            first, second = labels[words.index(word)], labels[place]
            raise RecipeError(
                f"encoder.label_words: {word!r} stands for both {first} and {second}; "
                "give each label words of its own."
            )
    return words


def _in_order(choice: Choice, labels: Sequence[str]) -> tuple[str, ...]:
    if choice == NAMES:
        return tuple(label.replace("_", " ").strip() or label for label in labels)
    if isinstance(choice, str | Mapping):
        words = LABEL_WORDS[choice] if isinstance(choice, str) else choice
        what = "the mapping" if words is choice else f"the set {choice!r}"
        for label in choice if words is choice else ():
            if label not in labels:
                raise RecipeError(f"encoder.label_words: {unknown_name('label', label, labels)}")
        if without := ", ".join(label for label in labels if label not in words):
            says = f"{what} has no words for {without}. It has {', '.join(words)}."
            raise RecipeError(f"encoder.label_words: {says}")
        return tuple(words[label].strip() for label in labels)
    if len(choice) != len(labels):
        raise RecipeError(
            f"encoder.label_words: the list has {len(choice)} entries for {len(labels)} labels; give one for "
            f"each, in this order: {', '.join(labels)}."
        )
    return tuple(word.strip() for word in choice)
