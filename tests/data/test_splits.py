from dataclasses import replace
from time import process_time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data.corpus import Corpus, read_splits, stratified_split
from affekt.data.read import SkippedRow
from affekt.data.splits import few_of_each, fold
from affekt.errors import DataError

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def random_corpus(n, seed=0):
    """Multi-label, with labels from very common to very rare."""
    rng = np.random.default_rng(seed)
    rates = [0.5, 0.2, 0.1, 0.05, 0.02, 0.005]
    targets = (rng.random((n, 6)) < rates).astype(np.float32)
    return Corpus.build([f"text {i}" for i in range(n)], targets, list("abcdef"))


# --- stratified


def test_every_row_is_in_exactly_one_split():
    corpus = random_corpus(1000)
    parts = stratified_split(corpus, SHARES, seed=1)
    assert list(parts) == ["train", "dev", "test"]
    assert [part.split for part in parts.values()] == ["train", "dev", "test"]
    assert sorted(text for part in parts.values() for text in part.texts) == sorted(corpus.texts)


def test_every_label_of_a_multi_label_corpus_gets_its_share_in_every_split():
    corpus = random_corpus(4000)
    parts = stratified_split(corpus, SHARES, seed=1)
    for split, part in parts.items():
        assert abs(len(part) - SHARES[split] * 4000) <= 15
        for label, count in corpus.label_counts.items():
            assert abs(part.label_counts[label] - SHARES[split] * count) <= 2, (split, label)


def test_it_spreads_rare_labels_better_than_chance():
    corpus = random_corpus(4000)
    wanted = np.array(list(corpus.label_counts.values())) * 0.1

    def error(part):
        return np.abs(np.array(list(part.label_counts.values())) - wanted).sum()

    dealt = np.mean([error(stratified_split(corpus, SHARES, seed)["dev"]) for seed in range(5)])
    rng = np.random.default_rng(0)
    drawn = np.mean([error(corpus.select(rng.permutation(4000)[:400])) for _ in range(5)])
    assert dealt < drawn / 5


def test_classes_of_a_single_label_corpus_are_within_one_of_their_share():
    labels = ["a"] * 500 + ["b"] * 90 + ["c"] * 13
    corpus = Corpus.build([f"text {i}" for i in range(603)], labels)
    for split, part in stratified_split(corpus, SHARES, seed=3).items():
        for label, count in corpus.label_counts.items():
            assert abs(part.label_counts[label] - SHARES[split] * count) <= 1


def test_texts_that_differ_only_in_case_and_spacing_stay_together():
    texts = [f"text {i // 4}" if i % 2 else f"TEXT  {i // 4} " for i in range(400)]
    corpus = Corpus.build(texts, np.random.default_rng(0).integers(0, 2, (400, 3)))
    parts = stratified_split(corpus, SHARES, seed=0)
    folded = [{fold(text) for text in part.texts} for part in parts.values()]
    assert sum(map(len, folded)) == len(set.union(*folded)) == 100
    assert [len(part) for part in parts.values()] == pytest.approx([320, 40, 40], abs=8)


def test_a_rare_label_is_spread_evenly_though_it_only_occurs_beside_a_common_one():
    targets = np.ones((400, 2))
    targets[20:, 1] = 0
    corpus = Corpus.build([f"text {i}" for i in range(400)], targets, ["common", "rare"])
    for seed in range(5):
        parts = stratified_split(corpus, {"train": 0.5, "dev": 0.5}, seed)
        assert [part.label_counts for part in parts.values()] == [{"common": 200, "rare": 10}] * 2


def test_a_text_that_occurs_many_times_does_not_spoil_the_sizes():
    corpus = Corpus.build(["again"] * 40 + [f"text {i}" for i in range(60)])
    for seed in range(5):
        parts = stratified_split(corpus, {"train": 0.5, "dev": 0.5}, seed)
        assert [len(part) for part in parts.values()] == [50, 50]


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    corpus = random_corpus(300)
    first, again, other = (stratified_split(corpus, SHARES, seed)["test"].texts for seed in (1, 1, 2))
    assert first == again != other


def test_rows_keep_their_order_within_a_split():
    part = stratified_split(random_corpus(300), SHARES, seed=1)["train"]
    numbers = [int(text.split()[1]) for text in part.texts]
    assert numbers == sorted(numbers)


def test_unlabelled_and_all_empty_corpora_are_split_by_size():
    for corpus in (Corpus.build(list("abcdefghij")), Corpus.build(list("abcdefghij"), np.zeros((10, 2)))):
        assert [len(part) for part in stratified_split(corpus, SHARES, 0).values()] == [8, 1, 1]


def test_soft_votes_without_a_majority_go_by_their_strongest_label():
    targets = np.tile([[0.4, 0.3, 0.3]], (200, 1))
    targets[:40] = [0.2, 0.2, 0.45]
    corpus = Corpus.build([f"text {i}" for i in range(200)], targets)
    dev = stratified_split(corpus, {"train": 0.5, "dev": 0.5}, 0)["dev"]
    assert (dev.targets.argmax(axis=1) == 2).sum() == 20


def test_skipped_rows_are_listed_once():
    corpus = replace(random_corpus(50), skipped=(SkippedRow("a.csv:2", "empty"),))
    parts = stratified_split(corpus, SHARES, 0)
    assert [len(part.skipped) for part in parts.values()] == [1, 0, 0]


@pytest.mark.parametrize(
    "shares", [{}, {"train": 0.8}, {"train": 1.2, "dev": -0.2}, {"train": 0.5, "dev": 0.6}]
)
def test_shares_that_do_not_sum_to_one_are_refused(shares):
    with pytest.raises(DataError, match="shares must be above 0 and sum to 1"):
        stratified_split(random_corpus(50), shares, 0)


def test_too_few_texts_to_fill_every_split_are_refused():
    with pytest.raises(DataError, match=r"too few texts \(2\) to give any to dev, test"):
        stratified_split(Corpus.build(["a", "b"]), SHARES, 0)
    with pytest.raises(DataError, match="too few texts"):
        stratified_split(Corpus.build(["a", "A", " a"]), SHARES, 0)


def test_a_large_corpus_is_split_within_seconds():
    rng = np.random.default_rng(0)
    rates = np.geomspace(0.3, 0.002, 28)
    corpus = Corpus.build([f"text {i}" for i in range(43_000)], rng.random((43_000, 28)) < rates)
    start = process_time()
    stratified_split(corpus, SHARES, 0)
    assert process_time() - start < 5


# --- read in splits


@pytest.fixture
def files(tmp_path):
    content = {"train": "a,joy\nb,fear\nc,joy\n", "val": "d,fear\n", "test": "e,joy\nf,fear\n"}
    for name, rows in content.items():
        (tmp_path / f"{name}.csv").write_text(f"text,labels\n{rows}")
    return {name: tmp_path / f"{name}.csv" for name in content}


def test_splits_come_from_named_files_under_their_usual_names(files):
    splits = read_splits(files, name="mine")
    assert {name: (part.split, part.name, len(part)) for name, part in splits.items()} == {
        "train": ("train", "mine", 3), "dev": ("dev", "mine", 1), "test": ("test", "mine", 2),
    }  # fmt: skip
    assert {part.labels for part in splits.values()} == {("fear", "joy")}


def test_splits_come_from_a_folder_by_the_names_of_its_files(files, tmp_path):
    (tmp_path / "notes.md").write_text("not data")
    splits = read_splits(tmp_path)
    assert list(splits) == ["train", "dev", "test"]
    assert splits["dev"].texts == ["d"]
    assert splits["dev"].name == tmp_path.name


def test_a_folder_with_two_files_for_a_split_or_none_is_refused(files, tmp_path):
    (tmp_path / "dev.jsonl").write_text("{}")
    with pytest.raises(DataError, match="both say they are the dev split"):
        read_splits(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file called train, dev or test"):
        read_splits(tmp_path / "empty")


def test_later_files_must_keep_to_the_labels_of_the_first(files):
    files["test"].write_text("text,labels\ne,joyy\n")
    with pytest.raises(
        DataError, match=r"test\.csv:2: column 'labels' holds an unknown label 'joyy': did you mean joy"
    ):
        read_splits(files)
    files["test"].write_text("text,labels\ne,love\n")
    splits = read_splits(files, label_names=["joy", "fear", "love"])
    assert {part.labels for part in splits.values()} == {("joy", "fear", "love")}


def test_splits_come_from_a_column(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,labels,part\na,joy,test\nb,fear,Train\nc,love,validation\nd,joy,train\n")
    for splits in (read_splits(path, split="part"), read_splits(path, split_column="part")):
        assert {name: part.texts for name, part in splits.items()} == {
            "train": ["b", "d"],
            "dev": ["c"],
            "test": ["a"],
        }
        assert {part.labels for part in splits.values()} == {("fear", "joy", "love")}
        assert splits["test"].split == "test"
        assert splits["test"].name == "posts"


def test_an_empty_split_cell_is_a_fault_of_its_row(tmp_path):
    (tmp_path / "posts.csv").write_text("text,labels,part\na,joy,train\nb,fear,\n")
    with pytest.raises(DataError, match=r"posts\.csv:3: column 'part' is empty"):
        read_splits(tmp_path / "posts.csv", split="part")


def test_one_file_without_a_split_column_is_split_by_seed(tmp_path):
    rows = {"text": [f"text {i}" for i in range(100)], "labels": ["joy", "fear"] * 50}
    pq.write_table(pa.table(rows), tmp_path / "posts.parquet")
    splits = read_splits(tmp_path / "posts.parquet", seed=4)
    assert {name: len(part) for name, part in splits.items()} == {"train": 80, "dev": 10, "test": 10}
    halves = read_splits(tmp_path / "posts.parquet", shares={"train": 0.5, "dev": 0.5}, seed=4)
    assert {name: part.label_counts for name, part in halves.items()} == {
        "train": {"fear": 25, "joy": 25}, "dev": {"fear": 25, "joy": 25},
    }  # fmt: skip


def test_two_names_for_one_split_are_refused(files):
    with pytest.raises(DataError, match="two files are named for the dev split"):
        read_splits({"dev": files["val"], "val": files["val"]})
    with pytest.raises(DataError, match="no file is named"):
        read_splits({})


# --- a few rows of each label


def test_so_many_rows_of_each_label_are_drawn_or_all_that_there_are():
    classes = np.repeat([0, 1, 2], [50, 20, 3])
    drawn = few_of_each(np.eye(3, dtype=bool)[classes], 8, seed=1)
    assert np.bincount(classes[drawn]).tolist() == [8, 8, 3]
    assert sorted(set(drawn.tolist())) == drawn.tolist()
    assert few_of_each(np.eye(3, dtype=bool)[classes], 8, seed=1).tolist() == drawn.tolist()
    assert few_of_each(np.eye(3, dtype=bool)[classes], 8, seed=2).tolist() != drawn.tolist()


def test_fewer_rows_are_a_part_of_more():
    present = np.eye(4, dtype=bool)[np.arange(400) % 4]
    parts = [set(few_of_each(present, rows, seed=0).tolist()) for rows in (2, 4, 64)]
    assert parts[0] < parts[1] < parts[2]


def test_of_texts_with_several_labels_each_label_has_enough_and_none_is_a_label_too():
    present = random_corpus(3000).present
    drawn = present[few_of_each(present, 5, seed=0)]
    assert (drawn.sum(axis=0) >= np.minimum(present.sum(axis=0), 5)).all()
    assert (~drawn.any(axis=1)).sum() == 5
    assert len(drawn) <= 5 * 7


def test_every_row_takes_part_in_the_draw_alike():
    present = np.ones((10, 1), dtype=bool)
    times = np.bincount([few_of_each(present, 1, seed)[0] for seed in range(2000)], minlength=10)
    assert times.min() > 140
    assert times.max() < 260


def test_where_there_is_nothing_nothing_is_drawn():
    assert few_of_each(np.zeros((0, 3), dtype=bool), 4, seed=0).tolist() == []
