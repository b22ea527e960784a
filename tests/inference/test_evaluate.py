"""How a model is judged: figures of the classifier, of the space, and of decisions fitted on dev."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from affekt import evaluation
from affekt.data.corpus import Corpus
from affekt.decisions import Calibration, Decisions
from affekt.encoders import Batch, Encoded, Encoder
from affekt.encoders.tfidf import TfidfEncoder
from affekt.errors import DataError
from affekt.inference.evaluate import (
    classifier_figures,
    dev_figures,
    evaluate_model,
    logits_and_space,
    mean_loss,
    space_figures,
    space_rank,
)
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import LinearHead
from affekt.networks.network import TASK, Network

TEXTS = ["3 1 0", "0 4 1", "1 0 5", "2 2 0", "0 1 1", "5 0 0", "0 3 0", "1 1 4"]
ONE = ["joy", "anger", "fear", "joy", "anger", "joy", "anger", "fear"]
SEVERAL = [["joy"], ["anger"], ["fear"], ["joy", "anger"], ["anger", "fear"], ["joy"], [], ["fear"]]


class Numbers(Encoder):
    """Reads three numbers out of a text: its vector."""

    dimension = 3

    def tokenize(self, texts: list[str]) -> list[list[float]]:
        return [[float(word) for word in text.split()] for text in texts]

    def collate(self, rows: list[list[float]]) -> Batch:
        return {"numbers": torch.tensor(rows)}

    def forward(self, batch: Batch) -> Encoded:
        return Encoded(batch["numbers"])


def model(corpus: Corpus, *, head: bool = True, encoder: Any = None) -> Model:
    """A model whose logits are the numbers of the text, less two."""
    network = Network(encoder or Numbers())
    if not head:
        return Model(TorchRuntime(network.eval()))
    linear = LinearHead(3, 3)
    with torch.no_grad():
        linear.out.weight.copy_(torch.eye(3)[[1, 2, 0]])  # labels stand as anger, fear, joy
        linear.out.bias.fill_(-2.0)
    network.heads[TASK] = linear
    plain = Decisions.unfitted(3, single_label=corpus.single_label)
    return Model(TorchRuntime(network.eval()), corpus.labels, corpus.single_label, plain)


def single() -> Corpus:
    return Corpus.build(TEXTS, ONE, split="dev")


def several() -> Corpus:
    return Corpus.build(TEXTS, SEVERAL, split="dev")


# --- loss


def test_the_dev_loss_is_torchs_cross_entropy_or_binary_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(7, 4) * 5
    for targets, one in ((torch.eye(4)[[0, 1, 2, 3, 0, 1, 2]], True), (torch.rand(7, 4).round(), False)):
        if one:
            expected = nn.functional.cross_entropy(logits, targets)
        else:
            expected = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        got = mean_loss(logits.numpy(), targets.numpy(), single_label=one)
        assert got == pytest.approx(expected.item(), rel=1e-5)


def test_the_dev_loss_of_enormous_logits_is_finite() -> None:
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype=np.float32)
    for one in (True, False):
        assert np.isfinite(mean_loss(logits, np.array([[0.0, 1.0], [0.0, 1.0]]), single_label=one))


# --- dev figures


@pytest.mark.parametrize("corpus", [single(), several()], ids=["one label", "several"])
def test_dev_figures_of_a_classifier_are_flat_numbers_with_its_loss(corpus: Corpus) -> None:
    judged = model(corpus)
    figures = dev_figures(judged, corpus)
    expected = evaluation.classification(
        corpus.targets, judged.probabilities(corpus.texts), single_label=corpus.single_label
    )
    assert all(isinstance(value, float) for value in figures.values())
    assert figures["f1_macro"] == expected["f1_macro"]
    assert figures["loss"] == mean_loss(
        judged.logits(corpus.texts), corpus.targets, single_label=corpus.single_label
    )
    assert "per_label" not in figures


def test_dev_figures_of_an_encoder_are_those_of_its_space() -> None:
    figures = dev_figures(model(single(), head=False), single())
    assert {"ami", "silhouette", "mrr", "map_at_r"} <= set(figures)
    assert not {"n", "dimension", "clusters", "clusters_found"} & set(figures)  # nothing to stop by
    assert "loss" not in figures


# --- the space


def test_the_space_is_judged_on_unit_vectors_against_the_true_classes() -> None:
    corpus = single()
    vectors = np.array([[float(word) for word in text.split()] for text in TEXTS])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    got = space_figures(model(corpus), corpus)
    expected = evaluation.clustering(units.astype(np.float32), corpus.class_indices())
    assert got["clustering"]["ami"] == pytest.approx(expected["ami"])
    assert got["clustering"]["silhouette"] == pytest.approx(expected["silhouette"], rel=1e-4)
    assert got["retrieval"] == evaluation.retrieval(units.astype(np.float32), corpus.class_indices())


def test_of_several_labels_the_rows_with_exactly_one_are_judged_and_all_rows_by_overlap() -> None:
    corpus = several()
    judged = model(corpus)
    found = space_figures(judged, corpus)
    assert found["clustering"]["n"] == 5
    vectors = judged.embed(corpus.texts)
    of_one = corpus.present.sum(1) == 1
    assert found["retrieval"] == evaluation.retrieval(vectors[of_one], corpus.single_rows().class_indices())
    assert found["overlap_retrieval"] == evaluation.retrieval(vectors, corpus.targets)
    assert found["overlap_retrieval"]["n"] > 5
    assert "overlap_retrieval" not in space_figures(model(single()), single())


def many(rows: int = 600) -> Corpus:
    """Texts of several labels, many of which say what holds."""
    random = np.random.default_rng(0)
    numbers = random.integers(0, 6, (rows, 3))
    names = np.array(["joy", "anger", "fear"])
    true = [list(names[row + random.integers(-2, 3, 3) > 3]) for row in numbers]
    return Corpus.build([" ".join(map(str, row)) for row in numbers], true, split="dev")


def test_figures_of_the_space_have_intervals_by_name_where_asked_for() -> None:
    corpus = many()
    found = space_figures(model(corpus), corpus, resamples=20)
    intervals = found.pop("space_intervals")
    assert found == space_figures(model(corpus), corpus)
    for name, value in found["retrieval"].items():
        if name != "n":
            assert intervals[name]["low"] <= value <= intervals[name]["high"]
    assert {"ami", "silhouette", "map_at_r", "overlap_map_at_r", "overlap_ndcg_at_10"} <= set(intervals)
    assert evaluate_model(model(corpus), corpus)["space_intervals"].keys() == intervals.keys()


def test_bags_are_judged_as_they_are_and_wide_ones_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = single()
    bag = TfidfEncoder.build([f"{text} {label}" for text, label in zip(TEXTS, ONE, strict=True)], min_count=1)
    judged = Model(TorchRuntime(Network(bag).eval()))
    assert not judged.runtime.by_direction
    assert TorchRuntime(Network(Numbers())).by_direction
    assert space_figures(judged, corpus)["clustering"]["dimension"] == bag.dimension
    monkeypatch.setattr("affekt.inference.evaluate._SPACE_WIDTH", bag.dimension - 1)
    assert space_figures(judged, corpus) == {}


@pytest.mark.parametrize(
    "corpus",
    [
        Corpus.build(TEXTS[:2], ONE[:2]),
        Corpus.build(TEXTS, ["joy"] * 8, label_names=["joy", "fear"]),
        Corpus.build(TEXTS, [[]] * 8, label_names=["joy", "fear"]),
        Corpus.build(TEXTS),
    ],
    ids=["two rows", "one class", "no labels held", "no labels known"],
)
def test_a_split_that_says_nothing_of_a_space_has_no_figures(corpus: Corpus) -> None:
    assert space_figures(model(corpus, head=False), corpus) == {}


def test_of_many_texts_some_from_anywhere_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file sorted by label would otherwise be judged by its first labels alone."""
    monkeypatch.setattr("affekt.inference.evaluate._SPACE_ROWS", 30)
    monkeypatch.setattr("affekt.inference.evaluate._RANK_ROWS", 30)
    corners = ["9 1 0", "1 9 0", "0 1 9"]
    corpus = Corpus.build([text for text in corners for _ in range(50)], np.repeat(["a", "b", "c"], 50))
    found = space_figures(model(corpus, head=False), corpus)["clustering"]
    assert (found["n"], found["clusters"]) == (30, 3)
    assert space_rank(model(corpus, head=False), corpus) > 2


def test_the_rank_says_how_many_directions_vectors_use() -> None:
    judged = model(single(), head=False)
    line = Corpus.build(["1 0 0", "2 0 0", "7 0 0"])
    corners = Corpus.build(["1 0 0", "0 2 0", "0 0 7"])
    assert space_rank(judged, line) == pytest.approx(1)
    assert space_rank(judged, corners) == pytest.approx(3)


def test_the_rank_is_taken_of_a_thousand_texts_at_most() -> None:
    judged = model(single(), head=False)
    seen: list[int] = []
    embed = judged.embed
    judged.embed = lambda texts: seen.append(len(texts)) or embed(texts)  # type: ignore
    space_rank(judged, Corpus.build(["1 2 3"] * 1500))
    assert seen == [1000]


# --- decisions


def test_one_label_is_judged_as_it_comes_and_several_with_fitted_decisions_too() -> None:
    for corpus, ways in ((single(), {"fixed"}), (several(), {"fixed", "fitted"})):
        plain = Decisions.unfitted(3, single_label=corpus.single_label)
        logits = {"dev": model(corpus).logits(corpus.texts)}
        figures = classifier_figures({"dev": corpus}, logits, plain, plain)
        assert set(figures["dev"]) == ways
        assert set(figures["per_label"]) == ways


def test_figures_per_label_and_calibration_are_those_of_the_test_split() -> None:
    dev, test = several(), several().select(np.arange(3))
    plain = Decisions.unfitted(3, single_label=False)
    fitted = Decisions(
        "threshold", (0.2, 0.3, 0.4), Calibration("temperature", (0.5,) * 3, (0.0,) * 3), "global"
    )
    judged = {"dev": dev, "test": test}
    logits = {name: model(dev).logits(corpus.texts) for name, corpus in judged.items()}
    figures = classifier_figures(judged, logits, plain, fitted)
    assert sum(row["support"] for row in figures["per_label"]["fixed"].values()) == 3
    assert set(figures["per_label"]["fixed"]) == {"anger", "fear", "joy"}
    for row in figures["per_label"]["fitted"].values():
        assert {"precision", "recall", "f1", "support", "predicted"} == set(row)  # too few for low and high
    for name, decisions in (("before", plain), ("after", fitted)):
        probabilities = decisions.probabilities(logits["test"])
        expected = evaluation.calibration(test.targets, probabilities, single_label=False)
        assert figures["calibration"][name] == expected


def test_fitted_thresholds_decide_the_fitted_figures() -> None:
    corpus = several()
    logits = {"test": model(corpus).logits(corpus.texts)}
    plain = Decisions.unfitted(3, single_label=False)
    everything = Decisions("threshold", (1e-6,) * 3, Calibration.none(3), "global")
    figures = classifier_figures({"test": corpus}, logits, plain, everything)
    assert figures["test"]["fitted"]["recall_macro"]["value"] == 1.0
    assert figures["test"]["fixed"]["recall_macro"]["value"] < 1.0
    interval = figures["test"]["fixed"]["f1_macro"]
    assert interval["low"] <= interval["value"] <= interval["high"]


# --- a model on any labelled data


def test_a_model_is_judged_on_labels_in_any_order() -> None:
    corpus = single()
    turned = Corpus.build(TEXTS, ONE, label_names=["joy", "fear", "anger"])
    first, second = (evaluate_model(model(corpus), one) for one in (corpus, turned))
    assert first["classification"] == second["classification"]
    assert first["n"] == 8
    assert first["classification"]["accuracy"]["value"] > 0.7


def test_labels_that_the_data_lacks_count_as_absent() -> None:
    corpus = single()
    fewer = Corpus.build(TEXTS[:2], ONE[:2])
    figures = evaluate_model(model(corpus), fewer)
    assert figures["per_label"]["fear"]["support"] == 0
    assert figures["absent_labels"] == ["fear"]
    assert evaluate_model(model(corpus), corpus)["absent_labels"] == []


def test_averages_are_of_the_labels_that_the_data_has() -> None:
    texts, true = (
        ["5 0 0", "0 5 0", "4 0 0", "1 0 9"],
        ["joy", "anger", "joy", "joy"],
    )  # the last looks like fear
    judged = evaluate_model(model(single()), Corpus.build(texts, true))
    probabilities = model(single()).probabilities(texts)
    gaps = [
        evaluation.calibration(np.array([[one == label] for one in true]), probabilities[:, [column]])["ece"]
        for column, label in enumerate(["anger", "fear", "joy"])
    ]
    assert judged["calibration"]["ece_macro"] == pytest.approx((gaps[0] + gaps[2]) / 2)
    found = judged["classification"]
    assert found["accuracy"]["value"] == 0.75
    assert found["recall_macro"]["value"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["f1_macro"]["value"] == pytest.approx((1 + 0.8) / 2)
    assert found["f1_macro"]["low"] <= found["f1_macro"]["value"] <= found["f1_macro"]["high"]
    assert found["never_predicted"]["value"] == 0


def test_of_several_labels_those_that_the_data_does_not_know_are_not_judged() -> None:
    judged = model(several())
    texts = ["5 0 9", "0 5 0", "4 5 9"]  # two of them look like fear too
    found = evaluate_model(judged, Corpus.build(texts, [["joy"], ["anger"], ["joy", "anger"]]))
    assert set(found["per_label"]) == {"anger", "joy"}
    assert found["absent_labels"] == ["fear"]
    assert {found["classification"][key]["value"] for key in ("f1_macro", "accuracy", "jaccard")} == {1.0}
    assert found["classification"]["hamming"]["value"] == 0


def test_the_order_of_texts_is_judged_before_calibration_as_in_a_run_s_metrics() -> None:
    texts = many().texts
    corpus = Corpus.build(texts, [ONE[sum(map(int, text.split())) % 8] for text in texts])
    plain = Decisions.unfitted(3, single_label=True)
    warm = Calibration("temperature", (0.05,) * 3, (0.0,) * 3)
    judged = model(corpus).with_decisions(Decisions("argmax", (), warm))
    logits = {"test": judged.logits(corpus.texts)}
    expected = classifier_figures({"test": corpus}, logits, plain, judged.decisions)
    found = evaluate_model(judged, corpus)
    assert found["classification"] == expected["test"]["fixed"]
    assert found["calibration"] == expected["calibration"]["after"]
    after = evaluation.classification(corpus.targets, judged.probabilities(corpus.texts), single_label=True)
    assert found["classification"]["roc_auc_macro"]["value"] != after["roc_auc_macro"]
    for row in found["per_label"].values():
        assert row["low"] < row["f1"] < row["high"]


def test_labels_that_the_model_does_not_know_are_refused() -> None:
    corpus = single()
    with pytest.raises(DataError, match="does not know the label grief; it knows anger, fear, joy"):
        evaluate_model(model(corpus), Corpus.build(["1 2 3", "3 2 1"], ["grief", "joy"]))
    with pytest.raises(DataError, match="no text has a label"):
        evaluate_model(model(corpus), Corpus.build(TEXTS))


def test_an_encoder_is_judged_by_its_space_alone() -> None:
    figures = evaluate_model(model(single(), head=False), single())
    assert "classification" not in figures
    assert {"clustering", "retrieval"} <= set(figures)


def test_a_model_of_several_labels_is_judged_as_it_decides_on_texts_of_one() -> None:
    judged, corpus = model(several()), single()
    found = evaluate_model(judged, corpus)
    decided = judged.probabilities(corpus.texts) > 0.5
    order = [judged.labels.index(label) for label in corpus.labels]
    expected = evaluation.classification(
        corpus.targets, decided[:, order].astype(float), labels=corpus.labels
    )
    assert found["classification"]["f1_macro"]["value"] == pytest.approx(expected["f1_macro"])
    never = sum(row["predicted"] == 0 for row in found["per_label"].values())
    assert found["classification"]["never_predicted"]["value"] == never


def test_a_model_of_one_label_is_judged_on_texts_of_one_only() -> None:
    judged = model(single())
    with pytest.raises(DataError, match="3 of 8 texts have several labels or none"):
        evaluate_model(judged, several())
    alike = Corpus.build(TEXTS, [[label] for label in ONE])
    assert not alike.single_label
    expected = evaluate_model(judged, single())["classification"]
    assert evaluate_model(judged, alike)["classification"] == expected


def test_texts_are_encoded_once_for_the_classifier_and_the_space() -> None:
    corpus, read = many(), []

    class Counting(Numbers):
        def tokenize(self, texts: list[str]) -> list[list[float]]:
            read.extend(texts)
            return super().tokenize(texts)

    judged = model(corpus, encoder=Counting())
    logits, space = logits_and_space(judged, corpus)
    assert len(read) == len(corpus)
    np.testing.assert_array_equal(logits, judged.logits(corpus.texts))
    assert space == space_figures(judged, corpus)
    read.clear()
    evaluate_model(judged, corpus)
    assert len(read) == len(corpus)


def test_labels_are_the_model_s_whatever_their_case() -> None:
    corpus = single()
    shouted = Corpus.build(TEXTS, [label.upper() for label in ONE])
    assert (
        evaluate_model(model(corpus), shouted)["classification"]
        == (evaluate_model(model(corpus), corpus)["classification"])
    )
