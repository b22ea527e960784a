import math
from itertools import combinations, product

import pytest
import torch
from torch.nn import functional

from affekt.losses import (
    inter_group_correlation,
    intra_group_correlation,
    label_correlation,
    same_side_correlation,
)

from .published import ELEVEN_LABELS, SATURATED


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(values):
    return sum(values) / len(values) if values else 0.0


def loop(logits, targets, allowed):
    """Per row the mean of exp(p_absent − p_present) over allowed pairs, then the mean over all rows."""
    rows = []
    for row, labels in zip(logits.tolist(), targets.tolist(), strict=True):
        p = [sigmoid(x) for x in row]
        absent = [i for i, label in enumerate(labels) if label == 0]
        present = [j for j, label in enumerate(labels) if label == 1]
        rows.append(mean([math.exp(p[i] - p[j]) for i, j in product(absent, present) if allowed(i, j)]))
    return sum(rows) / len(rows)


LOGITS = torch.randn(7, 5, generator=torch.Generator().manual_seed(15), dtype=torch.float64)
TARGETS = double(
    [
        [1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1],
        [0, 0, 1, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1],
        [1, 1, 1, 1, 0],
    ]
)
GROUPS = torch.tensor([4, 4, 9, 9, 9])  # ids need not start at 0 or be dense


@pytest.mark.parametrize(
    "case", [pytest.param(ELEVEN_LABELS, id="typical"), pytest.param(SATURATED, id="saturated")]
)
def test_value_and_gradient_equal_the_published_code(case):
    logits = double(case["logits"]).requires_grad_()
    loss = label_correlation(logits, double(case["labels"]))
    loss.backward()
    assert loss.item() == pytest.approx(case["lca_mean"], abs=1e-8)
    torch.testing.assert_close(logits.grad, double(case["lca_mean_grad_logits"]), rtol=0, atol=1e-8)
    per_row = [label_correlation(logits[[i]], double(case["labels"])[[i]]) for i in range(len(logits))]
    torch.testing.assert_close(torch.stack(per_row), double(case["lca_per_row"]), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "case", [pytest.param(ELEVEN_LABELS, id="typical"), pytest.param(SATURATED, id="saturated")]
)
def test_joint_loss_with_binary_cross_entropy_equals_the_published_code(case):
    logits, targets = double(case["logits"]).requires_grad_(), double(case["labels"])
    bce = functional.binary_cross_entropy_with_logits(logits, targets)
    joint = 0.8 * bce + 0.2 * label_correlation(logits, targets)
    joint.backward()
    assert joint.item() == pytest.approx(case["joint"], abs=1e-8)
    torch.testing.assert_close(logits.grad, double(case["joint_grad_logits"]), rtol=0, atol=1e-8)


def test_one_pair_worked_by_hand():
    """p = ½ for the absent label and ¾ for the present one: exp(−¼)."""
    loss = label_correlation(double([[0.0, math.log(3)]]), double([[0, 1]]))
    assert loss.item() == pytest.approx(math.exp(-0.25))


def test_each_term_equals_plain_loops():
    def same_group(i, j):
        return GROUPS[i] == GROUPS[j]

    everything = loop(LOGITS, TARGETS, lambda i, j: True)
    assert label_correlation(LOGITS, TARGETS).item() == pytest.approx(everything, abs=1e-12)
    intra = loop(LOGITS, TARGETS, same_group)
    assert intra_group_correlation(LOGITS, TARGETS, GROUPS).item() == pytest.approx(intra, abs=1e-12)
    inter = loop(LOGITS, TARGETS, lambda i, j: not same_group(i, j))
    assert inter_group_correlation(LOGITS, TARGETS, GROUPS).item() == pytest.approx(inter, abs=1e-12)


def test_same_side_term_equals_plain_loops():
    rows = []
    for row, labels in zip(LOGITS.tolist(), TARGETS.tolist(), strict=True):
        p = [sigmoid(x) for x in row]
        sides = []
        for side, sign in ((0, 1), (1, -1)):
            members = [i for i, label in enumerate(labels) if label == side]
            sides.append([math.exp(sign * (p[i] + p[j])) for i, j in combinations(members, 2)])
        rows.append(mean([mean(pairs) for pairs in sides if pairs]))
    assert same_side_correlation(LOGITS, TARGETS).item() == pytest.approx(mean(rows), abs=1e-12)


def test_same_side_term_lowers_absent_labels_and_raises_present_ones():
    logits = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    same_side_correlation(logits, double([[1, 1, 0, 0]])).backward()
    assert (logits.grad[0, :2] < 0).all()
    assert (logits.grad[0, 2:] > 0).all()


def test_one_group_is_the_plain_term_and_has_no_pairs_between_groups():
    one_group = torch.zeros(5, dtype=torch.long)
    torch.testing.assert_close(
        intra_group_correlation(LOGITS, TARGETS, one_group), label_correlation(LOGITS, TARGETS)
    )
    assert inter_group_correlation(LOGITS, TARGETS, one_group) == 0


def test_a_row_where_a_side_is_empty_contributes_zero_and_still_counts():
    full = label_correlation(LOGITS[:1], TARGETS[:1])
    torch.testing.assert_close(label_correlation(LOGITS[:3], TARGETS[:3]), full / 3)


def test_rows_without_pairs_stay_attached_to_the_graph():
    logits = LOGITS[1:3].clone().requires_grad_()  # no label, all labels
    loss = label_correlation(logits, TARGETS[1:3])
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(2, 5, dtype=torch.float64))


def test_soft_targets_weigh_each_pair_by_absence_times_presence():
    logits, targets = double([[0.3, -1.0, 2.0]]), double([[0.2, 0.0, 0.9]])
    p = [sigmoid(x) for x in logits[0].tolist()]
    t = targets[0].tolist()
    pairs = [(i, j, (1 - t[i]) * t[j]) for i in range(3) for j in range(3) if i != j]
    expected = sum(w * math.exp(p[i] - p[j]) for i, j, w in pairs) / sum(w for _, _, w in pairs)
    assert label_correlation(logits, targets).item() == pytest.approx(expected, abs=1e-12)
    one_group = torch.zeros(3, dtype=torch.long)
    assert intra_group_correlation(logits, targets, one_group).item() == pytest.approx(expected, abs=1e-12)
