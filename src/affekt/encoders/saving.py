"""What the small encoders share: how they start, their options, encoder.json and encoder.safetensors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import torch
from pydantic import Field, TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from affekt.errors import ModelError, RecipeError, not_whole, unknown_name
from affekt.files import read_json, write_json, written_aside

Options = TypeVar("Options")
# what the fields of an encoder's options may be
Size = Annotated[int, Field(gt=0, lt=2**24)]
Depth = Annotated[int, Field(gt=0, le=100)]  # layers are made one by one
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
    with not_whole(path, f"{kind} encoder"):
        described = read_json(path)
        if described["kind"] != kind:
            raise ModelError(f"{path}: describes an encoder of kind {described['kind']!r}, not {kind!r}.")
        made = read_saved_options(path, kind, options, described["options"])
    return made, read_tensors(folder / "encoder.safetensors")


def read_saved_options(path: Path, kind: str, options: type[Options], given: Mapping[str, Any]) -> Options:
    """Return the options that a saved encoder's file gives, the faults of which are the folder's."""
    try:
        return read_options(kind, options, given)
    except RecipeError as fault:
        said = " ".join(str(fault).splitlines()).replace("encoder.options.", "")
        raise ModelError(f"{path}: not a whole encoder of kind {kind!r}: {said}") from fault


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file; ModelError where it is damaged or a weight is no number."""
    with not_whole(path, "file of weights"):
        tensors = load_file(path)
        check_numbers(tensors, path)
        return tensors


def check_numbers(tensors: Mapping[str, torch.Tensor], place: object) -> None:
    """Raise ModelError that names the tensors in which a number is infinite or none."""
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise ModelError(
            f"{place}: numbers are infinite or not numbers in {_first(broken)}; train or copy it again."
        )


def check_weights(
    found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], place: object
) -> None:
    """Raise ModelError that names tensors that are missing, misshapen or have no place in a network."""
    faults = {
        "missing": [name for name in wanted if name not in found],
        "of the wrong shape": [
            f"{name} {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in found and found[name].shape != tensor.shape
        ],
        "unknown": [name for name in found if name not in wanted],
    }
    named = [f"{len(names)} {fault}: {_first(names)}" for fault, names in faults.items() if names]
    if named:
        raise ModelError(f"{place}: does not fit the network that is described: {'; '.join(named)}.")


def _first(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")


def restore(module: nn.Module, tensors: Mapping[str, torch.Tensor], place: Path) -> None:
    """Give a module its saved tensors and set it to evaluation."""
    check_weights(tensors, module.state_dict(), place)
    module.load_state_dict(tensors)
    module.eval()
