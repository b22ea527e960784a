"""Two processes of one thread each beside one process of two threads: the same file, into shards.

    python benchmarks/workers.py [--model FOLDER] [--speeds exact fast] [--texts 8000] [--rounds 2] [-o FILE]

Seconds are a clock's, from the start of the command to its end, so that opening the model in every process
counts. Rounds alternate. Texts are those of tweeteval-sentiment, again and again where they are too few.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import options_of, tell

WAYS = {"one process, two threads": 0, "two processes, a thread each": 2}


def seconds(source: Path, out: Path, model: str, speed: str, workers: int) -> float:
    """Return how long one command takes."""
    words = [sys.executable, "-m", "affekt", "predict", str(source), "-o", str(out), "--shards", "1000"]
    words += ["--model", model, "--speed", speed, "--workers", str(workers)]
    began = time.perf_counter()
    subprocess.run(
        words, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1" if workers else "2"}
    )
    return time.perf_counter() - began


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--model", default="affekt-small")
    parser.add_argument("--speeds", nargs="+", default=["exact", "fast"])
    parser.add_argument("--texts", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    from affekt.data import catalog

    texts = catalog.load("tweeteval-sentiment")["test"].texts
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        rows = (json.dumps({"text": texts[at % len(texts)]}) for at in range(given.texts))
        source.write_text("\n".join(rows) + "\n", encoding="utf-8")
        for speed in given.speeds:
            took: dict[str, list[float]] = {way: [] for way in WAYS}
            for at in range(given.rounds):
                for way, workers in WAYS.items():
                    out = Path(folder) / f"{speed}-{workers}-{at}"
                    took[way].append(seconds(source, out, given.model, speed, workers))
            found[speed] = {way: round(statistics.median(all_), 2) for way, all_ in took.items()}
    tell({"texts": given.texts, "rounds": given.rounds, "seconds": found}, given.out)


if __name__ == "__main__":
    main()
