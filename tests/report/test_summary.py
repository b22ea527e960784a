import numpy as np
import pytest

from affekt.report.run import render
from affekt.report.summary import can_tell, cannot_tell, facts_of, run_facts, sentence
from affekt.runs.folder import read_run
from made_runs import change_metrics
from report.pages import read_page

LABELS = ["joy", "fear", "calm"]
TRUE = np.eye(3, dtype=bool)[[0, 0, 0, 1, 1, 1, 1, 1, 1, 1]]
PREDICTED = np.eye(3, dtype=bool)[[0, 0, 0, 1, 1, 1, 0, 0, 0, 1]]


def test_facts_by_hand():
    facts = facts_of(TRUE, PREDICTED, LABELS, "joy")
    assert (facts.n, facts.right, facts.guessing) == (10, 0.7, 0.3)
    assert (facts.precision, facts.recall) == (0.7, 0.7)
    assert facts.f1 == pytest.approx({"fear": 8 / 11, "joy": 2 / 3})  # of labels that hold for a text
    assert list(facts.f1) == ["fear", "joy"]
    assert facts.found == pytest.approx({"joy": 1.0, "fear": 4 / 7})
    assert facts.support == {"joy": 3, "fear": 7, "calm": 0}
    assert facts.confused == [("fear", "joy", pytest.approx(3 / 7))]


def test_facts_of_several_labels_a_text_and_of_none_given():
    true = np.array([[1, 1], [0, 0], [1, 0]], dtype=bool)
    facts = facts_of(true, np.zeros_like(true), ["a", "b"], "a")
    assert (facts.right, facts.guessing) == pytest.approx((1 / 3, 1 / 3))
    assert (facts.precision, facts.recall) == (0.0, 0.0)


def test_a_sentence_that_a_stranger_understands_stands_first(single_run):
    run = read_run(single_run)
    facts = run_facts(run)
    said = sentence(run, facts)
    assert said.startswith("Right ")
    assert " times in 10 on 160 texts it had never seen; always saying sadness, the commonest label," in said
    weakest = min(facts.f1, key=facts.f1.get)
    assert f"weakest on {weakest}" in said
    page = single_run / "page.html"
    page.write_text(render(run, {}), encoding="utf-8")
    texts = read_page(page).texts
    assert texts[texts.index("single") + 1] == said  # under the heading


def test_several_labels_a_text_are_told_by_what_holds_of_what_is_given(multi_run):
    run = read_run(multi_run)
    assert "A label it gives holds" in sentence(run, run_facts(run))


def test_baselines_stand_beside_what_the_run_reaches(single_run, multi_run):
    def change(metrics):
        metrics["baselines"] = {
            "majority": {"accuracy": 0.3, "f1_macro": 0.08, "jaccard": 0.2},
            "tfidf": {"accuracy": 0.61, "f1_macro": 0.444, "jaccard": 0.5},
        }

    for folder in (single_run, multi_run):
        before = read_run(folder)
        facts = run_facts(before)
        old = " ".join([sentence(before, facts), *can_tell(before, facts)])
        assert "counting words" not in old  # of a run trained before there were any
        assert "commonest label has" not in old
        change_metrics(folder, change)
        run = read_run(folder)
        counted = ", and counting words (TF-IDF with logistic regression) 6 times in 10"
        assert counted in sentence(run, facts)
        assert sentence(run, facts).replace(counted, "") == sentence(before, facts)
        can = " ".join(can_tell(run, facts))
        assert "counting words has .444 and always giving the commonest label has .080." in can
        assert ("Its Jaccard is " in can) is not run.single_label


@pytest.mark.parametrize("first", ["fixed", "fitted"])
def test_the_sentence_is_of_the_decisions_whose_figures_stand_first(multi_run, first):
    def change(metrics):
        for way in ("fixed", "fitted"):
            metrics["dev"][way]["f1_macro"] = {"value": 0.9 if way == first else 0.1}

    change_metrics(multi_run, change)
    run = read_run(multi_run)
    accuracy = run.metrics["test"][first]["accuracy"]
    facts = run_facts(run)
    assert facts.right == pytest.approx(accuracy["value"])
    low, high = (f"{100 * accuracy[end]:.0f}" for end in ("low", "high"))
    assert f"with every label {low} to {high} times in 100" in " ".join(can_tell(run, facts))


def test_what_it_can_and_cannot_tell(single_run):
    def change(metrics):
        metrics["calibration"] = {"after": {"ece": 0.021}}

    change_metrics(single_run, change)
    run = read_run(single_run)
    facts = run_facts(run)
    can, cannot = " ".join(can_tell(run, facts)), " ".join(cannot_tell(run, facts))
    assert f"It tells best: {next(iter(facts.f1))} (found " in can
    interval = run.metrics["test"]["fixed"]["accuracy"]
    assert f"right {100 * interval['low']:.0f} to {100 * interval['high']:.0f} times in 100" in can
    assert "can be taken at their word: on average they are 2 points of 100 off" in can
    assert "It knows 6 labels and no other: every text gets one of them." in cannot
    assert f"It mistakes most often: {facts.confused[0][0]} for {facts.confused[0][1]}," in cannot
    assert "Too few texts to judge these labels well:" in cannot
    assert "texts unlike those of made-up" in cannot


def test_a_run_without_predictions_has_no_facts(single_run):
    (single_run / "predictions.parquet").unlink()
    assert run_facts(read_run(single_run)) is None
