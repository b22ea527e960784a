"""Lines, tables and progress on a terminal; plain lines in a log; JSON when asked.

Whatever comes from a file or a model may hold control characters, with which a terminal can be told to do
things: none of them leaves this module as it is.
"""

import errno
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from affekt.data.columns import as_options
from affekt.errors import UsageError

if TYPE_CHECKING:
    from affekt.data.read import SkippedRow

Tick = Callable[[int, int], None]

QUIET = 30.0  # seconds that long work is silent in a log
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class _Closed(io.TextIOBase):
    """Stands in for a standard stream that was closed before the program started."""

    def write(self, text: str) -> int:
        """Fail as a write to a closed file does, if there is anything to write."""
        if not text:
            return 0
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def open_streams() -> None:
    """Make standard streams that stop at no letter, and that can be spoken of where they are closed."""
    sys.stdout = sys.stdout or _Closed()
    sys.stderr = sys.stderr or io.StringIO()  # there is nobody to tell
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a letter the terminal cannot show is no reason to stop


def harmless(text: str) -> str:
    """Return a text with its control characters, those that turn the writing's direction too, as escapes."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # as JSON has them too


def say(line: str = "") -> None:
    """Write a line for people to standard error, so that standard output holds results only."""
    sys.stderr.write(harmless(line) + "\n")
    sys.stderr.flush()


def say_left_out(
    rows: "Sequence[SkippedRow]", count: int, notes: Iterable[str] = (), *, what: str = "left out"
) -> None:
    """Say how a file was read, and which rows could not be used: three with their reasons, then how many."""
    for note in notes:
        say(note)
    for row in rows[:3]:
        say(f"{what} {row.where}: {as_options(row.reason)}")
    if count:
        say(f"{count:,} row{' was' if count == 1 else 's were'} {what}")


def counted(number: int, what: str) -> str:
    """Return "1 text", "2,000 texts"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def result(line: str = "") -> None:
    """Write a line of results to standard output."""
    _write(harmless(line) + "\n")


def end_results() -> None:
    """Let all results so far reach who reads them."""
    _write("", flush=True)


def _write(text: str, *, flush: bool = False) -> None:
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as fault:
        sys.stdout = _Closed()  # what it still holds would fail once more when the program ends
        raise UsageError(
            f"standard output cannot be written ({fault.strerror}); send it elsewhere, or make room."
        ) from fault


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

    shown = Table(title=escape(harmless(title)), box=SIMPLE, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        shown.add_column(escape(harmless(column)), justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        shown.add_row(*[escape(harmless(cell)) for cell in row])
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110)
    with console.capture() as captured:
        console.print(shown)
    _write(captured.get())


def carried(label: str, pieces: Sequence[str], carries: Sequence[float]) -> None:
    """Write a text, words that speak for a label on green and those against it on red, and by how much."""
    from rich.console import Console
    from rich.text import Text

    reach = max(map(abs, carries), default=0) or 1
    shown = Text(f"   {label}: ", end="")
    for piece, value in zip(pieces, carries, strict=True):
        style = "" if abs(value) < 0.2 * reach else "black on green" if value > 0 else "black on red"
        shown.append(harmless(piece) or " ", style)
    words = sorted(zip(carries, pieces, strict=True), key=lambda one: -abs(one[0]))
    told = ", ".join(f"{harmless(piece)} {value:+.2f}" for value, piece in words[:5] if abs(value) >= 0.01)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110, soft_wrap=True)
    with console.capture() as captured:
        console.print(shown)
        console.print(Text(f"     {told or 'no word by itself'}"))
    _write(captured.get())


@contextmanager
def progress(what: str, *, every: float = QUIET) -> Iterator[Tick]:
    """Give a function (done, of) that moves a bar; in a log it writes a line `every` so many seconds."""
    if not sys.stderr.isatty():
        yield _logged(what, every)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _logged(what: str, every: float) -> Tick:
    """Return a tick that says how far the work is, and how long it will take, no sooner than `every`."""
    began = spoken = time.monotonic()
    first: tuple[float, int] | None = None  # when it was first heard, and what a resumed run had done by then

    def tick(done: int, of: int) -> None:
        nonlocal spoken, first
        now = time.monotonic()
        first = first or (now, done)
        if now - spoken < every or not done:
            return
        spoken = now
        since, before = first if done > first[1] else (began, 0)
        left = (now - since) / (done - before) * (of - done)
        say(f"{what}: {done:,} of {of:,} ({done / max(of, 1):.0%}), about {_duration(left)} left")

    return tick


def _duration(seconds: float) -> str:
    """A length of time as people say it, such as 2 h 5 min."""
    if not (minutes := round(seconds / 60)):
        return f"{max(seconds, 1):.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def figure(name: str, value: Any) -> str:
    """A figure as it is shown: a count whole, a number, or a value with its interval."""
    from affekt.evaluation.figures import figure as known

    content = value if isinstance(value, dict) else {"value": value}
    return f"{content['value']:,.0f}" if known(name).form == "count" else interval(content)


def interval(figure: dict[str, float] | None) -> str:
    """A figure with its interval, such as .503 [.489, .517]."""
    if figure is None:
        return "–"
    value = _short(figure["value"])
    return f"{value} [{_short(figure['low'])}, {_short(figure['high'])}]" if "low" in figure else value


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if -1 < value < 1 else text
