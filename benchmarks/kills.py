"""A sharded run, killed at random moments again and again: it must end with the bytes of an undisturbed one.

    python benchmarks/kills.py [--kills 1000] [--by fork|command] [--workers 0] [--model FOLDER] [-o FILE]

Each round scores the same rows into a new folder, kills the call at a moment drawn from the time that a whole
one takes, and makes it again until it ends by itself. A call is a fork of this process, so that the moments
fall into the work and not into its start, or a command with its processes. With -o, kills are added to those
that the file has, so that a benchmark which was stopped goes on.
"""

import hashlib
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import options_of, tell

WORDS = ["happy", "sad", "angry", "calm", "rain", "sun", "dog", "cat", "train", "home"]
LABELS = ("joy", "fear", "love")


def tiny_model(folder: Path) -> None:
    """Save a static classifier of a few words, which costs next to nothing."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    from affekt.decisions import Decisions
    from affekt.encoders.static import StaticEncoder
    from affekt.inference.model import Model
    from affekt.inference.runtimes.torch import TorchRuntime
    from affekt.networks.heads import build_head
    from affekt.networks.network import Network

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    torch.manual_seed(0)
    encoder = StaticEncoder(tokenizer, torch.randn(len(pieces), 16))
    network = Network(encoder, build_head(encoder, len(LABELS), kind="linear")).eval()
    decisions = Decisions.unfitted(len(LABELS), single_label=False)
    Model(TorchRuntime(network), LABELS, False, decisions).save(folder)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with its digest."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def forked(posts: Path, model: Path, shard_rows: int, workers: int) -> Callable[[Path], int]:
    """Return what begins a call in a fork of this process, the leader of its processes."""
    from affekt.inference.runtimes import static  # noqa: F401  read once, here
    from affekt.inference.shards import predict_shards

    def begin(out: Path) -> int:
        if child := os.fork():
            return child
        status = 1
        try:
            os.setsid()
            predict_shards(model, posts, out, shard_rows=shard_rows, workers=workers)
            status = 0
        finally:
            os._exit(status)

    return begin


def command(posts: Path, model: Path, shard_rows: int, workers: int) -> Callable[[Path], int]:
    """Return what begins a call of the command line, the leader of its processes."""

    def begin(out: Path) -> int:
        words = [sys.executable, "-m", "affekt", "predict", str(posts), "-o", str(out), "--model", str(model)]
        words += ["--shards", str(shard_rows), "--workers", str(workers)]
        return subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ).pid

    return begin


def ended(child: int, seconds: float) -> bool:
    """Whether a call ends by itself within some seconds; else it and its processes are killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, f"a call failed with {status}"
            return True
        time.sleep(0.001)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has not come to lead its own yet
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--by", choices=("fork", "command"), default="fork")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--shard-rows", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    before: dict[str, Any] = json.loads(given.out.read_text()) if given.out and given.out.exists() else {}
    total = {name: before.get(name, 0) for name in ("kills", "rounds", "ended_otherwise")}
    drawn = random.Random(total["rounds"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = given.model or folder / "model"
        if given.model is None:  # in a process of its own: what forks should have no threads
            maker = multiprocessing.get_context("spawn").Process(target=tiny_model, args=(model,))
            maker.start()
            maker.join()
        texts = (" ".join(drawn.choices(WORDS, k=drawn.randint(1, 9))) for _ in range(given.rows))
        (posts := folder / "posts.csv").write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
        begin = (forked if given.by == "fork" else command)(posts, model, given.shard_rows, given.workers)
        began = time.monotonic()
        assert ended(begin(folder / "whole"), 600), "an undisturbed call takes too long"
        seconds = time.monotonic() - began
        whole = contents(folder / "whole")
        while total["kills"] < given.kills:
            out = folder / "round"
            began = time.monotonic()
            while not ended(begin(out), drawn.uniform(0, 1.2 * seconds)):
                total["kills"] += 1
                began = -math.inf
            seconds = min(seconds, time.monotonic() - began)  # the first may have met a busy machine
            total["rounds"] += 1
            total["ended_otherwise"] += contents(out) != whole
            shutil.rmtree(out)
            if given.out:
                given.out.write_text(json.dumps(total), encoding="utf-8")
        told = {"rows": given.rows, "shard_rows": given.shard_rows, "by": given.by, "workers": given.workers}
        tell({**total, **told, "files": len(whole), "seconds_of_a_whole_call": round(seconds, 2)}, given.out)
    sys.exit(total["ended_otherwise"] > 0)


if __name__ == "__main__":
    main()
