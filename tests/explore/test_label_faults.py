"""Label faults: the list beside cleanlab's, and beside faults made on purpose."""

import json

import numpy as np
import pytest

from affekt.data.corpus import Corpus
from affekt.errors import DataError, UsageError
from affekt.explore.label_faults import find_faults, label_faults, out_of_fold, planted, write_faults

# what cleanlab 2.9.0 says (find_label_issues and find_multilabel_issues_per_class, filter_by
# "confident_learning", ranked by "normalized_margin"; get_label_quality_scores by "self_confidence")
CLEANLAB = [39, 19, 12, 37, 14, 23, 4, 16, 3, 6, 0, 7, 38, 33]
SELF_CONFIDENCE = [
    0.01,
    0.023,
    0.077,
    0.06,
    0.167,
    0.039,
    0.12,
    0.04,
    0.194,
    0.142,
    0.162,
    0.148,
    0.232,
    0.388,
]
MARGINS = [0.971, 0.906, 0.84, 0.733, 0.616, 0.596, 0.587, 0.544, 0.439, 0.427, 0.348, 0.336, 0.198, 0.182]
CLEANLAB_BY_LABEL = [[19, 18, 28, 12, 3, 4], [14, 34, 33], [36, 23, 30, 29, 1, 15, 22]]


def one_label():
    random = np.random.default_rng(7)
    logits = random.normal(size=(40, 4))
    given = (logits + 1.5 * random.normal(size=(40, 4))).argmax(1)
    p = np.exp(2 * logits)
    p = (p / p.sum(1, keepdims=True)).round(3)
    p[:, -1] = (1 - p[:, :-1].sum(1)).round(3)
    return p, np.eye(4, dtype=bool)[given]


def several_labels():
    random = np.random.default_rng(8)
    logits = random.normal(size=(40, 3))
    held = (logits + random.normal(size=(40, 3))) > 0.6
    return (1 / (1 + np.exp(-2 * (logits - 0.6)))).round(3), held


class Vectors:
    """A model whose vectors are told: two numbers, which stand in each text."""

    def embed(self, texts):
        return np.array([text.split()[:2] for text in texts], dtype=np.float32)


def corpus_of(n=200, *, several=False):
    """Texts of two kinds that lie far apart, of which labels can be told."""
    random = np.random.default_rng(0)
    kinds = np.arange(n) % 2
    places = random.normal(size=(n, 2)) * 0.3 + np.stack([kinds, 1 - kinds], axis=1) * 3
    texts = [f"{x:.4f} {y:.4f}" for x, y in places]
    labels = [["joy", "fear"][kind] for kind in kinds]
    return Corpus.build(texts, [[label] for label in labels] if several else labels)


def test_of_one_label_a_text_the_list_is_cleanlab_s():
    p, held = one_label()
    found = label_faults(p, held, list("abcd"), single_label=True)
    assert [fault.row for fault in found] == CLEANLAB
    assert [fault.probability for fault in found] == pytest.approx(SELF_CONFIDENCE)
    assert [fault.margin for fault in found] == pytest.approx(MARGINS)
    assert all(fault.label != fault.better and fault.given for fault in found)


def test_of_several_labels_each_label_s_list_is_cleanlab_s():
    p, held = several_labels()
    found = label_faults(p, held, list("abc"), single_label=False)
    assert [[fault.row for fault in found if fault.label == label] for label in "abc"] == CLEANLAB_BY_LABEL
    assert all(fault.given == held[fault.row, "abc".index(fault.label)] for fault in found)


def test_what_would_fit_is_the_likeliest_label_not_a_rare_one_that_is_easily_sure():
    """The one text given "c" has .02 of it, which all others reach; of the first, a and b are unsure."""
    p = np.array([[0.55, 0.4, 0.05], [0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.08, 0.9, 0.02]])
    held = np.eye(3, dtype=bool)[[1, 0, 1, 2]]
    found = label_faults(p, held, list("abc"), single_label=True)
    assert [(fault.row, fault.label, fault.better) for fault in found] == [(3, "c", "b"), (0, "b", "a")]
    assert [fault.margin for fault in found] == pytest.approx([0.88, 0.15])


@pytest.mark.parametrize("several", [False, True])
def test_planted_faults_come_first(several):
    corpus = corpus_of(several=several)
    found = find_faults(Vectors(), corpus, plant=0.1, seed=1)
    counts = found["planted"]
    assert (counts["share"], counts["n"]) == (0.1, 20)
    assert counts["hits"] == counts["first"] == found["found"] >= 20
    assert sum(label["wrong"] for label in found["labels"].values()) >= (13 if several else 20)
    assert find_faults(Vectors(), corpus)["faults"] == []


def test_a_fault_comes_with_its_text_and_what_would_fit():
    corpus = corpus_of()
    targets = corpus.targets.copy()
    targets[7] = targets[7][::-1]
    found = find_faults(Vectors(), Corpus.build(corpus.texts, targets, corpus.labels, single_label=True))
    (fault,) = found["faults"]
    assert (fault["row"], fault["id"], fault["text"]) == (7, "7", corpus.texts[7])
    assert (fault["label"], fault["better"]) == ("joy", "fear")
    assert found["labels"]["joy"]["wrong"] == found["labels"]["fear"]["missing"] == 1


def test_no_text_is_judged_by_a_model_that_saw_its_copy():
    """All texts are the same, so all lie in one fold, and nothing is left to fit."""
    with pytest.raises(DataError, match="too few texts"):
        find_faults(Vectors(), Corpus.build(["1 1"] * 10, ["joy", "fear"] * 5))


def test_a_label_that_the_other_parts_lack_or_all_have_is_certain():
    held = np.array([[True, False], [True, True]])
    scores = out_of_fold(np.eye(2), held, [np.array([0]), np.array([1])], single_label=False)
    assert scores.tolist() == [[1, 1], [1, 0]]
    alone = out_of_fold(np.eye(2), np.eye(2, dtype=bool), [np.array([0]), np.array([1])], single_label=True)
    assert alone.tolist() == [[0, 1], [1, 0]]


def test_planting_makes_a_label_another_in_a_share_of_rows():
    held = np.eye(3, dtype=bool)[np.arange(50) % 3]
    changed = planted(held, 0.2, 0)
    assert (changed != held).any(axis=1).sum() == 10
    assert (changed.sum(axis=1) == 1).all()
    none, all_of_two = np.zeros((50, 3), dtype=bool), np.ones((50, 2), dtype=bool)
    assert (planted(np.vstack([held, none]), 0.5, 0).sum(axis=1) <= 1).all()
    assert (planted(np.vstack([none, held]), 0.4, 1)[:50].sum(axis=1) == 1).sum() > 10
    assert (planted(all_of_two, 0.2, 0).sum(axis=1) == 1).sum() == 10
    assert planted(held, 0, 0).tolist() == held.tolist()


@pytest.mark.parametrize("asked", [{"plant": 0.5}, {"plant": float("nan")}, {"folds": 1}, {"seed": -1}])
def test_what_cannot_be_asked_is_refused(asked):
    with pytest.raises(UsageError):
        find_faults(Vectors(), corpus_of(), **asked)


@pytest.mark.parametrize("labels", [None, ["joy"] * 10])
def test_data_without_labels_that_could_be_wrong_is_refused(labels):
    with pytest.raises(DataError):
        find_faults(Vectors(), Corpus.build([f"{i} 0" for i in range(10)], labels))


def test_the_list_is_written_as_a_table(tmp_path):
    found = find_faults(Vectors(), corpus_of(), plant=0.1)["faults"]
    write_faults(found, tmp_path / "faults.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "faults.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [fault["text"] for fault in found]
    assert set(rows[0]) == {"id", "text", "label", "given", "better", "probability", "margin"}
    write_faults([], tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text() == "id,text,label,given,better,probability,margin\n"
