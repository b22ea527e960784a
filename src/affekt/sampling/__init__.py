"""Which rows go into which batch, epoch by epoch.

Every function returns the batches of one epoch as a list of index arrays, drawn from (seed, epoch) alone,
so a resumed run builds the same epoch again and goes on at its batch. numpy only; nothing here knows of
texts or tensors.

    bucketed        every row once, rows of like length together: little padding
    stratified      every row once, each batch with the corpus's share of every class
    m_per_class     groups of m rows of a class, several classes in every batch; every row at least once
    pair_batches    pairs of rows, half alike and half not in every batch; every labelled row left once
    mixed           batches of several corpora in one order, by size or nearer to equal shares

`targets` is an (n, k) matrix in [0, 1]; a label is present where it is above zero. `lengths` are token
counts; where a sampler by class takes them, rows of like length share a batch as far as its promise about
classes allows.
"""

from affekt.sampling.batches import bucketed, split_for_process
from affekt.sampling.classes import m_per_class, stratified
from affekt.sampling.mixed import mixed
from affekt.sampling.pairs import balanced_pairs, pair_batches

__all__ = [
    "balanced_pairs",
    "bucketed",
    "m_per_class",
    "mixed",
    "pair_batches",
    "split_for_process",
    "stratified",
]
