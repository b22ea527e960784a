"""Files scored in shards: the same bytes whatever happens meanwhile, and refusals in a sentence."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from affekt.data.read import stream
from affekt.decisions import Decisions
from affekt.encoders import Order
from affekt.encoders.static import StaticEncoder
from affekt.encoders.tfidf import TfidfEncoder
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference.makers import MANIFESTS
from affekt.inference.model import Model, load
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.inference.score import predict_file
from affekt.inference.shards import embed_shards, predict_shards
from affekt.inference.sources import files_of
from affekt.networks.heads import build_head
from affekt.networks.network import Network

WORDS = ["happy", "sad", "angry", "calm", "rain", "sun", "dog", "cat", "train", "home"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small classifier's folder."""
    encoder = TfidfEncoder.build(WORDS, min_count=1)
    network = Network(encoder, build_head(encoder, 3, kind="linear"))
    decisions = Decisions.unfitted(3, single_label=False)
    made = Model(TorchRuntime(network.eval()), ("joy", "fear", "love"), False, decisions)
    return made.save(tmp_path_factory.mktemp("made") / "model")


@pytest.fixture(scope="module")
def light(tiny, tmp_path_factory):
    """A classifier's folder that a new process opens without torch, in a fifth of the time."""
    encoder = StaticEncoder.from_order(
        Order(WORDS, 0, tiny("bert"), None, "mean", 16, None, None, {"dimension": 6})
    )
    network = Network(encoder, build_head(encoder, 3, kind="linear"))
    decisions = Decisions.unfitted(3, single_label=False)
    made = Model(TorchRuntime(network.eval()), ("joy", "fear", "love"), False, decisions)
    return made.save(tmp_path_factory.mktemp("light") / "model")


def write_posts(path, rows, seed=0):
    drawn = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [" ".join(drawn.choice(WORDS, size=drawn.integers(1, 9))) for _ in range(rows)]
    path.write_text("n,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)), encoding="utf-8")
    return path


def contents(folder):
    """Every file below a folder with its bytes, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(folder, ending=".csv"):
    """The lines of all shards, in order, without their headers."""
    files = [path for path in sorted(folder.rglob(f"*{ending}")) if MANIFESTS not in path.parts]
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()[1:]]


def test_shards_hold_the_same_rows_whatever_their_size(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 103)
    predict_shards(model, posts, tmp_path / "one", shard_rows=103)
    whole = rows_of(tmp_path / "one")
    assert len(whole) == 103
    for size in (1, 7, 50, 1000):
        out = tmp_path / f"of {size}"
        summary = predict_shards(model, posts, out, shard_rows=size)
        assert rows_of(out) == whole
        assert summary["rows"] == 103
        assert summary["shards"] == -(-103 // size)
        assert summary["kept"] == 0


def test_a_manifest_says_what_made_the_shard(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 10)
    predict_shards(model, posts, tmp_path / "out", shard_rows=4)
    manifest = json.loads((tmp_path / "out" / MANIFESTS / "posts-00002.csv.json").read_text())
    assert manifest["rows"] == 2
    assert manifest["input"]["file"] == "posts.csv"
    assert manifest["input"]["first"] == 8
    assert manifest["model"]["decisions"]["thresholds"] == [0.5, 0.5, 0.5]
    for digest in (manifest["sha256"], manifest["input"]["sha256"], manifest["model"]["sha256"]):
        assert len(digest) == 64
    assert sum(manifest["predicted"].values()) >= 1


def test_processes_give_the_bytes_that_one_gives(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 60)
    predict_shards(model, posts, tmp_path / "here", shard_rows=9)
    summary = predict_shards(model, posts, tmp_path / "there", shard_rows=9, workers=2)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert sum(summary["predicted"].values()) >= 60


def test_what_is_missing_or_damaged_is_made_again_and_the_rest_kept(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 50)
    out = tmp_path / "out"
    predict_shards(model, posts, out, shard_rows=10)
    before = contents(out)
    (out / "posts-00001.csv").write_text("damaged")
    (out / "posts-00002.csv").unlink()
    (out / MANIFESTS / "posts-00004.csv.json").write_text("{")
    heard = []
    summary = predict_shards(model, posts, out, shard_rows=10, tick=lambda *far: heard.append(far))
    assert summary["kept"] == 2
    assert heard == [(30, 50), (40, 50), (50, 50)]
    assert contents(out) == before
    assert predict_shards(model, posts, out, shard_rows=10)["kept"] == 5


def test_a_killed_call_goes_on_to_the_same_bytes(light, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 400)
    predict_shards(light, posts, tmp_path / "whole", shard_rows=2)
    program = f"""
from affekt.inference.shards import predict_shards
predict_shards({str(light)!r}, {str(posts)!r}, {str(tmp_path / "killed")!r}, shard_rows=2)
"""
    call = subprocess.Popen([sys.executable, "-c", program])
    while call.poll() is None and len(list((tmp_path / "killed").glob("*.csv"))) < 20:
        time.sleep(0.01)
    call.send_signal(signal.SIGKILL)
    call.wait()
    assert contents(tmp_path / "killed") != contents(tmp_path / "whole")
    predict_shards(light, posts, tmp_path / "killed", shard_rows=2)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_folder_keeps_its_shape_and_other_files_are_passed_over(model, tmp_path):
    posts = tmp_path / "posts"
    write_posts(posts / "day=1" / "a.csv", 5)
    write_posts(posts / "day=2" / "a.csv", 6, seed=1)
    (posts / "_SUCCESS").write_text("")
    (posts / "day=2" / ".a.csv.crc").write_text("x")
    (posts / "readme.md").write_text("no rows")
    summary = predict_shards(model, posts, posts / "out", kind=".parquet", shard_rows=4)
    names = sorted(name for name in contents(posts / "out") if MANIFESTS not in name)
    assert names == [
        f"day={day}/a-0000{number}.parquet" for day, several in ((1, 2), (2, 2)) for number in range(several)
    ]
    table = ds.dataset(posts / "out", partitioning="hive").to_table()
    assert table.num_rows == summary["rows"] == 11
    assert sorted(table["day"].to_pylist()) == [1] * 5 + [2] * 6
    assert predict_shards(model, posts, posts / "out", kind=".parquet", shard_rows=4)["kept"] == 4


def test_files_of_other_columns_and_types_make_shards_of_one_schema(model, tmp_path):
    pq.write_table(pa.table({"text": ["happy"], "n": [1]}), tmp_path / "a.parquet", compression="zstd")
    pq.write_table(pa.table({"text": ["sad"], "n": ["two"], "m": [0.5]}), tmp_path / "b.parquet")
    predict_shards(model, str(tmp_path / "*.parquet"), tmp_path / "out")
    one, two = (pq.read_table(tmp_path / "out" / f"{name}-00000.parquet") for name in "ab")
    assert one.schema == two.schema
    assert one["n"].to_pylist() == ["1"]
    assert two["m"].to_pylist() == [0.5]
    assert one["m"].to_pylist() == [None]


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".tsv", ".jsonl", ".jsonl.gz", ".parquet"])
def test_every_kind_is_written_and_read_again(model, tmp_path, kind):
    posts = write_posts(tmp_path / "posts.csv", 9)
    predict_shards(model, posts, tmp_path / "out", kind=kind, shard_rows=5)
    again = predict_shards(model, tmp_path / "out", tmp_path / "again", shard_rows=5)
    assert again["rows"] == 9


def test_rows_that_cannot_be_used_stand_in_their_places(model, tmp_path):
    (tmp_path / "posts.jsonl").write_text('{"text": "happy"}\n{"text": ""}\n{"text": "sad"}\n')
    with pytest.raises(DataError, match=r"posts.jsonl:2"):
        predict_shards(model, tmp_path / "posts.jsonl", tmp_path / "strict")
    out = tmp_path / "out"
    summary = predict_shards(model, tmp_path / "posts.jsonl", out, on_bad_row="skip", shard_rows=2)
    assert (summary["rows"], summary["skipped"]) == (2, 1)
    rows = [json.loads(line) for line in (out / "posts-00000.jsonl").read_text().splitlines()]
    assert [row["predicted"] is None for row in rows] == [False, True]


def test_what_cannot_be_done_is_refused_in_a_sentence(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 10)
    out = tmp_path / "out"
    predict_shards(model, posts, out, shard_rows=5)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    shutil.copytree(model, tmp_path / "encoder")
    card = json.loads((model / "affekt.json").read_text())
    (tmp_path / "encoder" / "affekt.json").write_text(json.dumps(card | {"decisions": None}))
    refused = [
        ((model, posts, other), {}, "holds other files"),
        ((model, posts, out), {"shard_rows": 4}, "made with another shard_rows"),
        ((model, posts, posts), {}, "is a file"),
        ((model, tmp_path / "empty", tmp_path / "new"), {}, "there is no such file"),
        ((model, posts, tmp_path / "new"), {"shard_rows": 0}, "at least 1 row"),
        ((model, posts, tmp_path / "new"), {"kind": ".doc"}, "unknown kind of file"),
        ((model, posts, tmp_path / "new"), {"kind": ".jsonl", "safe_cells": True}, "safe cells"),
        ((tmp_path / "nowhere", posts, tmp_path / "new"), {}, "no such folder"),
        ((tmp_path / "encoder", posts, tmp_path / "new"), {}, "encoder without a classifier"),
    ]
    for arguments, options, said in refused:
        with pytest.raises((UsageError, DataError, ModelError), match=said):
            predict_shards(*arguments, **options)
    assert contents(other) == {"mine.txt": b"mine"}
    write_posts(posts, 11)
    with pytest.raises(UsageError, match="made with another files"):
        predict_shards(model, posts, out, shard_rows=5)


def test_a_process_that_is_killed_is_a_sentence_and_the_call_goes_on_later(model, tmp_path, monkeypatch):
    from affekt.inference import crew

    posts = write_posts(tmp_path / "posts.csv", 40)
    begun = crew.Crew.work

    def one_dies(self, tasks):
        next(iter(self._members.values())).kill()
        return begun(self, tasks)

    with monkeypatch.context() as patched:
        patched.setattr(crew.Crew, "work", one_dies)
        with pytest.raises(UsageError, match="ended by itself"):
            predict_shards(model, posts, tmp_path / "out", shard_rows=10, workers=1)
    assert predict_shards(model, posts, tmp_path / "out", shard_rows=10)["shards"] == 4


def test_names_are_found_in_order(tmp_path):
    for name in ("b.csv", "a.jsonl.gz", "c/d.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(b"x"))
    base, files = files_of(tmp_path)
    assert [os.path.relpath(file, base) for file in files] == ["a.jsonl.gz", "b.csv", "c/d.parquet"]


def vectors_of(folder):
    """The vectors of all shards, in order, with their ids."""
    files = [path for path in sorted(folder.rglob("*.parquet")) if MANIFESTS not in path.parts]
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return [row["id"] for row in rows], np.array([row["vector"] for row in rows])


def test_vectors_are_those_of_the_model_whatever_the_shards(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 53)
    expected = load(model).embed([row.text for rows in stream(posts) for row in rows])
    for size in (1, 7, 53, 1000):
        out = tmp_path / f"of {size}"
        summary = embed_shards(model, posts, out, shard_rows=size)
        ids, vectors = vectors_of(out)
        assert ids == [str(line) for line in range(2, 55)]
        assert np.allclose(vectors, expected, atol=1e-6)
        assert (summary["rows"], summary["dimension"], summary["shards"]) == (53, 10, -(-53 // size))


def test_processes_give_the_vectors_that_one_gives(light, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 53)
    embed_shards(light, posts, tmp_path / "here", shard_rows=7)
    embed_shards(light, posts, tmp_path / "there", shard_rows=7, workers=2)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    (tmp_path / "there" / "posts-00003.parquet").unlink()
    assert embed_shards(light, posts, tmp_path / "there", shard_rows=7)["kept"] == 7
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_vectors_as_npy_leave_out_rows_that_cannot_be_used(model, tmp_path):
    (tmp_path / "posts.csv").write_text("n,text\n0,happy\n1,\n2,sad\n3,\n", encoding="utf-8")
    out = tmp_path / "out"
    summary = embed_shards(model, tmp_path / "posts.csv", out, kind=".npy", shard_rows=2, on_bad_row="skip")
    assert [np.load(file).shape for file in sorted(out.glob("*.npy"))] == [(1, 10), (1, 10)]
    assert (summary["rows"], summary["skipped"]) == (2, 2)
    manifest = json.loads((out / MANIFESTS / "posts-00001.npy.json").read_text())
    assert (manifest["rows"], manifest["vectors"], manifest["model"]["vectors"]) == (2, 1, 10)


def test_folders_of_vectors_and_of_predictions_are_not_mixed(model, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 5)
    predict_shards(model, posts, tmp_path / "out", kind=".parquet")
    with pytest.raises(UsageError, match="holds shards made with another model"):
        embed_shards(model, posts, tmp_path / "out")
    with pytest.raises(UsageError, match=r"unknown kind of file '.csv'"):
        embed_shards(model, posts, tmp_path / "other", kind=".csv")
    assert not (tmp_path / "other").exists()


def test_an_encoder_without_a_classifier_embeds_into_shards(tiny, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 5)
    embed_shards(tiny("bert"), posts, tmp_path / "out", shard_rows=2)
    _, vectors = vectors_of(tmp_path / "out")
    expected = load(tiny("bert")).embed([row.text for rows in stream(posts) for row in rows])
    assert np.allclose(vectors, expected, atol=1e-5)
    with pytest.raises(ModelError, match="encoder without a classifier"):
        predict_shards(tiny("bert"), posts, tmp_path / "other")


def test_coarser_labels_go_into_shards_and_another_set_is_refused(light, tmp_path):
    posts = write_posts(tmp_path / "posts.csv", 20)
    predict_file(light, posts, tmp_path / "one.csv", taxonomy="sentiment")
    summary = predict_shards(light, posts, tmp_path / "out", shard_rows=6, taxonomy="sentiment", workers=2)
    coarse = load(light).coarser("sentiment")
    assert set(summary["predicted"]) - {""} == set(coarse.labels)
    header, *lines = (tmp_path / "one.csv").read_text().splitlines()
    assert (tmp_path / "out" / "posts-00000.csv").read_text().splitlines()[0] == header
    plain = [line.split(",")[:3] for line in rows_of(tmp_path / "out")]
    assert plain == [line.split(",")[:3] for line in lines]
    with pytest.raises(UsageError, match="made with another model"):
        predict_shards(light, posts, tmp_path / "out", shard_rows=6)
    with pytest.raises(DataError, match="unknown taxonomy"):
        predict_shards(light, posts, tmp_path / "none", taxonomy="sentimental")
    with pytest.raises(ModelError, match="trained on one corpus"):
        predict_shards(light, posts, tmp_path / "none", task="irony")
    assert not (tmp_path / "none").exists()
