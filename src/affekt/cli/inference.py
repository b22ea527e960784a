"""`affekt predict` and `affekt embed`: a model on a text, on lines of standard input, or on a file."""

import codecs
import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affekt.cli import console
from affekt.cli.options import (
    FORM,
    BadRows,
    ModelName,
    SafeCells,
    Speed,
    TaskName,
    columns_as_options,
)
from affekt.data.columns import Columns
from affekt.errors import UsageError

if TYPE_CHECKING:
    from affekt.inference.model import Model, Prediction


Shards = Annotated[
    int | None, typer.Option(help="Write shards of so many rows into a folder; go on where it stopped.")
]
Workers = Annotated[int | None, typer.Option(help="Processes that make shards; as many as there are cores.")]

_KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
_SUFFIXES = (*_KINDS, *(f"{kind}.gz" for kind in _KINDS), ".parquet", ".xlsx")
_WRITTEN = {"ndjson": "jsonl", "json": "jsonl", "txt": "csv", "xlsx": "csv"}  # where predictions are not so
_SHOWN = 8  # labels with a bar; more where more were decided on
_CHUNK = 2**15  # bytes of standard input at once, a few hundred tweets
_WIDEST = 30  # cells of a bar
_EIGHTHS = "▏▎▍▌▋▊▉"


@columns_as_options(FORM, labels=None)
def predict(
    texts: Annotated[
        str,
        typer.Argument(
            help="A text; a file (csv, tsv, jsonl, json, txt, .gz, xlsx, parquet), a folder or a pattern of "
            "files; or - for lines of input."
        ),
    ],
    columns: Columns,
    model: ModelName = None,
    speed: Speed = None,
    labels: Annotated[
        str | None, typer.Option("--labels", help="Coarser labels than the model's: ekman or sentiment.")
    ] = None,
    task: TaskName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A file (csv, tsv, jsonl, parquet) or a folder; NAME.predictions… unless said.",
        ),
    ] = None,
    shards: Shards = None,
    workers: Workers = None,
    form: Annotated[
        str | None, typer.Option("--format", help="Of shards: csv, jsonl, parquet, csv.gz; as the input.")
    ] = None,
    on_bad_row: BadRows = "fail",
    safe_cells: SafeCells = False,
    coverage: Annotated[
        float | None,
        typer.Option(help="Also the labels among which all of a text's own are, so often (as .9)."),
    ] = None,
    check: Annotated[
        int,
        typer.Option(min=0, help="Of a cascade, rows of a file that its second model reads too, to compare."),
    ] = 0,
    why: Annotated[
        bool, typer.Option("--why", help="Of a text, also which words carry its emotions.")
    ] = False,
    gradients: Annotated[
        bool,
        typer.Option(
            "--gradients", help="With --why, by integrated gradients (needs torch), not by leaving out."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; of lines of input, an object each.")
    ] = False,
) -> None:
    """Say which emotions a text holds and how surely, or score every row of a file."""
    from affekt.data.taxonomies import taxonomy_named
    from affekt.inference.model import load
    from affekt.inference.places import check as place_of
    from affekt.inference.score import foreign, predict_file

    _check_form(texts, why, check, gradients=gradients)
    if is_several(texts) or is_file(texts):
        place = place_of(model, speed)
        how: Any = {"columns": columns, "on_bad_row": on_bad_row, "safe_cells": safe_cells}
        how |= {"task": task, "taxonomy": labels, "coverage": coverage}
        sharded = is_several(texts) or any((shards, workers, form)) or (out is not None and is_folder(out))
        with console.progress("rows") as tick:
            if sharded:
                if check:
                    raise UsageError(f"--check {check}: is for one file; leave --shards out.")
                from affekt.inference.shards import SHARD_ROWS, predict_shards

                how |= {"kind": f".{form}" if form else None, "workers": crew(workers)}
                how |= {"shard_rows": SHARD_ROWS if shards is None else shards}
                summary = predict_shards(place, texts, out or default_folder(texts), tick=tick, **how)
            else:
                target = out or default_output(Path(texts))
                summary = predict_file(place, Path(texts), target, check_rows=check, tick=tick, **how)
        show_summary(summary, as_json=json)
        return
    if out is not None:
        raise UsageError(f"--out {out}: is for the rows of a file, and {texts!r:.60} is none.")
    if not texts.strip():
        raise UsageError("the text is empty; give a text, a file, or - for lines of standard input.")
    if labels is not None:
        taxonomy_named(labels)
    opened = load(model, task=task, speed=speed)
    loaded = opened if labels is None else opened.coarser(labels)
    if texts == "-":
        show_lines(loaded, input_lines(), as_json=json, coverage=coverage)
        return
    prediction = loaded.predict(texts)[0]
    more = _more(loaded, prediction, coverage, why, gradients=gradients)
    for note in foreign(loaded.about, [texts]):
        console.say(note)
    if json:
        console.result_json(asdict(prediction) | more)
    else:
        show_prediction(prediction)
        _show_more(more, prediction.labels or [prediction.top[0]])


def _check_form(texts: str, why: bool, check: int, *, gradients: bool) -> None:
    """Raise UsageError for options of one text asked of many, and the other way round."""
    if check and not (is_several(texts) or is_file(texts)):
        raise UsageError(f"--check {check}: is for the rows of a file, and {texts!r:.60} is none.")
    if gradients and not why:
        raise UsageError("--gradients says how --why explains a text; add --why.")
    if why and (texts == "-" or is_several(texts) or is_file(texts)):
        raise UsageError("--why: is for one text; of many, Model.explain gives it in Python.")


def _more(
    model: "Model", prediction: "Prediction", coverage: float | None, why: bool, *, gradients: bool
) -> dict[str, Any]:
    """Return what else was asked of a text: its set of labels with a promised coverage, what words carry."""
    [found] = _sets(model, [prediction], coverage)
    if why:
        found["why"] = asdict(model.explain(prediction.text, gradients=gradients)[0])
    return found


def _sets(
    model: "Model", predictions: Sequence["Prediction"], coverage: float | None
) -> list[dict[str, Any]]:
    """Return for each prediction the set of labels with a promised coverage; nothing where none is asked."""
    import numpy as np

    if coverage is None:
        return [{} for _ in predictions]
    scores = [list(one.scores.values()) for one in predictions]
    sets = model.sets_of(np.array(scores, dtype=np.float32), coverage)
    return [{"coverage": coverage, "set": one} for one in sets]


def _show_more(more: dict[str, Any], labels: list[str]) -> None:
    if "coverage" in more:
        named = more["set"]
        said = f"all of its labels are among: {', '.join(named)}" if named else "it is too unsure to say"
        console.result(f" {more['coverage'] * 100:g} times in 100, {said}")
    for label in labels if "why" in more else ():
        pieces = more["why"]["pieces"]
        console.carried(_printable(label), [_printable(one) for one in pieces], more["why"]["carries"][label])


@columns_as_options(FORM, labels=None)
def embed(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file of texts (csv, tsv, jsonl, json, txt, .gz, xlsx, parquet), a folder or a pattern of "
            "files."
        ),
    ],
    columns: Columns,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="parquet (id, text, vector) or npy, or a folder of shards.")
    ],
    model: ModelName = None,
    speed: Speed = None,
    on_bad_row: BadRows = "fail",
    projected: Annotated[bool, typer.Option(help="The space of the contrastive loss.")] = False,
    shards: Shards = None,
    workers: Workers = None,
    form: Annotated[str, typer.Option("--format", help="Of shards: parquet or npy.")] = "parquet",
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write a vector for every text of a file."""
    from affekt.inference.places import check
    from affekt.inference.score import embed_file
    from affekt.inference.shards import SHARD_ROWS, embed_shards

    place = check(model, speed)
    how: Any = {"columns": columns, "on_bad_row": on_bad_row, "projected": projected}
    with console.progress("rows") as tick:
        if is_several(str(file)) or shards or workers is not None or is_folder(out):
            how |= {"shard_rows": SHARD_ROWS if shards is None else shards, "workers": crew(workers)}
            summary = embed_shards(place, file, out, kind=f".{form}", tick=tick, **how)
        else:
            summary = embed_file(place, file, out, tick=tick, **how)
    show_summary(summary, as_json=json)


# --- what is to be read


def is_file(text: str) -> bool:
    """Whether an argument means a file: one exists, or its name ends like one and holds no space."""
    named = text.lower().endswith(_SUFFIXES) and not any(c.isspace() for c in text)
    try:
        return named or Path(text).is_file()
    except (OSError, ValueError):  # too long or odd for a path, so a text
        return False


def is_several(text: str) -> bool:
    """Whether an argument means several files: a folder, or a pattern that some file's name fits."""
    if not text or any(c.isspace() for c in text):
        return False
    try:
        if not any(c in text for c in "*?["):
            return Path(text).is_dir()
        return any(name.lower().endswith(_SUFFIXES) for name in glob(text, recursive=True))
    except (OSError, ValueError):
        return False


def crew(workers: int | None) -> int:
    """Return how many processes make shards: of one thread each, as many as there are cores unless said."""
    return (os.cpu_count() or 1) if workers is None else workers


def is_folder(out: Path) -> bool:
    """Whether an output is meant to be a folder: it is one, or its name has no ending."""
    return out.is_dir() or not out.suffix


def default_folder(texts: str) -> Path:
    """Return where shards go unless said: beside the folder or the file, or here."""
    path = Path(texts)
    if path.is_dir():
        path = path.resolve()
        return path.with_name(f"{path.name}.predictions")
    return default_output(path).with_suffix("") if path.is_file() else Path("predictions")


def default_output(path: Path) -> Path:
    """Return where a file's predictions go unless said: beside it, of the same kind."""
    name = path.name.lower()
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    stem = path.name[: len(path.name) - len(suffix)]
    kind, *zipped = suffix.removeprefix(".").split(".")
    ending = ".".join([_WRITTEN.get(kind, kind or "csv"), *zipped])
    return path.with_name(f"{stem}.predictions.{ending}")


def input_lines() -> Iterator[list[str]]:
    """Yield the lines of standard input that hold something, those together that are there together.

    So a line that is typed is answered at once, and a file is read in windows. Bytes that are not UTF-8 are
    replaced.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed, so there are no lines to read; give a text or a file.")
    utf_8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
    decoder = io.IncrementalNewlineDecoder(utf_8, translate=True)
    rest, more = "", True
    while more:
        more = bool(chunk := sys.stdin.buffer.read1(_CHUNK))  # type: ignore[union-attr]
        *lines, rest = (rest + decoder.decode(chunk, final=not more)).split("\n")
        if window := [line for line in (lines if more else [*lines, rest]) if line.strip()]:
            yield window


# --- what is shown


def show_lines(
    model: "Model", windows: Iterable[list[str]], *, as_json: bool, coverage: float | None = None
) -> None:
    """Print a prediction for each line of each window, and its set: as bars, or as an object a line."""
    import json

    from affekt.decisions.conformal import promised

    if coverage is not None:
        promised(model.deciding().sets, coverage)  # before a line is waited for
    for window in windows:
        predictions = model.predict(window)
        for prediction, more in zip(predictions, _sets(model, predictions, coverage), strict=True):
            if as_json:
                console.result(json.dumps(asdict(prediction) | more, ensure_ascii=not _prints("é█")))
            else:
                show_prediction(prediction)
                _show_more(more, prediction.labels)
        console.end_results()  # who waits for an answer at the other end of a pipe has it now


def show_prediction(prediction: "Prediction") -> None:
    """Print a prediction as bars, the surest first; those decided on are marked."""
    from rich.cells import cell_len, set_cell_size

    columns = shutil.get_terminal_size().columns
    mark = "●" if _prints("●") else "*"
    held = set(prediction.labels)
    order = sorted(prediction.scores, key=lambda label: (-prediction.scores[label], label))
    best = order[: max([_SHOWN, *(order.index(label) + 1 for label in held)])]
    width = min(max(map(cell_len, best)), max(columns - 14, 4))
    cells = max(min(columns - width - 9, _WIDEST), 1)
    console.result(_printable(prediction.text))
    for label in best:
        score = prediction.scores[label]
        sign = mark if label in held else " "
        name = set_cell_size(_printable(label), width)
        console.result(f" {sign} {name} {bar(score, cells):<{cells}} {score:.2f}")
    if not held:
        console.result(" (no emotion passes its threshold)")


def bar(share: float, cells: int) -> str:
    """Return a bar that fills a share of some cells, to an eighth of a cell where the output can show it."""
    if not _prints(f"█{_EIGHTHS}"):
        return "#" * round(share * cells)
    full, eighths = divmod(round(share * cells * 8), 8)
    return "█" * full + (_EIGHTHS[eighths - 1] if eighths else "")


def show_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print what was done with a file: how many texts got each label, and rows that were left out."""
    if as_json:
        console.result_json(summary)
        return
    rows, seconds = summary["rows"], summary["seconds"]
    if "predicted" in summary:
        counted = sorted(summary["predicted"].items(), key=lambda item: -item[1])
        shown = [[label or "(none)", f"{n:,}", f"{n / rows:.1%}"] for label, n in counted if n]
        console.table(console.counted(rows, "text"), ["predicted", "texts", "share"], shown)
    from affekt.data.read import SkippedRow

    listed = [SkippedRow(**row) for row in summary["skipped_rows"]]
    kept = "left unscored" if "predicted" in summary else "left out"
    console.say_left_out(listed, summary["skipped"], summary["notes"], what=kept)
    if checked := summary.get("check"):
        share, promised = checked["agreement"], checked["promised"]
        verdict = "as on dev" if checked["holds"] else "the promise does not hold for these texts"
        console.say(
            f"the second model gives {share['value']:.1%} of {checked['n']:,} texts the same labels "
            f"({share['low']:.1%} to {share['high']:.1%}); on dev it was {promised['value']:.1%}: {verdict}"
        )
    what = (
        f"{console.counted(rows, 'vector')} of {summary['dimension']}"
        if "dimension" in summary
        else console.counted(rows, "row")
    )
    console.say(f"{what} in {seconds:.1f} s ({rows / max(seconds, 1e-3):,.0f}/s): {summary['out']}")


def _prints(text: str) -> bool:
    """Whether standard output can show a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _printable(text: str) -> str:
    """Return a text on one line, shortened, without controls, in characters that standard output has."""
    kept = "".join(c if c.isprintable() or c == "\u200d" else " " for c in text[:1000])
    line = " ".join(kept.split())
    line = line if len(line) <= 200 else line[:199].rstrip() + ("…" if _prints("…") else "...")
    encoding = sys.stdout.encoding or "ascii"
    return line.encode(encoding, "replace").decode(encoding, "replace")
