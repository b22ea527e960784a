import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SupConLoss
from torch.nn import functional

from affekt.errors import UsageError
from affekt.losses import supervised_contrastive, unsupervised_contrastive

from .published import LONE_ANCHOR, TWO_VIEWS


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def one_hot(labels):
    return functional.one_hot(torch.tensor(labels)).double()


def jaccard(first, second):
    return sum(map(min, first, second)) / sum(map(max, first, second))


def any_shared(first, second):
    return float(any(a > 0 and b > 0 for a, b in zip(first, second, strict=True)))


def loop(embeddings, targets, temperature, overlap):
    """The formula of the file, one anchor after the other, on lists."""
    units = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in embeddings.tolist()]
    labels, rows = targets.tolist(), range(len(units))
    s = [
        [sum(a * b for a, b in zip(units[i], units[j], strict=True)) / temperature for j in rows]
        for i in rows
    ]
    anchors = []
    for i in rows:
        others = [j for j in rows if j != i]
        weights = {j: overlap(labels[i], labels[j]) for j in others if any_shared(labels[i], labels[j])}
        if weights:
            denominator = math.log(sum(math.exp(s[i][j]) for j in others))
            terms = [weight * (s[i][j] - denominator) for j, weight in weights.items()]
            anchors.append(-sum(terms) / sum(weights.values()))
    return sum(anchors) / len(anchors)


TARGETS = {
    "one label": [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]],
    "label sets": [[1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1], [0, 1, 1], [1, 1, 1]],
    "a row without labels": [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]],
    "rater votes": [[0.3, 0.7, 0], [0, 1, 0], [0.6, 0, 0.4], [0, 0, 1], [0.1, 0.1, 0.8], [1, 0, 0]],
}


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize(("name", "overlap"), [("any", any_shared), ("jaccard", jaccard)])
def test_loss_equals_plain_loops(targets, name, overlap):
    embeddings = torch.randn(6, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    loss = supervised_contrastive(embeddings, double(targets), temperature=0.2, overlap=name)
    assert loss.item() == pytest.approx(loop(embeddings, double(targets), 0.2, overlap), abs=1e-10)


def test_two_views_equal_the_first_published_code_without_its_prefactor():
    """There each term is multiplied by temperature / base_temperature = 0.1 / 0.07."""
    first = double(TWO_VIEWS["first"]).requires_grad_()
    second = double(TWO_VIEWS["second"]).requires_grad_()
    targets = one_hot(TWO_VIEWS["labels"]).repeat(2, 1)
    loss = 0.1 / 0.07 * supervised_contrastive(torch.cat((first, second)), targets, temperature=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(TWO_VIEWS["loss"], abs=1e-8)
    torch.testing.assert_close(first.grad, double(TWO_VIEWS["grad_first"]), rtol=0, atol=1e-8)
    torch.testing.assert_close(second.grad, double(TWO_VIEWS["grad_second"]), rtol=0, atol=1e-8)


def test_an_anchor_without_a_positive_leaves_the_mean():
    """Row 3 is alone in its class. A reference that leaves such anchors out gave these numbers."""
    embeddings = double(LONE_ANCHOR["raw"]).requires_grad_()
    loss = supervised_contrastive(embeddings, one_hot(LONE_ANCHOR["labels"]), temperature=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(LONE_ANCHOR["loss"], abs=1e-8)
    torch.testing.assert_close(embeddings.grad, double(LONE_ANCHOR["grad_raw"]), rtol=0, atol=1e-8)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_single_labels_equal_pytorch_metric_learning(temperature):
    generator = torch.Generator().manual_seed(6)
    ours = torch.randn(24, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    labels = torch.randint(0, 5, (24,), generator=generator)
    loss = supervised_contrastive(ours, functional.one_hot(labels).double(), temperature=temperature)
    reference = SupConLoss(temperature=temperature)(theirs, labels)
    loss.backward()
    reference.backward()
    torch.testing.assert_close(loss, reference, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-8)


def test_length_of_an_embedding_does_not_matter():
    embeddings = torch.randn(6, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    targets = double(TARGETS["one label"])
    scaled = embeddings * torch.arange(1, 7, dtype=torch.float64)[:, None]
    torch.testing.assert_close(
        supervised_contrastive(scaled, targets), supervised_contrastive(embeddings, targets)
    )


def test_a_row_without_labels_is_a_negative_of_the_others():
    embeddings = double([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    with_unlabelled = supervised_contrastive(embeddings, double([[1.0], [1.0], [0.0]]))
    alone = supervised_contrastive(embeddings[:2], double([[1.0], [1.0]]))
    assert with_unlabelled.item() == pytest.approx(math.log(2))  # one of two equal rows is the positive
    assert alone.item() == pytest.approx(0.0)


def test_jaccard_weighs_the_nearer_label_set_more():
    """Row 1 has the same two labels (weight 1), row 2 one of three (1/3): their shares are 3 to 1."""
    embeddings = double([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]]).requires_grad_()
    targets = double([[1, 1, 0], [1, 1, 0], [0, 1, 1]])
    near = supervised_contrastive(embeddings, targets, temperature=1.0, overlap="jaccard")
    plain = supervised_contrastive(embeddings, targets, temperature=1.0)
    assert near < plain


def test_disjoint_soft_targets_are_no_positives_despite_rounding():
    targets = torch.tensor([[0.1, 0.2, 0.0, 0.0], [0.0, 0.0, 0.3, 0.6]], dtype=torch.float32)
    loss = supervised_contrastive(torch.randn(2, 3), targets, overlap="jaccard")
    assert loss.item() == 0.0


def test_an_unknown_overlap_is_answered_with_the_near_one():
    with pytest.raises(UsageError, match="did you mean jaccard"):
        supervised_contrastive(torch.ones(2, 2), torch.ones(2, 1), overlap="jacard")


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(UsageError, match="must be above 0"):
        supervised_contrastive(torch.ones(2, 2), torch.ones(2, 1), temperature=temperature)
    with pytest.raises(UsageError, match="must be above 0"):
        unsupervised_contrastive(torch.ones(2, 2), torch.ones(2, 2), temperature=temperature)


def test_two_views_without_labels_equal_nt_xent_of_pytorch_metric_learning():
    generator = torch.Generator().manual_seed(8)
    left, right = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    ours = left.clone().requires_grad_()
    theirs = left.clone().requires_grad_()
    loss = unsupervised_contrastive(ours, right, temperature=0.05)
    reference = NTXentLoss(temperature=0.05)(torch.cat((theirs, right)), torch.arange(7).repeat(2))
    loss.backward()
    reference.backward()
    torch.testing.assert_close(loss, reference, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-8)


def test_label_free_loss_is_the_supervised_one_with_a_class_per_text():
    left, right = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    classes = torch.eye(6, dtype=torch.float64).repeat(2, 1)
    supervised = supervised_contrastive(torch.cat((left, right)), classes, temperature=0.05)
    torch.testing.assert_close(unsupervised_contrastive(left, right), supervised)


def test_label_free_loss_takes_both_views_alike():
    left, right = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    torch.testing.assert_close(unsupervised_contrastive(left, right), unsupervised_contrastive(right, left))
