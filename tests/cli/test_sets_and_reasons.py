"""What `affekt predict` says beside labels: sets of a promised coverage, and words that carry an emotion."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from affekt.decisions import fit
from affekt.decisions.conformal import LabelSets
from affekt.errors import ModelError, UsageError
from affekt.inference.model import load


def test_labels_within_a_promised_coverage_are_shown_or_it_abstains(verb, classifier, tmp_path):
    random = np.random.default_rng(0)
    targets = np.eye(6)[random.integers(0, 6, 200)]
    known = load(classifier).with_decisions(fit(targets * 9, targets, single_label=True))
    folder = known.save(tmp_path / "model")
    shown = verb("predict", "so happy", "-m", folder, "--coverage", ".9")
    assert "90 times in 100, " in shown
    said = json.loads(verb("predict", "so happy", "-m", folder, "--coverage", ".9", "--json"))
    assert said["coverage"] == 0.9
    assert said["set"] == known.sets("so happy", coverage=0.9)[0]
    with pytest.raises(ModelError, match="knows no sets"):
        verb("predict", "so happy", "-m", classifier, "--coverage", ".9")
    lines = ("predict", "-", "-m", folder, "--coverage", ".9")
    assert verb(*lines, stdin="so happy\nso sad\n").count("90 times in 100, ") == 2
    told = verb(*lines, "--json", stdin="so sad\n\nso happy\n").splitlines()
    assert [json.loads(line)["set"] for line in told] == known.sets(["so sad", "so happy"], coverage=0.9)
    with pytest.raises(ModelError, match="knows no sets"):
        verb("predict", "-", "-m", classifier, "--coverage", ".9", stdin="")
    with pytest.raises(UsageError, match="coverage = "):
        verb("predict", "-", "-m", folder, "--coverage", "9", stdin="")


@pytest.mark.parametrize("shards", [(), ("--shards", "2", "--workers", "0")])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_of_a_file_get_their_sets_too(verb, classifier, tmp_path, kind, shards):
    texts, plain = ["so happy", "so sad", "it rains", "why me"], load(classifier)
    tops = np.sort(plain.probabilities(texts).max(1))
    sets = LabelSets(100, (float(tops[1:3].mean()),) * 50)  # which two of the texts reach
    known = plain.with_decisions(replace(plain.deciding(), sets=sets))
    folder, posts = known.save(tmp_path / "model"), tmp_path / "posts.csv"
    rows = "".join(f"{text},mine\n" for text in [*texts, ""])
    posts.write_text(f"text,set\n{rows}", encoding="utf-8")
    out = tmp_path / ("scored" if shards else f"scored.{kind}")
    asked = (
        "-m",
        folder,
        "--on-bad-row",
        "skip",
        "-o",
        out,
        *shards,
        *(("--format", kind) if shards else ()),
    )
    verb("predict", posts, *asked, "--coverage", ".6")
    files = sorted(out.rglob(f"*.{kind}")) if shards else [out]
    found = [row for file in files for row in rows_of(file)]
    assert list(found[0])[:4] == ["text", "set", "set_", "predicted"]
    told = [row["set_"] for row in found]
    told = [cell.split("|") if cell else None for cell in told] if kind == "csv" else told
    assert told == (expected := [*known.sets(texts, coverage=0.6), None])
    assert 0 < expected.count(None) - 1 < 4  # of some texts it is sure enough
    with pytest.raises(UsageError, match="promise"):
        verb("predict", posts, *asked, "--coverage", "2")
    if shards:
        with pytest.raises(UsageError, match="another"):
            verb("predict", posts, *asked, "--coverage", ".7")
    fresh = tmp_path / "fresh"
    with pytest.raises(ModelError, match="knows no sets"):
        verb("predict", posts, "-m", classifier, *asked[2:4], "--coverage", ".9", "-o", fresh / "x.csv")
    assert not fresh.exists()


def rows_of(file):
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()
    text = file.read_text(encoding="utf-8")
    return (
        [json.loads(line) for line in text.splitlines()]
        if "json" in file.suffix
        else [*csv.DictReader(io.StringIO(text))]
    )


def test_why_names_the_words_that_carry_an_emotion(verb, classifier):
    shown = verb("predict", "so happy", "-m", classifier, "--why")
    [label] = load(classifier).predict("so happy")[0].labels
    assert f"   {label}: so happy" in shown
    said = json.loads(verb("predict", "so happy", "-m", classifier, "--why", "--json"))["why"]
    assert said["pieces"] == ["so", " ", "happy"]
    assert set(said["carries"]) == set(load(classifier).labels)
    with pytest.raises(UsageError, match="--why: is for one text"):
        verb("predict", "-", "-m", classifier, "--why")
    with pytest.raises(UsageError, match="add --why"):
        verb("predict", "so happy", "-m", classifier, "--gradients")


def test_gradients_explain_a_text_too(verb, classifier):
    words = ("predict", "so happy", "-m", classifier, "--why", "--json")
    by_leaving_out, by_gradients = (json.loads(verb(*words, *more))["why"] for more in ((), ("--gradients",)))
    assert by_gradients["pieces"] == by_leaving_out["pieces"]
    assert by_gradients["carries"] != by_leaving_out["carries"]
