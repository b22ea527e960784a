"""Plain, global and shrunk per-label thresholds, fitted on resampled dev sets and judged on test.

    python benchmarks/thresholds.py runs/goemotions/predictions.parquet [more…] [--resamples 20] [--rows 1500]

Reads what training writes beside its metrics (columns split, targets, logits). Each dev set is dev's rows
drawn with replacement, all of them or as many as --rows says; every method is fitted on the same draws.
"""

from pathlib import Path
from typing import Any

import numpy as np

from affekt.decisions import Decisions, fit_thresholds
from affekt.evaluation import classification
from common import dev_and_test, options_of, tell

METHODS: dict[str, dict[str, Any]] = {
    "fixed .5": {"method": "fixed"},
    "plain argmax": {"resamples": 0, "prior_positives": 0.0},
    "global": {"method": "global"},
    "bagged argmax": {"prior_positives": 0.0},
    "shrunk (default)": {},
}


def read(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return (targets, probabilities) of dev and test from a run's predictions."""
    found = {}
    for split, (logits, targets) in dev_and_test(path).items():
        plain = Decisions.unfitted(targets.shape[1], single_label=False)
        found[split] = (targets, plain.probabilities(logits))
    return found


def macro_f1(dev: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> list[float]:
    """Return test macro-F1 of each method fitted on dev."""
    fitted = [fit_thresholds(*dev, **options) for options in METHODS.values()]
    return [classification(*test, thresholds)["f1_macro"] for thresholds in fitted]


def compared(path: Path, resamples: int, rows: int) -> dict[str, Any]:
    """Return macro-F1 on test by method: fitted on dev as it is, then over redrawn dev sets."""
    splits = read(path)
    dev, test = splits["dev"], splits["test"]
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(dev[0]), rows or len(dev[0])) for _ in range(resamples)]
    scores = np.array([macro_f1((dev[0][drawn], dev[1][drawn]), test) for drawn in draws])
    gains = scores - scores[:, [list(METHODS).index("plain argmax")]]
    methods = {
        name: {
            "whole_dev": whole,
            "redrawn": float(scores[:, place].mean()),
            "gain_on_plain_argmax": float(gains[:, place].mean()),
            "standard_error": float(gains[:, place].std() / np.sqrt(len(draws))),
            "wins": float((gains[:, place] > 0).mean()),
        }
        for place, (name, whole) in enumerate(zip(METHODS, macro_f1(dev, test), strict=True))
    }
    return {"dev": len(dev[0]), "test": len(test[0]), "rows_drawn": len(draws[0]), "f1_macro": methods}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("predictions", nargs="+", type=Path)
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--rows", type=int, default=0, help="rows of each dev set; 0: as many as dev has")
    options = parser.parse_args()
    results = {str(path): compared(path, options.resamples, options.rows) for path in options.predictions}
    tell({"draws": options.resamples, "results": results}, options.out)


if __name__ == "__main__":
    main()
