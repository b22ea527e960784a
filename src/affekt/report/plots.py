"""Pictures of a run: each function takes plain data and a path, and writes one PNG."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.ticker import MaxNLocator

from affekt.evaluation.arrays import Floats
from affekt.evaluation.figures import figure as known
from affekt.report.numbers import Interval, as_number, ordered
from affekt.report.style import (
    BLUE,
    CATEGORICAL,
    FAINT,
    GREY,
    GRID,
    INK,
    KEY,
    LABEL_SIZE,
    LONGEST_LABEL,
    MARKERS,
    NOTE_SIZE,
    SENTIMENT,
    SHADES,
    VERMILLION,
    are_sentiments,
    axis_labels,
    picture,
    plain,
    quiet,
    styles,
    title,
)

Bins = Sequence[Mapping[str, float]]  # the "reliability" of `affekt.evaluation.calibration`
_LINES = ("-", "--", "-.", ":")


def class_distribution(counts: Mapping[str, Mapping[str, int]], path: Path) -> None:
    """Draw how many rows of each split hold each label: one panel a split, commonest label first."""
    first = next(iter(counts.values()))
    known = list(dict.fromkeys(label for split in counts.values() for label in split))
    labels = sorted(known, key=lambda label: -first.get(label, 0))
    looks = styles(known)
    colours = [looks[label][0] for label in labels]
    width = 2.0 + 2.0 * len(counts)
    with picture(path, width, 1.1 + 0.27 * len(labels)) as figure:
        panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
        for ax, (split, of_split) in zip(panels, counts.items(), strict=True):
            heights = [of_split.get(label, 0) for label in labels]
            _bars(quiet(ax), labels, heights, [f"{height:,.0f}" for height in heights], colours)
            ax.set_xlim(0, max(1, *heights) * 1.22)
            ax.set_xticks([])
            ax.spines["bottom"].set_visible(False)
            title(ax, split)


def _bars(
    ax: Axes, labels: Sequence[str], lengths: Sequence[float], notes: Sequence[str], colours: Sequence[str]
) -> None:
    """Draw horizontal bars from the top down, each in its label's colour and with a note at its end."""
    ax.barh(range(len(labels)), lengths, height=0.68, color=colours)
    _listed(ax, labels)
    for place, (length, note) in enumerate(zip(lengths, notes, strict=True)):
        _note(ax, note, (length, place), 4)


def _listed(ax: Axes, names: Sequence[str]) -> None:
    """Set names along y, from the top down."""
    ax.set_yticks(range(len(names)), [plain(name, LONGEST_LABEL) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)


def _note(ax: Axes, words: str, place: tuple[float, float], right: int) -> None:
    """Write words so many points to the right of a place, or else to its left."""
    about: dict[str, Any] = {"va": "center", "ha": "left" if right > 0 else "right", "color": FAINT}
    ax.annotate(words, place, (right, 0), textcoords="offset points", fontsize=NOTE_SIZE, **about)


def learning_curves(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw losses, loss terms (where there are several) and dev metrics over the epochs.

    A train loss of several terms is not what is measured on dev: then each has axes of its own.
    """
    epochs = [float(row.get("epoch", i + 1)) for i, row in enumerate(history)]
    terms = _series([row.get("terms") or {} for row in history])
    train, dev = (_series([{part: row.get(f"{part}_loss")} for row in history]) for part in ("train", "dev"))
    losses = {"Loss": train | dev} if len(terms) < 2 else {"Train loss": train | terms, "Dev loss": dev}
    metrics = _series([row.get("dev") or {} for row in history])
    panels = {**losses, "Dev metrics": {name: metrics[name] for name in ordered(metrics)[:6]}}
    drawn = {name: series for name, series in panels.items() if series} or {"Loss": {}}
    with picture(path, 0.6 + 3.0 * len(drawn), 3.6) as figure:
        axes = figure.subplots(1, len(drawn), squeeze=False)[0]
        for ax, (name, series) in zip(axes, drawn.items(), strict=True):
            _lines(quiet(ax, grid="y"), epochs, series)
            title(ax, name)
            axis_labels(ax, "epoch")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            if len(epochs) == 1:
                ax.set_xlim(epochs[0] - 1, epochs[0] + 1)


def _series(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return each name's values over the rows, NaN where absent; names without any number are left out."""
    names = dict.fromkeys(name for row in rows for name in row)
    numbers = {name: [as_number(row.get(name)) for row in rows] for name in names}
    series = {name: [np.nan if one is None else one for one in found] for name, found in numbers.items()}
    return {name: values for name, values in series.items() if not np.isnan(values).all()}


def _lines(ax: Axes, x: Sequence[float], series: Mapping[str, Sequence[float]]) -> None:
    for i, (name, values) in enumerate(series.items()):
        colour, mark = CATEGORICAL[i % len(CATEGORICAL)], MARKERS[i % len(MARKERS)]
        label, line = plain(known(name).title, LONGEST_LABEL), _LINES[i // 2 % len(_LINES)]
        size: dict[str, Any] = {"markersize": 5, "linewidth": 1.8}
        ax.plot(x, values, label=label, color=colour, marker=mark, linestyle=line, **size)
    if series:
        columns = 2 if len(series) > 3 else len(series)
        ax.legend(ncols=columns, loc="upper center", bbox_to_anchor=(0.5, -0.18), handlelength=2.6, **KEY)


def confusion(matrix: Floats, labels: Sequence[str], path: Path) -> None:
    """Draw a row-normalised confusion matrix: of the texts with a true label, the share given each label."""
    _heat_map(matrix, labels, path, "predicted as")


def cooccurrence(matrix: Floats, labels: Sequence[str], path: Path) -> None:
    """Draw, for texts with several labels: of the texts holding a label, the share predicted to hold each."""
    _heat_map(matrix, labels, path, "predicted (several may be)")


def _heat_map(matrix: Floats, labels: Sequence[str], path: Path, across: str) -> None:
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
        ax.tick_params(pad=11)
        colours = [colour for colour, _ in styles(labels).values()]
        for x, y in (([-0.5 - 0.09 / cell] * k, range(k)), (range(k), [k - 0.5 + 0.09 / cell] * k)):
            ax.scatter(x, y, s=26, c=colours, marker="s", linewidths=0, clip_on=False)
        ax.set_xlim(-0.5, k - 0.5)
        ax.set_ylim(k - 0.5, -0.5)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks(np.arange(k + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white", linewidth=1.2)
        ax.spines[:].set_visible(False)
        axis_labels(ax, across, "true label")
        bar = figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02, aspect=30)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=NOTE_SIZE, colors=FAINT, length=0)


def _turn(ax: Axes, names: Sequence[str]) -> None:
    """Set names along x: level when they are few and short, else slanting, else upright."""
    slanting = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    turned: dict[str, Any] = slanting if len(names) <= 16 else {"rotation": 90}
    level = len(names) <= 4 and max(map(len, names)) <= 9
    ax.set_xticks(range(len(names)), names, **({} if level else turned))


def _cell(share: float, *, small: bool) -> str:
    """Return what a cell says: nothing for next to nothing, so that the pattern stands out."""
    if not np.isfinite(share):
        return "" if small else "–"
    if share < (0.05 if small else 0.005):
        return ""
    return f"{share:.2f}".removeprefix("0") if share < 0.995 else "1"


def reliability(before: Bins | None, after: Bins, path: Path) -> None:
    """Draw how often predictions hold against how sure they were; `before` calibration, if there was any."""
    with picture(path, 4.4, 5.6) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
        quiet(top, grid="both").plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        curves = [("before calibration", before, VERMILLION, "s", "--")] if before is not None else []
        curves.append(("after calibration" if curves else "as predicted", after, BLUE, "o", "-"))
        for i, (name, bins, colour, marker, line) in enumerate(curves):
            look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 1.8}
            places = ([one[side] for one in bins] for side in ("confidence", "frequency"))
            top.plot(*places, label=name, markersize=5.5, **look)
            widths = np.asarray([(one["high"] - one["low"]) * 0.84 / len(curves) for one in bins])
            lefts = np.asarray([one["low"] + 0.08 * (one["high"] - one["low"]) for one in bins]) + i * widths
            quiet(bottom, grid="y").bar(lefts, [one["n"] for one in bins], widths, align="edge", color=colour)
        top.set_xlim(-0.02, 1.02)
        top.set_ylim(-0.02, 1.02)
        top.legend(loc="upper left", **KEY | {"fontsize": LABEL_SIZE})
        axis_labels(top, "", "how often it was right")
        bottom.set_yscale("log")
        bottom.set_ylim(0.7, None)
        axis_labels(bottom, "how sure it was (probability)", "predictions")


def risk_coverage(curve: Sequence[Mapping[str, float]], path: Path, what: str) -> None:
    """Draw the risk of the surest rows over how many of all they are; dotted is the risk of all."""
    with picture(path, 5.6, 3.8) as figure:
        ax = quiet(figure.subplots(), grid="y")
        ax.axhline(curve[-1]["risk"], color=GREY, linewidth=1, linestyle=":")
        places = ([one[side] for one in curve] for side in ("coverage", "risk"))
        ax.plot(*places, color=BLUE, marker="o", markersize=5, linewidth=1.8)
        ax.set_xlim(0, 1.02)
        ax.set_ylim(0, None)
        axis_labels(ax, "share of texts that are decided, the surest first", what)


def thresholds(labels: Sequence[str], values: Sequence[float], path: Path) -> None:
    """Draw the threshold of each label as its distance from one half."""
    at = np.arange(len(labels))
    with picture(path, 5.0, 1.0 + 0.27 * len(labels)) as figure:
        ax = quiet(figure.subplots(), grid="x")
        colours = [colour for colour, _ in styles(labels).values()]
        ax.hlines(at, 0.5, values, color=colours, linewidth=1.6, alpha=0.55)
        ax.scatter(values, at, c=colours, s=36, zorder=3)
        ax.axvline(0.5, color=FAINT, linewidth=1)
        for place, value in enumerate(values):
            _note(ax, f"{value:.2f}", (value, place), 7 if value >= 0.5 else -7)
        _listed(ax, labels)
        ax.set_xlim(-0.06, 1.06)
        axis_labels(ax, "probability above which the label is given (line at .5)")


def example_bars(text: str, labels: Sequence[str], scores: Sequence[float], path: Path) -> None:
    """Draw the probability of each label for one text, the surest twelve, the surest first."""
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")[:12]
    with picture(path, 6.4, 1.25 + 0.3 * len(order)) as figure:
        ax = quiet(figure.subplots())
        lengths = [float(scores[i]) for i in order]
        looks = list(styles(labels).values())
        names, colours = [labels[i] for i in order], [looks[i][0] for i in order]
        _bars(ax, names, lengths, [f"{length:.1%}" for length in lengths], colours)
        ax.set_xlim(0, 1.12)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])
        ax.tick_params(axis="x", labelsize=NOTE_SIZE, colors=FAINT)
        title(ax, "\n".join(textwrap.wrap(text, 62, max_lines=4, placeholder=" …")))


def intervals(
    measured: Mapping[str, Mapping[str, Interval]],
    path: Path,
    published: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Draw figures as points with their intervals, and the published ones as hollow marks beside them.

    `measured` is row (a metric) → series (a run, a choice of thresholds) → value; `published` row → whose.
    """
    theirs = {row: values for row, values in (published or {}).items() if row in measured}
    series = list(dict.fromkeys(name for row in measured.values() for name in row))
    sources = list(dict.fromkeys(name for row in theirs.values() for name in row))
    step = min(0.22, 0.7 / max(1, len(series)))
    pitch = max(0.34, 0.19 * len(series) + 0.1)
    with picture(path, 5.4, 1.2 + pitch * len(measured) + 0.2 * (len(series) + len(sources))) as figure:
        ax = quiet(figure.subplots(), grid="x")
        for i, name in enumerate(series):
            offset = (i - (len(series) - 1) / 2) * step
            held = [(at + offset, *row[name]) for at, row in enumerate(measured.values()) if name in row]
            at, value, low, high = np.asarray(held).T
            colour = CATEGORICAL[i % len(CATEGORICAL)]
            ax.hlines(at, low, high, color=colour, linewidth=2.2, alpha=0.6)
            mark = MARKERS[i % len(MARKERS)]
            ax.plot(value, at, mark, color=colour, markersize=5.5, label=plain(name, 44))
        for i, name in enumerate(sources):
            own = [row for row in theirs if name in theirs[row]]
            ax.plot(
                [theirs[row][name] for row in own],
                [list(measured).index(row) for row in own],
                MARKERS[(i + 1) % len(MARKERS)],
                markerfacecolor="white",
                markeredgecolor=INK,
                markersize=6.5,
                label=plain(f"published: {name}", 44),
            )
        _listed(ax, list(measured))
        ax.margins(x=0.06)
        for at in range(len(measured) - 1):
            ax.axhline(at + 0.5, color=GRID, linewidth=0.6)
        if len(series) + len(sources) > 1:
            figure.legend(loc="outside lower center", **KEY)


def value_curves(curves: Mapping[str, Mapping[float, Interval]], path: Path, what: str, over: str) -> None:
    """Draw a figure over the values of something, each curve with its intervals.

    Values that are all above 0 and lie far apart are on a logarithmic scale.
    """
    values = sorted({at for curve in curves.values() for at in curve})
    with picture(path, 6.6, 4.0 + 0.2 * len(curves)) as figure:
        ax = quiet(figure.subplots(), grid="y")
        for i, (name, curve) in enumerate(curves.items()):
            colour = CATEGORICAL[i % len(CATEGORICAL)]
            at = sorted(curve)
            value, low, high = np.asarray([curve[one] for one in at]).T
            look: dict[str, Any] = {"color": colour, "marker": MARKERS[i % len(MARKERS)], "markersize": 5}
            ax.plot(
                at, value, label=plain(name, 60), linestyle=_LINES[i % len(_LINES)], linewidth=1.8, **look
            )
            ax.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
        if values[0] > 0 and values[-1] >= 8 * values[0]:
            ax.set_xscale("log", base=2)
        ax.set_xticks(values, [f"{one:g}" for one in values])
        ax.minorticks_off()
        axis_labels(ax, over, what)
        figure.legend(loc="outside lower center", handlelength=2.6, **KEY)


def scatter(
    points: Floats,
    categories: Sequence[str],
    path: Path,
    heading: str = "",
    names: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Draw (n, 2) points coloured by category, the commonest first in the key, with names at their places."""
    held = np.asarray(categories, dtype=object)
    order = by_frequency(categories)
    looks = styles(order)
    size = float(np.clip(16000 / max(1, len(points)), 4.0, 40.0))
    with picture(path, 8.4, 6.6) as figure:
        ax = quiet(figure.subplots())
        for name in order:
            colour, symbol = looks[name]
            at = points[held == name]
            label = plain(f"{name or 'none'} ({len(at):,})", LONGEST_LABEL + 8)
            x, y, mark = at[:, 0], at[:, 1], MARKERS[symbol]
            ax.scatter(x, y, s=size, c=colour, marker=mark, linewidths=0, alpha=0.75, label=label)
        for name, place in (names or {}).items():
            ground = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "boxstyle": "round,pad=0.2"}
            words = plain(name, LONGEST_LABEL + 8)
            ax.annotate(words, place, ha="center", va="center", fontsize=NOTE_SIZE, color=INK, bbox=ground)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_aspect("equal", adjustable="datalim")
        ax.spines[:].set_visible(False)
        if heading:
            title(ax, heading)
        shown = KEY if len(order) <= 20 else KEY | {"fontsize": NOTE_SIZE}
        columns = 1 if len(order) <= 30 else 2
        key = ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=columns, **shown)
        for handle in key.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_sizes([36])
                handle.set_alpha(1)


def by_frequency(categories: Sequence[str]) -> list[str]:
    """Return the distinct categories, the commonest first; sentiment groups keep their natural order."""
    counts = Counter(categories)
    if are_sentiments(counts):
        first = [name for name in SENTIMENT if name in counts]
        return first + [name for name in counts if name not in SENTIMENT]
    return [name for name, _ in counts.most_common()]
