"""Arguments and options that several verbs take."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from affekt.data.columns import Columns

ModelName = Annotated[str, typer.Argument(help="A model folder, a run folder, or an encoder's name.")]
Data = Annotated[str, typer.Argument(help="A known data set, a file of texts, or a folder of split files.")]
Split = Annotated[str | None, typer.Option(help="Which split, where there are several; test by default.")]
BadRows = Annotated[Literal["fail", "skip", "report"], typer.Option(help="What to do with bad rows.")]

# how a file is to be read, where it is no known data set
TextColumn = Annotated[str, typer.Option(help="The file's text column.")]
LabelColumn = Annotated[str, typer.Option(help="The file's label column; '' for none.")]
OwnLabelColumn = Annotated[
    str, typer.Option(help="The file's label column; without labels the model says the emotions.")
]
LabelColumns = Annotated[str, typer.Option(help="Columns of 0/1 or shares, parted by commas.")]
Separator = Annotated[str, typer.Option(help="What parts several labels in the label column.")]
Single = Annotated[bool | None, typer.Option("--single/--multi", help="One label per text, or any.")]
SplitColumn = Annotated[
    str, typer.Option("--split-column", help="The file's column that says train, dev or test.")
]
Delimiter = Annotated[str, typer.Option(help="What parts the columns of a csv file.")]
Quotes = Annotated[bool, typer.Option(help="Whether quotes enclose csv fields.")]


def columns_of(
    *,
    text: str,
    labels: str,
    label_columns: str,
    separator: str,
    split_column: str,
    delimiter: str,
    quotes: bool,
    single: bool | None = None,
) -> "Columns":
    """Return what options say of a file's columns; an empty one says nothing."""
    from affekt.data.columns import Columns

    return Columns(
        text=text,
        labels=labels or None,
        label_columns=[name.strip() for name in label_columns.split(",")] if label_columns else None,
        separator=separator or None,
        single_label=single,
        split_column=split_column or None,
        delimiter=delimiter.replace("\\t", "\t") or None,
        quoted=quotes,
    )
