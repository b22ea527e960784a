"""A run from recipe to folder: what it writes, what it says, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from affekt.errors import DataError, UsageError
from affekt.evaluation import classification
from affekt.inference.model import load
from affekt.recipe.read import read_recipe
from affekt.runs.folder import CHECKPOINT, MARKER, RunFolder
from affekt.training.fit import Listener, fit_model
from affekt.training.run import train
from training.toys import SEVERAL, run_recipe

Tiny = Callable[[str], str]
Data = dict[str, Any]


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, tiny: Tiny, sample: Data
) -> tuple[Path, dict[str, Any], list[str]]:
    """A run of several labels with a contrastive term: its folder, its metrics, and its log."""
    out, said = tmp_path_factory.mktemp("runs") / "run", []
    recipe = run_recipe(
        tiny("bert"),
        {**sample, **SEVERAL},
        objective={"kind": "supervised-contrastive", "classification": 1.0},
        row="D",
        published=[{"metric": "f1_macro", "value": 0.5, "encoder": "bert-base", "source": "someone"}],
    )
    metrics = train(recipe, out, command="affekt train x", listener=Listener(said.append))
    return out, metrics, said


def test_a_run_folder_holds_all_that_later_verbs_read(
    finished: tuple[Path, dict[str, Any], list[str]],
) -> None:
    out, metrics, _ = finished
    files = {entry.name for entry in out.iterdir() if not entry.name.startswith(".")}
    assert files == {"recipe.yaml", "metrics.json", "history.jsonl", "predictions.parquet", "model"}
    assert metrics == json.loads((out / "metrics.json").read_text())
    told = {"format", "affekt", "name", "row", "status", "seed", "command", "created", "data", "encoder"}
    told |= {"objective", "hardware", "timing", "decisions", "test", "dev", "per_label", "calibration"}
    told |= {"clustering", "retrieval", "overlap_retrieval", "space_intervals", "space_shift"}
    told |= {"baselines", "warnings", "published", "examples"}
    assert set(metrics) == told
    assert (metrics["status"], metrics["row"], metrics["command"]) == ("complete", "D", "affekt train x")
    assert metrics["data"]["splits"]["train"]["n"] == 42
    assert metrics["data"]["labels"] == ["anger", "fear", "joy", "love", "sadness", "surprise"]
    assert set(metrics["test"]) == {"fixed", "fitted"}
    for figures in metrics["test"].values():
        assert figures["f1_macro"]["low"] <= figures["f1_macro"]["value"] <= figures["f1_macro"]["high"]
    assert metrics["space_intervals"] == {}  # of fewer than 100 rows there are none
    assert set(metrics["baselines"]) == {"majority", "tfidf"}
    assert metrics["decisions"]["fitted_on"]["split"] == "dev"
    assert metrics["decisions"]["fitted_on"]["n"] == 24
    assert metrics["published"][0]["value"] == 0.5
    assert metrics["timing"]["epochs"] == len(metrics["timing"]["seconds_per_epoch"]) == 2


def test_coarser_labels_are_decided_as_fitted_on_dev_too(
    finished: tuple[Path, dict[str, Any], list[str]],
) -> None:
    model = load(finished[0])
    assert list(model.coarse) == ["ekman", "sentiment"]
    ekman = model.coarser("ekman")
    assert ekman.labels == ("anger", "fear", "joy", "sadness", "surprise")
    assert ekman.deciding() == model.coarse["ekman"]
    assert ekman.deciding().fitted_on == model.deciding().fitted_on


def test_the_history_of_a_contrastive_run_tells_how_many_directions_are_in_use(
    finished: tuple[Path, dict[str, Any], list[str]],
) -> None:
    history = [json.loads(line) for line in (finished[0] / "history.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in history] == [1, 2]
    for entry in history:
        assert set(entry["terms"]) == {"contrastive", "bce"}
        assert 1 <= entry["dev"]["effective_rank"] <= 24
        assert entry["dev"]["starting_rank"] == history[0]["dev"]["starting_rank"]


def test_the_log_names_the_splits_every_epoch_and_the_warnings(
    finished: tuple[Path, dict[str, Any], list[str]],
) -> None:
    _, metrics, said = finished
    assert said[0].startswith("train 42, dev 24, test 24 texts of")
    assert [line[:8] for line in said[1:3]] == ["epoch 1:", "epoch 2:"]
    assert "contrastive" in said[1]
    assert "f1_macro" in said[1]
    assert [f"warning: {warning}" for warning in metrics["warnings"]] == said[3:-1]
    assert said[-1] == "saved: model/ gives the same answers in affekt, transformers, sentence-transformers"


def test_a_finished_folder_is_refused_and_with_resume_its_metrics_come_back(
    finished: tuple[Path, dict[str, Any], list[str]], tiny: Tiny, sample: Data
) -> None:
    out, metrics, _ = finished
    recipe = read_recipe(out / "recipe.yaml")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != MARKER}
    with pytest.raises(UsageError, match="holds a run already"):
        train(recipe, out)
    with pytest.raises(UsageError, match="finished run of another recipe"):
        train(run_recipe(tiny("bert"), sample), out, resume=True)
    (out / CHECKPOINT).touch()  # as a run leaves it that was killed in its last moment
    said: list[str] = []
    assert train(recipe, out, resume=True, listener=Listener(said.append)) == metrics
    assert said == [f"{out} is a finished run.", *(f"warning: {one}" for one in metrics["warnings"])]
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != MARKER}


def test_a_run_of_before_there_were_markers_is_begun_again_by_its_own_recipe_alone(
    tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    recipe = run_recipe(tiny("bert"), sample, training={"epochs": 1})
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    (tmp_path / ".lock").touch()  # as it was killed before its first checkpoint
    with pytest.raises(UsageError, match="holds other files"):
        train(recipe, tmp_path)
    with pytest.raises(UsageError, match="holds a run of another recipe"):
        train(run_recipe(tiny("bert"), sample, training={"epochs": 2}), tmp_path, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.yaml", ".lock"}
    assert train(recipe, tmp_path, resume=True)["status"] == "complete"


def test_a_folder_that_another_run_holds_is_refused(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    with RunFolder(tmp_path).claimed(resume=False), pytest.raises(UsageError, match="another process"):
        train(run_recipe(tiny("bert"), sample), tmp_path)


def test_an_unknown_metric_is_refused_before_training_and_leaves_no_folder(
    tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    said: list[str] = []
    recipe = run_recipe(tiny("bert"), sample, training={"early_stopping": {"metric": "f1_marco"}})
    with pytest.raises(
        UsageError, match=r"early_stopping.metric: unknown dev figure 'f1_marco': did you mean f1_macro"
    ):
        train(recipe, tmp_path / "run", listener=Listener(said.append))
    assert not (tmp_path / "run").exists()
    assert not any(line.startswith("epoch") for line in said)


def test_a_figure_of_which_neither_more_nor_less_is_better_is_no_aim(
    tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    recipe = run_recipe(tiny("bert"), sample, training={"early_stopping": {"metric": "f1_std"}})
    with pytest.raises(UsageError, match="no aim: f1_std is better neither when higher nor when lower"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("objective", "metric"),
    [
        ({"kind": "classify"}, "loss"),
        ({"kind": "classify"}, "jaccard"),
        ({"kind": "retrofit"}, "map_at_r"),
        ({"kind": "retrofit"}, "effective_rank"),
    ],
)
def test_early_stopping_watches_any_dev_figure(
    objective: dict[str, Any], metric: str, tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    stopping = {"early_stopping": {"metric": metric, "patience": 1}, "keep": "best", "epochs": 1}
    recipe = run_recipe(tiny("bert"), sample, objective=objective, training=stopping)
    model, figures = fit_model(recipe, _splits(recipe))
    entry = figures["history"][0]
    assert metric in {**entry["dev"], "loss": entry["dev_loss"]}
    assert model.embed(["so happy"]).shape == (1, 32)


def _splits(recipe: Any) -> Any:
    from affekt.training.data import load_splits

    return load_splits(recipe.data)


def test_early_stopping_without_a_dev_split_is_refused(tiny: Tiny, sample: Data) -> None:
    recipe = run_recipe(tiny("bert"), sample, training={"early_stopping": {"metric": "loss"}})
    with pytest.raises(UsageError, match="early_stopping needs a dev split"):
        fit_model(recipe, {"train": _splits(recipe)["train"]})


def test_a_collapse_is_said_in_the_epoch_it_happens_in(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    """A learning rate far too high throws every text onto the same direction."""
    said: list[str] = []
    recipe = run_recipe(
        tiny("bert"),
        {**sample, **SEVERAL},
        objective={"kind": "supervised-contrastive", "classification": 0.1, "projection": None},
        training={"learning_rate": 3.0, "warmup": 0.0, "clip": 1e9, "epochs": 2},
    )
    metrics = train(recipe, tmp_path / "run", listener=Listener(said.append))
    heard = [i for i, line in enumerate(said) if line.startswith("warning: collapse: texts of")]
    assert said[heard[0] - 1].startswith("epoch 1:")
    assert len(heard) == 1  # and not once more at the end
    assert any("effective rank fell" in warning for warning in metrics["warnings"])


def test_a_number_as_threshold_decides_on_all_labels_and_its_figures_are_the_fixed_ones(
    tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    decisions = {"thresholds": 0.3, "calibration": "none"}
    recipe = run_recipe(
        tiny("bert"), {**sample, **SEVERAL}, decisions=decisions, training={"epochs": 1, "batch_size": 64}
    )
    metrics = train(recipe, tmp_path / "run")
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    test = [row for row in rows if row["split"] == "test"]
    probabilities = 1 / (1 + np.exp(-np.array([row["logits"] for row in test])))
    expected = classification([row["targets"] for row in test], probabilities, 0.3)
    assert metrics["decisions"]["thresholds"] == [0.3] * 6
    assert metrics["test"]["fixed"]["f1_macro"]["value"] == pytest.approx(expected["f1_macro"])
    assert metrics["test"]["fitted"]["f1_macro"] == metrics["test"]["fixed"]["f1_macro"]
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert history[-1]["dev"]["f1_macro"] == pytest.approx(metrics["dev"]["fixed"]["f1_macro"]["value"])


def test_logistic_regression_has_a_history_of_one_entry_with_dev_figures(
    tmp_path: Path, sample: Data
) -> None:
    said: list[str] = []
    recipe = run_recipe(
        "none", sample, encoder={"kind": "tfidf", "options": {"min_count": 1}}, objective={"kind": "logistic"}
    )
    train(recipe, tmp_path / "run", listener=Listener(said.append))
    (entry,) = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert entry["train_loss"] is None
    assert entry["dev_loss"] > 0
    assert 0 <= entry["dev"]["f1_macro"] <= 1
    assert said[1].startswith("epoch 1:")


def test_a_recipe_that_trains_at_once_takes_up_no_checkpoint(tmp_path: Path, sample: Data) -> None:
    encoder = {"kind": "tfidf", "options": {"min_count": 1}}
    recipe = run_recipe("none", sample, encoder=encoder, objective={"kind": "logistic"})
    for name in (CHECKPOINT, "recipe.yaml"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="holds a checkpoint of another recipe"):
        train(recipe, tmp_path, resume=True)
    left = {entry.name: entry.read_text() for entry in tmp_path.iterdir()}
    assert left == {CHECKPOINT: "mine", "recipe.yaml": "mine"}


def test_training_texts_without_labels_or_of_one_label_are_refused(tmp_path: Path, tiny: Tiny) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,labels\n" + "".join(f"text {i},joy\n" for i in range(30)))
    for labels, message in ((None, "has no labels"), ("labels", "only the label 'joy'")):
        recipe = run_recipe(tiny("bert"), {"train": str(path), "labels": labels})
        with pytest.raises(DataError, match=message):
            train(recipe, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_texts_without_labels_are_enough_where_labels_are_not_read(tmp_path: Path, tiny: Tiny) -> None:
    path = tmp_path / "unlabelled.csv"
    path.write_text("text\n" + "".join(f"text number {i} of many\n" for i in range(30)))
    recipe = run_recipe(
        tiny("bert"),
        {"train": str(path), "labels": None},
        objective={"kind": "contrastive-unsupervised"},
        training={"epochs": 1},
    )
    metrics = train(recipe, tmp_path / "run")
    assert metrics["clustering"] is None
    assert metrics["data"]["labels"] == []
    assert (tmp_path / "run" / "model" / "affekt.json").exists()


def test_a_retrofitted_encoder_tells_how_far_it_moved(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    recipe = run_recipe(tiny("bert"), sample, objective={"kind": "retrofit"}, training={"epochs": 1})
    metrics = train(recipe, tmp_path / "run")
    assert metrics["space_shift"]["mean_squared_difference"] > 0
    assert metrics["space_shift"]["n"] == 24
    assert "test" not in metrics  # no classifier, no such figures
    assert metrics["clustering"]["ami"] <= 1


@pytest.mark.parametrize("kind", ["charbert", "bilstm"])
def test_an_encoder_that_was_hardly_trained_has_hardly_moved(
    tmp_path: Path, tiny: Tiny, sample: Data, kind: str
) -> None:
    """The start is drawn again just as training drew it, from the same normalised texts."""
    encoder = {"kind": kind, "max_length": 12}
    if kind == "charbert":
        encoder["name"] = tiny("bert")
    recipe = run_recipe(
        tiny("bert"),
        {**sample, "style": "affekt"},
        encoder=encoder,
        objective={"kind": "retrofit"},
        training={"epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0},
    )
    shift = train(recipe, tmp_path / "run")["space_shift"]
    assert shift["mean_squared_difference"] < 1e-12


def test_a_calibration_that_one_label_per_text_cannot_have_is_refused_before_training(
    tmp_path: Path, tiny: Tiny, sample: Data
) -> None:
    recipe = run_recipe(tiny("bert"), sample, decisions={"calibration": "platt"})
    with pytest.raises(UsageError, match="calibration = 'platt': fits a line per label"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("with_dev", [True, False])
def test_divergence_in_the_very_last_step_is_said_as_such(with_dev: bool, tiny: Tiny, sample: Data) -> None:
    """No loss shows it any more: the one step of this run is taken from a good loss."""
    wild = {"learning_rate": 1e30, "warmup": 0.0, "clip": 1e30, "epochs": 1, "batch_size": 64}
    recipe = run_recipe(tiny("bert"), sample, training=wild)
    splits = _splits(recipe)
    chosen = splits if with_dev else {"train": splits["train"]}
    with pytest.raises(UsageError, match="the loss is nan after step 1: training diverged; lower"):
        fit_model(recipe, chosen)


def test_progress_is_told_over_the_whole_run(tiny: Tiny, sample: Data) -> None:
    recipe, ticks = run_recipe(tiny("bert"), sample), []
    fit_model(recipe, _splits(recipe), listener=Listener(tick=lambda done, of: ticks.append((done, of))))
    assert ticks == [(done, 12) for done in range(1, 13)]
