"""Streams of posts: events in order, rises beyond chance, and lines that are no posts."""

import asyncio
import json

import numpy as np
import pytest

from affekt.evaluation.intervals import wilson
from affekt.serving.rises import Rises
from serving.client import LABELS, made_up, run, serving


def events_of(text):
    parts = [part.split("\n") for part in text.split("\n\n") if part.startswith("event")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


@run
async def test_each_post_is_an_event_in_order_and_a_line_that_is_none_a_fault():
    lines = [b'{"text": "joy", "id": 7}\n', b'"sad"', b'\n\n{"tex', b't": "joy joy"}\n{"text": 3}\nnonsense']
    async with serving(made_up()) as client:
        reply = await client.post("/v1/stream", b"", chunks=lines)
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = events_of(reply.text)
        assert [name for name, _ in events] == ["emotions", "emotions", "emotions", "fault", "fault", "end"]
        assert [said.get("post") for _, said in events] == [0, 1, 2, 3, 4, None]
        assert (events[0][1]["id"], events[0][1]["labels"]) == (7, ["joy"])
        native = (await client.post("/v1/emotions", {"texts": "joy"})).json["answers"][0]
        assert events[0][1]["scores"] == native["scores"]
        assert events[-1][1] == {"posts": 5}


@run
async def test_a_rise_is_told_once_and_only_when_chance_does_not_explain_it():
    posts = ["sad"] * 150 + ["joy"] * 60
    async with serving(made_up()) as client:
        body = "\n".join(map(json.dumps, posts)).encode()
        rises = [
            said for name, said in events_of((await client.post("/v1/stream", body)).text) if name == "rise"
        ]
        assert [rise["label"] for rise in rises] == ["joy"]
        assert 150 < rises[0]["post"] < 170
        assert rises[0]["low"] > rises[0]["before_high"]
    async with serving(made_up()) as client:
        steady = "\n".join(map(json.dumps, ["sad", "joy"] * 200)).encode()
        assert "event: rise" not in (await client.post("/v1/stream", steady)).text


def test_rises_count_the_latest_and_those_before_as_a_plain_loop_does():
    draw = np.random.default_rng(0)
    held = draw.random((400, 3)) < np.where(np.arange(400) < 250, 0.1, 0.7)[:, None]
    watch, seen, up = Rises(LABELS, 20), [], np.zeros(3, bool)
    for n, row in enumerate(held, start=1):
        told = {rise["label"] for rise in watch.add(row)}
        latest, before = held[max(n - 20, 0) : n], held[max(n - 220, 0) : max(n - 20, 0)]
        if len(before) < 20:
            assert told == set()
            continue
        now = np.array(
            [
                wilson(latest[:, i].sum(), len(latest))[0] > wilson(before[:, i].sum(), len(before))[1]
                for i in range(3)
            ]
        )
        assert told == {LABELS[i] for i in np.flatnonzero(now & ~up)}
        up, seen = now, seen + list(told)
    assert set(seen) == set(LABELS)


def test_wilson_s_interval_is_that_of_the_textbook():
    assert wilson(0, 0) == (0, 1)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


@run
async def test_who_listens_hears_what_others_push_and_no_text():
    async with serving(made_up()) as client:
        heard = asyncio.create_task(client.get("/v1/stream"))
        while not client.service.listeners:
            await asyncio.sleep(0.001)
        await client.post("/v1/stream", b'{"text": "joy of a secret"}')
        await asyncio.sleep(0.01)
        client.service.drain()
        reply = await heard
        assert [name for name, _ in events_of(reply.text)] == ["emotions"]
        assert "secret" not in reply.text


@run
async def test_a_stream_waits_where_the_queue_is_full_and_ends_when_the_service_stops():
    async def silent():
        await asyncio.Event().wait()

    async with serving(made_up(0.05), longest_wait=0, cache=0, queue=64) as client:
        pushed = [
            client.post("/v1/stream", "\n".join(f'"{i} {n}"' for n in range(60)).encode()) for i in range(2)
        ]
        for reply in await asyncio.gather(*pushed):
            assert [name for name, _ in events_of(reply.text)] == ["emotions"] * 60 + ["end"]
        endless = asyncio.create_task(client.post("/v1/stream", b"", receive=silent))
        await asyncio.sleep(0.01)
        client.service.drain()
        assert events_of((await endless).text)[0][1]["type"] == "unavailable"


@run
async def test_a_line_without_an_end_is_not_held_for_ever():
    async with serving(made_up(), body=100) as client:
        reply = await client.post("/v1/stream", b"", chunks=[b"x" * 60, b"x" * 60, b"x"])
        assert events_of(reply.text)[-1][1]["type"] == "too_large"


@run
async def test_all_who_listen_hear_all_and_one_who_does_not_keep_up_misses_some_and_holds_up_nobody():
    async with serving(made_up()) as client:
        keen = [asyncio.create_task(client.get("/v1/stream")) for _ in range(20)]
        stuck = asyncio.Queue(1000)  # as a listener has it whose connection takes no more
        client.service.listeners.add(stuck)
        while len(client.service.listeners) < 21:
            await asyncio.sleep(0.001)
        body = "\n".join(json.dumps(f"joy {i}") for i in range(1200)).encode()
        pushed = await client.post("/v1/stream", body)
        assert pushed.text.count("event: emotions") == 1200
        await asyncio.sleep(0.05)
        client.service.drain()
        for heard in await asyncio.gather(*keen):
            assert heard.text.count("event: emotions") == 1200
        assert stuck.qsize() == 1000


@run
async def test_the_head_of_a_stream_ends():
    async with serving(made_up()) as client:
        reply = await client("HEAD", "/v1/stream")
        assert (reply.status, reply.body, len(client.service.listeners)) == (200, b"", 0)


@run
async def test_beyond_a_hundred_nobody_more_listens_or_pushes():
    async def silent():
        await asyncio.Event().wait()

    async with serving(made_up()) as client:
        heard = [asyncio.create_task(client.get("/v1/stream", receive=silent)) for _ in range(100)]
        pushing = [asyncio.create_task(client.post("/v1/stream", b"", receive=silent)) for _ in range(100)]
        await asyncio.sleep(0.05)
        for late in (await client.get("/v1/stream"), await client.post("/v1/stream", b'"joy"')):
            assert (late.status, late.json["error"]["type"]) == (429, "overloaded")
            assert int(late.headers["retry-after"]) > 0
        heard[0].cancel()
        pushing[0].cancel()
        await asyncio.sleep(0.01)
        assert (await client.post("/v1/stream", b'"joy"')).status == 200  # there is room again
        client.service.drain()
        await asyncio.gather(*heard, *pushing, return_exceptions=True)
        assert (client.service.pushing, len(client.service.listeners)) == (0, 0)
