"""Groups of labels: how probable a group is by the probabilities of its members, and how it is decided.

Where a text may have several labels, a group holds when one of its members does. Calibrated probabilities say
how often each does and not how often together; taken as independent, one does with 1 − Π (1 − p). Where a
text has one label, a group's probability is the sum of its members'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.data.taxonomies import TAXONOMIES, grouping
from affekt.decisions.fitting import fit
from affekt.decisions.rules import Decisions
from affekt.errors import DataError

_EDGE = 1e-7  # probabilities keep this far from 0 and 1, where log odds end


@dataclass(frozen=True)
class Groups:
    """Groups of a classifier's labels, as its own decisions make labels probable.

    Attributes:
        labels: What the groups are called.
        members: The positions of each group's labels among the classifier's.
        own: How the classifier's logits become probabilities.
        single_label: Whether exactly one of the groups holds.
    """

    labels: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    own: Decisions
    single_label: bool

    @classmethod
    def of(cls, groups: Mapping[str, Sequence[str]], labels: Sequence[str], own: Decisions) -> "Groups":
        """Return groups of a classifier's labels by their names."""
        members = tuple(tuple(labels.index(label) for label in group) for group in groups.values())
        return cls(tuple(groups), members, own, own.rule == "argmax")

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return (n, g) probabilities of the groups from the classifier's (n, k) logits."""
        own = self.own.probabilities(logits).astype(np.float64)
        if self.own.rule == "argmax":
            return np.stack([own[:, members].sum(axis=1) for members in self.members], axis=1)
        return np.stack([1 - np.prod(1 - own[:, members], axis=1) for members in self.members], axis=1)

    def logits(self, logits: ArrayLike) -> NDArray[np.float32]:
        """Return (n, g) logits of which decisions without calibration make the groups' probabilities."""
        chances = np.clip(self.probabilities(logits), _EDGE, 1 - _EDGE)
        odds = np.log(chances) - (0 if self.single_label else np.log1p(-chances))
        return np.asarray(odds, dtype=np.float32)

    def unfitted(self) -> Decisions:
        """Return how groups are decided where nothing was fitted to them: above their highest threshold."""
        plain = Decisions.unfitted(len(self.labels), single_label=self.single_label)
        if self.single_label:
            return plain
        highest = tuple(max(self.own.thresholds[at] for at in members) for members in self.members)
        return replace(plain, thresholds=highest)


def fit_coarser(
    own: Decisions, labels: Sequence[str], logits: ArrayLike, targets: ArrayLike, *, split: str, digest: str
) -> dict[str, Decisions]:
    """Return decisions for each taxonomy in which all labels of a classifier stand.

    Args:
        own: How the classifier decides; calibration and thresholds of the groups are of the same kinds.
        labels: Its labels.
        logits: (n, k) of a split that it has not learned from.
        targets: (n, k) in [0, 1].
        split: Name of the split; "test" is refused.
        digest: Hash of the split's data.
    """
    fitted = {}
    for name in TAXONOMIES:
        try:
            taxonomy = grouping(labels, name)
        except DataError:  # not made for such labels
            continue
        groups = Groups.of(taxonomy.groups, labels, own)
        votes, _ = taxonomy.map_targets(targets, labels, single_label=groups.single_label)
        fitted[name] = fit(
            groups.logits(logits),
            votes,
            single_label=groups.single_label,
            thresholds=own.thresholds[0] if own.method == "fixed" and own.thresholds else own.method,
            calibration=own.calibration.kind,
            split=split,
            digest=digest,
            labels=groups.labels,
        )
    return fitted
