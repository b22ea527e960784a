"""Where the rows of shards come from: the files that a name means, cut into shards and read in order."""

import glob
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from affekt.data.columns import Columns
from affekt.data.files import FORMATS
from affekt.data.read import stream
from affekt.data.writing import ROWS
from affekt.errors import DataError
from affekt.files import sha256_of
from affekt.inference.makers import Shard, ShardRows
from affekt.inference.score import WINDOW, SkippedRows, Survey

_NAMED = {".ndjson": ".jsonl", ".ndjson.gz": ".jsonl.gz", ".json": ".jsonl", ".txt": ".csv", ".xlsx": ".csv"}


def files_of(source: str | Path, out: Path | None = None) -> tuple[Path, list[Path]]:
    """Return the files that a file's, a folder's name or a pattern means, in order, and the folder above."""
    path = Path(source)
    if path.is_file():
        return path.parent, [path]
    endings = (*FORMATS, *(f"{ending}.gz" for ending in FORMATS if ending != ".parquet"))
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.name.lower().endswith(endings) and file.is_file()]
        hidden = [file for file in found if any(p[0] in "._" for p in file.relative_to(path).parts)]
        found = sorted(set(found) - set(hidden))
        base = path
        if out is not None:
            found = [file for file in found if out.resolve() not in file.resolve().parents]
    else:
        found = [
            Path(name) for name in sorted(glob.glob(str(source), recursive=True)) if Path(name).is_file()
        ]
        base = Path(os.path.commonpath([file.parent for file in found])) if found else path
    if not found:
        raise DataError(f"{source}: there is no such file, and no file of {', '.join(endings)} in it.")
    return base, found


def kind_of(file: Path) -> str:
    """Return the kind of shards that a file's predictions are written as unless said."""
    name = file.name.lower()
    known = max((end for end in (*ROWS, *_NAMED) if name.endswith(end)), key=len, default=".csv")
    return _NAMED.get(known, known)


def plan(base: Path, files: list[Path], surveys: list[Survey], kind: str, rows: int) -> list[Shard]:
    """Cut files into shards, named after them."""
    stems = [file.relative_to(base).with_name(file.name.split(".")[0] or file.name) for file in files]
    often = Counter(stems)
    shards = []
    for file, stem, one in zip(files, stems, surveys, strict=True):
        name, digest = file.relative_to(base), sha256_of(file)
        place = stem if often[stem] == 1 else name
        for number, first in enumerate(range(0, one.length, rows)):
            target = f"{place}-{number:05d}{kind}"
            shards.append(Shard(str(name), digest, first, min(rows, one.length - first), target))
    return shards


def tasks_of(base: Path, how: Columns, shards: list[Shard]) -> Iterator[ShardRows]:
    """Read the rows of shards; each file once, and only what stands between two shards is passed over."""
    by_file: dict[str, list[Shard]] = {}
    for shard in shards:
        by_file.setdefault(shard.source, []).append(shard)
    for name, wanted in by_file.items():
        at, waiting = 0, iter(wanted)
        task = ShardRows(next(waiting), [], [], [])
        last = wanted[-1].first + wanted[-1].rows
        for window in stream(
            base / name, columns=how, batch_size=WINDOW, on_bad_row="skip", skipped=SkippedRows(), whole=True
        ):
            begin, end = at, at + len(window)
            while at < end and at < last:
                shard = task.shard
                at = max(at, min(shard.first, end))
                taken = range(at - begin, min(end, shard.first + shard.rows) - begin)
                task.cells.extend(dict(window[row].columns) for row in taken)
                task.texts.extend(None if row in window.faults else window.texts[row] for row in taken)
                task.ids.extend(window.ids[row] for row in taken)
                at += len(taken)
                if len(task.texts) == shard.rows:
                    yield task
                    if (following := next(waiting, None)) is None:
                        break
                    task = ShardRows(following, [], [], [])
            at = end
            if at >= last:
                break
        if at < last:
            raise DataError(f"{base / name}: it changed while being read; it has fewer rows now.")
