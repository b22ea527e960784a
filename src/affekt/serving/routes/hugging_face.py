"""The shape of Hugging Face's inference: text classification at / and feature extraction."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from affekt.serving.bodies import Texts, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal
from affekt.serving.routes import tei
from affekt.serving.routes.scores import Score, ranked, scored
from affekt.serving.service import Service


class ClassificationParameters(BaseModel):
    """How scores are made and how many are given."""

    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = None
    top_k: int | None = Field(None, ge=1)


class ClassificationAsked(BaseModel):
    """One text or several; other fields that the Hub takes are let pass."""

    model_config = ConfigDict(title="HuggingFaceClassification")

    inputs: Texts
    parameters: ClassificationParameters | None = None


def shape(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as the Hub does."""
    waiting = {"estimated_time": float(refusal.retry_after or 2)} if refusal.status == 503 else {}
    return {"error": refusal.message, **waiting}


async def classification(service: Service, asked: ClassificationAsked, request: Request) -> list[Any]:
    """Return labels with their scores, the highest first.

    One text without `parameters` gets a flat list, as TEI gives it; with them a list in a list, of which
    the Hub's own client reads the first; several texts get a list each.
    """
    texts = texts_of(asked.inputs, service.limits)
    given = asked.parameters or ClassificationParameters()
    rows = await scored(service, texts, given.function_to_apply)
    found = ranked(service.facts.labels, rows, given.top_k)
    flat = isinstance(asked.inputs, str) and asked.parameters is None
    return found[0] if flat else found


_EXAMPLES = {
    "one text": {"inputs": "so happy today", "truncate": True},
    "with parameters": {
        "inputs": "so happy today",
        "parameters": {"function_to_apply": "sigmoid", "top_k": 3},
    },
}
_PATHS = ("/", "/models/{name:path}", "/pipeline/text-classification/{name:path}")

ENDPOINTS = (
    *(
        Endpoint(
            path,
            "Labels with their scores, in the Hub's shape",
            classification,
            takes=ClassificationAsked,
            gives=list[Score] | list[list[Score]],
            examples=_EXAMPLES,
            shape=shape,
        )
        for path in _PATHS
    ),
    Endpoint(
        "/pipeline/feature-extraction/{name:path}",
        "Vectors, in the Hub's shape",
        tei.embed,
        takes=tei.EmbedAsked,
        gives=list[list[float]],
        examples={"one text": {"inputs": "so happy today"}},
        shape=shape,
    ),
)
