"""The command line: one file per verb, each a typed shell over a plain function."""

import signal
import sys
from typing import Annotated

import typer

from affekt._version import __version__
from affekt.cli import (
    audit,
    cascade,
    console,
    data,
    demo,
    evaluate,
    export,
    inference,
    profile,
    runs,
    search,
    serve,
    soup,
    space,
    sweep,
    transfer,
)
from affekt.cli.options import OfAModel
from affekt.errors import AffektError, FollowerError, installed, unreachable

app = typer.Typer(
    name="affekt",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        console.result(f"affekt {__version__}")
        raise typer.Exit


@app.callback()
def _affekt(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Emotion in short text: train, judge, predict, embed, map."""


app.command("demo")(demo.demo)
app.add_typer(data.app, name="data", help="Known data sets: list, inspect, split, get.")
app.command("train")(runs.train)
app.command("evaluate", cls=OfAModel)(evaluate.evaluate)
app.command("predict", cls=OfAModel)(inference.predict)
app.command("embed", cls=OfAModel)(inference.embed)
app.command("search", cls=OfAModel)(search.search)
app.command("map", cls=OfAModel)(space.map_texts)
app.command("cluster", cls=OfAModel)(space.cluster)
app.command("profile", cls=OfAModel)(profile.profile)
app.command("serve")(serve.serve)
app.command("export")(export.export)
app.command("cascade")(cascade.cascade)
app.command("compare")(runs.compare)
app.command("audit")(audit.audit)
app.command("soup")(soup.soup)
app.command("transfer")(transfer.transfer)
app.command("sweep")(sweep.sweep)
app.command("reproduce")(runs.reproduce)


def main() -> None:
    """Run the command line; faults the user can mend are one message and exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends as Ctrl-C does: nothing half-written stays
    console.open_streams()
    try:
        code = _exit_code()
    except BrokenPipeError:  # the reader of a pipe has gone, as with `affekt … | head`
        sys.stderr.close()
        code = 0
    if code:
        sys.exit(code)


def _exit_code() -> int:
    try:
        try:
            with installed():
                app()
        finally:
            console.end_results()
    except FollowerError:
        return 2
    except AffektError as fault:
        console.say(f"affekt: {fault}")
        return 2
    except OSError as fault:
        if fault.filename is None:  # not of a path that was named, such as a pipe that nobody reads
            raise
        console.say(f"affekt: {unreachable(fault)}")
        return 2
    except KeyboardInterrupt:
        console.say("affekt: stopped")
        return 130
    return 0
