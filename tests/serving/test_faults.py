"""What is sent by mistake or by malice, what is refused, what is written down, and the end."""

import asyncio
import json
import random
import signal

import pytest
from uvicorn.supervisors.multiprocess import SIGNALS

from affekt.errors import ModelError, UsageError
from affekt.serving import server
from affekt.serving.app import create_app
from affekt.serving.settings import Keys, Limits, Settings, read_keys
from serving.client import made_up, run, serving
from serving.test_shapes import CALLS

HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"joy"',
    b"{}",
    b"{",
    b"\xff\xfe",
    b'{"texts": "\xc3("}',
    b"[" * 100_000,
    b'{"texts":' * 5000,
    b'{"texts": [' + b"1" * 10_000 + b"]}",
    b'{"texts": NaN}',
    b'{"texts": "a", "top": 1e999}',
    b'{"texts": "a", "top": -Infinity}',
    b'{"texts": ["a", null]}',
    b'{"texts": {"a": "b"}}',
    b'{"texts": [["a"]]}',
    b'{"texts": "a", "top": 0}',
    b'{"texts": "a", "top": true, "top": "x"}',
    b'{"texts": "a", "coverage": 2}',
    b'{"texts": "a", "\\ud800": 1}',
    b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [99999999999999999999], "data": ["a"]}]}',
    b'{"input": [0.5]}',
]
PATHS = [*CALLS, "/v2/models/made-up/infer"]


@run
async def test_hostile_bodies_are_refused_by_every_route_in_words():
    async with serving() as client:
        for path in PATHS:
            for body in HOSTILE:
                reply = await client.post(path, body)
                assert (path, body[:40], 400 <= reply.status < 500) == (path, body[:40], True)
                assert reply.json["error"]


@run
async def test_ten_thousand_malformed_requests_bring_nothing_down():
    draw = random.Random(0)
    bases = [json.dumps({field: ["joy", "sad"], "top": 2}).encode() for field in ("texts", "input", "inputs")]
    seen = set()
    async with serving() as client:
        for _ in range(10_000):
            body = bytearray(draw.choice(bases))
            for _ in range(draw.randint(1, 6)):
                body[draw.randrange(len(body))] = draw.randrange(256)
            seen.add((await client.post(draw.choice(PATHS), bytes(body))).status)
        assert seen <= {200, 413, 422}
        assert (await client.post("/v1/emotions", {"texts": "joy"})).status == 200


@run
async def test_odd_texts_are_answered():
    odd = ["", " ", "\0", "\ud83d", "a\udcff", "\u202e", "👩‍👩‍👧", "é" * 1000, "<script>", "\n" * 50]
    async with serving() as client:
        for path, field in CALLS.items():
            assert (path, (await client.post(path, {field: odd})).status) == (path, 200)


@run
async def test_a_body_beyond_the_limit_is_not_read_to_its_end():
    async with serving(body=100) as client:
        chunks = [b"x" * 60] * 50
        reply = await client.post("/v1/emotions", b"", chunks=chunks)
        assert reply.status == 413
        reply = await client.post("/v1/emotions", b"x", headers=[("Content-Length", "9" * 30)])
        assert reply.status == 413


@run
async def test_a_body_that_never_comes_is_given_up_and_a_client_that_goes_is_no_fault():
    async def never():
        await asyncio.Event().wait()

    async def gone():
        return {"type": "http.disconnect"}

    async with serving(body_seconds=0.02) as client:
        assert (await client.post("/v1/emotions", b"", receive=never)).status == 408
        assert (await client.post("/v1/emotions", b"", receive=gone)).status == 400


@run
async def test_beyond_the_queue_the_answer_is_429_and_those_accepted_are_answered():
    async with serving(made_up(0.02), queue=8, longest_wait=0, cache=0) as client:
        asked = [client.post("/v1/emotions", {"texts": [f"{i}a", f"{i}b"]}) for i in range(40)]
        replies = await asyncio.gather(*asked)
        assert {reply.status for reply in replies} == {200, 429}
        for reply in replies:
            assert reply.status == 200 or int(reply.headers["retry-after"]) >= 1
        metrics = (await client.get("/metrics")).text
        refused = sum(reply.status == 429 for reply in replies)
        assert f'affekt_refusals_total{{reason="overloaded"}} {float(refused)}' in metrics
        assert "affekt_queue_texts 0.0" in metrics


@run
async def test_a_model_that_fails_is_a_500_for_that_text_alone_and_quotes_it_nowhere(capsys):
    async with serving(longest_wait=0.02) as client:
        bad, good = await asyncio.gather(
            client.post("/v1/emotions", {"texts": "BOOM secret"}),
            client.post("/v1/emotions", {"texts": "joy"}),
        )
        assert (bad.status, good.status) == (500, 200)
        assert "secret" not in bad.text
    logged = capsys.readouterr().err
    assert "secret" not in logged
    assert any(json.loads(line)["event"] == "fault" for line in logged.splitlines())


@run
async def test_logs_are_json_and_hold_no_text_no_path_and_no_key(capsys):
    async with serving(keys=("sesame",)) as client:
        key = [("X-API-Key", "sesame")]
        await client.post("/v1/emotions", {"texts": "a secret"}, headers=key)
        await client.post("/a/secret/path?secret=1", {"texts": "a secret"}, headers=key)
        await client.post("/v1/emotions", {"secret": "secret"}, headers=[("X-API-Key", "secret")])
    logged = capsys.readouterr().err
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "request"] == [200, 404, 401]
    assert "secret" not in logged
    assert "sesame" not in logged


@run
async def test_a_key_is_asked_for_where_there_are_keys_and_only_there():
    async with serving(keys=("one", "two")) as client:
        for headers, status in (
            ([], 401),
            ([("Authorization", "Bearer")], 401),
            ([("Authorization", "Bearer onetwo")], 401),
            ([("Authorization", "Basic one")], 401),
            ([("X-API-Key", "\u20ac".encode().decode("latin-1"))], 401),
            ([("Authorization", "bearer two")], 200),
            ([("X-API-Key", "one")], 200),
        ):
            reply = await client.post("/v1/emotions", {"texts": "joy"}, headers=headers)
            assert (headers, reply.status) == (headers, status)
        assert (await client.post("/v1/emotions", {"texts": "joy"})).headers["www-authenticate"] == "Bearer"
        for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs", "/v2/health/ready"):
            assert (await client.get(path)).status == 200


def test_keys_are_lines_of_a_file_that_holds_some(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# ours\n one \n\ntwo\n")
    assert read_keys(path) == ("one", "two")
    assert [Keys(("one", "two")).open_to(key) for key in ("one", "two", "", None)] == [
        True,
        True,
        False,
        False,
    ]
    assert Keys(()).open_to(None)
    path.write_text("# none\n")
    for fault in (path, tmp_path / "gone", tmp_path):
        with pytest.raises(UsageError, match=str(fault)):
            read_keys(fault)


def test_a_limit_of_nothing_is_refused():
    for name in ("body", "texts", "characters", "queue", "batch_tokens"):
        with pytest.raises(UsageError, match="at least 1"):
            Limits(**{name: 0})
    with pytest.raises(UsageError, match="at least 0"):
        Limits(cache=-1)


@run
async def test_every_answer_has_the_headers_that_browsers_heed_and_no_other_page_may_read_it():
    async with serving() as client:
        for path in ("/", "/nothing", "/health", "/v1/emotions"):
            reply = await client.get(path, headers=[("Origin", "https://elsewhere.example")])
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in reply.headers["content-security-policy"]
            assert "unsafe" not in reply.headers["content-security-policy"]
            assert "access-control-allow-origin" not in reply.headers
    async with serving(origins=("https://ours.example",)) as client:
        for origin, allowed in (("https://ours.example", True), ("https://elsewhere.example", False)):
            reply = await client.get("/health", headers=[("Origin", origin)])
            assert ("access-control-allow-origin" in reply.headers) is allowed


@run
async def test_at_sigterm_what_was_accepted_is_answered_and_what_comes_then_is_sent_elsewhere():
    ended = []
    before = signal.signal(signal.SIGTERM, lambda *_: ended.append("server"))  # as a server has it
    try:
        async with serving(made_up(0.05), longest_wait=0, cache=0) as client:
            asked = [asyncio.create_task(client.post("/v1/emotions", {"texts": str(i)})) for i in range(20)]
            await asyncio.sleep(0.01)
            signal.raise_signal(signal.SIGTERM)
            late = await client.post("/v1/emotions", {"texts": "late"})
            assert (late.status, (await client.get("/ready")).status) == (503, 503)
            assert {reply.status for reply in await asyncio.gather(*asked)} == {200}
            while not ended:
                await asyncio.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == ["server"]


@run
async def test_a_model_that_does_not_open_ends_the_server_and_says_why():
    def broken():
        raise UsageError("no such model.")

    async with serving(broken, wait=False) as client:
        stopped = asyncio.Event()
        client.service.failed = stopped.set
        await stopped.wait()
        assert str(client.service.fault) == "no such model."
        assert (await client.get("/ready")).status == 503


@pytest.fixture
def _handlers():
    """What is done at signals, as it was before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("workers", [1, 2])
def test_where_no_model_opens_serving_ends_with_its_sentence(tmp_path, workers):
    (tmp_path / "affekt.json").write_text('{"format": 2}')
    with pytest.raises(ModelError, match=f"^{tmp_path}: not a whole model folder"):
        server.run(Settings(str(tmp_path), Limits(), (), ()), host="127.0.0.1", port=0, workers=workers)


@pytest.mark.usefixtures("_handlers")
def test_a_signal_before_the_server_listens_to_it_stops_it_too(monkeypatch):
    app = create_app(Settings("made-up", Limits(), (), ()), made_up)
    monkeypatch.setattr(server, "create_app", lambda settings: app)
    monkeypatch.setattr(server, "check", lambda *_: None)
    really = server.uvicorn.Server.run

    def late(own, sockets):
        signal.raise_signal(signal.SIGTERM)
        really(own, sockets)

    monkeypatch.setattr(server.uvicorn.Server, "run", late)
    server.run(Settings("made-up", Limits(), (), ()), host="127.0.0.1", port=0)
    assert app.state.service.state == "draining"


@run
async def test_routes_in_metrics_are_ours_and_never_what_somebody_made_up():
    async with serving() as client:
        for i in range(20):
            await client.get(f"/made/up/{i}")
        await client("BREW", "/v1/emotions")
        await client.post("/models/made/up", {"inputs": "joy"})
        metrics = (await client.get("/metrics")).text
        assert "made/up" not in metrics
        assert "BREW" not in metrics
        assert 'affekt_requests_total{method="GET",route="none",status="404"} 20.0' in metrics
