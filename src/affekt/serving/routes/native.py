"""affekt's own interface: emotions with probabilities, decisions and the model's version."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from affekt.decisions.conformal import too_wide
from affekt.inference.explain import parted
from affekt.inference.model import Model
from affekt.serving.bodies import Texts, texts_of
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal
from affekt.serving.service import FINEST, ModelFacts, Service

MOST_EXPLAINED = 16  # texts, since each is read once more for every word
_SHOWN = 3  # labels of which it is told what carries them, at least


class EmotionsAsked(BaseModel):
    """Texts, and what is to be said of them."""

    model_config = ConfigDict(extra="forbid", title="Emotions")

    texts: Texts = Field(description="One text or several.")
    label_set: str = Field(
        FINEST, max_length=100, description="A coarser label set, such as ekman or sentiment."
    )
    top: int | None = Field(None, ge=1, description="Only the likeliest so many scores; all unless said.")
    coverage: float | None = Field(
        None, gt=0, lt=1, description="Give a set that holds the true labels this often, or abstain."
    )
    why: bool = Field(False, description="Say by how much each word carries an emotion.")
    vectors: bool = Field(False, description="Give the text's vector too.")


class ModelSaid(TypedDict):
    """The model that answered."""

    name: str
    version: str
    thresholds: str
    single_label: bool
    labels: list[str]


class Piece(TypedDict):
    """A part of a text; all parts together are the text."""

    text: str
    carries: dict[str, float]  # by how much a label is less likely without it


class EmotionsSaid(TypedDict, total=False):
    """What is said of one text."""

    labels: list[str]
    scores: dict[str, float]
    set: list[str]
    abstained: bool
    why: list[Piece]
    vector: list[float]


class EmotionsGiven(TypedDict):
    """An answer for each text, in order."""

    model: ModelSaid
    answers: list[EmotionsSaid]


async def emotions(service: Service, asked: EmotionsAsked, request: Request) -> EmotionsGiven:
    """Return labels, calibrated probabilities and what else was asked for."""
    texts = texts_of(asked.texts, service.limits)
    model = await service.model(asked.label_set)
    probabilities = await service.probabilities(texts, asked.label_set)
    decided = model.deciding().decide(probabilities)
    answers = [
        _said(model.labels, row, held, asked.top) for row, held in zip(probabilities, decided, strict=True)
    ]
    if asked.coverage is not None:
        for answer, sure in zip(answers, _sets(model, probabilities, asked.coverage), strict=True):
            answer.update(sure)
    if asked.why:
        if len(texts) > MOST_EXPLAINED:
            raise Refusal(413, f"why is told of at most {MOST_EXPLAINED} texts at once.")
        for answer, text, row, held in zip(answers, texts, probabilities, decided, strict=True):
            part = parted(text)
            rest = await service.probabilities(part.without, asked.label_set) if part.words else ()
            told = sorted({*np.flatnonzero(held).tolist(), *np.argsort(-row)[:_SHOWN].tolist()})
            changes = part.carries(row, rest)
            answer["why"] = [
                Piece(
                    text=piece,
                    carries={
                        model.labels[i]: round(float(changes[at, i]), 4) for i in told if at in part.words
                    },
                )
                for at, piece in enumerate(part.pieces)
            ]
    if asked.vectors:
        for answer, vector in zip(answers, await service.vectors(texts), strict=True):
            answer["vector"] = numbers(vector)
    return {"model": model_said(service.facts, model.labels), "answers": answers}


async def about(service: Service, form: None, request: Request) -> dict[str, Any]:
    """Say which model answers, by which label sets, and how much may be asked at once."""
    facts, limits = service.facts, service.limits
    bounds = {"texts": limits.texts, "characters": limits.characters, "body": limits.body}
    decisions = service.ready().decisions
    return {
        **model_said(facts, facts.labels),
        "dimension": facts.dimension,
        "label_sets": service.label_sets,
        "calibrated": decisions is not None and decisions.calibration.kind != "none",
        "promises": decisions is not None and decisions.sets is not None,
        "limits": bounds,
    }


def model_said(facts: ModelFacts, labels: tuple[str, ...]) -> ModelSaid:
    """Return what is said of the model that answers, by the labels it answers with."""
    return {
        "name": facts.name,
        "version": facts.version,
        "thresholds": facts.thresholds,
        "single_label": facts.single_label,
        "labels": list(labels),
    }


def numbers(row: np.ndarray) -> list[float]:
    """Return float32 as the shortest numbers that mean them."""
    return [float(str(value)) for value in row.astype(np.float32)]


def _said(labels: tuple[str, ...], row: np.ndarray, held: np.ndarray, top: int | None) -> EmotionsSaid:
    order = np.argsort(-row, kind="stable")
    scores = numbers(row)
    kept = order if top is None else order[:top]
    return {
        "labels": [labels[i] for i in order if held[i]],
        "scores": {labels[i]: scores[i] for i in kept},
    }


def _sets(model: Model, probabilities: np.ndarray, coverage: float) -> list[EmotionsSaid]:
    """Return each text's set that holds its labels as often as asked; none where it would say nothing."""
    promised = model.deciding().sets
    if promised is None:
        raise Refusal(422, "this model was not fitted to promise a coverage; leave out coverage.")
    held = promised.hold(probabilities, coverage)
    return [
        {
            "set": [] if wide else [model.labels[i] for i in np.argsort(-row, kind="stable") if chosen[i]],
            "abstained": bool(wide),
        }
        for row, chosen, wide in zip(probabilities, held, too_wide(held), strict=True)
    ]


ENDPOINTS = (
    Endpoint(
        "/v1/emotions",
        "Emotions of texts: labels, calibrated probabilities, decisions",
        emotions,
        takes=EmotionsAsked,
        gives=EmotionsGiven,
        examples={
            "one text": {"texts": "i can't stop smiling, she said yes!!"},
            "several": {"texts": ["so sad today", "leave me alone"], "top": 3},
            "which words": {"texts": "so sad today", "why": True},
        },
    ),
    Endpoint("/v1/model", "The model that answers, and what may be asked", about, gives=dict[str, Any]),
)
