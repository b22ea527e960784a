"""Colours that people with the common colour-vision deficiencies can tell apart, and quiet axes.

The colours are those of Okabe and Ito (2008), but for their yellow, which is too faint on white: wine stands
in its place. An emotion has one colour everywhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from affekt.files import written_aside

CATEGORICAL = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255")
BLUE, VERMILLION, *_ = CATEGORICAL
GREY = "#8A8F96"

# second channel, for more categories than colours, in matplotlib's names
MARKERS = ("o", "D", "s", "^", "X", "P")

# GoEmotions' sentiment groups: negative red, ambiguous yellow, positive blue
SENTIMENT = {"negative": "#D7301F", "ambiguous": "#E8B500", "positive": "#2166AC", "neutral": GREY}

# A family of emotions has a colour, and each member its own shade (after five also another symbol), wherever
# it is drawn. Families differ in lightness as well as in hue, for whoever sees no red or no green.
_FAMILIES = {
    "#CC8500": (
        *("joy", "amusement", "excitement", "happiness", "optimism", "pride", "relief", "approval"),
        *("fun", "enthusiasm", "trust"),
    ),
    "#D6579B": ("love", "admiration", "caring", "desire", "gratitude"),
    "#00A08A": ("surprise", "curiosity", "confusion", "realization", "anticipation", "irony", "sarcastic"),
    "#1F6FC4": (
        *("sadness", "disappointment", "grief", "remorse", "embarrassment", "pessimism", "boredom", "empty"),
    ),
    "#7B2FBE": ("fear", "nervousness", "worry", "threat"),
    "#C8281E": (
        *("anger", "annoyance", "disapproval", "hate", "toxic", "insult", "obscene", "severe_toxic"),
        *("identity_hate",),
    ),
    "#5E7C16": ("disgust",),
    "#475467": ("neutral", "non_irony", "not_sarcastic"),
}
_SHADES = (0.0, -0.4, 0.45, -0.2, 0.22)  # towards black, towards white


def _shade(colour: str, by: float) -> str:
    """Return a colour mixed with black (down to −1) or white (up to 1)."""
    end = 255 if by > 0 else 0
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + abs(by) * (end - part)):02X}" for part in parts)


EMOTIONS: dict[str, tuple[str, int]] = {
    name: (_shade(colour, _SHADES[at % len(_SHADES)]), at // len(_SHADES))
    for colour, names in _FAMILIES.items()
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
    looks = [(colour, symbol) for symbol in range(len(MARKERS)) for colour in CATEGORICAL]
    turns = {name: looks[at % len(looks)] for at, name in enumerate(rest, start)}
    return {name: fixed.get(name) or turns[name] for name in categories}


# --- pictures

DPI = 150
INK = "#1c2430"
FAINT = "#5a6573"
GRID = "#dfe4ea"
LABEL_SIZE = 9
NOTE_SIZE = 7.5
LONGEST_LABEL = 26  # characters of a label name on an axis

KEY: dict[str, Any] = {"fontsize": LABEL_SIZE - 0.5, "frameon": False, "labelcolor": INK}

SHADES = LinearSegmentedColormap.from_list("affekt", SEQUENTIAL, bad="#eceff2")


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure of so many inches; write it as PNG when the block ends well."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.12)


def quiet(ax: Axes, *, grid: Literal["x", "y", "both"] | None = None) -> Axes:
    """Leave only what helps reading: no box, thin ticks, a faint grid along "x", "y" or "both"."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GRID)
    ax.tick_params(labelsize=LABEL_SIZE, colors=INK, length=0, pad=4)
    ax.tick_params(which="minor", length=0)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=GRID, linewidth=0.8)
    return ax


def title(ax: Axes, text: str) -> None:
    """Head an axes, on the left; line breaks are kept."""
    lines = "\n".join(plain(line) for line in text.splitlines())
    ax.set_title(lines, fontsize=LABEL_SIZE + 1.5, fontweight="bold", color=INK, loc="left", pad=9)


def axis_labels(ax: Axes, x: str = "", y: str = "") -> None:
    """Name the axes."""
    ax.set_xlabel(x, fontsize=LABEL_SIZE, color=FAINT, labelpad=6)
    ax.set_ylabel(y, fontsize=LABEL_SIZE, color=FAINT, labelpad=6)


@cache
def _drawable(character: str) -> bool:
    return bool(get_font(findfont(FontProperties())).get_char_index(ord(character)))


def plain(text: str, longest: int | None = None) -> str:
    """Return text that the font can draw and that is no mathematics, cut with an ellipsis past `longest`."""
    kept = "".join(one for one in " ".join(text.split()) if _drawable(one)).strip() or "·"
    if longest is not None and len(kept) > longest:
        kept = kept[: longest - 1].rstrip() + "…"
    return kept.replace("$", r"\$")
