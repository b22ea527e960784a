import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data import catalog
from affekt.data.catalog import get
from affekt.data.corpus import Corpus
from affekt.data.files import open_table
from affekt.data.writing import header_of, rows_to, write_parquet, write_parts
from affekt.errors import DataError, UsageError


def test_hard_labels_are_written_as_lists_and_read_back_the_same(tmp_path):
    corpus = Corpus.build(["a 🙂", "b\nc", "d"], [["joy", "fear"], [], ["love"]])
    write_parquet(corpus, tmp_path / "new" / "train.parquet")
    again = Corpus.read(tmp_path / "new" / "train.parquet")
    assert again.digest == corpus.digest
    assert again.ids == corpus.ids
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["train.parquet"]


def test_soft_labels_are_written_as_a_column_each_and_read_back_the_same(tmp_path):
    corpus = Corpus.build(["a", "b"], np.array([[0.25, 0.5], [1.0, 0.0]]), ["joy", "fear"])
    write_parquet(corpus, tmp_path / "train.parquet")
    assert Corpus.read(tmp_path / "train.parquet", labels=["joy", "fear"]).digest == corpus.digest


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_DATA", str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_files_in_the_folder_are_copied_with_all_their_columns(root, tmp_path):
    (root / "mustard").mkdir()
    table = pa.table({"id": ["1"], "text": ["a"], "labels": [["sarcastic"]], "speaker": ["SHELDON"]})
    pq.write_table(table, root / "mustard" / "train.parquet")
    paths = get("mustard", tmp_path / "out")
    assert paths == [tmp_path / "out" / "mustard" / "train.parquet"]
    assert pq.read_table(paths[0]).equals(table)
    assert get("mustard", root) == [root / "mustard" / "train.parquet"]  # it is there already


def test_what_is_got_can_be_loaded_from_the_new_folder(root, tmp_path, monkeypatch):
    labels = catalog.DATASETS["goemotions-raw"].labels
    (root / "goemotions-raw").mkdir()
    header = "text,id,rater_id," + ",".join(labels) + "\n"
    rows = [
        f"text {i},{i},{rater}," + ",".join("10"[rater] for _ in labels) + "\n"
        for i in range(20)
        for rater in (0, 1)
    ]
    (root / "goemotions-raw" / "goemotions_1.csv").write_text(header + "".join(rows))
    before = catalog.load("goemotions-raw")
    get("goemotions-raw", tmp_path / "out")
    monkeypatch.setenv("AFFEKT_DATA", str(tmp_path / "out"))
    after = catalog.load("goemotions-raw")
    assert {split: part.digest for split, part in after.items()} == {
        split: part.digest for split, part in before.items()
    }
    assert after["train"].targets[0, 0] == 0.5


def test_the_sample_is_written_by_split(root, tmp_path):
    if not catalog.SAMPLE.exists():
        pytest.skip("the bundled sample is not installed")
    paths = get("sample", tmp_path / "out")
    assert [path.name for path in paths] == ["train.parquet", "dev.parquet", "test.parquet"]
    assert len(Corpus.read(paths[0], single_label=True)) == len(catalog.load("sample")["train"])


def test_vectors_that_are_not_there_cannot_be_got(root, tmp_path):
    with pytest.raises(DataError, match="get it from https://nlp"):
        get("glove-twitter-25d", tmp_path / "out")
    with pytest.raises(DataError, match="unknown data set"):
        get("glove", tmp_path / "out")


PARTS = {
    "one label a text": ([["joy"], ["fear"]], {"single_label": True}, {}),
    "any number of labels": ([["joy", "fear"], [], ["love"]], {}, {"label_names": ("fear", "joy", "love")}),
    "shares": (np.array([[0.25, 0.5], [1.0, 0.1]]), {"label_names": "ab"}, {"label_columns": "ab"}),
}


@pytest.mark.parametrize(("labels", "how", "columns"), PARTS.values(), ids=PARTS)
def test_parts_are_read_back_as_they_were(tmp_path, labels, how, columns):
    if how.get("single_label"):
        labels = [one for (one,) in labels]
    corpus = Corpus.build(["a 🙂", "b\nc", "d"][: len(labels)], labels, **{"label_names": None} | how)
    (path,) = write_parts({"train": corpus}, tmp_path / "new")
    assert path == tmp_path / "new" / "train.jsonl"
    again = Corpus.read(path, **columns)
    assert (again.digest, again.ids, again.single_label) == (corpus.digest, corpus.ids, corpus.single_label)


def test_parts_replace_nothing(tmp_path):
    (tmp_path / "test.jsonl").write_text("mine")
    corpus = Corpus.build(["a"], ["joy"])
    with pytest.raises(UsageError, match=r"test\.jsonl: is there already; name another folder"):
        write_parts({"train": corpus, "test": corpus}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.jsonl"]


CELLS = [
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "-2+3",
    "@SUM(A1)",
    " =1",
    "\t=1",
    "-5",
    "+.5e3",
    "-inf",
    "a=b",
    "",
    "-",
]


@pytest.mark.parametrize("kind", [".csv", ".tsv.gz"])
def test_safe_cells_are_no_formulas_and_all_others_stay(tmp_path, kind):
    header = header_of(["text", "=name"], kind, "predicted", [], several=True, types={})
    path = tmp_path / f"out{kind}"
    rows = [{"text": cell, "=name": "x"} for cell in CELLS]
    with rows_to(path, kind, header, safe=True) as write:
        write(rows, [["=joy"]] * len(rows), np.zeros((len(rows), 0), dtype=np.float32))
    with open_table(path) as table:
        assert table.columns == ("text", "'=name", "predicted")
        read = [row.values for row in table.rows]
    assert [row["text"] for row in read] == [*(f"'{cell}" for cell in CELLS[:6]), *CELLS[6:11], "'-"]
    assert {row["predicted"] for row in read} == {"'=joy"}


def test_unless_asked_for_cells_are_written_as_they_are(tmp_path):
    header = header_of(["text"], ".csv", "predicted", [], several=True, types={})
    with rows_to(tmp_path / "out.csv", ".csv", header) as write:
        write([{"text": cell} for cell in CELLS], [[]] * len(CELLS), np.zeros((len(CELLS), 0)))
    with open_table(tmp_path / "out.csv") as table:
        assert [row.values["text"] for row in table.rows] == CELLS
