"""A service under load: throughput beside the batch path, latency, overload, malformed bodies, the end.

A server is started on loopback and asked by this process, so both share the processor: on two cores the
service's own figures are somewhat better.

    python benchmarks/serve.py MODEL POSTS [--seconds 20] [--overload 60] [--together 16] [-o FILE.json]

MODEL is a model's folder; POSTS a file of texts, a line each.
"""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from common import options_of, tell

CLIENTS = 32  # connections at saturation


class Connection:
    """One connection that is kept, over which requests go one after another."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None

    async def post(self, body: bytes, path: str = "/v1/emotions") -> int:
        """Return the status of an answer."""
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        said = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        await self.reader.readexactly(int(said.partition("content-length:")[2].split()[0]))
        if "connection: close" in said:
            self.close()
        return int(said.split()[1])

    def close(self) -> None:
        """Let go of the connection."""
        if self.reader is not None:
            self.writer.close()
        self.reader = None


async def load(
    port: int, bodies: list[bytes], clients: int, seconds: float, rate: float | None = None
) -> tuple[Counter[str], list[float]]:
    """Return statuses and latencies of requests from some clients, at a rate where one is given."""
    statuses: Counter[str] = Counter()
    latencies: list[float] = []
    began = time.monotonic()
    end = began + seconds

    async def ask(number: int) -> None:
        connection = Connection(port)
        due = began + number / (rate or 1)
        while (now := time.monotonic()) < end:
            if rate:
                await asyncio.sleep(max(due - now, 0))
            start = max(due, time.monotonic() - seconds) if rate else time.monotonic()
            try:
                status = str(await connection.post(random.choice(bodies)))
            except (OSError, asyncio.IncompleteReadError) as fault:
                status = type(fault).__name__
                connection.close()
            statuses[status] += 1
            if status == "200":
                latencies.append(time.monotonic() - start)
            due += clients / (rate or 1)
        connection.close()

    await asyncio.gather(*(ask(number) for number in range(clients)))
    return statuses, latencies


def memory(process: int) -> float:
    """Return the MB a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def measure(
    given: Any, process: subprocess.Popen[bytes], port: int, texts: list[str]
) -> dict[str, Any]:
    """Return all figures but those of the batch path."""
    each = [
        json.dumps({"texts": random.sample(texts, given.together), "top": 3}).encode() for _ in range(2000)
    ]
    await load(port, each, CLIENTS, 3)
    statuses, _ = await load(port, each, CLIENTS, given.seconds)
    texts_a_second = statuses["200"] * given.together / given.seconds
    single = [json.dumps({"texts": text}).encode() for text in texts]
    _, latencies = await load(port, single, 64, given.seconds, rate=texts_a_second / 2)
    before = memory(process.pid)
    overload, _ = await load(
        port, each, CLIENTS * 20, given.overload, rate=10 * texts_a_second / given.together
    )
    after = memory(process.pid)
    malformed = Counter[str]()
    connection = Connection(port)
    for _ in range(10_000):
        body = bytearray(random.choice(single))
        for _ in range(random.randint(1, 5)):
            body[random.randrange(len(body))] = random.randrange(256)
        malformed[str(await connection.post(bytes(body)))] += 1
    connection.close()
    under_load = asyncio.create_task(load(port, each, CLIENTS, 3))
    await asyncio.sleep(1)
    process.send_signal(signal.SIGTERM)
    ended, _ = await under_load
    return {
        "texts_a_second": round(texts_a_second, 1),
        "half_load_ms": {f"p{p}": round(float(np.percentile(latencies, p)) * 1000, 1) for p in (50, 95, 99)},
        "overload": {**overload, "memory_mb_before": round(before), "memory_mb_after": round(after)},
        "malformed": dict(malformed),
        "stopped_under_load": dict(ended),  # 200 or 503; ConnectionRefusedError once its door is closed
        "exit": process.wait(60),
    }


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__)
    options.add_argument("model")
    options.add_argument("posts", type=Path)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--overload", type=float, default=60)
    options.add_argument("--together", type=int, default=16, help="texts of a request")
    given = options.parse_args()
    random.seed(0)
    texts = [line for line in given.posts.read_text(encoding="utf-8").splitlines() if line.strip()][:20_000]
    from affekt.inference.model import load as load_model

    model = load_model(given.model)
    model.probabilities(texts[:256])
    began = time.monotonic()
    model.probabilities(some := texts[:4000])
    batch = len(some) / (time.monotonic() - began)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "affekt",
        "serve",
        "--model",
        given.model,
        "--port",
        str(port),
        "--cache-mb",
        "0",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            asyncio.run(_ready(port))
            figures = asyncio.run(measure(given, process, port, texts))
        finally:
            process.kill()
    share = round(figures["texts_a_second"] / batch, 3)
    tell({"batch_texts_a_second": round(batch, 1), "share_of_batch": share, **figures}, given.out)


async def _ready(port: int) -> None:
    for _ in range(600):
        try:
            if await Connection(port).post(b'{"texts": "ready?"}') == 200:
                return
        except OSError:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit("the service does not start.")


if __name__ == "__main__":
    main()
