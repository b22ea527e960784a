"""What staying near the starting space costs: retrofit runs of several λ as a curve (rows D6 and D9).

One point per run, from its metrics.json: how far held-out vectors moved from the frozen start (Δemb, the mean
squared difference) against how well the space groups and retrieves emotions. The plain encoder's own run
has not moved at all.

    python benchmarks/space_trade_off.py PLAIN_RUN RETROFIT_RUN [more…] [--picture FILE.png] [-o FILE.json]
"""

import json
from pathlib import Path
from typing import Any

from common import options_of, tell

FIGURES = ("ami", "ari", "fms", "mrr", "precision_at_1", "map_at_r")
DRAWN = ("ami", "precision_at_1", "map_at_r")


def point_of(folder: Path) -> dict[str, Any]:
    """Return a run's λ (None for the plain encoder), its shift and the figures of its space."""
    from affekt.runs.metrics import space_by_name

    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    space = {"mean_squared_difference": 0.0, "mean_cosine": 1.0} | space_by_name(metrics)
    return {
        "run": folder.name,
        "command": metrics["command"],
        "n": metrics["clustering"]["n"],
        "preservation": metrics["objective"].get("preservation"),
        **{name: space[name] for name in ("mean_squared_difference", "mean_cosine", *FIGURES)},
    }


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Draw the figures against Δemb, each point with its λ."""
    from affekt.evaluation.figures import figure as known
    from affekt.report.style import CATEGORICAL, MARKERS, axis_labels, picture, quiet

    with picture(path, 7.2, 4.6) as figure:
        ax = quiet(figure.subplots(), grid="both")
        shifts = [one["mean_squared_difference"] for one in points]
        for colour, marker, name in zip(CATEGORICAL, MARKERS, DRAWN, strict=False):
            values = [one[name] for one in points]
            ax.plot(shifts, values, marker=marker, color=colour, label=known(name).title)
        for one, shift in zip(points, shifts, strict=True):
            said = "plain" if one["preservation"] is None else f"λ {one['preservation']:g}"
            ax.annotate(said, (shift, one[DRAWN[0]]), (6, -13), textcoords="offset points")
        ax.margins(0.08, 0.15)
        ax.legend(frameon=False)
        axis_labels(ax, "Δemb: mean squared difference to the frozen encoder, held-out texts", "")


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    points = sorted(map(point_of, options.runs), key=lambda one: one["mean_squared_difference"])
    if options.picture:
        draw(points, options.picture)
    tell({"points": points}, options.out)


if __name__ == "__main__":
    main()
