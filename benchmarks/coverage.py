"""How often label sets hold the true labels on test, for the coverage that dev promised.

    python benchmarks/coverage.py runs/affekt-small runs/dair-0 [more…]

Reads run folders. The sets of each are fitted on what the run said of dev, as training fits them, and judged
once on test: `coverage` is the share of texts all of whose labels are in their set, `chance` the standard
deviation that rows drawn alike would give it, from the numbers of dev's and test's rows alone, `size` the
mean number of labels in a set, and `silent` the share of sets that say nothing (see `too_wide`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from affekt.decisions.conformal import LabelSets, too_wide
from affekt.errors import DataError
from affekt.runs.folder import RunFolder
from common import options_of, tell

LEVELS = (0.8, 0.9, 0.95)


def covered(folder: RunFolder, levels: tuple[float, ...] = LEVELS) -> dict[str, Any]:
    """Return what a run's sets come to on test."""
    parts = folder.predictions
    if {"dev", "test"} - parts.keys():
        raise DataError(f"{folder.path}: holds no predictions of both dev and test.")
    dev, test = parts["dev"], parts["test"]
    sets = LabelSets.fit(dev.targets, dev.probabilities, single_label=folder.single_label)
    found = {}
    for level in levels:
        held = sets.hold(test.probabilities, level)
        inside = (held | ~test.true).all(axis=1)
        found[f"{level:g}"] = {
            "coverage": float(inside.mean()),
            "chance": float(np.sqrt(level * (1 - level) * (1 / len(dev.ids) + 1 / len(test.ids)))),
            "size": float(held.sum(axis=1).mean()),
            "silent": float(too_wide(held).mean()),
        }
    return {
        "data": folder.metrics["data"]["name"],
        "labels": len(folder.labels),
        "single_label": folder.single_label,
        "dev": len(dev.ids),
        "test": len(test.ids),
        "levels": found,
    }


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    options = parser.parse_args()
    found = {path.name: covered(RunFolder(path)) for path in options.runs}
    gaps = [
        abs(one["coverage"] - float(level)) for run in found.values() for level, one in run["levels"].items()
    ]
    tell({"runs": found, "largest_gap": max(gaps)}, options.out)


if __name__ == "__main__":
    main()
