"""The interface of Text Embeddings Inference. Scores are a sigmoid's where several labels may hold."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from affekt._version import __version__
from affekt.serving.batching import LONGEST
from affekt.serving.bodies import Text, Texts, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal
from affekt.serving.routes.native import numbers
from affekt.serving.routes.scores import Score, ranked, scored
from affekt.serving.service import Service


class EmbedAsked(BaseModel):
    """Texts to embed. Texts beyond the model's reach are always cut."""

    model_config = ConfigDict(title="TEIEmbed")

    inputs: Texts
    normalize: bool = Field(True, description="Scale vectors to length 1.")
    truncate: bool | None = None
    dimensions: int | None = Field(None, ge=1, description="Only the first so many numbers.")


class PredictAsked(BaseModel):
    """Texts to classify: one, several, or several lists of one."""

    model_config = ConfigDict(title="TEIPredict")

    inputs: Text | list[Text] | list[list[Text]]
    raw_scores: bool = Field(False, description="Calibrated logits instead of probabilities.")
    truncate: bool | None = None


def shape(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as TEI does."""
    kinds = {422: "Tokenizer", 429: "Overloaded", 503: "Unhealthy", 500: "Backend"}
    return {"error": refusal.message, "error_type": kinds.get(refusal.status, "Validation")}


async def embed(service: Service, asked: EmbedAsked, request: Request) -> list[list[float]]:
    """Return a vector for each text."""
    texts = texts_of(asked.inputs, service.limits)
    vectors = await service.vectors(texts, unit=asked.normalize, dimensions=asked.dimensions)
    return [numbers(row) for row in vectors]


async def predict(service: Service, asked: PredictAsked, request: Request) -> list[Any]:
    """Return all labels with their scores, the highest first: a flat list for one text, else a list each."""
    texts = texts_of(_unnested(asked.inputs), service.limits)
    rows = await scored(service, texts, "none" if asked.raw_scores else None)
    found = ranked(service.facts.labels, rows)
    return found[0] if isinstance(asked.inputs, str) else found


def _unnested(given: Any) -> str | list[str]:
    if isinstance(given, list) and any(isinstance(one, list) for one in given):
        if any(not isinstance(one, list) or len(one) != 1 for one in given):
            raise Refusal(422, "inputs: this model reads texts, not pairs of them; send lists of one text.")
        return [text for [text] in given]
    texts: str | list[str] = given
    return texts


async def info(service: Service, form: None, request: Request) -> dict[str, Any]:
    """Say what is served, in TEI's words."""
    service.ready()
    facts, limits = service.facts, service.limits
    names = {str(i): label for i, label in enumerate(facts.labels)}
    classifier = {"id2label": names, "label2id": {label: int(i) for i, label in names.items()}}
    return {
        "model_id": facts.name,
        "model_sha": facts.version,
        "model_dtype": "float32",
        "model_type": {"classifier": classifier} if facts.labels else {"embedding": {"pooling": "mean"}},
        "max_concurrent_requests": limits.queue,
        "max_input_length": LONGEST,
        "max_batch_tokens": limits.batch_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": limits.texts,
        "auto_truncate": True,
        "tokenization_workers": 1,
        "version": __version__,
        "sha": None,
        "docker_label": None,
    }


ENDPOINTS = (
    Endpoint(
        "/embed",
        "Vectors, in TEI's shape",
        embed,
        takes=EmbedAsked,
        gives=list[list[float]],
        examples={"several": {"inputs": ["so happy", "so sad"]}},
        shape=shape,
    ),
    Endpoint(
        "/predict",
        "All labels with their scores, in TEI's shape",
        predict,
        takes=PredictAsked,
        gives=list[Score] | list[list[Score]],
        examples={
            "one text": {"inputs": "so happy today", "truncate": True},
            "several": {"inputs": [["so happy"], ["so sad"]]},
        },
        shape=shape,
    ),
    Endpoint("/info", "What is served, in TEI's words", info, gives=dict[str, Any], shape=shape),
)
