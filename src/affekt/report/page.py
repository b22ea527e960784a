"""Pages from templates: whatever comes from outside is escaped, nothing is fetched, no other script runs."""

import base64
import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from affekt.data.writing import check_output
from affekt.evaluation.figures import figure
from affekt.files import written_aside
from affekt.report import numbers
from affekt.report.style import DPI

PAGES = (".html", ".htm")


@dataclass(frozen=True)
class Image:
    """A picture that lies inside the page."""

    source: str
    width: int
    height: int


def asset(name: str) -> str:
    """Return the text of a file beside the templates, or of one that the served page has too."""
    place = files("affekt.report")
    found = [place.joinpath(folder, name) for folder in ("templates", "web")]
    return next(one for one in found if one.is_file()).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """Return what a content security policy must name for an inline script to run."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def bundle(modules: Sequence[str], last: str) -> str:
    """Return modules, each of which needs only those before it, and what comes last, as one script."""
    parts = [re.sub(r"^import .*\n|^export ", "", asset(name), flags=re.MULTILINE) for name in modules]
    return "\n".join(["(() => {", '"use strict";', *parts, last, "})();"])


def check_page(path: Path) -> None:
    """Raise UsageError for a page that cannot be written there, or whose name is no page's."""
    check_output(path, PAGES)


def image(path: Path) -> Image:
    """Return a PNG as a page holds it, at the size it has on paper."""
    content = path.read_bytes()
    width, height = (round(side * 96 / DPI) for side in struct.unpack(">II", content[16:24]))
    return Image("data:image/png;base64," + base64.b64encode(content).decode(), width, height)


def render(
    template: str,
    *,
    title: str,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    embedded: str = "",
    **content: Any,
) -> str:
    """Return a whole page of what a template shows; every str of `content` is escaped.

    The inline `scripts` alone may run, with `embedded` as their JSON; `styles` are further style sheets.
    """
    allowed = [script_hash(script) for script in scripts]
    policy = (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {' '.join(allowed) or chr(39) + 'none' + chr(39)}; base-uri 'none'; form-action 'none'"
    )
    content |= {
        "style": Markup("".join(map(asset, ("tokens.css", "page.css", *styles)))),  # noqa: S704
        "scripts": [Markup(script) for script in scripts],  # noqa: S704
        # "<" spelled otherwise, so that no text can end the element it stands in
        "embedded": Markup(embedded.replace("<", "\\u003c")),  # noqa: S704
    }
    return _environment().get_template(template).render(title=title, policy=policy, **content)


def write(path: Path, page: str) -> Path:
    """Write a page whole, or not at all."""
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")
    return path


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("affekt.report"),
        autoescape=True,
        undefined=ChainableUndefined,  # what a run has no number for is left out
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "figure": numbers.value_text,
        "count": numbers.count_text,
        "size": numbers.size_text,
        "duration": numbers.duration_text,
        "probability": numbers.probability_text,
        "signed": numbers.signed_text,
        "percent": lambda share: f"{share:.1%}".replace("100.0", "100"),
        "width": _width,
        "title_of": lambda key: figure(key).title,
        "quoted": quoted,
        "training": _training,
        "precise": lambda value: "–" if numbers.as_number(value) is None else f"{value:.4f}",
        "setting": lambda value: f"{value:g}" if isinstance(value, float) else str(value),
    }
    return made


def _width(share: float, unit: str = "%") -> str:
    """Return how far a share between 0 and 1 reaches; what lies outside is cut."""
    return f"{100 * max(0.0, min(1.0, share)):.1f}{unit}"


def _training(recipe: Any) -> dict[str, Any]:
    """Return the training section of a recipe's text; nothing where there is none that can be read."""
    try:
        read = yaml.safe_load(str(recipe))
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    section = read.get("training") if isinstance(read, dict) else None
    return section if isinstance(section, dict) else {}


def quoted(text: str) -> str:
    """Return a text as its writer saw it: "&amp;" of a web page is "&" again."""
    return unescape(text)
