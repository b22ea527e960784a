"""Teachers: asked once, of texts in their own normalisation, with their labels in any order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affekt.data.corpus import Corpus
from affekt.errors import DataError, ModelError, RecipeError
from affekt.files import cache_folder
from affekt.inference.model import Model, load
from affekt.recipe.sections import Recipe
from affekt.runs.folder import RunFolder
from affekt.training.data import load_splits
from affekt.training.fit import Listener, fit_model
from affekt.training.run import train
from affekt.training.teachers import Lessons, lessons
from training.toys import SEVERAL, run_recipe

Tiny = Callable[[str], str]
Data = dict[str, Any]
QUICK = {"epochs": 1, "batch_size": 16}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny, sample: Data) -> dict[str, str]:
    """Teachers of one label ("one") and of several ("a", "b"); "b" has another order of labels and style."""
    folder = tmp_path_factory.mktemp("teachers")
    made = {}
    for name, data, style in (
        ("one", sample, None),
        ("a", sample | SEVERAL, None),
        ("b", sample | SEVERAL, "affekt"),
    ):
        recipe = run_recipe(
            tiny("bert" if name == "a" else "roberta"), {**data, "style": style}, training=QUICK
        )
        splits = load_splits(recipe.data)
        if name == "b":
            splits = {split: reordered(corpus) for split, corpus in splits.items()}
        model, _ = fit_model(recipe, splits)
        made[name] = str(model.save(folder / name))
    return made


def reordered(corpus: Corpus) -> Corpus:
    order = [3, 0, 5, 1, 4, 2]
    return replace(corpus, targets=corpus.targets[:, order], labels=tuple(corpus.labels[i] for i in order))


def told(tiny: Tiny, data: Data, *names: str, **objective: Any) -> Recipe:
    section = {"kind": "distil", "teachers": list(names), **objective}
    return run_recipe(tiny("bert"), data, objective=section, training=QUICK)


def taught(recipe: Recipe, said: list[str] | None = None) -> Lessons:
    made = lessons(recipe, load_splits(recipe.data), (said if said is not None else []).append)
    assert made is not None
    return made


def test_other_objectives_have_no_teachers(tiny: Tiny, sample: Data) -> None:
    recipe = run_recipe(tiny("bert"), sample)
    assert lessons(recipe, load_splits(recipe.data)) is None


def test_what_several_teachers_say_is_the_mean_of_their_probabilities_in_the_order_of_the_corpus(
    tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    recipe = told(tiny, sample | SEVERAL, teachers["a"], teachers["b"], temperature=3.0)
    said: list[str] = []
    made, train_texts = taught(recipe, said), load_splits(recipe.data)["train"]
    expected = np.zeros((len(train_texts), 6))
    for name in ("a", "b"):
        model = load(teachers[name])
        logits = model.logits(train_texts.texts)  # of raw texts: each model has its own normaliser
        order = [model.labels.index(label) for label in train_texts.labels]
        expected += 1 / (1 + np.exp(-logits[:, order].astype(float) / 3)) / 2
    np.testing.assert_allclose(made.probabilities.numpy(), expected, atol=1e-6)
    assert made.labelled.all()
    assert [line.split(":")[0] for line in said] == ["teacher 1 of 2", "teacher 2 of 2"]


def test_one_label_is_taught_by_a_softmax(tiny: Tiny, sample: Data, teachers: dict[str, str]) -> None:
    made = taught(told(tiny, sample, teachers["one"], texts=["sample-multilabel"]))
    torch.testing.assert_close(made.probabilities.sum(1), torch.ones(len(made.probabilities)))
    assert made.corpus.single_label
    assert not made.labelled.all()


def test_answers_are_kept_and_what_is_damaged_is_computed_again(
    tiny: Tiny, sample: Data, teachers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    logits = Model.logits
    monkeypatch.setattr(Model, "logits", lambda self, texts: asked.append(len(texts)) or logits(self, texts))
    recipe = told(tiny, sample, teachers["one"])
    first = taught(recipe)
    assert asked == [42]
    assert torch.equal(taught(recipe).probabilities, first.probabilities)
    assert asked == [42]
    (kept,) = cache_folder().rglob("*.npz")
    whole = kept.read_bytes()
    for place in (0, 40, len(whole) // 2, len(whole) - 30):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        assert torch.equal(taught(recipe).probabilities, first.probabilities)
    for damaged in (b"", b"no zip file", whole[: len(whole) // 2]):
        kept.write_bytes(damaged)
        asked.clear()
        assert torch.equal(taught(recipe).probabilities, first.probabilities)
        assert asked == [42]
    assert kept.read_bytes() == whole


def test_a_teacher_trained_anew_is_asked_anew(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    copy = load(teachers["one"]).save(tmp_path / "copy")
    recipe = told(tiny, sample, str(copy))
    before = taught(recipe)
    model = load(copy)
    with torch.no_grad():
        model.runtime.network.classifier.out.weight.mul_(-3)  # type: ignore[attr-defined]
    model.save(copy)
    after = taught(recipe)
    assert before.digest != after.digest
    assert not torch.allclose(before.probabilities, after.probabilities)


def test_further_texts_join_once_without_those_of_dev_and_test(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    recipe = told(tiny, sample, teachers["one"])
    splits = load_splits(recipe.data)
    new = ["a text nobody has seen", "and one more of them"]
    changed = " ".join([*splits["dev"].texts[2].split(), "!!"])
    old = [
        changed,
        splits["dev"].texts[0].upper(),
        f"  {splits['test'].texts[1]} ",
        splits["train"].texts[0],
        new[0],
    ]
    file = tmp_path / "more.txt"
    file.write_text("\n".join([*new, *old]) + "\n", encoding="utf-8")
    said: list[str] = []
    made = taught(told(tiny, sample, teachers["one"], texts=[str(file)]), said)
    assert made.corpus.texts[42:] == new
    assert made.labelled.tolist() == [True] * 42 + [False] * 2
    assert made.left_out == {"of dev, test or guard": 3, "that came before": 2}
    listed = [(one.corpus, one.row, one.met_in, one.similarity) for one in made.leaked]
    assert listed == [(str(file), 2, "dev", 1), (str(file), 3, "dev", 1), (str(file), 4, "test", 1)]
    assert said[0] == "further texts: 2, 3 of dev, test or guard and 2 that came before left out; 44 train"
    np.testing.assert_allclose(made.corpus.targets[42:].sum(1), 1, atol=1e-5)


def test_a_known_data_set_gives_its_training_texts_alone(
    tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    from affekt.data import catalog

    made = taught(told(tiny, sample, teachers["one"], texts=["sample"]))
    corpora = catalog.load("sample")
    assert set(made.corpus.texts[42:]) <= set(corpora["train"].texts)
    assert not set(made.corpus.texts) & set(corpora["test"].texts) - set(corpora["train"].texts)


def test_further_texts_that_are_guarded_are_left_out(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    (tmp_path / "more.txt").write_text("a text nobody has seen\na text that is guarded\n", encoding="utf-8")
    (tmp_path / "kept.csv").write_text("text\nA text that is guarded!\n", encoding="utf-8")
    recipe = told(tiny, sample, teachers["one"], texts=[str(tmp_path / "more.txt")])
    guarding = recipe.model_copy(update={"guard": (str(tmp_path / "kept.csv"),)})
    assert taught(guarding).corpus.texts[42:] == ["a text nobody has seen"]


def test_texts_without_a_train_split_are_refused(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    for split in ("dev", "test"):
        (tmp_path / f"{split}.csv").write_text("text\nso happy\n", encoding="utf-8")
    recipe = told(tiny, sample, teachers["one"], texts=[str(tmp_path)])
    with pytest.raises(DataError, match=r"objective\.texts: .* has no train split, only dev, test"):
        lessons(recipe, load_splits(recipe.data))


def test_a_teacher_of_other_labels_another_task_or_no_labels_is_refused_before_a_run_begins(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    wide = {**sample, "without": ["fear"]}
    cases: list[tuple[Data, str, type[Exception], str]] = [
        (wide, teachers["one"], RecipeError, r"other labels than .* \(it lacks none, and has fear more\)"),
        (sample, teachers["a"], RecipeError, "gives a text several labels and .* has one label per text"),
        (sample | SEVERAL, teachers["one"], RecipeError, "gives a text one label and .* has several"),
        (sample, tiny("bert"), ModelError, "is an encoder without labels; name a trained model"),
        (sample, str(tmp_path / "nowhere"), ModelError, r"^objective\.teachers: .*nowhere: no such folder"),
        (sample, "nowhere", ModelError, r"^objective\.teachers: 'nowhere': no such folder"),
        (sample, sample["train"], ModelError, r"^objective\.teachers: .*train\.csv: is a file"),
    ]
    for data, teacher, fault, message in cases:
        with pytest.raises(fault, match=message) as raised:
            train(told(tiny, data, teacher), tmp_path / "run")
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "run").exists()


def test_a_distilled_run_is_a_whole_run(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    said: list[str] = []
    seen = tmp_path / "seen.txt"
    seen.write_text(Corpus.read(sample["test"], labels="emotion").texts[0] + "\n", encoding="utf-8")
    sources = ["sample-multilabel", str(seen)]
    recipe = told(tiny, sample | SEVERAL, teachers["a"], teachers["b"], texts=sources)
    metrics = train(recipe, tmp_path / "run", listener=Listener(said.append))
    assert metrics["status"] == "complete"
    assert metrics["data"]["splits"]["train"]["n"] == 42
    further = metrics["data"]["further_texts"]
    assert f"further texts: {further['n']:,}, " in "\n".join(said)
    assert further["n"] > 0
    assert f"{seen},0,1,test," in (tmp_path / "run" / "leaks.csv").read_text(encoding="utf-8")
    assert set(RunFolder(tmp_path / "run").history[0]["terms"]) == {"bce", "teachers"}
    assert load(tmp_path / "run").predict(["so happy"])


def test_a_student_of_some_of_the_teachers_layers_is_a_whole_run_too(
    tmp_path: Path, tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    recipe = told(tiny, sample | SEVERAL, teachers["a"])
    cut = {"encoder": recipe.encoder.model_copy(update={"name": teachers["a"], "layers": (1,)})}
    metrics = train(recipe.model_copy(update=cut), tmp_path / "run")
    assert metrics["encoder"]["name"] == f"{teachers['a']} (layers 1)"
    assert load(tmp_path / "run").runtime.network.encoder.backbone.config.num_hidden_layers == 1  # type: ignore[attr-defined]


def test_a_student_learns_what_its_teacher_says_rather_than_the_labels(
    tiny: Tiny, sample: Data, teachers: dict[str, str]
) -> None:
    recipe = told(tiny, sample, teachers["one"], hard=0.0)
    recipe = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"epochs": 30, "learning_rate": 5e-3})}
    )
    splits = load_splits(recipe.data)
    student, _ = fit_model(recipe, {"train": splits["train"]})
    said, learned = (model.probabilities(splits["train"].texts) for model in (load(teachers["one"]), student))
    assert np.abs(said - learned).mean() < 0.05
    assert np.abs(splits["train"].targets - learned).mean() > 0.15
