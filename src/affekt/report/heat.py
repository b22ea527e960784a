"""A square of shares, true labels against predicted ones, legible from two labels to thirty."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from affekt.evaluation.arrays import Floats
from affekt.report.canvas import (
    FAINT,
    INK,
    LONGEST_LABEL,
    NOTE_SIZE,
    SHADES,
    axis_labels,
    picture,
    plain,
    quiet,
)


def heat_map(matrix: Floats, labels: Sequence[str], path: Path, across: str) -> None:
    """Draw (k, k) shares between 0 and 1 of true labels, down, against predicted ones, across."""
    k = len(labels)
    names = [plain(label, LONGEST_LABEL) for label in labels]
    cell = 0.62 if k <= 8 else 0.46 if k <= 16 else 0.37
    margin = 0.55 + 0.075 * max(len(name) for name in names)
    side = margin + max(cell * k, 1.8)
    with picture(path, side + 0.7, side) as figure:
        ax = quiet(figure.subplots())
        image = ax.imshow(np.ma.masked_invalid(matrix), cmap=SHADES, vmin=0, vmax=1)
        size = 9.0 if k <= 8 else 7.0 if k <= 16 else 6.0
        for row, column in np.ndindex(k, k):
            note = _cell(float(matrix[row, column]), small=k > 8)
            ink = "white" if matrix[row, column] > 0.7 else INK
            ax.text(column, row, note, ha="center", va="center", fontsize=size, color=ink, in_layout=False)
        _turn(ax, names)
        ax.set_yticks(range(k), names)
        ax.set_xticks(np.arange(k + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(k + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white", linewidth=1.2)
        ax.tick_params(which="minor", length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        axis_labels(ax, across, "true label")
        bar = figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02, aspect=30)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=NOTE_SIZE, colors=FAINT, length=0)


def _turn(ax: Axes, names: Sequence[str]) -> None:
    """Set names along x: level when they are few and short, else slanting, else upright."""
    if len(names) <= 4 and max(len(name) for name in names) <= 9:
        ax.set_xticks(range(len(names)), names)
    elif len(names) <= 16:
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    else:
        ax.set_xticks(range(len(names)), names, rotation=90)


def _cell(share: float, *, small: bool) -> str:
    """Return what a cell says: nothing for next to nothing, so that the pattern stands out."""
    if not np.isfinite(share):
        return "" if small else "–"
    if share < (0.05 if small else 0.005):
        return ""
    return f"{share:.2f}".removeprefix("0") if share < 0.995 else "1"
