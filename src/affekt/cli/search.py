"""`affekt search`: the texts of a file that are nearest to some words."""

from typing import Annotated

import typer

from affekt.cli import console
from affekt.cli.options import FORM, BadRows, ModelName, TextFile, columns_as_options
from affekt.data.columns import Columns


@columns_as_options(FORM, labels=None)
def search(
    words: Annotated[str, typer.Argument(help="What to look for, by what it says; '' for nothing.")],
    posts: TextFile,
    columns: Columns,
    model: ModelName = None,
    like: Annotated[
        list[str] | None, typer.Option(help="A text that those found should be like; may be repeated.")
    ] = None,
    emotion: Annotated[str | None, typer.Option(help="Only texts with this emotion, by the model.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", help="How many texts.")] = 10,
    on_bad_row: BadRows = "skip",
    json: Annotated[bool, typer.Option("--json", help="Print the texts as JSON.")] = False,
) -> None:
    """Find the texts of a file that are nearest to some words, to a text, or that hold an emotion."""
    from affekt.data.read import SkippedRow
    from affekt.inference.score import search_file

    skipped: list[SkippedRow] = []
    notes: list[str] = []
    hits = search_file(
        model,
        words,
        posts,
        like=like or (),
        emotion=emotion,
        k=k,
        columns=columns,
        on_bad_row=on_bad_row,
        skipped=skipped,
        notes=notes,
    )
    console.say_left_out(skipped, len(skipped), notes)
    if json:
        console.result_json([{"row": hit.row, "score": hit.score, "text": hit.text} for hit in hits])
        return
    rows = [[hit.text, f"{hit.score:.2f}", str(hit.row)] for hit in hits]
    console.table(console.counted(len(hits), "text"), ["text", "score", "row"], rows)
