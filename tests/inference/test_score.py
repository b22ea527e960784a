"""Scoring files: what goes in and comes out, and what is left where something goes wrong."""

import csv
import datetime
import decimal
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from affekt.data.corpus import Corpus
from affekt.decisions import Calibration, Decisions
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference import score as scoring
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.inference.score import embed_file, predict_file
from affekt.networks.heads import Projection, build_head
from affekt.networks.network import Network

LABELS = ("joy", "anger", "fear")
ODD = [
    "i love playing",
    "two\nlines",
    "windows\r\nline",
    "a lone \r return",
    'she said "no", and left\t;',
    "a null\x00byte",
    "🎉🔥👩\u200d👩\u200d👧",
    "so happy " * 1112,  # 10,008 characters
    "=1+1",
    "  spaces  ",
    "קצת עברית و العربية",
    "\ufeffmark",
]
ROW_KINDS = [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".tsv.gz", ".jsonl.gz"]


def model_of(folder, *, single=False):
    torch.manual_seed(3)
    encoder = TransformerEncoder.pretrained(folder, pooling="mean")
    head = build_head(encoder, len(LABELS), kind="linear")
    torch.nn.init.normal_(head.out.weight, std=0.5)
    network = Network(encoder, head, Projection(encoder.dimension, kind="linear", out=8, dropout=0.0)).eval()
    decisions = Decisions.unfitted(len(LABELS), single_label=single)
    return Model(TorchRuntime(network), LABELS, single, decisions)


@pytest.fixture(scope="module")
def several(tiny):
    """A model of texts that may have several labels, whose thresholds leave some texts without any."""
    model = model_of(tiny("bert"))
    scores = model.probabilities(ODD)
    middle = tuple(float(limit) for limit in np.sort(scores, axis=0)[-4])
    decisions = Decisions("threshold", middle, Calibration.none(len(LABELS)))
    return model.with_decisions(decisions)


@pytest.fixture(scope="module")
def one(tiny):
    """A model of texts that have one label each."""
    return model_of(tiny("bert"), single=True)


class Quick(Model):
    """A model without a network: probabilities and vectors from the length of a text."""

    def __init__(self):
        super().__init__(None, LABELS, True, Decisions.unfitted(3, single_label=True))

    def steady(self):
        return self

    def probabilities(self, texts, **options):
        share = np.array([len(text) % 7 for text in texts], dtype=np.float32) / 10
        return np.stack([share, 0.7 - share, np.full_like(share, 0.3)], axis=1)

    def embed(self, texts, **options):
        return np.array([[len(text), 1, 2, 3] for text in texts], dtype=np.float32).reshape(-1, 4)


def write_texts(path, texts, **columns):
    """Write a file of texts, of the kind its name says."""
    rows = [
        {"text": text, **{name: values[i] for name, values in columns.items()}}
        for i, text in enumerate(texts)
    ]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        if "json" in path.name:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t" if "tsv" in path.name else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def read_rows(path):
    """Read a file with the libraries people have, not with ours."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        if "json" in path.name:
            return [json.loads(line) for line in file.read().split("\n")[:-1]]
        return list(csv.DictReader(file, delimiter="\t" if "tsv" in path.name else ","))


# --- what comes out


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_every_text_comes_back_as_it_was_with_labels_and_scores(tmp_path, several, kind):
    source = write_texts(tmp_path / f"in{kind}", ODD, place=[f"p{i}" for i in range(len(ODD))])
    out = tmp_path / f"out{kind}"

    summary = predict_file(several, source, out)

    rows = read_rows(out)
    scores = several.probabilities(ODD)
    expected = [prediction.labels for prediction in several.predict(ODD)]
    assert [row["text"] for row in rows] == ODD
    assert [row["place"] for row in rows] == [f"p{i}" for i in range(len(ODD))]
    found = [[np.float32(row[f"score_{label}"]) for label in LABELS] for row in rows]
    assert np.array_equal(np.array(found, dtype=np.float32), scores)
    delimited = "csv" in kind or "tsv" in kind
    written = [row["predicted"] for row in rows]
    assert written == ["|".join(labels) for labels in expected] if delimited else written == expected
    assert [] in expected
    assert max(map(len, expected)) > 1
    assert list(rows[0]) == ["text", "place", "predicted", "score_joy", "score_anger", "score_fear"]
    assert summary["rows"] == len(ODD)
    assert summary["skipped"] == 0
    assert summary["predicted"][""] == expected.count([])
    assert summary["predicted"]["joy"] == sum("joy" in labels for labels in expected)


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_of_one_label_a_text_its_name_is_written(tmp_path, one, kind):
    source = write_texts(tmp_path / "in.csv", ODD)
    summary = predict_file(one, source, tmp_path / f"out{kind}")
    expected = [prediction.labels[0] for prediction in one.predict(ODD)]
    assert [row["predicted"] for row in read_rows(tmp_path / f"out{kind}")] == expected
    assert summary["predicted"] == {label: expected.count(label) for label in LABELS}


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_an_output_can_be_read_as_a_labelled_corpus(tmp_path, several, kind):
    predict_file(several, write_texts(tmp_path / "in.jsonl", ODD), tmp_path / f"out{kind}")
    separator = "|" if kind == ".csv" else None
    corpus = Corpus.read(
        tmp_path / f"out{kind}",
        labels="predicted",
        separator=separator,
        label_names=LABELS,
        single_label=False,
    )
    held = several.decisions.decide(several.probabilities(ODD))
    assert corpus.texts == ODD
    assert np.array_equal(corpus.targets, held)


def test_rows_keep_their_order_over_windows(tmp_path, several, monkeypatch):
    monkeypatch.setattr(scoring, "WINDOW", 5)
    texts = [f"{'so ' * (i % 9)}happy {i}" for i in range(23)]
    ticks = []
    predict_file(
        several,
        write_texts(tmp_path / "in.csv", texts),
        tmp_path / "out.parquet",
        tick=lambda *done: ticks.append(done),
    )
    rows = read_rows(tmp_path / "out.parquet")
    assert [row["text"] for row in rows] == texts
    scores = np.array([[row[f"score_{label}"] for label in LABELS] for row in rows])
    assert np.allclose(scores, several.probabilities(texts), atol=1e-6)
    assert ticks == [(5, 23), (10, 23), (15, 23), (20, 23), (23, 23)]
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 5


def test_a_column_that_is_there_already_is_kept_and_the_new_one_named_otherwise(tmp_path):
    source = write_texts(
        tmp_path / "in.csv", ["a", "b"], predicted=["x", "y"], score_joy=["1", "2"], score_joy_=["", ""]
    )
    predict_file(Quick(), source, tmp_path / "out.csv")
    row = read_rows(tmp_path / "out.csv")[0]
    assert list(row) == [
        *("text", "predicted", "score_joy", "score_joy_"),
        *("predicted_", "score_joy__", "score_anger", "score_fear"),
    ]
    assert (row["predicted"], row["score_joy"], row["predicted_"]) == ("x", "1", "anger")


def test_the_text_column_can_be_named(tmp_path):
    (tmp_path / "in.csv").write_text("tweet\nhi\n")
    assert predict_file(Quick(), tmp_path / "in.csv", tmp_path / "out.csv", text="tweet")["rows"] == 1


def test_files_of_windows_line_ends_are_read_and_lines_end_in_one_way(tmp_path):
    (tmp_path / "in.csv").write_bytes(b'text,n\r\n"a\r\nb",1\r\nc,2\r\n')
    predict_file(Quick(), tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (
        b"text,n,predicted,score_joy,score_anger,score_fear\n"
        b'"a\r\nb",1,joy,0.4,0.29999998,0.3\n'
        b"c,2,anger,0.1,0.59999996,0.3\n"
    )


def test_the_same_rows_give_the_same_bytes_zipped(tmp_path):
    source = write_texts(tmp_path / "in.csv", ["a", "b"])
    predict_file(Quick(), source, tmp_path / "out.csv.gz")
    first = (tmp_path / "out.csv.gz").read_bytes()
    predict_file(Quick(), source, tmp_path / "out.csv.gz")
    assert (tmp_path / "out.csv.gz").read_bytes() == first


# --- columns of other types


NOON = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
COLUMNS = {
    "whole": pa.array([1, None, 3], pa.int32()),
    "half": pa.array([0.5, None, float("nan")], pa.float32()),
    "flag": pa.array([True, False, None]),
    "day": pa.array([datetime.date(2024, 2, 29)] * 3),
    "moment": pa.array([NOON] * 3, pa.timestamp("us", tz="UTC")),
    "price": pa.array([decimal.Decimal("1.50")] * 3, pa.decimal128(10, 2)),
    "tags": pa.array([["a"], [], None], pa.list_(pa.string())),
    "place": pa.array([{"x": 1, "y": "a"}, None, {"x": 2, "y": None}]),
    "group": pa.array(["u", "v", "u"]).dictionary_encode(),
    "raw": pa.array([b"abc", b"", None], pa.binary()),
    "pairs": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    "nothing": pa.nulls(3),
    "large": pa.array(["a", "b", None], pa.large_string()),
}  # fmt: skip


def test_parquet_columns_keep_their_types_and_values(tmp_path):
    table = pa.table({"text": ["a", "b", "c"], **COLUMNS})
    pq.write_table(table, tmp_path / "in.parquet")
    predict_file(Quick(), tmp_path / "in.parquet", tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet")
    changed = {"group": pa.string(), "raw": pa.string(), "nothing": pa.string()}
    for name in COLUMNS:
        assert out.schema.field(name).type == changed.get(name, table.schema.field(name).type), name
    kept = [name for name in COLUMNS if name not in ("half", "raw")]
    assert out.select(kept).to_pylist() == table.select(kept).to_pylist()
    assert out["raw"].to_pylist() == ["abc", "", None]
    assert out["half"].to_pylist()[:2] == [0.5, None]
    assert np.isnan(out["half"].to_pylist()[2])


def test_parquet_columns_as_text_and_as_json(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b", "c"], **COLUMNS}), tmp_path / "in.parquet")
    for kind in (".csv", ".jsonl"):
        predict_file(Quick(), tmp_path / "in.parquet", tmp_path / f"out{kind}")
    text, plain = read_rows(tmp_path / "out.csv"), read_rows(tmp_path / "out.jsonl")
    assert [row["half"] for row in text] == ["0.5", "", ""]
    assert [row["half"] for row in plain] == [0.5, None, None]
    assert text[0]["place"] == '{"x": 1, "y": "a"}'
    assert plain[0]["place"] == {"x": 1, "y": "a"}
    assert text[0]["tags"] == '["a"]'
    assert text[0]["moment"] == plain[0]["moment"] == "2024-02-29T12:00:00+00:00"
    assert (text[0]["price"], text[1]["whole"], text[0]["nothing"]) == ("1.50", "", "")


def test_jsonl_rows_of_different_keys_and_types_become_one_parquet_schema(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "WINDOW", 2)
    rows = [
        {"text": "a", "n": None, "mixed": 1, "deep": {"x": 1}, "hollow": {}},
        {"text": "b", "n": 1},
        {"text": "c", "n": 2.5, "mixed": "two", "deep": {"y": [1]}, "late": [1, 2]},
        {"text": "d", "mixed": {"k": "é"}, "big": 2**70, "half": ["\ud800"]},
        {"text": "e", "n": 2**60 + 1, "late": None},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    predict_file(Quick(), tmp_path / "in.jsonl", tmp_path / "out.parquet")

    out = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert out["text"] == ["a", "b", "c", "d", "e"]
    assert out["n"] == [None, 1.0, 2.5, None, float(2**60)]
    assert out["mixed"] == ["1", None, "two", '{"k": "é"}', None]
    assert out["deep"][0] == {"x": 1, "y": None}
    assert out["deep"][2] == {"x": None, "y": [1]}
    assert out["hollow"] == ["{}", None, None, None, None]
    assert out["late"] == [None, None, [1, 2], None, None]
    assert out["big"][3] == str(2**70)
    assert out["half"][3] == '["\ufffd"]'


def test_jsonl_keeps_the_keys_of_each_row(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a", "x": 1.0}\n{"y": [1, NaN], "text": "b"}\n')
    predict_file(Quick(), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    predict_file(Quick(), tmp_path / "in.jsonl", tmp_path / "out.csv")
    rows = read_rows(tmp_path / "out.jsonl")
    assert [list(row)[:2] for row in rows] == [["text", "x"], ["y", "text"]]
    assert rows[1]["y"] == [1, None]
    assert [(row["x"], row["y"]) for row in read_rows(tmp_path / "out.csv")] == [
        ("1.0", ""),
        ("", "[1, null]"),
    ]


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_names_and_cells_that_are_not_utf8_do_not_stop_a_file(tmp_path, kind):
    (tmp_path / "in.csv").write_bytes(b"text,r\xe9gion\nh\xc3\xad \xc3\xad,Orl\xe9ans\n")
    predict_file(Quick(), tmp_path / "in.csv", tmp_path / f"out{kind}")
    assert read_rows(tmp_path / f"out{kind}")[0]["r\ufffdgion"] == "Orl\ufffdans"


@pytest.mark.parametrize(("kind", "names"), [(".csv", ["text", "text_"]), (".jsonl", ["text", "text "])])
def test_columns_that_would_have_one_name_in_a_csv_file_get_two(tmp_path, kind, names):
    (tmp_path / "in.jsonl").write_text('{"text ": "b", "text": "a"}\n')
    predict_file(Quick(), tmp_path / "in.jsonl", tmp_path / f"out{kind}")
    [row] = read_rows(tmp_path / f"out{kind}")
    assert [row[name] for name in names] == ["a", "b"]
    assert Corpus.read(tmp_path / f"out{kind}", labels=None).texts == ["a"]


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_names_that_decode_alike_get_two_names(tmp_path, kind):
    (tmp_path / "in.csv").write_bytes(b"text,x\xe9,x\xe8,\xc3\xa9\nh\xc3\xad,1,2,3\n")
    predict_file(Quick(), tmp_path / "in.csv", tmp_path / f"out{kind}")
    [row] = read_rows(tmp_path / f"out{kind}")
    assert [row[name] for name in ("x\ufffd", "x\ufffd_")] == ["1", "2"]


def odd_times():
    """Columns of days, times and spans that Python cannot hold, or not as finely."""
    days = pa.array([10**7, 1], pa.int32()).cast(pa.date32())
    numbers = pa.array([2**50, 1], pa.int64())
    return {
        "day": days,
        "days": pa.ListArray.from_arrays([0, 1, 2], days),
        "fields": pa.StructArray.from_arrays([days], ["day"]),
        "moment": numbers.view(pa.timestamp("ms")),
        "there": numbers.view(pa.timestamp("ms", "Mars/Olympus")),
        "span": pa.array([2**62, 1], pa.int64()).view(pa.duration("ms")),
        "finely": pa.array([1, 2], pa.int64()).view(pa.timestamp("ns")),
    }


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_times_that_python_cannot_hold_are_written_as_text(tmp_path, kind):
    pq.write_table(pa.table({"text": ["a", "b"], **odd_times()}), tmp_path / "in.parquet")
    assert len(Corpus.read(tmp_path / "in.parquet", labels=None)) == 2
    predict_file(Quick(), tmp_path / "in.parquet", tmp_path / f"out{kind}")
    one, two = read_rows(tmp_path / f"out{kind}")
    assert (one["day"], two["day"]) == ("29349-01-26", "1970-01-02")
    assert "29349-01-26" in str(one["days"])
    assert "29349-01-26" in str(one["fields"])
    assert one["moment"] == "37648-05-06T22:07:22.624"
    assert (one["there"], two["there"]) == ("37648-05-06T22:07:22.624Z", "1970-01-01T00:00:00.001Z")
    assert one["span"] == "4611686018427387904 ms"
    assert "00:00:00.000000001" in str(one["finely"])


def test_fine_times_need_no_pandas(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"], **odd_times()}), tmp_path / "in.parquet")
    program = """
import sys
class NoPandas:
    def find_spec(self, name, *rest):
        if name == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoPandas())
from affekt.data.corpus import stream
[rows] = stream("in.parquet")
print([row.columns["finely"] for row in rows])
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1970-01-01T00:00:00.000000001" in done.stdout, done.stderr


# --- rows that cannot be used


def test_a_bad_row_is_met_before_anything_is_computed(tmp_path):
    texts = [f"text {i}" for i in range(5000)]
    source = write_texts(tmp_path / "in.csv", [*texts, " "])
    ticks = []
    with pytest.raises(DataError, match=r"in\.csv:5002: column 'text' is empty"):
        predict_file(Quick(), source, tmp_path / "out.csv", tick=lambda *done: ticks.append(done))
    assert ticks == []
    assert os.listdir(tmp_path) == ["in.csv"]


def test_bad_rows_are_skipped_and_listed(tmp_path):
    source = write_texts(tmp_path / "in.csv", ["a", *[" "] * 30, "b"], n=range(32))
    summary = predict_file(Quick(), source, tmp_path / "out.csv", on_bad_row="skip")
    rows = read_rows(tmp_path / "out.csv")
    assert [row["n"] for row in rows] == [str(n) for n in range(32)]
    assert [row["n"] for row in rows if row["predicted"]] == ["0", "31"]
    assert (summary["rows"], summary["skipped"], len(summary["skipped_rows"])) == (2, 30, 20)
    assert summary["skipped_rows"][0] == {"where": "in.csv:3", "reason": "column 'text' is empty"}


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("several", [False, True])
def test_a_skipped_row_keeps_its_place_with_nothing_predicted(tmp_path, name, several):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "a", "n": 1}\n{"text": "", "n": 2}\nno json\n{"text": "bb", "n": 4}\n')
    model = Quick()
    if several:
        model.decisions = Decisions.unfitted(3, single_label=False)
    predict_file(model, source, tmp_path / name, on_bad_row="skip")
    rows = read_rows(tmp_path / name)
    assert [str(row.get("n") or "") for row in rows] == ["1", "2", "", "4"]
    empty = [not row["score_anger"] and row["score_anger"] != 0 for row in rows]
    assert empty == [False, True, True, False]
    assert [row["predicted"] or None for row in rows[1:3]] == [None, None]
    if not several:
        assert rows[0]["predicted"] == LABELS[1]


def test_a_model_is_opened_once_the_file_has_been_looked_at(tmp_path):
    source = write_texts(tmp_path / "in.csv", ["a", " "])
    with pytest.raises(ModelError, match="no such folder"):
        predict_file(tmp_path / "nothing", source, tmp_path / "out.csv")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "affekt.json").write_text("{}")
    for function, out in ((predict_file, "out.csv"), (embed_file, "out.npy")):
        with pytest.raises(DataError, match="column 'text' is empty"):
            function(tmp_path / "broken", source, tmp_path / out)
        with pytest.raises(ModelError, match="broken"):
            function(tmp_path / "broken", source, tmp_path / out, on_bad_row="skip")


def test_a_language_that_the_model_did_not_learn_is_noted(tmp_path):
    source = write_texts(tmp_path / "in.csv", ["ich bin nicht so froh, das ist die ganze Wahrheit"] * 9)
    model = Quick()
    assert predict_file(model, source, tmp_path / "out.csv")["notes"] == []
    model.about = {"languages": ["en"]}
    (note,) = predict_file(model, source, tmp_path / "out.csv")["notes"]
    assert note == "the texts seem to be in 'de'; the model learnt from texts in 'en'"


def test_how_a_file_is_read_is_noted(tmp_path):
    (tmp_path / "in.csv").write_bytes("tweet,n\nça va très bien ce soir,1\n".encode("cp1252"))
    notes = predict_file(Quick(), tmp_path / "in.csv", tmp_path / "out.csv")["notes"]
    assert any("cp1252" in note for note in notes)
    assert any("'tweet'" in note for note in notes)


def test_bad_rows_are_reported_together(tmp_path):
    source = write_texts(tmp_path / "in.csv", ["a", " ", "b", ""])
    with pytest.raises(DataError, match=r"2 row\(s\) can't be used"):
        predict_file(Quick(), source, tmp_path / "out.csv", on_bad_row="report")
    assert os.listdir(tmp_path) == ["in.csv"]


@pytest.mark.parametrize(("content", "options", "message"), [
    ("text\n", {}, "holds no rows"),
    ("text\n \n", {"on_bad_row": "skip"}, "holds no rows that can be used; 1 were skipped"),
    ("tweet\nhi\n", {}, "no column 'text'; its columns are 'tweet'"),
    ("text\nhi\n", {"on_bad_row": "stop"}, "on_bad_row is 'stop'"),
])  # fmt: skip
def test_files_without_usable_texts_are_faults_of_the_data(tmp_path, content, options, message):
    (tmp_path / "in.csv").write_text(content)
    for function, out in ((predict_file, "out.csv"), (embed_file, "out.npy")):
        with pytest.raises(DataError, match=message.replace("(", r"\(")):
            function(Quick(), tmp_path / "in.csv", tmp_path / out, **options)


def test_a_damaged_parquet_file_is_a_fault_of_the_data(tmp_path):
    (tmp_path / "in.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(DataError, match="can't be read as parquet"):
        predict_file(Quick(), tmp_path / "in.parquet", tmp_path / "out.parquet")


@pytest.mark.parametrize("content", ["text\n" + "b\n" * 6000, "text\n" + "b\n" * 3000])
def test_a_file_that_changes_between_the_passes_is_noticed(tmp_path, monkeypatch, content):
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "a\n" * 5000)
    survey = scoring.survey_of

    def survey_and_change(*arguments, **options):
        found = survey(*arguments, **options)
        source.write_text(content)
        return found

    monkeypatch.setattr(scoring, "survey_of", survey_and_change)
    with pytest.raises(DataError, match=r"had 5,000 rows at first .* changed while being read"):
        predict_file(Quick(), source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


# --- where the output goes


@pytest.mark.parametrize("name", ["out", "out.txt", "out.xlsx", "csv", "out.parquet.gz", "out.npy"])
def test_an_output_of_unknown_kind_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"must end in one of \.csv, \.tsv, \.jsonl, \.parquet"):
        predict_file(Quick(), write_texts(tmp_path / "in.csv", ["a"]), tmp_path / name)
    assert os.listdir(tmp_path) == ["in.csv"]


def test_the_input_is_not_overwritten_by_whatever_name(tmp_path, monkeypatch):
    source = write_texts(tmp_path / "in.csv", ["a"])
    (tmp_path / "link.csv").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    for name in (source, "in.csv", "./in.csv", tmp_path / "link.csv"):
        with pytest.raises(UsageError, match="is the file to be read"):
            predict_file(Quick(), source, name)
    assert read_rows(source) == [{"text": "a"}]


def test_a_folder_is_no_output(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(UsageError, match="no plain file"):
        predict_file(Quick(), write_texts(tmp_path / "in.csv", ["a"]), tmp_path / "out.csv")


def test_folders_on_the_way_are_made(tmp_path):
    predict_file(Quick(), write_texts(tmp_path / "in.csv", ["a"]), tmp_path / "x" / "y" / "out.csv")
    assert len(read_rows(tmp_path / "x" / "y" / "out.csv")) == 1


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet", "out.npy"])
def test_a_fault_midway_leaves_what_was_there_and_nothing_beside_it(tmp_path, monkeypatch, name):
    monkeypatch.setattr(scoring, "WINDOW", 10)
    source = write_texts(tmp_path / "in.csv", [f"text {i}" for i in range(100)])
    (tmp_path / name).write_text("old")
    function = embed_file if name == "out.npy" else predict_file

    def tick(done, of):
        if done >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        function(Quick(), source, tmp_path / name, tick=tick)
    assert (tmp_path / name).read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == sorted(["in.csv", name])


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.jsonl", "out.parquet", "out.npy"])
def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path, name):
    noise = np.random.default_rng(0).integers(33, 127, (3000, 40))
    texts = ["".join(map(chr, row)) for row in noise]  # does not shrink in zipping
    source = write_texts(tmp_path / "in.csv", texts)
    function = embed_file if name == "out.npy" else predict_file
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # bytes; writing beyond is a fault
    try:
        with pytest.raises(UsageError, match="could not be written"):
            function(Quick(), source, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == ["in.csv"]


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from test_score import Quick
from affekt.inference import score as scoring
scoring.WINDOW = 10
def tick(done, of):
    if done >= 50:
        print("ready", flush=True)
        time.sleep(60)
scoring.predict_file(Quick(), {source!r}, {out!r}, tick=tick)
"""


def test_a_killed_process_leaves_no_output(tmp_path):
    source = write_texts(tmp_path / "in.csv", [f"text {i}" for i in range(100)])
    out = tmp_path / "out.csv"
    code = KILLED.format(tests=os.path.dirname(__file__), source=str(source), out=str(out))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    predict_file(Quick(), source, out)
    assert len(read_rows(out)) == 100


@pytest.mark.parametrize(("source_kind", "name"), [
    *((".csv", "out.csv"), (".jsonl", "out.jsonl"), (".parquet", "out.parquet"), (".jsonl", "out.parquet")),
    *((".csv", "out.npy"), (".parquet", "vectors.parquet")),
])  # fmt: skip
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path, monkeypatch, source_kind, name):
    monkeypatch.setattr(scoring, "WINDOW", 100)
    texts = ["so very happy today " * 50] * 10_000  # 10 MB
    source = write_texts(tmp_path / f"in{source_kind}", texts)
    function = embed_file if name in ("out.npy", "vectors.parquet") else predict_file
    tracemalloc.start()
    summary = function(Quick(), source, tmp_path / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary["rows"] == 10_000
    assert peak < 3_000_000


def test_an_encoder_without_a_classifier_says_so(tmp_path, several):
    with pytest.raises(ModelError, match="without a classifier"):
        predict_file(
            Model(TorchRuntime(several.runtime.network)),
            write_texts(tmp_path / "in.csv", ["a"]),
            tmp_path / "out.csv",
        )


# --- vectors


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("name", ["out.npy", "out.parquet"])
def test_vectors_are_those_of_the_model_in_the_order_of_the_rows(
    tmp_path, several, monkeypatch, name, projected
):
    monkeypatch.setattr(scoring, "WINDOW", 5)
    source = write_texts(tmp_path / "in.jsonl", ODD, id=[f"t{i}" for i in range(len(ODD))])

    summary = embed_file(several, source, tmp_path / name, projected=projected)

    expected = several.embed(ODD, projected=projected)
    if name == "out.npy":
        found = np.load(tmp_path / name, allow_pickle=False)
    else:
        table = pq.read_table(tmp_path / name)
        assert table.schema.field("vector").type == pa.list_(pa.float32(), expected.shape[1])
        assert table["id"].to_pylist() == [f"t{i}" for i in range(len(ODD))]
        assert table["text"].to_pylist() == ODD
        found = np.array(table["vector"].to_pylist(), dtype=np.float32)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)
    assert summary["dimension"] == expected.shape[1] == (8 if projected else 32)
    assert (summary["rows"], summary["skipped"]) == (len(ODD), 0)


def test_vectors_of_skipped_rows_are_left_out(tmp_path):
    source = write_texts(tmp_path / "in.csv", ["a", " ", "ccc"])
    summary = embed_file(Quick(), source, tmp_path / "out.npy", on_bad_row="skip")
    assert np.load(tmp_path / "out.npy")[:, 0].tolist() == [1, 3]
    assert (summary["rows"], summary["skipped"]) == (2, 1)


def test_vectors_of_other_kinds_are_refused(tmp_path, several):
    source = write_texts(tmp_path / "in.csv", ["a"])
    with pytest.raises(UsageError, match=r"must end in one of \.parquet, \.npy"):
        embed_file(several, source, tmp_path / "out.csv")
    with pytest.raises(ModelError, match="no projection"):
        embed_file(
            Model(TorchRuntime(Network(several.runtime.network.encoder))),
            source,
            tmp_path / "out.npy",
            projected=True,
        )
