"""KServe's second protocol, also spoken by Triton: tensors of texts in, tensors of numbers out.

Texts may come behind the JSON, as Triton's client sends them: each with its length in four bytes before it.
Answers are JSON alone.
"""

import struct
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from affekt._version import __version__
from affekt.serving.bodies import Text, parsed, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal
from affekt.serving.routes.native import numbers
from affekt.serving.service import Service

OUTPUTS = ("probabilities", "decisions", "vectors")
_HEADER = "inference-header-content-length"  # bytes of JSON before the texts

Nested = Text | list[Text] | list[list[Text]]


class Tensor(BaseModel):
    """Texts, in a list or in rows."""

    model_config = ConfigDict(title="KServeTensor")

    name: str = Field("text", max_length=200)
    datatype: Literal["BYTES"]
    shape: list[Annotated[int, Field(ge=0)]] = Field(max_length=2)
    data: Nested


class OutputAsked(BaseModel):
    """An output by its name."""

    model_config = ConfigDict(title="KServeOutput")

    name: Literal["probabilities", "decisions", "vectors"]


class InferAsked(BaseModel):
    """One tensor of texts, and which outputs are wanted."""

    model_config = ConfigDict(title="KServeInfer")

    id: str | None = Field(None, max_length=200)
    inputs: list[Tensor] = Field(min_length=1, max_length=1)
    outputs: list[OutputAsked] | None = Field(None, max_length=len(OUTPUTS))


class TensorGiven(TypedDict):
    """Numbers of all texts, row after row."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferGiven(TypedDict, total=False):
    """The outputs."""

    model_name: str
    model_version: str
    id: str
    outputs: list[TensorGiven]


def shape(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as the protocol has it."""
    return {"error": refusal.message}


async def infer(service: Service, asked: InferAsked, request: Request) -> InferGiven:
    """Return probabilities and decisions, or what outputs are named."""
    _of_ours(service, request)
    [tensor] = asked.inputs
    texts = texts_of(list(_flat(tensor.data)), service.limits)
    if int(np.prod([float(size) for size in tensor.shape])) != len(texts):
        raise Refusal(422, f"inputs.0: {len(texts)} texts do not fill the shape that is given.")
    usual = ("probabilities", "decisions") if service.facts.labels else ("vectors",)
    wanted = [one.name for one in asked.outputs] if asked.outputs else usual
    outputs = [await _output(service, name, texts) for name in wanted]
    facts = service.facts
    given: InferGiven = {"model_name": facts.name, "model_version": facts.version, "outputs": outputs}
    return given if asked.id is None else {**given, "id": asked.id}


async def _output(service: Service, name: str, texts: list[str]) -> TensorGiven:
    if name == "vectors":
        return _tensor(name, "FP32", await service.vectors(texts))
    probabilities = await service.probabilities(texts)
    if name == "probabilities":
        return _tensor(name, "FP32", probabilities)
    return _tensor(name, "BOOL", service.ready().deciding().decide(probabilities))


def _tensor(name: str, datatype: str, values: np.ndarray) -> TensorGiven:
    data = values.ravel().tolist() if datatype == "BOOL" else numbers(values.ravel())
    return {"name": name, "shape": list(values.shape), "datatype": datatype, "data": data}


def _flat(data: Any) -> Iterator[str]:
    for one in [data] if isinstance(data, str) else data:
        yield from [one] if isinstance(one, str) else one


def with_texts(body: bytes, request: Request) -> Any:
    """Return the JSON of a body, with the texts that stand behind it put into their tensor."""
    said = request.headers.get(_HEADER)
    if said is None:
        return parsed(body)
    if not said.isdecimal() or len(said) > 15 or int(said) > len(body):
        raise Refusal(422, f"{_HEADER} is no length within the body.")
    held = parsed(body[: int(said)])
    try:
        held["inputs"][0]["data"] = list(_unpacked(body[int(said) :]))
    except (KeyError, IndexError, TypeError):
        raise Refusal(422, "inputs.0: there is no tensor for the texts behind the JSON.") from None
    except struct.error:
        raise Refusal(422, "the texts behind the JSON end within their lengths.") from None
    return held


def _unpacked(packed: bytes) -> Iterator[str]:
    place = 0
    while place < len(packed):
        (size,) = struct.unpack_from("<I", packed, place)
        text = packed[place + 4 : place + 4 + size]
        if len(text) < size:
            raise struct.error
        yield text.decode("utf-8", "replace")
        place += 4 + size


async def server(service: Service, form: None, request: Request) -> dict[str, Any]:
    """Say what server this is."""
    return {"name": "affekt", "version": __version__, "extensions": ["binary_tensor_data"]}


async def live(service: Service, form: None, request: Request) -> dict[str, bool]:
    """Say that the process lives."""
    return {"live": True}


async def ready(service: Service, form: None, request: Request) -> dict[str, bool]:
    """Say that requests are answered."""
    service.ready()
    return {"ready": True}


async def metadata(service: Service, form: None, request: Request) -> dict[str, Any]:
    """Say which tensors the model takes and gives."""
    service.ready()
    _of_ours(service, request)
    facts = service.facts
    widths = {"probabilities": len(facts.labels), "decisions": len(facts.labels), "vectors": facts.dimension}
    outputs = [
        {"name": name, "datatype": "BOOL" if name == "decisions" else "FP32", "shape": [-1, widths[name]]}
        for name in OUTPUTS
        if widths[name]
    ]
    return {
        "name": facts.name,
        "versions": [facts.version],
        "platform": "affekt",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": outputs,
        "labels": list(facts.labels),
    }


async def model_ready(service: Service, form: None, request: Request) -> dict[str, Any]:
    """Say that the model answers."""
    service.ready()
    _of_ours(service, request)
    return {"name": service.facts.name, "ready": True}


def _of_ours(service: Service, request: Request) -> None:
    """Refuse a model that is not the one that is served."""
    if request.path_params["model"] != service.facts.name:
        raise Refusal(404, f"there is one model, and its name is {service.facts.name}.")


_EXAMPLE = {
    "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["so happy", "so sad"]}],
    "outputs": [{"name": "probabilities"}],
}
Said = dict[str, Any]

ENDPOINTS = (
    Endpoint(
        "/v2/models/{model}/infer",
        "Probabilities, decisions or vectors, in KServe's second protocol",
        infer,
        takes=InferAsked,
        gives=InferGiven,
        examples={"several": _EXAMPLE},
        shape=shape,
        parse=with_texts,
    ),
    Endpoint("/v2", "What server this is", server, gives=Said, shape=shape, guarded=False),
    Endpoint("/v2/health/live", "Whether the process lives", live, gives=Said, shape=shape, guarded=False),
    Endpoint(
        "/v2/health/ready", "Whether requests are answered", ready, gives=Said, shape=shape, guarded=False
    ),
    Endpoint("/v2/models/{model}", "The model's tensors", metadata, gives=Said, shape=shape),
    Endpoint("/v2/models/{model}/ready", "Whether the model answers", model_ready, gives=Said, shape=shape),
)
