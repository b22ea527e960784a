"""A space in two dimensions: an interactive page that works offline, and a picture of the same."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from affekt.errors import UsageError
from affekt.evaluation.arrays import Floats
from affekt.explore.clusters import ClusterSummary
from affekt.files import written_aside
from affekt.report import figures
from affekt.report.html import Markup, asset, bars, join, page, tag
from affekt.report.html import picture as picture_of
from affekt.report.palette import SYMBOLS, styles

LONGEST_TEXT = 280  # characters shown of a text
LINE = 56  # characters to a line
MOST_CATEGORIES = 40  # a key longer than this helps nobody: the rest is "other"


def write_map(
    points: Floats,
    texts: Sequence[str],
    colours: Mapping[str, Sequence[str]],
    clusters: Sequence[ClusterSummary],
    path_html: Path,
    path_png: Path,
    title: str,
) -> None:
    """Write a map of texts as a page and as a picture coloured by the first of the colourings.

    Args:
        points: (n, 2), see `projection.project`.
        texts: The n texts; shown at their points.
        colours: What points can be coloured by ("label", "cluster", "sentiment") → a category for each point.
            Categories that are GoEmotions' sentiment groups are drawn from red over yellow to blue.
        clusters: What the clusters hold; may be empty.
        path_html: The page.
        path_png: The picture.
        title: What is shown.

    Raises:
        UsageError: When there is nothing to colour by, or lengths differ.
    """
    places = np.asarray(points, dtype=np.float64)
    if not colours:
        raise UsageError("a map needs something to colour by: labels, clusters or sentiment.")
    for name, categories in colours.items():
        if not len(categories) == len(texts) == len(places):
            raise UsageError(
                f"a map of {len(texts)} texts needs as many points and categories; "
                f"there are {len(places)} points, and {len(categories)} categories of {name}."
            )
    gathered = {name: _gathered(categories) for name, categories in colours.items()}
    first = next(iter(gathered))
    figures.scatter(places, gathered[first], path_png, f"{title}, by {first}")
    text = _render(places, texts, gathered, clusters, title, path_png)
    with written_aside(path_html) as aside:
        aside.write_text(text, encoding="utf-8")


def is_map(page: Path) -> bool:
    """Whether a file is a map that was written earlier, so that its picture may be replaced with it."""
    return page.is_file() and b'id="map-data"' in page.read_bytes()


def _gathered(categories: Sequence[str]) -> list[str]:
    """Return the categories with the rarest ones gathered under "other" where there are too many."""
    order = figures.by_frequency(categories)
    if len(order) <= MOST_CATEGORIES:
        return list(categories)
    kept = set(order[: MOST_CATEGORIES - 1])
    return [name if name in kept else "other" for name in categories]


def hover_text(text: str) -> str:
    """Return what is shown at a point: the text cut, wrapped and escaped (the chart reads some HTML)."""
    whole = " ".join(text.split())
    cut = whole if len(whole) <= LONGEST_TEXT else whole[: LONGEST_TEXT - 1].rstrip() + "…"
    return "<br>".join(escape(line) for line in textwrap.wrap(cut, LINE)) or "(empty)"


def _colouring(name: str, categories: Sequence[str]) -> dict[str, Any]:
    order = figures.by_frequency(categories)
    looks = styles(order)
    numbers = {category: number for number, category in enumerate(order)}
    return {
        "name": name,
        "categories": [
            {"name": category or "none", "colour": looks[category][0], "symbol": SYMBOLS[looks[category][1]]}
            for category in order
        ],
        "codes": [numbers[category] for category in categories],
    }


def _render(
    places: Floats,
    texts: Sequence[str],
    colours: Mapping[str, Sequence[str]],
    clusters: Sequence[ClusterSummary],
    title: str,
    png: Path,
) -> str:
    from plotly.offline import get_plotlyjs

    content = {
        "x": np.round(places[:, 0], 4).tolist(),
        "y": np.round(places[:, 1], 4).tolist(),
        "texts": [hover_text(text) for text in texts],
        "colourings": [_colouring(name, categories) for name, categories in colours.items()],
    }
    # "<" spelled otherwise, so that no text can end the element it stands in
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    data = tag("script", Markup(written), type="application/json", id="map-data")
    body = join(
        [
            tag(
                "header", tag("h1", title), tag("p", _lede(len(texts), clusters), class_="lede"), class_="top"
            ),
            tag("main", _map_section(colours, png), _cluster_section(clusters)),
            tag("footer", "Written by affekt. This page works offline and sends nothing anywhere."),
        ]
    )
    return page(title, body, [get_plotlyjs(), asset("map.js")], data, compiles=True)


def _lede(count: int, clusters: Sequence[ClusterSummary]) -> str:
    held = f", {len(clusters)} clusters" if clusters else ""
    return f"{count:,} texts{held}. Near points are texts the model finds alike; axes have no meaning."


def _map_section(colours: Mapping[str, Sequence[str]], png: Path) -> Markup:
    buttons = [
        tag(
            "button", name, type="button", data_colouring=str(at), aria_pressed="true" if at == 0 else "false"
        )
        for at, name in enumerate(colours)
    ]
    still = picture_of(png, "The map as a still picture.")
    return tag(
        "section",
        tag("h2", "Map"),
        tag(
            "div",
            tag(
                "div", tag("span", "Colour by"), join(buttons), class_="choice", role="group", id="colourings"
            ),
            tag(
                "label",
                "Find ",
                tag("input", type="search", id="find", placeholder="a word", autocomplete="off"),
                tag("output", id="found", for_="find"),
            ),
            class_="controls",
        ),
        tag(
            "div",
            id="plot",
            class_="plot",
            role="figure",
            aria_label="Map of the texts; clusters are described below.",
        ),
        tag("noscript", still),
        tag("div", id="key", class_="key", role="group", aria_label="Categories shown"),
        id="map",
    )


def _cluster_section(clusters: Sequence[ClusterSummary]) -> Markup:
    if not clusters:
        return Markup()
    cards = [
        tag(
            "article",
            tag("h3", one.name),
            tag("p", f"{one.size:,} texts, {one.share:.1%}", class_="note"),
            bars(one.emotions) if one.emotions else "",
            tag("ul", join(tag("li", word) for word in one.words), class_="badges") if one.words else "",
            tag("ul", join(tag("li", _short(text)) for text in one.typical), class_="typical"),
            class_="card",
        )
        for one in clusters
    ]
    note = (
        "Each cluster with its size, the mean score of its strongest emotions, the words that set it apart "
        "from the rest, and the texts nearest its centre."
    )
    return tag(
        "section",
        tag("h2", "Clusters"),
        tag("p", note, class_="note"),
        tag("div", join(cards), class_="cards"),
        id="clusters",
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1].rstrip() + "…"
