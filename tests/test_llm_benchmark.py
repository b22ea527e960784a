"""benchmarks/llm.py against a stand-in for an endpoint that speaks OpenAI's chat completions."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

from affekt.data.corpus import Corpus
from affekt.decisions import Decisions
from affekt.errors import DataError, UsageError
from affekt.inference.model import Model


@pytest.fixture
def llm(script):
    return script("llm")


@pytest.fixture
def endpoint():
    """A server that names the label that a text says, and whose first answers may be faults."""

    class Answers(BaseHTTPRequestHandler):
        faults: ClassVar[list[tuple[int, str, str]]] = []  # status, Retry-After and what is told
        asked: ClassVar[list[dict]] = []

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
            if self.faults:
                status, wait, told = self.faults.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", str(len(told)))
                self.send_header("Retry-After", wait)
                self.end_headers()
                self.wfile.write(told.encode())
                return
            word = body["messages"][1]["content"].split()[-1]
            said = {"nonsense": "I cannot say", "odd": '["glee"]'}.get(word, f'["{word}"]')
            content = {"choices": [{"message": {"content": said}}]}
            answer = json.dumps(content | {"usage": {"prompt_tokens": 50, "completion_tokens": 4}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", Answers
    server.shutdown()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('["joy"]', (("joy",), 0)),
        ('Sure! ["Joy", "FEAR", "joy"]', (("joy", "fear"), 0)),
        ('```json\n["glee"]\n```', ((), 1)),
        ("[]", ((), 0)),
        ("joy", (("joy",), 0)),
        ('"Fear."', (None, 1)),
        ("Joy.", (("joy",), 0)),
        ("I cannot say", (None, 1)),
        ("", (None, 0)),
        ("[joy", (None, 1)),
        ('<think>fear? ["fear"] no</think>["joy"]', (("joy",), 0)),
    ],
)
def test_what_an_answer_names(llm, content, found):
    assert llm.labels_in(content, ["joy", "fear"]) == found


def test_both_are_judged_on_the_same_texts_with_seconds_and_cost(llm, endpoint, tmp_path, tiny):
    from tiny import save_classifier

    url, server = endpoint
    labels = ("anger", "fear", "joy")
    model = save_classifier(tiny("bert"), labels, tmp_path / "model", single_label=True)
    texts = ["so joy", "very fear", "what anger", "all joy", "quite nonsense", "this odd"]
    corpus = Corpus.build(texts, ["joy", "fear", "anger", "fear", "joy", "joy"], labels, split="test")
    asked = llm.Endpoint(url, "stand-in", "secret")
    found = llm.compared(corpus, asked, str(model), together=3, prices=(1.0, 10.0))
    theirs = found["llm"]
    assert theirs["figures"]["accuracy"]["value"] == pytest.approx(3 / 6)
    assert (theirs["unreadable"], theirs["unknown_labels"]) == (1, 2)
    assert theirs["tokens_per_text"] == {"read": 50, "written": 4}
    assert theirs["dollars_per_1000"] == pytest.approx((50 * 1 + 4 * 10) / 1e6 * 1000)
    assert found["n"] == 6
    assert found["ours"]["seconds_per_1000"] > 0
    assert set(found["ours_minus_llm"]) == {"accuracy"}
    assert {one["path"] for one in server.asked} == {"/v1/chat/completions"}
    assert {one["key"] for one in server.asked} == {"Bearer secret"}
    assert {one["messages"][1]["content"] for one in server.asked} == set(texts)
    assert all("anger, fear, joy" in one["messages"][0]["content"] for one in server.asked)


def test_where_texts_may_have_several_labels_all_that_are_named_count(llm):
    corpus = Corpus.build(["a", "b"], [["joy", "fear"], []])
    answers = [llm.Answer(("joy", "fear"), 0, 0, 0, 0.1), llm.Answer((), 0, 0, 0, 0.1)]
    assert llm.decided(answers, corpus).tolist() == [[True, True], [False, False]]
    assert "every label" in llm.instruction_for(corpus.labels, single_label=False)


def test_a_busy_endpoint_is_asked_again_when_it_says_and_a_refusal_is_not(llm, endpoint, monkeypatch):
    url, server = endpoint
    waits = []
    monkeypatch.setattr(llm.time, "sleep", waits.append)
    server.faults[:] = [(429, "7", ""), (503, "soon", ""), (429, "9999", "")]
    asked = llm.Endpoint(url, "stand-in", "secret", wait=0.5)
    assert asked.ask("which", "so joy")["choices"]
    assert waits == [7.0, 1.0, llm.TIMEOUT]
    told = json.dumps({"error": {"message": "no temperature\nof 0 for secret"}})
    server.faults[:] = [(401, "", told), (401, "", told)]
    with pytest.raises(DataError, match=r"401 Unauthorized: no temperature of 0 for …"):
        asked.ask("which", "so joy")
    assert len(server.faults) == 1
    server.faults.clear()


def test_what_a_filter_withholds_is_no_list_of_labels(llm, endpoint):
    url, server = endpoint
    corpus = Corpus.build(["so joy", "very fear"], ["joy", "fear"])
    server.faults[:] = [(400, "", '{"error": {"code": "content_filter"}}')]
    answers = llm.asked(llm.Endpoint(url, "stand-in", wait=0.0), corpus, 1)
    assert [one.labels for one in answers] == [None, ("fear",)]


@pytest.mark.parametrize("end", ["", "/", "/chat/completions"])
def test_the_address_may_end_as_people_write_it_and_the_temperature_be_left_out(llm, endpoint, end):
    url, server = endpoint
    server.asked.clear()
    llm.Endpoint(url + end, "stand-in", temperature=None).ask("which", "so joy")
    llm.Endpoint(url + end, "stand-in").ask("which", "so joy")
    assert {one["path"] for one in server.asked} == {"/v1/chat/completions"}
    assert [one.get("temperature") for one in server.asked] == [None, 0]
    assert "temperature" not in server.asked[0]


@pytest.mark.parametrize("usage", [None, {}, "much", {"prompt_tokens": "5"}])
def test_tokens_that_are_not_counted_cost_an_unknown_sum_not_nothing(llm, usage):
    answer = llm.Answer(("joy",), 0, *llm.tokens({"usage": usage}), 0.1)
    told = {"tokens_per_text": {"read": None, "written": None}, "dollars_per_1000": None}
    assert llm.spent([answer], (1.0, 10.0)) == told
    counted = llm.Answer(("joy",), 0, 50, 4, 0.1)
    assert llm.spent([answer, counted], (1.0, 10.0))["dollars_per_1000"] == pytest.approx(0.09)
    assert llm.spent([counted], (0.0, 0.0))["dollars_per_1000"] == 0
    assert llm.spent([counted], None)["dollars_per_1000"] is None


class Sure:
    """A runtime that finds joy and sadness likely in every text, joy more so."""

    def logits(self, texts, *, batch_size=64):
        return np.tile(np.array([2.0, 1.0, -2.0], dtype=np.float32), (len(texts), 1))


def test_ours_decides_among_the_labels_it_shares_one_where_texts_have_one(llm):
    model = Model(Sure(), ("joy", "sadness", "fear"), False, Decisions.unfitted(3, single_label=False))
    several = Corpus.build(["a", "b"], [["joy", "sadness"], ["trust"]])
    assert llm.ours_on(model, several).tolist() == [[True, True, False]] * 2
    one = Corpus.build(["a", "b"], ["sadness", "joy"])
    assert [one.labels[at] for at in llm.ours_on(model, one).argmax(axis=1)] == ["joy", "joy"]
    assert llm.ours_on(model, one).sum() == 2
    with pytest.raises(DataError, match="knows none of its labels"):
        llm.ours_on(model, Corpus.build(["a", "b"], ["trust", "awe"]))


def test_averages_are_of_labels_that_some_text_has(llm):
    corpus = Corpus.build(["a", "b"], [["joy"], ["fear"]], ("fear", "grief", "joy"))
    assert llm.figures(corpus, corpus.present)["f1_macro"]["value"] == 1


@pytest.mark.parametrize("url", ["", "localhost:1/v1", "nowhere", "ftp://a/v1", "http://a b/v1"])
def test_an_address_or_a_key_that_is_none_is_refused_at_once(llm, url):
    with pytest.raises(UsageError, match="give an address such as"):
        llm.Endpoint(url, "x")
    with pytest.raises(UsageError, match="give it anew") as fault:
        llm.Endpoint("http://localhost/v1", "x", "secret\n")
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"nothing at all\r\n\r\n"]
)
def test_an_answer_that_breaks_off_or_is_no_http_is_no_answer(llm, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answering():
            for _ in range(llm.TRIES):
                with server.accept()[0] as caller:
                    caller.recv(2**16)
                    caller.sendall(answer)

        threading.Thread(target=answering, daemon=True).start()
        asked = llm.Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/v1", "x", wait=0.0)
        with pytest.raises(DataError, match="gives no answer"):
            asked.ask("which", "so joy")


def test_no_endpoint_is_one_line(llm, capsys, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("text,labels\nso happy,joy\nin fear,fear\n")
    words = [str(posts), "--url", "http://127.0.0.1:9/v1", "--llm", "x"]
    for faulty in (["--rows", "0"], ["--prices", "1"], ["--prices", "a,b"]):
        assert llm.main([*words, *faulty]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(DataError, match="gives no answer"):
        llm.Endpoint("http://127.0.0.1:9/v1", "x", wait=0.0).ask("which", "so joy")
