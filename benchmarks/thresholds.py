"""Plain, global and shrunk per-label thresholds, fitted on resampled dev sets and judged on test.

    python benchmarks/thresholds.py runs/goemotions/predictions.parquet [more…] [--resamples 20] [--rows 1500]

Reads what training writes beside its metrics (columns split, targets, logits). Each dev set is dev's rows
drawn with replacement, all of them or as many as --rows says; every method is fitted on the same draws.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from affekt.decisions import Decisions, fit_thresholds
from affekt.evaluation import classification

METHODS = {
    "fixed .5": {"method": "fixed"},
    "plain argmax": {"resamples": 0, "prior_positives": 0.0},
    "global": {"method": "global"},
    "bagged argmax": {"prior_positives": 0.0},
    "shrunk (default)": {},
}


def read(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return (targets, probabilities) of dev and test from a run's predictions."""
    table = pq.read_table(path, columns=["split", "targets", "logits"])
    splits = np.asarray(table["split"].to_pylist())
    targets, logits = (np.asarray(table[name].to_pylist()) for name in ("targets", "logits"))
    sigmoids = Decisions.unfitted(logits.shape[1], single_label=False).probabilities(logits)
    return {split: (targets[splits == split], sigmoids[splits == split]) for split in ("dev", "test")}


def macro_f1(dev: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> list[float]:
    """Return test macro-F1 of each method fitted on dev."""
    fitted = [fit_thresholds(*dev, **options) for options in METHODS.values()]
    return [classification(*test, thresholds)["f1_macro"] for thresholds in fitted]


def main() -> None:
    """Print a table per file: fitted on dev as it is, then means, gains and wins over redrawn dev sets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("predictions", nargs="+", type=Path)
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--rows", type=int, default=0, help="rows of each dev set; 0: as many as dev has")
    options = parser.parse_args()
    for path in options.predictions:
        splits = read(path)
        dev, test = splits["dev"], splits["test"]
        random = np.random.default_rng(0)
        draws = [
            random.integers(0, len(dev[0]), options.rows or len(dev[0])) for _ in range(options.resamples)
        ]
        scores = np.array([macro_f1((dev[0][rows], dev[1][rows]), test) for rows in draws])
        gains = scores - scores[:, [list(METHODS).index("plain argmax")]]
        print(f"{path}: dev {len(dev[0])} rows, test {len(test[0])}, {len(draws)} draws of {len(draws[0])}")
        print(f"{'method':18s} {'whole dev':>9s} {'redrawn':>8s} {'gain':>7s} {'± s.e.':>7s} {'wins':>5s}")
        for place, (name, whole) in enumerate(zip(METHODS, macro_f1(dev, test), strict=True)):
            gain = gains[:, place]
            error, wins = gain.std() / np.sqrt(len(gain)), (gain > 0).mean()
            mean = scores[:, place].mean()
            print(f"{name:18s} {whole:9.4f} {mean:8.4f} {gain.mean():+7.4f} {error:7.4f} {wins:5.2f}")


if __name__ == "__main__":
    main()
