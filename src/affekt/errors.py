"""The exceptions users see.

Each message is one sentence that says what was seen, where, and what to do. The command line prints it and
exits with 2; a traceback for one of these is a bug.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar

Part = TypeVar("Part")

_LISTED = 60  # names that a message lists

_EXTRAS = {
    **dict.fromkeys(("accelerate", "torch", "transformers"), "train"),
    "ray": "ray",
    **dict.fromkeys(("prometheus_client", "starlette", "uvicorn"), "serve"),
}


class AffektError(Exception):
    """Something the user can mend."""


class DataError(AffektError):
    """A data file, a column, a row or a split is not what it should be."""


class RecipeError(AffektError):
    """A recipe has a fault; the message lists all of them, each with its key."""


class ModelError(AffektError):
    """A model folder or an encoder cannot be found, read or used as asked."""


class UsageError(AffektError):
    """A call or a command line asks for something that cannot be done."""


class PlaceError(UsageError):
    """A file or a folder cannot be written to now: the disk is full, or another process is at work in it."""


class MissingError(AffektError, ImportError):
    """A package that comes with an extra is not installed."""


class FollowerError(AffektError):
    """A run of several processes has failed; the one that leads tells the user why, this one just ends."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the message for a name, or what stands in its place, that is not in a table, with the near ones.

    >>> unknown_name("loss", "focl", ["focal", "bce"])
    "unknown loss 'focl': did you mean focal? Known: bce, focal."
    """
    names = sorted(known)
    written = name if isinstance(name, str) else f"{name!r}"
    near = get_close_matches(written, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    shown = written if len(written) <= 200 else f"{written[:199]}…"
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"unknown {kind} {shown!r}: {hint}Known: {', '.join(names[:_LISTED])}{more}."


def check_share(name: str, share: float) -> None:
    """Refuse a share that is none."""
    if not 0 <= share <= 1:
        raise UsageError(f"{name} is {share}: it must lie between 0 and 1.")


def check_several(name: str, values: object, kind: type[AffektError] = DataError) -> None:
    """Refuse one string where there must be several values, such as texts: it would be taken apart."""
    if isinstance(values, str | bytes):
        raise kind(f"{name} must be a list, an array or a series, not one string; write [{name[:-1]}].")


def first_line(fault: Exception) -> str:
    """Return the first line of what a fault says, or of what kind it is, to be part of a sentence."""
    said = str(fault).strip()
    return said.splitlines()[0].rstrip(".") if said else type(fault).__name__


def of_classifier(part: Part | None) -> Part:
    """Return a part that only a classifier has; ModelError where there is none."""
    if part is None:
        raise ModelError(
            "this model is an encoder without a classifier: embed with it, or train a head on it."
        )
    return part


@contextmanager
def reachable(path: object, kind: type[AffektError] = DataError) -> Iterator[None]:
    """Say of a path that the system won't even look at, as with a name too long, that it can't be reached."""
    try:
        yield
    except OSError as fault:
        raise kind(unreachable(fault, path)) from fault


def unreachable(fault: OSError, path: object = "") -> str:
    """Return what is said of a path that the system does not let one look at.

    >>> unreachable(PermissionError(13, "Permission denied", "/mine"))
    "/mine: can't be reached (Permission denied); name another one"
    """
    name = str(path if fault.filename is None else fault.filename)
    shown = name if len(name) <= 100 else name[:99] + "…"
    return f"{shown}: can't be reached ({fault.strerror or fault}); name another one"


@contextmanager
def not_whole(place: object, what: str) -> Iterator[None]:
    """Say of any fault in the block that what lies at a place is damaged: such files raise a dozen kinds."""
    try:
        yield
    except AffektError:
        raise
    except Exception as fault:
        said = f"{type(fault).__name__}: {first_line(fault)}"
        raise ModelError(f"{place}: not a whole {what} ({said}); train or copy it again.") from fault


@contextmanager
def installed() -> Iterator[None]:
    """Say of a package that the block imports, and that is not there, what brings it."""
    try:
        yield
    except ModuleNotFoundError as fault:
        package = (fault.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise missing(package) from fault


def missing(package: str) -> MissingError:
    """Return the fault of a package of an extra that is not installed."""
    return MissingError(
        f'this needs {package}, which is not installed: pip install "affekt[{_EXTRAS[package]}]".'
    )
