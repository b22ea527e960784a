"""`affekt predict` and `affekt embed`: a model on a text or on a file of any length."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affekt.cli import console

if TYPE_CHECKING:
    from affekt.model import Prediction


def predict(
    model: Annotated[str, typer.Argument(help="A model folder or a run folder.")],
    texts: Annotated[str, typer.Argument(help="A text, or a file (csv, tsv, jsonl, parquet, .gz).")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="For a file: csv, jsonl or parquet.")] = None,
    text: Annotated[str, typer.Option(help="The file's text column.")] = "text",
    on_bad_row: Annotated[str, typer.Option(help="fail, skip or report.")] = "fail",
    json: Annotated[bool, typer.Option("--json", help="Print the prediction as JSON.")] = False,
) -> None:
    """Say which emotions a text holds and how surely, or score every row of a file."""
    from affekt.model import load
    from affekt.scoring import predict_file

    looks_like_file = is_file(texts)
    loaded = load(model)
    if not looks_like_file:
        prediction = loaded.predict(texts)[0]
        if json:
            console.result_json({"text": prediction.text, "labels": prediction.labels, "scores": prediction.scores})
        else:
            show_prediction(prediction)
        return
    path = Path(texts)
    target = out or path.with_name(f"{path.name.partition('.')[0]}.predictions.csv")
    with console.progress("rows") as tick:
        summary = predict_file(loaded, path, target, text=text, on_bad_row=on_bad_row, tick=tick)
    if json:
        console.result_json(summary)
    console.say(f"{summary['rows']:,} rows to {target}" + (f", {summary['skipped']:,} skipped" if summary["skipped"] else ""))


def embed(
    model: Annotated[str, typer.Argument(help="A model folder, a run folder, or an encoder's name.")],
    file: Annotated[Path, typer.Argument(help="A file of texts.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="parquet or npy.")],
    text: Annotated[str, typer.Option(help="The file's text column.")] = "text",
    on_bad_row: Annotated[str, typer.Option(help="fail, skip or report.")] = "fail",
    projected: Annotated[bool, typer.Option(help="The space of the contrastive loss.")] = False,
) -> None:
    """Write a vector for every text of a file."""
    from affekt.model import load
    from affekt.scoring import embed_file

    loaded = load(model)
    with console.progress("rows") as tick:
        summary = embed_file(loaded, file, out, text=text, on_bad_row=on_bad_row, projected=projected, tick=tick)
    console.say(f"{summary['rows']:,} vectors of {summary['dimension']} to {out}")


_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".tsv.gz", ".jsonl.gz")


def is_file(text: str) -> bool:
    """Whether an argument means a file: one exists, or its name ends like one and holds no space."""
    named = text.lower().endswith(_SUFFIXES) and not any(c.isspace() for c in text)
    try:
        return named or Path(text).is_file()
    except (OSError, ValueError):  # too long or odd for a path, so a text
        return False


def show_prediction(prediction: "Prediction") -> None:
    """Print a prediction as bars, the surest first."""
    console.result(prediction.text if len(prediction.text) <= 200 else prediction.text[:199] + "…")
    held = set(prediction.labels)
    width = max(map(len, prediction.scores))
    best = sorted(prediction.scores.items(), key=lambda item: -item[1])[:8]
    for label, score in best:
        mark = "●" if label in held else " "
        console.result(f"  {mark} {label:<{width}} {'█' * round(score * 30):<30} {score:.2f}")
    if not held:
        console.result("  (no emotion passes its threshold)")
