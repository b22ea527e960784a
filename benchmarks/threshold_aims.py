"""What thresholds are fitted for, and what that costs: finished multi-label runs judged under every method.

Calibration and thresholds are fitted again on each run's dev logits, and judged on its test logits. "as
trained" is .5 on the uncalibrated sigmoid. Runs of the same recipe are averaged over their seeds.

    python benchmarks/threshold_aims.py RUN [RUN ...] [-o FILE.json]
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from affekt.decisions import Decisions, fit
from affekt.decisions.rules import METHODS
from affekt.evaluation import classification
from affekt.files import read_json
from common import dev_and_test, options_of, tell

FIGURES = ("jaccard", "jaccard_empty_zero", "f1_micro", "f1_macro")


def judged(run: Path) -> dict[str, list[float]]:
    """Return the test figures of a run by method, in the order of `FIGURES`."""
    splits = dev_and_test(run / "predictions.parquet")
    logits, targets = splits["test"]
    rules = {"as trained": Decisions.unfitted(targets.shape[1], single_label=False)} | {
        method: fit(*splits["dev"], single_label=False, thresholds=method, calibration="platt")
        for method in METHODS
    }
    found = {
        method: classification(targets, rule.probabilities(logits), rule.thresholds or 0.5)
        for method, rule in rules.items()
    }
    return {method: [figures[name] for name in FIGURES] for method, figures in found.items()}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    options = parser.parse_args()
    by_recipe: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for run in options.runs:
        for method, figures in judged(run).items():
            by_recipe[read_json(run / "metrics.json")["name"]][method].append(figures)
    summary: dict[str, Any] = {
        recipe: {
            method: {"runs": len(rows), **dict(zip(FIGURES, np.mean(rows, axis=0).tolist(), strict=True))}
            for method, rows in methods.items()
        }
        for recipe, methods in by_recipe.items()
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
