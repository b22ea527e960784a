"""Search against sorting everything at once."""

import numpy as np
import pytest

from affekt.decisions import Calibration, Decisions
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference import search as module
from affekt.inference.model import Model
from affekt.inference.score import search_file

LABELS = ("anger", "joy")
DECISIONS = Decisions("threshold", (0.5, 0.5), Calibration.none(2))


class Numbers:
    """Of "3 4" the vector is (3, 4) and so are the logits."""

    dimension, by_direction, device, opens_in = 2, True, "cpu", ("affekt",)

    def logits(self, texts, *, batch_size=64):
        return np.array([text.split() for text in texts], dtype=np.float32).reshape(len(texts), 2)

    def vectors(self, texts, *, projected=False, batch_size=64):
        return self.logits(texts)

    def both(self, texts, *, batch_size=64):
        return self.logits(texts), self.logits(texts)


MODEL = Model(Numbers(), LABELS, False, DECISIONS)


@pytest.fixture
def texts():
    return [f"{a:.3f} {b:.3f}" for a, b in np.random.default_rng(0).normal(size=(500, 2))]


@pytest.mark.parametrize("window", [1, 7, 500, 1024])
@pytest.mark.parametrize("k", [1, 10, 499, 1000])
def test_the_nearest_are_those_of_sorting_everything(texts, window, k, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", window)
    cosines = np.einsum("nd,d->n", MODEL.embed(texts), MODEL.embed("1 2")[0])
    expected = sorted(range(500), key=lambda i: (-cosines[i], i))[:k]
    hits = MODEL.search("1 2", iter(texts), k=k)
    assert [hit.row for hit in hits] == expected
    assert [hit.text for hit in hits] == [texts[i] for i in expected]
    assert [hit.score for hit in hits] == pytest.approx(cosines[expected].tolist(), abs=1e-6)


def test_with_examples_the_mean_of_all_is_looked_for(texts):
    aim = MODEL.embed(["1 0", "0 5", "0 1"]).mean(0)
    [best] = MODEL.search("1 0", texts, like=["0 5", "0 1"], k=1)
    cosines = MODEL.embed(texts) @ (aim / np.linalg.norm(aim))
    assert (best.row, best.score) == (int(cosines.argmax()), pytest.approx(float(cosines.max())))
    assert (
        MODEL.search(None, texts, like="1 0")
        == MODEL.search("1 0", texts)
        == MODEL.search("", texts, like=["1 0"])
    )


def test_an_emotion_leaves_only_the_texts_decided_to_hold_it(texts):
    held = [i for i, prediction in enumerate(MODEL.predict(texts)) if "joy" in prediction.labels]
    found = MODEL.search("1 0", texts, emotion="joy", k=1000)
    assert sorted(hit.row for hit in found) == held
    plain = [hit for hit in MODEL.search("1 0", texts, k=1000) if hit.row in set(held)]
    assert found == plain


def test_an_emotion_alone_finds_the_surest(texts):
    found = MODEL.search(None, texts, emotion="joy", k=3)
    probabilities = MODEL.probabilities(texts)[:, 1]
    assert [hit.row for hit in found] == np.argsort(-probabilities, kind="stable")[:3].tolist()
    assert [hit.score for hit in found] == pytest.approx(np.sort(probabilities)[::-1][:3].tolist())


def test_of_equally_good_texts_the_earlier_comes_first_and_there_may_be_none():
    assert [hit.row for hit in MODEL.search("1 1", ["1 1", "0 1", "1 1", "5 5.1"], k=2)] == [0, 2]
    assert MODEL.search("1 1", []) == []
    assert MODEL.search(None, ["-1 -1"], emotion="joy") == []


def test_what_cannot_be_looked_for_is_refused_in_a_sentence():
    with pytest.raises(UsageError, match="nothing to look for"):
        MODEL.search(" ", ["1 1"])
    with pytest.raises(UsageError, match="k = 0: ask for at least 1"):
        MODEL.search("1 1", ["1 1"], k=0)
    with pytest.raises(UsageError, match="unknown emotion 'joyy': did you mean joy"):
        MODEL.search(None, ["1 1"], emotion="joyy")
    with pytest.raises(ModelError, match="an encoder without a classifier"):
        Model(Numbers()).search(None, ["1 1"], emotion="joy")


def test_a_file_is_searched_row_by_row(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("post\n1 0\n\n0 1\n")
    from affekt.data.columns import Columns

    skipped = []
    hits = search_file(MODEL, "0 2", path, k=1, columns=Columns(text="post", labels=None), skipped=skipped)
    assert [(hit.text, hit.score) for hit in hits] == [("0 1", 1.0)]
    with pytest.raises(DataError):
        search_file(MODEL, "0 2", tmp_path / "nowhere.csv")
