"""How verbs talk: lines, tables and progress on a terminal; plain lines in a log; JSON when asked."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affekt.data.rows import SkippedRow


def say(line: str = "") -> None:
    """Write a line for people to standard error, so that standard output holds results only."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def say_left_out(rows: "Sequence[SkippedRow]", count: int) -> None:
    """Say which rows of a file could not be used: where and why of the first three, and how many in all."""
    for row in rows[:3]:
        say(f"left out {row.where}: {row.reason}")
    if count:
        say(f"{count:,} row{' was' if count == 1 else 's were'} left out")


def result(line: str = "") -> None:
    """Write a line of results to standard output."""
    sys.stdout.write(line + "\n")


def result_json(content: Any) -> None:
    """Write results as JSON."""
    wide = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    result(json.dumps(content, indent=2, ensure_ascii=not wide))


def table(title: str, columns: list[str], rows: Iterable[list[str]]) -> None:
    """Write a table of results; numbers to the right."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title=escape(title), box=SIMPLE, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        shown.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        shown.add_row(*[escape(cell) for cell in row])
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110).print(shown)


@contextmanager
def progress(what: str) -> Iterator[Any]:
    """Give a function (done, of) that moves a progress bar; it does nothing when not on a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def figure(name: str, value: Any) -> str:
    """A figure as it is shown: a count whole, a number, or a value with its interval."""
    from affekt.report.names import COUNTS

    content = value if isinstance(value, dict) else {"value": value}
    return f"{content['value']:,.0f}" if name in COUNTS else interval(content)


def interval(figure: dict[str, float] | None) -> str:
    """A figure with its interval, such as .503 [.489, .517]."""
    if figure is None:
        return "–"
    value = _short(figure["value"])
    return f"{value} [{_short(figure['low'])}, {_short(figure['high'])}]" if "low" in figure else value


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if -1 < value < 1 else text
