"""A map as a table: what each row holds, whatever the texts are, and that embedding-atlas opens it."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data.columns import Columns
from affekt.errors import UsageError
from affekt.explore.map_table import NEAREST, write_map_table
from affekt.explore.space import Grouping, draw_map, read_texts
from explore.test_space import TEXTS, corpus, made

PLACES = ["text", "x", "y", "label", "sentiment", "cluster"]


def written(path, texts, vectors=None, *, scores=None, rows=()):
    """A table of texts, and its rows."""
    vectors = np.random.default_rng(0).normal(size=(len(texts), 4)) if vectors is None else vectors
    labels = {"label": ["joy"] * len(texts)}
    write_map_table(path, texts, vectors[:, :2], vectors, labels, scores or {}, rows)
    return pq.read_table(path).to_pylist()


def test_a_row_holds_its_text_and_place_what_the_model_says_and_its_neighbours(tmp_path):
    model = made()
    files = draw_map(model, corpus(), [tmp_path / "map.parquet"])
    assert files == [tmp_path / "map.parquet"]
    assert [path.name for path in tmp_path.iterdir()] == ["map.parquet"]  # no picture without a page
    table = pq.read_table(files[0])
    assert table.column_names == [*PLACES, "id", "sadness", "joy", "neighbors"]
    assert table["text"].to_pylist() == TEXTS
    assert np.isfinite(np.stack([table["x"], table["y"]])).all()
    assert {str(table.schema.field(name).type) for name in ("x", "y", "sadness", "joy")} == {"float"}
    scores = np.stack([table["sadness"], table["joy"]], axis=1)
    np.testing.assert_allclose(scores, model.probabilities(TEXTS), atol=1e-6)
    assert table["label"].to_pylist() == ["joy" if "joy" in text else "sadness" for text in TEXTS]
    assert set(table["sentiment"].to_pylist()) == {"positive", "negative"}
    assert len(set(table["cluster"].to_pylist())) == 2


def test_neighbours_are_the_nearest_rows_but_not_the_row_itself_also_among_copies(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(40, 5))
    vectors[30:] = vectors[0]
    rows = written(tmp_path / "map.parquet", [f"text {i}" for i in range(40)], vectors)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    for i, row in enumerate(rows):
        ids, distances = row["neighbors"]["ids"], row["neighbors"]["distances"]
        assert len(set(ids)) == NEAREST
        assert i not in ids
        np.testing.assert_allclose(distances, np.sort(apart[i])[:NEAREST], atol=1e-6)
        np.testing.assert_allclose(apart[i][ids], distances, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_texts_have_as_many_neighbours_as_there_are_others(tmp_path, count):
    [path] = draw_map(made(classifier=False), corpus(TEXTS[:count]), tmp_path / "map.parquet")
    table = pq.read_table(path)
    assert table.column_names == ["text", "x", "y", "cluster", "id", "neighbors"]  # an encoder says no more
    assert [len(one["ids"]) for one in table["neighbors"].to_pylist()] == [count - 1] * count


def test_a_table_of_no_text_is_a_table(tmp_path):
    assert written(tmp_path / "map.parquet", [], np.zeros((0, 4))) == []


def test_a_file_s_own_columns_are_kept_and_names_that_are_taken_get_a_mark(tmp_path):
    source = tmp_path / "posts.csv"
    lines = [f"{text},{i},{'ab'[i % 2]},left,later" for i, text in enumerate(TEXTS)]
    source.write_text("tweet,x,team,joy,neighbors\n" + "\n".join(lines) + "\n", encoding="utf-8")
    columns = Columns(text="tweet", labels=None)
    read = read_texts(str(source), columns=columns, limit=7)
    [path] = draw_map(made(), read, tmp_path / "map.parquet", source=str(source), columns=columns)
    table = pq.read_table(path)
    assert table.column_names == [*PLACES, "x_", "team", "joy", "neighbors_", "sadness", "joy_", "neighbors"]
    assert table["text"].to_pylist() == read.texts
    assert table["x_"].to_pylist() == [str(TEXTS.index(text)) for text in read.texts]
    assert set(table["joy"].to_pylist()) == {"left"}


def test_labels_that_are_given_are_the_label_and_no_probabilities_stand_beside_them(tmp_path):
    labels = [["cold", "damp"], ["damp"], [], *[["cold"]] * 9]
    [path] = draw_map(made(), corpus(labels=labels), tmp_path / "map.parquet", colour="cluster")
    table = pq.read_table(path)
    assert table["label"].to_pylist() == ["cold", "damp", "none", *["cold"] * 9]
    assert table.column_names == ["text", "x", "y", "cluster", "label", "id", "neighbors"]


ODD = [
    "nothing \x00 between",
    "half \ud83d a pair",
    "bytes \udce9 that are none",
    "🙂 \u202e turned",
    "=1+1|cmd",
    'lines\r\nand "marks", ;',
    "long " * 5000,
    "z",
]


def test_odd_texts_and_cells_are_held_as_they_are_but_for_halves_of_pairs(tmp_path):
    source = tmp_path / "posts.jsonl"
    rows = [
        {"text": text, "note": note, "more": {"a": [note]}} for text, note in zip(ODD, ODD[::-1], strict=True)
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    read = read_texts(str(source), on_bad_row="skip")
    [path] = draw_map(made(), read, tmp_path / "map.parquet", source=str(source))
    table = pq.read_table(path)
    sound = [place for place, text in enumerate(ODD) if "\ud83d" not in text and "\udce9" not in text]
    assert table["text"].to_pylist() == [ODD[place] for place in sound]  # the others are left out when read
    assert table["note"].to_pylist()[:2] == [ODD[-1], ODD[-4]]
    mended = written(tmp_path / "mended.parquet", ODD)
    assert [row["text"] for row in mended[:3]] == [ODD[0], "half \ufffd a pair", "bytes \ufffd that are none"]


def test_a_label_may_be_named_as_anything(tmp_path):
    scores = {name: np.zeros(2) for name in ("text", "label", "neighbors", "", "a\ud83d")}
    [row, _] = written(tmp_path / "map.parquet", ["a", "b"], scores=scores)
    named = ["text_", "label_", "neighbors_", "", "a\ufffd"]
    assert list(row) == ["text", "x", "y", "label", *named, "neighbors"]


def test_a_page_and_a_table_are_written_in_one_call(tmp_path):
    outs = [tmp_path / "map.parquet", tmp_path / "map.html"]
    files = draw_map(made(), corpus(), outs, Grouping(2))
    assert [path.name for path in files] == ["map.parquet", "map.html", "map.png"]
    assert all(path.is_file() for path in files)


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    source = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": TEXTS}), source)
    before = source.read_bytes()
    for outs, more, said in (
        ([tmp_path / "map.csv"], {}, r"must end in one of \.html, .*\.parquet"),
        ([source], {"source": str(source)}, "is the file to be read"),
        ([tmp_path / "map.parquet"], {"picture": tmp_path / "a.png"}, "picture of one page, but there are 0"),
    ):
        with pytest.raises(UsageError, match=said):
            draw_map(None, corpus(), outs, **more)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["posts.parquet"]


def test_embedding_atlas_opens_it_and_its_graph_of_neighbours(tmp_path):
    pytest.importorskip("embedding_atlas", reason="embedding-atlas is not installed")
    from click.testing import CliRunner
    from embedding_atlas.cli import main

    texts = [*ODD, *TEXTS]
    rows = written(tmp_path / "map.parquet", texts, scores={"joy": np.linspace(0, 1, len(texts))})
    named = ["--text", "text", "--x", "x", "--y", "y", "--neighbors", "neighbors", "--degree"]
    words = [tmp_path / "map.parquet", *named, "--export-application", tmp_path / "shown"]
    ended = CliRunner().invoke(main, list(map(str, words)))
    assert ended.exit_code == 0, ended.output
    said = json.loads((tmp_path / "shown" / "data" / "metadata.json").read_text())["props"]["data"]
    assert (said["text"], said["projection"]) == ("text", {"x": "x", "y": "y"})
    assert said["neighbors"] == "neighbors"
    shown = pq.read_table(tmp_path / "shown" / "data" / "dataset.parquet").to_pylist()
    assert [row["text"] for row in shown] == [row["text"] for row in rows]
    reached = np.bincount([i for row in rows for i in row["neighbors"]["ids"]], minlength=len(rows))
    assert [row["in_degree"] for row in shown] == reached.tolist()
