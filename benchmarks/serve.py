"""A service under load: throughput beside the batch path, latency, overload, malformed bodies, the end.

A server is started on loopback and asked by this process, so both share the processor: on two cores the
service's own figures are somewhat better.

    python benchmarks/serve.py MODEL TEXTS [--seconds 15] [--overload 60] [--together 16] [-o FILE.json]

MODEL is a model's folder or name; TEXTS a file of texts, a line each, or a parquet file with a column `text`.
It takes about four times --seconds, and --overload, and the start twice: two minutes and a half as it stands.
"""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import options_of, tell

CLIENTS = 32  # connections at saturation
MALFORMED = 10_000
RECEIVED: Counter[str] = Counter()  # statuses of all requests
PATHS = ("/v1/emotions", "/v1/embeddings", "/embed", "/predict", "/classify", "/", "/v2/models/x/infer")


class Connection:
    """One connection that is kept, over which requests go one after another."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None

    async def post(self, body: bytes, path: str = "/v1/emotions") -> str:
        """Return the status of an answer, or the name of the fault for which there is none."""
        try:
            if self.reader is None:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            self.writer.write(head.encode() + body)
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            await self.reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        except (OSError, asyncio.IncompleteReadError) as fault:
            self.close()
            return type(fault).__name__
        if "connection: close" in head:
            self.close()
        RECEIVED[status := head.split()[1]] += 1
        return status

    def close(self) -> None:
        """Let go of the connection."""
        if self.reader is not None:
            self.writer.close()
        self.reader = None


async def load(
    port: int, bodies: Sequence[bytes], clients: int, seconds: float, rate: float | None = None
) -> tuple[Counter[str], list[float]]:
    """Return statuses, and latencies of what was answered, of requests from some clients.

    With a rate, requests are due at even times whether those before them were answered or not, and latencies
    count from when they were due. Without one, each client asks again as soon as it is answered.
    """
    statuses: Counter[str] = Counter()
    latencies: list[float] = []
    began = time.monotonic()
    end = began + seconds

    async def ask(number: int) -> None:
        connection = Connection(port)
        due = began + number / (rate or 1)
        while (now := time.monotonic()) < end and (not rate or due < end):
            if rate:
                await asyncio.sleep(due - now)
            start = due if rate else time.monotonic()
            statuses[status := await connection.post(random.choice(bodies))] += 1
            if status == "200":
                latencies.append(time.monotonic() - start)
            due += clients / (rate or 1)
        connection.close()

    await asyncio.gather(*(ask(number) for number in range(clients)))
    return statuses, latencies


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """Return milliseconds."""
    return {f"p{p}": round(float(np.percentile(latencies, p)) * 1000, 1) for p in (50, 95, 99)}


def memory(process: int) -> int:
    """Return the MB a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def malformed(texts: Sequence[str]) -> bytes:
    """Return a body that no interface can answer."""
    body = json.dumps({random.choice(("texts", "input", "inputs")): random.choice(texts)}).encode()
    return random.choice(
        (
            body[: random.randrange(len(body))],
            b"\xff" + body,
            body.replace(b'"', b"'"),
            body.replace(b": ", b": NaN, "),
            json.dumps([random.choice(texts)]).encode(),
            b'{"texts": 3, "input": {}, "inputs": null}',
            b'{"texts": [' * random.randrange(1, 3000),
            os.urandom(random.randrange(1, 300)),
        )
    )


async def overloaded(port: int, bodies: Sequence[bytes], process: int, given: Any, rate: float) -> Any:
    """Return what ten times the load that it bears does."""
    sizes = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(given.overload / 12)
            sizes.append(memory(process))

    watching = asyncio.create_task(watch())
    statuses, latencies = await load(port, bodies, CLIENTS * 20, given.overload, rate)
    watching.cancel()
    return {"statuses": statuses, "ms": percentiles(latencies), "memory_mb": sizes}


async def measure(given: Any, process: subprocess.Popen[bytes], port: int, texts: list[str]) -> Any:
    """Return all figures but those of the batch path."""
    each = [json.dumps({"texts": random.sample(texts, given.together), "top": 3}) for _ in range(1000)]
    several = [body.encode() for body in each]
    single = [json.dumps({"texts": text}).encode() for text in texts]
    answered = Counter[str]()
    await load(port, several, CLIENTS, min(3, given.seconds))
    began = time.monotonic()
    statuses, latencies = await load(port, several, CLIENTS, given.seconds)
    rate = statuses["200"] * given.together / (time.monotonic() - began)  # all are waited for
    said("saturated")
    figures = {"texts_a_second": round(rate, 1), "saturated_ms": percentiles(latencies)}
    half, latencies = await load(port, single, 64, given.seconds, rate / 2)
    said("at half load")
    figures |= {"half_load": half, "half_load_ms": percentiles(latencies)}
    figures["overload"] = await overloaded(port, several, process.pid, given, 10 * rate / given.together)
    said("overloaded")
    connections = [Connection(port) for _ in range(8)]
    for _ in range(MALFORMED // len(connections)):
        asked = [one.post(malformed(texts), random.choice(PATHS)) for one in connections]
        answered.update(await asyncio.gather(*asked))
    figures["malformed"] = answered
    for connection in connections:
        connection.close()
    said("sent malformed requests")
    under_load = asyncio.create_task(load(port, several, CLIENTS, 3))
    await asyncio.sleep(1)
    process.send_signal(signal.SIGTERM)
    figures["stopped_under_load"], _ = await under_load  # ConnectionRefused once its door is closed
    return {**figures, "exit": process.wait(60)}


def said(what: str) -> None:
    """Say how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr)


def read(path: Path) -> list[str]:
    """Return at most 5,000 texts of a file, none of them empty."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        lines = pq.read_table(path, columns=["text"])["text"].to_pylist()
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip()][:5000]


def batch_path(model: str, texts: list[str], seconds: float) -> float:
    """Return the texts a second of `Model.probabilities` over many at once."""
    from affekt.inference.model import load as load_model

    opened = load_model(model)
    opened.probabilities(texts[:256])
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        some = [texts[(done + i) % len(texts)] for i in range(512)]
        opened.probabilities(some)
        done += len(some)
    return done / (time.monotonic() - began)


async def ready(port: int) -> None:
    """Wait until a service answers."""
    for _ in range(600):
        if await Connection(port).post(b'{"texts": "ready?"}') == "200":
            return
        await asyncio.sleep(0.2)
    raise SystemExit("the service does not start.")


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__)
    options.add_argument("model")
    options.add_argument("texts", type=Path)
    options.add_argument("--seconds", type=float, default=15, help="of each kind of load")
    options.add_argument("--overload", type=float, default=60, help="seconds of ten times the load")
    options.add_argument("--together", type=int, default=16, help="texts of a request")
    given = options.parse_args()
    random.seed(0)
    texts = read(given.texts)
    batch = batch_path(given.model, texts, given.seconds)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "affekt", "serve", "--model", given.model, "--cache-mb", "0"]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen([*command, "--port", str(port)], stderr=log) as process,
    ):
        try:
            asyncio.run(ready(port))
            figures = asyncio.run(measure(given, process, port, texts))
        finally:
            process.kill()
        log.seek(0)
        logged = sum(json.loads(line).get("status") == 200 for line in log)
    figures["answered_and_not_received"] = logged - RECEIVED["200"]
    share = round(figures["texts_a_second"] / batch, 3)
    tell({"batch_texts_a_second": round(batch, 1), "share_of_batch": share, **figures}, given.out)


if __name__ == "__main__":
    main()
