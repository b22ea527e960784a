import math

import pytest
import torch

from affekt.losses import margin_contrastive, pair_contrastive

from .published import EUCLIDEAN_PAIRS


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def distance(left, right):
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(left, right, strict=True)))


def pair_loop(left, right, same, margin):
    """½ [ y d² + (1 − y) max(0, m − d)² ], one pair after the other."""
    costs = []
    for a, b, y in zip(left.tolist(), right.tolist(), same.tolist(), strict=True):
        d = distance(a, b)
        costs.append(0.5 * (y * d**2 + (1 - y) * max(0.0, margin - d) ** 2))
    return sum(costs) / len(costs)


def batch_loop(embeddings, targets, margin):
    kinds = {True: [], False: []}
    for i in range(len(embeddings)):
        for j in range(i + 1, len(embeddings)):
            if not any(targets[i]) or not any(targets[j]):
                continue
            same = any(a > 0 and b > 0 for a, b in zip(targets[i].tolist(), targets[j].tolist(), strict=True))
            d = distance(embeddings[i].tolist(), embeddings[j].tolist())
            kinds[same].append(0.5 * d**2 if same else 0.5 * max(0.0, margin - d) ** 2)
    means = [sum(costs) / len(costs) for costs in kinds.values() if costs]
    return sum(means) / len(means)


def test_two_pairs_worked_by_hand():
    """d = 5 and 1: ½ · 25 for the positive, ½ · (3 − 1)² for the negative, mean (12.5 + 2) / 2."""
    left, right = double([[0.0, 0.0], [1.0, 1.0]]), double([[3.0, 4.0], [1.0, 2.0]])
    assert pair_contrastive(left, right, torch.tensor([True, False]), margin=3.0).item() == pytest.approx(
        7.25
    )


@pytest.mark.parametrize("margin", [0.5, 1.5, 5.0])
def test_pairs_equal_plain_loops(margin):
    generator = torch.Generator().manual_seed(1)
    left, right = torch.randn(2, 9, 4, generator=generator, dtype=torch.float64)
    same = torch.rand(9, generator=generator, dtype=torch.float64).round()
    loss = pair_contrastive(left, right, same, margin=margin)
    assert loss.item() == pytest.approx(pair_loop(left, right, same, margin), abs=1e-12)


def test_pairs_agree_with_sentence_transformers_up_to_its_epsilon():
    """It adds 1e-6 to each of 4 differences, which moves d by at most 2e-6 and the loss by m times that."""
    left, right = double(EUCLIDEAN_PAIRS["a"]).requires_grad_(), double(EUCLIDEAN_PAIRS["b"]).requires_grad_()
    loss = pair_contrastive(left, right, torch.tensor(EUCLIDEAN_PAIRS["labels"]), margin=5.0)
    loss.backward()
    assert loss.item() == pytest.approx(EUCLIDEAN_PAIRS["loss"], abs=1e-5)
    torch.testing.assert_close(left.grad, double(EUCLIDEAN_PAIRS["grad_a"]), rtol=0, atol=1e-5)
    torch.testing.assert_close(right.grad, double(EUCLIDEAN_PAIRS["grad_b"]), rtol=0, atol=1e-5)


def test_no_epsilon_bends_the_distance_of_very_near_points():
    left, right = double([[1e-7, 0.0]]), double([[0.0, 0.0]])
    loss = pair_contrastive(left, right, torch.tensor([False]), margin=1.0)
    assert loss.item() == pytest.approx(0.5 * (1 - 1e-7) ** 2, abs=1e-12)


def test_near_rows_far_from_the_origin_keep_their_distance_in_single_precision():
    """Squared norms of 3e6 would swallow a squared distance of 0.0625."""
    embeddings = torch.full((40, 3), 1000.0)
    embeddings[:20, 0] += 0.25
    targets = torch.eye(2).repeat_interleave(20, dim=0)
    loss = margin_contrastive(embeddings, targets, margin=1.25)
    assert loss.item() == pytest.approx(0.5 * 0.5)  # half of 0 and half of ½ (1.25 − 0.25)²


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_points_cost_exactly_the_formula_and_get_no_gradient(dtype):
    left = torch.ones(2, 3, dtype=dtype, requires_grad=True)
    loss = pair_contrastive(left, torch.ones(2, 3, dtype=dtype), torch.tensor([True, False]), margin=2.0)
    loss.backward()
    assert loss.item() == 1.0  # (0 + ½ · 2²) / 2
    assert torch.equal(left.grad, torch.zeros(2, 3, dtype=dtype))


def test_identical_rows_in_a_batch_cost_exactly_the_formula_and_get_no_gradient():
    embeddings = torch.ones(4, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.eye(2, dtype=torch.float64).repeat(2, 1)
    loss = margin_contrastive(embeddings, targets, margin=2.0)
    loss.backward()
    assert loss.item() == 1.0  # half of 0 and half of ½ · 2²
    assert torch.equal(embeddings.grad, torch.zeros(4, 3, dtype=torch.float64))


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]], id="one label"),
        pytest.param([[1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0], [0, 0, 1]], id="label sets, one empty"),
        pytest.param([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], id="positives only"),
        pytest.param([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], id="negatives only"),
        pytest.param([[0.4, 0.6, 0], [0, 1, 0], [0, 0.2, 0.8], [1, 0, 0], [0, 0, 1]], id="rater votes"),
    ],
)
def test_batch_equals_plain_loops_over_index_pairs(targets):
    generator = torch.Generator().manual_seed(2)
    embeddings = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    loss = margin_contrastive(embeddings, double(targets), margin=1.5)
    assert loss.item() == pytest.approx(batch_loop(embeddings, double(targets), 1.5), abs=1e-12)


def test_both_kinds_weigh_equal_however_many_negatives_there_are():
    """One positive pair at d = 2 (½ · 4) and eight negatives at distance 0 or 2, margin 2."""
    embeddings = double([[0.0], [2.0], [0.0], [0.0], [0.0], [0.0]])
    targets = torch.eye(5, dtype=torch.float64)[[0, 0, 1, 2, 3, 4]]
    negatives = (
        [2.0] * 4 + [0.0] * 4 + [2.0] * 6
    )  # row 0 with the four, row 1 with the four, the four among them
    expected = 0.5 * 2.0 + 0.5 * sum(negatives) / len(negatives)
    assert margin_contrastive(embeddings, targets, margin=2.0).item() == pytest.approx(expected)


def test_batch_agrees_with_given_pairs_where_both_kinds_are_equally_many():
    embeddings = torch.randn(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    targets = double([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    targets[2, 2] = 0  # unlabelled: takes part in no pair
    extra = torch.cat((embeddings[:2], embeddings[2:] + 1))
    assert margin_contrastive(extra, targets) == margin_contrastive(embeddings, targets)
    balanced = double([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]])  # positives 01 12; negatives 02 03 13 23
    points = torch.randn(4, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    left, right = [0, 0, 1, 1, 0, 0, 1, 2], [1, 1, 2, 2, 2, 3, 3, 3]  # positives twice
    same = torch.tensor([True] * 4 + [False] * 4)
    by_pairs = pair_contrastive(points[left], points[right], same, margin=1.5)
    torch.testing.assert_close(margin_contrastive(points, balanced), by_pairs)
