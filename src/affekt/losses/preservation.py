"""Vector space preservation: a retrofitted encoder is held near the encoder it started from.

    L = mean over rows and dimensions of (e − r)²

with e = `embeddings` of the encoder in training and r = `reference` of its frozen copy, both (n, d). Paper:
Shah, Reddy and Bhattacharyya (2023), Retrofitting Light-weight Language Models for Emotions using
Supervised Contrastive Learning. Labels play no part, so no anchor is left out. Measured on held-out text
the same number says how far the space has moved.
"""

from torch import Tensor

from affekt.errors import UsageError
from affekt.losses.common import full_precision


@full_precision
def space_preservation(embeddings: Tensor, reference: Tensor) -> Tensor:
    """Return the mean squared difference of two spaces of the same texts; the reference is constant."""
    if embeddings.shape != reference.shape:
        raise UsageError(
            f"embeddings have shape {tuple(embeddings.shape)} and reference {tuple(reference.shape)}: "
            "give the vectors of the same texts from two encoders of one size."
        )
    squared = (embeddings - reference.detach()).square()
    return squared.sum() / max(squared.numel(), 1)
