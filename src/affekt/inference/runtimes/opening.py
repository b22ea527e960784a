"""From a folder or a name to the runtime that computes it; each is imported only when it is wanted."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from affekt.decisions import Decisions
from affekt.files import CARD, read_json
from affekt.inference.runtimes import Runtime

if TYPE_CHECKING:
    from affekt.inference.runtimes.cascade import Stage


def open_runtime(folder: Path, description: dict[str, Any], labels: int) -> Runtime:
    """Open the weights or the graph of a model folder, of which `Runtime.save` returned the description."""
    if "graph" in description:
        from affekt.inference.runtimes.onnx import OnnxRuntime, Reading

        return OnnxRuntime(folder, Reading.from_json(description["graph"]))
    if "cascade" in description:
        from affekt.inference.runtimes.cascade import STAGES, CascadeRuntime, Rule

        rule, stages = Rule.from_json(description["cascade"]), [_stage(folder / name) for name in STAGES]
        return CascadeRuntime(folder, rule, *stages)
    if description.get("encoder") == "static":
        from affekt.inference.runtimes import static

        if static.runs(description):
            return static.StaticRuntime(folder, description, labels)
    from affekt.inference.runtimes.torch import TorchRuntime, tried
    from affekt.networks.network import load_network

    return tried(TorchRuntime(load_network(folder, description, labels)))


def needs_torch(folder: Path, description: dict[str, Any]) -> bool:
    """Whether nothing but torch runs a described model, or one of the two of a cascade."""
    if "graph" in description:
        return False
    if "cascade" in description:
        from affekt.inference.runtimes.cascade import STAGES

        stages = (folder / name for name in STAGES)
        return any(needs_torch(stage, read_json(stage / CARD)["network"]) for stage in stages)
    if description.get("encoder") != "static":
        return True
    from affekt.inference.runtimes import static

    return not static.runs(description)


def _stage(folder: Path) -> "Stage":
    """Open one of the two models of a cascade."""
    from affekt.inference.runtimes.cascade import Stage

    card = read_json(folder / CARD)
    runtime = open_runtime(folder, card["network"], len(card["labels"]))
    return Stage(runtime, Decisions.from_json(card["decisions"]), str(card["style"]))


def further_runtimes(runtime: Runtime) -> dict[str, Runtime]:
    """Return a runtime for each head that an opened one has beside its first; all share one encoder."""
    network: Any = getattr(runtime, "network", None)
    if network is None or not network.further:
        return {}
    from affekt.inference.runtimes.torch import TorchRuntime

    return {task: TorchRuntime(network.of(task)) for task in network.further}


def open_encoder(name: str) -> tuple[Runtime, str]:
    """Open an encoder that affekt did not write, by folder or name, with the normalisation of its texts."""
    from affekt.inference.runtimes import torch

    return torch.open_encoder(name)
