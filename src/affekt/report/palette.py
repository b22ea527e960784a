"""Colours that people with the common colour-vision deficiencies can tell apart.

Those of Okabe and Ito (2008), but for their yellow, which is too faint on white: wine stands in its place.
"""

from collections.abc import Iterable, Sequence

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
BLACK = "#000000"
WINE = "#882255"
GREY = "#8A8F96"

CATEGORICAL = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, WINE)

# second channel, for more categories than colours: the same names in plotly and, beside them, in matplotlib
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross")
MARKERS = ("o", "D", "s", "^", "X", "P")

# GoEmotions' sentiment groups: negative red, ambiguous yellow, positive blue
SENTIMENT = {"negative": "#D7301F", "ambiguous": "#E8B500", "positive": "#2166AC", "neutral": GREY}

# A family of emotions has a colour, and each member its own shade or symbol, wherever it is drawn. Families
# differ in lightness as well as in hue, so that red and green also part for who cannot see that they do.
_FAMILIES = {
    ("#CC8500", "#8F5A00", "#EDB44C"): (
        *("joy", "amusement", "excitement", "happiness", "optimism", "pride", "relief", "approval"),
        *("fun", "enthusiasm", "trust"),
    ),
    ("#D6579B", "#8E2163", "#EE9CC4"): ("love", "admiration", "caring", "desire", "gratitude"),
    ("#00A08A", "#0A5C55", "#5CC9BB"): (
        *("surprise", "curiosity", "confusion", "realization", "anticipation", "irony", "sarcastic"),
    ),
    ("#1F6FC4", "#0B3C68", "#79B4DF"): (
        *("sadness", "disappointment", "grief", "remorse", "embarrassment", "pessimism", "boredom", "empty"),
    ),
    ("#7B2FBE", "#45107A", "#BB97E2"): ("fear", "nervousness", "worry", "threat"),
    ("#C8281E", "#7A1010", "#EB8178"): (
        *("anger", "annoyance", "disapproval", "hate", "toxic", "insult", "obscene", "severe_toxic"),
        *("identity_hate",),
    ),
    ("#5E7C16", "#34470A", "#A8BF62"): ("disgust",),
    ("#475467",): ("neutral", "non_irony", "not_sarcastic"),
}
EMOTIONS: dict[str, tuple[str, int]] = {
    name: (shades[at % len(shades)], at // len(shades))
    for shades, names in _FAMILIES.items()
    for at, name in enumerate(names)
}
"""Emotion → its colour and the number of its symbol, the same in every picture."""

# white to deep blue, lightness falling steadily, so that it also reads in grey
SEQUENTIAL = ("#FFFFFF", "#D6E6F4", "#9CC9E1", "#559ECB", "#1F6EB3", "#08306B")

# what stands for no category at all
_NOTHING = frozenset({"", "none", "noise", "other", "unlabelled"})


def are_sentiments(categories: Iterable[str]) -> bool:
    """Return whether categories are GoEmotions' sentiment groups, but for those that stand for nothing."""
    named = set(categories) - _NOTHING
    return bool(named) and named <= set(SENTIMENT)


def styles(categories: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return a colour and a symbol number for every category.

    Sentiment groups get the sentiment colours, emotions always their own; categories that stand for nothing
    ("", "none", "noise", ...) are grey; the rest take the colours in turn and, once those are used up (or
    where emotions stand beside them), the next symbol.
    """
    if are_sentiments(categories):
        return {name: (SENTIMENT.get(name, GREY), 0) for name in categories}
    fixed = dict.fromkeys(_NOTHING, (GREY, 0)) | {
        name: EMOTIONS[name.strip().lower()] for name in categories if name.strip().lower() in EMOTIONS
    }
    rest = [name for name in dict.fromkeys(categories) if name not in fixed]
    start = len(CATEGORICAL) if any(name in fixed and name not in _NOTHING for name in categories) else 0
    turns = {
        name: (CATEGORICAL[at % len(CATEGORICAL)], at // len(CATEGORICAL) % len(SYMBOLS))
        for at, name in enumerate(rest, start)
    }
    return {name: fixed.get(name) or turns[name] for name in categories}
