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
        Path | None,
        typer.Option("--out", "-o", help="The folder to write; unless said, MODEL-onnx or MODEL-int8."),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Weights and products in 8 bits.")] = False,
    data: Annotated[
        str | None,
        typer.Option(help="With --int8: a data set or folder, by whose dev split, or a file, it decides."),
    ] = None,
    loss: Annotated[
        float, typer.Option(min=0, help="Points of macro-F1 on dev that 8 bits may cost.", show_default=True)
    ] = 0.5,
) -> None:
    """Write a model as a folder that predicts and embeds without torch; every verb opens it as any other."""
    from affekt.data.catalog import read_split
    from affekt.inference.export import export as export_model

    folder = out or Path(f"{model.rstrip('/')}-{'int8' if int8 else to}")
    dev = read_split(data, None if Path(data).is_file() else "dev") if data else None
    made = export_model(model, folder, int8=int8, dev=dev, loss=loss / 100)
    if found := made.about.get("graph"):
        f1 = found["f1_macro"]
        console.say(
            f"in 8 bits, on {found['n']:,} dev texts: macro-F1 from {f1['before']:.3f} to {f1['after']:.3f}; "
            f"{100 * found['agreement']:.1f} % are given the same labels; probabilities change by at most "
            f"{found['largest_change']:.3f}; in float32 are {', '.join(found['in_float32']) or 'no products'}"
        )
    console.result(str(folder))
