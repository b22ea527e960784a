"""A model by coarser labels, and judged on data with others than its own."""

from dataclasses import replace

import numpy as np
import pytest

from affekt.data.corpus import Corpus
from affekt.data.taxonomies import EKMAN, SENTIMENT
from affekt.decisions import Decisions
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference.evaluate import evaluate_by
from affekt.inference.model import load
from affekt.inference.score import predict_file
from tiny import save_classifier

TEXTS = ["so happy today", "sad and in fear", "i love the day"]


@pytest.fixture(scope="module")
def model(ready_package):
    """A tiny one with GoEmotions' 28 labels, of which a text may have several."""
    return load(ready_package / "model")


@pytest.fixture(scope="module")
def six(tiny, tmp_path_factory):
    labels = ("anger", "fear", "joy", "love", "sadness", "surprise")
    folder = tmp_path_factory.mktemp("six") / "model"
    return load(save_classifier(tiny("bert"), labels, folder, single_label=True))


@pytest.mark.parametrize("taxonomy", [EKMAN, SENTIMENT])
def test_coarser_probabilities_are_those_of_the_members(model, taxonomy):
    own, coarse = model.probabilities(TEXTS), model.coarser(taxonomy.name)
    assert coarse.labels == taxonomy.labels
    for group, members in taxonomy.groups.items():
        places = [model.labels.index(label) for label in members]
        found = coarse.probabilities(TEXTS)[:, coarse.labels.index(group)]
        assert found == pytest.approx(1 - np.prod(1 - own[:, places], axis=1), abs=1e-5)
    assert (coarse.embed(TEXTS) == model.embed(TEXTS)).all()


def test_coarser_predictions_look_as_others_do(model):
    [prediction] = model.coarser("ekman").predict("so happy")
    assert set(prediction.scores) == set(EKMAN.labels)
    assert model.coarser("ekman").predict([]) == []
    logits, vectors = model.coarser("ekman").logits_and_vectors(TEXTS)
    assert (logits.shape, vectors.shape) == ((3, 7), (3, 32))


def test_one_label_a_text_is_one_group_a_text(six):
    own, coarse = six.probabilities(TEXTS), six.coarser("ekman")
    assert coarse.labels == ("anger", "fear", "joy", "sadness", "surprise")
    joy = own[:, 2] + own[:, 3]
    assert coarse.probabilities(TEXTS)[:, 2] == pytest.approx(joy, abs=1e-6)
    assert coarse.probabilities(TEXTS).sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert all(len(prediction.labels) == 1 for prediction in coarse.predict(TEXTS))


def test_decisions_that_were_fitted_are_kept_with_the_model(model, tmp_path):
    fitted = replace(
        Decisions.unfitted(7, single_label=False), thresholds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    )
    saved = load(replace(model, coarse={"ekman": fitted}).save(tmp_path / "model"))
    assert saved.coarser("ekman").decisions == fitted
    assert set(saved.coarser("sentiment").decisions.thresholds) == {0.5}
    assert saved.with_decisions(saved.deciding()).coarse == {}


def test_what_has_no_coarser_labels_says_so(model, tiny, tmp_path):
    with pytest.raises(DataError, match=r"unknown taxonomy 'eckman'.*did you mean ekman"):
        model.coarser("eckman")
    for nothing in (None, 3, ["ekman"]):
        with pytest.raises(DataError, match=r"unknown taxonomy .*Known: "):
            model.coarser(nothing)
    folder = save_classifier(tiny("bert"), ("zest", "joy"), tmp_path / "zest", single_label=True)
    with pytest.raises(DataError, match="'zest' stands in no group of the taxonomy 'ekman', which has anger"):
        load(folder).coarser("ekman")
    with pytest.raises(ModelError, match="without a classifier"):
        load(tiny("bert")).coarser("ekman")
    with pytest.raises(UsageError, match="save the model that it was made of"):
        model.coarser("ekman").save(tmp_path / "coarse")
    assert not (tmp_path / "coarse").exists()


def test_the_likeliest_of_some_labels(model):
    some = model.one_of(["joy", "fear"])
    own = model.probabilities(TEXTS)[:, [model.labels.index("joy"), model.labels.index("fear")]]
    assert some.probabilities(TEXTS) == pytest.approx(own / own.sum(axis=1, keepdims=True), abs=1e-5)
    assert [one.labels for one in some.predict(TEXTS)] == [[some.labels[at]] for at in own.argmax(axis=1)]
    with pytest.raises(UsageError, match="unknown label 'joyy'"):
        model.one_of(["joyy"])
    with pytest.raises(UsageError, match="no label is named"):
        model.one_of([])


def test_a_file_is_scored_by_coarser_labels(model, tmp_path):
    (tmp_path / "posts.csv").write_text("text\nso happy\n")
    predict_file(model, tmp_path / "posts.csv", tmp_path / "out.csv", taxonomy="sentiment")
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header == "text,predicted,score_positive,score_negative,score_ambiguous,score_neutral"
    with pytest.raises(DataError, match="unknown taxonomy"):
        predict_file(tmp_path / "nowhere", tmp_path / "posts.csv", tmp_path / "out.csv", taxonomy="mood")


# --- judged on data with other labels


def corpus(*labels: str, single: bool = True, names: tuple[str, ...] = ()) -> Corpus:
    """Three texts of each label."""
    names = names or tuple(dict.fromkeys(labels))
    targets = np.repeat(
        np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]], 3, axis=0
    )
    texts = [f"{TEXTS[i % 3]} {i}" for i in range(len(targets))]
    return Corpus(
        texts, targets, names, single, [str(i) for i in range(len(texts))], name="six", split="test"
    )


def test_one_label_a_text_is_decided_by_the_likeliest_of_the_data_s(model):
    data = corpus("sadness", "joy", "love", "anger")
    figures = evaluate_by(model, data, "ekman")
    assert figures["judged_labels"] == ["anger", "joy", "sadness"]
    assert figures["other_labels"] == ["disgust", "fear", "surprise", "neutral"]
    coarse = model.coarser("ekman")
    chances = coarse.probabilities(data.texts)
    places = [coarse.labels.index(label) for label in figures["judged_labels"]]
    said = [figures["judged_labels"][at] for at in chances[:, places].argmax(axis=1)]
    true = ["sadness"] * 3 + ["joy"] * 6 + ["anger"] * 3
    right = np.mean([one == other for one, other in zip(said, true, strict=True)])
    assert figures["classification"]["accuracy"]["value"] == pytest.approx(right)
    assert {name for name, row in figures["per_label"].items() if row["support"]} == {
        "anger",
        "joy",
        "sadness",
    }
    assert figures["absent_labels"] == []


def test_several_labels_a_text_are_decided_by_their_thresholds(model):
    data = replace(corpus("sadness", "joy", "love", "anger"), single_label=False)
    figures = evaluate_by(model, data, "sentiment")
    assert figures["judged_labels"] == ["positive", "negative"]
    coarse = model.coarser("sentiment")
    given = coarse.deciding().decide(coarse.probabilities(data.texts))[:, :2]
    true = np.array([[0, 1]] * 3 + [[1, 0]] * 6 + [[0, 1]] * 3, dtype=bool)
    both, all_ = (given & true).sum(), given.sum() + true.sum()
    assert figures["classification"]["f1_micro"]["value"] == pytest.approx(2 * both / all_)


def test_labels_that_stand_in_no_group_are_named_or_left_out(model):
    data = corpus("joy", "boredom", "anger")
    with pytest.raises(DataError, match=r"six: 'boredom' stands in no group of .*map_labels.*only_known"):
        evaluate_by(model, data, "ekman")
    assert evaluate_by(model, data, "ekman", only_known=True)["n"] == 6
    assert evaluate_by(model, data, "sentiment")["judged_labels"] == ["positive", "negative"]


def test_a_group_that_the_model_has_not_is_named_or_left_out(six):
    data = corpus("joy", "disgust", "anger")
    with pytest.raises(DataError, match="does not know the label disgust"):
        evaluate_by(six, data, "ekman")
    assert evaluate_by(six, data, "ekman", only_known=True)["n"] == 6
    with pytest.raises(DataError, match="does not know the label"):
        evaluate_by(six, corpus("disgust"), "ekman")
