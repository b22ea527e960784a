"""Where models are: a folder, a run, a name or the ready one, and the faster variants that lie with them.

A variant is a whole model of the same labels: in the folder itself as `fast/` or `fastest/`, or beside it
under the names that exporting and the docs give, as `mine-int8` beside `mine`.
"""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from affekt.errors import ModelError, UsageError, first_line, missing, not_whole, unknown_name
from affekt.files import CARD, READY, of_run, read_json, ready_model, recover
from affekt.inference.runtimes.opening import needs_torch

EXACT = "exact"
SPEEDS = (EXACT, "fast", "fastest")  # each at least as fast as the one before
_BESIDE = {"fast": ("int8", "onnx"), "fastest": ("static", "cascade")}  # after "-", in a folder's name
_MADE_BY = {
    "fast": "make one by affekt export",
    "fastest": "train a static student of it, make a cascade of both by affekt cascade",
}


def check(folder: str | Path | None = None, speed: str | None = None) -> Path:
    """Return where `load` looks for a model, after refusing in a moment what can be none.

    Args:
        folder: As for `load`.
        speed: One of `SPEEDS`. Unless said, the model itself; where torch is not installed and the model
            needs it, its fast variant if there is one.

    Raises:
        MissingError: When nothing but torch runs it, and that is not installed.
        ModelError: When there is no such model, or no variant of it that is as fast.
        UsageError: When `folder` is no path or name, or there is no such speed.
    """
    if speed is not None and speed not in SPEEDS:
        raise UsageError(unknown_name("speed", speed, SPEEDS))
    path = _whole(folder)
    if speed in (None, EXACT):
        if _has_torch() or not (card := _card(path)) or not needs_torch(path, card["network"]):
            return path
        fast = _variant(path, "fast") if speed is None else None
        if fast is None:
            raise missing("torch")
        return fast
    if SPEEDS.index(speed) <= SPEEDS.index(_own_speed(path)):
        return path
    found = _variant(path, speed)
    if found is None:
        names = " or ".join(f"{_stem(path).name}-{ending}" for ending in _BESIDE[speed])
        raise ModelError(
            f"{path}: has no {speed} variant, neither {speed}/ in it nor {names} beside it: "
            f"{_MADE_BY[speed]}, or leave speed out."
        )
    return found


def variants(folder: Path) -> list[Path]:
    """Return the folders inside a model's folder that hold faster variants of it."""
    return [folder / speed for speed in SPEEDS[1:] if (folder / speed / CARD).is_file()]


def _has_torch() -> bool:
    with suppress(ModuleNotFoundError):
        return find_spec("torch") is not None
    return False


# --- the model itself


def _whole(folder: str | Path | None) -> Path:
    """Return the folder of a model, or the path of a name that may be an encoder's."""
    if folder is None or (str(folder) == READY and not Path(READY).exists()):
        return _ready()
    if not isinstance(folder, str | Path):
        raise UsageError(f"a model is opened by its folder or its name, not by a {type(folder).__name__}.")
    try:
        path = _found(Path(folder).expanduser())
        if not (path / CARD).exists():
            _refuse_what_is_no_model(path, str(folder))
    except (OSError, ValueError, RuntimeError) as fault:  # no rights, too long a name, ~nobody
        raise ModelError(f"{folder}: no model can be looked for there ({first_line(fault)}).") from fault
    return path


def _ready() -> Path:
    """Return the folder of the ready model; ModelError where it is not installed."""
    folder = ready_model()
    if folder is None:
        raise ModelError(
            f"no model is named, and the ready one, {READY}, is not installed: "
            f"pip install {READY} (the extra 'small'), or name a model's folder."
        )
    return folder


def _found(path: Path) -> Path:
    """Return the folder of a model from it or its run folder, recovering one whose saving was killed."""
    for place in (path, path / "model"):
        if not place.exists():
            recover(place.resolve())
    return Path(of_run(str(path)))


def _refuse_what_is_no_model(path: Path, name: str) -> None:
    """Raise ModelError for a path that cannot be the folder or the name of an encoder."""
    if path.is_dir() and not (path / "config.json").exists():
        raise ModelError(
            f"{path}: holds neither {CARD} nor config.json; name the folder that training wrote."
        )
    if path.is_file():
        raise ModelError(f"{path}: is a file; name the folder of a model.")
    if not path.exists() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ModelError(f"{path}: no such folder; name the folder that training wrote.")


# --- its variants


def _card(path: Path) -> dict[str, Any]:
    """Return what a model folder's card says, nothing of an encoder that has none."""
    if not (path / CARD).exists():
        return {}
    with not_whole(path, "model folder"):
        card: dict[str, Any] = read_json(path / CARD)
        _ = card["network"].keys(), card["labels"], card["single_label"]
    return card


def _own_speed(path: Path) -> str:
    """Return how fast a model is without any variant: one that is a graph is the fast one of another."""
    network = _card(path).get("network", {})
    if "cascade" in network or network.get("encoder") == "static":
        return "fastest"
    return "fast" if "graph" in network else EXACT


def _stem(path: Path) -> Path:
    """Return the folder beside which variants lie: of a run's model the run's."""
    whole = path.resolve()
    return whole.parent if whole.name == "model" else whole


def _variant(path: Path, speed: str) -> Path | None:
    """Return the folder of a variant; ModelError where it is of another model."""
    stem = _stem(path)
    beside = [stem.with_name(f"{stem.name}-{ending}") for ending in _BESIDE[speed]]
    found = next((_found(one) for one in (path / speed, *beside) if (_found(one) / CARD).exists()), None)
    if found is not None and (own := _card(path)):
        other = _card(found)
        if any(own[key] != other[key] for key in ("labels", "single_label")):
            raise ModelError(
                f"{found}: has other labels than {path}, whose {speed} variant it should be; make it again "
                "or move it away."
            )
    return found
