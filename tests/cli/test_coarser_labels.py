"""`--labels ekman` and `--labels sentiment` as they are typed."""

import json

import pytest

from affekt.data.taxonomies import EKMAN, SENTIMENT
from affekt.errors import DataError
from affekt.inference.model import load

POSTS = "text,labels,emotion,sentiment\n" + "".join(
    f"so happy {i},love,joy,joy\nsad day {i},sadness,fear,love\n" for i in range(4)
)
WORDS = ("--labels", "ekman", "--json")


@pytest.fixture
def posts(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text(POSTS)
    return path


def test_coarser_labels_are_predicted(verb, ready):
    found = json.loads(verb("predict", "so happy", *WORDS))
    assert found["scores"] == load(ready).coarser("ekman").predict("so happy")[0].scores
    assert set(found["scores"]) == set(EKMAN.labels)


def test_a_file_is_scored_by_coarser_labels(verb, ready, posts):
    summary = json.loads(verb("predict", posts, "--labels", "sentiment", "--json"))
    assert set(summary["predicted"]) - {""} == set(SENTIMENT.labels)


@pytest.mark.usefixtures("ready")
def test_an_unknown_taxonomy_is_a_sentence(verb, posts):
    for texts in ("so happy", posts):
        with pytest.raises(DataError, match="unknown taxonomy 'mood'"):
            verb("predict", texts, "--labels", "mood")
    assert [path.name for path in posts.parent.iterdir()] == ["posts.csv"]


@pytest.mark.usefixtures("ready")
def test_a_known_data_set_is_judged_by_coarser_labels(verb, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("affekt.cli.console.say", told.append)
    found = json.loads(verb("evaluate", "sample", *WORDS))
    assert found["judged_labels"] == ["anger", "fear", "joy", "sadness", "surprise"]
    assert (
        "labels by ekman: averages are over those of sample alone, anger, fear, joy, sadness, surprise; "
        "the model's disgust, neutral are not judged"
    ) in told


@pytest.mark.usefixtures("ready")
def test_a_file_s_labels_are_in_the_column_labels_or_in_the_one_named_before(verb, posts):
    assert json.loads(verb("evaluate", posts, *WORDS))["judged_labels"] == ["joy", "sadness"]
    named = json.loads(verb("evaluate", posts, "--labels", "emotion,ekman", "--json"))
    assert named["judged_labels"] == ["fear", "joy"]


@pytest.mark.usefixtures("ready")
def test_a_column_of_a_taxonomy_s_name_goes_first(verb, posts):
    found = json.loads(verb("evaluate", posts, "--labels", "sentiment", "--json"))
    assert "taxonomy" not in found
    assert {label for label, row in found["per_label"].items() if row["support"]} == {"joy", "love"}
    found = json.loads(verb("evaluate", posts, "--labels", "sentiment,sentiment", "--json"))
    assert (found["taxonomy"], found["judged_labels"]) == ("sentiment", ["positive"])


@pytest.mark.usefixtures("ready")
def test_labels_in_no_group_are_renamed_or_left_out(verb, posts, monkeypatch):
    posts.write_text(POSTS.replace(",sadness,", ",gloom,"))
    with pytest.raises(
        DataError, match=r"'gloom' stands in no group of .* \(--map\), or .* \(--only-known\)"
    ):
        verb("evaluate", posts, *WORDS)
    renamed = json.loads(verb("evaluate", posts, *WORDS, "--map", "gloom=sadness"))
    assert renamed["judged_labels"] == ["joy", "sadness"]
    told: list[str] = []
    monkeypatch.setattr("affekt.cli.console.say", told.append)
    assert json.loads(verb("evaluate", posts, *WORDS, "--only-known"))["n"] == 4
    assert "4 of 8 texts have labels the model does not know: left out" in told


@pytest.mark.usefixtures("ready")
def test_where_no_label_is_shared_or_one_alone_the_figures_are_not_made_up(verb, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text(
        "text,labels\n" + "".join(f"post {i} of it,{'spam' if i % 2 else 'ham'}\n" for i in range(8))
    )
    with pytest.raises(DataError, match=r"none of its labels \(ham, spam\) stands in a group"):
        verb("evaluate", path, *WORDS, "--only-known")
    path.write_text("text,labels\n" + "".join(f"post {i} of it,sadness\n" for i in range(8)))
    found = json.loads(verb("evaluate", path, *WORDS))
    said = json.loads(verb("predict", path, "--labels", "ekman", "--json"))["predicted"]
    assert found["judged_labels"] == ["sadness"]
    assert found["per_label"]["sadness"]["recall"] == pytest.approx(said.get("sadness", 0) / 8)
