"""Macro-F1 of finished runs on their test set as it is and with typos in 5, 10 and 20 % of the words.

The corruption is that of affekt.text.typos, on the texts before they are normalised. Decisions are the plain
ones ("fixed": .5, or the likeliest label) and, for several labels, those each run fitted on its clean dev
split. Runs are compared with the first one on the same rows, and each run with itself on the clean texts, by
paired bootstrap; `loss_beside_first` is how much more a run loses to the typos than the first does.

    python benchmarks/typos.py RUN RUN [RUN ...] [--shares .05 .1 .2] [--seed 0] [--rows N] [-o FILE.json]
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common import options_of, tell

SHARES = (0.05, 0.1, 0.2)


def load_test(folders: list[Path], rows: int | None) -> Any:
    """Return the test corpus of the first run, which must be that of the others too."""
    from affekt.recipe.read import read_recipe
    from affekt.training.data import load_splits

    tests = {}
    for folder in folders:
        recipe = read_recipe(folder / "recipe.yaml")
        splits = load_splits(recipe.data)
        if "test" not in splits:
            sys.exit(f"{folder}: its data has no test split.")
        tests[folder] = splits["test"]
    first = tests[folders[0]]
    for folder, corpus in tests.items():
        if corpus.digest != first.digest:
            sys.exit(
                f"{folder}: was judged on other test rows than {folders[0]}; the runs can't be compared."
            )
    return first if rows is None else first.select(range(min(rows, len(first))))


def decisions_of(model: Any, corpus: Any) -> dict[str, np.ndarray]:
    """Return (n, k) decisions by way: fixed, and fitted where there are several labels."""
    from affekt.decisions import Decisions

    logits = model.logits(corpus.texts)
    plain = Decisions.unfitted(len(model.labels), single_label=model.single_label)
    ways = {"fixed": plain} if model.single_label else {"fixed": plain, "fitted": model.decisions}
    return {way: rule.decide(rule.probabilities(logits)) for way, rule in ways.items()}


def f1_macro(targets: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean over labels of F1, 0 for a label without true and predicted rows."""
    both = (targets * predicted).sum(0)
    either = targets.sum(0) + predicted.sum(0)
    return float(np.divide(2 * both, either, out=np.zeros(len(both)), where=either > 0).mean())


def kept(targets: np.ndarray, clean_and_typos: np.ndarray) -> float:
    """Return macro-F1 with typos less that without; the two decisions lie side by side in (n, 2, k)."""
    return f1_macro(targets, clean_and_typos[:, 1]) - f1_macro(targets, clean_and_typos[:, 0])


def judged(
    targets: np.ndarray, decided: dict[str, dict[str, np.ndarray]], *, single_label: bool, resamples: int
) -> dict[str, Any]:
    """Return the figures of one way of deciding.

    Args:
        targets: (n, k), 0 or 1.
        decided: Run → level ("clean", "5", …) → (n, k) decisions.
        single_label: Whether each text has exactly one label.
        resamples: Of each bootstrap.
    """
    from affekt.evaluation.intervals import bootstrap, paired_bootstrap

    def compared(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
        return paired_bootstrap(targets, one, other, single_label=single_label, resamples=resamples)

    first, *others = decided
    found: dict[str, Any] = {}
    for level in decided[first]:
        runs: dict[str, Any] = {}
        for run, levels in decided.items():
            interval = bootstrap(f1_macro, targets, levels[level], resamples=resamples)
            runs[run] = {"f1_macro": interval._asdict()}
            if level != "clean":
                runs[run]["minus_clean"] = compared(levels[level], levels["clean"])
        for run in others:
            here, there = decided[run], decided[first]
            runs[run]["minus_first"] = compared(here[level], there[level])
            if level != "clean":
                pairs = [np.stack([side["clean"], side[level]], axis=1) for side in (there, here)]
                runs[run]["loss_beside_first"] = paired_bootstrap(
                    targets, *pairs, metric=kept, resamples=resamples
                )
        found[level] = runs
    return found


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--shares", nargs="+", type=float, default=list(SHARES))
    parser.add_argument("--seed", type=int, default=0, help="of the typos")
    parser.add_argument("--rows", type=int, help="only the first rows of the test set")
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    if len({folder.name for folder in options.runs}) < max(2, len(options.runs)):
        parser.error("name two or more run folders of different names")
    from affekt import load
    from affekt.text.typos import with_typos, words_of

    test = load_test(options.runs, options.rows)
    texts = {"clean": test}
    for share in options.shares:
        misspelt = [with_typos(text, share, seed=options.seed) for text in test.texts]
        texts[f"{100 * share:g}"] = replace(test, texts=misspelt, name=f"{test.name}-typos-{100 * share:g}")
    decided: dict[str, dict[str, dict[str, np.ndarray]]] = {}  # way → run → level → decisions
    for folder in options.runs:
        model = load(folder)
        if tuple(model.labels) != tuple(test.labels):
            sys.exit(
                f"{folder}: predicts {', '.join(model.labels) or 'no labels'}, not those of {test.name}."
            )
        for level, corpus in texts.items():
            for way, decisions in decisions_of(model, corpus).items():
                decided.setdefault(way, {}).setdefault(folder.name, {})[level] = decisions
    targets = (np.asarray(test.targets) > 0.5).astype(np.float64)
    summary = {
        "data": test.name,
        "rows": len(test),
        "words": sum(len(list(words_of(text))) for text in test.texts),
        "seed": options.seed,
        "texts_changed": {
            level: sum(a != b for a, b in zip(test.texts, corpus.texts, strict=True))
            for level, corpus in texts.items()
        },
        "results": {
            way: judged(targets, runs, single_label=test.single_label, resamples=options.resamples)
            for way, runs in decided.items()
        },
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
