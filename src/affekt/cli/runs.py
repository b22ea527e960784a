"""`affekt train`, `affekt compare`, `affekt reproduce`: verbs that make and read run folders."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from affekt.cli import console
from affekt.cli.options import spoken
from affekt.data.columns import as_keys
from affekt.errors import UsageError


@spoken(as_keys)
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a bundled recipe.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key, such as training.epochs=3.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/NAME by default.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Write report.html into the run folder.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print metrics.json.")] = False,
) -> None:
    """Train what a recipe says into a run folder."""
    from affekt.recipe.read import read_recipe
    from affekt.training.data import look_first

    parsed = read_recipe(recipe, tuple(set_ or ()))
    folder = out or Path("runs") / parsed.name
    splits = look_first(parsed, folder, resume=resume)  # faults are said before torch is loaded
    from affekt.training.fit import Listener
    from affekt.training.processes import leads
    from affekt.training.run import train as run_training

    with console.progress("training") as tick:
        metrics = run_training(
            parsed,
            folder,
            resume=resume,
            command=command_line(),
            listener=Listener(console.say, tick),
            splits=splits,
        )
    if not leads():
        return
    if report:
        from affekt.report.run import write_report

        console.say(f"report: {write_report(folder)}")
    show_metrics(metrics, folder, as_json=json)


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["affekt", *sys.argv[1:]])


def show_metrics(metrics: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print a run's figures."""
    from affekt.decisions.rules import way_name
    from affekt.evaluation.figures import MAIN, SPACE
    from affekt.runs.metrics import judged_split, space_figures

    if as_json:
        console.result_json(metrics)
        return
    judged = judged_split(metrics)
    others = {f"{metrics['name']} ({task})": part for task, part in (metrics.get("tasks") or {}).items()}
    for title, part in {metrics["name"]: metrics, **others}.items():
        split = judged_split(part)
        if ways := part.get(split) or {}:
            single = part["data"]["single_label"]
            heads = [
                "the likeliest label" if single else way_name(way, part.get("decisions")) for way in ways
            ]
            rows = [[name, *(console.interval(ways[way].get(name)) for way in ways)] for name in MAIN]
            heading = f"{title}: {split}, n = {part['data']['splits'][split]['n']:,}"
            console.table(heading, ["figure", *heads], rows)
    space = space_figures(metrics)
    rows = [[name, console.figure(name, space[name])] for name in SPACE if name in space]
    if rows:
        size = f", n = {space['n']['value']:,}" if "n" in space else ""
        console.table(f"the space: {judged}{size}", ["figure", "value"], rows)
    console.say(f"run folder: {folder}")


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("comparison.html"),
    form: Annotated[
        Literal["text", "markdown", "latex", "csv"],
        typer.Option("--format", help="How the tables are printed."),
    ] = "text",
    json: Annotated[bool, typer.Option("--json", help="Print the figures and differences as JSON.")] = False,
) -> None:
    """Set runs side by side: figures, paired differences, who wins where."""
    from affekt.report.compared import OTHER_TEXTS, compare_runs, comparison_figures
    from affekt.report.comparison import write_comparison
    from affekt.report.page import check_page
    from affekt.report.tables import WRITTEN, cells, tables_of

    check_page(out)
    compared = compare_runs(runs)
    write_comparison(compared, out)
    figures, tables = comparison_figures(compared), tables_of(compared)
    if not (compared.same_texts or json):
        console.say(f"warning: {OTHER_TEXTS}")
    if json:
        console.result_json(figures)
    elif form != "text":
        console.result(WRITTEN[form](tables))
    else:
        for table in tables:
            console.table(table.heading, table.heads, [cells(table, row) for row in table.rows])
        _show_differences(figures)
    console.say(f"page: {out}")


def _show_differences(figures: dict[str, Any]) -> None:
    first = figures["first"]
    for other, against in figures["differences"].items():
        if against is None:
            said = "share no predicted rows with the same labels: nothing is paired."
            console.say(f"{first} and {other} {said}")
            continue
        parts = ("difference", "low", "high")
        rows = [
            [metric, *(f"{one[part]:+.3f}" for part in parts), f"{one['p']:.3f}"]
            for metric, one in against["figures"].items()
        ]
        heading = f"{other} minus {first}: {against['split']}, n = {against['n']:,}"
        console.table(heading, ["figure", "difference", "95 % low", "high", "p"], rows)
        wins = [label["winner"] for label in against["labels"].values() if label["clear"]]
        counted = ", ".join(f"{name} {wins.count(name)}" for name in (first, other))
        console.result(f"of {len(against['labels'])} labels won clearly: {counted}")


def reproduce(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Rows such as B3 C1; all of them by default.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where the run folders are.")] = Path("runs"),
    out: Annotated[Path, typer.Option(help="Where the tables go.")] = Path("docs/results"),
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing: fail where a page and the metrics kept beside it disagree."
        ),
    ] = False,
) -> None:
    """Write the published tables beside ours, from run folders."""
    from affekt.studies.reproduce import check_tables, write_tables

    if check:
        if rows:
            raise UsageError(f"--check looks at all pages of {out}; leave {' '.join(rows)} out.")
        for path in check_tables(out):
            console.result(f"{path}: as its metrics say")
        return

    for path in write_tables(tuple(rows or ()), runs, out):
        console.say(f"wrote {path}")
