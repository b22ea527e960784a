"""Structured logs: a JSON object a line on standard error. They hold no text that anybody sent."""

import json
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


def place_of(fault: BaseException) -> list[str]:
    """Return where a fault came up, without its message, which may quote a text."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
