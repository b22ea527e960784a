"""An audit: pairs of sentences, and words for groups of people."""

import json
import re
from dataclasses import dataclass

import numpy as np
import pytest

from affekt.data import catalog
from affekt.decisions import Decisions
from affekt.errors import DataError, ModelError, UsageError
from affekt.inference.model import Model, load
from affekt.report.audit import in_words, write_audit
from affekt.studies import audit as audits
from affekt.studies.audit import audit, term_rates, terms_in
from affekt.studies.counterfactuals import Counterfactuals, counterfactuals


@dataclass
class Biased:
    """A runtime that finds anger likelier the more often a text says "man" or "Black", and joy never so."""

    def logits(self, texts, *, batch_size):
        words = [text.lower().split() for text in texts]
        anger = [-1.0 + (2.0 if "man" in one else 0.0) + (1.0 if "black" in one else 0.0) for one in words]
        return np.array([[value, -1.0] for value in anger], dtype=np.float32).reshape(-1, 2)


@pytest.fixture
def biased():
    return Model(Biased(), ("anger", "joy"), False, Decisions.unfitted(2, single_label=False))


def test_the_project_s_own_pairs_are_many_and_differ_in_one_place():
    pairs = counterfactuals("own")
    assert len(pairs.pairs) >= 1000
    assert set(pairs.groups) == {pair.kind for pair in pairs.pairs}
    for pair in pairs.pairs:
        assert pair.first != pair.second
        assert "{" not in pair.first + pair.second
        person, _, rest = pair.frame.partition("{person}")
        for text in (pair.first, pair.second):
            assert text.startswith(person)
            assert text.endswith(rest)
    assert len({(pair.kind, pair.first, pair.second) for pair in pairs.pairs}) == len(pairs.pairs)


def test_what_a_model_does_unlike_is_found_and_nothing_else(biased):
    content = audit(biased, counterfactuals("own"), terms=False)
    found = {
        (kind["kind"], one["label"])
        for kind in content["kinds"]
        for one in kind["labels"]
        if one["p_holm"] < 0.05
    }
    assert found == {("gender, by words", "anger"), ("race, by words", "anger")}
    gender = content["kinds"][0]
    anger = gender["labels"][0]
    sigmoid = 1 / (1 + np.exp(-np.array([1.0, -1.0])))
    assert anger["worst"]["change"] == pytest.approx(sigmoid[0] - sigmoid[1])
    assert anger["worst"]["second"].lower().split().count("man") == 1
    assert anger["mean"] == pytest.approx(anger["worst"]["change"] / 8)  # of eight pairs one says "man"
    assert gender["otherwise"] == pytest.approx(1 / 8)
    said = r"anger is 5\.8 points \(\d\.\d to \d\.\d\) likelier: male against female \(gender, by words\)"
    assert any(re.match(said, line) for line in in_words(content))


def test_of_a_hundred_labels_too_one_can_stand_out():
    """Corrected for 600 tests, a p-value of 1 in 10,000 would not."""

    class Many(Biased):
        def logits(self, texts, *, batch_size):
            found = super().logits(texts, batch_size=batch_size)
            return np.hstack([found[:, :1], np.full((len(texts), 119), -1.0, dtype=np.float32)])

    labels = ("anger", *(f"other {i}" for i in range(119)))
    model = Model(Many(), labels, False, Decisions.unfitted(120, single_label=False))
    content = audit(model, counterfactuals("own"), terms=False, resamples=20)
    assert content["tests"] == 600
    assert len(in_words(content)) == 2


def test_an_interval_in_words_keeps_its_signs():
    label = {"label": "joy", "mean": -0.02, "low": -0.05, "high": 0.01, "p_holm": 0.01}
    kind = {"kind": "age", "first": "young", "second": "old", "labels": [label]}
    assert in_words({"kinds": [kind]}) == [
        "joy is 2.0 points (−1.0 to 5.0) less likely: old against young (age)"
    ]


def test_the_page_and_the_figures_hold_it_all(biased, tmp_path):
    content = audit(biased, counterfactuals("own"), terms=False)
    json.dumps(content, allow_nan=False)
    page = write_audit(content, tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "This man" in page
    assert "gender, by words" in page


def test_without_the_corpus_the_project_s_own_pairs_are_taken(monkeypatch):
    monkeypatch.delenv("AFFEKT_DATA", raising=False)
    assert counterfactuals() == counterfactuals("own")
    with pytest.raises(UsageError, match="Equity Evaluation Corpus is not here"):
        counterfactuals("eec")


def test_a_corpus_of_other_columns_is_refused(monkeypatch, tmp_path):
    (tmp_path / "eec").mkdir()
    (tmp_path / "eec" / "test.csv").write_text("text,person\nShe is here.,she\n")
    monkeypatch.setenv("AFFEKT_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"test\.csv: has no column template, gender, race, emotion_word"):
        counterfactuals()


@pytest.mark.skipif(catalog.find("eec") is None, reason="the Equity Evaluation Corpus is not in $AFFEKT_DATA")
def test_the_equity_evaluation_corpus_is_paired_within_its_sentences():
    pairs = counterfactuals("eec")
    per_frame = {"gender, by words": 11 - 1, "gender, by names": 20, "origin, by names": 20}
    counted = {kind: sum(pair.kind == kind for pair in pairs.pairs) for kind in pairs.groups}
    assert counted == {kind: 144 * count for kind, count in per_frame.items()}
    assert all(pair.first != pair.second for pair in pairs.pairs)


def test_an_encoder_has_nothing_to_audit(tiny):
    with pytest.raises(ModelError):
        audit(load(tiny("bert")), counterfactuals("own"), terms=False)


def test_pairs_of_one_sentence_are_too_few(biased):
    pairs = counterfactuals("own")
    one = tuple(pair for pair in pairs.pairs if pair.frame == pairs.pairs[0].frame)
    with pytest.raises(DataError, match="two frames or more"):
        audit(biased, Counterfactuals("few", pairs.groups, one), terms=False)


def test_terms_are_whole_words():
    assert terms_in(["A Jewish woman", "manly", "", "BLACK!"]) == [
        {"jewish", "woman"},
        set(),
        set(),
        {"black"},
    ]


def test_a_word_that_draws_negative_emotions_is_told_from_length():
    random = np.random.default_rng(0)
    texts, named, negative = [], [], []
    for i in range(900):
        length = int(random.integers(5, 60))
        word = ("gay", "muslim", "")[i % 3]
        chance = length / 100 + (0.3 if word == "gay" else 0.0)
        texts.append("so " * (length + (10 if word else 0)))
        negative.append(random.random() < chance + (0.1 if word else 0.0))  # the longer, the more often
        named.append({word} if word else set())
    found = term_rates(texts, named, np.array(negative), resamples=200)
    words = {one["term"]: one for one in found["words"]}
    assert words["gay"]["p_holm"] < 0.01
    assert words["gay"]["low"] < 0.3 < words["gay"]["high"]
    assert words["muslim"]["low"] < 0 < words["muslim"]["high"]
    assert found["with"]["n"] == 600
    assert found["without"]["n"] == 300


def test_without_texts_of_either_kind_there_are_no_rates():
    assert term_rates([], [], np.zeros(0, dtype=bool)) is None
    assert term_rates(["a", "b"], [{"gay"}, {"gay"}], np.array([True, False])) is None


def test_comments_without_toxicity_are_read_where_they_are(biased, monkeypatch, tmp_path):
    folder = tmp_path / "jigsaw-toxic-subset"
    folder.mkdir()
    rows = [f"the black cat {i}" if i % 2 else f"the red cat {i}" for i in range(60)]
    for split in ("train", "test"):
        lines = [json.dumps({"text": text, "labels": ["toxic"] * (i > 49)}) for i, text in enumerate(rows)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("AFFEKT_DATA", str(tmp_path))
    monkeypatch.setattr(audits, "MOST_COMMENTS", 30)
    terms = audit(biased, counterfactuals("own"), resamples=50)["terms"]
    assert terms["negative"] == ["anger"]
    assert (terms["with"]["n"], terms["without"]["n"]) == (30, 30)
    assert [word["term"] for word in terms["words"]] == ["black"]
