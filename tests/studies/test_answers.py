"""What a study keeps in its folder."""

import numpy as np
import pytest

from affekt.errors import DataError
from affekt.studies.answers import Answer, Kept, digest_of_folder

FACTS = {"model": "a", "texts": "b"}


def test_vectors_are_made_once(tmp_path):
    kept, made = Kept(tmp_path), []

    def make():
        made.append(1)
        return np.arange(6.0).reshape(2, 3)

    assert np.array_equal(kept.vectors(FACTS, make), kept.vectors(FACTS, make))
    assert len(made) == 1
    kept.vectors({**FACTS, "texts": "c"}, make)
    assert len(made) == 2


def test_an_answer_comes_back_as_it_was(tmp_path):
    kept, predicted = Kept(tmp_path / "study"), np.eye(3, dtype=bool)
    assert not kept.has_answer(FACTS)
    kept.keep(FACTS, Answer(predicted, np.array([4, 5, 9]), {"seconds": 1.5}))
    assert kept.has_answer(FACTS)
    assert not kept.has_answer({**FACTS, "run": 1})
    again = kept.answer(FACTS)
    assert np.array_equal(again.predicted, predicted)
    assert again.rows.tolist() == [4, 5, 9]
    assert again.about == {"seconds": 1.5, "of": FACTS}


def test_what_is_damaged_is_named(tmp_path):
    kept = Kept(tmp_path)
    kept.vectors(FACTS, lambda: np.zeros((1, 1)))
    kept.keep(FACTS, Answer(np.ones((1, 1), dtype=bool), np.zeros(1)))
    for path in tmp_path.rglob("*.np*"):
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"\.npy: is damaged .*remove it"):
        kept.vectors(FACTS, lambda: np.zeros((1, 1)))
    with pytest.raises(DataError, match=r"\.npz: is damaged .*remove it"):
        kept.answer(FACTS)


def test_a_folder_is_known_by_all_that_is_in_it_wherever_it_lies(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "weights").write_bytes(b"abc")
    one, two = (digest_of_folder(tmp_path / name) for name in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "deep" / "weights").write_bytes(b"abd")
    assert digest_of_folder(tmp_path / "two") != one
