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

    Sentiment groups get the sentiment colours; categories that stand for nothing ("", "none", "noise", ...)
    are grey; the rest take the colours in turn and, once those are used up, the next symbol.
    """
    if are_sentiments(categories):
        return {name: (SENTIMENT.get(name, GREY), 0) for name in categories}
    given: dict[str, tuple[str, int]] = {}
    taken = 0
    for name in categories:
        if name in _NOTHING:
            given[name] = (GREY, 0)
        elif name not in given:
            given[name] = (CATEGORICAL[taken % len(CATEGORICAL)], taken // len(CATEGORICAL) % len(SYMBOLS))
            taken += 1
    return given
