"""The server: uvicorn over the application, in one process or several."""

import json
import os
import signal
import socket
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from affekt.errors import ModelError, UsageError, first_line
from affekt.hardware import bound_kernel_caches
from affekt.inference.places import check
from affekt.serving.app import create_app
from affekt.serving.logs import log
from affekt.serving.metrics import SHARED
from affekt.serving.protocol import Protocol
from affekt.serving.settings import Limits, Settings

_SETTINGS = "AFFEKT_SERVE_SETTINGS"  # the file, readable by its owner alone, from which workers learn them
_KERNELS = 512, 512  # few texts at once come in many shapes; to compile for one takes longer than they do
_CONNECTIONS = 4096
_FILES = 2 * _CONNECTIONS
_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"lines": {"class": "affekt.serving.logs.ServerLog"}},
    "loggers": {"uvicorn": {"handlers": ["lines"], "level": "WARNING", "propagate": False}},
}
_FAULT = "fault"  # the file beside it, in which a worker says why its model does not open


def run(settings: Settings, *, host: str, port: int, workers: int = 1) -> None:
    """Serve until told to stop; then every accepted request is answered first.

    Raises:
        AffektError: When the model does not open, or nothing can listen there.
    """
    bound_kernel_caches(*_KERNELS)
    check(settings.model, settings.speed)
    open_to_many()
    listener = _listening(host, port)
    log("listening", url=f"http://{host}:{listener.getsockname()[1]}", workers=workers)
    if workers > 1:
        _run_several(settings, listener, workers)
        return
    app = create_app(settings)
    service, server = app.state.service, uvicorn.Server(_config(app))

    def stop(*_: object) -> None:
        server.should_exit = True

    service.failed = stop
    signal.signal(signal.SIGTERM, stop)  # until uvicorn listens to it, and when uvicorn raises it once more
    server.run(sockets=[listener])
    if service.fault:
        raise service.fault


def app_of_worker() -> Starlette:
    """Return the application of a worker process, which ends all of them where its model does not open."""
    told = Path(os.environ[_SETTINGS])
    said = json.loads(told.read_text(encoding="utf-8"))
    said |= {
        "limits": Limits(**said["limits"]),
        "keys": tuple(said["keys"]),
        "origins": tuple(said["origins"]),
    }
    app = create_app(Settings(**said))
    service = app.state.service

    def stop() -> None:
        told.with_name(_FAULT).write_text(str(service.fault), encoding="utf-8")
        os.kill(os.getppid(), signal.SIGTERM)

    service.failed = stop
    return app


def _run_several(settings: Settings, listener: socket.socket, workers: int) -> None:
    with tempfile.TemporaryDirectory() as shared:
        (told := Path(shared) / "settings.json").write_text(json.dumps(asdict(settings)), encoding="utf-8")
        os.environ[SHARED], os.environ[_SETTINGS] = shared, str(told)
        config = _config("affekt.serving.server:app_of_worker", factory=True, workers=workers)
        try:
            _Workers(config, sockets=[listener]).run()
        finally:
            del os.environ[_SETTINGS], os.environ[SHARED]
        if (fault := told.with_name(_FAULT)).exists():
            raise ModelError(fault.read_text(encoding="utf-8"))


def open_to_many() -> None:
    """Let the process hold as many connections as it answers, where the system does."""
    with suppress(ImportError, OSError, ValueError):  # no such limits here, or not ours to change
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _Workers(Multiprocess):
    """The workers. Once they are told to stop, nobody can knock at a door that none of them opens."""

    def terminate_all(self) -> None:
        """Tell them, and let go of the socket, which then closes with the last of them."""
        super().terminate_all()
        for listener in self.sockets:
            listener.close()


def _config(app: Starlette | str, *, factory: bool = False, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=factory,
        workers=workers,
        http=Protocol,
        ws="none",
        access_log=False,  # ours holds no path that somebody made up
        log_config=_LOGS,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=120,  # for answers that nobody reads: what was accepted is done before
        timeout_worker_healthcheck=60,  # a worker that opens its model is busy, not dead
        limit_concurrency=_CONNECTIONS,
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
        listener.set_inheritable(True)
    except OSError as fault:
        raise UsageError(f"nothing can listen on {host}:{port} ({first_line(fault)}).") from fault
    return listener
