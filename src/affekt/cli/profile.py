"""`affekt profile`: what the texts of a file say as a whole."""

import csv
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from affekt.cli import console
from affekt.cli.options import FORM, BadRows, ModelName, SafeCells, TextFile, columns_as_options
from affekt.data.columns import Columns
from affekt.errors import UsageError

_SHOWN = 12  # differences in words


@columns_as_options(FORM, labels=None)
def profile(
    file: TextFile,
    columns: Columns,
    model: ModelName = None,
    by: Annotated[
        list[str] | None, typer.Option(help="A column whose values are groups; may be given several times.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column with the date.")] = None,
    every: Annotated[Literal["day", "week", "month"], typer.Option(help="How long a period is.")] = "month",
    compare: Annotated[
        str | None, typer.Option(help="Two groups or periods, as A,B, in place of all comparisons.")
    ] = None,
    labels: Annotated[
        Literal["labels", "ekman", "sentiment"],
        typer.Option("--labels", help="The model's own labels, or coarser groups of them."),
    ] = "labels",
    document: Annotated[
        Literal["mean", "max"] | None,
        typer.Option(help="For long texts: score by sentence, then take the mean or the highest score."),
    ] = None,
    zone: Annotated[str, typer.Option(help="The time zone in which times with a zone are counted.")] = "UTC",
    dates: Annotated[
        Literal["day-first", "month-first"] | None,
        typer.Option(help="How 03/04/2026 is read; unless said, as other dates of the column show."),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", "-o", help="A page (.html), .json or .csv, or several by -o; NAME.profile.html."
        ),
    ] = None,
    on_bad_row: BadRows = "skip",
    safe_cells: SafeCells = False,
    resamples: Annotated[int, typer.Option(min=10, help="Draws behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the profile as JSON.")] = False,
) -> None:
    """Say how much of each emotion the texts of a file hold, by group and over time, with intervals."""
    from affekt.data.dates import zone_named
    from affekt.explore.profile import profile_file
    from affekt.explore.profile_page import check_outputs, write_profile
    from affekt.explore.shares import Asked

    outs = out or ([] if json else [file.with_name(f"{file.name.split('.')[0]}.profile.html")])
    check_outputs(outs, file)
    asked = Asked(
        by=tuple(by or ()),
        time=time,
        every=every,
        compare=_two(compare),
        labels=labels,
        document=document,
        zone=zone_named(zone),
        order=dates,
        resamples=resamples,
        seed=seed,
    )
    with console.progress("texts") as tick:
        told = profile_file(model, file, asked, columns=columns, on_bad_row=on_bad_row, tick=tick)
    if json:
        console.result_json(told)
    else:
        _show(told)
    for path in outs:
        console.say(f"wrote {write_profile(told, path, safe=safe_cells)}")


def _two(compare: str | None) -> tuple[str, str] | None:
    if compare is None:
        return None
    named = [part.strip() for part in next(csv.reader([compare], skipinitialspace=True), [])]
    if len(named) != 2 or not all(named):
        raise UsageError(
            f"--compare {compare}: name two groups or periods, as in --compare A,B, and in quotes what "
            "holds a comma."
        )
    return named[0], named[1]


def _show(told: dict[str, Any]) -> None:
    from affekt.data.read import SkippedRow
    from affekt.explore.profile_page import best
    from affekt.explore.shares import LIKELY

    shares = sorted(told["all"]["shares"], key=lambda one: -best(one))
    rows = [
        [
            one["label"],
            _percent(one["value"]),
            f"{_percent(one['low'])} to {_percent(one['high'])}",
            _percent(one["count"]),
        ]
        for one in shares
    ]
    console.table(console.counted(told["rows"], "text"), ["emotion", "share", "95 %", "plain count"], rows)
    for one in [one for one in told["differences"] if one["p_holm"] < LIKELY][:_SHOWN]:
        console.result(one["said"])
    if told["tests"]:
        console.say(f"of {told['tests']:,} comparisons, corrected for their number")
    console.say_left_out([SkippedRow(**row) for row in told["skipped_rows"]], told["skipped"], told["notes"])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
