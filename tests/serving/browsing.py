"""A service in a thread, for a browser to look at."""

import threading
from contextlib import contextmanager

from affekt.serving.app import create_app
from affekt.serving.settings import Limits, Settings

HOSTILE = "<img src=x onerror=\"document.title='gone'\"> joy"


@contextmanager
def served(model, **settings):
    """The address of a service that runs in a thread, and its server."""
    import uvicorn

    app = create_app(Settings("made-up", Limits(), **settings), lambda: model)
    server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/", server
    server.should_exit = True
    thread.join(5)
