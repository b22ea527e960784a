"""A head that goes on from another one's labels."""

import pytest
import torch

from affekt.encoders import Encoded
from affekt.networks.heads import ClassificationHead, LinearHead, start_as

KNOWN = ("anger", "joy", "fear")


def head(labels: int, **options) -> ClassificationHead:
    torch.manual_seed(labels)
    made = ClassificationHead(4, labels, **options).eval()
    torch.nn.init.normal_(made.out.bias)
    return made


def logits(of: torch.nn.Module) -> torch.Tensor:
    vectors = torch.linspace(-1, 1, 12).reshape(3, 4)
    with torch.no_grad():
        return of(Encoded(vectors))


def test_labels_of_the_same_name_answer_alike_in_their_new_places() -> None:
    new, old = head(2), head(3)
    start_as(new, old, ("fear", "anger"), KNOWN)
    torch.testing.assert_close(logits(new), logits(old)[:, [2, 0]])


def test_a_label_that_is_not_known_starts_at_the_mean_of_the_known_ones() -> None:
    new, old = head(3), head(3)
    start_as(new, old, ("joy", "love", "anger"), KNOWN)
    torch.testing.assert_close(logits(new)[:, 1], logits(old)[:, [1, 0]].mean(1))


@pytest.mark.parametrize(
    ("new", "labels"),
    [
        (head(2), ("calm", "love")),
        (head(2, activation="relu"), ("joy", "anger")),
        (LinearHead(4, 2), ("joy", "anger")),
    ],
    ids=["no label in common", "another activation", "another form"],
)
def test_nothing_is_taken_where_the_heads_have_nothing_in_common(new, labels) -> None:
    before = logits(new)
    start_as(new, head(3), labels, KNOWN)
    torch.testing.assert_close(logits(new), before)


def test_what_is_learned_afterwards_does_not_reach_the_old_head() -> None:
    new, old = head(2), head(3)
    before = logits(old)
    start_as(new, old, ("joy", "anger"), KNOWN)
    with torch.no_grad():
        for parameter in new.parameters():
            parameter.add_(1)
    torch.testing.assert_close(logits(old), before)
