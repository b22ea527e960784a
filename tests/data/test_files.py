"""Files of every format and in every state of disrepair."""

import csv
import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt.data import files as reading
from affekt.data.arrow import frame_table
from affekt.data.corpus import Corpus
from affekt.data.files import open_table
from affekt.data.targets import is_blank
from affekt.errors import DataError

ROWS = [
    {"text": "plain", "label": "joy"},
    {"text": 'she said "no", twice', "label": "anger"},
    {"text": "two\nlines", "label": "joy"},
    {"text": "ünïcödé 🙂", "label": "love"},
]


def rows_of(path, **options):
    with open_table(path, **options) as table:
        return [(row.number, dict(row.values), row.fault) for row in table.rows]


def texts_of(path, **options):
    return [values["text"] for _, values, _ in rows_of(path, **options)]


def faults_of(path, **options):
    return [(number, fault) for number, _, fault in rows_of(path, **options) if fault]


def write_delimited(path, delimiter, *, encoding="utf-8", newline="\n"):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"], delimiter=delimiter, lineterminator=newline)
        writer.writeheader()
        writer.writerows(ROWS)


@pytest.mark.parametrize(
    ("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("a.CSV", ","), ("a.csv.gz", ",")]
)
def test_delimited_files_give_their_rows_counted_as_in_a_spreadsheet(tmp_path, name, delimiter):
    write_delimited(tmp_path / name, delimiter)
    assert rows_of(tmp_path / name) == [(number, row, "") for number, row in enumerate(ROWS, start=2)]


def test_json_lines_give_their_rows_counted_by_line(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n\n".join(json.dumps(row) for row in ROWS))
    assert rows_of(path) == [(number, row, "") for number, row in zip((1, 3, 5, 7), ROWS, strict=True)]


def test_parquet_gives_its_rows_counted_from_one(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == [(number, row, "") for number, row in enumerate(ROWS, start=1)]


def test_only_the_columns_asked_for_are_read_from_parquet(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    with open_table(tmp_path / "a.parquet", only={"text", "absent"}) as table:
        assert table.columns == ("text", "label")
        assert next(table.rows).values == {"text": "plain"}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path, name):
    write_delimited(tmp_path / name, ",", encoding="utf-8-sig", newline="\r\n")
    assert texts_of(tmp_path / name) == [row["text"] for row in ROWS]


def test_old_macintosh_line_ends_part_rows(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\rone,joy\rtwo,fear\r")
    assert texts_of(tmp_path / "a.csv") == ["one", "two"]


def test_blank_lines_are_counted_but_are_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("\ntext,label\n\none,joy\n\n\ntwo,joy\n\n")
    assert [(number, values["text"]) for number, values, _ in rows_of(tmp_path / "a.csv")] == [
        (4, "one"),
        (7, "two"),
    ]


def test_spaces_around_column_names_are_ignored(tmp_path):
    (tmp_path / "a.csv").write_text("id , text\n1,one\n")
    assert texts_of(tmp_path / "a.csv") == ["one"]


def test_null_bytes_are_kept_and_harm_nothing(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\nnu\x00ll,joy\nnext,joy\n")
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "nu\x00ll"}\n{"text": "esc\\u0000aped"}\n')
    assert texts_of(tmp_path / "a.csv") == ["nu\x00ll", "next"]
    assert texts_of(tmp_path / "a.jsonl") == ["nu\x00ll", "esc\x00aped"]


def test_fields_longer_than_the_csv_modules_limit_are_read_and_the_limit_is_put_back(tmp_path):
    long = "so happy " * 100_000
    (tmp_path / "a.csv").write_text(f"text\n{long}\n")
    csv.field_size_limit(131_072)  # the limit a fresh process has
    assert texts_of(tmp_path / "a.csv") == [long]
    assert csv.field_size_limit() == 131_072


def test_undecodable_bytes_do_not_stop_the_reading_of_other_rows(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text\nf\xc3\xadne\ncaf\xe9\nfine too\n")
    assert texts_of(tmp_path / "a.csv") == ["fíne", "caf\udce9", "fine too"]


def test_invalid_utf8_inside_a_parquet_string_column_is_kept_for_the_row_check(tmp_path):
    data = pa.array([b"fine", b"caf\xe9", None], pa.binary())
    odd = pa.StringArray.from_buffers(3, data.buffers()[1], data.buffers()[2], data.buffers()[0])
    lists = pa.ListArray.from_arrays([0, 1, 2, 2], odd.slice(0, 2))
    pq.write_table(pa.table({"text": odd, "labels": lists}), tmp_path / "a.parquet")
    values = [values for _, values, _ in rows_of(tmp_path / "a.parquet")]
    assert [value["text"] for value in values] == ["fine", "caf\udce9", None]
    assert [value["labels"] for value in values] == [["fine"], ["caf\udce9"], []]


def test_binary_and_categorical_columns_read_as_text(tmp_path):
    table = pa.table(
        {"text": pa.array([b"caf\xc3\xa9", b"x"]), "label": pa.array(["joy", "joy"]).dictionary_encode()}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert [(v["text"], v["label"]) for _, v, _ in rows_of(tmp_path / "a.parquet")] == [
        ("café", "joy"),
        ("x", "joy"),
    ]


def test_list_columns_are_known_from_the_schema_or_the_first_rows(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "labels": [["joy"]]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b", "labels": []}\n')
    for name in ("a.parquet", "a.jsonl"):
        with open_table(tmp_path / name) as table:
            assert table.columns == ("text", "labels")
            assert table.list_columns == {"labels"}


# --- faults of one row travel with that row


def test_rows_with_too_many_or_too_few_fields_are_faulty(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\none,joy\ntwo\nthree,joy,4\nfour,joy\n")
    assert faults_of(tmp_path / "a.csv") == [
        (3, "the row has 1 fields where the header has 2"),
        (4, "the row has 3 fields where the header has 2"),
    ]


def test_a_quote_that_is_never_closed_is_a_fault_of_the_row_that_opens_it(tmp_path):
    (tmp_path / "a.csv").write_text('text,label\none,joy\n"two,joy\nthree,joy\n')
    [(number, fault)] = faults_of(tmp_path / "a.csv")
    assert number == 3
    assert "a quote opened in this row is never closed" in fault
    assert "quoted=False" in fault


def test_an_endless_field_is_taken_for_an_open_quote_and_does_not_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_FIELD_LIMIT", 10_000)
    (tmp_path / "a.csv").write_text('text,label\n"' + "one,joy\n" * 2_000 + '"')
    number, fault = faults_of(tmp_path / "a.csv")[0]
    assert number == 2
    assert "never closed" in fault


def test_text_after_a_closing_quote_is_a_fault_and_reading_goes_on(tmp_path):
    (tmp_path / "a.csv").write_text('text,label\n"two" or three,joy\nfour,joy\n')
    assert [bool(fault) for _, _, fault in rows_of(tmp_path / "a.csv")] == [True, False]
    assert "a closing quote is followed by more text" in faults_of(tmp_path / "a.csv")[0][1]


def test_quotes_are_ordinary_characters_when_said_so(tmp_path):
    (tmp_path / "a.tsv").write_text('text\tlabel\n"Worry is\tfear\nhe said "no"\tanger\n')
    assert texts_of(tmp_path / "a.tsv", quoted=False) == ['"Worry is', 'he said "no"']


def test_lines_that_are_not_json_objects_are_faulty(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a"}\n{"text": \n[1]\n' + "[" * 100_000 + '\n"b"\n{"text": "c"}\n'
    )
    faults = dict(faults_of(tmp_path / "a.jsonl"))
    assert list(faults) == [2, 3, 4, 5]
    assert "not JSON" in faults[2]
    assert "JSON list where an object is wanted" in faults[3]
    assert "not JSON" in faults[4]


# --- faults of the file stop at once


def check_refused(path, message, **options):
    with pytest.raises(DataError, match=message):
        rows_of(path, **options)


def test_files_that_cannot_be_read_are_refused_by_name(tmp_path):
    check_refused(tmp_path / "none.csv", r"none\.csv does not exist")
    check_refused(tmp_path, r"is a folder; name a file in it")
    for name in ("a.xls", "a", "a.gz", "a.parquet.gz", ".csv"):
        (tmp_path / name).write_text("text\na\n")
        check_refused(tmp_path / name, r"no extension that says its format; known are \.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz"])
def test_empty_files_are_refused(tmp_path, name):
    (tmp_path / name).touch()
    check_refused(tmp_path / name, "is empty")


def test_files_of_nothing_but_blank_lines_or_an_empty_archive_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("\n\n")
    (tmp_path / "a.jsonl").write_text("\n \n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b""))
    for name in ("a.csv", "a.jsonl", "b.csv.gz"):
        check_refused(tmp_path / name, "is empty")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,joy\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (gzip.compress(b"text\na\n", mtime=0), "is compressed; add .gz"),
        (b"PK\x03\x04rest", "zip archive or a spreadsheet; name it .xlsx"),
        (b"PAR1rest", "give it the extension .parquet"),
    ],
)
def test_files_whose_name_belies_their_content_are_refused(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    check_refused(tmp_path / "a.csv", message)


def test_damaged_archives_and_parquet_files_are_refused(tmp_path):
    whole = gzip.compress(b"text\n" + b"".join(b"row %d\n" % i for i in range(5_000)))
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "not.csv.gz").write_bytes(b"text\na\n")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "torn.parquet").write_bytes(data[:4] + bytes(60) + data[64:])
    check_refused(tmp_path / "cut.csv.gz", "is damaged or cut off")
    check_refused(tmp_path / "not.csv.gz", "is damaged or cut off")
    check_refused(tmp_path / "cut.parquet", "can't be read as parquet")
    check_refused(tmp_path / "torn.parquet", r"torn\.parquet is damaged or cut off")


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,text,label\na,b,joy\n")
    check_refused(tmp_path / "a.csv", "more than one column named 'text'; rename one")


def test_a_delimiter_of_several_characters_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text||label\na||joy\n")
    check_refused(tmp_path / "a.csv", r"'\|\|' can't part columns", delimiter="||")


def test_a_header_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text('"text,label\na,joy\n')
    check_refused(tmp_path / "a.csv", "the header can't be read: a quote opened in this row is never closed")


def test_a_file_is_closed_when_reading_stops_early(tmp_path):
    (tmp_path / "a.csv").write_text("text\n" + "row\n" * 5_000)
    with open_table(tmp_path / "a.csv") as table:
        next(table.rows)
    with pytest.raises(ValueError, match="closed file"):
        list(table.rows)


def test_objects_that_are_no_frames_are_refused():
    with pytest.raises(DataError, match="int can't be read as a data frame"):
        frame_table(3)


PIECES = [
    *(b"text", b"labels", b",", b"\n", b"\r\n", b'"', b"joy", b"\xe9", b"\x00"),
    *(b"{", b"}", b'"text": ', b'"labels": ', b"[1]", b"null", b"1e999"),
]


@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join),
    ),
    name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz", "a.jsonl.gz"]),
    zipped=st.booleans(),
    on_bad_row=st.sampled_from(["fail", "skip", "report"]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_the_outcome_is_a_corpus_or_one_clear_fault(content, name, zipped, on_bad_row):
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(gzip.compress(content) if zipped else b"text,labels\na,joy\n" + content)
        try:
            corpus = Corpus.read(path, on_bad_row=on_bad_row)
        except DataError:
            return
        assert len(corpus) > 0
        assert not any(is_blank(text) for text in corpus.texts)
