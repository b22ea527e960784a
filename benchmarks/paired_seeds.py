"""Runs of two recipes, seed by seed on the same test rows: how much more the second ones are, and how surely.

    python benchmarks/paired_seeds.py --base RUN … --against RUN … [--resamples 50] [-o FILE.json]

The n-th run of the one is paired with the n-th of the other; name them in the order of their seeds. Decisions
are read from predictions.parquet, as the run made them and, of several labels, at .5 too; intervals are over
rows and seeds. Spaces are those of the test rows with one label, embedded by the runs' models; their
intervals are over rows alone, from halves of them (`affekt.evaluation.intervals.part_limits`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affekt.data.catalog import read_split
from affekt.data.corpus import Corpus
from affekt.errors import UsageError
from affekt.evaluation import retrieval
from affekt.evaluation.clustering import agreement, k_means
from affekt.evaluation.intervals import part_limits
from affekt.evaluation.repeats import repeated_classification
from affekt.inference.model import load
from affekt.runs.folder import RunFolder
from common import options_of, tell

DECIDED = ("f1_macro", "f1_micro", "accuracy")
SPACE = ("ami", "map_at_r")


def decided(base: Sequence[RunFolder], against: Sequence[RunFolder]) -> dict[str, Any]:
    """Return the differences of the decisions' figures, by how was decided."""
    tests = [[run.predictions["test"] for run in runs] for runs in (base, against)]
    rows = {tuple(test.ids) for side in tests for test in side}
    if len(rows) > 1:
        raise UsageError("the runs were not judged on the same test rows; train them on the same data.")
    single, targets = base[0].single_label, tests[0][0].targets
    ways = {"decided": [[test.predicted for test in side] for side in tests]}
    if not single:
        ways["at .5"] = [[np.asarray(test.logits) > 0 for test in side] for side in tests]
    found: dict[str, Any] = {}
    for way, sides in ways.items():
        one, other = (repeated_classification(targets, side, single_label=single) for side in sides)
        found[way] = {
            name: {
                "base": one[name].runs.tolist(),
                "against": other[name].runs.tolist(),
                "difference": other[name].less(one[name]).interval()._asdict(),
            }
            for name in DECIDED
        }
    return found


def spaces(base: Sequence[Path], against: Sequence[Path], corpus: Corpus, resamples: int) -> dict[str, Any]:
    """Return the differences of the spaces' figures, means over the pairs."""
    single = corpus if corpus.single_label else corpus.single_rows()
    classes = single.class_indices()
    pairs = [[load(run).embed(single.texts) for run in pair] for pair in zip(base, against, strict=True)]

    def of(rows: np.ndarray) -> list[list[dict[str, float]]]:
        return [[_of_space(vectors[rows], classes[rows]) for vectors in pair] for pair in pairs]

    whole = of(np.arange(len(single)))
    means = _gained(whole)
    limits = part_limits(means, lambda rows: _gained(of(rows)), len(single), resamples=resamples, seed=0)
    return {
        name: {
            "base": [one[name] for one, _ in whole],
            "against": [other[name] for _, other in whole],
            "difference": {
                "value": means[name],
                **dict(zip(("low", "high"), limits.get(name, (None, None)), strict=True)),
            },
        }
        for name in SPACE
    }


def _gained(found: list[list[dict[str, float]]]) -> dict[str, float]:
    return {name: float(np.mean([other[name] - one[name] for one, other in found])) for name in SPACE}


def _of_space(vectors: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    clusters = k_means(vectors, len(np.unique(classes)), seed=0)  # as `clustering`, without the silhouettes
    return {
        "ami": agreement(classes, clusters)["ami"],
        "map_at_r": retrieval(vectors, classes)["map_at_r"],
    }


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--base", nargs="+", type=Path, required=True)
    parser.add_argument("--against", nargs="+", type=Path, required=True)
    parser.add_argument("--resamples", type=int, default=50)
    given = parser.parse_args()
    if len(given.base) != len(given.against):
        raise UsageError(f"{len(given.base)} and {len(given.against)} runs are not to be paired.")
    folders = [[RunFolder(run) for run in runs] for runs in (given.base, given.against)]
    data = folders[0][0].metrics["data"]["name"]
    corpus = read_split(data, None)
    summary: dict[str, Any] = {"data": data, "n": len(corpus), **decided(*folders)}
    summary |= spaces(given.base, given.against, corpus, given.resamples)
    tell(summary, given.out)


if __name__ == "__main__":
    main()
