"""OpenAI's embeddings."""

import base64
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from affekt.serving.bodies import Text, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import NAMES, Refusal
from affekt.serving.routes.native import numbers
from affekt.serving.routes.scores import tokens_of
from affekt.serving.service import Service


class EmbeddingsAsked(BaseModel):
    """Texts to embed; other fields that OpenAI has are let pass."""

    model_config = ConfigDict(title="OpenAIEmbeddings")

    input: Text | list[Text] | list[int] | list[list[int]]
    model: str = Field("", description="Any name: the model that is served answers.")
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = Field(
        None, ge=1, description="Only the first so many numbers, scaled again to length 1."
    )


class Embedding(TypedDict):
    """A vector, as numbers or as base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsGiven(TypedDict):
    """A vector for each text, in order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: dict[str, int]


def shape(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as OpenAI's clients read it."""
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(refusal.status, "invalid_request_error" if refusal.status < 500 else "server_error")
    said = {"message": refusal.message, "type": kind, "param": None, "code": NAMES.get(refusal.status)}
    return {"error": said}


async def embeddings(service: Service, asked: EmbeddingsAsked, request: Request) -> EmbeddingsGiven:
    """Return vectors of length 1."""
    texts = texts_of(_texts(asked.input), service.limits)
    vectors = await service.vectors(texts, dimensions=asked.dimensions)
    packed = asked.encoding_format == "base64"
    data: list[Embedding] = [
        {
            "object": "embedding",
            "index": i,
            "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode() if packed else numbers(row),
        }
        for i, row in enumerate(vectors)
    ]
    tokens = tokens_of(texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": service.facts.name, "usage": usage}


def _texts(given: Any) -> str | list[str]:
    """Return texts; 422 for token ids, which mean something else to every tokenizer."""
    if isinstance(given, list) and any(not isinstance(one, str) for one in given):
        raise Refusal(
            422, "input holds token ids, which are another model's; send texts "
            "(langchain: check_embedding_ctx_length=False)."
        )  # fmt: skip
    texts: str | list[str] = given
    return texts


async def models(service: Service, form: None, request: Request) -> dict[str, Any]:
    """List the one model there is."""
    one = {"id": service.facts.name, "object": "model", "created": 0, "owned_by": "affekt"}
    return {"object": "list", "data": [one]}


ENDPOINTS = (
    Endpoint(
        "/v1/embeddings",
        "Vectors, as OpenAI's clients ask for them",
        embeddings,
        takes=EmbeddingsAsked,
        gives=EmbeddingsGiven,
        examples={"one text": {"input": "so happy today", "model": "affekt-small"}},
        shape=shape,
    ),
    Endpoint("/v1/models", "The model there is", models, gives=dict[str, Any], shape=shape),
)
