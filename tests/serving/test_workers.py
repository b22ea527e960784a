"""Several processes behind one port: figures of all together, and an end that loses nothing."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A static classifier, which workers open without torch."""
    from inference.test_static import made

    return made(tiny("bert")).save(tmp_path_factory.mktemp("served") / "model")


def post(url, text):
    """The status of an answer, or the name of the fault for which there is none."""
    try:
        with urlopen(f"{url}/v1/emotions", json.dumps({"texts": text}).encode(), timeout=60) as reply:
            reply.read()
            return reply.status
    except HTTPError as refused:
        return refused.code
    except (OSError, URLError) as fault:
        return type(getattr(fault, "reason", fault)).__name__


def test_workers_count_together_and_are_stopped_without_losing_an_accepted_request(folder):
    command = [sys.executable, "-m", "affekt", "serve", "--model", folder, "--port", "0", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        lines, ready = [], threading.Semaphore(0)

        def listen():
            for line in process.stderr:
                lines.append(json.loads(line))
                if lines[-1]["event"] == "ready":
                    ready.release()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            assert all(ready.acquire(timeout=120) for _ in range(2))
            url = lines[0]["url"]
            statuses = Counter(post(url, f"joy {i}") for i in range(40))
            assert statuses == {200: 40}
            for _ in range(4):  # whichever worker answers
                figures = urlopen(f"{url}/metrics").read().decode()
                assert re.search(r"^affekt_texts_total 40.0$", figures, re.M)
                assert re.search(r"^affekt_ready 2.0$", figures, re.M)

            def ask(number):
                for i in range(10**6):
                    statuses[said := post(url, f"sad {number} {i}")] += 1
                    if said == "ConnectionRefusedError":
                        return

            asking = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
            for one in asking:
                one.start()
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            for one in asking:
                one.join(60)
            assert process.wait(60) == 0
        finally:
            process.kill()
            listener.join(10)
    assert set(statuses) <= {200, 503, "ConnectionRefusedError"}
    assert (
        sum(line.get("status") == 200 and line["route"] == "/v1/emotions" for line in lines) == statuses[200]
    )
