"""The layers of a pretrained transformer, and a smaller one of some of them."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from affekt.errors import UsageError


def layers_of(backbone: Any) -> nn.ModuleList | None:
    """Return a transformer's layers from the input upwards; None where they stand elsewhere than in BERT."""
    stack = getattr(backbone, "encoder", None) or getattr(backbone, "transformer", None)
    layers = getattr(stack, "layer", None)
    return layers if isinstance(layers, nn.ModuleList) else None


def keep_layers(backbone: Any, kept: Sequence[int], name: str) -> None:
    """Cut a transformer to some of its layers, counted from 0 at the input; what it saves has only these.

    Raises:
        UsageError: When it has not these layers, or they are not each for itself.
    """
    layers, config = layers_of(backbone), backbone.config
    if layers is None or len(layers) != config.num_hidden_layers:
        raise UsageError(
            f"encoder.layers: those of {name!r} cannot be chosen, since its family keeps them in another "
            "form; leave it out."
        )
    if beyond := [place for place in kept if place >= len(layers)]:
        raise UsageError(
            f"encoder.layers: {name!r} has {len(layers)} layers, counted from 0, and none {beyond[0]}."
        )
    chosen = [layers[place] for place in kept]
    del layers[:]
    layers.extend(chosen)
    config.num_hidden_layers = len(chosen)
