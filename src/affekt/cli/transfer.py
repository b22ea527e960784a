"""`affekt transfer`: models on data they were not trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from affekt.cli import console
from affekt.cli.options import BadRows, columns_as_options, numbers
from affekt.cli.runs import command_line
from affekt.data.columns import Columns


@columns_as_options()
def transfer(
    data: Annotated[
        list[str],
        typer.Argument(help="Known data sets, files or folders of split files; models may stand among them."),
    ],
    columns: Columns,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The study's folder; the same call goes on in it.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="A model folder, a run folder, or an encoder's name; may be repeated, and the others are "
            "compared with the first; affekt-small if left out.",
        ),
    ] = None,
    ways: Annotated[
        str, typer.Option(help="knn, probe, fine-tune, few-shot, mapped; parted by commas.")
    ] = "knn,probe",
    shots: Annotated[
        str, typer.Option(help="Rows of each label, for probe and few-shot; parted by commas.")
    ] = "2,4,8,16,32,64",
    draws: Annotated[int, typer.Option(min=1, help="How often such rows are drawn.")] = 10,
    seeds: Annotated[str, typer.Option(help="Seeds of fine-tune; parted by commas.")] = "0,1,2",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most training texts of knn and fine-tune; all by default.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="The recipe of fine-tune, a file or a bundled one.")
    ] = "fine-tune",
    few_shot: Annotated[
        str | None,
        typer.Option(
            "--few-shot-recipe",
            help="The recipe of few-shot, a file or a bundled one; few-shot-known for models that know "
            "labels of the data by name, else few-shot, if left out.",
        ),
    ] = None,
    on_bad_row: BadRows = "fail",
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Try models on other data: frozen neighbours, probes, training, few rows, mapped labels."""
    from affekt.studies.transfer import FIGURES, PAGE, told_apart
    from affekt.studies.transfer import transfer as run_study
    from affekt.studies.ways import Plan

    plan = Plan(
        tuple(part.strip() for part in ways.split(",")),
        numbers("--shots", shots),
        draws,
        numbers("--seeds", seeds),
        limit,
        recipe,
        few_shot,
    )
    named, sources = told_apart(data)
    with console.progress("transfer") as tick:
        content = run_study(
            [*named, *(model or ())] or [None],
            sources,
            out,
            plan,
            columns=columns,
            on_bad_row=on_bad_row,
            command=command_line(),
            tick=tick,
        )
    if json:
        console.result_json(content)
    else:
        _show(content)
    console.say(f"page: {out / PAGE}\nfigures: {out / FIGURES}")


def _show(content: Mapping[str, Any]) -> None:
    from affekt.report.transfer import figure_name, rows_of

    models = list(content["models"])
    for name, task in content["data"].items():
        results = [result for result in content["results"] if result["data"] == name]
        rows = [
            [way, *(console.interval(by_model[one]["figures"][task["figure"]]) for one in models)]
            for way, by_model in rows_of(results).items()
        ]
        heading = f"{name}: {figure_name(task)}, test, n = {task['n']['test']:,}"
        console.table(heading, ["way", *models], rows)
