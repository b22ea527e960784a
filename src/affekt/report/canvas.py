"""What every picture shares: a figure without global state, quiet axes, text that the font can draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from affekt.files import written_aside
from affekt.report.palette import SEQUENTIAL

DPI = 150
INK = "#1c2430"
FAINT = "#5a6573"
GRID = "#dfe4ea"
LABEL_SIZE = 9
NOTE_SIZE = 7.5
LONGEST_LABEL = 26  # characters of a label name on an axis

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
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GRID)
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
    font = get_font(findfont(FontProperties()))
    return font.get_char_index(ord(character)) != 0


def plain(text: str, longest: int | None = None) -> str:
    """Return text that the font can draw and that is no mathematics, cut with an ellipsis past `longest`."""
    kept = "".join(one for one in " ".join(text.split()) if _drawable(one)).strip() or "·"
    if longest is not None and len(kept) > longest:
        kept = kept[: longest - 1].rstrip() + "…"
    return kept.replace("$", r"\$")
