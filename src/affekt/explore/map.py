"""A space in two dimensions: an interactive page that works offline, and a picture of the same."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affekt.errors import UsageError
from affekt.evaluation.arrays import Floats
from affekt.explore.clusters import ClusterSummary
from affekt.report import page, plots
from affekt.report.style import styles

LONGEST_TEXT = 280  # characters shown of a text
MOST_CATEGORIES = 40  # a key longer than this helps nobody: the rest is "other"
_EMOTIONS = ("label", "predicted emotion")  # what a category of these says of a text
_MODULES = ("dom.js", "colours.js", "parts.js", "points.js", "board.js")
_START = """
const place = (id) => document.getElementById(id);
try {
  board(place("board"), fromContent(JSON.parse(place("map-data").textContent)));
  place("still").remove();
} catch (fault) {
  showFault(fault);
}"""


def write_map(
    points: Floats,
    texts: Sequence[str],
    colours: Mapping[str, Sequence[str]],
    clusters: Sequence[ClusterSummary],
    names: Mapping[str, tuple[float, float]],
    path_html: Path,
    path_png: Path,
    title: str,
) -> None:
    """Write a map of texts at (n, 2) points as a page, and as a picture coloured by the first of `colours`.

    Points can be coloured by each of these ("label", "cluster", "sentiment"), which holds a category for each
    point; GoEmotions' sentiment groups are drawn from red over yellow to blue. `names` says where what is
    written on the map. UsageError when there is nothing to colour by, or lengths differ.
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
    plots.scatter(places, gathered[first], path_png, f"{title}, by {first}", names)
    emotions = next((colours[name] for name in _EMOTIONS if name in colours), [""] * len(texts))
    content = {
        "name": title,
        "x": np.round(places[:, 0], 4).tolist(),
        "y": np.round(places[:, 1], 4).tolist(),
        "texts": [shown_text(text) for text in texts],
        "labels": [[one] if one not in ("", "none") else [] for one in emotions],
        "colourings": [_colouring(name, categories) for name, categories in gathered.items()],
        "names": [
            {"text": name, "point": int(np.abs(places - place).sum(axis=1).argmin())}
            for name, place in names.items()
        ],
    }
    shown = page.render(
        "map.html",
        title=title,
        scripts=[page.bundle(_MODULES, _START)],
        styles=["controls.css"],
        embedded=json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        count=len(texts),
        clusters=clusters,
        looks=styles(_told_of(clusters)),
        still=page.image(path_png),
    )
    page.write(path_html, shown)


def name_places(
    points: Floats, assignments: np.ndarray, clusters: Sequence[ClusterSummary]
) -> dict[str, tuple[float, float]]:
    """Return where each cluster's name stands: at the point that is nearest to the middle of the cluster."""
    places: dict[str, tuple[float, float]] = {}
    for one in clusters:
        own = points[assignments == one.number]
        middle = own[np.abs(own - np.median(own, axis=0)).sum(axis=1).argmin()]
        places[one.name] = (float(middle[0]), float(middle[1]))
    return places


def is_map(path: Path) -> bool:
    """Whether a file is a map that was written earlier, so that its picture may be replaced with it."""
    return path.is_file() and b'id="map-data"' in path.read_bytes()


def _gathered(categories: Sequence[str]) -> list[str]:
    """Return the categories with the rarest ones gathered under "other" where there are too many."""
    order = plots.by_frequency(categories)
    if len(order) <= MOST_CATEGORIES:
        return list(categories)
    kept = set(order[: MOST_CATEGORIES - 1])
    return [name if name in kept else "other" for name in categories]


def shown_text(text: str) -> str:
    """Return what is shown of a text: on one line, and cut."""
    whole = " ".join(page.quoted(text).split())
    return whole if len(whole) <= LONGEST_TEXT else whole[: LONGEST_TEXT - 1].rstrip() + "…"


def _colouring(name: str, categories: Sequence[str]) -> dict[str, Any]:
    order = plots.by_frequency(categories)
    numbers = {category: number for number, category in enumerate(order)}
    named = [category or "none" for category in order]
    return {"name": name, "categories": named, "codes": [numbers[category] for category in categories]}


def _told_of(clusters: Sequence[ClusterSummary]) -> list[str]:
    emotions = (label for one in clusters for label, _ in one.emotions)
    words = (label for one in clusters for text in one.carried for _, label, _ in text if label)
    return list(dict.fromkeys([*emotions, *words]))


def write_clusters(
    clusters: Sequence[ClusterSummary], labels: Sequence[str], foremost: Sequence[str], out: Path, title: str
) -> Path:
    """Write what clusters hold, and how many texts have which foremost emotion, as a page."""
    shares = [(name, count / len(foremost)) for name, count in Counter(foremost).most_common()]
    looks = styles([*dict.fromkeys([*labels, *_told_of(clusters)]), "none"])
    count = sum(one.size for one in clusters)
    told: dict[str, Any] = {"count": count, "clusters": clusters, "looks": looks, "shares": shares}
    return page.write(out, page.render("clusters.html", title=title, **told))
