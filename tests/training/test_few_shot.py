"""Few rows: drawn, contrasted many times over, then a head fitted on what became of the encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affekt.data.corpus import Corpus
from affekt.errors import RecipeError
from affekt.inference.model import load
from affekt.recipe.sections import Recipe
from affekt.training.data import load_splits
from affekt.training.fit import fit_model
from affekt.training.logistic import fit_logistic
from affekt.training.objectives import FewShotObjective, LogitLoss
from affekt.training.rows import TrainingRows, count_steps, epoch_batches
from affekt.training.run import train
from training.toys import SEVERAL, SINGLE, TEXTS, batch_of, network, recipe, run_recipe

Tiny = Callable[[str], str]
Data = dict[str, Any]
FEW = {"kind": "few-shot", "passes_per_epoch": 3}


def few_shot(tiny: Tiny, data: Data, **sections: Any) -> Recipe:
    sections = {"objective": FEW, "training": {"epochs": 1, "sampler": "m-per-class"}, **sections}
    return run_recipe(tiny("bert"), {**data, "rows_per_label": 3}, **sections)


def test_so_many_rows_of_each_label_are_trained_on_and_the_others_stay(sample: Data) -> None:
    whole = load_splits(recipe(data=sample).data)
    few = load_splits(recipe(data={**sample, "rows_per_label": 3}).data)
    assert set(few["train"].label_counts.values()) == {3}
    assert set(few["train"].texts) < set(whole["train"].texts)
    assert few["dev"].texts == whole["dev"].texts
    other = load_splits(recipe(data={**sample, "rows_per_label": 3, "split_seed": 1}).data)
    assert other["train"].texts != few["train"].texts


def test_texts_without_labels_have_no_rows_per_label(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text\n" + "\n".join(f"post {i}" for i in range(30)), encoding="utf-8")
    data = {"train": str(path), "labels": None, "rows_per_label": 3}
    with pytest.raises(RecipeError, match=r"data\.rows_per_label: there are no labels"):
        load_splits(recipe(data=data).data)


def test_a_digest_is_what_it_was_where_rows_are_not_counted() -> None:
    assert recipe().digest == recipe(data={"rows_per_label": None}).digest
    assert recipe().digest != recipe(data={"rows_per_label": 8}).digest


def test_the_loss_is_the_supervised_contrast_of_the_encoder_s_own_vectors() -> None:
    from affekt.losses import supervised_contrastive

    made, spec = network(head=False), recipe(objective={**FEW, "temperature": 0.2}).objective
    objective = FewShotObjective(made, spec, LogitLoss(recipe().objective, single_label=True))
    terms = objective({"text": batch_of(made)}, SINGLE)
    expected = supervised_contrastive(made.encode(batch_of(made)).vectors, SINGLE, temperature=0.2)
    assert list(terms) == ["contrastive"]
    assert torch.equal(terms["contrastive"], expected)


def test_an_epoch_goes_through_the_rows_as_often_as_is_said_each_time_in_new_batches() -> None:
    made = recipe(objective=FEW, training={"batch_size": 2, "epochs": 2})
    corpus = Corpus.build(TEXTS, SINGLE.numpy(), single_label=True)
    rows = {"labels": TrainingRows(corpus, {"text": network().encoder})}
    batches = [tuple(batch.tolist()) for _, batch in epoch_batches(made, rows, 0)]
    assert np.bincount(np.concatenate(batches)).tolist() == [3] * 6
    assert len(set(batches)) > 3
    assert count_steps(made, rows) == 2 * 3 * 3


def test_the_head_is_the_one_that_is_fitted_on_the_tuned_encoder(tiny: Tiny, sample: Data) -> None:
    made = few_shot(tiny, sample)
    few = load_splits(made.data)["train"]
    model, metrics = fit_model(made, {"train": few})
    assert list(metrics["history"][0]["terms"]) == ["contrastive"]
    assert metrics["history"][0]["dev"] == {}
    again = fit_logistic(model.runtime.network.encoder, few, made.objective)
    head = model.runtime.network.head
    assert torch.allclose(head.out.weight, again.out.weight, atol=1e-4)
    assert model.decisions is not None
    assert np.allclose(model.probabilities(few.texts).sum(1), 1, atol=1e-5)


def test_a_run_of_few_rows_is_like_any_other_and_repeats(tiny: Tiny, sample: Data, tmp_path: Path) -> None:
    made = few_shot(tiny, sample, row="C")
    metrics = train(made, tmp_path / "run")
    assert metrics["data"]["splits"]["train"]["n"] == 18
    assert metrics["test"]["fixed"]["accuracy"]["value"] >= 0
    again = train(made, tmp_path / "again")
    assert again["test"] == metrics["test"]
    probabilities = [load(tmp_path / name).probabilities(TEXTS) for name in ("run", "again")]
    assert np.array_equal(*probabilities)


def test_several_labels_are_decided_without_a_dev_split(tiny: Tiny, sample: Data) -> None:
    made = few_shot(tiny, {**sample, **SEVERAL})
    few = load_splits(made.data)["train"]
    model, _ = fit_model(made, {"train": few})
    assert not model.single_label
    assert model.deciding().decide(model.probabilities(few.texts)).shape == few.targets.shape
