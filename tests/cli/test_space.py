"""`affekt map` and `affekt cluster` as they are typed."""

import json

import pyarrow.parquet as pq
import pytest

from affekt.data import catalog
from affekt.errors import DataError, UsageError

LABELS = catalog.DATASETS["sample"].labels


@pytest.fixture
def posts(tmp_path):
    path = tmp_path / "posts.csv"
    rows = [f"{i},i am so happy today {i},joy\n{i}b,sad and in fear,fear" for i in range(6)]
    path.write_text("id,text,emotion\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def unloadable(monkeypatch):
    """A model must not be opened: what is wrong must be found before."""

    def loaded(name):
        raise AssertionError("the model was opened before the fault was found")

    monkeypatch.setattr("affekt.inference.model.load", loaded)
    return "model"


def test_a_known_data_set_is_drawn_with_its_labels(verb, classifier, tmp_path):
    verb(
        "map",
        "-m",
        classifier,
        "sample",
        "--split",
        "dev",
        "--limit",
        30,
        "--out",
        tmp_path / "a" / "map.html",
    )
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"map.html", "map.png"}
    page = (tmp_path / "a" / "map.html").read_text(encoding="utf-8")
    assert "Map of sample" in page
    assert '"name":"label"' in page


def test_a_file_is_drawn_with_its_labels_or_with_the_model_s(verb, classifier, posts, tmp_path):
    out = tmp_path / "map.html"
    verb("map", "-m", classifier, posts, "--out", out)
    assert '"name":"predicted emotion"' in out.read_text(encoding="utf-8")
    verb("map", "-m", classifier, posts, "--labels", "emotion", "--out", out)
    assert '"name":"label"' in out.read_text(encoding="utf-8")


def test_a_map_is_a_table_or_a_page_and_a_table(verb, classifier, posts, tmp_path, capsys):
    table, page = tmp_path / "out" / "map.parquet", tmp_path / "out" / "map.html"
    verb("map", "-m", classifier, posts, "-o", table, "--text", "text", "--clusters", 2)
    assert {path.name for path in table.parent.iterdir()} == {"map.parquet"}
    found = pq.read_table(table)
    own = ["id", "emotion", *LABELS, "neighbors"]
    assert found.column_names == ["text", "x", "y", "label", "sentiment", "cluster", *own]
    assert (found.num_rows, found["emotion"].to_pylist()[:2]) == (12, ["joy", "fear"])
    verb("map", "-m", classifier, posts, "-o", table, "-o", page)
    assert {path.name for path in table.parent.iterdir()} == {"map.parquet", "map.html", "map.png"}


def test_a_file_without_texts_has_no_map(verb, unloadable, tmp_path):
    (tmp_path / "none.csv").write_text("text\n\n")
    with pytest.raises(DataError):
        verb("map", "-m", unloadable, tmp_path / "none.csv", "-o", tmp_path / "map.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["none.csv"]


def test_a_known_data_set_is_clustered(verb, classifier, tmp_path):
    out = tmp_path / "out.jsonl"
    found = json.loads(
        verb("cluster", "-m", classifier, "sample", "--split", "dev", "--clusters", 3, "-o", out, "--json")
    )
    dev = catalog.load("sample")["dev"]
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == dev.ids
    assert sum(one["size"] for one in found) == len(dev)
    assert {one["name"] for one in found} == {row["cluster"] for row in rows}
    assert {one["number"] for one in found} == {0, 1, 2}
    assert set().union(*(one["emotions"] for one in found)) <= set(LABELS)


def test_a_file_s_clusters_are_shown_with_their_emotions_and_words(verb, classifier, posts, tmp_path):
    shown = verb("cluster", "-m", classifier, posts, "--clusters", 2, "-o", tmp_path / "out.csv")
    assert "2 clusters" in shown
    joined = " ".join(shown.split())
    assert "happy" in joined
    assert "fear" in joined
    assert any(f"{label} 0." in joined for label in LABELS)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 13


def test_labels_of_a_file_tell_its_clusters(verb, tiny, posts, tmp_path):
    words = ("--labels", "emotion", "--clusters", 2, "-o", tmp_path / "out.csv", "--json")
    found = json.loads(verb("cluster", "-m", tiny("bert"), posts, *words))
    assert set().union(*(one["emotions"] for one in found)) == {"joy", "fear"}


def test_labels_in_columns_of_0_and_1_tell_a_file_s_clusters_and_colour_its_map(verb, tiny, tmp_path):
    rows = [f"i am so happy today {i};1;0\nsad and in fear {i};0;1" for i in range(6)]
    (tmp_path / "posts.csv").write_text("text;joy;fear\n" + "\n".join(rows) + "\n")
    words = ("-m", tiny("bert"), tmp_path / "posts.csv", "--label-columns", "joy,fear", "--delimiter", ";")
    found = json.loads(verb("cluster", *words, "--clusters", 2, "-o", tmp_path / "out.csv", "--json"))
    assert set().union(*(one["emotions"] for one in found)) == {"joy", "fear"}
    verb("map", *words, "--out", tmp_path / "map.html")
    assert '"name":"label"' in (tmp_path / "map.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "out.txt"], r"\.csv, \.tsv, \.jsonl, \.parquet"),
        (["--seed", -1], "the seed must be from 0 to 4294967295, but is -1"),
        (["--seed", 2**32], "but is 4294967296"),
        (["--method", "kmean"], "did you mean kmeans"),
        (["--clusters", 1], "at least 2"),
        (["--clusters", 40], "only 12 texts"),
        (["--split", "dev"], "no split 'dev'"),
        (["--text", "body"], "no column 'body'"),
    ],
)
def test_what_cannot_be_clustered_is_said_before_the_model_is_opened(verb, unloadable, posts, words, said):
    with pytest.raises((UsageError, DataError), match=said):
        verb("cluster", "-m", unloadable, posts, *words)
    assert [path.name for path in posts.parent.iterdir()] == ["posts.csv"]


def test_too_few_texts_are_said_before_the_model_is_opened(verb, unloadable, tmp_path):
    (tmp_path / "two.csv").write_text("text\na\nb\n")
    with pytest.raises(DataError, match="2 texts are too few for kmeans"):
        verb("cluster", "-m", unloadable, tmp_path / "two.csv", "-o", tmp_path / "out.csv")


def test_the_input_is_not_written_over(verb, unloadable, posts):
    before = posts.read_bytes()
    with pytest.raises(UsageError, match="is the file to be read"):
        verb("cluster", "-m", unloadable, posts, "-o", posts)
    assert posts.read_bytes() == before


def test_what_cannot_be_drawn_is_said_before_the_model_is_opened(verb, unloadable, posts, tmp_path):
    with pytest.raises(UsageError, match=r"\.html, .*\.parquet"):
        verb("map", "-m", unloadable, posts, "--out", tmp_path / "map.pdf")
    (tmp_path / "held.parquet").write_bytes(b"")
    with pytest.raises(UsageError, match="is the file to be read"):
        verb("map", "-m", unloadable, tmp_path / "held.parquet", "--out", tmp_path / "held.parquet")
    with pytest.raises(UsageError, match="picture of one page, but there are 0"):
        verb("map", "-m", unloadable, posts, "--out", tmp_path / "map.parquet", "--picture", "map.png")
    with pytest.raises(DataError, match="its splits are train, dev, test"):
        verb("map", "-m", unloadable, "sample", "--split", "later")
    with pytest.raises(DataError, match="did you mean sample"):
        verb("map", "-m", unloadable, "smple")
    for seed in (-1, 2**32):
        with pytest.raises(UsageError, match=f"but is {seed}"):
            verb("map", "-m", unloadable, posts, "--seed", seed)
    cold = tmp_path / "cold.csv"
    cold.write_text("text,label\nbrr,cold\nicy,cold\n")
    with pytest.raises(UsageError, match="nothing to colour by sentiment"):
        verb("map", "-m", unloadable, cold, "--labels", "label", "--colour", "sentiment")


@pytest.mark.parametrize(("name", "out"), [("map", "map.html"), ("cluster", "groups.csv")])
def test_a_blank_post_is_left_out_and_said_unless_it_is_to_stop_the_work(
    verb, classifier, posts, name, out, monkeypatch
):
    with posts.open("a") as file:
        file.write("x,,joy\ny,,fear\n")
    with pytest.raises(DataError, match=r"posts\.csv:14: column 'text' is empty"):
        verb(name, "-m", classifier, posts, "-o", posts.parent / out, "--on-bad-row", "fail")
    assert not (posts.parent / out).exists()
    told: list[str] = []
    monkeypatch.setattr("affekt.cli.console.say", told.append)
    verb(name, "-m", classifier, posts, "-o", posts.parent / out)
    assert "2 rows were left out" in told
    assert (posts.parent / out).exists()
