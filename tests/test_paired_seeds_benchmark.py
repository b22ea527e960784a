"""benchmarks/paired_seeds.py: two recipes, seed by seed."""

from types import SimpleNamespace

import numpy as np
import pytest

from affekt.data.corpus import Corpus
from affekt.errors import UsageError
from affekt.evaluation import classification, clustering

CLASSES = np.arange(120) % 3


@pytest.fixture
def benchmark(script):
    return script("paired_seeds")


def run_of(seed, *, right, ids=None):
    """A finished run that is right on so many of 120 rows of three labels."""
    random = np.random.default_rng(seed)
    logits = np.where(np.eye(3)[CLASSES] > 0, 1.0, -1.0)
    logits[random.permutation(120)[right:]] *= -1
    test = SimpleNamespace(
        ids=ids or list(map(str, range(120))),
        targets=np.eye(3)[CLASSES],
        predicted=logits > 0,
        logits=logits,
    )
    return SimpleNamespace(predictions={"test": test}, single_label=False)


def test_decisions_are_paired_seed_by_seed(benchmark):
    base, against = ([run_of(seed, right=right) for seed in range(3)] for right in (60, 100))
    found = benchmark.decided(base, against)["at .5"]["f1_macro"]
    each = [
        classification(one.predictions["test"].targets, one.predictions["test"].predicted.astype(float))[
            "f1_macro"
        ]
        for one in (*base, *against)
    ]
    assert found["base"] + found["against"] == pytest.approx(each)
    assert found["difference"]["value"] == pytest.approx(np.mean(each[3:]) - np.mean(each[:3]))
    assert 0 < found["difference"]["low"] < found["difference"]["value"] < found["difference"]["high"]
    with pytest.raises(UsageError, match="same test rows"):
        benchmark.decided(base, [run_of(0, right=100, ids=["x"] * 120)])


def test_spaces_are_paired_on_the_same_halves(benchmark, monkeypatch):
    random = np.random.default_rng(0)
    noise = {f"{kind}{seed}": random.normal(size=(120, 3)) for kind in "ab" for seed in (0, 1)}
    vectors = {name: one + (name[0] == "b") * 2 * np.eye(3)[CLASSES] for name, one in noise.items()}
    monkeypatch.setattr(benchmark, "load", lambda run: SimpleNamespace(embed=lambda texts: vectors[run]))
    corpus = Corpus.build([f"text {row}" for row in range(120)], [f"label {one}" for one in CLASSES])
    found = benchmark.spaces(["a0", "a1"], ["b0", "b1"], corpus, 8)["ami"]
    each = [clustering(vectors[name], CLASSES)["ami"] for name in ("a0", "a1", "b0", "b1")]
    assert found["base"] + found["against"] == pytest.approx(each)
    assert found["difference"]["value"] == pytest.approx(np.mean(each[2:]) - np.mean(each[:2]))
    assert 0 < found["difference"]["low"] < found["difference"]["value"] < found["difference"]["high"]
