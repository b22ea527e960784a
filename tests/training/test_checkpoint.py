"""kill -9 at any moment, then resume: the figures and the weights of the run that was never stopped."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from affekt.errors import ModelError, UsageError
from affekt.inference.model import Model
from affekt.recipe.objectives import Classify
from affekt.recipe.sections import Recipe, TrainingSpec
from affekt.runs.folder import CHECKPOINT, MARKER
from affekt.training.checkpoint import Checkpoints, Progress
from affekt.training.checkpoint import read_checkpoint as read
from affekt.training.fit import Listener
from affekt.training.objectives import ClassifyObjective, LogitLoss
from affekt.training.optimizer import build_optimizers
from affekt.training.run import train
from training.apart import outcome, train_and_die
from training.toys import SEVERAL, network, run_recipe

KILLED = -9
_OF_THE_MOMENT = {"timing", "created", "hardware"}


@dataclass(frozen=True)
class Finished:
    """All of a run that must not depend on when it was killed."""

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    weights: dict[str, torch.Tensor]
    predictions: list[dict[str, Any]]

    @classmethod
    def read(cls, out: Path) -> "Finished":
        metrics = json.loads((out / "metrics.json").read_text())
        lines = (out / "history.jsonl").read_text().splitlines()
        history = [json.loads(line) for line in lines]
        for entry in history:
            del entry["seconds"], entry["tokens_per_second"]
        weights = {
            f"{path.name} {name}": tensor
            for path in sorted((out / "model").glob("*.safetensors"))
            for name, tensor in load_file(path).items()
        }
        table = out / "predictions.parquet"
        predictions = pq.read_table(table).to_pylist() if table.exists() else []
        kept = {key: value for key, value in metrics.items() if key not in _OF_THE_MOMENT}
        return cls(kept, history, weights, predictions)

    def check_same(self, other: "Finished") -> None:
        assert self.metrics == other.metrics
        assert self.history == other.history
        assert self.predictions == other.predictions
        assert set(self.weights) == set(other.weights)
        assert self.weights
        assert all(torch.equal(tensor, other.weights[name]) for name, tensor in self.weights.items())


def straight(recipe: Recipe, out: Path) -> Finished:
    assert outcome(train_and_die, recipe.to_yaml(), str(out), False, "", 0) == 0
    return Finished.read(out)


def killed(recipe: Recipe, out: Path, moments: list[tuple[str, int]]) -> Finished:
    """Kill a run at each of some moments, resume it each time, and let it end."""
    for place, (moment, count) in enumerate(moments):
        assert outcome(train_and_die, recipe.to_yaml(), str(out), place > 0, moment, count) == KILLED, moment
        assert not (out / "metrics.json").exists()
    assert outcome(train_and_die, recipe.to_yaml(), str(out), True, "", 0) == 0
    leftovers = [entry.name for entry in out.iterdir() if entry.name.startswith(".")]
    assert leftovers == [MARKER]
    assert not (out / CHECKPOINT).exists()
    return Finished.read(out)


_BATCHES = 12  # of a run: 42 texts in batches of 8, twice
_DRAW = random.Random()  # anywhere: each test run tries other moments, and says which when it fails
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, int]]]] = {
    "at a batch, while a checkpoint is written, while predictions are written": (
        {},
        [("batch", _DRAW.randint(1, _BATCHES - 3)), ("saving", 2), ("predictions", 1)],
    ),
    "with several batches a step": (
        {"training": {"accumulate": 2}},
        [("batch", _DRAW.randint(1, _BATCHES - 1)), ("batch", 1)],
    ),
    "with the best epoch kept": (
        {
            "training": {
                "epochs": 4,
                "learning_rate": 0.02,
                "early_stopping": {"metric": "f1_macro", "patience": 2},
                "keep": "best",
            }
        },
        [("batch", _DRAW.randint(1, _BATCHES + 5))],
    ),
    "with rows drawn by class and two views": (
        {
            "training": {"sampler": "m-per-class", "rows_per_class": 2},
            "objective": {"kind": "supervised-contrastive", "views": "dropout"},
        },
        [("batch", _DRAW.randint(1, _BATCHES))],
    ),
    "with a teacher and texts without labels": (
        {"objective": {"kind": "distil", "texts": ["sample"]}},
        [("batch", _DRAW.randint(1, _BATCHES))],
    ),
    "with several corpora": (
        {"training": {"early_stopping": {"metric": "mean.f1_macro"}, "keep": "best"}},
        [("batch", _DRAW.randint(1, 2 * _BATCHES - 2)), ("predictions", 1)],
    ),
    "with averaged weights": (
        {"training": {"average": 0.8}},
        [("batch", _DRAW.randint(1, _BATCHES - 2)), ("batch", 1)],
    ),
    "with a second network and changed texts": (
        {"objective": {"kind": "label-aware", "views": "synonym", "warmup_epochs": 0.5}},
        [("batch", _DRAW.randint(1, _BATCHES))],
    ),
}


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Finished]:
    """Give a recipe's run that was never stopped, made once."""
    made: dict[str, Finished] = {}

    def run(recipe: Recipe) -> Finished:
        if recipe.digest not in made:
            made[recipe.digest] = straight(recipe, tmp_path_factory.mktemp("straight") / "run")
        return made[recipe.digest]

    return run


Straight = Callable[[Recipe], Finished]
Tiny = Callable[[str], str]


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_goes_on_as_if_it_had_never_stopped(
    case: str, tmp_path: Path, tiny: Tiny, sample: dict[str, Any], never_stopped: Straight
) -> None:
    sections, moments = CASES[case]
    if sections.get("objective", {}).get("kind") == "distil":
        taught = run_recipe(tiny("roberta"), sample, training={"epochs": 1})
        teacher = train(taught, tmp_path / "teacher") and str(tmp_path / "teacher")
        sections = {**sections, "objective": {**sections["objective"], "teachers": [teacher]}}
    if sections.get("objective", {}).get("kind") == "label-aware":
        weighting = {"name": tiny("bert"), "max_length": 12}
        sections = {**sections, "objective": {**sections["objective"], "weighting": weighting}}
    data: Any = [sample, {**sample, **SEVERAL, "task": "several"}] if "corpora" in case else sample
    recipe = run_recipe(tiny("bert"), data, **sections)
    try:
        killed(recipe, tmp_path / "killed", moments).check_same(never_stopped(recipe))
    except AssertionError as fault:
        raise AssertionError(f"killed at {moments}") from fault


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(
    tmp_path: Path, tiny: Tiny, sample: dict[str, Any], never_stopped: Straight
) -> None:
    recipe = run_recipe(tiny("bert"), sample)
    straight(recipe, tmp_path / "again").check_same(never_stopped(recipe))
    other = straight(run_recipe(tiny("bert"), sample, training={"seed": 1}), tmp_path / "other")
    assert other.history != never_stopped(recipe).history


def test_a_run_killed_before_its_first_checkpoint_begins_again(
    tmp_path: Path, tiny: Tiny, sample: dict[str, Any], never_stopped: Straight
) -> None:
    recipe = run_recipe(tiny("bert"), sample, training={"checkpoint_seconds": 1e9})
    out = tmp_path / "killed"
    assert outcome(train_and_die, recipe.to_yaml(), str(out), False, "batch", 3) == KILLED
    assert (out / "recipe.yaml").exists()
    assert not (out / CHECKPOINT).exists()
    assert outcome(train_and_die, recipe.to_yaml(), str(out), False, "", 0) == 0  # --resume is not needed
    Finished.read(out).check_same(never_stopped(run_recipe(tiny("bert"), sample)))


# --- what a checkpoint refuses


@pytest.fixture
def halted(tmp_path: Path, tiny: Tiny, sample: dict[str, Any]) -> tuple[Recipe, Path]:
    """A run killed in its first epoch."""
    recipe, out = run_recipe(tiny("bert"), sample, training={"epochs": 1}), tmp_path / "run"
    assert outcome(train_and_die, recipe.to_yaml(), str(out), False, "batch", 3) == KILLED
    assert (out / CHECKPOINT).exists()
    return recipe, out


def test_a_checkpoint_is_of_one_recipe_and_one_data_set(
    halted: tuple[Recipe, Path], tiny: Tiny, sample: dict[str, Any]
) -> None:
    recipe, out = halted
    with pytest.raises(UsageError, match="holds a run already; add --resume"):
        train(recipe, out)
    other = run_recipe(tiny("bert"), sample, training={"epochs": 2})
    with pytest.raises(UsageError, match="belongs to another recipe;"):
        train(other, out, resume=True)
    less = run_recipe(tiny("bert"), {**sample, "train_share": 0.5}, training={"epochs": 1})
    with pytest.raises(UsageError, match=r"belongs to another recipe and data \(train\);"):
        train(less, out, resume=True)
    assert (out / "recipe.yaml").read_text() == recipe.to_yaml()  # nothing was overwritten


def test_a_damaged_checkpoint_is_a_clear_fault(halted: tuple[Recipe, Path]) -> None:
    recipe, out = halted
    whole = (out / CHECKPOINT).read_bytes()
    state = torch.load(out / CHECKPOINT, weights_only=True)
    damaged = [b"", whole[: len(whole) // 2], b"\x00" * 500, b"no checkpoint at all", whole[:40]]
    for content in damaged:
        (out / CHECKPOINT).write_bytes(content)
        with pytest.raises(ModelError, match=r"checkpoint\.pt: not a whole checkpoint .* remove it"):
            train(recipe, out, resume=True)
    for missing in ("identity", "objective", "generators"):
        torch.save({name: value for name, value in state.items() if name != missing}, out / CHECKPOINT)
        with pytest.raises(ModelError, match="not a whole checkpoint"):
            train(recipe, out, resume=True)
    torch.save(
        {**state, "generators": [torch.get_rng_state()]}, out / CHECKPOINT
    )  # as an earlier version did
    with pytest.raises(ModelError, match="not a whole checkpoint of this version"):
        train(recipe, out, resume=True)
    torch.save([1, 2], out / CHECKPOINT)
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        train(recipe, out, resume=True)
    torch.save({**state, "objective": {}}, out / CHECKPOINT)
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        train(recipe, out, resume=True)


def test_a_changed_bit_anywhere_is_refused_or_does_not_matter(halted: tuple[Recipe, Path]) -> None:
    _, out = halted
    whole, draw = (out / CHECKPOINT).read_bytes(), random.Random(0)
    kept, refusals = read(out / CHECKPOINT), 0
    for _ in range(150):
        place = draw.randrange(len(whole))
        changed = bytearray(whole)
        changed[place] ^= 1 << draw.randrange(8)
        (out / CHECKPOINT).write_bytes(changed)
        try:
            assert same(read(out / CHECKPOINT), kept), place
        except ModelError:
            refusals += 1
    assert refusals > 100  # the rest fell on padding


def same(first: Any, second: Any) -> bool:
    """Whether two states hold the same values, to the bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def test_a_checkpoint_of_several_processes_is_resumed_by_as_many(halted: tuple[Recipe, Path]) -> None:
    recipe, out = halted
    state = torch.load(out / CHECKPOINT, weights_only=True)
    torch.save({**state, "generators": state["generators"] * 2}, out / CHECKPOINT)
    with pytest.raises(UsageError, match="written by 2 processes and this is a run of 1"):
        train(recipe, out, resume=True)


# --- a full disk


@pytest.mark.parametrize("after", [0, 9])  # batches: before any checkpoint, and over one
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_once_there_is_room(
    after: int, tmp_path: Path, tiny: Tiny, sample: dict[str, Any], never_stopped: Straight
) -> None:
    recipe, out, before = run_recipe(tiny("bert"), sample), tmp_path / "run", getrlimit(RLIMIT_FSIZE)
    done = 0

    def tick(at: int, of: int) -> None:
        nonlocal done
        done += 1
        if done > after:  # no file may grow larger than the recipe: a disk with that much room
            setrlimit(RLIMIT_FSIZE, (10_000, before[1]))

    try:
        with pytest.raises(
            UsageError, match=r"checkpoint\.pt: could not be written \(.*\); nothing was left"
        ):
            train(recipe, out, listener=Listener(tick=tick))
    finally:
        setrlimit(RLIMIT_FSIZE, before)
    assert (out / CHECKPOINT).exists() == bool(after)
    train(recipe, out, resume=True)
    Finished.read(out).check_same(never_stopped(recipe))


# --- the file


def test_what_is_saved_comes_back_to_the_bit(tmp_path: Path) -> None:
    objective = ClassifyObjective(network(), Classify(), LogitLoss(Classify(), single_label=False))
    optimizers = build_optimizers(objective, TrainingSpec())
    progress = Progress(epoch=1, batch=3, step=7, sums={"bce": 0.1 + 0.2}, best=1 / 3, history=[{"epoch": 1}])
    checkpoints = Checkpoints(tmp_path, {"recipe": "r", "data (train)": "d"})
    assert checkpoints.load(objective, optimizers) is None
    states = [{"cpu": torch.get_rng_state()}]
    checkpoints.save(objective, optimizers, progress, generators=states, best={"x": torch.ones(2)})
    fresh = ClassifyObjective(network(9), Classify(), LogitLoss(Classify(), single_label=False))
    restored = checkpoints.load(fresh, build_optimizers(fresh, TrainingSpec()))
    assert restored is not None
    assert restored.progress == progress
    assert restored.best is not None
    assert torch.equal(restored.best["x"], torch.ones(2))
    assert torch.equal(restored.generators[0]["cpu"], states[0]["cpu"])
    for name, value in objective.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)
    assert [entry.name for entry in tmp_path.iterdir()] == [CHECKPOINT]


def test_the_time_of_earlier_sittings_counts(halted: tuple[Recipe, Path]) -> None:
    recipe, out = halted
    state = torch.load(out / CHECKPOINT, weights_only=True)
    progress = json.loads(state["progress"])
    assert 0 < progress["earlier"] < 300
    torch.save({**state, "progress": json.dumps({**progress, "earlier": 5000.0})}, out / CHECKPOINT)
    assert train(recipe, out, resume=True)["timing"]["total_seconds"] > 5000


def test_the_finished_model_predicts(halted: tuple[Recipe, Path]) -> None:
    from affekt.inference.model import load

    recipe, out = halted
    train(recipe, out, resume=True)
    model = load(out)
    assert isinstance(model, Model)
    assert len(model.predict(["so happy"])[0].scores) == 6
