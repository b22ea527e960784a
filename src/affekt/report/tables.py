"""Comparisons as tables: for a terminal, and in Markdown, LaTeX and CSV for papers."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from affekt.errors import DataError
from affekt.evaluation.figures import SPACE, figure
from affekt.recipe.yaml import load_yaml
from affekt.report.compared import Comparison, verdicts
from affekt.report.numbers import Interval, count_text, figure_rows, figure_text
from affekt.report.pictures import choice_name, figures_of
from affekt.runs.folder import RunFolder
from affekt.runs.metrics import judged_texts, space_figures

_PROSE = ("note", "published", "examples")  # of a recipe: they say something of a run and decide nothing
_LATEX = str.maketrans({char: f"\\{char}" for char in "&%$#_{}"} | {"\\": r"\textbackslash{}", "−": "$-$"})


@dataclass(frozen=True)
class FigureRow:
    """A figure of several runs, each with its interval, or of seeds: their mean and range."""

    key: str
    values: Sequence[Interval | None]
    verdict: str = ""  # of the paired test; empty where nothing was tested
    better: tuple[int, ...] = ()  # the places of the runs that the test calls better


@dataclass(frozen=True)
class FigureTable:
    """Figures side by side: by one way of deciding, of spaces, or over seeds."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[FigureRow]

    @property
    def heads(self) -> list[str]:
        """The heads of all columns; the verdicts come first where there are any."""
        return ["figure", *(["verdict"] if self.is_tested else []), *self.columns]

    @property
    def is_tested(self) -> bool:
        """Whether there is a verdict on any figure."""
        return any(row.verdict for row in self.rows)


def tables_of(compared: Comparison) -> list[FigureTable]:
    """Return the figures by way of deciding, the spaces', and those over seeds where a recipe has several."""
    runs, names = list(compared.runs.values()), list(compared.runs)
    ways = list(dict.fromkeys(way for run in runs for way in figures_of(run)[1]))
    decided_by = "fitted" if "fitted" in ways else "".join(ways[:1])  # as the predictions that are paired
    groups = _seeds_of(runs)
    several = [f"{group[0].name}, seeds {', '.join(_seed(run) for run in group)}" for group in groups]
    made, made_over = [], []
    for way in [*ways, ""]:
        heading = choice_name(way, runs[0]) if way else "the space"
        said = verdicts(compared) if way and way == decided_by else {}
        rows = [FigureRow(key, values, *said.get(key, ("", ()))) for key, values in _figures(way, runs)]
        made.append(FigureTable(heading, names, rows))
        ranges = [{key: _range(values) for key, values in _figures(way, group)} for group in groups]
        keys = dict.fromkeys(key for side in ranges for key in side)
        over = [FigureRow(key, [side.get(key) for side in ranges]) for key in keys]
        made_over.append(FigureTable(f"{heading}: mean and range over seeds", several, over))
    return [table for table in [*made, *made_over] if table.rows]


def _figures(way: str, runs: Sequence[RunFolder]) -> list[tuple[str, list[Interval | None]]]:
    """Return the figures of runs by a way of deciding, or of their spaces where it is ""."""
    if not way:
        return figure_rows([space_figures(run.metrics) for run in runs], ("n", "dimension", *SPACE))
    sides = [figures_of(run)[1].get(way) or {} for run in runs]
    return figure_rows(sides, single_label=runs[0].single_label)


def _range(values: Sequence[Interval | None]) -> Interval | None:
    """Return mean, least and most of a figure that all of some runs have."""
    numbers = [value[0] for value in values if value is not None]
    return (fmean(numbers), min(numbers), max(numbers)) if len(numbers) == len(values) else None


def _seed(run: RunFolder) -> str:
    return str(run.metrics.get("seed", "?"))


def _seeds_of(runs: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """Return the runs of each recipe that has several: alike but for the seed, judged on the same texts."""
    groups: dict[tuple[str, str], list[RunFolder]] = defaultdict(list)
    for run in runs:
        if run.recipe:
            groups[but_seed(run.recipe, str(run.path / "recipe.yaml")), judged_texts(run.metrics)].append(run)
    return [group for group in groups.values() if len({_seed(run) for run in group}) > 1]


def but_seed(recipe: str, place: str) -> str:
    """Return all of a recipe's text that decides a run but its seed; RecipeError where it is no YAML."""
    content = load_yaml(recipe, place)
    if not isinstance(content, dict):
        raise DataError(f"{place}: is no recipe, since it has no keys; restore it or train the run again.")
    decides = {key: value for key, value in content.items() if key not in _PROSE}
    if isinstance(decides.get("training"), dict):
        decides["training"] = {key: value for key, value in decides["training"].items() if key != "seed"}
    return json.dumps(decides, sort_keys=True, default=str)


# --- written


def cells(
    table: FigureTable, row: FigureRow, better: str = "{}", escaped: Callable[[str], str] = str
) -> list[str]:
    """Return a row's cells under `FigureTable.heads`; `better` sets off what the paired test supports."""
    shown = [escaped(_cell(row.key, value)) for value in row.values]
    shown = [better.format(text) if at in row.better else text for at, text in enumerate(shown)]
    said = [escaped(row.verdict)] if table.is_tested else []
    return [escaped(figure(row.key).title), *said, *shown]


def _cell(key: str, value: Interval | None) -> str:
    if value is None:
        return "–"
    if figure(key).form == "count":
        return count_text(value[0])
    span = f" [{figure_text(value[1])}, {figure_text(value[2])}]" if value[1] != value[2] else ""
    return figure_text(value[0]) + span


def markdown(tables: Sequence[FigureTable]) -> str:
    """Return tables in Markdown below their headings; bold is what the paired test supports."""

    def escaped(text: str) -> str:
        return text.replace("|", "\\|")

    parts = []
    for table in tables:
        lines = [[escaped(head) for head in table.heads], ["---", *["---:"] * (len(table.heads) - 1)]]
        lines += [cells(table, row, "**{}**", escaped) for row in table.rows]
        parts.append("\n".join([f"### {table.heading}", "", *(f"| {' | '.join(line)} |" for line in lines)]))
    return "\n\n".join(parts)


def latex(tables: Sequence[FigureTable]) -> str:
    """Return tables in LaTeX with booktabs, below their headings as comments; bold as in `markdown`."""

    def escaped(text: str) -> str:
        return text.translate(_LATEX)

    parts = []
    for table in tables:
        rows = [[escaped(head) for head in table.heads]]
        rows += [cells(table, row, r"\textbf{{{}}}", escaped) for row in table.rows]
        heads, *body = [" & ".join(row) + r" \\" for row in rows]
        columns = "l" * (1 + table.is_tested) + "r" * len(table.columns)
        inside = [r"\toprule", heads, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
        parts.append("\n".join([f"% {table.heading}", rf"\begin{{tabular}}{{{columns}}}", *inside]))
    return "\n\n".join(parts)


def csv_text(tables: Sequence[FigureTable]) -> str:
    """Return tables as one CSV, a line for each figure of each run, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "figure", "verdict", "run", "value", "low", "high"])
    for table in tables:
        for row in table.rows:
            for name, value in zip(table.columns, row.values, strict=True):
                if value is not None:
                    limits = value[1:] if value[1] != value[2] else ("", "")
                    writer.writerow([table.heading, row.key, row.verdict, name, value[0], *limits])
    return out.getvalue().rstrip("\n")


WRITTEN = {"markdown": markdown, "latex": latex, "csv": csv_text}
