import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data.corpus import Columns, stream
from affekt.errors import DataError, UsageError


def test_rows_come_in_order_and_in_batches_with_all_their_columns(tmp_path):
    (tmp_path / "a.csv").write_text("text,place\n" + "".join(f"text {i},p{i}\n" for i in range(5)))
    batches = list(stream(tmp_path / "a.csv", batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    rows = [row for batch in batches for row in batch]
    assert [(row.number, row.id, row.text) for row in rows] == [
        (i + 2, str(i + 2), f"text {i}") for i in range(5)
    ]
    number, name, text, columns = rows[0]
    assert (number, name, text, columns) == (2, "2", "text 0", {"text": "text 0", "place": "p0"})


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_other_columns_keep_their_types(tmp_path, name):
    if name == "a.parquet":
        pq.write_table(
            pa.table({"post": ["hi"], "id": [7], "tags": [["a", "b"]], "x": [None]}), tmp_path / name
        )
    else:
        (tmp_path / name).write_text('{"post": "hi", "id": 7, "tags": ["a", "b"], "x": null}\n')
    [[row]] = stream(tmp_path / name, text="post")
    assert row == (1, "7", "hi", {"post": "hi", "id": 7, "tags": ["a", "b"], "x": None})


def test_the_id_column_can_be_named_or_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,key,text\nsame,k1,a\nsame,k2,b\n")
    for options, ids in [({}, ["same", "same"]), ({"id": "key"}, ["k1", "k2"]), ({"id": ""}, ["2", "3"])]:
        assert [row.id for batch in stream(tmp_path / "a.csv", **options) for row in batch] == ids


def test_labels_are_not_looked_at(tmp_path):
    (tmp_path / "a.csv").write_text("text\na\n")
    assert len(next(stream(tmp_path / "a.csv", columns=Columns(labels="emotion", single_label=True)))) == 1


def test_bad_rows_stop_are_skipped_or_are_reported_at_the_end(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'text\n\xc3\xa4\n""\nb\ncaf\xe9\nc\n')
    with pytest.raises(DataError, match=r"a\.csv:3: column 'text' is empty"):
        list(stream(tmp_path / "a.csv"))
    skipped = []
    [rows] = stream(tmp_path / "a.csv", on_bad_row="skip", skipped=skipped)
    assert [row.text for row in rows] == ["ä", "b", "c"]
    assert [row.where for row in skipped] == ["a.csv:3", "a.csv:5"]
    with pytest.raises(DataError, match=r"2 row\(s\) can't be used"):
        list(stream(tmp_path / "a.csv", on_bad_row="report"))


def test_undecodable_bytes_in_other_columns_become_replacement_characters(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,place\nh\xc3\xad,Orl\xe9ans\n")
    [[row]] = stream(tmp_path / "a.csv")
    assert row.columns["place"] == "Orl\ufffdans"


@pytest.mark.parametrize("size", [0, -5])
def test_a_batch_holds_at_least_one_row(tmp_path, size):
    path = tmp_path / "a.csv"
    path.write_text("text\nso happy\n")
    with pytest.raises(UsageError, match=f"batch_size = {size}: give at least 1"):
        list(stream(path, batch_size=size))


def test_a_missing_text_column_is_named_before_any_row(tmp_path):
    (tmp_path / "a.csv").write_text("tweet\nhi\n")
    with pytest.raises(DataError, match="no column 'text'; its columns are 'tweet'"):
        next(stream(tmp_path / "a.csv"))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path, name):
    row = "so very happy today " * 125
    n = 6_000
    if name == "a.csv":
        (tmp_path / name).write_text("text\n" + f"{row}\n" * n)
    elif name == "a.jsonl":
        (tmp_path / name).write_text(f'{{"text": "{row}"}}\n' * n)
    else:
        texts = [f"{i} {row}" for i in range(n)]
        pq.write_table(pa.table({"text": texts}), tmp_path / name, row_group_size=n)
    tracemalloc.start()
    count = sum(len(batch) for batch in stream(tmp_path / name, batch_size=256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == n
    assert peak < 5_000_000  # the texts alone are 15 MB


def test_a_batch_is_a_sequence_of_rows_and_has_its_texts_and_ids_as_lists(tmp_path):
    (tmp_path / "a.csv").write_text("text,place\na,p\n\n,q\nb,r\nc,s\n")
    [batch] = stream(tmp_path / "a.csv", on_bad_row="skip")
    assert (batch.texts, batch.ids, batch.names) == (["a", "b", "c"], ["2", "5", "6"], ("text", "place"))
    assert batch[-1] == batch[2] == (6, "6", "c", {"text": "c", "place": "s"})
    assert [row.number for row in batch[1:]] == [5, 6]
    with pytest.raises(IndexError):
        batch[3]
