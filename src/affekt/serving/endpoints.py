"""Endpoints: what a route takes, gives and says when it refuses; app and API description are made of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request

from affekt.serving.bodies import parsed
from affekt.serving.refusals import Shape, native
from affekt.serving.service import Service

Answer = Callable[[Service, Any, Request], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """One route.

    Attributes:
        path: Where it is, as Starlette writes paths.
        summary: What it does, in a line.
        answer: Service, form and request → something that JSON can hold, or a whole response.
        gives: The type of the answer, for the description; None where it is no JSON.
        takes: The form of the body; None for a GET.
        examples: Bodies to try, by a name.
        shape: How it says that it refuses.
        guarded: Whether a key is asked for, where the service has keys.
        kind: The media type of an answer that is no JSON.
        streams: Whether the body is lines, each of the form, that the route reads by itself as they come.
        parse: From the bytes of a body to what its form is filled from.
    """

    path: str
    summary: str
    answer: Answer
    gives: Any = None
    takes: type[BaseModel] | None = None
    examples: dict[str, Any] = field(default_factory=dict)
    shape: Shape = native
    guarded: bool = True
    kind: str = "application/json"
    streams: bool = False
    parse: Callable[[bytes, Request], Any] = lambda body, _: parsed(body)

    @property
    def method(self) -> str:
        """How it is called."""
        return "GET" if self.takes is None else "POST"
