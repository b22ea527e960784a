"""From a folder or a name to the runtime that computes it; each is imported only when it is wanted."""

from pathlib import Path
from typing import Any

from affekt.inference.runtimes import Runtime


def open_runtime(folder: Path, description: dict[str, Any], labels: int) -> Runtime:
    """Open the weights or the graph of a model folder, of which `Runtime.save` returned the description."""
    if "graph" in description:
        from affekt.inference.runtimes.onnx import OnnxRuntime, Reading

        return OnnxRuntime(folder, Reading.from_json(description["graph"]))
    if description.get("encoder") == "static":
        from affekt.inference.runtimes import static

        if static.runs(description):
            return static.StaticRuntime(folder, description, labels)
    from affekt.inference.runtimes.torch import TorchRuntime, tried
    from affekt.networks.network import load_network

    return tried(TorchRuntime(load_network(folder, description, labels)))


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
