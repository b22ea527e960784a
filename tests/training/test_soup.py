"""A soup: a whole run of the mean weights of runs that differ in the seed alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from affekt.cli import app
from affekt.errors import DataError, UsageError
from affekt.inference.model import load
from affekt.runs.folder import read_run
from affekt.training.average import mean_weights
from affekt.training.fit import Listener
from affekt.training.run import train
from affekt.training.soup import soup
from training.toys import SEVERAL, network, run_recipe

Tiny = Callable[[str], str]
Data = dict[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny, sample: Data) -> dict[str, Path]:
    """Runs "0" and "1" of two seeds from one start, and of seed 2 "longer" and of other "texts"."""
    folder, made = tmp_path_factory.mktemp("runs"), {}
    quick = {"epochs": 1, "start_seed": 7}
    for name, seed, changes, data in (
        ("0", 0, {}, {}),
        ("1", 1, {}, {}),
        ("longer", 2, {"epochs": 2}, {}),
        ("texts", 2, {}, {"without": ["fear"]}),
    ):
        told = {**quick, "seed": seed, **changes}
        recipe = run_recipe(tiny("bert"), {**sample, **SEVERAL, **data}, training=told)
        train(recipe, folder / name)
        made[name] = folder / name
    return made


def weights(run: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.name} {name}": value
        for path in sorted((run / "model").glob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def test_means_are_taken_in_float32_of_every_weight() -> None:
    parts = [network(seed) for seed in (0, 1, 2)]
    expected = {
        name: sum(part.state_dict()[name].clone() for part in parts) / 3 for name in parts[0].state_dict()
    }
    mean_weights(parts)
    for name, value in parts[0].state_dict().items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-6)


def test_a_soup_is_a_whole_run_of_the_mean_weights(tmp_path: Path, runs: dict[str, Path]) -> None:
    said: list[str] = []
    metrics = soup([runs["0"], runs["1"]], tmp_path / "soup", listener=Listener(said.append), command="x")
    assert (metrics["name"], metrics["command"]) == ("tiny-soup", "x")
    assert metrics["soup"] == {"runs": ["0", "1"], "seeds": [0, 1]}
    made = read_run(tmp_path / "soup")
    assert set(made.predictions) == {"dev", "test"}
    assert made.metrics["decisions"]["fitted_on"]["split"] == "dev"
    one, other, mean = (weights(run) for run in (runs["0"], runs["1"], tmp_path / "soup"))
    moved = [name for name in one if name.startswith("head") and not torch.equal(one[name], other[name])]
    assert moved
    for name in one:
        if name.startswith(("head", "model.safetensors encoder", "model.safetensors embeddings")):
            torch.testing.assert_close(mean[name], (one[name] + other[name]) / 2)
    assert load(tmp_path / "soup").predict(["so happy"])
    assert said[0] == "a soup of 2 runs, seeds 0, 1"
    assert any(line.startswith("dev f1_macro ") for line in said)


def test_a_start_seed_gives_runs_of_several_seeds_the_same_head(tiny: Tiny, sample: Data) -> None:
    from affekt.training.build import build_network
    from affekt.training.data import load_splits

    def head(**training: Any) -> torch.Tensor:
        recipe = run_recipe(tiny("bert"), sample, training=training)
        return build_network(recipe, load_splits(recipe.data)["train"]).classifier.out.weight  # type: ignore[no-any-return]

    assert not torch.equal(head(seed=0), head(seed=1))
    assert torch.equal(head(seed=0, start_seed=3), head(seed=1, start_seed=3))
    assert torch.equal(head(seed=3), head(seed=1, start_seed=3))


@pytest.mark.parametrize(
    ("names", "fault", "message"),
    [
        (["0"], UsageError, "at least two runs"),
        (["0", "0"], DataError, "have the same seed 0"),
        (["0", "longer"], DataError, r"differs from that of .* in training\.epochs; a soup is of"),
        (["0", "texts"], DataError, r"differs from that of .* in data\.without"),
        (["0", "nowhere"], DataError, "no metrics.json"),
    ],
)
def test_what_makes_no_soup_is_one_sentence_and_leaves_nothing(
    names: list[str], fault: type[Exception], message: str, tmp_path: Path, runs: dict[str, Path]
) -> None:
    paths = [runs.get(name, tmp_path / name) for name in names]
    with pytest.raises(fault, match=message) as raised:
        soup(paths, tmp_path / "soup")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "soup").exists()


def test_a_run_is_not_written_over(runs: dict[str, Path]) -> None:
    before = (runs["0"] / "metrics.json").read_bytes()
    with pytest.raises(UsageError, match="holds a run already"):
        soup([runs["0"], runs["1"]], runs["0"])
    assert (runs["0"] / "metrics.json").read_bytes() == before


def test_the_verb_writes_a_run_with_its_report(tmp_path: Path, runs: dict[str, Path]) -> None:
    out = tmp_path / "soup"
    told = ["soup", str(runs["0"]), str(runs["1"]), "--out", str(out), "--json"]
    ended = CliRunner().invoke(app, told)
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["soup"]["seeds"] == [0, 1]
    assert "tiny-soup" in (out / "report.html").read_text(encoding="utf-8")
