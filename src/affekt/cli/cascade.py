"""`affekt cascade`: a fast model first, and of what it is unsure an exact one."""

from pathlib import Path
from typing import Annotated

import typer

from affekt.cli import console


def cascade(
    first: Annotated[str, typer.Argument(help="The fast model's folder, as a static one's.")],
    second: Annotated[str, typer.Argument(help="The exact model's folder.")],
    data: Annotated[
        str, typer.Option(help="A data set or folder, by whose dev split, or a file, it is fitted.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write; it holds both models.")],
    loss: Annotated[float, typer.Option(min=0, help="Points of macro-F1 on dev that it may cost.")] = 1,
) -> None:
    """Write a model that asks the first and, where that is unsure, the second; every verb opens it."""
    from affekt.data.catalog import read_split
    from affekt.inference.cascade import cascade as cascade_of

    dev = read_split(data, None if Path(data).is_file() else "dev")
    found = cascade_of(first, second, out, dev, loss=loss / 100).about["cascade"]
    f1, passed, same = found["f1_macro"], found["passed_on"], found["agreement"]
    console.say(
        f"on {found['n']:,} dev texts: macro-F1 {f1['cascade']:.3f}, of the second alone {f1['second']:.3f}, "
        f"of the first {f1['first']:.3f}; {passed['value']:.1%} of the texts go on ({passed['low']:.1%} to "
        f"{passed['high']:.1%}); {same['value']:.1%} are given the second's labels"
    )
    console.result(str(out))
