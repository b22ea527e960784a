"""Nothing half-written: files and folders are made aside and renamed when they are whole."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affekt.errors import UsageError


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, else remove it.

    Raises:
        UsageError: When the folder cannot be written to or the disk is full.
    """
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        aside = Path(name)
        os.chmod(aside, 0o644)
        yield aside
        os.replace(aside, path)
    except OSError as fault:
        raise UsageError(f"{path}: could not be written ({fault.strerror or fault}); nothing was left there.") from fault
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


@contextmanager
def folder_written_aside(path: Path) -> Iterator[Path]:
    """The same for a whole folder; a folder already at `path` is replaced."""
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        os.chmod(aside, 0o755)
        yield aside
        if path.exists():
            shutil.rmtree(path)
        os.replace(aside, path)
    except OSError as fault:
        raise UsageError(f"{path}: could not be written ({fault.strerror or fault}); nothing was left there.") from fault
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON as people read it, aside and renamed; NaN is refused since JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
