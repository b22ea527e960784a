"""A sharded run, killed at random moments again and again: it must end with the bytes of an undisturbed one.

    python benchmarks/kills.py --kills 1000 [--model FOLDER] [--workers 2]

Each round scores the same rows into a new folder, kills the call (with its processes) at a moment drawn from
the time that a whole one takes, and makes it again until it ends by itself.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["happy", "sad", "angry", "calm", "rain", "sun", "dog", "cat", "train", "home"]


def tiny_model(folder: Path) -> Path:
    """Save a classifier over counted words, which costs next to nothing."""
    from affekt.decisions import Decisions
    from affekt.encoders.tfidf import TfidfEncoder
    from affekt.inference.model import Model
    from affekt.inference.runtimes.torch import TorchRuntime
    from affekt.networks.heads import build_head
    from affekt.networks.network import Network

    encoder = TfidfEncoder.build(WORDS, min_count=1)
    network = Network(encoder, build_head(encoder, 3, kind="linear")).eval()
    decisions = Decisions.unfitted(3, single_label=False)
    return Model(TorchRuntime(network), ("joy", "fear", "love"), False, decisions).save(folder)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with its digest."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--shard-rows", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    drawn = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = given.model or tiny_model(folder / "model")
        texts = (" ".join(drawn.choices(WORDS, k=drawn.randint(1, 9))) for _ in range(given.rows))
        (folder / "posts.csv").write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")

        def call(out: Path) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "affekt", "predict", str(folder / "posts.csv"), "-o", str(out)]
            command += ["--model", str(model), "--shards", str(given.shard_rows)]
            command += ["--workers", str(given.workers)]
            return subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )

        began = time.monotonic()
        assert call(folder / "whole").wait() == 0
        whole, seconds = contents(folder / "whole"), time.monotonic() - began
        kills = rounds = different = 0
        while kills < given.kills:
            out = folder / f"round {rounds}"
            while True:
                running = call(out)
                try:
                    assert running.wait(drawn.uniform(0, 1.2 * seconds)) == 0
                    break
                except subprocess.TimeoutExpired:
                    kills += 1
                    os.killpg(running.pid, signal.SIGKILL)
                    running.wait()
            rounds += 1
            different += contents(out) != whole
        print(f"{kills:,} kills in {rounds:,} rounds of {len(whole):,} files: {different} ended otherwise")
        sys.exit(different > 0)


if __name__ == "__main__":
    main()
