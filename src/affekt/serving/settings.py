"""What a service is told: its model, its limits, its keys."""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from affekt.errors import UsageError, first_line


@dataclass(frozen=True)
class Limits:
    """What a request, the queue and the cache may hold."""

    body: int = 2 * 2**20  # bytes
    texts: int = 1024  # per call
    characters: int = 20_000  # per text
    queue: int = 2048  # texts that wait or are worked on
    batch_tokens: int = 1024  # padded, by the estimate of `batching.about_tokens`
    longest_wait: float = 0.003  # seconds a text waits for others to share its batch
    cache: int = 64 * 2**20  # bytes of recent answers; 0 keeps none
    body_seconds: float = 20.0  # for a body to arrive

    def __post_init__(self) -> None:
        for name in ("body", "texts", "characters", "queue", "batch_tokens"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', ' ')} = {getattr(self, name)}: a limit is at least 1.")
        if self.cache < 0 or self.longest_wait < 0:
            raise UsageError("a cache and a wait are at least 0.")


@dataclass(frozen=True)
class Settings:
    """How a service is set up.

    Attributes:
        model: A model as `affekt.load` takes it; None for the ready one.
        limits: What requests may ask for.
        keys: Keys of which requests must bring one; none are asked for where there are none.
        origins: Web pages from elsewhere that may use the service (CORS); "*" for any.
        drain_seconds: How long a service that is told to stop still refuses in words, before it closes.
        speed: How fast, as `affekt.load` takes it.
    """

    model: str | None = None
    limits: Limits = Limits()
    keys: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    drain_seconds: float = 0.5
    speed: str | None = None


class Keys:
    """The keys that open a service, kept as digests and compared in constant time."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def open_to(self, key: str | None) -> bool:
        """Whether a request that brings a key, or none, is let in."""
        if not self._digests:
            return True
        given = hashlib.sha256((key or "").encode("utf-8", "surrogatepass")).digest()
        return sum(hmac.compare_digest(given, known) for known in self._digests) > 0  # all are looked at


def read_keys(path: Path) -> tuple[str, ...]:
    """Return the keys of a file, one a line; lines that are empty or begin with # are none.

    Raises:
        UsageError: When the file cannot be read, or holds no key.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path}: the keys cannot be read ({first_line(fault)}).") from fault
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise UsageError(f"{path}: holds no key; write one a line, or name no file.")
    return keys
