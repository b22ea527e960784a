"""Millions of synthetic rows by the static path, read and written: cost linear, memory flat, what more costs.

    python benchmarks/scale.py [--millions 1 2 4] [--kind parquet] [--workers 2] [--model FOLDER]
                               [--speed docs/results/speed.json] [--price 0.04] [-o docs/results/scale.json]

Texts are words of the bundled sample, drawn anew. Each size is one call of `affekt predict` with shards; the
processor's seconds are those of all its processes, memory the most that all of them hold at once. Then come
core-hours and money of 100 million and 10 billion rows, for this path and for those of the speed benchmark.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import options_of, tell

LABELS = 28
FAR = {"100 million": 10**8, "10 billion": 10**10}


def static_model(folder: Path) -> None:
    """Save a static classifier with an untrained head, which costs what a trained one does."""
    import torch

    from affekt.data import catalog
    from affekt.decisions import Decisions
    from affekt.encoders import Order
    from affekt.encoders.static import StaticEncoder
    from affekt.inference.model import Model
    from affekt.inference.runtimes.torch import TorchRuntime
    from affekt.networks.heads import build_head
    from affekt.networks.network import Network

    texts = [text for split in catalog.load("sample").values() for text in split.texts]
    order = Order(texts, 0, "all-MiniLM-L6-v2", None, "mean", 128, None, None, {"dimension": 128})
    torch.manual_seed(0)
    encoder = StaticEncoder.from_order(order)
    network = Network(encoder, build_head(encoder, LABELS, kind="linear")).eval()
    names = tuple(f"emotion {i}" for i in range(LABELS))
    decisions = Decisions.unfitted(LABELS, single_label=False)
    Model(TorchRuntime(network), names, False, decisions).save(folder)


def write_rows(path: Path, rows: int) -> None:
    """Write so many rows of an id and a text, a batch at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    from affekt.data import catalog

    words = [
        word for split in catalog.load("sample").values() for text in split.texts for word in text.split()
    ]
    drawn = np.random.default_rng(0)
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    kinds = {".parquet": pq.ParquetWriter, ".csv": pyarrow.csv.CSVWriter}
    with kinds[path.suffix](path, schema) as writer:
        for first in range(0, rows, 50_000):
            lengths = drawn.integers(4, 28, size=min(50_000, rows - first))
            picked = iter(drawn.integers(len(words), size=lengths.sum()).tolist())
            texts = [" ".join(words[next(picked)] for _ in range(length)) for length in lengths.tolist()]
            ids = np.arange(first, first + len(texts))
            writer.write_table(pa.table([pa.array(ids), pa.array(texts)], schema=schema))


def scored(posts: Path, out: Path, model: Path, given: Any) -> dict[str, float]:
    """Return what one call takes."""
    words = [sys.executable, "-m", "affekt", "predict", str(posts), "-o", str(out), "--model", str(model)]
    words += ["--shards", str(given.shard_rows), "--workers", str(given.workers), "--json"]
    began, most = time.monotonic(), 0
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True) as running:
        while True:
            done, status, used = os.wait4(running.pid, os.WNOHANG)
            if done:
                break
            most = max(most, held(running.pid))
            time.sleep(0.25)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, "the call failed"
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "megabytes": round(most / 2**20),
    }


def held(session: int) -> int:
    """Return the bytes that all processes of a session hold, what some share counted once."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) == session:
                lines = stat.with_name("smaps_rollup").read_text().splitlines()
                found += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        except OSError:  # it has ended meanwhile
            continue
    return found


def further(seconds_a_row: float, price: float) -> dict[str, Any]:
    """Return core-hours and money of many rows."""
    hours = {name: rows * seconds_a_row / 3600 for name, rows in FAR.items()}
    return {
        name: {"core_hours": round(one, 1), "money": round(one * price, 2)} for name, one in hours.items()
    }


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 2, 4])
    parser.add_argument("--kind", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--shard-rows", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--speed", type=Path, default=Path("docs/results/speed.json"))
    parser.add_argument("--price", type=float, default=0.04, help="dollars for a core-hour")
    given = parser.parse_args()
    sizes = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if (model := given.model) is None:
            static_model(model := folder / "model")
        for millions in given.millions:
            rows = round(millions * 1e6)
            write_rows(posts := folder / f"{rows}.{given.kind}", rows)
            took = scored(posts, folder / f"{rows} scored", model, given)
            rates = {f"rows_per_{name[:-1]}": round(rows / took[name]) for name in ("seconds", "cpu_seconds")}
            sizes.append({"rows": rows, **took, **rates})
            print(sizes[-1], file=sys.stderr)
    first, last = sizes[0], sizes[-1]
    a_row = last["cpu_seconds"] / last["rows"]
    paths = {"static, read and write included": further(a_row, given.price)}
    if given.speed.exists():
        for way, figures in json.loads(given.speed.read_text())["ways"].items():
            paths[f"{way}, scoring alone"] = further(1 / figures["texts_per_cpu_second"], given.price)
    summary = {
        "kind": given.kind,
        "workers": given.workers,
        "shard_rows": given.shard_rows,
        "sizes": sizes,
        "cost_of_a_row_last_over_first": round(a_row / (first["cpu_seconds"] / first["rows"]), 3),
        "memory_last_over_first": round(last["megabytes"] / first["megabytes"], 3),
        "dollars_a_core_hour": given.price,
        "further": paths,
    }
    tell(summary, given.out)


if __name__ == "__main__":
    main()
