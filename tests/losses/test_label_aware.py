import math

import pytest
import torch
from torch.nn import functional

from affekt.errors import UsageError
from affekt.losses import label_aware_contrastive, supervised_contrastive

from .published import (
    LABEL_SETS,
    LABEL_SETS_ONE_TEXT,
    LABEL_SETS_UNNORMALISED,
    ONE_LABEL_SHARP,
    ONE_LABEL_TWO_VIEWS,
    ONE_LABEL_UNNORMALISED,
)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def loop(embeddings, targets, weights, temperature, positive_weight):
    """The formula of the file, one anchor and one positive after the other, on lists."""
    h, t, w = embeddings.tolist(), targets.tolist(), weights.tolist()
    rows = range(len(h))

    def mass(i, j):
        return sum(label * weight for label, weight in zip(t[j], w[i], strict=True))

    def similarity(i, j):
        return sum(a * b for a, b in zip(h[i], h[j], strict=True)) / temperature

    anchors = []
    for i in rows:
        positives = [p for p in rows if p != i and any(a * b > 0 for a, b in zip(t[i], t[p], strict=True))]
        if not positives:
            continue
        denominator = sum(mass(i, j) * math.exp(similarity(i, j)) for j in rows if j != i)
        terms = [
            {"anchor": mass(i, i), "positive": mass(i, p), "one": 1.0}[positive_weight]
            * math.log(math.exp(similarity(i, p)) / denominator)
            for p in positives
        ]
        anchors.append(-sum(terms) / len(positives))
    return sum(anchors) / len(anchors)


def run(case, positive_weight, copies):
    """Return the loss and the leaves, with the features and weights repeated as the reference does."""
    raw = double(case["raw"]).requires_grad_()
    weight_logits = double(case["weight_logits"]).requires_grad_()
    features = functional.normalize(raw, dim=1) if case["normalise"] else raw * 1
    features.retain_grad()
    targets = double(case["labels"])
    if targets.ndim == 1:
        targets = functional.one_hot(targets.long(), weight_logits.shape[1]).double()
    loss = label_aware_contrastive(
        features.repeat(copies, 1),
        targets.repeat(copies, 1),
        weight_logits.softmax(dim=1).repeat(copies, 1),
        temperature=case["temperature"],
        positive_weight=positive_weight,
    )
    loss.backward()
    return loss, raw, features, weight_logits


def assert_gradients(case, raw, features, weight_logits):
    torch.testing.assert_close(features.grad, double(case["grad_features"]), rtol=0, atol=1e-8)
    torch.testing.assert_close(raw.grad, double(case["grad_raw"]), rtol=0, atol=1e-8)
    torch.testing.assert_close(weight_logits.grad, double(case["grad_weight_logits"]), rtol=0, atol=1e-8)


@pytest.mark.parametrize("positive_weight", ["anchor", "positive"])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(ONE_LABEL_TWO_VIEWS, id="two views"),
        pytest.param(ONE_LABEL_UNNORMALISED, id="unnormalised"),
        pytest.param(ONE_LABEL_SHARP, id="sharp weights"),
    ],
)
def test_with_one_label_per_text_both_forms_equal_the_published_single_label_code(case, positive_weight):
    loss, *leaves = run(case, positive_weight, copies=1)
    assert loss.item() == pytest.approx(case["loss"], abs=1e-8)
    assert_gradients(case, *leaves)


SETS = [
    pytest.param(LABEL_SETS, id="four texts"),
    pytest.param(LABEL_SETS_ONE_TEXT, id="one text"),
    pytest.param(LABEL_SETS_UNNORMALISED, id="unnormalised"),
]


@pytest.mark.parametrize("case", SETS)
def test_positive_form_equals_the_published_label_set_code(case):
    loss, *leaves = run(case, "positive", copies=2)
    assert loss.item() == pytest.approx(case["loss"], abs=1e-8)
    assert_gradients(case, *leaves)


@pytest.mark.parametrize("case", SETS)
def test_anchor_form_equals_the_published_equation(case):
    loss, *_ = run(case, "anchor", copies=2)
    assert loss.item() == pytest.approx(case["equation"], abs=1e-8)


@pytest.mark.parametrize("positive_weight", ["anchor", "positive", "one"])
def test_loss_equals_plain_loops_with_a_lone_anchor_an_empty_row_and_rater_votes(positive_weight):
    generator = torch.Generator().manual_seed(11)
    embeddings = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    weights = torch.randn(6, 4, generator=generator, dtype=torch.float64).softmax(dim=1)
    targets = double(
        [[1, 0, 1, 0], [0, 0, 0.4, 0.6], [0, 0, 0, 0], [0, 1, 0, 0], [0.5, 0, 0, 0.5], [0, 0, 0, 1]]
    )
    loss = label_aware_contrastive(embeddings, targets, weights, positive_weight=positive_weight)
    expected = loop(embeddings, targets, weights, 0.3, positive_weight)
    assert loss.item() == pytest.approx(expected, abs=1e-10)


def test_with_one_and_weights_alike_it_is_the_supervised_contrastive_loss_whatever_the_weights_size():
    embeddings = functional.normalize(torch.randn(6, 3, generator=torch.Generator().manual_seed(4)).double())
    targets = functional.one_hot(torch.tensor([0, 1, 0, 2, 1, 3])).double()
    plain = supervised_contrastive(embeddings, targets, temperature=0.3)
    for share in (0.25, 1e-4):
        alike = torch.full((6, 4), share, dtype=torch.float64)
        loss = label_aware_contrastive(embeddings, targets, alike, positive_weight="one")
        assert loss.item() == pytest.approx(plain.item() + math.log(share), abs=1e-9)
        by_anchor = label_aware_contrastive(embeddings, targets, alike)
        assert by_anchor.item() == pytest.approx(share * loss.item(), abs=1e-9)


def test_the_anchor_form_is_the_default_and_differs_where_label_sets_differ():
    embeddings = functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(12)), dim=1)
    targets = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]])
    weights = torch.tensor([[0.7, 0.2, 0.1]]).repeat(4, 1)
    default = label_aware_contrastive(embeddings, targets, weights)
    assert default == label_aware_contrastive(embeddings, targets, weights, positive_weight="anchor")
    assert default != label_aware_contrastive(embeddings, targets, weights, positive_weight="positive")


def test_a_row_without_labels_changes_nothing_for_the_others():
    """It has no mass, so it is no negative, and without a positive it is no anchor."""
    generator = torch.Generator().manual_seed(13)
    embeddings = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    weights = torch.randn(5, 2, generator=generator, dtype=torch.float64).softmax(dim=1)
    targets = double([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]])
    embeddings[4] = embeddings[:4].sum(dim=0) * 1e4  # nearer to all than any other row, and still nothing
    with_empty = label_aware_contrastive(embeddings, targets, weights)
    without = label_aware_contrastive(embeddings[:4], targets[:4], weights[:4])
    torch.testing.assert_close(with_empty, without)


def test_a_negative_whose_label_is_easily_confused_with_the_anchors_weighs_more():
    """The same embeddings cost more when weight lies on the negative's label than on an absent one."""
    embeddings = double([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    targets = double([[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    confused = double([[0.5, 0.45, 0.05]]).repeat(3, 1)
    distinct = double([[0.5, 0.05, 0.45]]).repeat(3, 1)
    assert label_aware_contrastive(embeddings, targets, confused) > label_aware_contrastive(
        embeddings, targets, distinct
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [50.0, 1000.0])
def test_weights_that_underflow_and_huge_similarities_stay_finite(dtype, scale):
    generator = torch.Generator().manual_seed(14)
    embeddings = (torch.randn(6, 4, generator=generator, dtype=dtype) * 30).requires_grad_()
    weight_logits = (torch.randn(6, 3, generator=generator, dtype=dtype) * scale).requires_grad_()
    targets = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=dtype)
    loss = label_aware_contrastive(embeddings, targets, weight_logits.softmax(dim=1), temperature=0.05)
    loss.backward()
    assert loss.isfinite()
    assert embeddings.grad.isfinite().all()
    assert weight_logits.grad.isfinite().all()


def test_gradient_reaches_the_weights_through_negatives_as_well():
    weights = double([[0.5, 0.3, 0.2]]).repeat(3, 1).requires_grad_()
    targets = double([[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    label_aware_contrastive(torch.eye(3, dtype=torch.float64), targets, weights).backward()
    assert (weights.grad[:2, :2] != 0).all()  # anchors 0 and 1 feel their own label and the negative's
    assert (weights.grad[:, 2] == 0).all()  # no row has label 2
    assert (weights.grad[2] == 0).all()  # anchor 2 has no positive


def test_an_unknown_form_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match="Known: anchor, one, positive"):
        label_aware_contrastive(torch.ones(2, 2), torch.ones(2, 1), torch.ones(2, 1), positive_weight="both")
