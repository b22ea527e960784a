"""Recipe: everything that decides a run, as YAML and as frozen objects. Unknown keys are faults.

A recipe is complete: what it leaves out has a default here, and the complete form is written into the run.
"""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affekt.errors import RecipeError, unknown_name


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
    label_words: tuple[str, ...] | Literal["labels"] | None = Field(
        None, description="words put before every text"
    )
    vectors: str | None = Field(None, description="word vectors: a file, or a known data set of vectors")
    options: dict[str, Any] = Field(
        default_factory=dict, description="further options of this kind of encoder"
    )


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
    correlation_form: Literal["all", "intra", "inter"] = "all"


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
    """Stop when a dev metric has not improved for some epochs, and keep the best epoch's weights."""

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
    seed: int = 0


class DecisionSpec(_Section):
    """What is fitted on dev after training."""

    thresholds: Literal["fixed", "global", "per-label"] = "per-label"
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

    def to_yaml(self) -> str:
        """The complete recipe as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)

    @property
    def digest(self) -> str:
        """A sha256 of everything in the recipe."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def parse_recipe(content: Any, *, source: str = "recipe") -> Recipe:
    """Check a parsed recipe; all its faults are reported at once.

    Raises:
        RecipeError: One line per fault: the key, the value seen, what would be right.
    """
    if not isinstance(content, dict):
        raise RecipeError(
            f"{source}: a recipe is a mapping of keys to values, this is {type(content).__name__}."
        )
    try:
        return Recipe.model_validate(content)
    except ValidationError as fault:
        lines = [_explain(error, content) for error in fault.errors()]
        count = f"{len(lines)} fault" + ("s" if len(lines) > 1 else "")
        raise RecipeError(f"{source} has {count}:\n" + "\n".join(f"  {line}" for line in lines)) from None


_TAGS = {
    "classify",
    "logistic",
    "contrastive",
    "contrastive-unsupervised",
    "supervised-contrastive",
    "label-aware",
    "retrofit",
}


def _explain(error: Any, content: dict[str, Any]) -> str:
    path = [part for part in error["loc"] if part not in _TAGS]
    key = ".".join(str(part) for part in path) or "recipe"
    if error["type"] == "extra_forbidden":
        known = _keys_at(path[:-1], content)
        return f"{key} = {error['input']!r}: {unknown_name('key', str(path[-1]), known)}"
    if error["type"] == "missing":
        return f"{key}: is missing; it is required."
    if error["type"].startswith("union_tag"):
        kind = (
            content.get("objective", {}).get("kind") if isinstance(content.get("objective"), dict) else None
        )
        if kind is None:
            return f"objective.kind: is missing; one of {', '.join(sorted(_TAGS))}."
        return f"objective.kind = {kind!r}: {unknown_name('objective', str(kind), _TAGS)}"
    return f"{key} = {error['input']!r}: {error['msg'][0].lower() + error['msg'][1:]}."


def _keys_at(path: list[Any], content: dict[str, Any]) -> list[str]:
    """The keys a section of the recipe may have."""
    model: Any = Recipe
    for part in path:
        if part == "objective":
            kind = content["objective"].get("kind")
            members = (
                Classify,
                Logistic,
                Contrastive,
                ContrastiveUnsupervised,
                SupervisedContrastive,
                LabelAware,
                Retrofit,
            )
            model = next(
                (m for m in members if kind in get_args(m.model_fields["kind"].annotation)), Classify
            )
        elif isinstance(part, str) and part in model.model_fields:
            arguments = [
                model.model_fields[part].annotation,
                *getattr(model.model_fields[part].annotation, "__args__", ()),
            ]
            model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), model)
    return list(model.model_fields)


def read_recipe(place: str | Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe from a YAML file, or one of the bundled recipes by name, with `key=value` changes."""
    path = Path(place)
    if not path.exists():
        bundled = {
            entry.name.removesuffix(".yaml"): entry
            for entry in files("affekt.recipes").iterdir()
            if entry.name.endswith(".yaml")
        }
        name = path.name.removesuffix(".yaml")
        if name not in bundled:
            raise RecipeError(f"{place}: no such file, and {unknown_name('bundled recipe', name, bundled)}")
        text = bundled[name].read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError) as fault:
            raise RecipeError(f"{place}: cannot be read as UTF-8 text ({fault}).") from fault
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{place}:{mark.line + 1}" if mark else str(place)
        raise RecipeError(f"{where}: not YAML: {getattr(fault, 'problem', fault)}.") from fault
    for change in changes:
        content = _changed(content, change)
    return parse_recipe(content, source=str(place))


def _changed(content: Any, change: str) -> Any:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {change!r}: write key=value, such as training.epochs=3.")
    *sections, last = key.strip().split(".")
    at = content
    for section in sections:
        if at.get(section) is None:
            at[section] = {}
        at = at[section]
        if not isinstance(at, dict):
            raise RecipeError(f"--set {change!r}: {section} holds a value, not a section.")
    at[last] = _number(yaml.safe_load(value))
    return content


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 as text; people mean a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
