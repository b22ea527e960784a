"""Checkpoints: all a run needs to go on as if it had never stopped."""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from affekt.errors import ModelError, UsageError, first_line
from affekt.files import written_aside
from affekt.runs.folder import CHECKPOINT
from affekt.training.objectives import Objective


@dataclass
class Progress:
    """Where a run is. Plain values only, so that it is written as JSON."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches finished in the epoch under way
    step: int = 0  # optimiser steps taken
    sums: dict[str, float] = field(default_factory=dict)  # of each loss term, "rows", "tokens", this epoch
    seconds: float = 0.0  # spent on the epoch under way
    history: list[dict[str, Any]] = field(default_factory=list)  # one entry per finished epoch
    best: float | None = None  # value of the watched metric
    waited: int = 0  # epochs since then
    stopped: bool = False  # by early stopping
    earlier: float = 0.0  # time spent on training in earlier sittings


@dataclass
class Checkpoints:
    """The checkpoint of one run folder."""

    folder: Path
    identity: dict[str, str]  # digests of the recipe and the data; a checkpoint of others is refused

    def save(
        self,
        objective: Objective,
        optimizers: list[torch.optim.Optimizer],
        progress: Progress,
        *,
        generators: list[dict[str, torch.Tensor]],
        best: dict[str, torch.Tensor] | None,
        average: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Write the state aside and rename it over the last checkpoint."""
        state = {
            "identity": json.dumps(self.identity, sort_keys=True),
            "objective": objective.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "progress": json.dumps(asdict(progress)),
            "generators": generators,  # one per process: the state of each device's random numbers
            "best": best,
            "average": average,
        }
        with written_aside(self.folder / CHECKPOINT) as aside:
            torch.save(state, aside)

    def load(self, objective: Objective, optimizers: list[torch.optim.Optimizer]) -> "Restored | None":
        """Put the saved state back; None when there is no checkpoint yet."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        state = read_checkpoint(path)
        saved = state["identity"]
        changed = [name for name, digest in self.identity.items() if saved.get(name) != digest]
        if changed:
            raise UsageError(
                f"{self.folder}: the checkpoint belongs to another {' and '.join(changed)}; resume with the "
                "recipe and data it began with, or train into another folder."
            )
        try:
            objective.load_state_dict(state["objective"])
            for optimizer, values in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(values)
        except (RuntimeError, ValueError, KeyError) as fault:
            raise ModelError(_unusable(path, fault)) from fault
        return Restored(state["progress"], state["generators"], state["best"], state["average"])


@dataclass(frozen=True)
class Restored:
    """What a checkpoint gives back beside the weights."""

    progress: Progress
    generators: list[dict[str, torch.Tensor]]
    best: dict[str, torch.Tensor] | None
    average: dict[str, torch.Tensor] | None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint file.

    Raises:
        ModelError: Whatever is wrong with its bytes.
    """
    try:
        with zipfile.ZipFile(path) as records:  # torch checks the form alone, and reads changed numbers
            if records.testzip() is not None:
                raise ValueError("its content has changed since it was written")
        state = torch.load(path, weights_only=True, map_location="cpu")
        state["identity"] = json.loads(state["identity"])
        state["progress"] = Progress(**json.loads(state["progress"]))
        if not all(isinstance(one, dict) for one in state["generators"]):
            raise TypeError("its random numbers are kept in another form")
        kept = ("identity", "objective", "optimizers", "progress", "generators", "best")
        return {name: state[name] for name in kept} | {"average": state.get("average")}  # the newest part
    except Exception as fault:  # a damaged file raises a dozen kinds of exception
        raise ModelError(_unusable(path, fault)) from fault


def _unusable(path: Path, fault: Exception) -> str:
    reason = first_line(fault)
    return f"{path}: not a whole checkpoint of this version ({reason}); remove it to start the run again."
