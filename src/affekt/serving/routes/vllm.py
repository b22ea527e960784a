"""Classification in vLLM's shape."""

import time
import uuid
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from affekt.serving.bodies import Texts, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal
from affekt.serving.routes.native import numbers
from affekt.serving.routes.scores import scored, tokens_of
from affekt.serving.service import Service


class ClassifyAsked(BaseModel):
    """Texts to classify; other fields that vLLM has are let pass."""

    model_config = ConfigDict(title="VLLMClassify")

    input: Texts
    model: str | None = Field(None, description="Any name: the model that is served answers.")
    use_activation: bool | None = Field(None, description="False gives calibrated logits.")


class Classified(TypedDict):
    """A text's likeliest label, and a score for every label in the model's order."""

    index: int
    label: str
    probs: list[float]
    num_classes: int


class ClassifyGiven(TypedDict):
    """What is said of each text, in order."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[Classified]
    usage: dict[str, Any]


def shape(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as vLLM does."""
    kinds = {401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}
    kind = kinds.get(refusal.status, "BadRequestError" if refusal.status < 500 else "InternalServerError")
    return {"error": {"message": refusal.message, "type": kind, "param": None, "code": refusal.status}}


async def classify(service: Service, asked: ClassifyAsked, request: Request) -> ClassifyGiven:
    """Return a probability for every label: each by itself where several may hold."""
    texts = texts_of(asked.input, service.limits)
    rows = await scored(service, texts, "none" if asked.use_activation is False else None)
    labels, tokens = service.facts.labels, tokens_of(texts)
    data: list[Classified] = [
        {"index": i, "label": labels[int(row.argmax())], "probs": numbers(row), "num_classes": len(row)}
        for i, row in enumerate(rows)
    ]
    return {
        "id": f"classify-{uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": service.facts.name,
        "data": data,
        "usage": {
            "prompt_tokens": tokens,
            "total_tokens": tokens,
            "completion_tokens": 0,
            "prompt_tokens_details": None,
        },
    }


ENDPOINTS = (
    Endpoint(
        "/classify",
        "A probability for every label, in vLLM's shape",
        classify,
        takes=ClassifyAsked,
        gives=ClassifyGiven,
        examples={"several": {"input": ["so happy", "so sad"], "model": "affekt-small"}},
        shape=shape,
    ),
)
