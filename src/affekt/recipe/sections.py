"""Recipe: everything that decides a run, as YAML and as frozen objects. Unknown keys are faults.

A recipe is complete: what it leaves out has a default here, and the complete form is written into the run.
"""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from affekt.data.label_words import check_choice
from affekt.errors import RecipeError, unknown_name
from affekt.recipe.faults import explained
from affekt.recipe.yaml import dump_yaml, load_yaml, with_change


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSpec(_Section):
    """Which texts, which labels, how split."""

    name: str | None = Field(None, description="a known data set, see `affekt data list`")
    train: str | None = Field(None, description="a file; instead of a name")
    dev: str | None = None
    test: str | None = None
    text: str = "text"
    labels: str | None = "labels"
    separator: str | None = None
    label_columns: tuple[str, ...] | None = None
    label_names: tuple[str, ...] | None = None
    split_column: str | None = None
    single_label: bool | None = None
    on_bad_row: Literal["fail", "skip", "report"] = "fail"
    taxonomy: str | None = Field(None, description="map the labels to a coarser taxonomy: ekman, sentiment")
    style: str | None = Field(None, description="text normalisation; the encoder's own when left out")
    single_rows: bool = Field(False, description="keep rows with exactly one label, as one label per text")
    without: tuple[str, ...] = Field((), description="labels left out, with the rows that have no other")
    train_share: float = Field(1.0, gt=0, le=1, description="share of the training rows that is used")
    dev_share: float = Field(0.1, gt=0, lt=1, description="taken from train where there is no dev split")
    test_share: float = Field(0.2, gt=0, lt=1, description="taken where a single file has no splits at all")


class EncoderSpec(_Section):
    """What turns texts into vectors."""

    kind: Literal[
        "transformer", "charbert", "bilstm", "word-cnn", "character-cnn", "tfidf", "word-average"
    ] = "transformer"
    name: str = Field(
        "all-MiniLM-L6-v2", description="folder, known name or Hub model; for transformer and charbert"
    )
    revision: str | None = None
    pooling: Literal["cls", "mean"] = "cls"
    max_length: int = Field(128, ge=4)
    label_words: str | tuple[str, ...] | dict[str, str] | None = Field(
        None,
        description="words put before every text: labels (their names), a set such as spanish, "
        "a list in the order of the labels, or a mapping from each label to its words",
    )
    vectors: str | None = Field(None, description="word vectors: a file, or a known data set of vectors")
    options: dict[str, Any] = Field(
        default_factory=dict, description="further options of this kind of encoder"
    )

    @field_validator("label_words", mode="before")
    @classmethod
    def _can_be_label_words(cls, choice: Any) -> Any:
        return check_choice(choice)


class HeadSpec(_Section):
    """What turns vectors into label logits."""

    kind: Literal["classification", "linear", "label-span"] = "classification"
    dropout: float = Field(0.3, ge=0, lt=1)
    activation: Literal["tanh", "relu", "gelu"] | None = Field(
        None, description="the encoder family's own if left out"
    )
    bias: Literal["prior", "zero"] = "prior"


class ProjectionSpec(_Section):
    """The space a contrastive loss works in."""

    kind: Literal["linear", "mlp"] = "mlp"
    out: int = Field(128, ge=1)
    hidden: int | None = Field(None, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)


class ClassifyLoss(_Section):
    """How logits are compared with targets."""

    loss: Literal["auto", "cross-entropy", "bce", "focal", "asymmetric"] = Field(
        "auto", description="cross-entropy for one label per text, bce for several"
    )
    smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    correlation: float = Field(0.0, ge=0, le=1, description="α of the label-correlation loss (row E3)")
    correlation_form: Literal["all", "intra", "inter", "same-side"] = "all"

    @model_validator(mode="after")
    def _smooths_what_it_can(self) -> Self:
        if self.smoothing and self.loss in {"focal", "asymmetric"}:
            raise ValueError(f"smoothing: {self.loss} has none; leave it out, or take bce")
        return self


class Classify(ClassifyLoss):
    """Cross-entropy or binary cross-entropy on the head's logits."""

    kind: Literal["classify"] = "classify"


class Logistic(_Section):
    """Logistic regression on frozen vectors (row C2), and the floor on TF-IDF."""

    kind: Literal["logistic"]
    inverse_regularisation: float = Field(1.0, gt=0, description="C of scikit-learn")
    class_weights: Literal["none", "balanced"] = "none"


class Contrastive(_Section):
    """Margin loss on pairs of texts (row A1)."""

    kind: Literal["contrastive"]
    margin: float = Field(1.5, gt=0)
    pairs: Literal["drawn", "in-batch"] = "drawn"
    projection: ProjectionSpec = ProjectionSpec()


class ContrastiveUnsupervised(_Section):
    """Two dropout views of a text are its positive pair; labels are not read."""

    kind: Literal["contrastive-unsupervised"]
    temperature: float = Field(0.05, gt=0)
    projection: ProjectionSpec = ProjectionSpec()


class SupervisedContrastive(ClassifyLoss):
    """Supervised contrastive loss, alone or beside classification."""

    kind: Literal["supervised-contrastive"]
    temperature: float = Field(0.1, gt=0)
    overlap: Literal["any", "jaccard"] = "any"
    contrastive: float = Field(1.0, gt=0, description="weight of the contrastive term")
    classification: float = Field(
        0.0, ge=0, description="weight of the classification term; 0 trains no head"
    )
    views: Literal["one", "dropout"] = "one"
    projection: ProjectionSpec | None = ProjectionSpec()


class LabelAware(ClassifyLoss):
    """Label-aware contrastive loss (row B4) with a second, weighting encoder Ψ used only in training."""

    kind: Literal["label-aware"]
    temperature: float = Field(0.3, gt=0)
    balance: float = Field(0.5, ge=0, le=1, description="λ: share of the two classification terms")
    positive_weight: Literal["anchor", "positive"] = "anchor"
    views: Literal["copy", "dropout", "synonym"] = "copy"
    detach_weights: bool = Field(False, description="keep the contrastive gradient from Ψ")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs before the contrastive term comes in")
    weighting: EncoderSpec = EncoderSpec()
    weighting_head: HeadSpec = HeadSpec()


class Retrofit(_Section):
    """Supervised contrastive loss that stays near a frozen copy of the starting encoder (rows D1 to D3)."""

    kind: Literal["retrofit"]
    temperature: float = Field(0.1, gt=0)
    preservation: float = Field(1.0, ge=0, description="λ of the space-preservation loss")
    projection: ProjectionSpec = ProjectionSpec(kind="mlp", out=64)


ObjectiveSpec = Annotated[
    Classify
    | Logistic
    | Contrastive
    | ContrastiveUnsupervised
    | SupervisedContrastive
    | LabelAware
    | Retrofit,
    Field(discriminator="kind"),
]


class EarlyStopping(_Section):
    """Stop when a dev metric has not improved for some epochs; `training.keep` says whose weights stay."""

    metric: str = "loss"
    patience: int = Field(3, ge=1)


class TrainingSpec(_Section):
    """How weights are moved."""

    epochs: int = Field(3, ge=1)
    batch_size: int = Field(32, ge=1)
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
    accumulate: int = Field(1, ge=1)
    sampler: Literal["bucketed", "m-per-class", "stratified"] = "bucketed"
    rows_per_class: int = Field(4, ge=1, description="m, for m-per-class")
    early_stopping: EarlyStopping | None = None
    keep: Literal["last", "best"] = Field(
        "last", description="which epoch's weights; best needs early_stopping.metric"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    frozen_embeddings: bool = False
    checkpoint_seconds: float = Field(120.0, ge=0)
    seed: int = Field(0, ge=0)

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


class DecisionSpec(_Section):
    """What is fitted on dev after training."""

    thresholds: Literal["fixed", "global", "global-jaccard", "per-label"] = "per-label"
    calibration: Literal["none", "temperature", "platt"] = "temperature"


class Published(_Section):
    """A figure that others reported for this row, with their encoder."""

    metric: str
    value: float
    encoder: str
    thresholds: Literal["fixed", "fitted"] = "fixed"
    source: str


class Recipe(_Section):
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

    @model_validator(mode="after")
    def _nothing_is_without_effect(self) -> Self:
        objective, training = self.objective, self.training
        if (
            isinstance(objective, Contrastive)
            and objective.pairs == "drawn"
            and training.sampler != "bucketed"
        ):
            raise ValueError(
                f"training.sampler: {training.sampler} has no effect on drawn pairs; "
                "leave it out, or set objective.pairs: in-batch"
            )
        if isinstance(objective, LabelAware) and objective.warmup_epochs >= training.epochs:
            raise ValueError(
                f"objective.warmup_epochs: {objective.warmup_epochs:g} is not less than training.epochs "
                f"{training.epochs}, so the contrastive term would never come in"
            )
        if isinstance(objective, Logistic) and training.early_stopping is not None:
            raise ValueError("training.early_stopping: logistic regression is fitted at once; leave it out")
        return self

    def to_yaml(self) -> str:
        """The complete recipe as YAML."""
        return dump_yaml(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """A sha256 of everything in the recipe."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


_OBJECTIVES: dict[str, type[BaseModel]] = {
    "classify": Classify,
    "logistic": Logistic,
    "contrastive": Contrastive,
    "contrastive-unsupervised": ContrastiveUnsupervised,
    "supervised-contrastive": SupervisedContrastive,
    "label-aware": LabelAware,
    "retrofit": Retrofit,
}


def parse_recipe(content: Any, *, source: str = "recipe") -> Recipe:
    """Check a parsed recipe; all its faults are reported at once. A section without keys has its defaults.

    Raises:
        RecipeError: One line per fault: the key, the value seen, what would be right.
    """
    if not isinstance(content, dict):
        raise RecipeError(
            f"{source}: a recipe is a mapping of keys to values, this is {type(content).__name__}."
        )
    empty = {key for key, value in content.items() if value is None and key in Recipe.model_fields}
    given = {key: value for key, value in content.items() if key == "name" or key not in empty}
    try:
        return Recipe.model_validate(given)
    except ValidationError as fault:
        lines = explained(fault, Recipe, _OBJECTIVES)
        count = f"{len(lines)} fault" + ("s" if len(lines) > 1 else "")
        raise RecipeError(f"{source} has {count}:\n" + "\n".join(f"  {line}" for line in lines)) from None


def read_recipe(place: str | Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe from a YAML file, or one of the bundled recipes by name, with `key=value` changes."""
    content = load_yaml(_recipe_text(Path(place)), str(place))
    for change in changes:
        content = with_change(content, change)
    return parse_recipe(content, source=str(place))


def _recipe_text(path: Path) -> str:
    """The text of a recipe file, or of a bundled recipe; a folder that bears its name does not hide it."""
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError) as fault:
            raise RecipeError(f"{path}: cannot be read as UTF-8 text ({fault}).") from fault
    entries = (entry for entry in files("affekt.recipes").iterdir() if entry.name.endswith(".yaml"))
    bundled = {entry.name.removesuffix(".yaml"): entry for entry in entries}
    name = path.name.removesuffix(".yaml")
    if name in bundled:
        return bundled[name].read_text(encoding="utf-8")
    seen = "a folder, not a recipe file" if path.is_dir() else "no such file"
    raise RecipeError(f"{path}: {seen}, and {unknown_name('bundled recipe', name, bundled)}")
