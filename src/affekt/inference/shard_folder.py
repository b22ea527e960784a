"""The folder of a sharded run: one writer at a time, one call's shards only, and which of them are whole."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affekt.errors import UsageError
from affekt.files import read_json, sha256_of, write_json
from affekt.inference.makers import MANIFESTS, Shard, expected_of, manifest_of

_RUN = "run.json"


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold the folder of the shards, so that no second call writes into it meanwhile."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder for the shards.")
    (out / MANIFESTS).mkdir(parents=True, exist_ok=True)
    handle = os.open(out / MANIFESTS, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as fault:
        raise UsageError(f"{out}: another process is writing there; wait until it is done.") from fault
    finally:
        os.close(handle)


def check_folder(out: Path) -> None:
    """Refuse a folder that holds what is no run's."""
    if any(path.name != MANIFESTS for path in out.iterdir()) and not (out / MANIFESTS / _RUN).exists():
        raise UsageError(f"{out}: holds other files; name a new folder for the shards.")


def begin(out: Path, run: dict[str, Any]) -> None:
    """Write down what is asked for; UsageError where something else was before."""
    path = out / MANIFESTS / _RUN
    try:
        before = read_json(path) if path.exists() else run
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path}: cannot be read; name a new folder for the shards.") from fault
    if before != run:
        other = [key for key in run if not isinstance(before, dict) or before.get(key) != run[key]]
        raise UsageError(
            f"{out}: holds shards made with another {' and '.join(other) or 'call'}; name a new folder, or "
            "remove this one."
        )
    write_json(path, run)


def counts_of_whole(out: Path, shard: Shard, model: dict[str, Any]) -> dict[str, int] | None:
    """Return the counts of a shard that is there as its manifest says; None where it must be made."""
    try:
        manifest = read_json(manifest_of(out, shard))
        expected = json.loads(json.dumps(expected_of(shard, model)))
        same = {key: manifest[key] for key in expected} == expected
        if same and sha256_of(out / shard.target) == manifest["sha256"]:
            return {str(label): int(count) for label, count in manifest["predicted"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None
