"""What holds for every loss: finite in value and gradient on any batch, attached to the graph."""

import pytest
import torch
from torch.autograd import gradcheck

from affekt import losses
from affekt.errors import UsageError
from affekt.losses import CLASSIFICATION_LOSSES, LOSSES, classification_loss

LABELS = 3
GROUPS = torch.tensor([0, 0, 1])


def test_every_public_loss_has_its_name_in_the_table():
    assert {name: getattr(losses, name) for name in losses.__all__ if name.islower()} == LOSSES


def weights_like(embeddings):
    return embeddings[:, :LABELS].softmax(dim=1)


def next_row(embeddings):
    return embeddings.roll(1, dims=0)


# Each takes embeddings (n, 3), which also stand in for logits and weights, and targets (n, 3).
CALLS = {
    "pair_contrastive": lambda e, t: LOSSES["pair_contrastive"](
        e, next_row(e), (t * next_row(t)).sum(dim=1) > 0, margin=1.5
    ),
    "margin_contrastive": lambda e, t: LOSSES["margin_contrastive"](e, t),
    "supervised_contrastive": lambda e, t: LOSSES["supervised_contrastive"](e, t),
    "supervised_contrastive jaccard": lambda e, t: LOSSES["supervised_contrastive"](e, t, overlap="jaccard"),
    "unsupervised_contrastive": lambda e, t: LOSSES["unsupervised_contrastive"](e, next_row(e)),
    "label_aware_contrastive": lambda e, t: LOSSES["label_aware_contrastive"](e, t, weights_like(e)),
    "label_aware_contrastive positive": lambda e, t: LOSSES["label_aware_contrastive"](
        e, t, weights_like(e), positive_weight="positive"
    ),
    "label_correlation": lambda e, t: LOSSES["label_correlation"](e, t),
    "intra_group_correlation": lambda e, t: LOSSES["intra_group_correlation"](e, t, GROUPS),
    "inter_group_correlation": lambda e, t: LOSSES["inter_group_correlation"](e, t, GROUPS),
    "same_side_correlation": lambda e, t: LOSSES["same_side_correlation"](e, t),
    "space_preservation": lambda e, t: LOSSES["space_preservation"](e, t.to(e.dtype)),
    "distillation several": lambda e, t: LOSSES["distillation"](e, t, temperature=2.0, single_label=False),
    "distillation one": lambda e, t: LOSSES["distillation"](e, t, temperature=2.0, single_label=True),
    **{
        f"classification_loss {kind}": lambda e, t, kind=kind: classification_loss(e, t, kind=kind)
        for kind in CLASSIFICATION_LOSSES
    },
}

VARIED = [[1.0, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 0, 0]]
DRAWN = torch.randn(5, LABELS, generator=torch.Generator().manual_seed(17), dtype=torch.float64)
BATCHES = {
    "anchors without positives": (DRAWN[:3], torch.eye(3).tolist()),
    "one class": (DRAWN, [[1.0, 0, 0]] * 5),
    "all labels": (DRAWN, [[1.0, 1, 1]] * 5),
    "one row": (DRAWN[:1], [[1.0, 0, 0]]),
    "no rows": (DRAWN[:0], torch.empty(0, LABELS)),
    "identical rows": (torch.ones(5, LABELS).double(), VARIED),
    "all-zero embeddings": (torch.zeros(5, LABELS).double(), VARIED),
    "some all-zero embeddings": (DRAWN * torch.tensor([1.0, 0, 1, 0, 1])[:, None], VARIED),
    "a row without labels": (DRAWN, [*VARIED[:4], [0.0, 0, 0]]),
    "no labels at all": (DRAWN, [[0.0, 0, 0]] * 5),
    "rater votes": (DRAWN, [[0.2, 0.8, 0], [0.5, 0.5, 0], [0, 0, 1], [0.9, 0.1, 0], [0, 0.4, 0.6]]),
    "huge values": (DRAWN * 1e4, VARIED),
    "tiny values": (DRAWN * 1e-30, VARIED),
}


def test_every_loss_is_called_here():
    assert {name.split()[0] for name in CALLS} == set(LOSSES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient_are_finite(name, batch, dtype):
    drawn, targets = BATCHES[batch]
    embeddings = drawn.to(dtype).clone().requires_grad_()
    loss = CALLS[name](embeddings, torch.as_tensor(targets, dtype=dtype))
    loss.backward()
    assert loss.shape == ()
    assert loss.dtype == dtype
    assert loss.isfinite()
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("name", CALLS)
def test_an_empty_batch_costs_zero_and_can_be_stepped(name):
    embeddings = torch.zeros(0, LABELS, requires_grad=True)
    loss = CALLS[name](embeddings, torch.zeros(0, LABELS))
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize(
    "name", ["margin_contrastive", "supervised_contrastive", "label_aware_contrastive", "label_correlation"]
)
def test_without_any_label_the_loss_is_zero_with_zero_gradient(name):
    embeddings = DRAWN.clone().requires_grad_()
    loss = CALLS[name](embeddings, torch.zeros(5, LABELS, dtype=torch.float64))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros_like(DRAWN))


@pytest.mark.parametrize("targets", [VARIED, [*VARIED[:4], [0.0, 0, 0]]], ids=["labels", "a row without"])
@pytest.mark.parametrize("name", CALLS)
def test_gradient_equals_finite_differences(name, targets):
    targets = torch.tensor(targets, dtype=torch.float64)
    assert gradcheck(lambda embeddings: CALLS[name](embeddings, targets), (DRAWN.clone().requires_grad_(),))


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"pair_contrastive", "unsupervised_contrastive"}))
def test_order_of_the_rows_does_not_matter_where_pairs_are_not_given_by_position(name):
    targets, order = torch.tensor(VARIED, dtype=torch.float64), torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(CALLS[name](DRAWN[order], targets[order]), CALLS[name](DRAWN, targets))


@pytest.mark.parametrize("name", CALLS)
def test_half_precision_is_lifted_and_autocast_left_out(name):
    targets = torch.tensor(VARIED)
    rounded = DRAWN.to(torch.bfloat16)
    exact = CALLS[name](rounded.float(), targets)
    lifted = CALLS[name](rounded, targets)
    assert lifted.dtype == torch.float32
    torch.testing.assert_close(lifted, exact, rtol=2e-2, atol=1e-2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = CALLS[name](rounded.float(), targets)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, exact)


def test_usage_errors_pass_through_the_lifting():
    with pytest.raises(UsageError):
        LOSSES["space_preservation"](torch.ones(1, 2), torch.ones(2, 2))


@pytest.mark.parametrize("name", CALLS)
def test_bool_targets_are_those_of_0_and_1(name):
    embeddings = torch.randn(6, 3, dtype=torch.float64)
    targets = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 1]])
    of_bools = CALLS[name](embeddings, targets.bool())
    torch.testing.assert_close(of_bools, CALLS[name](embeddings, targets.double()))
