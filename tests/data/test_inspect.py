import json

import pytest

from affekt.data.corpus import Corpus
from affekt.data.inspect import inspect


@pytest.fixture
def found():
    train = Corpus.build(
        ["so happy", "So  Happy ", "so sad today", "meh", "one two three four"],
        [["joy"], ["love"], ["sadness", "fear"], [], ["joy"]],
        ["joy", "love", "sadness", "fear"],
        name="mine",
        split="train",
    )
    test = Corpus.build(
        ["SO HAPPY", "so happy", "new"], [["joy"], ["joy"], ["love"]], train.labels, split="test"
    )
    return inspect({"train": train, "test": test})


def test_sizes_label_counts_and_empty_rows_are_counted_per_split(found):
    assert (found["name"], found["labels"], found["single_label"]) == (
        "mine",
        ["joy", "love", "sadness", "fear"],
        False,
    )
    train = found["splits"]["train"]
    assert train["n"] == 5
    assert train["label_counts"] == {"joy": 2, "love": 1, "sadness": 1, "fear": 1}
    assert train["labels_per_text"] == {"mean": 1.0, "counts": {"0": 1, "1": 3, "2": 1}}
    assert train["empty"] == 1


def test_lengths_are_given_as_quantiles_in_words_and_characters(found):
    train = found["splits"]["train"]
    assert train["words"] == {"mean": 2.4, "min": 1, "median": 2, "p95": 4, "max": 4}
    assert train["characters"] == {"mean": 10.2, "min": 3, "median": 10, "p95": 18, "max": 18}


def test_repeats_conflicts_and_shared_texts_are_found_whatever_their_case_and_spacing(found):
    assert (found["splits"]["train"]["duplicates"], found["splits"]["train"]["conflicts"]) == (1, 1)
    assert (found["splits"]["test"]["duplicates"], found["splits"]["test"]["conflicts"]) == (1, 0)
    assert found["shared"] == {"train/test": 2}


def test_unlabelled_texts_are_described_and_have_no_empty_rows():
    found = inspect({"all": Corpus.build(["a", "b"])})
    assert found["splits"]["all"]["label_counts"] == {}
    assert found["splits"]["all"]["empty"] == 0
    assert found["shared"] == {}


def test_what_is_found_can_be_written_as_json(found):
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("labels", "alike", "joined"),
    [
        (["Joy", "JOY", "joy", "fear"], [["JOY", "Joy", "joy"]], None),
        (["joy", "fear", "sad"], [], None),
        (["joy", "love", "joy,love"], [], {"separator": ",", "labels": ["joy,love"]}),
        (["joy|fear", "fear | love", "love"], [], {"separator": "|", "labels": ["fear | love", "joy|fear"]}),
        (["2", "2,27", "5"], [], {"separator": ",", "labels": ["2,27"]}),
        (["love/hate", "joy", "R&B", "a,"], [], None),  # parts that are met nowhere else
        (["joy,", "joy"], [], None),
    ],
)
def test_labels_that_are_one_but_for_case_and_labels_that_are_several_are_found(labels, alike, joined):
    found = inspect({"all": Corpus.build([f"text {i}" for i in range(len(labels))], labels)})
    assert (found["alike"], found["joined"]) == (alike, joined)
