"""Refusals: what a request is told when it gets no answer, in the shape its interface has for that."""

from collections.abc import Callable
from typing import Any

NAMES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    422: "invalid",
    429: "overloaded",
    500: "internal",
    503: "unavailable",
}


class Refusal(Exception):  # noqa: N818 - it is no error of ours
    """A request that gets no answer. The message says what to do and quotes no text."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after  # seconds


Shape = Callable[[Refusal], dict[str, Any]]  # the body of a refusal in an interface


def native(refusal: Refusal) -> dict[str, Any]:
    """Return affekt's own body of a refusal."""
    return {
        "error": {
            "status": refusal.status,
            "type": NAMES.get(refusal.status, "error"),
            "message": refusal.message,
        }
    }
