"""Structured logs: a JSON object a line on standard error. They hold no text that anybody sent."""

import json
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def log(event: str, **facts: Any) -> None:
    """Write a line about an event."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    line = json.dumps({"time": f"{now}Z", "event": event, **facts}, default=str)
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads: no reason to refuse a request
        pass


class ServerLog(logging.Handler):
    """What uvicorn has to say, as lines of ours: a fault with its place and without its message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        fault = record.exc_info[1] if record.exc_info else None
        place = {"kind": type(fault).__name__, "at": place_of(fault)} if fault else {}
        log("server", level=record.levelname.lower(), message=record.getMessage().strip(), **place)


def place_of(fault: BaseException) -> list[str]:
    """Return where a fault came up, without its message, which may quote a text."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
