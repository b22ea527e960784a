"""Label spaces: coarser taxonomies over fine emotions, and the valence by which pictures are coloured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from affekt.errors import DataError, UsageError, unknown_name

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Taxonomy:
    """A coarser label space: each group stands for some fine labels, and no fine label is in two groups."""

    name: str
    groups: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        members = [label for group in self.groups.values() for label in group]
        twice = sorted({label for label in members if members.count(label) > 1})
        if twice:
            raise DataError(f"taxonomy {self.name!r} puts {', '.join(twice)} in more than one group")

    @property
    def labels(self) -> tuple[str, ...]:
        """The coarse labels, in order."""
        return tuple(self.groups)

    def group_of(self, label: str) -> str | None:
        """Return the group a fine label belongs to, or None."""
        return next((group for group, members in self.groups.items() if label in members), None)

    def map_targets(
        self, targets: npt.ArrayLike, labels: Sequence[str], *, single_label: bool = False
    ) -> tuple[Matrix, tuple[str, ...]]:
        """Map fine targets to this taxonomy.

        Args:
            targets: (n, k) values in [0, 1], a column per fine label.
            labels: The k fine labels; each must belong to a group.
            single_label: Whether rows sum to 1. Then a group gets the sum of its members' shares, and rows
                still sum to 1; otherwise a group gets the largest of its members' values.

        Returns:
            The (n, g) coarse targets and the g groups that have a member among `labels`, in this
            taxonomy's order.
        """
        fine = np.asarray(targets, dtype=np.float32)
        unknown = [label for label in labels if self.group_of(label) is None]
        if unknown:
            raise DataError(
                f"taxonomy {self.name!r} has no group for {', '.join(map(repr, unknown))}; "
                f"it knows {', '.join(member for group in self.groups.values() for member in group)}"
            )
        members = {
            group: [position for position, label in enumerate(labels) if label in fine_labels]
            for group, fine_labels in self.groups.items()
        }
        kept = tuple(group for group, columns in members.items() if columns)
        gather = np.sum if single_label else np.max
        coarse = np.zeros((len(fine), len(kept)), dtype=np.float32)
        for position, group in enumerate(kept):
            coarse[:, position] = gather(fine[:, members[group]], axis=1)
        return np.clip(coarse, 0.0, 1.0), kept


def renaming(
    labels: Sequence[str], mapping: Mapping[str, str], known: Sequence[str] = (), *, ignore_case: bool = False
) -> Taxonomy:
    """Return the taxonomy in which some labels go by other names, and the others by their own.

    Args:
        labels: All labels there are.
        mapping: From a label to its new name; several may share one.
        known: Names whose spelling is right.
        ignore_case: Whether "Joy" and "joy" are one label, here and in the mapping; it is spelled as in
            `known`, else as the mapping has it, else as it is met first.

    Raises:
        DataError: When the mapping names a label that is not there.
    """
    fold = str.casefold if ignore_case else str
    there = {fold(label) for label in labels}
    for label in mapping:
        if fold(label) not in there:
            raise DataError(unknown_name("label", label, labels))
    spelling: dict[str, str] = {}
    for name in (*known, *mapping.values(), *labels):
        spelling.setdefault(fold(name), name)
    renamed = {fold(label): name for label, name in mapping.items()}
    groups: dict[str, tuple[str, ...]] = {}
    for label in labels:
        name = spelling[fold(renamed.get(fold(label), label))]
        groups[name] = (*groups.get(name, ()), label)
    return Taxonomy("mapping", groups)


# GoEmotions' official hierarchies leave neutral out; here it is a group of its own.
EKMAN = Taxonomy(
    "ekman",
    {
        "anger": ("anger", "annoyance", "disapproval"),
        "disgust": ("disgust",),
        "fear": ("fear", "nervousness"),
        "joy": (
            *("joy", "amusement", "approval", "excitement", "gratitude", "love"),
            *("optimism", "relief", "pride", "admiration", "desire", "caring"),
        ),
        "sadness": ("sadness", "disappointment", "embarrassment", "grief", "remorse"),
        "surprise": ("surprise", "realization", "confusion", "curiosity"),
        "neutral": ("neutral",),
    },
)
SENTIMENT = Taxonomy(
    "sentiment",
    {
        "positive": EKMAN.groups["joy"],
        "negative": sum((EKMAN.groups[one] for one in ("fear", "sadness", "disgust", "anger")), ()),
        "ambiguous": EKMAN.groups["surprise"],
        "neutral": ("neutral",),
    },
)
TAXONOMIES = {taxonomy.name: taxonomy for taxonomy in (EKMAN, SENTIMENT)}

# Labels of the other known data sets, and of the coarse spaces themselves.
_OTHER_VALENCES = {
    "positive": ("positive", "happiness", "fun", "enthusiasm", "trust"),
    "negative": (
        *("negative", "pessimism", "worry", "hate", "boredom", "empty"),
        *("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"),
    ),
    "ambiguous": ("ambiguous", "anticipation", "irony", "sarcastic"),
    "neutral": ("neutral", "non_irony", "not_sarcastic"),
}
_VALENCES = {
    label: valence
    for table in (_OTHER_VALENCES, SENTIMENT.groups)
    for valence, labels in table.items()
    for label in labels
}


def taxonomy_named(name: str) -> Taxonomy:
    """Return the known taxonomy of that name."""
    if not isinstance(name, str) or name not in TAXONOMIES:
        raise DataError(unknown_name("taxonomy", name, TAXONOMIES))
    return TAXONOMIES[name]


def grouping(labels: Sequence[str], name: str) -> Taxonomy:
    """Return the groups of some labels in the taxonomy of that name, whatever their case.

    By sentiment also labels that GoEmotions has not are known, see `sentiment_of`.

    Raises:
        DataError: When there is no such taxonomy, or a label stands in none of its groups.

    >>> grouping(["Love", "fear"], "ekman").groups
    {'fear': ('fear',), 'joy': ('Love',)}
    """
    found = {label: group_in(name, label) for label in labels}
    if unknown := [label for label in found if found[label] is None]:
        raise DataError(
            f"{', '.join(map(repr, unknown))} {'stand' if len(unknown) > 1 else 'stands'} in no group of the "
            f"taxonomy {name!r}, which has {', '.join(taxonomy_named(name).labels)}."
        )
    order = [group for group in taxonomy_named(name).labels if group in found.values()]
    return Taxonomy(name, {group: tuple(one for one in found if found[one] == group) for group in order})


def group_in(name: str, label: str) -> str | None:
    """Return the group of the taxonomy of that name in which a label stands, whatever its case, or None.

    >>> group_in("ekman", "Love"), group_in("ekman", "worry"), group_in("sentiment", "worry")
    ('joy', None, 'negative')
    """
    taxonomy = taxonomy_named(name)
    return sentiment_of(label) if taxonomy is SENTIMENT else taxonomy.group_of(label.strip().lower())


def pairs(text: str) -> dict[str, str]:
    """Return what a text such as "others=neutral, disgust=anger" puts beside one another.

    >>> pairs("others=neutral, disgust=anger")
    {'others': 'neutral', 'disgust': 'anger'}
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not (name and sign and value):
            raise UsageError(f"{part!r} is no pair; write name=value, parted by commas, in {text!r}.")
        if name in found:
            raise UsageError(f"{name!r} stands twice in {text!r}; give it one value.")
        found[name] = value
    return found


def sentiment_of(label: str) -> str | None:
    """Return "negative", "ambiguous", "neutral" or "positive" for a known label, else None.

    >>> sentiment_of("Grief"), sentiment_of("curiosity"), sentiment_of("tuesday")
    ('negative', 'ambiguous', None)
    """
    return _VALENCES.get(label.strip().lower())
