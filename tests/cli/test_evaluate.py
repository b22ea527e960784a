"""`affekt evaluate` as it is typed, on a tiny model that was never trained."""

import json

import pytest

from affekt.cli.evaluate import _say_absent, _say_rare, _show
from affekt.data import catalog
from affekt.errors import DataError, ModelError, UsageError

LABELS = catalog.DATASETS["sample"].labels


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    """A file of labelled posts, four for each of three labels."""
    path = tmp_path_factory.mktemp("posts") / "posts.csv"
    rows = [f"post {i} of {label},{label}" for i in range(4) for label in LABELS[:3]]
    path.write_text("text,emotion\n" + "\n".join(rows) + "\n")
    return path


def test_a_known_data_set_is_judged_on_its_test_split(verb, classifier):
    found = json.loads(verb("evaluate", "-m", classifier, "sample", "--json"))
    test = catalog.load("sample")["test"]
    assert (found["data"], found["split"], found["n"]) == ("sample", "test", len(test))
    assert set(found) >= {"classification", "calibration", "clustering", "retrieval", "per_label"}
    for part in found["classification"]["accuracy"].values():
        assert 0 <= part <= 1


def test_a_file_is_judged_and_the_figures_are_those_of_the_model(verb, classifier, posts):
    from affekt.inference.model import load

    found = json.loads(verb("evaluate", "-m", classifier, posts, "--labels", "emotion", "--json"))
    texts, labels = zip(*(line.split(",") for line in posts.read_text().splitlines()[1:]), strict=True)
    said = [prediction.labels[0] for prediction in load(classifier).predict(texts)]
    right = sum(one == other for one, other in zip(said, labels, strict=True))
    assert found["n"] == 12
    assert found["classification"]["accuracy"]["value"] == pytest.approx(right / 12)
    assert found["per_label"][LABELS[0]]["support"] == 4


def test_tables_show_each_kind_of_figure_and_each_label(verb, classifier, posts):
    shown = verb("evaluate", "-m", classifier, posts, "--labels", "emotion")
    for title in ("classification", "calibration", "clustering", "retrieval"):
        assert f"{title} (n = 12)" in shown
    words = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert words["clusters"] == ["3"]
    assert words[LABELS[0]][-1] == "4"


def test_labels_that_no_text_has_are_said_to_be_left_out_of_averages(capsys):
    _say_absent(["fear", "love"], "posts.csv")
    assert "no text of posts.csv has fear, love: averages over labels are of the others" in (
        capsys.readouterr().err
    )
    _say_absent([], "posts.csv")
    assert capsys.readouterr().err == ""


def test_labels_of_too_few_texts_are_said(capsys):
    _say_rare({"joy": {"support": 20}, "fear": {"support": 19}, "love": {"support": 0}}, "posts.csv")
    assert "fewer than 20 texts of posts.csv have fear (19): too few" in capsys.readouterr().err
    _say_rare({"joy": {"support": 20}, "love": {"support": 0}}, "posts.csv")
    assert capsys.readouterr().err == ""


def test_figures_of_the_space_are_shown_with_their_intervals_where_they_have_any(capsys):
    figures = {"n": 9, "retrieval": {"mrr": 0.5, "n": 9}, "overlap_retrieval": {"mrr": 0.25, "n": 9}}
    _show(figures | {"space_intervals": {"mrr": {"low": 0.4, "high": 0.6}}})
    shown = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "mrr" in line]
    assert [value.strip() for _, value in shown] == [".500 [.400, .600]", ".250"]


def test_an_encoder_without_classifier_is_judged_by_its_space(verb, tiny, posts):
    found = json.loads(verb("evaluate", "-m", tiny("bert"), posts, "--labels", "emotion", "--json"))
    assert set(found) >= {"data", "split", "n", "clustering", "retrieval"}
    assert not {"classification", "calibration", "per_label"} & set(found)


def test_an_encoder_cannot_be_judged_on_two_texts(verb, tiny, tmp_path):
    (tmp_path / "two.csv").write_text("text,labels\na,joy\nb,fear\n")
    with pytest.raises(DataError, match=r"two\.csv: nothing can be judged"):
        verb("evaluate", "-m", tiny("bert"), tmp_path / "two.csv")


def test_an_unknown_split_or_column_or_model_is_named(verb, classifier, posts, tmp_path):
    with pytest.raises(DataError, match="no split 'later'; its splits are train, dev, test"):
        verb("evaluate", "-m", classifier, "sample", "--split", "later")
    with pytest.raises(DataError, match="no split 'dev'"):
        verb("evaluate", "-m", classifier, posts, "--labels", "emotion", "--split", "dev")
    with pytest.raises(DataError, match="no column 'labels'"):
        verb("evaluate", "-m", classifier, posts)
    with pytest.raises(DataError, match="did you mean sample"):
        verb("evaluate", "-m", classifier, "smple")
    with pytest.raises(ModelError, match="no such folder"):
        verb("evaluate", "-m", tmp_path / "nowhere", "sample")


def test_labels_that_the_model_does_not_know_are_named(verb, classifier, tmp_path):
    rows = [f"text {i},{label}" for i in range(2) for label in (LABELS[0], "boredom")]
    (tmp_path / "odd.csv").write_text("text,labels\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="does not know the label boredom; it knows"):
        verb("evaluate", "-m", classifier, tmp_path / "odd.csv")


def test_several_labels_in_a_cell_are_parted(verb, multi_classifier, tmp_path):
    (tmp_path / "several.csv").write_text(f'text,labels\na,{LABELS[0]};{LABELS[1]}\nb,{LABELS[1]}\nc,""\n')
    found = json.loads(
        verb("evaluate", "-m", multi_classifier, tmp_path / "several.csv", "--separator", ";", "--json")
    )
    assert found["per_label"][LABELS[1]]["support"] == 2


LABELLED = {
    "columns of 0 and 1": (
        ["text", *LABELS[:2]],
        [["a", 1, 0], ["b", 1, 1], ["c", 0, 1]],
        ["--label-columns", ", ".join(LABELS[:2])],
    ),
    "shares of one label": (
        ["text", *LABELS[:2]],
        [["a", 1, 0], ["b", 0, 1], ["c", 0, 1]],
        ["--label-columns", ",".join(LABELS[:2]), "--single"],
    ),
    "a delimiter and lone quotes": (
        ['text"', "labels"],
        [['"a', LABELS[0]], ["b", LABELS[1]], ["c", LABELS[1]]],
        ["--text", 'text"', "--delimiter", ";", "--no-quotes"],
    ),
    "a split column": (
        ["text", "labels", "part"],
        [
            ["x", LABELS[0], "train"],
            ["a", LABELS[0], "test"],
            ["b", LABELS[1], "test"],
            ["c", LABELS[1], "test"],
        ],
        ["--split-column", "part"],
    ),
}


@pytest.mark.parametrize("form", LABELLED)
def test_files_are_read_as_their_columns_are_described(verb, multi_classifier, tmp_path, form):
    head, rows, words = LABELLED[form]
    mark = ";" if "--delimiter" in words else ","
    lines = [mark.join(map(str, row)) for row in (head, *rows)]
    (tmp_path / "posts.csv").write_text("\n".join(lines) + "\n")
    found = json.loads(verb("evaluate", "-m", multi_classifier, tmp_path / "posts.csv", *words, "--json"))
    assert found["n"] == 3
    assert found["per_label"][LABELS[1]]["support"] == 2


def test_rows_without_text_are_left_out_when_asked_and_said(verb, classifier, tmp_path, monkeypatch):
    rows = [*(f"post {i} of {label},{label}" for i in range(2) for label in LABELS[:2]), f",{LABELS[0]}"]
    (tmp_path / "holes.csv").write_text("text,labels\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"holes\.csv:6: column 'text' is empty"):
        verb("evaluate", "-m", classifier, tmp_path / "holes.csv")
    told: list[str] = []
    monkeypatch.setattr("affekt.cli.console.say", told.append)
    verb("evaluate", "-m", classifier, tmp_path / "holes.csv", "--on-bad-row", "skip")
    assert told[:2] == ["left out holes.csv:6: column 'text' is empty", "1 row was left out"]


def test_labels_of_other_data_are_mapped_and_unknown_ones_left_out(verb, classifier, posts, tmp_path):
    lines = posts.read_text(encoding="utf-8").replace(f",{LABELS[0]}\n", ",others\n")
    path = tmp_path / "mapped.csv"
    path.write_text(lines, encoding="utf-8")
    words = ("evaluate", "-m", classifier, path, "--labels", "emotion")
    with pytest.raises(DataError, match=r"label others.*\(--map\), or .* knows \(--only-known\)"):
        verb(*words)
    plain = json.loads(verb("evaluate", "-m", classifier, posts, "--labels", "emotion", "--json"))
    mapped = json.loads(verb(*words, "--map", f"Others={LABELS[0].upper()}", "--json"))
    assert mapped["classification"] == plain["classification"]
    left = json.loads(verb(*words, "--only-known", "--json"))
    assert left["n"] == 8
    with pytest.raises(UsageError, match="is no pair; write name=value"):
        verb(*words, "--map", "others")
