import pytest
import torch

from affekt.errors import UsageError
from affekt.losses import space_preservation


def test_it_is_the_mean_squared_difference_over_rows_and_dimensions():
    """Differences 1, −2, 0, 3: (1 + 4 + 0 + 9) / 4."""
    moved = torch.tensor([[1.0, 0.0], [5.0, 4.0]])
    start = torch.tensor([[0.0, 2.0], [5.0, 1.0]])
    assert space_preservation(moved, start).item() == 3.5


def test_a_space_that_has_not_moved_costs_nothing():
    vectors = torch.randn(4, 3)
    assert space_preservation(vectors, vectors.clone()) == 0


def test_no_gradient_reaches_the_reference():
    moved, start = torch.ones(2, 2, requires_grad=True), torch.zeros(2, 2, requires_grad=True)
    space_preservation(moved, start).backward()
    assert torch.equal(moved.grad, torch.full((2, 2), 0.5))  # 2 · 1 / 4
    assert start.grad is None


def test_vectors_of_different_sizes_are_refused_rather_than_broadcast():
    with pytest.raises(UsageError, match=r"\(2, 3\) and reference \(1, 3\)"):
        space_preservation(torch.ones(2, 3), torch.ones(1, 3))
