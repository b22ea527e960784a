"""Run folder → one page that holds everything, works offline and fetches nothing."""

from pathlib import Path

from affekt.files import written_aside
from affekt.report import mistakes, results, sections
from affekt.report.html import asset, contents, join, laid_out, page, tag
from affekt.report.pictures import draw_all
from affekt.runs.folder import RunFolder, read_run


def write_report(run: Path) -> Path:
    """Write report.html and its pictures into a run folder, and return the page.

    What the run has no numbers for (no test split, no history, no labels) is left out.

    Raises:
        DataError: When the folder is no run folder or a file of it cannot be read.
    """
    folder = read_run(Path(run))
    target = folder.path / "report.html"
    text = render(folder, draw_all(folder))
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
    return target


def render(run: RunFolder, pictures: sections.Pictures) -> str:
    """Return the page."""
    found = [
        results.figures_section(run, pictures),
        results.per_label_section(run),
        mistakes.matrix_section(run, pictures),
        mistakes.decisions_section(run, pictures),
        mistakes.mistakes_section(run),
        mistakes.examples_section(run),
        results.space_section(run),
        sections.data_section(run, pictures),
        sections.learning_section(run, pictures),
        sections.cost_section(run),
        sections.recipe_section(run),
    ]
    shown = [one for one in found if one is not None]
    version = (
        f"Written by affekt {run.metrics['affekt']}." if run.metrics.get("affekt") else "Written by affekt."
    )
    body = join(
        [
            sections.heading(run),
            contents(shown),
            sections.warnings(run),
            tag("main", laid_out(shown)),
            tag(
                "footer",
                f"{version} The numbers are in metrics.json and predictions.parquet beside this page.",
            ),
        ]
    )
    return page(f"{run.name} – affekt report", body, [asset("sort.js")])
