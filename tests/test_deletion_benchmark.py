"""benchmarks/deletion.py: words that are taken away in the order of an explanation."""

import numpy as np
import pytest

from affekt.decisions import Decisions
from affekt.errors import DataError
from affekt.inference.explain import Explanation
from affekt.inference.model import Model


@pytest.fixture
def benchmark(script):
    return script("deletion")


class Counting:
    """A runtime that finds joy the likelier the more often a text says "happy"."""

    def logits(self, texts, *, batch_size=64):
        return np.array([[text.split().count("happy") * 4.0 - 2.0] for text in texts], dtype=np.float32)


MODEL = Model(Counting(), ("joy",), False, Decisions.unfitted(1, single_label=False))


def test_each_explanation_goes_by_its_own_pieces(benchmark):
    """A text that the model reads otherwise than it is written has other pieces there."""
    left_out = Explanation(("so", " ", "happy"), {"joy": (0.0, 0.0, 0.8)})
    gradients = Explanation(("so", " ", "very", " ", "happy"), {"joy": (0.0, 0.0, 0.1, 0.0, 0.8)})
    sure, unsure = 1 / (1 + np.exp(-np.array([2.0, -2.0])))
    random = np.random.default_rng(0)
    one, other, drawn = benchmark.curves(MODEL, "joy", [left_out, gradients], random, 8)
    assert one == pytest.approx((sure + 2 * unsure) / 3)
    assert other == pytest.approx((sure + 3 * unsure) / 4)
    assert drawn > one


def test_texts_without_a_label_are_said_to_be_too_few(benchmark):
    with pytest.raises(DataError, match="no label of a text"):
        benchmark.compared(MODEL, ["a b c", "happy"], gradients=False, draws=1, seed=0)
    found = benchmark.compared(MODEL, ["so happy now"] * 3, gradients=False, draws=2, seed=0)
    assert found["n"] == 3
    assert found["lower_than_random"]["leaving out"]["value"] > 0
