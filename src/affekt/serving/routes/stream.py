"""A stream of posts: pushed a line each, answered event by event; who listens hears of all, without texts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from affekt.serving.bodies import Text, checked, parsed, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal, native
from affekt.serving.rises import Rises
from affekt.serving.routes.native import numbers
from affekt.serving.service import Service

KIND = "text/event-stream"
TOGETHER = 64  # posts that are scored at once
_BREATH = 1.0  # seconds after which a silent stream looks whether the service stops
_AT_ONCE = 100  # who push, and who listen


class Post(BaseModel):
    """A post: a line of the body. A line may also be the text alone, as a JSON string."""

    model_config = ConfigDict(title="StreamPost")

    text: Text
    id: str | int | None = Field(None, description="Comes back with the answer.")


async def push(service: Service, form: None, request: Request) -> Response:
    """Score posts as they come, a line of JSON each, and answer with events.

    `emotions` for each post in order, `rise` when an emotion becomes commoner than chance explains, `fault`
    for a line that is no post, and `end`.
    """
    service.ready().deciding()
    if service.pushing >= _AT_ONCE:
        raise Refusal(429, f"{_AT_ONCE} push already.", retry_after=10)
    return _Duplex(_answers(service, request), media_type=KIND)


class _Duplex(StreamingResponse):
    """Events that are sent while the body still comes: nothing but their maker reads from the client."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


async def listen(service: Service, form: None, request: Request) -> Response:
    """Hear the events of all posts that are pushed from now on, without their texts."""
    service.ready()
    if len(service.listeners) >= _AT_ONCE:
        raise Refusal(429, f"{_AT_ONCE} listen already.", retry_after=10)
    if request.method == "HEAD":  # nothing is sent by which one would notice that nobody listens
        return Response(media_type=KIND)
    return StreamingResponse(_heard(service), media_type=KIND)


async def _heard(service: Service) -> AsyncIterator[str]:
    events: asyncio.Queue[str] = asyncio.Queue(1000)
    service.listeners.add(events)
    try:
        yield ": listening\n\n"
        while service.state == "ready" or not events.empty():
            try:
                yield await asyncio.wait_for(events.get(), _BREATH)
            except TimeoutError:
                yield ":\n\n"  # a listener who has gone is noticed
    finally:
        service.listeners.discard(events)


async def _answers(service: Service, request: Request) -> AsyncIterator[str]:
    rises = service.rises
    number = 0
    service.pushing += 1
    try:
        async for lines in _lines(service, request):
            for start in range(0, len(lines), TOGETHER):
                some = lines[start : start + TOGETHER]
                for event in await _scored(service, rises, some, number):
                    yield event
                    service.tell(event)
                number += len(some)
        yield _event("end", {"posts": number})
    except Refusal as refusal:
        yield _event("fault", native(refusal)["error"])
    finally:
        service.pushing -= 1


async def _scored(service: Service, rises: Rises, lines: list[bytes], number: int) -> list[str]:
    """Return the events of some lines, numbered from a number on."""
    posts = [_post(service, line) for line in lines]
    texts = [post.text for post in posts if isinstance(post, Post)]
    rows = iter(await _patiently(service, texts) if texts else ())
    labels, deciding = service.facts.labels, service.ready().deciding()
    events = []
    for place, post in enumerate(posts, start=number):
        if isinstance(post, Refusal):
            events.append(_event("fault", {"post": place, **native(post)["error"]}))
            continue
        row = next(rows)
        [held] = deciding.decide(row[None])
        order = sorted(range(len(labels)), key=lambda i: -row[i])
        scores = numbers(row)
        answer = {
            "post": place,
            "id": post.id,
            "labels": [labels[i] for i in order if held[i]],
            "scores": {labels[i]: scores[i] for i in order},
        }
        events.append(_event("emotions", answer))
        events += [_event("rise", {"post": place, **rise}) for rise in rises.add(held)]
    return events


async def _patiently(service: Service, texts: list[str]) -> Any:
    """Return probabilities; where the queue is full the stream waits, and with it who pushes."""
    while True:
        try:
            return await service.probabilities(texts)
        except Refusal as refusal:
            if refusal.status != 429:
                raise
            await asyncio.sleep(_BREATH)


def _post(service: Service, line: bytes) -> Post | Refusal:
    try:
        held = parsed(line)
        post = checked({"text": held} if isinstance(held, str) else held, Post)
        texts_of(post.text, service.limits)
    except Refusal as refusal:
        return refusal
    return post


async def _lines(service: Service, request: Request) -> AsyncIterator[list[bytes]]:
    """Yield the lines that hold something, those together that are there together."""
    rest, more = b"", True
    while more:
        service.ready()
        try:
            message = await asyncio.wait_for(request.receive(), _BREATH)
        except TimeoutError:
            continue
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        *lines, rest = (rest + message.get("body", b"")).split(b"\n")
        if len(rest) > service.limits.body:
            raise Refusal(413, f"a line is longer than {service.limits.body:,} bytes.")
        if whole := [line for line in (lines if more else [*lines, rest]) if line.strip()]:
            yield whole


def _event(name: str, content: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(content, allow_nan=False)}\n\n"


ENDPOINTS = (
    Endpoint(
        "/v1/stream",
        "Posts as they come, a line of JSON each; events in return",
        push,
        takes=Post,
        examples={"two posts": {"text": "so happy today"}},
        kind=KIND,
        streams=True,
    ),
    Endpoint("/v1/stream", "Events of all posts that are pushed", listen, kind=KIND),
)
