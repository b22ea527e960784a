"""An audit as a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affekt.report import page
from affekt.report.numbers import points
from affekt.report.style import styles

CLEAR = 0.05  # corrected p-values below are said to be no chance


def in_words(content: Mapping[str, Any]) -> list[str]:
    """Return what of an audit chance does not explain, the largest first."""
    clear = [(kind, one) for kind in content["kinds"] for one in kind["labels"] if one["p_holm"] < CLEAR]

    return [
        f"{one['label']} is {points(one['mean'], one['low'], one['high'])} "
        f"{'likelier' if one['mean'] > 0 else 'less likely'}: "
        f"{kind['second']} against {kind['first']} ({kind['kind']})"
        for kind, one in sorted(clear, key=lambda found: -abs(found[1]["mean"]))
    ]


def write_audit(content: Mapping[str, Any], out: Path) -> Path:
    """Write the page of an audit."""
    labels = [one["label"] for one in content["kinds"][0]["labels"]]
    shown = page.render(
        "audit.html", title="Audit – affekt", told=content, said=in_words(content), looks=styles(labels)
    )
    return page.write(out, shown)
