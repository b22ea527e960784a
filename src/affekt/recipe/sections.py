"""Recipe: everything that decides a run, as frozen objects. Unknown keys are faults.

A recipe is complete: what it leaves out has a default here, and the complete form is written into the run.
"""

import hashlib
import json
import re
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from affekt.data.columns import Columns, OnBadRow
from affekt.decisions.rules import FIXED, check_thresholds
from affekt.recipe.objectives import Classify, ObjectiveSpec
from affekt.recipe.parts import DIGEST, LARGEST, EncoderSpec, HeadSpec, Section
from affekt.recipe.yaml import dump_yaml

FURTHER = "corpora after the first"  # what a recipe's data is beside its first corpus; no key, as it is none
SEEDS = 2**31  # what every generator in use takes, with what is added for second networks and processes


class DataSpec(Section, Columns):
    """Which texts, which labels, how split; with the fields of `Columns`, which say what each means."""

    name: str | None = Field(None, description="a known data set, see `affekt data list`")
    train: str | None = Field(None, description="a file; instead of a name")
    dev: str | None = None
    test: str | None = None
    on_bad_row: OnBadRow = "fail"
    taxonomy: str | None = Field(None, description="map the labels to a coarser taxonomy: ekman, sentiment")
    style: str | None = Field(None, description="text normalisation; the encoder's own when left out")
    single_rows: bool = Field(False, description="keep rows with exactly one label, as one label per text")
    without: tuple[str, ...] = Field((), description="labels left out, with the rows that have no other")
    train_share: float = Field(1.0, gt=0, le=1, description="share of the training rows that is used")
    dev_share: float = Field(0.1, gt=0, lt=1, description="taken from train where there is no dev split")
    test_share: float = Field(0.2, gt=0, lt=1, description="taken where a single file has no splits at all")
    rows_per_label: int | None = Field(
        None, ge=1, le=LARGEST, description="train on so many rows of each label alone, drawn by split_seed"
    )
    split_seed: int = Field(0, ge=0, lt=SEEDS, description="draws all shares, whatever training.seed is")
    task: str | None = Field(
        None,
        pattern=r"^[\w-]+$",
        description="of several corpora: what its head is called; its own name if left out",
    )
    weight: float = Field(1.0, gt=0, description="of several corpora: how much its loss counts")

    newer = (
        "id",
        "rater",
        "unclear",
        "delimiter",
        "quoted",
        "encoding",
        "split_seed",
        "rows_per_label",
        "task",
        "weight",
    )

    @field_validator("labels", "label_names", "label_columns")
    @classmethod
    def _cannot_change(cls, names: Any) -> Any:
        return tuple(names) if isinstance(names, list) else names

    @property
    def columns(self) -> Columns:
        """How its files are read."""
        return Columns(**{one.name: getattr(self, one.name) for one in fields(Columns)})


class EarlyStopping(Section):
    """Stop when a dev metric has not improved for some epochs; `training.keep` says whose weights stay."""

    metric: str = "loss"
    patience: int = Field(3, ge=1, le=LARGEST)


class TrainingSpec(Section):
    """How weights are moved."""

    epochs: int = Field(3, ge=1, le=LARGEST)
    batch_size: int = Field(32, ge=1, le=LARGEST)
    optimizer: Literal["adamw", "adadelta"] = "adamw"
    learning_rate: float = Field(1e-4, gt=0)
    head_learning_rate: float | None = Field(None, gt=0)
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="learning rate of each layer, times that of the one above"
    )
    weight_decay: float = Field(0.01, ge=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(0.06, ge=0, lt=1, description="share of the steps in which the rate rises from 0")
    clip: float = Field(1.0, gt=0)
    accumulate: int = Field(1, ge=1, le=LARGEST)
    sampler: Literal["bucketed", "m-per-class", "stratified"] = "bucketed"
    rows_per_class: int = Field(4, ge=1, le=LARGEST, description="m, for m-per-class")
    early_stopping: EarlyStopping | None = None
    keep: Literal["last", "best"] = Field(
        "last", description="which epoch's weights; best needs early_stopping.metric"
    )
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32", description="auto takes bfloat16 where the processor or GPU computes in it"
    )
    device: str = Field("auto", description="auto takes a GPU where there is one; or cpu, cuda, cuda:1, mps")
    frozen_embeddings: bool = False
    average: float = Field(
        0.0, ge=0, lt=1, description="decay a step of the weights' moving average, judged and saved; 0 is off"
    )
    checkpoint_seconds: float = Field(120.0, ge=0)
    seed: int = Field(0, ge=0, lt=SEEDS)
    start_seed: int | None = Field(
        None, ge=0, lt=SEEDS, description="draws what is not pretrained, such as a head; seed unless said"
    )

    newer = ("device", "average", "start_seed")

    @property
    def start(self) -> int:
        """The seed of the weights before the first step."""
        return self.seed if self.start_seed is None else self.start_seed

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", device):
            raise ValueError(f"{device!r} is no device; auto, cpu, cuda, cuda:1 and mps are")
        return device

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.keep == "best" and self.early_stopping is None:
            raise ValueError(
                "keep: best needs early_stopping.metric, the figure that says which epoch is best"
            )
        if self.sampler == "m-per-class" and 2 * self.rows_per_class > self.batch_size:
            raise ValueError(
                f"rows_per_class: {self.rows_per_class} is more than half of batch_size {self.batch_size}; "
                "a batch must hold rows of two classes"
            )
        if self.optimizer == "adadelta" and (self.head_learning_rate is not None or self.layer_decay != 1):
            raise ValueError(
                "head_learning_rate and layer_decay: adadelta has one rate for all; leave them out"
            )
        return self


class MixingSpec(Section):
    """How the batches of several corpora are mixed."""

    by: Literal["size", "temperature"] = Field(
        "size", description="temperature: a corpus of n batches has a share of n^(1/temperature)"
    )
    temperature: float = Field(2.0, gt=0, description="1 is by size; the higher, the more alike the shares")
    rows_per_epoch: int | None = Field(
        None, ge=1, le=2**40, description="of all corpora together; as many as they have if left out"
    )

    @property
    def exponent(self) -> float:
        """The temperature, which is 1 by size."""
        return 1.0 if self.by == "size" else self.temperature

    @model_validator(mode="after")
    def _is_read(self) -> Self:
        if self.by == "size" and self.temperature != MixingSpec.model_fields["temperature"].default:
            raise ValueError("temperature: is read by: temperature alone, and by is size")
        return self


class DecisionSpec(Section):
    """What is fitted on dev after training."""

    thresholds: Annotated[str | float, BeforeValidator(check_thresholds)] = Field(
        "per-label", description="fixed (.5), a number in [0, 1], global, global-jaccard or per-label"
    )
    calibration: Literal["none", "temperature", "platt"] = "temperature"

    @property
    def plain_threshold(self) -> float:
        """The threshold of decisions for which nothing is fitted."""
        return self.thresholds if isinstance(self.thresholds, float) else FIXED


class Published(Section):
    """A figure that others reported for this row, with their encoder."""

    metric: str
    value: float
    encoder: str
    thresholds: Literal["fixed", "fitted"] = "fixed"
    source: str


class Recipe(Section):
    """One run."""

    name: str = Field(min_length=1)
    row: str | None = Field(None, description="the row of the studies this reproduces")
    note: str | None = None
    data: DataSpec = DataSpec()
    encoder: EncoderSpec = EncoderSpec()
    head: HeadSpec = HeadSpec()
    objective: ObjectiveSpec = Classify()
    training: TrainingSpec = TrainingSpec()
    decisions: DecisionSpec = DecisionSpec()
    examples: tuple[str, ...] = ("I watched a movie last night, it was quite brilliant",)
    published: tuple[Published, ...] = ()
    guard: tuple[str, ...] = Field(
        (), description="known data sets, NAME/test or files whose texts are left out of training"
    )
    mixing: MixingSpec = MixingSpec()
    further: tuple[DataSpec, ...] = Field((), alias=FURTHER)

    newer = ("guard", "mixing")

    @model_validator(mode="before")
    @classmethod
    def _parts_corpora(cls, content: Any) -> Any:
        """Take a list of corpora as the first, the main one, and further ones."""
        data = content.get("data") if isinstance(content, dict) else None
        if not isinstance(data, list) or not data or not isinstance(data[0], dict):
            return content
        return {**content, "data": data[0], **({FURTHER: data[1:]} if data[1:] else {})}

    @model_serializer(mode="wrap")
    def _serialize(self, whole: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """Give several corpora as the list they came as."""
        content = super()._serialize(whole, info)
        further = content.pop("further")
        return content | {"data": [content["data"], *further]} if further else content

    @property
    def corpora(self) -> tuple[DataSpec, ...]:
        """All that it trains on, the main one first."""
        return (self.data, *self.further)

    @model_validator(mode="after")
    def _nothing_is_without_effect(self) -> Self:
        objective, training = self.objective, self.training
        if objective.draws_pairs and training.sampler != "bucketed":
            raise ValueError(
                f"training.sampler: {training.sampler} has no effect on drawn pairs; "
                "leave it out, or set objective.pairs: in-batch"
            )
        if getattr(objective, "texts", ()) and training.sampler != "bucketed":
            raise ValueError(
                f"training.sampler: {training.sampler} reads labels, and objective.texts have none; "
                "leave one of them out"
            )
        if objective.whole_after >= training.epochs:
            raise ValueError(
                f"objective.warmup_epochs: {objective.whole_after:g} is not less than training.epochs "
                f"{training.epochs}, so the contrastive term would never come in"
            )
        if not objective.by_gradients and training.early_stopping is not None:
            raise ValueError("training.early_stopping: logistic regression is fitted at once; leave it out")
        if not objective.by_gradients and training.average:
            raise ValueError("training.average: logistic regression takes no steps; leave it out")
        (self._fits_several if self.further else self._fits_one)()
        return self

    def _fits_one(self) -> None:
        """Refuse what is said of several corpora where there is one."""
        said = [
            key for key in ("task", "weight") if getattr(self.data, key) != DataSpec.model_fields[key].default
        ]
        keys = [f"data.{key}" for key in said] + ["mixing"] * (self.mixing != MixingSpec())
        if keys:
            raise ValueError(f"{keys[0]}: is for several corpora, and data is one; leave it out")

    def _fits_several(self) -> None:
        """Refuse what several corpora do not have."""
        if not self.objective.trains_several:
            raise ValueError(
                f"objective.kind: {self.objective.kind} trains on one corpus, and data holds "
                f"{len(self.corpora)}; classify trains a head for each, and so does supervised-contrastive "
                "with classification"
            )
        if self.head.kind == "label-span" or self.encoder.label_words is not None:
            raise ValueError(
                "encoder.label_words and head.kind label-span: are of one corpus's labels; leave them out"
            )
        for place, spec in enumerate(self.further, start=1):
            if spec.style is not None:
                raise ValueError(
                    f"data.{place}.style: one encoder reads all texts in one normalisation; "
                    "say it of the first corpus"
                )

    def to_yaml(self) -> str:
        """The complete recipe as YAML."""
        return dump_yaml(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """A sha256 of everything in the recipe; keys that came later count where they say something."""
        content = self.model_dump(mode="json", context={"for": DIGEST})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
