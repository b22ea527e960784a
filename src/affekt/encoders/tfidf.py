"""TF-IDF of words and word pairs, plain or reduced (row A2): fitted on training texts and then frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affekt.encoders import Batch, Encoded, Encoder, Order
from affekt.encoders.saving import Size, read_encoder, read_options, restore, write_encoder
from affekt.encoders.vocabulary import tokenize_words
from affekt.errors import DataError, not_whole
from affekt.files import read_json, write_json


@dataclass(frozen=True)
class TfidfOptions:
    """What a `TfidfEncoder` is made of.

    Attributes:
        longest: Words in the longest term: 2 for words and pairs of neighbours.
        min_count: Texts a term must occur in.
        max_terms: At most so many terms, the most frequent; None for no limit.
        sublinear: Count a term that occurs n times in a text as 1 + log n.
        reduction: `pca` (centred), `svd` (not centred: latent semantic analysis), or `none`.
        components: Size of a text's vector after the reduction.
    """

    longest: Size = 2
    min_count: Size = 2
    max_terms: Size | None = 50_000
    sublinear: bool = False
    reduction: Literal["none", "pca", "svd"] = "none"
    components: Size = 50


@dataclass(frozen=True)
class Terms:
    """One text's terms and their TF-IDF weights."""

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of terms, for a text without any 1: it costs a place in its batch as well."""
        return max(1, len(self.ids))


class TfidfEncoder(Encoder):
    """TF-IDF of words and word pairs, rows of length 1, where asked reduced by PCA or SVD.

    A row holds only the terms its text has. A batch becomes dense in `forward`; where there is a reduction,
    only its result is. A text without a known term is the zero vector (before PCA's centring).
    """

    kind = "tfidf"
    by_direction = False  # the lengths carry meaning
    idf: torch.Tensor  # (terms,)
    components: torch.Tensor  # (terms, d), only with a reduction
    offset: torch.Tensor  # (d,) what PCA's centring takes off, only with a reduction

    def __init__(
        self,
        terms: Sequence[str],
        options: TfidfOptions,
        idf: NDArray[np.float32],
        components: NDArray[np.float32] | None = None,
        offset: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__()
        self.options, self.terms = options, tuple(terms)
        self._vectorizer = _vectorizer(options, self.terms)
        self._vectorizer.idf_ = idf
        self.dimension = len(self.terms) if components is None else components.shape[1]
        for name, array in (("idf", idf), ("components", components), ("offset", offset)):
            # contiguous, as files are: sums over another layout round differently after loading
            self.register_buffer(name, None if array is None else torch.tensor(np.ascontiguousarray(array)))

    @classmethod
    def build(cls, texts: Sequence[str], *, seed: int = 0, **options: Any) -> "TfidfEncoder":
        """Fit terms, weights and reduction on the training texts; options are fields of `TfidfOptions`."""
        made = read_options(cls.kind, TfidfOptions, options)
        vectorizer = _vectorizer(made)
        try:
            weights = vectorizer.fit_transform(texts)
        except ValueError as error:  # an empty vocabulary
            raise DataError(
                f"no term occurs in {made.min_count} of the {len(texts)} texts; lower min_count."
            ) from error
        terms = vectorizer.get_feature_names_out().tolist()
        idf = vectorizer.idf_.astype(np.float32)
        if made.reduction == "none":
            return cls(terms, made, idf)
        return cls(terms, made, idf, *_reduce(weights, made, seed))

    @classmethod
    def from_order(cls, order: Order) -> "TfidfEncoder":
        """Fit an encoder on the training texts."""
        return cls.build(order.texts, seed=order.seed, **order.options)

    def sparse(self, texts: Sequence[str]) -> Any:
        """Return TF-IDF before any reduction as a scipy CSR matrix (texts, terms), float32."""
        return self._vectorizer.transform(texts)

    def tokenize(self, texts: Sequence[str]) -> list[Terms]:
        """Return the terms of each text."""
        weights = self.sparse(texts)
        return [
            Terms(weights.indices[start:end].astype(np.int32), weights.data[start:end].copy())
            for start, end in pairwise(weights.indptr)
        ]

    def collate(self, rows: Sequence[Terms]) -> Batch:
        """Return `ids` and `weights`, each (n, most terms), with weight 0 past a row's end."""
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        weights = np.zeros(ids.shape, dtype=np.float32)
        for index, row in enumerate(rows):
            ids[index, : len(row.ids)] = row.ids
            weights[index, : len(row.ids)] = row.weights
        return {"ids": torch.from_numpy(ids), "weights": torch.from_numpy(weights)}

    def forward(self, batch: Batch) -> Encoded:
        """Return vectors (n, terms), or (n, components) after a reduction."""
        ids, weights = batch["ids"], batch["weights"]
        if self.options.reduction == "none":
            dense = weights.new_zeros(len(ids), self.dimension)
            return Encoded(dense.scatter_add_(1, ids, weights))
        reduced = functional.embedding_bag(ids, self.components, per_sample_weights=weights, mode="sum")
        return Encoded(reduced - self.offset)

    def save(self, folder: Path) -> None:
        """Write vocab.json (the terms in order), encoder.safetensors and encoder.json."""
        write_json(folder / "vocab.json", self.terms)
        write_encoder(folder, self.kind, self.options, self.state_dict())

    @classmethod
    def load(cls, folder: Path) -> "TfidfEncoder":
        """Read an encoder that `save` wrote, set to evaluation."""
        with not_whole(folder, "TF-IDF encoder"):
            options, tensors = read_encoder(folder, cls.kind, TfidfOptions)
            terms = read_json(folder / "vocab.json")
            if not 0 < tensors["idf"].min() <= tensors["idf"].max() < 100:  # 1 − log of a share of the texts
                raise ValueError("the weights of its terms are none")
            encoder = cls(terms, options, **{name: tensor.numpy() for name, tensor in tensors.items()})
            restore(encoder, tensors, folder)
            return encoder


def _vectorizer(options: TfidfOptions, terms: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        tokenizer=tokenize_words,
        token_pattern=None,
        lowercase=False,  # the tokenizer does it
        ngram_range=(1, options.longest),
        min_df=options.min_count,
        max_features=options.max_terms if terms is None else None,
        sublinear_tf=options.sublinear,
        vocabulary=None if terms is None else {term: index for index, term in enumerate(terms)},
        dtype=np.float32,
    )


def _reduce(
    weights: Any, options: TfidfOptions, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the components (terms, d) and the offset (d,) that reduce a matrix, which stays sparse."""
    from sklearn.decomposition import PCA, TruncatedSVD

    if not 0 < options.components < min(weights.shape):
        raise DataError(
            f"cannot reduce {weights.shape[0]} texts with {weights.shape[1]} terms to {options.components} "
            f"components; ask for 1 to {min(weights.shape) - 1}."
        )
    if options.reduction == "svd":
        svd = TruncatedSVD(options.components, algorithm="arpack", random_state=seed).fit(weights)
        components = svd.components_.T.astype(np.float32)
        return components, np.zeros(options.components, dtype=np.float32)
    pca = PCA(options.components, svd_solver="arpack", random_state=seed).fit(weights)
    components = pca.components_.T
    return components.astype(np.float32), (pca.mean_ @ components).astype(np.float32)
