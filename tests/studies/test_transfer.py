"""A transfer study: what it finds, keeps, takes up again and refuses."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from affekt.data import catalog
from affekt.data.corpus import Corpus
from affekt.errors import DataError, ModelError, RecipeError, UsageError
from affekt.inference.model import load
from affekt.recipe.read import read_recipe
from affekt.studies import ways
from affekt.studies.answers import Kept
from affekt.studies.frozen import by_probe
from affekt.studies.transfer import FIGURES, PAGE, read_task, told_apart, transfer
from affekt.studies.ways import WAYS, Plan, Source, Subject, Task
from tiny import save_classifier, save_encoder

FAST = Plan(("knn", "probe"), shots=(2, 4), draws=3)
FEW = read_recipe("few-shot", ("objective.passes_per_epoch=1",))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    return [
        str(save_encoder("bert", place / name, seed=seed)) for seed, name in enumerate(("plain", "other"))
    ]


@pytest.fixture(scope="module")
def study(models, tmp_path_factory):
    """A study of two models on the sample: its folder, what came back, and the ticks."""
    out, ticks = tmp_path_factory.mktemp("study") / "out", []
    content = transfer(models, ["sample"], out, FAST, command="affekt x", tick=lambda *at: ticks.append(at))
    return out, content, ticks


def result(content, **wanted):
    [found] = [one for one in content["results"] if all(one[key] == value for key, value in wanted.items())]
    return found


def test_it_has_a_result_for_every_model_way_and_setting(study):
    out, content, ticks = study
    assert [(one["model"], one["way"], one["setting"], one["runs"]) for one in content["results"]] == [
        (model, way, setting, runs)
        for model in ("plain", "other")
        for way, setting, runs in (("knn", {}, 1), *(("probe", {"rows_per_label": n}, 3) for n in (2, 4)))
    ]
    assert {one["n"] for one in content["results"]} == {300}
    assert json.loads((out / FIGURES).read_text()) == json.loads(json.dumps(content))
    assert "probe, frozen, 4 per label" in (out / PAGE).read_text()
    assert ticks[0] == (0, 14)
    assert ticks[-1] == (14, 14)


def test_figures_have_spreads_intervals_and_differences_to_the_first_model(study):
    content = study[1]
    probe = result(content, model="other", setting={"rows_per_label": 4})
    assert set(probe["figures"]) == {"f1_macro", "accuracy", "f1_weighted"}
    for key, figure in probe["figures"].items():
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["sd"] > 0
        first = result(content, model="plain", setting={"rows_per_label": 4})["figures"][key]
        assert probe["difference"][key]["value"] == pytest.approx(figure["value"] - first["value"])
    assert "difference" not in result(content, model="plain", way="knn")
    assert result(content, model="plain", way="knn")["figures"]["accuracy"]["sd"] is None
    assert result(content, model="plain", way="knn")["about"][0]["neighbours"] in (1, 3, 5, 9, 17, 33)


def test_the_same_call_finds_nothing_anew_and_more_is_added_to_it(study, models, tmp_path, monkeypatch):
    out, content, _ = study
    shutil.copytree(out, tmp_path / "again")
    monkeypatch.setattr(ways, "by_probe", None)  # to call it would raise
    again = transfer(models, ["sample"], tmp_path / "again", FAST)
    assert again["results"] == content["results"]
    monkeypatch.undo()
    asked = []
    monkeypatch.setattr(
        ways, "by_probe", lambda *given, **about: asked.append(1) or by_probe(*given, **about)
    )
    more = transfer(models, ["sample"], tmp_path / "again", replace(FAST, draws=4))
    assert len(asked) == 4  # one draw more of two numbers of rows, for two models
    assert result(more, model="plain", way="knn") == result(content, model="plain", way="knn")


def test_a_study_that_was_stopped_goes_on_where_it_was(study, models, tmp_path, monkeypatch):
    calls = []

    def stops(*given, **about):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return by_probe(*given, **about)

    monkeypatch.setattr(ways, "by_probe", stops)
    with pytest.raises(KeyboardInterrupt):
        transfer(models, ["sample"], tmp_path / "out", FAST)
    assert not (tmp_path / "out" / FIGURES).exists()
    assert transfer(models, ["sample"], tmp_path / "out", FAST)["results"] == study[1]["results"]
    assert len(calls) == 6 + 7


def test_another_model_under_the_same_name_is_tried_anew(models, study, tmp_path):
    plain = tmp_path / "plain"
    shutil.copytree(models[1], plain)
    shutil.copytree(study[0], tmp_path / "out")
    again = transfer([str(plain)], ["sample"], tmp_path / "out", FAST)
    other = [one["figures"] for one in study[1]["results"] if one["model"] == "other"]
    assert [one["figures"] for one in again["results"]] == other  # by what it is made of


def test_training_starts_from_the_model_and_keeps_its_answers(models, tmp_path, monkeypatch):
    seen = []

    def fitted(recipe, splits):
        seen.append(
            (recipe.name, recipe.encoder.name, recipe.training.seed, len(splits["train"]), sorted(splits))
        )
        targets = catalog.load("sample")["test"].targets
        model = SimpleNamespace(
            deciding=lambda: SimpleNamespace(decide=lambda scores: scores > 0.5),
            probabilities=lambda texts: targets,
        )
        return model, {"seconds": 0.1}

    monkeypatch.setattr(ways, "fit_model", fitted)
    plan = Plan(("fine-tune", "few-shot"), shots=(2,), draws=2, seeds=(3, 4), limit=50)
    found = transfer(models[:1], ["sample"], tmp_path / "out", plan)
    assert seen == [
        ("fine-tune", models[0], 3, 50, ["dev", "train"]),
        ("fine-tune", models[0], 4, 50, ["dev", "train"]),
        ("few-shot", models[0], 0, 12, ["train"]),
        ("few-shot", models[0], 1, 12, ["train"]),
    ]
    assert [one["figures"]["accuracy"]["value"] for one in found["results"]] == [1.0, 1.0]
    transfer(models[:1], ["sample"], tmp_path / "out", plan)
    assert len(seen) == 4
    transfer(
        models[:1], ["sample"], tmp_path / "out", replace(plan, ways=("few-shot",), few_shot="fine-tune")
    )
    assert len(seen) == 6  # another recipe is another answer


def test_few_rows_really_train(models, tmp_path):
    plan = Plan(("few-shot",), shots=(1,), draws=1)
    found = transfer(models[:1], ["sample"], tmp_path / "out", plan)
    assert 0 < result(found, way="few-shot")["figures"]["accuracy"]["value"] < 1


def test_few_rows_go_on_from_labels_that_a_model_knows(models, tmp_path, monkeypatch):
    heads, made = [], ways.fit_model

    def fitted(recipe, splits):
        model, metrics = made(recipe, splits)
        heads.append(model.runtime.network.head.out.weight.detach().numpy())
        return model, metrics

    monkeypatch.setattr(ways, "fit_model", fitted)
    labels = catalog.DATASETS["sample"].labels
    knows = save_classifier(models[0], labels, tmp_path / "knows", single_label=False)
    still = read_recipe("few-shot-known", ("training.learning_rate=1e-9", "training.epochs=1"))
    monkeypatch.setattr(ways, "read_recipe", {"few-shot-known": still, "few-shot": FEW}.__getitem__)
    plan = Plan(("few-shot",), shots=(1,), draws=1)
    found = transfer([models[0], str(knows)], ["sample"], tmp_path / "out", plan)
    assert [one["about"][0]["recipe"] for one in found["results"]] == ["few-shot", "few-shot-known"]
    old = load(knows).runtime.network.head.out.weight.detach().numpy()
    assert np.allclose(heads[1], old, atol=1e-4)


# --- data


def test_the_figure_is_the_one_that_data_are_judged_by():
    irony = catalog.DATASETS["tweeteval-irony"]
    corpus = Corpus.build(["a", "b", "c", "d"], ["non_irony", "irony", "irony", "non_irony"], irony.labels)
    task = Task("irony", {"test": corpus}, irony.metric, irony.metric_label)
    predicted = np.eye(2, dtype=bool)[[0, 1, 0, 0]]
    assert task.judged("test", predicted) == pytest.approx(2 / 3)
    assert task.label_place == 1
    assert catalog.DATASETS["tweeteval-sentiment"].metric == "recall_macro"
    assert catalog.DATASETS["sst2"].metric == "f1_macro"


def test_files_and_folders_are_data_too(tmp_path, models):
    rows = [
        f"so {word} {i},{label}" for i in range(30) for word, label in (("happy", "joy"), ("sad", "grief"))
    ]
    path = tmp_path / "posts.csv"
    path.write_text("text,labels\n" + "\n".join(rows))
    task = read_task(str(path))
    assert task.name == "posts"
    assert set(task.splits) == {"train", "dev", "test"}
    folder = tmp_path / "posts-in-splits"
    folder.mkdir()
    for split in ("train", "test"):
        shutil.copy(path, folder / f"{split}.csv")
    assert len(read_task(str(folder)).test) == 60
    found = transfer(models[:1], [str(path)], tmp_path / "out", Plan(("probe",), shots=(2,), draws=2))
    assert found["data"]["posts"]["labels"] == ["grief", "joy"]


def posts_in(folder, splits, labels=("joy", "grief")):
    folder.mkdir(parents=True)
    for split in splits:
        rows = [f"{split} day {i} {i * 7},{label}" for i in range(15) for label in labels]
        (folder / f"{split}.csv").write_text("text,labels\n" + "\n".join(rows))
    return str(folder)


def test_a_test_split_is_cut_from_train_where_dev_alone_is_given(tmp_path):
    splits = read_task(posts_in(tmp_path / "posts", ["train", "dev"])).splits
    assert {split: len(corpus) for split, corpus in splits.items()} == {"train": 24, "dev": 30, "test": 6}
    assert not set(splits["train"].texts) & set(splits["test"].texts)
    with pytest.raises(DataError, match="has no train split, only test"):
        read_task(posts_in(tmp_path / "held", ["test"]))


def test_two_data_sets_of_one_name_keep_their_own_figures(tmp_path, models):
    names = ["train", "dev", "test"]
    one = posts_in(tmp_path / "one" / "posts", names)
    other = posts_in(tmp_path / "other" / "posts", names, ("fear", "love", "calm"))
    found = transfer(models[:1], [one, other], tmp_path / "out", Plan(("knn",)))
    assert list(found["data"]) == [one, other]
    assert [(each["data"], each["runs"], each["n"]) for each in found["results"]] == [
        (one, 1, 30),
        (other, 1, 45),
    ]
    with pytest.raises(UsageError, match="a data set is named twice"):
        transfer(models[:1], [one, one], tmp_path / "twice", Plan(("knn",)))


def test_models_and_data_are_told_apart(tmp_path, models):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "model" / "affekt.json").write_text("{}")
    (tmp_path / "posts.csv").write_text("")
    data = ["dair-emotion", str(tmp_path / "posts.csv"), str(tmp_path), "no-such-thing"]
    named = [str(run), models[0], "all-MiniLM-L6-v2", "affekt-small"]
    assert told_apart([named[0], *data, *named[1:]]) == (named, data)


# --- labels mapped


def subject(tmp_path, name, test, probabilities, labels, *, single=False):
    """A model that answers with given probabilities, on a task of given test texts."""
    decisions = SimpleNamespace(decide=lambda scores: scores > 0.5)
    model = SimpleNamespace(
        labels=tuple(labels),
        single_label=single,
        decisions=decisions,
        deciding=lambda: decisions,
        probabilities=lambda texts: np.array([probabilities[text] for text in texts]),
    )
    return Subject(Source("m", "m", "m", model), Task(name, {"test": test}), Kept(tmp_path))


def test_the_strongest_of_the_labels_that_stand_for_one_speaks_for_it(tmp_path):
    of = catalog.DATASETS["crowdflower-text-emotion"]
    known = catalog.DATASETS["goemotions"].labels
    scores = np.full((3, len(known)), 0.1)
    scores[0, known.index("nervousness")] = 0.6
    scores[1, known.index("grief")] = 0.9
    scores[2, known.index("amusement")] = 0.9
    test = Corpus.build(["a", "b", "c", "d"], ["worry", "sadness", "anger", "boredom"], of.labels)
    made = subject(tmp_path, of.name, test, dict(zip("abcd", scores, strict=False)), known)
    [job] = WAYS["mapped"](made, Plan())
    answer = job.find()
    assert answer.rows.tolist() == [0, 1, 2]  # nothing of the model stands for boredom
    assert [of.labels[at] for at in answer.predicted.argmax(axis=1)] == ["worry", "sadness", "fun"]
    assert answer.about["left_out"] == ["empty", "boredom"]


def test_shares_of_a_model_of_one_label_are_added(tmp_path):
    labels = ("joy", "love", "anger")
    test = Corpus.build(["a"], ["joy"], ["anger", "joy"])
    made = subject(tmp_path, "posts", test, {"a": [0.3, 0.3, 0.4]}, labels, single=True)
    [job] = WAYS["mapped"](made, Plan())
    assert job.find().predicted.tolist() == [[True, False]]  # by name, love stands for nothing


def test_several_labels_are_decided_by_any_that_stands_for_them(tmp_path):
    test = Corpus.build(["a", "b"], [["joy"], []], ["anger", "joy"])
    made = subject(tmp_path, "posts", test, {"a": [0.9, 0.2], "b": [0.1, 0.8]}, ("joy", "anger"))
    [job] = WAYS["mapped"](made, Plan())
    assert job.find().predicted.tolist() == [[False, True], [True, False]]


def test_an_encoder_has_no_labels_to_map(models, tmp_path):
    with pytest.raises(ModelError, match=r"plain: is an encoder without a classifier.*leave mapped out"):
        transfer(models[:1], ["sample"], tmp_path / "out", Plan(("mapped",)))
    assert not (tmp_path / "out" / FIGURES).exists()


# --- faults


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(("knm",)), "unknown way 'knm': did you mean knn"),
        (Plan(shots=(0,)), "shots is 0: it must be at least 1"),
        (Plan(draws=0), "draws is 0"),
        (Plan(limit=0), "limit is 0"),
        (Plan(shots=()), "a number of rows per label"),
        (Plan(seeds=(-1,)), "a seed is -1"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(plan, message, models, tmp_path):
    with pytest.raises(UsageError, match=message):
        transfer(models, ["sample"], tmp_path / "out", plan)
    assert not (tmp_path / "out").exists()


def test_models_and_data_that_cannot_be_used_are_named(models, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="a model and a data set at least"):
        transfer(models, [], tmp_path / "out", FAST)
    with pytest.raises(UsageError, match="named twice"):
        transfer([models[0], models[0]], ["sample"], tmp_path / "out", FAST)
    with pytest.raises(DataError, match="nowhere"):
        transfer(models, [str(tmp_path / "nowhere.csv")], tmp_path / "out", FAST)
    with pytest.raises(UsageError, match="is a file"):
        transfer(models, ["sample"], file, FAST)
    with pytest.raises(RecipeError, match="bundled recipe"):
        transfer(models, ["sample"], tmp_path / "out", Plan(("fine-tune",), fine_tune="no-such"))
    with pytest.raises(UsageError, match="trains no classifier"):
        transfer(models, ["sample"], tmp_path / "out", Plan(("fine-tune",), fine_tune="goemotions-retrofit"))


def test_data_of_one_class_have_nothing_to_transfer(models, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,labels\n" + "\n".join(f"post {i},joy" for i in range(40)))
    with pytest.raises(DataError, match="only the label 'joy'"):
        transfer(models, [str(path)], tmp_path / "out", FAST)
