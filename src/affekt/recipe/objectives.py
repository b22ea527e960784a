"""The objective of a recipe. What is true of a kind is said here, once: as class variables and properties."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from affekt.recipe.parts import LARGEST, EncoderSpec, HeadSpec, ProjectionSpec, Section


class ObjectiveSection(Section):
    """What all objectives say of themselves.

    Attributes:
        to_classify: The keys with which it trains a classifier; None where it never does.
        by_gradients: Whether it is trained batch by batch; otherwise it is fitted at once.
        fits_head: Whether its classifier is logistic regression on the vectors, frozen by then.
        holds_out: Whether part of texts at hand is kept from training where nobody says how much.
        needs_labels: Whether it reads the labels of the texts it trains on.
        is_contrastive: Whether it draws texts together, so that its space may collapse and is watched.
        takes_several: Whether it can train on several corpora, a head for each, where it classifies.
        keeps_space: Whether it means to keep the starting encoder's space, and is judged by that too.
    """

    to_classify: ClassVar[Mapping[str, Any] | None] = None
    by_gradients: ClassVar[bool] = True
    fits_head: ClassVar[bool] = False
    holds_out: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    is_contrastive: ClassVar[bool] = False
    takes_several: ClassVar[bool] = False
    keeps_space: ClassVar[bool] = False

    @property
    def classifies(self) -> bool:
        """Whether a classifier comes out of it."""
        return self.to_classify is not None and all(getattr(self, key) for key in self.to_classify)

    @property
    def trains_several(self) -> bool:
        """Whether it trains a head for each of several corpora."""
        return self.takes_several and self.classifies

    # what a kind without the key does not do

    @property
    def draws_pairs(self) -> bool:
        """Whether a batch is made of pairs: its first half the left rows, its second half the right ones."""
        return getattr(self, "pairs", None) == "drawn"

    @property
    def changes_texts(self) -> bool:
        """Whether every epoch has a second view of each text, its words changed."""
        return getattr(self, "views", None) == "synonym"

    @property
    def whole_after(self) -> float:
        """Epochs before the last of its terms comes in."""
        return float(getattr(self, "warmup_epochs", 0.0))

    @property
    def passes(self) -> int:
        """How often an epoch goes through the texts."""
        return int(getattr(self, "passes_per_epoch", 1))

    @property
    def space(self) -> ProjectionSpec | None:
        """The projection it works in."""
        projection: ProjectionSpec | None = getattr(self, "projection", None)
        return projection

    @property
    def weighting_network(self) -> tuple[EncoderSpec, HeadSpec] | None:
        """A second network that is trained beside the first."""
        return (self.weighting, self.weighting_head) if isinstance(self, LabelAware) else None


class ClassifyLoss(ObjectiveSection):
    """How logits are compared with targets."""

    loss: Literal["auto", "cross-entropy", "bce", "focal", "asymmetric"] = Field(
        "auto", description="cross-entropy for one label per text, bce for several"
    )
    smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    correlation: float = Field(0.0, ge=0, le=1, description="α of the label-correlation loss (row E3)")
    correlation_form: Literal["all", "intra", "inter", "same-side"] = "all"
    gamma: float = Field(2.0, ge=0, description="focal: how far it plays down what is already right")
    gamma_negative: float = Field(4.0, ge=0, description="asymmetric: the same, for absent labels")
    gamma_positive: float = Field(1.0, ge=0, description="asymmetric: the same, for present labels")
    clip: float = Field(0.05, ge=0, lt=1, description="asymmetric: probability below which absence is free")

    newer: ClassVar[tuple[str, ...]] = ("gamma", "gamma_negative", "gamma_positive", "clip")

    @model_validator(mode="after")
    def _has_what_the_loss_reads(self) -> Self:
        if self.smoothing and self.loss in {"focal", "asymmetric"}:
            raise ValueError(f"smoothing: {self.loss} has none; leave it out, or take bce")
        for key in ClassifyLoss.newer:
            reader = "focal" if key == "gamma" else "asymmetric"
            changed = getattr(self, key) != ClassifyLoss.model_fields[key].default
            if changed and self.loss != reader:
                raise ValueError(f"{key}: is read by loss: {reader} alone, and loss is {self.loss}")
        return self


class Classify(ClassifyLoss):
    """Cross-entropy or binary cross-entropy on the head's logits."""

    to_classify: ClassVar[Mapping[str, Any] | None] = {}
    takes_several = True

    kind: Literal["classify"] = "classify"


class FittedHead(ObjectiveSection):
    """How a head is fitted on frozen vectors: by logistic regression."""

    to_classify: ClassVar[Mapping[str, Any] | None] = {}
    fits_head = True

    inverse_regularisation: float = Field(1.0, gt=0, description="C of scikit-learn")
    class_weights: Literal["none", "balanced"] = "none"


class Logistic(FittedHead):
    """Logistic regression on frozen vectors (row C2), and the floor on TF-IDF."""

    by_gradients = False

    kind: Literal["logistic"]


class Contrastive(ObjectiveSection):
    """Margin loss on pairs of texts (row A1)."""

    is_contrastive = True

    kind: Literal["contrastive"]
    margin: float = Field(1.5, gt=0)
    pairs: Literal["drawn", "in-batch"] = "drawn"
    projection: ProjectionSpec = ProjectionSpec()


class ContrastiveUnsupervised(ObjectiveSection):
    """Two dropout views of a text are its positive pair; labels are not read."""

    needs_labels = False
    is_contrastive = True

    kind: Literal["contrastive-unsupervised"]
    temperature: float = Field(0.05, gt=0)
    projection: ProjectionSpec = ProjectionSpec()


class SupervisedContrastive(ClassifyLoss):
    """Supervised contrastive loss, alone or beside classification."""

    to_classify: ClassVar[Mapping[str, Any] | None] = {"classification": 1.0}
    is_contrastive = True
    takes_several = True

    kind: Literal["supervised-contrastive"]
    temperature: float = Field(0.1, gt=0)
    overlap: Literal["any", "jaccard"] = "any"
    contrastive: float = Field(1.0, gt=0, description="weight of the contrastive term")
    classification: float = Field(
        0.0, ge=0, description="weight of the classification term; 0 trains no head"
    )
    views: Literal["one", "dropout"] = "one"
    projection: ProjectionSpec | None = ProjectionSpec()


class FewShot(FittedHead):
    """Supervised contrast that tunes the encoder on few rows, then logistic regression on its vectors.

    An epoch goes through the rows many times, since they are few; every batch contrasts all of its own pairs,
    and no list of the pairs of all rows is ever made.
    """

    is_contrastive = True
    holds_out = False

    kind: Literal["few-shot"]
    temperature: float = Field(0.1, gt=0)
    overlap: Literal["any", "jaccard"] = "any"
    class_weights: Literal["none", "balanced"] = "balanced"  # of several labels none would else reach .5
    passes_per_epoch: int = Field(20, ge=1, le=LARGEST, description="how often an epoch reads the rows")


class LabelAware(ClassifyLoss):
    """Label-aware contrastive loss (row B4) with a second, weighting encoder Ψ used only in training."""

    to_classify: ClassVar[Mapping[str, Any] | None] = {}
    is_contrastive = True

    kind: Literal["label-aware"]
    temperature: float = Field(0.3, gt=0)
    balance: float = Field(0.5, ge=0, le=1, description="λ: share of the two classification terms")
    positive_weight: Literal["anchor", "positive", "one"] = "anchor"
    views: Literal["copy", "dropout", "synonym"] = "copy"
    detach_weights: bool = Field(False, description="keep the contrastive gradient from Ψ")
    weighting_temperature: float = Field(
        1.0, gt=0, description="divides Ψ's logits before their softmax; large, and all labels weigh alike"
    )
    warmup_epochs: float = Field(0.0, ge=0, description="epochs before the contrastive term comes in")
    weighting: EncoderSpec = EncoderSpec()
    weighting_head: HeadSpec = HeadSpec()

    newer = (*ClassifyLoss.newer, "weighting_temperature")


class Retrofit(ObjectiveSection):
    """Supervised contrastive loss that stays near a frozen copy of the starting encoder (rows D1 to D3)."""

    is_contrastive = True
    keeps_space = True

    kind: Literal["retrofit"]
    temperature: float = Field(0.1, gt=0)
    preservation: float = Field(1.0, ge=0, description="λ of the space-preservation loss")
    projection: ProjectionSpec = ProjectionSpec(kind="mlp", out=64)


class Distil(ClassifyLoss):
    """Classification led by what teachers say, beside the true labels."""

    to_classify: ClassVar[Mapping[str, Any] | None] = {}

    kind: Literal["distil"]
    teachers: tuple[str, ...] = Field(
        min_length=1, description="run folders or model folders of the same labels; their probabilities' mean"
    )
    temperature: float = Field(2.0, gt=0)
    hard: float = Field(0.3, ge=0, lt=1, description="share of the true labels' loss")
    texts: tuple[str, ...] = Field(
        (), description="further texts, without labels: known data sets or files; the teachers alone speak"
    )

    @field_validator("teachers", "texts", mode="before")
    @classmethod
    def _may_be_one(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) else names


_Contrast = Contrastive | ContrastiveUnsupervised | SupervisedContrastive | FewShot | LabelAware | Retrofit
_Any = Classify | Logistic | _Contrast | Distil
ObjectiveSpec = Annotated[_Any, Field(discriminator="kind")]

OBJECTIVE_SECTIONS: dict[str, type[ObjectiveSection]] = {
    get_args(section.model_fields["kind"].annotation)[0]: section for section in get_args(_Any)
}
