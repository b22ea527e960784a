"""`affekt export`: a model for where there is no torch."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from affekt.cli import console


class Form(StrEnum):
    """What a model can be written as."""

    onnx = "onnx"


def export(
    model: Annotated[str, typer.Argument(help="A model or run folder, or the name of an encoder.")],
    to: Annotated[Form, typer.Option(help="The form to write: an ONNX graph.")] = Form.onnx,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; unless said, MODEL-onnx.")
    ] = None,
) -> None:
    """Write a model as a folder that predicts and embeds without torch; every verb opens it as any other."""
    from affekt.inference.export import export as export_model

    console.result(str(export_model(model, out or Path(f"{model.rstrip('/')}-{to}"))))
