"""`affekt audit`: what a model makes of whom a text is about."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from affekt.cli import console
from affekt.cli.options import ModelName, TaskName
from affekt.cli.runs import command_line


def audit(
    model: ModelName = None,
    task: TaskName = None,
    pairs: Annotated[
        Literal["eec", "own"] | None,
        typer.Option(
            help="The Equity Evaluation Corpus, or this project's own sentences; the first that is here."
        ),
    ] = None,
    terms: Annotated[
        bool,
        typer.Option(
            help="Also see, where Jigsaw's comments are here, what words for groups of people do in them."
        ),
    ] = True,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("audit.html"),
    resamples: Annotated[int, typer.Option(min=10, help="Draws behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Compare answers to sentences that differ in a name or a word for gender, race or age."""
    from affekt.inference.model import load
    from affekt.report.audit import write_audit
    from affekt.report.page import check_page
    from affekt.studies.audit import audit as run_audit
    from affekt.studies.counterfactuals import counterfactuals

    check_page(out)
    asked = counterfactuals(pairs)
    opened = load(model, task=task)
    with console.progress("texts") as tick:
        content = run_audit(
            opened,
            asked,
            terms=terms,
            resamples=resamples,
            seed=seed,
            command=command_line(),
            tick=tick,
        )
    write_audit(content, out)
    if json:
        console.result_json(content)
    else:
        _show(content)
    console.say(f"page: {out}")


def _show(content: dict[str, Any]) -> None:
    from affekt.report.audit import in_words

    rows = []
    for kind in content["kinds"]:
        one = max(kind["labels"], key=lambda label: abs(label["mean"]))
        worst = max(kind["labels"], key=lambda label: abs(label["worst"]["change"]))
        rows.append(
            [
                kind["kind"],
                f"{kind['pairs']:,}",
                f"{100 * kind['otherwise']:.1f} %",
                f"{one['label']} {one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]",
                f"{worst['label']} {worst['worst']['change']:+.3f}",
            ]
        )
    heads = ["pairs that differ in", "pairs", "decided otherwise", "largest mean change", "worst pair"]
    console.table(f"{content['source']}: {content['pairs']:,} pairs", heads, rows)
    said = in_words(content)
    for line in said[:12]:
        console.result(line)
    if len(said) > 12:
        console.result(f"and {len(said) - 12:,} more, on the page")
    if found := content["terms"]:
        own, n = found["with"], found["without"]["n"]
        console.result(
            f"{found['data']}, no toxicity: a negative emotion in {own['rate']:.1%} of {own['n']:,} comments "
            f"with words for groups of people, {own['same_length']:.1%} of those as long without ({n:,}); "
            f"difference {own['value']:+.3f} [{own['low']:+.3f}, {own['high']:+.3f}]"
        )
