"""Arguments and options that several verbs take."""

from typing import Annotated, Literal

import typer

ModelName = Annotated[str, typer.Argument(help="A model folder, a run folder, or an encoder's name.")]
Data = Annotated[str, typer.Argument(help="A known data set, a file of texts, or a folder of split files.")]
Split = Annotated[str | None, typer.Option(help="Which split, where there are several; test by default.")]
TextColumn = Annotated[str, typer.Option(help="The file's text column.")]
LabelColumn = Annotated[
    str | None, typer.Option(help="The file's label column; without it the model says the emotions.")
]
BadRows = Annotated[Literal["fail", "skip", "report"], typer.Option(help="What to do with bad rows.")]
