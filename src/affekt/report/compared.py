"""What several runs say beside each other, in numbers: each is compared with the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affekt.errors import UsageError
from affekt.report.pictures import figures_of
from affekt.runs.compare import LabelDifference, Pair, differences, label_differences, pair
from affekt.runs.folder import RunFolder, read_run
from affekt.runs.metrics import judged_split, judged_texts, space_by_name

OTHER_TEXTS = (
    "The runs were judged on different texts: their figures side by side do not say which is better. Only "
    "differences on the texts that both have do."
)

Verdicts = dict[str, tuple[str, tuple[int, ...]]]  # figure → what is said, the places of the better runs


@dataclass(frozen=True, eq=False)
class Difference:
    """How a run differs from the first on the rows that both predicted."""

    rows: Pair
    figures: dict[str, dict[str, float]]  # metric → difference, low, high, p
    labels: list[LabelDifference]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs by name, and how each but the first differs from it; None where nothing can be paired."""

    runs: Mapping[str, RunFolder]
    differences: Mapping[str, Difference | None]

    @property
    def first(self) -> str:
        """The name of the run that the others are compared with."""
        return next(iter(self.runs))

    @property
    def same_texts(self) -> bool:
        """Whether the runs were judged on the same texts with the same labels, as far as is recorded."""
        return len({judged_texts(run.metrics) for run in self.runs.values()}) == 1


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Compare run folders with the first of them: by paired bootstrap over the rows they share."""
    if len(folders) < 2:
        raise UsageError(f"a comparison needs at least two runs, but {len(folders)} was named.")
    runs = _named([read_run(Path(folder)) for folder in folders])
    first, *others = runs.values()
    found: dict[str, Difference | None] = {}
    for name, other in zip(list(runs)[1:], others, strict=True):
        rows = pair(first, other, "test") or pair(first, other, "dev")
        found[name] = Difference(rows, differences(rows), label_differences(rows)) if rows else None
    return Comparison(runs, found)


def verdict(one: Mapping[str, float], first: str, other: str) -> str:
    """Return which run is better, where the interval of the other less the first leaves out zero."""
    if one["low"] > 0:
        return f"{other} is better"
    return f"{first} is better" if one["high"] < 0 else "no clear difference"


def winner(one: LabelDifference, first: str, other: str) -> str | None:
    """Return the run with the higher F1 of a label; None where they are alike."""
    return None if one.first == one.second else first if one.first > one.second else other


def verdicts(compared: Comparison) -> Verdicts:
    """Return what is said of each figure, and who is better: the first must be better than all others."""
    names = list(compared.runs)
    known = {other: found.figures for other, found in compared.differences.items() if found}
    keys = dict.fromkeys(key for figures in known.values() for key in figures)
    said_of: Verdicts = {}
    for key in keys:
        against = {other: figures[key] for other, figures in known.items() if key in figures}
        said = "; ".join(dict.fromkeys(verdict(one, compared.first, other) for other, one in against.items()))
        above = tuple(names.index(other) for other, one in against.items() if one["low"] > 0)
        alone = len(against) == len(names) - 1 and all(one["high"] < 0 for one in against.values())
        said_of[key] = (said, (0,) if alone else above)
    return said_of


def comparison_figures(compared: Comparison) -> dict[str, Any]:
    """Return what a comparison says in figures, fit for JSON.

    Returns:
        "first", the run that the others are compared with; "same_texts", whether their figures are of the
        same texts; "runs": name → its folder, seed, encoder, split, figures, "space" and "space_intervals";
        "differences": name → None where nothing can be paired, else "split", "n", "figures" (metric →
        difference of this run less the first, low, high, p) and "labels" (label → F1 in the first and in this
        run, low and high of the difference, whether it is clear, and the winner or None).
    """
    first, runs = compared.first, {name: _run_figures(run) for name, run in compared.runs.items()}
    paired = {
        other: found and _paired_figures(found, first, other) for other, found in compared.differences.items()
    }
    return {"first": first, "same_texts": compared.same_texts, "runs": runs, "differences": paired}


def _named(runs: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Return the runs by name; where names are the same, by folder, and where those are, by number too."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [f"{name} ({at})" for at, name in enumerate(names, start=1)]
    return dict(zip(names, runs, strict=True))


def _run_figures(run: RunFolder) -> dict[str, Any]:
    return {
        "folder": str(run.path),
        "seed": run.metrics.get("seed"),
        "encoder": (run.metrics.get("encoder") or {}).get("name"),
        "split": judged_split(run.metrics),
        "figures": figures_of(run)[1],
        "space": space_by_name(run.metrics),
        "space_intervals": run.metrics.get("space_intervals") or {},
    }


def _paired_figures(found: Difference, first: str, other: str) -> dict[str, Any]:
    labels = {
        one.label: {
            **{name: getattr(one, name) for name in ("first", "second", "low", "high")},
            "clear": one.is_clear,
            "winner": winner(one, first, other),
        }
        for one in found.labels
    }
    rows = found.rows
    return {"split": rows.split, "n": len(rows.first.texts), "figures": found.figures, "labels": labels}
