"""Small pieces of HTML. Whatever comes from outside is escaped here; only `Markup` passes as it is."""

import base64
import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from affekt.data.writing import format_of
from affekt.report.canvas import DPI

PAGES = (".html", ".htm")

_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
$body
$scripts
</body>
</html>
"""
)


class Markup(str):
    """Text that is HTML already; every other str is escaped before it reaches a page."""

    __slots__ = ()


@dataclass(frozen=True)
class Cell:
    """A table cell whose sorting key is not what it shows."""

    content: str
    key: float | str | None = None
    classes: str = ""


@dataclass(frozen=True)
class Column:
    """A table column."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page, with its place in the contents."""

    anchor: str
    heading: str
    body: Markup


def safe(content: object) -> Markup:
    """Return content as HTML, escaped unless it is `Markup`."""
    return content if isinstance(content, Markup) else Markup(escape(str(content)))


def tag(name: str, *content: object, **attributes: str | None) -> Markup:
    """Return an element; underscores in attribute names become hyphens, None leaves an attribute out.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Return the parts one after another, each escaped unless it is `Markup`."""
    return Markup(between.join(safe(part) for part in parts))


def asset(name: str) -> str:
    """Return the text of a file beside this package's code."""
    return files("affekt.report").joinpath("assets", name).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """Return what a content security policy must name for an inline script to run."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def check_page(path: Path) -> None:
    """Raise UsageError for a name that is no page's: what is meant for something else is not written over."""
    format_of(path, PAGES)


def page(
    title: str,
    body: Markup,
    scripts: Sequence[str] = (),
    data: Markup | None = None,
    *,
    compiles: bool = False,
) -> str:
    """Return a whole page that fetches nothing and runs no script but the given ones.

    Args:
        title: What the tab says.
        body: The content.
        scripts: Inline scripts, in order.
        data: A block of data for the scripts, already in its element.
        compiles: Whether the scripts compile functions from text (WebGL charts do).
    """
    allowed = [script_hash(script) for script in scripts] + (["'unsafe-eval'"] if compiles else [])
    policy = (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {' '.join(allowed) or chr(39) + 'none' + chr(39)}; base-uri 'none'; form-action 'none'"
    )
    return _PAGE.substitute(
        policy=policy,
        title=escape(title),
        style=asset("page.css"),
        body=body,
        scripts=(data or "") + "".join(f"<script>{script}</script>" for script in scripts),
    )


def contents(sections: Sequence[Section]) -> Markup:
    """Return links to the sections."""
    links = [tag("li", tag("a", one.heading, href=f"#{one.anchor}")) for one in sections]
    return tag("nav", tag("ul", join(links)), class_="contents", aria_label="Contents")


def laid_out(sections: Sequence[Section]) -> Markup:
    """Return the sections one after another."""
    return join(
        tag("section", tag("h2", one.heading), one.body, id=one.anchor, aria_label=one.heading)
        for one in sections
    )


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Cell]],
    *,
    name: str,
    caption: str = "",
    sorted_by: int | None = None,
    stacks: bool = False,
) -> Markup:
    """Return a table that scrolls inside its own box; its first column heads the rows.

    Args:
        columns: The headings.
        rows: As many cells as there are columns, each row.
        name: What the table holds, for those who hear it.
        caption: What is said above it.
        sorted_by: The column by which rows come sorted, largest first; given, readers can sort by any column.
        stacks: Whether a row of texts becomes lines under each other on a small screen.
    """
    sortable = sorted_by is not None
    heads = [
        tag(
            "th",
            tag("button", column.name, type="button") if sortable else column.name,
            scope="col",
            class_="number" if column.numeric else None,
            aria_sort="descending" if at == sorted_by else None,
        )
        for at, column in enumerate(columns)
    ]
    lines = [tag("tr", join(_cell(cell, at, columns[at]) for at, cell in enumerate(row))) for row in rows]
    whole = tag(
        "table",
        tag("caption", caption) if caption else "",
        tag("thead", tag("tr", join(heads))),
        tag("tbody", join(lines, "\n")),
        class_="sortable" if sortable else "stacks" if stacks else None,
    )
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=name)


def _cell(cell: str | Cell, at: int, column: Column) -> Markup:
    given = cell if isinstance(cell, Cell) else Cell(cell)
    classes = " ".join(part for part in ("number" if column.numeric else "", given.classes) if part) or None
    key = None if given.key is None else str(given.key)
    if at == 0:
        return tag("th", given.content, scope="row", class_=classes, data_key=key)
    return tag("td", given.content, class_=classes, data_key=key, data_name=column.name)


def picture(path: Path, alt: str, caption: str = "") -> Markup:
    """Return a figure with its image inside the page; on a small screen it may scroll in its box."""
    content = path.read_bytes()
    pixels = struct.unpack(">II", content[16:24])  # where a PNG says its size
    width, height = (round(side * 96 / DPI) for side in pixels)
    source = "data:image/png;base64," + base64.b64encode(content).decode()
    image = Markup(
        f'<img src="{source}" alt="{escape(alt)}" width="{width}" height="{height}"'
        f' style="--width:{width}px">'
    )
    box = tag("div", image, class_="picture", tabindex="0")
    return tag("figure", box, tag("figcaption", caption) if caption else "")


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return names with their values; empty values are left out."""
    return tag(
        "dl",
        join(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if str(value)),
        class_="facts",
    )


def bars(lengths: Iterable[tuple[str, float]]) -> Markup:
    """Return a bar chart of shares between 0 and 1, in plain elements."""
    rows = [
        tag(
            "li",
            tag("span", name, class_="name"),
            tag("span", tag("span", style=f"width:{max(0.0, min(1.0, share)):.1%}"), class_="track"),
            tag("span", f"{share:.1%}".replace("100.0", "100"), class_="value"),
        )
        for name, share in lengths
    ]
    return tag("ul", join(rows), class_="bars")


def interval_strip(value: float, low: float, high: float) -> Markup:
    """Return a drawing of a figure between 0 and 1 with its interval; the numbers stand beside it."""
    x, left, right = (f"{100 * max(0.0, min(1.0, one)):.1f}" for one in (value, low, high))
    return Markup(
        '<svg class="strip" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="rail" x1="0" x2="100" y1="5" y2="5"/>'
        f'<line class="span" x1="{left}" x2="{right}" y1="5" y2="5"/>'
        f'<line class="mark" x1="{x}" x2="{x}" y1="1" y2="9"/></svg>'
    )
