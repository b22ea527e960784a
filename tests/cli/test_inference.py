"""`affekt predict` and `affekt embed` as they are typed."""

import csv
import io
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from rich.cells import cell_len
from typer.testing import CliRunner

from affekt.cli import app, inference, main
from affekt.cli.inference import bar, default_output, is_file, show_prediction, show_summary
from affekt.decisions import Decisions
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference.model import Model, Prediction, load
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import build_head
from affekt.networks.network import Network

LABELS = ("joy", "anger", "fear")


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A saved classifier with random weights, one label a text."""
    torch.manual_seed(0)
    encoder = TransformerEncoder.pretrained(tiny("bert"), pooling="mean")
    network = Network(encoder, build_head(encoder, len(LABELS), kind="linear")).eval()
    model = Model(TorchRuntime(network), LABELS, True, Decisions.unfitted(len(LABELS), single_label=True))
    return model.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def tweets(tmp_path):
    path = tmp_path / "my.tweets.csv"
    path.write_text('text,n\nso happy,1\n"two\nlines",2\n,3\n')
    return path


def run(*words, stdin=None):
    """Run a verb; faults come out as they would reach `main`."""
    outcome = CliRunner().invoke(app, [str(word) for word in words], input=stdin, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome


def prediction(scores, held=(), text="oh great, another monday"):
    return Prediction(text, list(held), dict(scores))


def shown(what, monkeypatch, *, encoding="utf-8", columns=80):
    """Return what is printed on a terminal of some width and encoding."""
    raw = io.BytesIO()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    show_prediction(what)
    return raw.getvalue().decode(encoding)


# --- texts


def test_a_text_gets_bars_for_its_labels_the_surest_first(folder):
    lines = run("predict", "-m", folder, "i love playing").stdout.splitlines()
    [expected] = load(folder).predict("i love playing")
    assert lines[0] == "i love playing"
    order = sorted(LABELS, key=lambda label: -expected.scores[label])
    assert [line[3:].split()[0] for line in lines[1:]] == order
    assert [line.rsplit(" ", 1)[1] for line in lines[1:]] == [
        f"{expected.scores[label]:.2f}" for label in order
    ]
    assert [line[1] for line in lines[1:]] == ["●", " ", " "]


def test_a_text_as_json_has_every_score(folder):
    found = json.loads(run("predict", "-m", folder, "héllo 🙂", "--json").stdout)
    [expected] = load(folder).predict("héllo 🙂")
    assert found == {"text": "héllo 🙂", "labels": expected.labels, "scores": expected.scores}


def test_lines_of_input_are_predicted_one_by_one(folder):
    stdin = "\ufeffso happy\r\n\n  \nday after day\n".encode() + b"caf\xe9\n"
    lines = run("predict", "-m", folder, "-", "--json", stdin=stdin).stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["so happy", "day after day", "caf\ufffd"]
    assert json.loads(lines[0])["scores"] == pytest.approx(load(folder).predict("so happy")[0].scores)
    assert run("predict", "-m", folder, "-", stdin="so happy\n").stdout.startswith("so happy\n ● ")


class Piped:
    """Standard input that comes in pieces."""

    def __init__(self, *pieces):
        self.buffer = self
        self.pieces = [*pieces, b""]

    def read1(self, size):
        return self.pieces.pop(0)


def test_lines_are_answered_as_they_come_and_those_there_together_are_answered_together(monkeypatch):
    monkeypatch.setattr(
        sys, "stdin", Piped(b"\xef\xbb\xbfone\r", b"\ntwo\nth", b"ree \xe2\x98", b"\xba\n\n", b"five")
    )
    assert list(inference.input_lines()) == [["one", "two"], ["three \u263a"], ["five"]]


def test_a_closed_standard_input_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        next(inference.input_lines())


@pytest.mark.parametrize("words", [("",), (" \n",)])
def test_an_empty_text_is_a_fault_of_use(folder, words):
    with pytest.raises(UsageError, match="the text is empty"):
        run("predict", "-m", folder, *words)


def test_an_output_file_for_a_text_is_a_fault_of_use(folder, tmp_path):
    with pytest.raises(UsageError, match="'so happy' is none"):
        run("predict", "-m", folder, "so happy", "-o", tmp_path / "out.csv")


@pytest.mark.parametrize(("text", "means_file"), [
    ("tweets.csv", True),
    ("data/TWEETS.JSONL.GZ", True),
    ("see tweets.csv", False),
    ("-", False),
    ("great, thanks", False),
    ("x" * 5000, False),
    ("a\x00b", False),
])  # fmt: skip
def test_what_is_a_file_and_what_a_text(text, means_file):
    assert is_file(text) == means_file


# --- bars


@pytest.mark.parametrize("columns", [12, 20, 30, 45, 80, 200])
def test_bars_fit_every_terminal(monkeypatch, columns):
    scores = {"disappointment": 0.999, "joy": 0.5, "喜び": 0.25, "fear": 0.0}
    lines = shown(
        prediction(scores, ["disappointment"], text="hm"), monkeypatch, columns=columns
    ).splitlines()
    assert len(lines) == 5
    assert all(cell_len(line) <= max(columns, 14) for line in lines)
    assert len({cell_len(line) for line in lines[1:]}) == 1  # scores stand below each other
    assert lines[1].endswith("1.00")


def test_bars_are_as_long_as_their_scores(monkeypatch):
    out = shown(prediction({"joy": 0.5, "fear": 0.25, "anger": 0.25 / 30}, ["joy"]), monkeypatch)
    joy, fear, anger = out.splitlines()[1:]
    assert joy.count("█") == 15
    assert (fear.count("█"), fear.count("▌")) == (7, 1)
    assert (anger.count("█"), anger.count("▎")) == (0, 1)
    assert [bar(share, 30) for share in (0, 1)] == ["", "█" * 30]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_that_is_not_utf8_gets_plain_signs(monkeypatch, encoding):
    out = shown(
        prediction({"joy": 0.5, "peur é": 0.1}, ["joy"], text="so 🎉 " * 100), monkeypatch, encoding=encoding
    )
    lines = out.splitlines()
    assert lines[0].startswith("so ? so ? ")
    assert lines[0].endswith("...")
    assert lines[1].startswith(" * joy    ###############  ")


def test_a_text_stays_on_its_line_and_cannot_steer_the_terminal(monkeypatch):
    out = shown(prediction({"joy": 1.0}, text="a\n\x1b[31mred\r\x00b👩\u200d👧"), monkeypatch)
    assert out.splitlines()[0] == "a [31mred b👩\u200d👧"


def test_a_long_text_is_shortened(monkeypatch):
    line = shown(prediction({"joy": 1.0}, text="so " * 4000), monkeypatch).splitlines()[0]
    assert line.endswith("so s…")
    assert len(line) == 200


def test_of_many_labels_the_first_eight_are_shown_and_all_that_hold(monkeypatch):
    scores = {f"label{i}": 1 - i / 20 for i in range(20)}
    few = shown(prediction(scores, ["label0"]), monkeypatch)
    many = shown(prediction(scores, [f"label{i}" for i in range(11)]), monkeypatch)
    assert [len(out.splitlines()) for out in (few, many)] == [9, 12]


def test_a_text_without_a_label_says_so(monkeypatch):
    assert "no emotion passes its threshold" in shown(prediction({"joy": 0.4}), monkeypatch)
    assert "no emotion passes" not in shown(prediction({"joy": 0.4}, ["joy"]), monkeypatch)


# --- files


def test_a_file_is_scored_beside_itself_and_the_labels_are_counted(folder, tweets):
    outcome = run("predict", "-m", folder, tweets, "--on-bad-row", "skip")
    rows = list(csv.DictReader((tweets.parent / "my.tweets.predictions.csv").open(newline="")))
    predictions = load(folder).predict(["so happy", "two\nlines"])
    assert [(row["text"], row["n"]) for row in rows] == [
        ("so happy", "1"),
        ("two\nlines", "2"),
        ("", "3"),
    ]
    assert [row["predicted"] for row in rows] == [*(found.labels[0] for found in predictions), ""]
    assert "2 texts" in outcome.stdout
    assert all(found.labels[0] in outcome.stdout for found in predictions)
    assert "left unscored my.tweets.csv:4: column 'text' is empty" in outcome.stderr.replace(
        "\n", " "
    ).replace("  ", " ")
    assert "2 rows in" in outcome.stderr


def test_a_file_as_json_says_what_was_done(folder, tweets, tmp_path):
    out = tmp_path / "out.parquet"
    words = ("predict", tweets, "-m", folder, "-o", out, "--on-bad-row", "skip", "--json")
    summary = json.loads(run(*words).stdout)
    assert (summary["rows"], summary["skipped"], summary["out"]) == (2, 1, str(out))
    assert sum(summary["predicted"].values()) == 2
    assert pq.read_table(out)["predicted"].is_valid().to_pylist() == [True, True, False]


@pytest.mark.parametrize(("name", "output"), [
    ("a.b.csv", "a.b.predictions.csv"),
    ("a.jsonl.gz", "a.predictions.jsonl.gz"),
    ("a.ndjson", "a.predictions.jsonl"),
    ("A.PARQUET", "A.predictions.parquet"),
    ("a.xlsx", "a.predictions.csv"),
    ("a.json.gz", "a.predictions.jsonl.gz"),
    ("a", "a.predictions.csv"),
])  # fmt: skip
def test_predictions_go_beside_the_file_in_its_own_kind(tmp_path, name, output):
    assert default_output(tmp_path / name) == tmp_path / output


def test_vectors_of_a_file_from_a_model_or_a_bare_encoder(folder, tiny, tmp_path):
    pq.write_table(pa.table({"tweet": ["so happy", "day"], "id": ["a", "b"]}), tmp_path / "in.parquet")
    for model, pooled in ((folder, load(folder)), (tiny("bert"), load(tiny("bert")))):
        out = tmp_path / "vectors.npy"
        said = run("embed", "-m", model, tmp_path / "in.parquet", "-o", out, "--text", "tweet").stderr
        assert "2 vectors of 32" in said
        assert np.allclose(np.load(out), pooled.embed(["so happy", "day"]), atol=1e-6)


@pytest.mark.parametrize(("words", "kind", "message"), [
    (("predict", "-m", "MODEL", "none.csv"), DataError, "none.csv does not exist"),
    (("predict", "-m", "MODEL", "FILE", "-o", "out.xlsx"), UsageError, "must end in one of"),
    (("predict", "-m", "MODEL", "FILE", "-o", "FILE"), UsageError, "is the file to be read"),
    (("predict", "-m", "MODEL", "FILE", "--text", "tweet"), DataError, "its columns are 'text', 'n'"),
    (("predict", "-m", "MODEL", "FILE"), DataError, "my.tweets.csv:4: column 'text' is empty"),
    (("predict", "-m", "ENCODER", "so happy"), ModelError, "without a classifier"),
    (("embed", "-m", "MODEL", "FILE", "-o", "out.csv"), UsageError, r"must end in one of \.parquet, \.npy"),
    (
        ("embed", "-m", "MODEL", "FILE", "-o", "out.npy", "--projected", "--on-bad-row", "skip"),
        ModelError,
        "no projection",
    ),
])  # fmt: skip
def test_faults_are_those_users_can_mend(folder, tiny, tweets, monkeypatch, words, kind, message):
    monkeypatch.chdir(tweets.parent)
    named = {"MODEL": folder, "FILE": tweets, "ENCODER": tiny("bert")}
    with pytest.raises(kind, match=message):
        run(*(named.get(word, word) for word in words))
    assert [path.name for path in tweets.parent.iterdir()] == [tweets.name]


def test_a_fault_is_one_message_and_exit_code_2(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["affekt", "predict", "none.csv", "-m", str(folder)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "none.csv does not exist" in said
    assert "Traceback" not in said


def test_counts_leave_out_labels_nobody_got(capsys):
    predicted = {"joy": 3, "anger": 0, "fear": 1, "": 2}
    show_summary(
        {
            "rows": 6,
            "seconds": 2.0,
            "skipped": 0,
            "skipped_rows": [],
            "notes": [],
            "predicted": predicted,
            "out": "out.csv",
        },
        as_json=False,
    )
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines() if "%" in line] == [
        ["joy", "3", "50.0%"],
        ["(none)", "2", "33.3%"],
        ["fear", "1", "16.7%"],
    ]
    assert "6 rows in 2.0 s (3/s): out.csv" in said.err
