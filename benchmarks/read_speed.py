"""Reading data files beside csv.reader alone: rows per second on a file like an export of tweets.

`Corpus.read` checks every row, `stream` is what predict's first pass does. The three take turns in one
process. Each figure is the median over rounds; a ratio compares neighbours of one round, in processor time,
which other work on the machine disturbs least.

    python benchmarks/read_speed.py [--rows 300000] [--rounds 5] [-o FILE.json]
"""

import csv
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import options_of, tell

LABELS = ["anger", "fear", "joy", "love", "sadness", "surprise"]
POST = (
    "i can't stop smiling today the weather is awful and you know it @user #happy why so sad really never "
    "again, love hate this https://t.co/x"
)


def write_posts(path: Path, rows: int) -> None:
    """Write posts of 5 to 30 words, one in seven with an emoji or an accent, as in TweetEval's."""
    draw, words = random.Random(0), POST.split()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "created", "author"])
        for row in range(rows):
            text = " ".join(draw.choices(words, k=draw.randint(5, 30)))
            text += " 🙂" if draw.random() < 0.11 else " café" if draw.random() < 0.04 else ""
            text = f'she said "{text}"' if row % 20 == 0 else text
            created = f"2024-01-{row % 28 + 1:02}T10:00:00"
            writer.writerow([10**6 + row, text, draw.choice(LABELS), created, f"u{row % 5000}"])


def csv_reader_alone(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def corpus_read(path: Path) -> int:
    from affekt.data.corpus import Corpus

    return len(Corpus.read(path, labels="label"))


def stream(path: Path) -> int:
    from affekt.data.read import stream

    return sum(len(window) for window in stream(path, batch_size=256))


READERS: list[Callable[[Path], int]] = [csv_reader_alone, corpus_read, stream]


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {reader.__name__: [] for reader in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.csv"
        write_posts(path, options.rows)
        size = path.stat().st_size
        for reader in READERS:
            assert reader(path) == options.rows  # also loads what it needs
        for _ in range(options.rounds):
            for reader in READERS:
                began = time.process_time()
                reader(path)
                seconds[reader.__name__].append(time.process_time() - began)
    alone = seconds["csv_reader_alone"]
    summary = {
        "rows": options.rows,
        "megabytes": round(size / 1e6, 1),
        "rows_per_second": {
            name: round(options.rows / statistics.median(taken)) for name, taken in seconds.items()
        },
        "ratio_to_csv_reader": {
            name: round(statistics.median(a / b for a, b in zip(alone, taken, strict=True)), 3)
            for name, taken in seconds.items()
        },
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
