"""Which rows go into which batch, epoch by epoch.

Every function returns the batches of one epoch as a list of index arrays, drawn from (seed, epoch) alone,
so a resumed run builds the same epoch again and goes on at its batch. numpy only; nothing here knows of
texts or tensors.

    bucketed        every row once, rows of like length together: little padding
    stratified      every row once, each batch with the corpus's share of every class
    m_per_class     groups of m rows of a class, several classes in every batch; every row at least once
    balanced_pairs  pairs of rows, half alike and half not
    in_order        every row once, longest first: for prediction and evaluation

`targets` is an (n, k) matrix in [0, 1]; a label is present where it is above zero. `lengths` are token
counts; where a sampler by class takes them, rows of like length share a batch as far as its promise about
classes allows.
"""

from collections.abc import Callable
from typing import Any

from affekt.sampling.batches import bucketed, in_order, split_for_process
from affekt.sampling.classes import m_per_class, stratified
from affekt.sampling.pairs import balanced_pairs

SAMPLERS: dict[str, Callable[..., Any]] = {
    "bucketed": bucketed,
    "stratified": stratified,
    "m-per-class": m_per_class,
    "balanced-pairs": balanced_pairs,
}

__all__ = [
    "SAMPLERS",
    "balanced_pairs",
    "bucketed",
    "in_order",
    "m_per_class",
    "split_for_process",
    "stratified",
]
