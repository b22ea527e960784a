"""The parts of a network in a recipe: encoder, head, projection; and what every section of a recipe is."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from affekt.data.label_words import check_choice

LARGEST = 2**16  # of counts and widths: beyond any use, and every number still fits where it goes
DIGEST = "digest"  # what a dump is for, in its context


LabelWords = Annotated[str | tuple[str, ...] | dict[str, str] | None, BeforeValidator(check_choice)]


class Section(BaseModel):
    """A section of a recipe: frozen, and a key it does not know is a fault.

    Attributes:
        newer: Keys that came after recipes had been published with their digests. A digest leaves them out
            where they have their default, so that it stays what it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    newer: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _serialize(self, whole: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        content: dict[str, Any] = whole(self)
        own = (key for key in type(self).__annotations__ if key in content)  # a reader meets them first
        content = {key: content[key] for key in (*own, *content)}
        if not isinstance(info.context, Mapping) or info.context.get("for") != DIGEST:
            return content
        fields = type(self).model_fields
        plain = {key for key in self.newer if getattr(self, key) == fields[key].get_default()}
        return {key: value for key, value in content.items() if key not in plain}


class EncoderSpec(Section):
    """What turns texts into vectors."""

    kind: Literal[
        "transformer", "static", "charbert", "bilstm", "word-cnn", "character-cnn", "tfidf", "word-average"
    ] = "transformer"
    name: str = Field(
        "all-MiniLM-L6-v2",
        description="folder, known name or Hub model; for transformer, charbert and static",
    )
    revision: str | None = None
    pooling: Literal["cls", "mean"] = "cls"
    max_length: int = Field(128, ge=4, le=LARGEST)
    label_words: LabelWords = Field(
        None,
        description="words put before every text: labels (their names), a set such as spanish, "
        "a list in the order of the labels, or a mapping from each label to its words",
    )
    vectors: str | None = Field(None, description="word vectors: a file, or a known data set of vectors")
    layers: tuple[Annotated[int, Field(ge=0, le=LARGEST)], ...] | None = Field(
        None,
        min_length=1,
        description="the layers kept of the pretrained encoder, counted from 0; all unless said",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="further options of this kind of encoder"
    )

    newer = ("layers",)

    @field_validator("layers")
    @classmethod
    def _rise(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if layers is not None and list(layers) != sorted(set(layers)):
            raise ValueError("layers come once each, from the input upwards")
        return layers

    @field_validator("options")
    @classmethod
    def _are_plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(options, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as fault:
            raise ValueError(f"only plain finite values go into a recipe ({fault})") from None
        return options


class HeadSpec(Section):
    """What turns vectors into label logits."""

    kind: Literal["classification", "linear", "label-span"] = "classification"
    dropout: float = Field(0.3, ge=0, lt=1)
    activation: Literal["tanh", "relu", "gelu"] | None = Field(
        None, description="the encoder family's own if left out"
    )
    bias: Literal["prior", "zero"] = "prior"
    start: Literal["fresh", "known"] = Field(
        "fresh", description="known: labels that the model in encoder.name has by name go on from its own"
    )

    newer = ("start",)


class ProjectionSpec(Section):
    """The space a contrastive loss works in."""

    kind: Literal["linear", "mlp"] = "mlp"
    out: int = Field(128, ge=1, le=LARGEST)
    hidden: int | None = Field(None, ge=1, le=LARGEST)
    dropout: float = Field(0.3, ge=0, lt=1)
