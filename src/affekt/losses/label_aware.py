"""Label-aware contrastive loss: negatives whose labels are easily taken for the anchor's weigh more.

    s_ij = h_i·h_j / τ
    m_ij = Σ_k t_jk w_ik                      how strongly anchor i feels the labels of row j
    L_i  = Σ_{p∈P_i} a_ip · ( s_ip − log Σ_{j≠i} m_ij exp s_ij )
    L    = mean of −L_i / |P_i| over the anchors with a positive
    a_ip = m_ii (`positive_weight="anchor"`),  m_ip (`"positive"`)  or  1 (`"one"`, of our own)

with h = `embeddings`, t = `targets`, w = `weights`, τ = `temperature` and P_i the other rows that share a
label with i.

Papers: Suresh and Ong (2021), Not All Negatives are Equal (one label per text, where both forms are the
same); Huang and Wen's extension to label sets, whose equation weighs a positive by the anchor's labels and
whose published code by the positive's.

Nothing is normalised here: the caller scales h to unit length and applies softmax to the weights, and
decides whether gradient reaches the network they come from. An anchor without a positive leaves the mean
and stays a negative; a row without labels has m_ij = 0 for every i, so it is neither positive nor negative.

The value may be negative, and that is right. On unit rows with a copy i′ of each row in the batch, an
anchor's term cannot fall below m_ii log m_ii, because the sum over j holds m_ii exp s_ii′. Without a second
view the anchor's form has no such floor: weight moved to a label that no other row has makes the logarithm
as small as one likes.
"""

import torch
from torch import Tensor

from affekt.errors import UsageError, unknown_name
from affekt.losses.common import (
    full_precision,
    masked_logsumexp,
    mean_where,
    other_rows,
    require_temperature,
    shared_labels,
)

POSITIVE_WEIGHTS = ("anchor", "positive", "one")


@full_precision
def label_aware_contrastive(
    embeddings: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    temperature: float = 0.3,
    positive_weight: str = "anchor",
) -> Tensor:
    """Return the label-aware contrastive loss of a batch, single- or multi-label.

    Args:
        embeddings: (n, d), used as given; unit rows in the published systems.
        targets: (n, k) in [0, 1].
        weights: (n, k) rows that are already softmaxed; gradient flows into them.
        temperature: divides the similarities.
        positive_weight: whose labels weigh a positive: "anchor" (the equation), "positive" (the code), or
            nobody's, "one": an unsure weighting network then does not take the term's strength.

    Returns:
        A scalar; 0 attached to the graph where no anchor has a positive.
    """
    require_temperature(temperature)
    if positive_weight not in POSITIVE_WEIGHTS:
        raise UsageError(unknown_name("positive_weight", positive_weight, POSITIVE_WEIGHTS))
    targets = targets.to(embeddings.dtype)
    positive = shared_labels(targets)  # (n, n)
    mass = weights @ targets.T  # (n, n), m_ij
    # A softmax can underflow to 0 where a label is present; the floor keeps its logarithm and 1/m_ij finite.
    log_mass = mass.clamp(min=torch.finfo(mass.dtype).tiny ** 0.5).log()
    similarity = embeddings @ embeddings.T / temperature
    labelled = (targets > 0).any(dim=1)
    denominator = masked_logsumexp(similarity + log_mass, labelled & other_rows(embeddings))
    own = mass.diagonal()[:, None]
    importance = {"anchor": own, "positive": mass, "one": torch.ones_like(own)}[positive_weight]
    log_share = importance * (similarity - denominator[:, None])
    counts = positive.sum(dim=1)
    per_anchor = -torch.where(positive, log_share, 0.0).sum(dim=1) / counts.clamp(min=1)
    return mean_where(per_anchor, counts > 0)
