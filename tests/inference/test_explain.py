"""Which words carry each emotion, by leaving them out."""

import numpy as np
import pytest

from affekt.decisions import Decisions
from affekt.inference.explain import carried, deletion, explain, pieces_of
from affekt.inference.model import Model

WEIGHTS = {"happy": (2.0, 0.0), "sad": (-1.0, 3.0), "very": (0.5, 0.5)}


class Adding:
    """A runtime in which each word adds to the logits what it carries."""

    def logits(self, texts, *, batch_size=64):
        rows = [[WEIGHTS.get(word, (0.0, 0.0)) for word in text.split()] for text in texts]
        return (
            np.array([np.sum(row, axis=0) if row else (0.0, 0.0) for row in rows], dtype=np.float32).reshape(
                -1, 2
            )
            - 2
        )


MODEL = Model(Adding(), ("joy", "sadness"), False, Decisions.unfitted(2, single_label=False))


def test_what_a_word_carries_is_the_plain_difference():
    text = "so very  happy\nnot sad"
    [found] = MODEL.explain(text)
    assert "".join(found.pieces) == text
    for at, piece in enumerate(found.pieces):
        rest = "".join(other for place, other in enumerate(found.pieces) if place != at)
        expected = MODEL.probabilities(text)[0] - MODEL.probabilities(rest)[0]
        told = [found.carries["joy"][at], found.carries["sadness"][at]]
        assert told == pytest.approx([0, 0] if piece.isspace() else expected, abs=1e-6)


def test_each_piece_is_told_with_the_label_it_carries_most_of_those_asked_for():
    [found] = MODEL.explain("very happy the")
    [(_, _, most), *_] = told = carried(found, ["joy", "sadness"])
    assert [(piece, label) for piece, label, _ in told] == [
        *(("very", "joy"), (" ", ""), ("happy", "joy"), (" ", ""), ("the", "")),
    ]
    assert most == found.carries["joy"][0] > found.carries["sadness"][0] > 0
    assert [label for _, label, _ in carried(found, ["sadness"])] == ["sadness", "", "", "", ""]
    [found] = MODEL.explain("happy happy so very sad")
    by = {piece: by for piece, _, by in carried(found, ["sadness"])}
    assert by["sad"] > 5 * found.carries["sadness"][6] > 5 * 0.02  # "very" carries too little beside it
    assert by["very"] == 0
    [found] = MODEL.explain("very happy the")
    assert carried(found, []) == [(piece, "", 0.0) for piece in found.pieces]


def test_many_texts_at_once_and_those_without_words():
    found = MODEL.explain(["very happy", "", "   ", "sad"])
    assert [one.pieces for one in found] == [("very", " ", "happy"), (), ("   ",), ("sad",)]
    assert found[0].carries == MODEL.explain("very happy")[0].carries
    assert found[1].carries == {"joy": (), "sadness": ()}
    assert found[2].carries == {"joy": (0.0,), "sadness": (0.0,)}
    assert MODEL.explain([]) == []


def test_long_texts_are_explained_by_their_first_words(monkeypatch):
    monkeypatch.setattr("affekt.inference.explain.MOST", 2)
    [found] = explain(["happy happy happy"], MODEL.labels, MODEL.probabilities)
    assert [value > 0 for value in found.carries["joy"]] == [True, False, True, False, False]


def test_leaving_out_what_carries_most_beats_leaving_out_words_at_random():
    random = np.random.default_rng(0)
    words = ["happy", "sad", "very", "the", "and", "a", "not"]
    ours, chance = [], []
    for _ in range(40):
        text = " ".join(random.choice(words, 8))
        [found] = MODEL.explain(text)
        places = [at for at, piece in enumerate(found.pieces) if not piece.isspace()]
        order = sorted(places, key=lambda at: -found.carries["joy"][at])
        for kept, chosen in ((ours, order), (chance, random.permutation(places).tolist())):
            kept.append(deletion(found.pieces, chosen, lambda texts: MODEL.probabilities(texts)[:, 0]))
    assert np.mean(ours) < np.mean(chance) - 0.02
    assert all(one <= other + 1e-9 for one, other in zip(ours, chance, strict=True))


def test_pieces_are_the_text():
    for text in ("", " a  b ", "a\n\tb", "日本 語"):
        assert "".join(pieces_of(text)) == text
