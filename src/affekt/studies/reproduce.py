"""The published tables beside ours, from run folders.

Runs that differ in the seed alone are one line: the mean over the seeds, their range, and the bootstrap
interval of the first. Each run's metrics are kept beside the tables, so that tables can be made again when
the run folders are gone.
"""

import shlex
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from affekt.decisions.rules import plain_threshold
from affekt.errors import DataError, UsageError
from affekt.evaluation.figures import MAIN, SPACE, figure
from affekt.runs.metrics import Metrics, judged_split, space_by_name, space_figures
from affekt.studies.kept import group_of, keep_runs, read_kept, write_page
from affekt.studies.spaces import SPACES, write_spaces


def write_tables(rows: Sequence[str], runs: Path, out: Path) -> list[Path]:
    """Write one page of tables per row of the studies, and `runs/` with the kept metrics; return the pages.

    Without rows, such as "B3", all that have runs are written, and spaces.md beside them. UsageError when a
    row has no finished run: nothing is written then but the kept metrics.
    """
    keep_runs(runs, out / "runs")
    return _write_pages(rows, out / "runs", out, runs)


def _write_pages(rows: Sequence[str], kept: Path, out: Path, runs: Path) -> list[Path]:
    by_row: dict[str, list[Metrics]] = defaultdict(list)
    for metrics in read_kept(kept):
        by_row[metrics.get("row") or "other"].append(metrics)
    parts = {row: {row.lower(), *row.lower().split("+")} for row in by_row}  # "E2+E3" is both E2 and E3
    chosen = {wanted: [row for row in by_row if wanted.lower() in parts[row]] for wanted in rows}
    missing = [wanted for wanted, found in chosen.items() if not found]
    if missing or not by_row:
        raise UsageError(
            f"{runs}: holds no finished run of {', '.join(missing) or 'any row'}; there are runs of "
            f"{', '.join(sorted(by_row)) or 'none'}. Train a recipe of that row first."
        )
    written = {row for found in chosen.values() for row in found} if rows else set(by_row)
    pages = [_write_page(row, by_row[row], out) for row in sorted(written)]
    overview = None if rows else write_spaces([metrics for some in by_row.values() for metrics in some], out)
    return [*pages, overview] if overview else pages


def check_tables(out: Path) -> list[Path]:
    """Return the pages of a folder, when each says what the metrics kept beside it say; nothing is written.

    Raises:
        DataError: When a page differs, is missing, or is of a row without runs: each with its first line
            that is not as it would be written.
        UsageError: When no metrics are kept there.
    """
    with tempfile.TemporaryDirectory() as temporary:
        anew = Path(temporary)
        pages = _write_pages((), out / "runs", anew, out / "runs")
        made = [page for form in ("row-*.md", SPACES) for page in out.glob(form)]
        names = {page.name for page in (*pages, *made)}
        faults = [fault for name in sorted(names) if (fault := _unlike_page(out / name, anew / name))]
    if faults:
        raise DataError(f"{'; '.join(faults)}. Write them anew with affekt reproduce.")
    return [out / page.name for page in pages]


def _unlike_page(page: Path, anew: Path) -> str:
    """Return how a page differs from what it would be; nothing where it does not."""
    if not page.exists():
        return f"{page}: is missing"
    if not anew.exists():
        return f"{page}: is of {'a row' if page.name != SPACES else 'spaces'} that no kept run has"
    said, right = (path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (page, anew))
    for number, (one, other) in enumerate(zip_longest(said, right), start=1):
        if one != other:
            return f"{page}:{number}: says {one!r}, and the metrics {other!r}"
    return ""


# --- pages


def _write_page(row: str, runs: list[Metrics], out: Path) -> Path:
    groups: dict[tuple[str, ...], list[Metrics]] = defaultdict(list)
    for metrics in runs:
        groups[group_of(metrics)].append(metrics)
    parts = [f"# Row {row}", "", "Made by `affekt reproduce`; each table by the commands below it.", ""]
    for key, group in sorted(groups.items()):
        group.sort(key=lambda metrics: int(metrics["seed"]))
        parts += _section(key[0] + _unlike(key, groups), group)
    return write_page(out / f"row-{row.lower().replace(' ', '-')}.md", parts)


def _unlike(key: tuple[str, ...], keys: Iterable[tuple[str, ...]]) -> str:
    """Return what tells a group from others of its name: its settings, and the texts it was judged on."""
    others = [other for other in keys if other[0] == key[0]]
    if len(others) < 2:
        return ""
    if len({other[-2] for other in others}) < 2:
        return f" ({key[-1]})"
    return f" ({key[-1]}; on texts {key[-2][:8] or 'unknown'}: not to be compared with other texts)"


def _section(name: str, runs: list[Metrics]) -> list[str]:
    first, judged = runs[0], judged_split(runs[0])
    seeds = ", ".join(str(metrics["seed"]) for metrics in runs)
    said = dict.fromkeys(warning for metrics in runs for warning in metrics.get("warnings") or [])
    older = [name for metrics in runs for name in metrics["older"]]
    return [
        f"## {name}",
        "",
        f"{first['data']['name']}, {judged} split, n = {first['data']['splits'][judged]['n']:,}; "
        f"{first['encoder']['name']}, {first['encoder']['parameters'] / 1e6:.1f} M parameters; "
        f"seed{'s' if len(runs) > 1 else ''} {seeds}.",
        "",
        *((_space(first), "") if first.get("clustering") else ()),
        "| figure | ours | range over seeds | 95 % interval of the first | published |",
        "|---|---|---|---|---|",
        *_lines(runs, judged),
        "",
        _effort(first),
        "",
        *(f"    {_command(metrics)}" for metrics in runs),
        "",
        *((f"Left out, for a newer run of the same seed: {', '.join(older)}.", "") if older else ()),
        *(line for warning in said for line in (f"Warning: {warning}", "")),
    ]


def _space(metrics: Metrics) -> str:
    """Say which rows the figures of the space are of: they are fewer than the split's."""
    space = space_by_name(metrics)
    said = f"Space: n = {space['n']:,} rows with one label, {space['dimension']} dimensions"
    if "overlap_n" in space:
        said += f"; overlap_ figures: n = {space['overlap_n']:,}, rows that share a label with another"
    return f"{said}."


def _command(metrics: Metrics) -> str:
    """Return the command that makes a run, into the folder that it is kept by the name of."""
    words = shlex.split(metrics.get("command") or "")
    if not words:
        return f"command not kept (run {metrics['run']})"
    kept = [word for word, before in zip(words, ["", *words], strict=False) if before != "--out"]
    kept = [word for word in kept if word != "--out" and not word.startswith("--out=")]
    return shlex.join([*kept, "--out", f"runs/{metrics['run']}"])


def _lines(runs: list[Metrics], judged: str) -> list[str]:
    """Return the table's lines: figures by way of deciding, the space's, and published ones we lack."""
    first = runs[0]
    published = first.get("published") or []
    unsaid, lines = list(published), list[str]()

    def add(metric: str, where: str, figures: list[Any], among: list[Any]) -> None:
        if all(figures):
            said = [one for one in among if one["metric"] == metric]
            unsaid[:] = [one for one in unsaid if one not in said]
            lines.append(_line(metric + where, figures, said))

    for way in first.get(judged) or {}:
        of_way = [one for one in published if one.get("thresholds", "fixed") == way]
        for metric in _told(first, of_way):
            add(metric, _where(way, first), [run[judged][way].get(metric) for run in runs], of_way)
    for metric in SPACE:
        add(metric, "", [space_figures(run).get(metric) for run in runs], unsaid)
    for one in unsaid:
        where = _where(one.get("thresholds", "fixed"), first)
        lines.append(f"| {one['metric']}{where} | – | | | {_said([one])} |")
    return lines


def _told(metrics: Metrics, published: list[Any]) -> list[str]:
    """Return the classifier's figures to show; with one label per text some only say accuracy again."""
    single = metrics["data"]["single_label"]
    own = [key for key in (*MAIN, "never_predicted") if not (single and figure(key).says_accuracy)]
    return list(dict.fromkeys((*own, *(one["metric"] for one in published))))


def _where(way: str, metrics: Metrics) -> str:
    if metrics["data"]["single_label"] or not (metrics.get("test") or metrics.get("dev")):
        return ""
    at = f" at {plain_threshold(decisions := metrics.get('decisions') or {})}"
    calibrated = decisions.get("method") == "fixed"
    return at if way == "fixed" else f" calibrated,{at}" if calibrated else " with thresholds from dev"


def _line(name: str, figures: list[Any], published: list[Any]) -> str:
    """Write a table's line of one metric; its name may be followed by how was decided."""

    def written(value: float) -> str:
        if figure(name.split()[0]).form == "count":
            return f"{value:.1f}".removesuffix(".0")  # a mean over seeds may be no whole number
        return f"{value:.3f}"

    values = [figure["value"] for figure in figures]
    low, high = figures[0].get("low"), figures[0].get("high")
    interval = "" if low is None or high is None else f"[{written(low)}, {written(high)}]"
    spread = f"{written(min(values))} to {written(max(values))}" if len(values) > 1 else ""
    return f"| {name} | {written(statistics.fmean(values))} | {spread} | {interval} | {_said(published)} |"


def _said(published: list[Any]) -> str:
    """Return published figures, each with the encoder it belongs to."""

    def said(one: Any) -> str:
        whose = ", ".join(filter(None, (one.get("encoder"), one.get("source"))))
        return f"{one['value']:.3f} ({whose})".replace("|", "\\|")

    return "; ".join(map(said, published))


def _effort(metrics: Metrics) -> str:
    hardware, timing = metrics["hardware"], metrics["timing"]
    per_epoch = statistics.fmean(timing["seconds_per_epoch"] or [0.0])
    return (
        f"{timing['epochs']} epoch{'' if timing['epochs'] == 1 else 's'} of {per_epoch:.0f} s, "
        f"{timing['total_seconds']:.0f} s in all, peak {timing['peak_memory_mb']:,.0f} MB; "
        f"{hardware['cpu']}, {hardware['threads']} threads, {hardware.get('gpu') or 'no GPU'}, "
        f"{hardware.get('precision', 'float32')}."
    )
