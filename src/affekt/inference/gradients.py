"""Which words carry each emotion of a text, by integrated gradients: for models that torch computes.

From a text whose every piece is padding to the text itself the token embeddings go on a straight line, and
the gradients of a label's probability along it are added up (Sundararajan, Taly and Yan 2017). What the words
are given sums to the probability of the text less that of the padding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from affekt.decisions import Decisions
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import UsageError, installed
from affekt.inference.explain import Explanation, pieces_of
from affekt.inference.runtimes import Runtime
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network

with installed():
    import torch

STEPS = 48  # of the line, each at its middle
_CANNOT = (
    "gradients explain a transformer that torch computes, without label words and with pieces that can be "
    "traced to words; leave words out instead, which explains any model."
)


def integrated(
    runtime: Runtime,
    decisions: Decisions,
    text: str,
    labels: Sequence[str],
    *,
    steps: int = STEPS,
) -> Explanation:
    """Return how much each word of a normalised text makes each label likelier.

    Args:
        runtime: A transformer's, run by torch, that reads nothing beside the text.
        decisions: Of its labels.
        text: As the model reads it.
        labels: Their names.
        steps: Points of the line from padding to the text.

    Raises:
        UsageError: When the model is none whose pieces can be traced to words.
    """
    network = runtime.network if isinstance(runtime, TorchRuntime) else None
    encoder = network.encoder if network is not None else None
    plain = isinstance(encoder, TransformerEncoder) and not encoder.prefix and encoder.tokenizer.is_fast
    if network is None or not isinstance(encoder, TransformerEncoder) or not plain:
        raise UsageError(_CANNOT)
    [row] = encoder.tokenize([text])
    found = encoder.tokenizer(
        text, truncation=True, max_length=encoder.max_length, return_offsets_mapping=True
    )
    if found["input_ids"] != row:
        raise UsageError("the pieces of this text cannot be traced to its words; leave words out instead.")
    tokens = _token_gradients(network.eval(), encoder, decisions, row, steps)
    pieces = pieces_of(text)
    ends = np.cumsum([len(piece) for piece in pieces])
    carries = np.zeros((len(pieces), len(labels)))
    for (start, end), given in zip(found["offset_mapping"], tokens, strict=True):
        if end > start:  # not a mark of the model's own
            carries[np.searchsorted(ends, end - 1, side="right")] += given
    return Explanation(pieces, dict(zip(labels, map(tuple, carries.T.tolist()), strict=True)))


def _token_gradients(
    network: Network, encoder: TransformerEncoder, decisions: Decisions, row: list[int], steps: int
) -> Any:
    """Return (tokens, k): what each token's embedding adds to each label's probability."""
    device = encoder.word_embeddings().weight.device
    own = set(encoder.tokenizer.all_special_ids)
    filled = [one if one in own else encoder.filler for one in row]
    line = (torch.arange(steps, device=device) + 0.5) / steps
    path: list[torch.Tensor] = []

    def on_the_line(module: Any, args: Any, embedded: torch.Tensor) -> torch.Tensor:
        whole, empty = embedded[-1:], embedded[:1]
        path[:] = [(whole - empty).detach(), (empty + line[:, None, None] * (whole - empty)).detach()]
        path[1].requires_grad_()
        return path[1]

    batch = encoder.collate([filled] * (steps - 1) + [row])
    hook = encoder.word_embeddings().register_forward_hook(on_the_line)
    try:
        with torch.enable_grad():
            logits = network({name: value.to(device) for name, value in batch.items()})
            slopes, shifts = (
                torch.tensor(part, dtype=logits.dtype, device=logits.device)
                for part in (decisions.calibration.slopes, decisions.calibration.intercepts)
            )
            lines = logits * slopes + shifts
            likely = lines.softmax(dim=1) if decisions.rule == "argmax" else lines.sigmoid()
            columns = []
            for of_label in likely.sum(dim=0):
                [gradient] = torch.autograd.grad(of_label, path[1], retain_graph=True)
                columns.append((gradient.mean(dim=0) * path[0][0]).sum(dim=1))
    finally:
        hook.remove()
    return torch.stack(columns, dim=1).double().cpu().numpy()
