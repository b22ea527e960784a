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
    """What is known of a data set before it is read.

    Args:
        name: By which it is loaded, and the folder it is in.
        task: "single-label", "multi-label", or "" where it holds no texts.
        labels: In their official order.
        language: Of its texts.
        sizes: Rows of each split.
        citation: Whom to cite.
        licence: As far as known.
        home: Where it comes from, for those who must fetch it by hand.
        hub: Its place on the Hub, if it has one that can be read without running code.
        note: What to beware of.
        kind: "texts", or "vectors" or "words", which are only found and not loaded.
        layout: How its files are laid out: a file per split, one row per rater, Kaggle's, or the bundled one.
    """

    name: str
    language: str
    citation: str
    licence: str
    home: str
    task: Literal["single-label", "multi-label", ""] = ""
    labels: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    hub: HubPlace | None = None
    note: str = ""
    kind: Kind = "texts"
    layout: Layout = "splits"

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
        facts["hub"] = HubPlace(**facts["hub"]) if "hub" in facts else None
    return {name: Dataset(name=name, **facts) for name, facts in table.items()}


DATASETS = _all()
