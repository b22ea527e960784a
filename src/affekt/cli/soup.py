"""`affekt soup`: one run of the mean weights of several."""

from pathlib import Path
from typing import Annotated

import typer

from affekt.cli import console
from affekt.cli.runs import command_line, show_metrics


def soup(
    runs: Annotated[list[Path], typer.Argument(help="Two or more runs that differ in training.seed alone.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The run folder to write.")],
    report: Annotated[bool, typer.Option(help="Write report.html into the run folder.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print metrics.json.")] = False,
) -> None:
    """Average the weights of runs of several seeds into one run."""
    from affekt.training.fit import Listener
    from affekt.training.soup import soup as mean_run

    metrics = mean_run(runs, out, command=command_line(), listener=Listener(console.say))
    if report:
        from affekt.report.run import write_report

        console.say(f"report: {write_report(out)}")
    show_metrics(metrics, out, as_json=json)
