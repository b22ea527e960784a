"""An in-process client of ASGI applications, and a model that computes nothing. No network, no torch."""

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import numpy as np
import uvicorn

from affekt.decisions import Decisions
from affekt.inference.model import Model
from affekt.serving.app import create_app
from affekt.serving.server import _config, _listening
from affekt.serving.settings import Limits, Settings

LABELS = ("anger", "joy", "sadness")


class MadeUpRuntime:
    """Logits from a text's letters: what it says is known beforehand. Notes its batches."""

    dimension = 4
    by_direction = True
    device = "cpu"
    opens_in = ("affekt",)

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.batches = []

    def logits(self, texts, *, batch_size=64):
        self.batches.append(list(texts))
        time.sleep(self.seconds)
        if any("BOOM" in text for text in texts):
            raise RuntimeError(f"cannot read {texts}")
        return np.array([[len(text) - 9, text.count("joy") * 3 - 1, -2] for text in texts], np.float32)

    def vectors(self, texts, *, projected=False, batch_size=64):
        self.batches.append(list(texts))
        return np.array([[len(text), 1, 2, 3] for text in texts], np.float32)

    def both(self, texts, *, batch_size=64):
        return self.logits(texts), self.vectors(texts)

    def to(self, device):
        return self


def made_up(seconds=0.0, *, labels=LABELS, single_label=False):
    decisions = Decisions.unfitted(len(labels), single_label=single_label) if labels else None
    return Model(MadeUpRuntime(seconds), labels, single_label, decisions, about={"name": "made-up"})


@dataclass
class Reply:
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Client:
    def __init__(self, app):
        self.app = app
        self.service = app.state.service

    async def __call__(self, method, path, body=None, headers=(), chunks=None, receive=None):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        parts = chunks or [body or b""]
        sent = [
            {"type": "http.request", "body": part, "more_body": i < len(parts) - 1}
            for i, part in enumerate(parts)
        ]
        reply = Reply()

        async def next_part():
            return sent.pop(0) if sent else await asyncio.Event().wait()

        async def send(message):
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                reply.body += message.get("body", b"")

        path, _, query = path.partition("?")
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "scheme": "http", "server": ("test", 80),
            "client": ("test", 1), "headers": [(k.lower().encode(), v.encode()) for k, v in headers],
            "extensions": {}, "state": {},
        }  # fmt: skip
        await self.app(scope, receive or next_part, send)
        return reply

    async def get(self, path, **more):
        return await self("GET", path, **more)

    async def post(self, path, body, **more):
        return await self("POST", path, body, **more)


@asynccontextmanager
async def serving(model=None, *, wait=True, keys=(), origins=(), **limits):
    """A client of a service that is ready."""
    settings = Settings("made-up", Limits(**limits), keys, origins)
    app = create_app(settings, (lambda: model or made_up()) if not callable(model) else model)
    async with app.router.lifespan_context(app):
        client = Client(app)
        while wait and client.service.state == "starting":
            await asyncio.sleep(0.001)
        yield client


@contextmanager
def listening(model=None, *, keys=(), **limits):
    """The port on loopback where a service listens, as uvicorn runs it."""
    app = create_app(Settings("made-up", Limits(**limits), keys, drain_seconds=0), lambda: model or made_up())
    server = uvicorn.Server(_config(app))
    socket = _listening("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        while app.state.service.state == "starting":
            time.sleep(0.001)
        yield socket.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()
        assert not thread.is_alive(), "the server did not stop"


def run(test):
    """Let an async test be a plain one."""
    from functools import wraps

    @wraps(test)
    def plain(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 30))

    return plain
