"""Nothing half-written: files and folders are made aside and renamed when they are whole."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from affekt.errors import UsageError

CARD = "affekt.json"  # what a model's folder says to affekt alone


def _beside(path: Path) -> Path:
    """Return a path in the same folder that nothing has yet."""
    return path.parent / f".{path.name}.{secrets.token_hex(6)}"


def _unwritten(path: Path, fault: OSError) -> UsageError:
    return UsageError(f"{path}: could not be written ({fault.strerror or fault}); nothing was left there.")


def _remove(aside: Path) -> None:
    with suppress(OSError):  # gone since it was renamed, or never made
        aside.unlink()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, else remove it.

    Raises:
        UsageError: When the folder cannot be written to, the disk is full, or what is there is no file.
    """
    aside = _beside(path)
    try:
        if path.exists() and not path.is_file():  # renaming would put a file in a device's place
            raise UsageError(f"{path}: could not be written, since it is a folder or a device; name a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.touch(exist_ok=False)
        yield aside
        os.replace(aside, path)
    except OSError as fault:
        raise _unwritten(path, fault) from fault
    finally:
        _remove(aside)


@contextmanager
def folder_written_aside(path: Path) -> Iterator[Path]:
    """The same for a whole folder; a folder already at `path` is replaced, and stays when the block fails."""
    whole = path.resolve()  # of a link, the folder it leads to is replaced
    aside = _beside(whole)
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        yield aside
        _replace_folder(whole, aside)
    except OSError as fault:
        raise _unwritten(path, fault) from fault
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace_folder(path: Path, new: Path) -> None:
    """Put a folder where another may be; a folder with content cannot be renamed over, so it steps aside."""
    if not path.is_dir():
        os.replace(new, path)
        return
    old = _beside(path)
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON as people read it, aside and renamed; NaN is refused since JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
