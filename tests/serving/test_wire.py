"""The wire: what clients send, and fail to send, over a real connection."""

import json
import random
import socket
import time
from contextlib import closing

import pytest

from affekt.serving import protocol, server
from serving.client import listening, made_up


def request(path="/v1/emotions", body=b'{"texts": "joy"}', *, method="POST", headers=(), length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(connection):
    """Status and body of one answer; (None, what there was) where the connection ends before."""
    got = b""
    while True:
        head, whole, rest = got.partition(b"\r\n\r\n")
        if whole:
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if not lengths or len(rest) >= int(lengths[0].split()[1]):
                return int(head.split()[1]), rest
        if not (part := connection.recv(65536)):
            return None, got
        got += part


def sends(connection, what):
    """Whether it could be sent."""
    try:
        connection.sendall(what)
    except (ConnectionResetError, BrokenPipeError):
        return False
    return True


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    return closing(connection)


def asked(port, sent):
    with connect(port) as connection:
        connection.sendall(sent)
        return answer(connection)


@pytest.fixture(scope="module")
def port():
    with listening(made_up()) as found:
        yield found
        assert asked(found, request())[0] == 200  # after all that is below


def test_a_body_of_five_megabytes_is_413_told_its_length_or_not(port):
    body = b'{"texts": "' + b"a" * 5_000_000 + b'"}'
    with connect(port) as connection:
        connection.sendall(request(body=b"", length=len(body)))
        assert answer(connection)[0] == 413  # before it is sent
        connection.sendall(body + request())
        assert answer(connection)[0] == 200  # and the connection goes on
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    head = b"POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(head + chunk * 80 + b"0\r\n\r\n")
        status, body = answer(connection)
        assert (status, json.loads(body)["error_type"]) == (413, "Validation")


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # names no host
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,  # TLS
        request(headers=["X: " + "a" * 1_000_000]),
        request(headers=[f"X-{i}: {'a' * 50}" for i in range(5000)]),
        request(headers=["X: a\0b"]),
        request(headers=["Content-Length: 3"]),
        request(headers=["Transfer-Encoding: gzip"]),
        b"POST /v1/emotions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_what_is_no_http_is_refused(port, sent):
    assert asked(port, sent)[0] in (400, 501)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/xml", "multipart/form-data; boundary=x", "a" * 999]
)
def test_a_body_is_read_whatever_type_it_is_said_to_be(port, kind):
    """As curl -d says nothing that fits."""
    assert asked(port, request(headers=[f"Content-Type: {kind}"]))[0] == 200
    assert asked(port, request(body=b"--x\r\n\r\n", headers=[f"Content-Type: {kind}"]))[0] == 422


def test_an_upgrade_and_paths_that_climb_lead_nowhere(port):
    upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: x",
        "Sec-WebSocket-Version: 13",
    ]
    assert asked(port, request("/v1/emotions", method="GET", headers=upgrade))[0] == 405
    for path in (
        "/../etc/passwd",
        "/web/../app.py",
        "/web/%2e%2e/app.py",
        "/web/%2fetc%2fpasswd",
        "//",
        "/%00",
    ):
        assert (path, asked(port, request(path, b"", method="GET"))[0]) == (path, 404)


def test_requests_behind_one_another_are_answered_in_order(port):
    with connect(port) as connection:
        connection.sendall(request(body=b'{"texts": "joy", "top": 1}') * 3 + request(body=b"{"))
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while part := connection.recv(65536):
            got += part
    assert [int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:]] == [200, 200, 200, 422]


def test_requests_with_bytes_turned_at_random_are_never_a_fault_and_leave_nothing_behind():
    draw = random.Random(0)
    paths = ["/v1/emotions", "/embed", "/", "/v2/models/made-up/infer", "/v1/stream", "/metrics", "/%ff"]
    with listening(made_up()) as port:
        for _ in range(300):
            method = draw.choice(["POST", "POST", "GET", "HEAD", "OPTIONS", "BREW"])
            sent = bytearray(
                request(draw.choice(paths), b'{"texts": ["joy"], "inputs": "sad"}', method=method)
            )
            for _ in range(draw.randrange(4)):
                sent[draw.randrange(len(sent))] = draw.randrange(256)
            with connect(port) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                assert (sent, (answer(connection)[0] or 0) < 500) == (sent, True)


def test_who_has_closed_their_side_after_asking_is_answered():
    with listening(made_up(0.1)) as port, connect(port) as connection:
        connection.sendall(request())
        connection.shutdown(socket.SHUT_WR)
        assert answer(connection)[0] == 200
        assert connection.recv(1) == b""


def test_who_closes_in_the_middle_of_a_body_leaves_nothing_behind(port):
    for sent in (request(length=500), request()[:30], b""):
        with connect(port) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert answer(connection)[0] in (None, 400)


def test_a_head_that_does_not_come_ends_the_connection(monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    with listening(made_up()) as port:
        slow = [connect(port) for _ in range(50)]
        for number, one in enumerate(slow):
            one.thing.sendall(b"" if number % 2 else b"POST /v1/emotions HTTP/1.1\r\n")
        began = time.monotonic()
        assert asked(port, request())[0] == 200  # meanwhile
        for one in slow:
            with one as connection:
                while sends(connection, b"X: y\r\n"):  # a header now and then does not help
                    time.sleep(0.05)
                    assert time.monotonic() - began < 10
        with connect(port) as connection:
            connection.sendall(request())
            assert answer(connection)[0] == 200
            time.sleep(0.6)  # kept, since no head has begun
            connection.sendall(request())
            assert answer(connection)[0] == 200


def test_a_body_that_trickles_is_given_up():
    with listening(made_up(), body_seconds=0.3) as port, connect(port) as connection:
        connection.sendall(request(length=10_000))
        began = time.monotonic()
        assert answer(connection)[0] == 408
        assert time.monotonic() - began < 10


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch):
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.3)
    texts = [f"joy {i} " + "a" * 100 for i in range(1000)]
    with listening(made_up()) as port:
        with closing(socket.socket()) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(20)
            deaf.connect(("127.0.0.1", port))
            asking = request(body=json.dumps({"texts": texts, "vectors": True}).encode())
            assert not all(sends(deaf, asking) for _ in range(200))
        assert asked(port, request())[0] == 200


def test_there_are_files_for_many_connections():
    resource = pytest.importorskip("resource", reason="this system has no such limits")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1000), hard))
        server.open_to_many()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1000 or hard <= 1000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
