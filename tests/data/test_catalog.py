"""Known data sets: the table, and where they are looked for."""

import json
import os
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data import catalog
from affekt.errors import DataError

REAL = os.environ.get("AFFEKT_DATA", "")
IN_TABLE = [
    known for known in catalog.DATASETS.values() if known.kind == "texts" and known.layout == "splits"
]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def no_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it fails


def put(root, name, rows, splits=("train", "dev", "test")):
    (root / name).mkdir()
    for split in splits:
        pq.write_table(pa.Table.from_pylist(rows), root / name / f"{split}.parquet")


# --- the table


def test_every_known_name_is_the_key_of_its_entry():
    assert all(known.name == name for name, known in catalog.DATASETS.items())


def test_every_data_set_of_texts_says_its_task_and_distinct_labels():
    for known in catalog.DATASETS.values():
        assert (known.task in ("single-label", "multi-label")) == (known.kind == "texts"), known.name
        assert len(set(known.labels)) == len(known.labels)
        assert bool(known.labels) == (known.kind == "texts"), known.name
        assert known.citation
        assert known.licence
        assert known.home


def test_label_orders_that_hub_numbers_count_into():
    # from the data sets' own cards: the index of a label is its class number there
    datasets = catalog.DATASETS
    assert datasets["dair-emotion"].labels == ("sadness", "joy", "love", "anger", "fear", "surprise")
    assert datasets["tweeteval-emotion"].labels == ("anger", "joy", "optimism", "sadness")
    assert datasets["tweeteval-irony"].labels == ("non_irony", "irony")
    assert datasets["tweeteval-sentiment"].labels == ("negative", "neutral", "positive")
    assert [datasets["goemotions"].labels.index(label) for label in ("admiration", "grief", "neutral")] == [
        0,
        16,
        27,
    ]
    assert len(datasets["semeval2018-ec-en"].labels) == 11


def test_the_sizes_are_the_published_ones():
    assert catalog.DATASETS["goemotions"].sizes == {"train": 43_410, "dev": 5_426, "test": 5_427}
    assert catalog.DATASETS["semeval2018-ec-en"].sizes == {"train": 6_838, "dev": 886, "test": 3_259}
    assert catalog.DATASETS["tweeteval-emotion"].sizes == {"train": 3_257, "dev": 374, "test": 1_421}


# --- in a folder


def test_a_data_set_is_found_in_the_folder_and_read_with_the_known_labels(root):
    put(root, "tweeteval-emotion", [{"id": "1", "text": "yay", "labels": ["joy"]}])
    assert catalog.find("tweeteval-emotion") == root / "tweeteval-emotion"
    splits = catalog.load("tweeteval-emotion")
    assert list(splits) == ["train", "dev", "test"]
    train = splits["train"]
    assert (train.name, train.split, train.single_label) == ("tweeteval-emotion", "train", True)
    assert train.labels == ("anger", "joy", "optimism", "sadness")
    assert train.class_indices().tolist() == [1]


def test_some_splits_or_a_coarser_taxonomy_can_be_asked_for(root):
    put(root, "goemotions", [{"id": "1", "text": "sigh", "labels": ["grief", "love"]}])
    splits = catalog.load("goemotions", splits=["dev", "train"], taxonomy="sentiment")
    assert list(splits) == ["dev", "train"]
    assert splits["dev"].labels == ("positive", "negative", "ambiguous", "neutral")
    np.testing.assert_array_equal(splits["dev"].targets, [[1, 1, 0, 0]])
    assert len(catalog.load("goemotions", taxonomy="full")["train"].labels) == 28
    with pytest.raises(DataError, match="goemotions has no split extra; it has train, dev, test"):
        catalog.load("goemotions", splits=["extra"])
    with pytest.raises(DataError, match="did you mean ekman"):
        catalog.load("goemotions", taxonomy="ekmann")


def test_blank_rows_are_left_out_and_listed_but_other_faults_are_faults(root):
    rows = [
        {"id": "1", "text": "a", "labels": ["sarcastic"]},
        {"id": "2", "text": " ", "labels": ["sarcastic"]},
    ]
    put(root, "isarcasmeval-en", rows, ("train", "test"))
    train = catalog.load("isarcasmeval-en")["train"]
    assert len(train) == 1
    assert [(row.where, row.reason) for row in train.skipped] == [
        ("train.parquet:2", "column 'text' is empty")
    ]
    put(root, "mustard", [rows[0], {"id": "2", "text": "b", "labels": ["ironic"]}], ("train",))
    with pytest.raises(DataError, match=r"train\.parquet:2: column 'labels' holds an unknown label 'ironic'"):
        catalog.load("mustard")


def test_a_folder_that_lacks_a_split_is_refused(root):
    put(root, "goemotions", [{"id": "1", "text": "a", "labels": ["joy"]}], ("train",))
    with pytest.raises(DataError, match="lacks goemotions's split dev, test; fetch it from"):
        catalog.load("goemotions")


def test_unknown_names_are_answered_with_the_near_ones():
    with pytest.raises(DataError, match="unknown data set 'goemotion': did you mean goemotions"):
        catalog.load("goemotion")
    with pytest.raises(DataError, match=r"A file is read by its path, with Corpus\.read"):
        catalog.load("tweets.csv")
    with pytest.raises(DataError, match="unknown data set"):
        catalog.find("nothing")


def test_vectors_and_word_lists_are_found_and_not_loaded(root):
    (root / "glove-twitter-25d").mkdir()
    assert catalog.find("glove-twitter-25d") is None  # nothing in it
    (root / "glove-twitter-25d" / "vocab.txt").write_text("the\n")
    assert catalog.find("glove-twitter-25d") == root / "glove-twitter-25d"
    with pytest.raises(DataError, match="holds vectors, not texts"):
        catalog.load("glove-twitter-25d")


# --- read anything


def test_a_file_is_one_corpus_and_a_folder_or_a_column_gives_splits(root):
    (root / "posts.csv").write_text("text,labels,part\na,joy,train\nb,fear,test\n")
    assert list(catalog.read(str(root / "posts.csv"))) == ["all"]
    columns = catalog.Columns(split_column="part")
    assert list(catalog.read(str(root / "posts.csv"), columns=columns, taxonomy="ekman")) == ["train", "test"]
    put(root, "mine", [{"text": "a", "labels": ["joy"]}], ("train", "test"))
    assert list(catalog.read(str(root / "mine"))) == ["train", "test"]
    put(root, "mustard", [{"id": "1", "text": "a", "labels": ["sarcastic"]}], ("train",))
    assert catalog.read("mustard")["train"].name == "mustard"


def test_what_is_neither_a_name_nor_a_file_is_refused_as_what_it_looks_like(root):
    with pytest.raises(DataError, match="unknown data set 'mustrad': did you mean mustard"):
        catalog.read("mustrad")
    with pytest.raises(DataError, match=r"posts\.csv does not exist"):
        catalog.read("posts.csv")


# --- on the Hub


class HubSplit:
    """What the Hub's library returns for a split, as far as it is used."""

    def __init__(self, **columns):
        self.table = pa.table(columns)

    def with_format(self, kind):
        assert kind == "arrow"
        return self

    def __getitem__(self, rows):
        assert rows == slice(None)
        return self.table


@pytest.fixture
def hub(monkeypatch, root):
    calls = []

    def serve(answer):
        def load_dataset(name, config, revision):
            calls.append((name, config, revision))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
        return calls

    return serve


def test_what_is_not_in_the_folder_is_fetched_at_its_pinned_revision(hub):
    part = HubSplit(text=["sigh", "yay"], label=[0, 1])
    calls = hub({"train": part, "validation": part, "test": part})
    splits = catalog.load("dair-emotion")
    assert calls == [("dair-ai/emotion", "split", "cab853a1dbdf4c42c2b3ef2173804746df8825fe")]
    assert list(splits) == ["train", "dev", "test"]
    assert (splits["dev"].split, splits["dev"].name) == ("dev", "dair-emotion")
    assert [splits["dev"].labels[i] for i in splits["dev"].class_indices()] == ["sadness", "joy"]


def test_lists_of_class_numbers_from_the_hub_become_labels(hub):
    part = HubSplit(text=["sigh"], labels=[[16, 27]], id=["x"])
    hub({"train": part, "validation": part, "test": part})
    train = catalog.load("goemotions")["train"]
    assert [label for label, count in train.label_counts.items() if count] == ["grief", "neutral"]


def test_rater_rows_from_the_hub_are_gathered_and_split(hub):
    n = 30
    columns = {label: [0] * (2 * n) for label in catalog.DATASETS["goemotions-raw"].labels}
    columns["joy"] = [1, 0] * n
    hub({"train": HubSplit(
        text=[f"text {i // 2}" for i in range(2 * n)], id=[str(i // 2) for i in range(2 * n)],
        rater_id=[1, 2] * n, example_very_unclear=[False] * (2 * n), **columns,
    )})  # fmt: skip
    splits = catalog.load("goemotions-raw")
    assert {split: len(part) for split, part in splits.items()} == {"train": 24, "dev": 3, "test": 3}
    assert splits["train"].targets[0, splits["train"].labels.index("joy")] == 0.5


def test_a_hub_that_fails_is_one_clear_fault(hub):
    hub(ConnectionError("no route\nto host"))
    with pytest.raises(
        DataError, match=r"sst2 is not under \$AFFEKT_DATA .* SetFit/sst2 can't be fetched .*: no route$"
    ):
        catalog.load("sst2")


def test_without_the_library_it_says_what_to_install(root, no_hub):
    with pytest.raises(DataError, match=r"pip install 'affekt\[hub\]'"):
        catalog.load("goemotions")


def test_without_a_place_on_the_hub_it_says_where_to_get_it_and_how_to_lay_it_out(monkeypatch, no_hub):
    monkeypatch.delenv("AFFEKT_DATA", raising=False)
    with pytest.raises(
        DataError, match=r"which is not set\) and has no place on the Hub; get it from http\S+ and put it"
    ):
        catalog.load("semeval2018-ec-en")
    with pytest.raises(DataError, match=r"jigsaw-toxic/train\.csv, test\.csv and test_labels\.csv"):
        catalog.load("jigsaw-toxic")


# --- the bundled sample


def write_sample(path):
    emotions = {"anger": ["anger"], "joy": ["joy", "love"], "fear": []}
    lines = [
        {"id": f"s{i}", "text": f"post {i}", "emotion": emotion, "emotions": several, "split": split}
        for i, (split, (emotion, several)) in enumerate(
            (split, entry) for split in ("train", "dev", "test") for entry in emotions.items()
        )
    ]
    path.write_text("\n".join(map(json.dumps, lines)))


def test_the_sample_is_read_with_one_label_or_several(tmp_path, monkeypatch):
    write_sample(tmp_path / "posts.jsonl")
    monkeypatch.setattr(catalog, "SAMPLE", tmp_path / "posts.jsonl")
    single, several = catalog.load("sample"), catalog.load("sample-multilabel")
    assert list(single) == list(several) == ["train", "dev", "test"]
    assert (
        single["dev"].labels
        == several["dev"].labels
        == ("anger", "fear", "joy", "love", "sadness", "surprise")
    )
    assert (single["dev"].single_label, several["dev"].single_label) == (True, False)
    assert single["dev"].class_indices().tolist() == [0, 2, 1]
    np.testing.assert_array_equal(several["dev"].targets.sum(axis=1), [1, 2, 0])
    assert single["dev"].ids == ["s3", "s4", "s5"]


@pytest.mark.skipif(not catalog.SAMPLE.exists(), reason="the bundled sample is not installed")
def test_the_bundled_sample_holds_enough_posts_of_every_emotion_in_every_split():
    splits = catalog.load("sample")
    assert sum(map(len, splits.values())) >= 1200
    for part in splits.values():
        assert min(part.label_counts.values()) > 0
    assert not any(catalog.inspect(splits)["shared"].values())
    assert catalog.load("sample-multilabel")["train"].label_counts != splits["train"].label_counts


# --- Jigsaw and GoEmotions as published


TOXIC = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")


def write_jigsaw(folder, n=200):
    header = "id,comment_text," + ",".join(TOXIC) + "\n"
    rows = [f'{i},"comment, {i}",{int(i % 4 == 0)},0,0,0,{int(i % 10 == 0)},0\n' for i in range(n)]
    (folder / "train.csv").write_text(header + "".join(rows))
    (folder / "test.csv").write_text("id,comment_text\n" + "".join(f"t{i},test {i}\n" for i in range(6)))
    marks = ["0,0,0,0,0,0", "1,0,0,0,1,0", "-1,-1,-1,-1,-1,-1"]
    rows = [f"t{i},{marks[i % 3]}\n" for i in reversed(range(6))]
    (folder / "test_labels.csv").write_text("id," + ",".join(TOXIC) + "\n" + "".join(rows))


def test_jigsaw_is_sampled_and_parted_at_its_rates_and_unscored_rows_are_left_out(tmp_path):
    write_jigsaw(tmp_path)
    splits = catalog.jigsaw(tmp_path, seed=1)
    assert {split: len(part) for split, part in splits.items()} == {"train": 64, "dev": 16, "test": 4}
    assert [splits[split].label_counts["toxic"] for split in ("train", "dev")] == [16, 4]
    test = splits["test"]
    assert (test.ids, test.split, test.labels, test.single_label) == (
        ["t0", "t1", "t3", "t4"],
        "test",
        TOXIC,
        False,
    )
    assert test.targets[:, 0].tolist() == test.targets[:, 4].tolist() == [0, 1, 0, 1]
    assert [(row.where, row.reason) for row in test.skipped] == [
        ("test_labels.csv", "2 rows marked -1, which were never scored")
    ]
    assert not set(splits["train"].texts) & set(splits["dev"].texts)


def test_jigsaw_can_be_taken_whole_and_by_name(root):
    (root / "jigsaw-toxic").mkdir()
    write_jigsaw(root / "jigsaw-toxic")
    whole = catalog.jigsaw(root / "jigsaw-toxic", share=1.0, dev_share=0.5)
    assert {split: len(part) for split, part in whole.items()} == {"train": 100, "dev": 100, "test": 4}
    assert len(catalog.load("jigsaw-toxic")["train"]) == 64


def test_jigsaw_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no train\.csv; it takes Kaggle's"):
        catalog.jigsaw(tmp_path)
    write_jigsaw(tmp_path)
    (tmp_path / "test_labels.csv").write_text("id," + ",".join(TOXIC) + "\nt0,0,0,0,0,0,2\n")
    with pytest.raises(DataError, match=r"test_labels\.csv:2 holds 0, 0, 0, 0, 0, 2 where 0, 1 or -1"):
        catalog.jigsaw(tmp_path)
    (tmp_path / "test_labels.csv").write_text("id," + ",".join(TOXIC) + "\nt0,0,0,0,0,0,0\n")
    with pytest.raises(DataError, match=r"has no row for id 't1' of the test texts \(5 such\)"):
        catalog.jigsaw(tmp_path)
    (tmp_path / "test_labels.csv").write_text("id,toxic\nt0,0\n")
    with pytest.raises(DataError, match="has no column identity_hate"):
        catalog.jigsaw(tmp_path)


def test_raw_goemotions_is_gathered_from_its_files_by_comment(root):
    labels = catalog.DATASETS["goemotions-raw"].labels
    header = "text,id,author,rater_id,example_very_unclear," + ",".join(labels) + "\n"
    (root / "goemotions-raw").mkdir()
    for file, rater in enumerate((1, 2), start=1):
        rows = []
        for i in range(40):
            marks = ["1" if label == ("joy" if rater == 1 else "love") else "0" for label in labels]
            rows.append(f"text {i},{i},someone,{rater},{i == 0 and rater == 2},{','.join(marks)}\n")
        (root / "goemotions-raw" / f"goemotions_{file}.csv").write_text(header + "".join(rows))
    splits = catalog.load("goemotions-raw")
    assert {split: len(part) for split, part in splits.items()} == {"train": 32, "dev": 4, "test": 4}
    shares = {
        text: (row[labels.index("joy")], row[labels.index("love")])
        for part in splits.values()
        for text, row in zip(part.texts, part.targets, strict=True)
    }
    assert shares["text 0"] == (1.0, 0.0)
    assert shares["text 7"] == (0.5, 0.5)
    assert splits["train"].skipped[0].reason == "1 rows their raters marked example_very_unclear"


# --- the real data, where it is


@pytest.mark.skipif(not REAL, reason="AFFEKT_DATA names no folder of data sets")
@pytest.mark.parametrize("known", IN_TABLE, ids=lambda known: known.name)
def test_real_data_sets_have_the_known_sizes_and_use_every_label(known):
    if catalog.find(known.name) is None:
        pytest.skip(f"{known.name} is not under AFFEKT_DATA")
    splits = catalog.load(known.name)
    for split, size in known.sizes.items():
        found = len(splits[split]) + len(splits[split].skipped)
        assert abs(found - size) <= (1 if known.name == "tweeteval-sentiment" else 0), split
        assert min(splits[split].label_counts.values()) > 0


@pytest.mark.skipif(not REAL, reason="AFFEKT_DATA names no folder of data sets")
def test_the_ekman_counts_of_goemotions_are_the_official_ones():
    if catalog.find("goemotions") is None:
        pytest.skip("goemotions is not under AFFEKT_DATA")
    test = catalog.load("goemotions", splits=["test"])["test"]
    assert len(test.single_rows()) == 4590  # as the study counts them
    assert test.map_labels("ekman").label_counts["neutral"] == 1787


def test_a_folder_of_a_user_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("AFFEKT_DATA", "~nosuch")
    with pytest.raises(DataError, match="AFFEKT_DATA=~nosuch: there is no such user's folder; name"):
        catalog.find("dair-emotion")


def test_a_folder_of_a_name_too_long_is_refused(monkeypatch):
    monkeypatch.setenv("AFFEKT_DATA", "x" * 300)
    with pytest.raises(DataError, match="can't be reached"):
        catalog.load("dair-emotion")


def test_the_table_of_data_sets_is_installed_with_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["affekt"]
    package = Path(catalog.__file__).parents[1]
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    facts = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert facts - installed == set()
    assert package / "data" / "datasets.yaml" in installed


def test_every_known_data_set_says_what_is_to_be_known():
    assert len(catalog.DATASETS) == 22
    for name, known in catalog.DATASETS.items():
        assert known.name == name
        assert all((known.language, known.citation, known.licence, known.home))
        assert (
            (known.task in ("single-label", "multi-label")) == bool(known.labels) == (known.kind == "texts")
        )
        assert len(set(known.labels)) == len(known.labels)
        assert set(known.sizes) <= {"train", "dev", "test", "words"}
