"""The parts of a report that say what was trained, on what, how long and on which machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affekt.evaluation.figures import figure
from affekt.report.html import Cell, Column, Markup, Section, facts, join, picture, table, tag
from affekt.report.names import (
    as_number,
    count_text,
    duration_text,
    figure_text,
    ordered,
    size_text,
)
from affekt.report.pictures import label_counts
from affekt.runs.folder import RunFolder

Pictures = Mapping[str, Path]
MOST_SKIPPED = 200  # rows listed; all are counted


def heading(run: RunFolder) -> Markup:
    """Return the head of the page: the run's name and what was trained on what, in a sentence."""
    metrics = run.metrics
    data, encoder = metrics.get("data") or {}, metrics.get("encoder") or {}
    badges = [
        f"row {metrics['row']}" if metrics.get("row") else "",
        str(metrics.get("status", "")),
        f"seed {metrics['seed']}" if metrics.get("seed") is not None else "",
        str(metrics.get("created", "")).replace("T", " ")[:16],
    ]
    return tag(
        "header",
        tag("h1", run.name),
        tag("p", _sentence(run, data, encoder), class_="lede"),
        tag("ul", join(tag("li", badge) for badge in badges if badge), class_="badges"),
        class_="top",
    )


def _sentence(run: RunFolder, data: Mapping[str, Any], encoder: Mapping[str, Any]) -> Markup:
    train = ((data.get("splits") or {}).get("train") or {}).get("n")
    kind = "one label per text" if run.single_label else "any number of labels per text"
    parts = [
        join([tag("strong", encoder.get("name") or encoder.get("kind") or "An encoder")]),
        f" ({size_text(encoder['parameters'])} parameters)" if encoder.get("parameters") else "",
        join([" trained on ", tag("strong", data["name"])]) if data.get("name") else " trained",
        f": {count_text(train)} texts" if train else "",
        f", {len(run.labels)} labels, {kind}." if run.labels else ", unlabelled.",
    ]
    return join(parts)


def warnings(run: RunFolder) -> Markup:
    """Return what the reader must know before believing a figure; nothing when there is nothing."""
    said = [str(one) for one in run.metrics.get("warnings") or []]
    status = run.metrics.get("status", "complete")
    if status != "complete":
        said.insert(0, f"This run is not complete (status: {status}); its figures are not final.")
    if not said:
        return Markup()
    name = "Warning" if len(said) == 1 else f"{len(said)} warnings"
    return tag(
        "div",
        tag("strong", name),
        tag("ul", join(tag("li", one) for one in said)),
        class_="warning",
        role="alert",
    )


def data_section(run: RunFolder, pictures: Pictures) -> Section | None:
    """Return the splits, their label counts, and the rows that were left out."""
    data = run.metrics.get("data") or {}
    if not data:
        return None
    splits = data.get("splits") or {}
    columns = [Column("Split"), Column("Texts", numeric=True), Column("Words per text", numeric=True)]
    rows = [
        [name, count_text(split.get("n")), _mean_words(split.get("mean_words"))]
        for name, split in splits.items()
    ]
    body = [table(columns, rows, name="Splits") if rows else ""]
    if "class_distribution" in pictures:
        body.append(
            picture(
                pictures["class_distribution"],
                f"Class distribution: {_commonest(label_counts(run))}.",
                "How many texts hold each label, by split.",
            )
        )
    body.append(_skipped(data.get("skipped") or []))
    if data.get("digest"):
        body.append(tag("p", "Data digest: ", tag("code", data["digest"]), class_="note"))
    return Section("data", "Data", join(body))


def _mean_words(value: Any) -> str:
    number = as_number(value)
    return "–" if number is None else f"{number:.1f}"


def _commonest(counts: Mapping[str, Mapping[str, int]]) -> str:
    split, of_split = next(iter(counts.items()))
    order = sorted(of_split.items(), key=lambda item: -item[1])
    (most, most_rows), (least, least_rows) = order[0], order[-1]
    return f"in {split}, {most} is commonest with {most_rows:,} texts, {least} rarest with {least_rows:,}"


def _skipped(skipped: Sequence[Mapping[str, Any]]) -> Markup:
    if not skipped:
        return Markup()
    listed = skipped[:MOST_SKIPPED]
    rest = len(skipped) - len(listed)
    rows: list[list[str | Cell]] = [
        [str(one.get("where", "")), Cell(str(one.get("reason", "")), classes="text")] for one in listed
    ]
    more = tag("p", f"And {rest:,} more, listed in metrics.json.", class_="note") if rest else ""
    return join(
        [
            tag("h3", f"{len(skipped):,} skipped row{'' if len(skipped) == 1 else 's'}"),
            tag("p", "These rows of the data could not be used and are in no figure."),
            tag(
                "details",
                tag("summary", "Show them"),
                table([Column("Where"), Column("Why")], rows, name="Skipped rows"),
                more,
                open="" if len(skipped) <= 5 else None,
            ),
        ]
    )


def learning_section(run: RunFolder, pictures: Pictures) -> Section | None:
    """Return the learning curves and the same numbers epoch by epoch."""
    if not run.history:
        return None
    last, parts = run.history[-1].get("dev") or {}, run.history[-1].get("terms") or {}
    told = ordered(last, single_label=run.single_label)
    keys = [key for key in told if as_number(last[key]) is not None][:5]
    terms = list(parts) if len(parts) > 1 else []
    names = [
        "Train loss",
        *(figure(key).title for key in terms),
        "Dev loss",
        *(figure(key).title for key in keys),
        "Learning rate",
        "Time",
    ]
    rows = [_epoch(row, at, terms, keys) for at, row in enumerate(run.history, start=1)]
    numbers = table(
        [Column("Epoch"), *(Column(name, numeric=True) for name in names)], rows, name="Epoch by epoch"
    )
    alt = "Learning curves: losses and dev metrics by epoch; the table below has the numbers."
    shown = picture(pictures["learning_curves"], alt) if "learning_curves" in pictures else ""
    return Section("learning", "Learning curves", join([shown, numbers]))


def _epoch(row: Mapping[str, Any], at: int, terms: Sequence[str], keys: Sequence[str]) -> list[str | Cell]:
    dev, parts = row.get("dev") or {}, row.get("terms") or {}
    rate = as_number(row.get("learning_rate"))
    return [
        str(row.get("epoch", at)),
        _loss(row.get("train_loss")),
        *(_loss(parts.get(term)) for term in terms),
        _loss(row.get("dev_loss")),
        *(figure_text(as_number(dev.get(key))) for key in keys),
        "–" if rate is None else f"{rate:.2g}",
        duration_text(as_number(row.get("seconds"))),
    ]


def _loss(value: Any) -> str:
    number = as_number(value)
    return "–" if number is None else f"{number:.4f}"


def cost_section(run: RunFolder) -> Section | None:
    """Return time, memory and the machine."""
    timing, machine = run.metrics.get("timing") or {}, run.metrics.get("hardware") or {}
    if not timing and not machine:
        return None
    per_epoch = [
        seconds for seconds in map(as_number, timing.get("seconds_per_epoch") or []) if seconds is not None
    ]
    mean = sum(per_epoch) / len(per_epoch) if per_epoch else None
    memory = as_number(timing.get("peak_memory_mb"))
    pairs = [
        ("Epochs", count_text(timing["epochs"]) if "epochs" in timing else ""),
        ("Time per epoch (mean)", duration_text(mean) if mean is not None else ""),
        (
            "Total time",
            duration_text(as_number(timing.get("total_seconds"))) if "total_seconds" in timing else "",
        ),
        ("Peak memory", f"{memory:,.0f} MB" if memory is not None else ""),
        ("Processor", machine.get("cpu") or ""),
        ("Threads", machine.get("threads") or ""),
        ("Precision", machine.get("precision") or ""),
        ("GPU", (machine.get("gpu") or "none") if machine else ""),
        ("Platform", machine.get("platform") or ""),
        ("PyTorch", machine.get("torch") or ""),
    ]
    return Section("cost", "Time, memory, machine", facts(pairs))


def recipe_section(run: RunFolder) -> Section | None:
    """Return how to do it again: the command, the encoder, the objective, the whole recipe."""
    encoder, objective = run.metrics.get("encoder") or {}, run.metrics.get("objective") or {}
    pairs = [
        ("Encoder", encoder.get("name") or ""),
        ("Kind of encoder", encoder.get("kind") or ""),
        ("Parameters", f"{encoder['parameters']:,}" if as_number(encoder.get("parameters")) else ""),
        ("Dimensions", encoder.get("dimension") or ""),
        *((f"Objective: {name}", _setting(value)) for name, value in objective.items()),
        ("Seed", "" if run.metrics.get("seed") is None else run.metrics["seed"]),
    ]
    command = run.metrics.get("command")
    body = [
        facts(pairs),
        join([tag("h3", "Command"), tag("pre", tag("code", command), tabindex="0")]) if command else "",
        tag("details", tag("summary", "The whole recipe"), tag("pre", tag("code", run.recipe), tabindex="0"))
        if run.recipe
        else "",
    ]
    return Section("recipe", "How it was trained", join(body))


def _setting(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
