"""Nothing half-written: files and folders are made aside and renamed when they are whole."""

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from affekt.errors import AffektError, PlaceError, UsageError, first_line

CARD = "affekt.json"  # what a model's folder says to affekt alone
READY = "affekt-small"  # the model that is there without training
_OLD = ".old"  # ends the name of a folder that steps aside for the new one of the same name without it


def cache_folder() -> Path:
    """Return where affekt keeps what it can have again: $AFFEKT_CACHE, else a folder of the user's cache.

    Raises:
        UsageError: When there is no such user, or this one has no home.
    """
    own, shared = os.environ.get("AFFEKT_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    try:
        if own:
            return Path(own).expanduser().absolute()
        whole = Path(shared).is_absolute()  # a relative one is to be ignored, says the standard
        return (Path(shared) if whole else Path.home() / ".cache") / "affekt"
    except RuntimeError as fault:
        raise UsageError(f"no cache folder ({first_line(fault)}); name one in AFFEKT_CACHE.") from fault


def encoder_folder(name: str) -> Path:
    """Return where the cache has, or would have, an encoder that `affekt data get` fetches."""
    return cache_folder() / "encoders" / name


def ready_model() -> Path | None:
    """Return the folder of the ready model, from its package or from the tree that affekt is run from."""
    package = READY.replace("-", "_")
    installed = find_spec(package)
    packages = [Path(__file__).parents[2] / "models" / READY / package]
    if installed and installed.origin:
        packages.insert(0, Path(installed.origin).parent)
    return next((one / "model" for one in packages if (one / "model" / CARD).is_file()), None)


def of_run(name: str) -> str:
    """Return the model folder of a run's folder, and any other name as it is."""
    inner = Path(name) / "model"
    return str(inner) if (inner / CARD).exists() and not (Path(name) / CARD).exists() else name


def _beside(path: Path) -> Path:
    """Return a path in the same folder that nothing has yet."""
    return path.parent / f".{path.name}.{secrets.token_hex(6)}"


def is_utf8(path: Path) -> bool:
    """Whether a path's name is UTF-8, as most libraries need it to be."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _disk_fault(fault: Exception) -> str | None:
    """Return what the disk said, through whichever library wrote; None where the fault is not the disk's."""
    if isinstance(fault, OSError):
        return fault.strerror or first_line(fault)
    if isinstance(fault, RuntimeError) and "inline_container" in str(fault):  # torch.save hides its cause
        return "the disk took only a part of it"
    number = re.search(r"\(os error (\d+)\)", str(fault))  # what is written in Rust says so
    return os.strerror(int(number[1])) if number else None


def _to_disk(path: Path) -> None:
    """Wait until a file or a folder itself is on the disk: a rename must not come before its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some file systems cannot do it for folders, and need not
            raise
    finally:
        os.close(handle)


@contextmanager
def _locked(aside: Path) -> Iterator[None]:
    """Show other processes that somebody is writing here; the lock goes when this process does."""
    handle = os.open(aside, os.O_RDONLY)
    try:
        with suppress(OSError):  # no locks on this file system: then nobody takes it for a leftover either
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _abandoned(aside: Path) -> bool:
    """Whether nobody is writing here any more."""
    try:
        handle = os.open(aside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _remove(path: Path) -> None:
    """Remove a file or a folder; that it is gone already, or stays, is no fault."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def recover(path: Path) -> None:
    """Finish or remove what a killed process left beside a path that it was writing.

    A folder whose writer died between its two renames is put in its place; what was half-written goes; what
    another process is writing stays. Only names made here are touched.
    """
    form = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{12}")
    with suppress(OSError):  # there is no such folder, or nothing to be done about it here
        names = {name.removesuffix(_OLD) for name in os.listdir(path.parent)}
        for aside in (path.parent / name for name in names if form.fullmatch(name)):
            old = aside.with_name(aside.name + _OLD)
            if aside.exists() and not _abandoned(aside):
                continue
            if old.exists() and not path.exists():  # a folder steps aside only for one that is whole
                os.replace(aside if aside.exists() else old, path)
            _remove(aside)
            _remove(old)


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, else remove it.

    The content is on the disk before it has the name. What an earlier process left half-written goes.

    Raises:
        UsageError: When the folder cannot be written to, the disk is full, or what is there is no file.
    """
    aside = _beside(path)
    with _written(path, aside):
        if path.exists() and not path.is_file():  # renaming would put a file in a device's place
            raise UsageError(f"{path}: could not be written, since it is a folder or a device; name a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        recover(path)
        aside.touch(exist_ok=False)
        with _locked(aside):
            yield aside
            _to_disk(aside)
            os.replace(aside, path)
            _to_disk(path.parent)


@contextmanager
def folder_written_aside(path: Path) -> Iterator[Path]:
    """The same for a whole folder; a folder already at `path` is replaced, and stays when the block fails."""
    whole = path.resolve()  # of a link, the folder it leads to is replaced
    aside = _beside(whole)
    with _written(path, aside):
        whole.parent.mkdir(parents=True, exist_ok=True)
        recover(whole)
        aside.mkdir()
        with _locked(aside):
            yield aside
            for written in [*aside.rglob("*"), aside]:
                _to_disk(written)
            _replace_folder(whole, aside)
            _to_disk(whole.parent)


@contextmanager
def _written(path: Path, aside: Path) -> Iterator[None]:
    """Say of a fault of the disk that `path` could not be written; leave nothing aside."""
    try:
        yield
    except AffektError:
        raise
    except Exception as fault:
        unnamed = isinstance(fault, UnicodeEncodeError) and not is_utf8(path)
        reason = "its name is not UTF-8" if unnamed else _disk_fault(fault)
        if reason is None:
            raise
        raise PlaceError(f"{path}: could not be written ({reason}); nothing was left there.") from fault
    finally:
        _remove(aside)


def _replace_folder(path: Path, new: Path) -> None:
    """Put a folder where another may be; a folder with content cannot be renamed over, so it steps aside.

    Killed between the two renames, a process leaves both beside the path, from where `recover` goes on.
    """
    if not path.is_dir():
        os.replace(new, path)
        return
    old = new.with_name(new.name + _OLD)
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    _remove(old)


def write_json(path: Path, content: Any) -> None:
    """Write JSON as people read it, aside and renamed; NaN is refused since JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file such as `write_json` writes; ValueError where it is none."""
    return parse_json(path.read_text(encoding="utf-8"), finite=True)


def parse_json(text: str, *, finite: bool = False) -> Any:
    """Return what a JSON text holds; ValueError where it is none, or names letters that no file can hold.

    If `finite`, NaN and infinity are refused too, which JSON has not.
    """
    try:
        held = json.loads(text)
        if finite or "\\u" in text:
            json.dumps(held, ensure_ascii=False, allow_nan=not finite).encode()
        return held
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
