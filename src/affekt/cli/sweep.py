"""`affekt sweep`: a recipe with several values of its keys, judged on dev."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from affekt.cli import console
from affekt.cli.options import numbers, spoken
from affekt.cli.runs import command_line
from affekt.data.columns import as_keys


@spoken(as_keys)
def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a bundled recipe.")],
    over: Annotated[
        list[str],
        typer.Option(
            help="A key and its values, as objective.temperature=.05,.1,.3, or with --random a range, as "
            "training.learning_rate=1e-5..1e-3; may be repeated."
        ),
    ],
    random: Annotated[
        int | None, typer.Option(min=1, help="Draw so many settings, instead of trying all.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Training seeds of each setting, parted by commas.")] = "0",
    by: Annotated[
        str | None,
        typer.Option(
            "--figure", help="What settings are compared by, on dev; f1_macro, accuracy or ami by default."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key in all runs, such as training.epochs=1.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The sweep's folder; the same call goes on in it. sweeps/NAME."),
    ] = None,
    draw_seed: Annotated[int, typer.Option(min=0, help="Of the settings drawn.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a recipe with every value of some keys, and say which dev likes best; test is not read."""
    from affekt.studies.sweep import PAGE, TABLE, Axis, Search
    from affekt.studies.sweep import sweep as run_sweep

    axes = tuple(map(Axis.read, over))
    search = Search(axes, random, numbers("--seeds", seeds), by, draw_seed)
    folder = out or Path("sweeps") / Path(recipe).stem
    with console.progress("runs") as tick:
        told = run_sweep(
            recipe,
            search,
            folder,
            changes=tuple(set_ or ()),
            command=command_line(),
            say=console.say,
            tick=tick,
        )
    if json:
        console.result_json(told)
    else:
        _show(told)
    console.say(f"page: {folder / PAGE}\nfigures: {folder / TABLE}")


def _show(told: Mapping[str, Any]) -> None:
    from affekt.report.sweep import short_names, winner_command

    rows = []
    for one in told["settings"]:
        behind = one.get("behind")
        said = f"{behind['value']:+.3f} [{behind['low']:+.3f}, {behind['high']:+.3f}]" if behind else "–"
        value = console.interval(one) if "value" in one else "failed"
        setting = [str(one["setting"][key]) for key in told["keys"]]
        rows.append([*setting, value, said, f"{len(one['runs'])}"])
    heads = [*short_names(told["keys"]), told["figure"], "behind the best", "runs"]
    console.table(f"{told['recipe']} on {told['data']}: {told['figure']} on dev", heads, rows)
    console.result(f"the best, with its test figures: {winner_command(told)}")
