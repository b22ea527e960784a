"""Known data sets as `datasets.yaml` has them: what each holds, where it comes from, what to beware of."""

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal

import yaml

Kind = Literal["texts", "vectors", "words"]
Layout = Literal["splits", "raters", "jigsaw", "sample"]


@dataclass(frozen=True)
class HubPlace:
    """Where a data set lives on the Hub, and the names its columns have there."""

    id: str
    config: str | None = None
    revision: str | None = None
    text: str = "text"
    labels: str = "label"


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is read."""

    name: str  # by which it is loaded, and of the folder it is in
    language: str
    citation: str
    licence: str  # as far as known
    home: str  # where it comes from, for those who must fetch it by hand
    task: Literal["single-label", "multi-label", ""] = ""  # none where it holds no texts
    labels: tuple[str, ...] = ()  # in their official order
    sizes: dict[str, int] = field(default_factory=dict)  # rows of each split
    hub: HubPlace | None = None  # if it has one there that can be read without running code
    note: str = ""  # what to beware of
    kind: Kind = "texts"  # "vectors" and "words" are only found and not loaded
    layout: Layout = "splits"  # a file per split, one row per rater, Kaggle's, or the bundled one
    metric: str = "f1_macro"  # the figure it is judged by in the literature
    metric_label: str = ""  # the label that figure is of, where it is of one
    sources: dict[str, dict[str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # data set → what its labels are

    @property
    def single_label(self) -> bool:
        """Whether every text has exactly one label."""
        return self.task == "single-label"


def _all() -> dict[str, Dataset]:
    content = files("affekt.data").joinpath("datasets.yaml").read_bytes()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml is there
    table: dict[str, dict[str, Any]] = yaml.load(content, Loader=loader)["datasets"]  # noqa: S506 (safe ones)
    for facts in table.values():
        facts["labels"] = tuple(facts.get("labels", ()))
        sources = facts.get("sources", {}).items()
        facts["sources"] = {
            source: {label: tuple(theirs) for label, theirs in stated.items()} for source, stated in sources
        }
        facts["hub"] = HubPlace(**facts["hub"]) if "hub" in facts else None
    return {name: Dataset(name=name, **facts) for name, facts in table.items()}


DATASETS = _all()
