"""How many texts hold a label, estimated from the scores of a model that errs.

Counting what a model predicts is biased: of a rare label most finds may be wrong, of a common one half may be
missed, and the bias changes with the very share that is asked for. What stays the same, as far as the texts
are of dev's kind and only the shares differ, is how rows that hold a label score, and how the others do. So
dev is kept as counts of rows by cells of scores (`ScoreCells`), and the share is the one that makes a mixture
of both likeliest to score as the texts at hand do. With two cells this is the adjusted count, (plain count −
false positive rate) / (true positive rate − false positive rate), kept within [0, 1]; with more cells, what
the scores say beyond a decision is used too.

Cells are cut at quantiles of all of dev's scores and not at thresholds, which were chosen on the same rows by
their labels: error rates at a fitted threshold flatter the model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affekt.errors import DataError, UsageError
from affekt.evaluation import arrays
from affekt.evaluation.arrays import Floats
from affekt.evaluation.intervals import percentile_limits

Counts = NDArray[np.int64]

FEWEST_HELD = 10  # dev rows with a label, and without it, below which its share cannot be adjusted
_ODDS = (4.0, 2.0, 1.0, 0.5)  # rows above each edge: these times as many as hold the label, in odds
_HALVES = 2  # of one label per row, each predicted label's rows are cut at their median score
_PRIOR = 0.5  # rows of each class that resampled dev tables hold beforehand, spread as all rows are
_UNSEEN = 1.0  # texts of each group that its draws hold beforehand, spread as dev's rows are
_EDGE = 1e-4  # shares nearer to 0 or 1 are there
_ROUNDS, _STILL = 200, 1e-6  # leaps of expectation and maximisation at most; a change that ends them


@dataclass(frozen=True)
class ScoreCells:
    """Labelled rows, counted by what they hold and how they scored.

    Attributes:
        single_label: Whether each row holds exactly one label.
        edges: (k, e) limits of scores, rising: of each label's score, or where rows hold one label of the
            score by which it was predicted.
        counts: Rows by cell. Several labels: (k, 2, e + 1), those without each label and those with it. One
            label: (1, k, k (e + 1)), by the label held, and by the label predicted and how surely.
    """

    single_label: bool
    edges: tuple[tuple[float, ...], ...]
    counts: tuple[tuple[tuple[int, ...], ...], ...]

    def __post_init__(self) -> None:
        labels, widths = len(self.edges), {len(one) for one in self.edges}
        if not labels or len(widths) != 1:
            raise DataError("cells of scores need as many edges for every label, and at least one label.")
        width = widths.pop() + 1
        shape = (1, labels, labels * width) if self.single_label else (labels, 2, width)
        limits = np.asarray(self.edges, dtype=np.float64)
        if _shape(self.counts) != shape or self.table.min() < 0 or not np.isfinite(limits).all():
            raise DataError(f"cells of scores must be counts of shape {shape} with finite edges.")

    @classmethod
    def of(cls, targets: ArrayLike, probabilities: ArrayLike, *, single_label: bool) -> "ScoreCells":
        """Count labelled rows that the model has not learnt from: dev.

        Args:
            targets: (n, k) in [0, 1], as for `affekt.evaluation.classification`.
            probabilities: (n, k) in [0, 1].
            single_label: One label per row.
        """
        truth = arrays.true_labels(targets, single_label=single_label)
        scores = arrays.unit_matrix(probabilities, "probabilities").astype(np.float32)
        arrays.same_shape(truth, scores, "targets and probabilities")
        if single_label:
            chosen = arrays.one_hot_argmax(scores)
            cuts = [[_quantile(one[own], 0.5)] for one, own in zip(scores.T, chosen.T, strict=True)]
        else:
            shares = (truth.sum(axis=0) + 0.5) / (len(truth) + 1)
            above = np.outer(shares / (1 - shares), _ODDS)
            parts = zip(scores.T, above / (1 + above), strict=True)
            cuts = [[_quantile(one, 1 - share) for share in wanted] for one, wanted in parts]
        edges = _rows(cuts)
        blank = (1, len(edges), len(edges) * _HALVES) if single_label else (len(edges), 2, len(_ODDS) + 1)
        empty = cls(single_label, edges, _tuples(np.zeros(blank, dtype=np.int64)))
        if single_label:
            counts = np.concatenate([empty.tally(scores[held]) for held in truth.T])[None]
        else:
            whole = empty.tally(scores)
            held = np.stack([empty.tally(scores[rows])[at] for at, rows in enumerate(truth.T)])
            counts = np.stack([whole - held, held], axis=1)
        return cls(single_label, edges, _tuples(counts))

    @property
    def table(self) -> Counts:
        """The counts as an array."""
        return np.asarray(self.counts, dtype=np.int64)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(m, c) which cells any of the rows is in: of the others nothing is known."""
        return np.asarray(self.table.sum(axis=1) > 0)

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return len(self.edges)

    @property
    def adjustable(self) -> NDArray[np.bool_]:
        """(k,) of which labels enough rows are known, with the label and without it."""
        rows = self.table.sum(axis=2)  # (1, k), or (k, 2)
        held = rows[0] if self.single_label else rows[:, 1]
        return np.asarray(np.minimum(held, self.table[0].sum() - held) >= FEWEST_HELD)

    def tally(self, probabilities: ArrayLike) -> Counts:
        """Return how many rows fall into each cell; tallies of parts of some rows add up to that of all."""
        scores = np.asarray(probabilities, dtype=np.float32).reshape(-1, self.labels)
        edges = np.asarray(self.edges, dtype=np.float32)
        width = edges.shape[1] + 1
        if self.single_label:
            best = scores.argmax(axis=1)
            level = (scores.max(axis=1, initial=0)[:, None] > edges[best]).sum(axis=1)
            return np.bincount(best * width + level, minlength=self.labels * width)[None]
        cells = (scores[:, :, None] > edges).sum(axis=2) + np.arange(self.labels) * width
        return np.bincount(cells.ravel(), minlength=self.labels * width).reshape(self.labels, width)

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers."""
        return {
            "single_label": self.single_label,
            "edges": [list(one) for one in self.edges],
            "counts": self.table.tolist(),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "ScoreCells":
        """Return the cells of `to_json`; DataError, TypeError, KeyError or ValueError where they are none."""
        counts = np.asarray(plain["counts"], dtype=np.int64)
        return cls(bool(plain["single_label"]), _rows(plain["edges"]), _tuples(counts))


@dataclass(frozen=True)
class Prevalences:
    """Shares of texts that hold each label, of several groups of texts.

    Attributes:
        values: (g, k) estimates; NaN where a label is not adjustable or a group has no texts.
        draws: (resamples, g, k) the same on drawn texts and resampled dev. Draw i of every group is on the
            same resample of dev, so that what dev leaves unknown is common to a difference's two sides.
    """

    values: Floats
    draws: Floats

    def limits(self, level: float = 0.95) -> Floats:
        """Return (2, g, k) low and high, with the value between them: NaN where there is no value."""
        found = np.full((2, *self.values.shape), np.nan)
        known = np.isfinite(self.values)
        if known.any():
            low, high = percentile_limits(self.draws[:, known], level)
            values = self.values[known]
            found[:, known] = np.minimum(low, values), np.maximum(high, values)
        return found


def prevalence(cells: ScoreCells, tallies: ArrayLike, *, resamples: int = 1000, seed: int = 0) -> Prevalences:
    """Estimate from tallies of (g, …) groups of texts how many of them hold each label.

    Dev is resampled within its classes. A group's texts are drawn from what its tally says of where others
    would fall, as from a Dirichlet distribution: of one text it says little, where resampling it would give
    the same text each time.

    Args:
        cells: Of dev.
        tallies: What `cells.tally` gives, of one group or of several stacked.
        resamples: How many draws; both the texts and dev are drawn anew in each.
        seed: Of the draws.
    """
    if resamples < 1:
        raise UsageError(f"resamples must be at least 1, but is {resamples}.")
    table = cells.table
    groups = np.asarray(tallies, dtype=np.int64).reshape(-1, table.shape[0], table.shape[2])
    random = np.random.default_rng(seed)
    rows, plain = table.sum(axis=2), _normed(table)
    spread = _normed(table.sum(axis=1))
    drawn = random.multinomial(rows, plain, (resamples, *rows.shape))
    profiles = _normed(drawn + _PRIOR * spread[:, None] * (rows > 0)[..., None])
    known, seen = cells.adjustable, cells.seen
    values, draws = np.full((len(groups), cells.labels), np.nan), []
    for at, group in enumerate(groups):
        counted = np.where(seen, group, 0)
        values[at] = _shares(counted[None], plain[None], cells)[0]
        values[at, ~known] = np.nan
        if not counted.sum(axis=1).all():
            values[at] = np.nan
        others = random.standard_gamma(counted + _UNSEEN * spread, (resamples, *counted.shape))
        draws.append(_shares(others, profiles, cells))
    return Prevalences(values, np.stack(draws, axis=1) if draws else np.zeros((resamples, 0, cells.labels)))


@dataclass(frozen=True)
class Misfit:
    """How unlike any mixture of dev's rows some texts score: for each label, of one label per text for all.

    Attributes:
        moved: (m,) the share of texts that would have to fall into another cell.
        p: (m,) the chance of a distance as large, were the texts and dev's rows of one kind.
    """

    moved: Floats
    p: Floats


def misfit(cells: ScoreCells, tally: ArrayLike) -> Misfit:
    """Return whether texts score as dev's rows would in any shares; NaN where dev says too little.

    The statistic is Pearson's, with the variance that both the texts and dev's rows bring to a cell, of as
    many degrees of freedom as there are cells beyond the classes; a share of 0 or 1 was not fitted to the
    texts, and takes none away.
    """
    from scipy.stats import chi2

    table = cells.table
    counted = np.asarray(tally, dtype=np.float64).reshape(table.shape[0], table.shape[2])
    counted = np.where(cells.seen, counted, 0)
    size = counted.sum(axis=1, keepdims=True)
    rows, profiles = table.sum(axis=2), _normed(table)
    found = _shares(counted[None], profiles[None], cells)[0]
    shares = found[None] if cells.single_label else np.stack([1 - found, found], axis=1)  # (m, q)
    expected = (shares[..., None] * profiles).sum(axis=1)
    spread = ((shares**2 / np.maximum(rows, 1))[..., None] * profiles).sum(axis=1)
    apart = counted / np.maximum(size, 1) - expected
    variance = expected / np.maximum(size, 1) + spread
    statistic = np.divide(apart**2, variance, out=np.zeros_like(apart), where=variance > 0).sum(axis=1)
    inner = (np.minimum(shares, 1 - shares) > _EDGE).sum(axis=1)
    freedom = cells.seen.sum(axis=1) - np.maximum(inner, 1)
    said = (
        (cells.adjustable.any() if cells.single_label else cells.adjustable)
        & (size[:, 0] > 0)
        & (freedom > 0)
    )
    p = chi2.sf(statistic, np.maximum(freedom, 1))
    return Misfit(*(np.where(said, one, np.nan) for one in (np.abs(apart).sum(axis=1) / 2, p)))


def _normed(table: NDArray[Any]) -> Floats:
    return np.asarray(table / np.maximum(table.sum(axis=-1, keepdims=True), 1e-12))


def _shares(counts: NDArray[Any], profiles: Floats, cells: ScoreCells) -> Floats:
    """Return (r, k) shares from (r, m, c) counts by cell and (r, m, q, c) cells of each class."""
    if cells.single_label:
        return _mixture(counts[:, 0].astype(np.float64), profiles[:, 0])
    return _share(counts.astype(np.float64), profiles[:, :, 0], profiles[:, :, 1])


def _share(counts: Floats, without: Floats, with_: Floats) -> Floats:
    """Return the likeliest share of one class of two, by halving: the slope of the likelihood only falls."""
    counts, without, with_ = (np.moveaxis(one, -1, 0).copy() for one in (counts, without, with_))
    gap = with_ - without
    weights = counts * gap
    without[(without == 0) & (with_ == 0)] = 1  # whose weight is 0
    low, high = np.zeros(counts.shape[1:]), np.ones(counts.shape[1:])
    for _ in range(40):
        middle = (low + high) / 2
        rises = (weights / (without + middle * gap)).sum(axis=0) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return np.asarray((low + high) / 2)


def _mixture(counts: Floats, profiles: Floats) -> Floats:
    """Return the likeliest (r, q) shares of classes with (r, q, c) cells.

    By expectation and maximisation; every two steps are lengthened to where they seem to lead (SQUAREM).
    """
    size = np.maximum(counts.sum(axis=-1), 1e-12)[:, None]
    present = profiles.sum(axis=-1) > 0

    def stepped(shares: Floats) -> Floats:
        mixed = (shares[:, None] @ profiles)[:, 0]
        weights = np.divide(counts, mixed, out=np.zeros_like(counts), where=mixed > 0)
        return np.asarray(shares * (profiles @ weights[..., None])[..., 0] / size)

    shares = _normed(present.astype(np.float64))
    for _ in range(_ROUNDS):
        first = stepped(shares)
        second = stepped(first)
        if np.abs(second - first).max(initial=0) < _STILL:
            return second
        once, turn = first - shares, second - 2 * first + shares
        reach = np.maximum(
            np.linalg.norm(once, axis=-1) / np.maximum(np.linalg.norm(turn, axis=-1), 1e-12), 1.0
        )
        leap = shares + 2 * reach[:, None] * once + reach[:, None] ** 2 * turn
        shares = stepped(np.where((leap >= 0).all(axis=-1, keepdims=True), leap, second))
    return shares


def _quantile(scores: NDArray[Any], share: float) -> float:
    return float(np.quantile(scores, share, method="lower")) if len(scores) else 0.5


def _rows(values: Iterable[Iterable[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in values)


def _tuples(counts: Counts) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(tuple(tuple(map(int, row)) for row in part) for part in counts)


def _shape(counts: tuple[tuple[tuple[int, ...], ...], ...]) -> tuple[int, ...]:
    try:
        return np.shape(counts)
    except ValueError:  # ragged
        return ()
