"""What the small encoders share: how they start, their options, encoder.json and encoder.safetensors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import torch
from pydantic import Field, PositiveInt, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from affekt.errors import ModelError, RecipeError, unknown_name
from affekt.files import read_json, write_json, written_aside

Options = TypeVar("Options")
Size = PositiveInt  # with Share, what the fields of an encoder's options may be
Share = Annotated[float, Field(ge=0, lt=1)]
Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Draw torch's random numbers on the CPU from this seed inside the block, then go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def start_for_relu(network: nn.Module) -> None:
    """Draw the weights of convolutions and linear layers as He et al. (2015) advise for ReLU; biases are 0.

    With torch's own smaller start each layer fades its input: after five a text is no more to be seen.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(cast(torch.Tensor, module.bias))


def read_options(kind: str, options: type[Options], given: Mapping[str, Any]) -> Options:
    """Return the options of an encoder, a dataclass, with the values of a recipe or a saved model.

    Raises:
        RecipeError: Names all unknown options and all values that an option cannot have.
    """
    names = [field.name for field in fields(cast(Any, options))]
    faults = [unknown_name(f"option of {kind}", name, names) for name in given if name not in names]
    try:
        made = TypeAdapter(options).validate_python({name: given[name] for name in given if name in names})
    except ValidationError as error:
        faults += [
            f"encoder.options.{fault['loc'][0]} = {fault['input']!r}: {fault['msg']}."
            for fault in error.errors()
        ]
    if faults:
        raise RecipeError("\n".join(faults))
    return made


def write_encoder(folder: Path, kind: str, options: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write encoder.safetensors and then encoder.json (kind and options, a dataclass)."""
    with written_aside(folder / "encoder.safetensors") as path:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    write_json(folder / "encoder.json", {"format": 1, "kind": kind, "options": asdict(options)})


def read_encoder(folder: Path, kind: str, options: type[Options]) -> tuple[Options, dict[str, torch.Tensor]]:
    """Read what `write_encoder` wrote: the options and the tensors."""
    path = folder / "encoder.json"
    try:
        described = read_json(path)
        if described["kind"] != kind:
            raise ModelError(f"{path}: describes an encoder of kind {described['kind']!r}, not {kind!r}.")
        made = read_options(kind, options, described["options"])
        return made, load_file(folder / "encoder.safetensors")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RecipeError) as error:
        raise ModelError(f"{folder}: cannot read an encoder of kind {kind!r}: {error}") from error


def restore(module: nn.Module, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Give a module its saved tensors and set it to evaluation."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"{folder}: encoder.safetensors does not fit encoder.json: {error}.") from error
    module.eval()
