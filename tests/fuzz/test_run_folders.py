"""Run folders damaged at random: every verb reads them, or refuses them in one sentence that names a file."""

import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.errors import AffektError
from affekt.recipe.read import read_recipe
from affekt.report.compared import compare_runs, comparison_figures
from affekt.report.comparison import write_comparison
from affekt.report.run import render, write_report
from affekt.runs.folder import read_run
from affekt.studies.reproduce import write_tables
from affekt.training.run import train
from made_runs import make_run

LABELS = ["joy", "fear", "love"]
FILES = ("metrics.json", "history.jsonl", "predictions.parquet", "recipe.yaml")
ODD: list[Any] = [
    *(
        None,
        True,
        False,
        -5,
        0,
        3,
        1.5,
        -0.0,
        1e308,
        10**30,
        math.nan,
        math.inf,
        "",
        "x",
        "é\n" * 3,
        "\ud800",
    ),
    *([], [1], ["joy"], [None], {}, {"a": 1}, {"value": "x"}, [{}], [[]], {"joy": None}, "x" * 5000),
]


@pytest.fixture(scope="module", params=[True, False], ids=["one label", "several"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that all verbs can read."""
    run = make_run(tmp_path_factory.mktemp("whole") / "run", LABELS, single_label=request.param, n=14)
    (run / "recipe.yaml").write_text(read_recipe("demo").to_yaml(), encoding="utf-8")
    return run


# --- damage


def flipped(draw: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 5])):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(draw: random.Random, content: bytes) -> bytes:
    start = draw.randrange(len(content))
    return draw.choice([content[:start], content[start:], content[:start] + content[start + 9 :]])


def replaced(draw: random.Random, content: bytes) -> bytes:
    return draw.choice([b"", b"\x00" * 300, b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, content * 2])


def places(held: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    for key, value in held.items() if isinstance(held, dict) else enumerate(held):
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from places(value, (*above, key))


def odd_json(draw: random.Random, content: bytes) -> bytes:
    """Put a value that should not be there into a JSON file, or into a line of one, or take one out."""
    lines = content.decode().splitlines() if content.count(b"\n") > 1 else [content.decode()]
    at = draw.randrange(len(lines))
    held = json.loads(lines[at])
    every = list(places(held))
    depth = draw.choice(sorted({len(way) for way in every}))  # or most would fall on the deep ones
    *way, last = draw.choice([one for one in every if len(one) == depth])
    inside = held
    for key in way:
        inside = inside[key]
    if draw.random() < 0.2:
        del inside[last]
    else:
        inside[last] = draw.choice(ODD)
    lines[at] = json.dumps(held)
    return "\n".join(lines).encode()


def odd_table(draw: random.Random, content: bytes) -> bytes:
    """Change a column of predictions: its values, its type, its presence."""
    table = pq.read_table(pa.BufferReader(content))
    at = draw.randrange(table.num_columns)
    name, values = table.column_names[at], table.columns[at].to_pylist()
    rows = draw.choice([0, 1, len(values) // 2, len(values)])
    value = draw.choice(
        [
            None,
            "x",
            7,
            -1.0,
            math.nan,
            True,
            [0.5] * 2,
            [None] * 3,
            [7.0] * 3,
            [-1.0] * 3,
            [math.inf] * 3,
            [],
            "\n",
        ]
    )
    way = draw.randrange(4)
    if way == 0:
        return written(table.drop_columns([name]))
    if way == 1:
        return written(table.slice(draw.randrange(len(values)), rows))
    if way == 2:
        return written(table.set_column(at, name, pa.array([value] * len(values))))
    try:
        mixed = pa.array([value] * rows + values[rows:], type=table.schema.types[at])
    except (pa.ArrowException, TypeError):
        mixed = pa.array([value] * len(values))
    return written(table.set_column(at, name, mixed))


def written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


Damage = Callable[[random.Random, bytes], bytes]
BYTES: tuple[Damage, ...] = (flipped, cut, replaced)
KINDS: dict[str, tuple[Damage, ...]] = {
    "metrics.json": (*BYTES, *[odd_json] * 5),
    "history.jsonl": (*BYTES, odd_json),
    "predictions.parquet": (*BYTES, *[odd_table] * 3),
    "recipe.yaml": BYTES,
}


# --- what reads a run folder


def report(run: Path, whole: Path) -> None:
    render(read_run(run), {}).encode()


def drawn_report(run: Path, whole: Path) -> None:
    write_report(run)


def compare(run: Path, whole: Path) -> None:
    for pair in ([whole, run], [run, whole]):
        json.dumps(comparison_figures(compare_runs(pair)), allow_nan=False)


def drawn_comparison(run: Path, whole: Path) -> None:
    write_comparison(compare_runs([whole, run]), run.parent / "page.html")


def spaces(run: Path, whole: Path) -> None:
    runs = run.parent / "runs"
    shutil.copytree(whole, runs / "whole")
    shutil.copytree(run, runs / "damaged")
    write_tables((), runs, run.parent / "tables")


def resume(run: Path, whole: Path) -> None:
    train(read_recipe("demo"), run, resume=True)


QUICK = (report, compare, spaces, resume)
DRAWN = (drawn_report, drawn_comparison)


def check(whole: Path, folder: Path, seed: int, verbs: tuple[Callable[[Path, Path], None], ...]) -> None:
    draw = random.Random(seed)
    run = Path(shutil.copytree(whole, folder / "run"))
    name = draw.choice([*FILES, "metrics.json"])
    damage = draw.choice(KINDS[name])
    (run / name).write_bytes(damage(draw, (run / name).read_bytes()))
    for verb in verbs:
        try:
            verb(run, whole)
        except AffektError as fault:
            said = str(fault)
            # metrics with another number of labels are met where the predictions don't fit them
            assert name in said or (name, "predictions.parquet" in said) == ("metrics.json", True), (
                seed,
                said,
            )
            assert "\n" not in said or name == "recipe.yaml", (seed, verb.__name__, said)
        except Exception as fault:
            raise AssertionError(f"seed {seed}: {verb.__name__}, {damage.__name__} of {name}") from fault
    shutil.rmtree(folder)


@pytest.mark.parametrize("block", range(2))
def test_a_damaged_run_is_read_or_refused_in_a_sentence(whole: Path, block: int, tmp_path: Path) -> None:
    for seed in range(50 * block, 50 * (block + 1)):
        check(whole, tmp_path / str(seed), seed, QUICK)


def test_pictures_of_a_damaged_run_are_drawn_or_refused(whole: Path, tmp_path: Path) -> None:
    for seed in range(1000, 1003):
        check(whole, tmp_path / str(seed), seed, DRAWN)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_many_damaged_runs_are_read_or_refused_in_a_sentence(whole: Path, block: int, tmp_path: Path) -> None:
    for seed in range(10_000 + 100 * block, 10_000 + 100 * (block + 1)):
        check(whole, tmp_path / str(seed), seed, (*QUICK, *DRAWN) if seed % 5 == 0 else QUICK)
