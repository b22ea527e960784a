"""Several corpora in one run: a head for each on one encoder, and texts that others hold left out."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import affekt
from affekt.cli import app
from affekt.data.corpus import Corpus
from affekt.errors import DataError, ModelError, RecipeError, UsageError
from affekt.inference.evaluate import evaluate_model
from affekt.inference.score import predict_file
from affekt.inference.shards import predict_shards
from affekt.recipe.sections import Recipe
from affekt.runs.folder import RunFolder, read_run
from affekt.training.build import build_network, objective_for
from affekt.training.data import load_texts
from affekt.training.fit import Listener
from affekt.training.rows import TrainingRows, count_steps, epoch_batches
from affekt.training.run import train
from affekt.training.teachers import lessons
from training.toys import SEVERAL, run_recipe

Data = dict[str, Any]
Tiny = Callable[[str], str]


def written(path: Path, rows: list[tuple[str, str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "labels"), *rows])
    return str(path)


@pytest.fixture(scope="module")
def irony(tmp_path_factory: pytest.TempPathFactory, sample: Data) -> Data:
    """A corpus of two labels; of its training texts two stand in the sample's test split, or nearly."""
    folder = tmp_path_factory.mktemp("irony")
    taken = [text for text in Corpus.read(sample["test"], labels="emotion").texts if len(text) > 40][:2]
    taken[1] = f"@ann {taken[1].upper()} again"
    rows = [(f"what a {word} day number {n}", label) for n in range(8) for word, label in _IRONY]
    return {
        "train": written(folder / "train.csv", [(taken[0], "plain"), *rows, (taken[1], "ironic")]),
        "dev": written(folder / "dev.csv", [(f"a {word} evening it was", label) for word, label in _IRONY]),
        "test": written(folder / "test.csv", [(f"this {word} morning", label) for word, label in _IRONY]),
        "labels": "labels",
        "task": "irony",
    }


_IRONY = [("great", "ironic"), ("wet", "plain"), ("splendid", "ironic"), ("short", "plain")]


def of_three(tiny: Tiny, sample: Data, irony: Data, **sections: Any) -> Recipe:
    data: Any = [{**sample, "task": "posts"}, {**sample, **SEVERAL, "task": "several"}, irony]
    return run_recipe(tiny("bert"), data, **sections)


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, tiny: Tiny, sample: Data, irony: Data
) -> tuple[Recipe, Path, list[str]]:
    said: list[str] = []
    recipe, out = of_three(tiny, sample, irony), tmp_path_factory.mktemp("run") / "three"
    train(recipe, out, listener=Listener(said.append))
    return recipe, out, said


Ran = tuple[Recipe, Path, list[str]]


# --- what is trained on


def test_texts_that_dev_or_test_hold_are_left_out_listed_counted_and_said(ran: Ran, irony: Data) -> None:
    _, out, said = ran
    with (out / "leaks.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["corpus"], row["row"]) for row in rows} == {("irony", "0"), ("irony", "33")}
    assert {row["met_in"] for row in rows} == {"posts test", "several test"}  # which are of the same texts
    assert {row["similarity"] == "1.0" for row in rows} == {True, False}
    metrics = RunFolder(out).metrics
    assert metrics["leaks"]["left_out"] == {"irony": 2}
    assert metrics["leaks"]["met"] == {"posts test": 2, "several test": 2}
    assert metrics["tasks"]["irony"]["data"]["splits"]["train"]["n"] == 32
    assert any(line.startswith("left out of training, 2 of irony: ") for line in said)


def test_what_guard_names_is_left_out_of_one_corpus_too(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    texts = Corpus.read(sample["train"], labels="emotion").texts
    other = tmp_path / "other.txt"
    other.write_text(f"{texts[3].upper()}\nsomething else\n", encoding="utf-8")
    recipe = run_recipe(tiny("bert"), sample, guard=[str(other)])
    kept = load_texts(recipe)
    assert [one.met_in for one in kept.left_out] == [str(other)]
    assert kept["train"].texts == texts[:3] + texts[4:]
    plain = run_recipe(tiny("bert"), sample)
    assert load_texts(plain)["train"].texts == texts
    assert plain.digest != recipe.digest


def test_what_is_guarded_is_read_as_the_corpora_are(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    texts = Corpus.read(sample["train"], labels="emotion").texts
    posts, held, plain = (tmp_path / f"{name}.csv" for name in ("posts", "held", "plain"))
    lines = Path(sample["train"]).read_text(encoding="utf-8")
    posts.write_text(lines.replace("text,", "post,", 1), encoding="utf-8")
    for path, column, rows in ((held, "post", texts[2:4]), (plain, "text", texts[4:5])):
        with path.open("w", newline="", encoding="utf-8") as file:
            titled = [(text, "of what a title says here") for text in (*rows, "")]
            csv.writer(file).writerows([(column, "title"), *titled])
    data = {"train": str(posts), "text": "post", "labels": "emotion"}
    guard = [str(held), str(plain)]
    with pytest.raises(DataError, match=r"held\.csv:4: column 'post' is empty"):
        load_texts(run_recipe(tiny("bert"), data, guard=guard))
    found = load_texts(run_recipe(tiny("bert"), {**data, "on_bad_row": "skip"}, guard=guard))
    assert {one.met_in for one in found.left_out} >= {str(held), str(plain)}
    assert not set(found["train"].texts) & set(texts[2:5])


def test_names_that_a_guarded_file_has_twice_are_numbers_where_that_is_said(
    tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    texts = Corpus.read(sample["train"], labels="emotion").texts
    held = tmp_path / "held.csv"
    with held.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), ("a", texts[0]), ("a", texts[1])])
    with pytest.raises(DataError, match=r"held\.csv:3: column 'id' repeats 'a' .* id='' numbers the rows"):
        load_texts(run_recipe(tiny("bert"), sample, guard=[str(held)]))
    found = load_texts(run_recipe(tiny("bert"), {**sample, "id": ""}, guard=[str(held)]))
    assert [one.row for one in found.left_out] == [0, 1]


def test_a_split_of_a_known_data_set_can_be_guarded(tiny: Tiny, sample: Data) -> None:
    found = load_texts(run_recipe(tiny("bert"), sample, guard=["sample-multilabel/test"]))
    assert not found.left_out
    with pytest.raises(DataError, match=r"no training text is left, since sample train"):
        load_texts(run_recipe(tiny("bert"), sample, guard=["sample"]))
    with pytest.raises(DataError, match="did you mean sample"):
        load_texts(run_recipe(tiny("bert"), sample, guard=["sampel"]))


def test_corpora_of_one_name_are_told_apart_or_refused(tiny: Tiny, sample: Data) -> None:
    twice: Any = [sample, {**sample, **SEVERAL}]
    with pytest.raises(RecipeError, match="as another is or none may be"):
        load_texts(run_recipe(tiny("bert"), twice))


# --- what comes out of it


def test_each_corpus_has_its_head_its_decisions_and_its_figures(ran: Ran) -> None:
    _, out, _ = ran
    metrics = RunFolder(out).metrics
    assert list(metrics["tasks"]) == ["several", "irony"]
    assert set(metrics["test"]) == {"fixed"}
    assert set(metrics["tasks"]["several"]["test"]) == {"fixed", "fitted"}
    assert set(metrics["tasks"]["irony"]["test"]) == {"fixed"}
    assert metrics["tasks"]["irony"]["data"]["splits"]["test"]["n"] == 4
    for task in ("several", "irony"):
        apart = read_run(out / "tasks" / task)
        assert apart.labels == metrics["tasks"][task]["data"]["labels"]
        assert apart.final is not None
        digest = apart.metrics["decisions"]["fitted_on"]["digest"]
        assert digest != metrics["decisions"]["fitted_on"]["digest"]


def test_the_history_has_figures_of_each_and_their_means(ran: Ran) -> None:
    _, out, said = ran
    for entry in RunFolder(out).history:
        dev = entry["dev"]
        assert dev["f1_macro"] == dev["posts.f1_macro"]
        each = [dev[f"{task}.f1_macro"] for task in ("posts", "several", "irony")]
        assert dev["mean.f1_macro"] == pytest.approx(np.mean(each))
        assert dev["mean.loss"] == pytest.approx(
            np.mean([entry["dev_loss"], dev["several.loss"], dev["irony.loss"]])
        )
    assert any("irony f1_macro" in line for line in said)


def test_a_model_opens_as_the_first_corpus_s_or_as_any(ran: Ran) -> None:
    _, out, _ = ran
    labels, texts = RunFolder(out).labels, ["so happy", "what a wet day"]
    model = affekt.load(out)
    assert model.tasks == ("posts", "several", "irony")
    assert list(model.labels) == labels
    irony = affekt.load(out, task="irony")
    assert irony.labels == ("ironic", "plain")
    np.testing.assert_array_equal(irony.embed(texts), model.embed(texts))
    np.testing.assert_array_equal(irony.logits(texts), model.of("irony").logits(texts))
    assert affekt.load(out, task="posts").labels == model.labels
    assert model.predict(texts)[0].scores.keys() == set(model.labels)
    with pytest.raises(ModelError, match="unknown task 'ironie': did you mean irony"):
        affekt.load(out, task="ironie")


def test_saved_heads_give_the_figures_that_were_recorded(ran: Ran, irony: Data) -> None:
    _, out, _ = ran
    test = Corpus.read(irony["test"], labels="labels")
    figures = evaluate_model(affekt.load(out, task="irony"), test)
    recorded = RunFolder(out).metrics["tasks"]["irony"]["test"]["fixed"]
    assert figures["classification"]["accuracy"]["value"] == recorded["accuracy"]["value"]
    written = RunFolder(out / "tasks" / "irony").predictions["test"].logits
    np.testing.assert_allclose(affekt.load(out, task="irony").logits(test.texts), written, atol=1e-5)


def test_a_task_s_labels_go_into_shards_and_another_task_s_are_refused(
    ran: Ran, irony: Data, tmp_path: Path
) -> None:
    _, out, _ = ran
    predict_file(out, irony["test"], tmp_path / "one.csv", task="irony")
    summary = predict_shards(out, irony["test"], tmp_path / "shards", shard_rows=3, task="irony")
    assert (summary["shards"], set(summary["predicted"]) <= {"ironic", "plain", ""}) == (2, True)
    header, *rows = (tmp_path / "one.csv").read_text().splitlines()
    parts = [path.read_text().splitlines() for path in sorted((tmp_path / "shards").glob("*.csv"))]
    assert {part[0] for part in parts} == {header}
    decided = [
        [row.split(",")[:3] for row in some] for some in (rows, [row for part in parts for row in part[1:]])
    ]
    assert decided[0] == decided[1]
    for task in (None, "posts"):
        with pytest.raises(UsageError, match="made with another model"):
            predict_shards(out, irony["test"], tmp_path / "shards", shard_rows=3, task=task)


def test_data_of_another_task_are_answered_with_its_name(ran: Ran, irony: Data, tmp_path: Path) -> None:
    model = affekt.load(ran[1])
    with pytest.raises(DataError, match=r"does not know the labels ironic, plain; .* its task 'irony' does"):
        evaluate_model(model, Corpus.read(irony["test"]))
    with pytest.raises(DataError, match="no text has a label, so nothing can be judged"):
        evaluate_model(model, Corpus.build(["so", "happy"]))


def test_texts_are_grouped_by_a_task_s_emotions(ran: Ran, irony: Data, tmp_path: Path) -> None:
    words = ["cluster", irony["test"], "--model", str(ran[1]), "--task", "irony", "--clusters", "2", "--json"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "clusters.csv")], catch_exceptions=False)
    assert {name for one in json.loads(done.stdout) for name in one["emotions"]} == {"ironic", "plain"}


def test_a_run_of_several_teaches_each_of_its_corpora(
    ran: Ran, tmp_path: Path, tiny: Tiny, sample: Data, irony: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path / "cache"))
    objective = {"kind": "distil", "teachers": str(ran[1]), "temperature": 1.0}
    for task, data in (("irony", {**irony, "task": None}), ("several", {**sample, **SEVERAL})):
        recipe = run_recipe(tiny("bert"), data, objective=objective)
        train, model = load_texts(recipe)["train"], affekt.load(ran[1], task=task)
        made = lessons(recipe, {"train": train})
        logits = torch.as_tensor(model.logits(train.texts))
        said = logits.softmax(1) if model.single_label else logits.sigmoid()
        assert made is not None
        assert train.labels == model.labels
        torch.testing.assert_close(made.probabilities, said, atol=1e-5, rtol=0)


def test_a_model_of_several_is_saved_again_whole_and_one_of_them_apart(ran: Ran, tmp_path: Path) -> None:
    _, out, _ = ran
    model, texts = affekt.load(out), ["so happy"]
    again = affekt.load(model.save(tmp_path / "again"))
    assert again.tasks == model.tasks
    np.testing.assert_array_equal(again.of("several").logits(texts), model.of("several").logits(texts))
    apart = affekt.load(model.of("irony").save(tmp_path / "irony"))
    assert apart.tasks == ()
    np.testing.assert_array_equal(apart.logits(texts), model.of("irony").logits(texts))
    with pytest.raises(ModelError, match="was trained on one corpus"):
        apart.of("irony")


def test_plain_transformers_opens_the_first_head(ran: Ran) -> None:
    from transformers import AutoModelForSequenceClassification

    _, out, _ = ran
    opened = AutoModelForSequenceClassification.from_pretrained(out / "model")
    assert tuple(opened.config.id2label.values()) == affekt.load(out).labels


def test_a_run_goes_on_from_a_run_of_several(ran: Ran, tmp_path: Path, sample: Data) -> None:
    """Sequential training: the encoder of one run starts another."""
    _, out, _ = ran
    train(run_recipe(out, sample, training={"epochs": 1}), tmp_path / "next")
    assert affekt.load(tmp_path / "next").tasks == ()
    train(run_recipe(out / "model", sample, training={"epochs": 1}), tmp_path / "same")
    one, same = (affekt.load(tmp_path / name).embed(["so happy"]) for name in ("next", "same"))
    assert np.array_equal(one, same)
    with pytest.raises(
        ModelError, match=r"holds no config\.json; name a model's folder, or that of a finished"
    ):
        train(run_recipe(tmp_path, sample), tmp_path / "none")


# --- how it is trained


def test_the_first_corpus_starts_as_if_it_were_alone(tiny: Tiny, sample: Data, irony: Data) -> None:
    recipe = of_three(tiny, sample, irony)
    texts = load_texts(recipe)
    several = build_network(recipe, texts["train"], {"irony": texts.further["irony"]["train"]})
    alone = build_network(run_recipe(tiny("bert"), sample), texts["train"])
    shared = several.state_dict()
    assert all(torch.equal(value, shared[name]) for name, value in alone.state_dict().items())
    assert several.further["irony"].labels == 2


def rows_of(recipe: Recipe) -> tuple[Any, dict[str, TrainingRows]]:
    texts = load_texts(recipe)
    network = build_network(recipe, texts["train"], {t: s["train"] for t, s in texts.further.items()})
    further = {task: splits["train"] for task, splits in texts.further.items()}
    objective = objective_for(recipe, network, texts["train"], None, further)
    corpora = {"labels": texts["train"], **further}
    return objective, {task: TrainingRows(own, objective.encoders()) for task, own in corpora.items()}


def test_mixing_says_how_many_batches_of_each_an_epoch_has(tiny: Tiny, sample: Data, irony: Data) -> None:
    def turns(**mixing: Any) -> list[int]:
        recipe = of_three(tiny, sample, irony, **({"mixing": mixing} if mixing else {}))
        _, rows = rows_of(recipe)
        batches = epoch_batches(recipe, rows, 0)
        assert count_steps(recipe, rows) == 2 * len(batches)
        return [sum(task == one for task, _ in batches) for one in rows]

    assert turns() == [6, 6, 4]  # 42, 42 and 32 texts in batches of 8
    assert turns(by="temperature", temperature=1e6) == [5, 5, 5]
    assert turns(rows_per_epoch=32) == [2, 2, 1]


def test_a_corpus_s_weight_is_of_its_loss(tiny: Tiny, sample: Data, irony: Data) -> None:
    terms = {}
    for weight in (1.0, 0.25):
        recipe = of_three(tiny, sample, {**irony, "weight": weight})
        objective, rows = rows_of(recipe)
        objective.eval()
        for task in rows:
            inputs, targets = rows[task].batch(np.arange(4), torch.device("cpu"))
            terms[task, weight] = sum(
                float(term.detach()) for term in objective(inputs, targets, task).values()
            )
    assert terms["irony", 0.25] == pytest.approx(0.25 * terms["irony", 1.0])
    assert terms["labels", 0.25] == terms["labels", 1.0]


@pytest.mark.parametrize("metric", ["irony.loss", "mean.f1_macro", "loss"])
def test_training_stops_by_a_corpus_s_figure_or_a_mean(
    metric: str, tmp_path: Path, tiny: Tiny, sample: Data, irony: Data
) -> None:
    stopping = {"early_stopping": {"metric": metric, "patience": 1}, "keep": "best", "epochs": 2}
    assert train(of_three(tiny, sample, irony, training=stopping), tmp_path / "run")["timing"]["epochs"] <= 2


def test_a_figure_that_no_corpus_has_is_refused_before_training(
    tmp_path: Path, tiny: Tiny, sample: Data, irony: Data
) -> None:
    recipe = of_three(tiny, sample, irony, training={"early_stopping": {"metric": "ironie.loss"}})
    with pytest.raises(UsageError, match=r"did you mean irony\.loss"):
        train(recipe, tmp_path / "run")


def test_contrast_beside_classification_takes_several_and_other_objectives_one(
    tmp_path: Path, tiny: Tiny, sample: Data, irony: Data
) -> None:
    both = {"kind": "supervised-contrastive", "classification": 1.0}
    train(of_three(tiny, sample, irony, objective=both, training={"epochs": 1}), tmp_path / "run")
    assert affekt.load(tmp_path / "run").tasks[1:] == ("several", "irony")
    for objective in ({"kind": "retrofit"}, {"kind": "supervised-contrastive"}, {"kind": "logistic"}):
        with pytest.raises(RecipeError, match="trains on one corpus, and data holds 3"):
            of_three(tiny, sample, irony, objective=objective)
