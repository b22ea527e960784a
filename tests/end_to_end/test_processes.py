"""Training in two processes: one run, one writer, and kill and resume as with one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from training.apart import together, train_together
from training.test_checkpoint import Finished
from training.toys import run_recipe

Data = dict[str, Any]
Tiny = Callable[[str], str]

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo backend"
)


def told(tiny: Tiny, data: Data) -> str:
    """Every batch is shared: a contrastive term that is joined over processes, and classification."""
    weighting = {"name": tiny("bert"), "max_length": 12}
    return run_recipe(
        tiny("bert"), data, objective={"kind": "label-aware", "views": "dropout", "weighting": weighting}
    ).to_yaml()


def test_two_processes_train_one_run_and_go_on_after_a_kill(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    recipe = told(tiny, sample)
    leader, follower = together(
        train_together, 2, tmp_path / "s1", recipe, str(tmp_path / "straight"), False, "", 0
    )
    assert leader.startswith("train 42, dev 24, test 24")
    assert "epoch 2:" in leader
    assert follower == ""  # one speaks
    straight = Finished.read(tmp_path / "straight")
    assert [entry["step"] for entry in straight.history] == [6, 12]
    killed = str(tmp_path / "killed")
    ends = together(train_together, 2, tmp_path / "s2", recipe, killed, False, "batch", 4)
    assert "killed" in ends
    together(train_together, 2, tmp_path / "s3", recipe, killed, True, "", 0)
    Finished.read(tmp_path / "killed").check_same(straight)
    first, second = together(train_together, 2, tmp_path / "s4", recipe, killed, True, "", 0)
    assert first.startswith(f"{killed} is a finished run.")
    assert second == ""


def test_a_fault_is_said_by_one_process_and_ends_both(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    out = tmp_path / "run"
    missing = told(tiny, {**sample, "train": str(tmp_path / "nowhere.csv")})
    ends = together(train_together, 2, tmp_path / "s1", missing, str(out), False, "", 0)
    assert "nowhere.csv" in ends[0]
    assert ends[1].startswith("FollowerError")
    assert not out.exists()
    out.mkdir()
    for name in ("metrics.json", "recipe.yaml"):
        (out / name).touch()
    ends = together(train_together, 2, tmp_path / "s2", told(tiny, sample), str(out), False, "", 0)
    assert "holds a run already" in ends[0]
    assert ends[1].startswith("FollowerError")


@pytest.mark.slow
def test_torchrun_trains_from_the_command_line(tmp_path: Path, tiny: Tiny, sample: Data) -> None:
    """Slow for what it shows, beside two processes that train above: three interpreters import torch."""
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "run"
    recipe.write_text(run_recipe(tiny("bert"), sample, training={"epochs": 1}).to_yaml())
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, "-m", "affekt", "train", str(recipe), "--out", str(out), "--no-report"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    except subprocess.TimeoutExpired:
        pytest.skip("this machine is too busy to launch two processes")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch 1:") == 1
    assert {"metrics.json", "recipe.yaml", "model", "history.jsonl"} <= {
        entry.name for entry in out.iterdir()
    }
