"""What a file's texts say as a whole."""

import csv
import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from affekt.decisions import Decisions, fit
from affekt.decisions.groups import fit_coarser
from affekt.errors import DataError, UsageError
from affekt.evaluation.prevalence import Prevalences, ScoreCells
from affekt.explore.profile import profile_file
from affekt.explore.profile_page import write_profile
from affekt.explore.shares import Asked, Compared, Shares
from affekt.explore.tally import WHOLE, Count, Tally
from affekt.explore.typical import Sample
from affekt.inference.model import Model
from report.pages import read_page

LABELS = ("anger", "joy", "neutral")


class Reader:
    """A runtime that reads its scores in the texts, such as "… 0.5 -1 2"; vectors are the same numbers."""

    dimension, by_direction, device, opens_in = 3, True, "cpu", ("affekt",)

    def logits(self, texts, *, batch_size=64):
        return np.array([[float(one) for one in text.split()[-3:]] for text in texts]).reshape(-1, 3)

    def vectors(self, texts, *, projected=False, batch_size=64):
        return self.logits(texts).astype(np.float32)

    def both(self, texts, *, batch_size=64):
        return self.logits(texts), self.vectors(texts)


def scores_of(random, held):
    return np.round(random.normal(held * 3.0 - 1.5, 1.0), 3)


def model_of(*, single_label=False, counted=True):
    random = np.random.default_rng(0)
    held = np.eye(3)[random.integers(0, 3, 900)]
    logits = scores_of(random, held)
    if not counted:
        return Model(Reader(), LABELS, single_label, Decisions.unfitted(3, single_label=single_label))
    decisions = fit(logits, held, single_label=single_label, labels=LABELS)
    coarse = fit_coarser(decisions, LABELS, logits, held, split="dev", digest="")
    return Model(Reader(), LABELS, single_label, decisions, coarse=coarse)


def written(path, rows=600, dates=("2026-03-05", "2026-04-05")):
    """Posts: of those in the first half of the file a tenth are angry, in the second four tenths."""
    random = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "when", "place"])
        for row in range(rows):
            late = row >= rows // 2
            angry = random.random() < (0.4 if late else 0.1)
            held = np.eye(3)[0 if angry else random.integers(1, 3)]
            said = "furious words" if angry else "plain words"
            numbers = " ".join(map(str, scores_of(random, held)))
            writer.writerow([f"{said} {numbers}", dates[late], "north" if row % 2 else "south"])
    return path


@pytest.mark.parametrize("single_label", [True, False])
def test_shares_and_what_differs_are_found(tmp_path, single_label):
    asked = Asked(by=("place",), time="when", resamples=200)
    told = profile_file(model_of(single_label=single_label), written(tmp_path / "p.csv"), asked)
    assert told["rows"] == told["all"]["rows"] == 600
    [anger] = [one for one in told["all"]["shares"] if one["label"] == "anger"]
    assert anger["low"] < 0.25 < anger["high"]
    assert [one["name"] for one in told["periods"]] == ["March 2026", "April 2026"]
    assert [one["value"] for one in told["groups"]["place"]] == ["south", "north"]
    assert [len(one["periods"]) for one in told["groups"]["place"]] == [2, 2]
    first = told["differences"][0]
    assert first["said"].startswith("anger is up ")
    assert first["said"].endswith(" from March 2026 to April 2026")
    assert first["low"] < 0.3 < first["high"]
    assert first["p_holm"] < 0.001
    assert not [one for one in told["differences"] if one["kind"] == "rest" and one["p_holm"] < 0.05]
    assert "furious" in told["emotions"]["anger"]["words"]
    assert told["emotions"]["anger"]["typical"][0].startswith("furious")
    assert len(told["outliers"]) == 8


def test_two_groups_or_periods_are_compared_alone(tmp_path):
    path = written(tmp_path / "p.csv")
    for pair in (("2026-03", "April 2026"), ("March 2026", "2026-04-01"), ("north", "south")):
        told = profile_file(model_of(), path, Asked(("place",), "when", compare=pair, resamples=20))
        assert told["tests"] == 3
    with pytest.raises(UsageError, match="unknown group or period 'nort': did you mean north"):
        profile_file(model_of(), path, Asked(("place",), compare=("nort", "south")))
    with pytest.raises(UsageError, match="are the same texts"):
        profile_file(None, path, Asked((), "when", compare=("2026-03", "March 2026")))
    with pytest.raises(UsageError, match="are not both groups of a column, or periods"):
        profile_file(None, path, Asked(("place",), "when", compare=("north", "2026-03"), resamples=20))
    with pytest.raises(UsageError, match="compare needs groups or periods"):
        profile_file(model_of(), path, Asked(compare=("north", "south")))


def test_rare_groups_are_told_where_they_are_to_be_compared_and_few_rows_are_said(tmp_path):
    path = tmp_path / "p.csv"
    places = [*"abcdefghijklm" * 40, *"no" * 35, *"xy" * 5]
    path.write_text("text,place\n" + "".join(f"a 1 0 0,{place}\n" for place in places))
    told = profile_file(model_of(), path, Asked(("place",), compare=("n", "o"), resamples=20))
    assert [one["value"] for one in told["groups"]["place"]] == [*"abcdefghijkl", "n", "o", "(other)"]
    assert [one["rows"] for one in told["groups"]["place"][-3:]] == [35, 35, 50]
    assert {(one["column"], one["from"], one["to"]) for one in told["differences"]} == {("place", "n", "o")}
    told = profile_file(model_of(), path, Asked(("place",), compare=("a", "x"), resamples=20))
    assert told["differences"] == []
    assert "x has 5 texts, and nothing is compared with fewer than 30" in told["notes"]


def test_groups_of_one_name_are_told_apart_by_their_column(tmp_path):
    path = tmp_path / "p.csv"
    lines = [f"a {3 if row % 3 else -3} 0 0,{'yn'[row % 2]},{'yn'[row // 100]}" for row in range(200)]
    path.write_text("text,here,there\n" + "\n".join(lines) + "\n")
    for compare in (None, ("n", "y")):
        told = profile_file(model_of(), path, Asked(("here", "there"), compare=compare, resamples=20))
        columns = [one["column"] for one in told["differences"]]
        assert sorted(columns) == ["here"] * 3 + ["there"] * 3
        assert all(one["said"].endswith(f" ({one['column']})") for one in told["differences"])


def test_what_differs_in_an_estimate_s_last_digits_is_no_find(monkeypatch):
    values = np.array([[0.2, 0.4], [0.2 + 1e-6, 0.4 - 1e-6]])
    draws = values + np.random.default_rng(0).normal(0, 1e-8, (50, 2, 2))
    monkeypatch.setattr(Shares, "of", lambda self, counts: Prevalences(values, draws))
    nothing = Count(50, np.zeros(2), np.zeros((1, 0)))
    pair = Compared("periods", "", ("March 2026", "April 2026"), nothing, nothing)
    found = Shares(Tally(("anger", "joy"), None), Asked()).differences([pair])
    assert [one["p_holm"] for one in found] == [1, 1]
    assert found[1]["said"] == "joy is up 0.0 points (0.0 to 0.0) from March 2026 to April 2026"


def test_coarser_groups_are_counted(tmp_path):
    path = written(tmp_path / "p.csv")
    for single_label in (True, False):
        told = profile_file(
            model_of(single_label=single_label), path, Asked(labels="sentiment", resamples=50)
        )
        shares = {one["label"]: one["value"] for one in told["all"]["shares"]}
        assert set(shares) == {"positive", "negative", "neutral"}
        assert shares["negative"] == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("single_label", [True, False])
def test_texts_of_another_kind_than_dev_s_are_said_to_be(tmp_path, single_label):
    model, random = model_of(single_label=single_label), np.random.default_rng(2)
    told = profile_file(model, written(tmp_path / "p.csv"), Asked(resamples=50))
    assert told["unlike"] == []
    assert "another kind" not in " ".join(told["notes"])
    unsure = np.column_stack([random.normal(0, 0.3, 400), *random.normal(-2, 0.8, (2, 400))])
    lines = [f"words {' '.join(map(str, row.round(3)))}" for row in unsure]
    (tmp_path / "odd.txt").write_text("\n".join(lines))
    told = profile_file(model, tmp_path / "odd.txt", Asked(resamples=50))
    assert "anger" in told["unlike"]
    [said] = [note for note in told["notes"] if "another kind" in note]
    assert ("all shares" if single_label else ", ".join(told["unlike"])) in said
    (tmp_path / "few.txt").write_text("\n".join(lines[:3]))
    assert profile_file(model, tmp_path / "few.txt", Asked(resamples=50))["unlike"] == []


def test_a_model_that_knows_nothing_of_dev_gives_plain_counts_and_says_so(tmp_path):
    told = profile_file(model_of(counted=False), written(tmp_path / "p.csv"), Asked(resamples=50))
    assert not told["estimated"]
    assert all(one["value"] == pytest.approx(one["count"]) for one in told["all"]["shares"])
    assert "does not know how it errs on dev" in " ".join(told["notes"])


def test_plain_counts_of_few_texts_are_not_certain():
    counts = [Count(n, np.array([held]), np.zeros((1, 0))) for n, held in ((1, 1), (30, 0), (3000, 300))]
    shares = Shares(Tally(("anger",), None), Asked())
    low, high = shares.of(counts).limits()[..., 0]
    assert (low[0], high[0]) == (pytest.approx(0.15, abs=0.03), 1)
    assert (low[1], high[1]) == (0, pytest.approx(0.08, abs=0.02))
    pair = Compared("groups", "place", ("few", "many"), *counts[1:])
    [found] = shares.differences([pair])
    assert found["p"] > 0.01  # of 30 texts a tenth may well be none


def test_long_texts_are_scored_by_sentence(tmp_path):
    path = tmp_path / "p.jsonl"
    line = json.dumps({"text": "fury 2 -2 -2\ncalm -2 -2 1.9"})
    path.write_text(f"{line}\n" * 10)
    means = profile_file(model_of(counted=False), path, Asked(document="mean", resamples=20))
    most = profile_file(model_of(counted=False), path, Asked(document="max", resamples=20))
    assert [one["count"] for one in means["all"]["shares"]] == [0, 0, 0]  # .88 and .12 are .5 in the mean
    assert [one["count"] for one in most["all"]["shares"]] == [1, 0, 1]
    assert "each text is scored by sentence and has the mean score" in " ".join(means["notes"])


def test_gaps_few_rows_and_missing_dates_are_said(tmp_path):
    path = tmp_path / "p.csv"
    lines = [f"a 1 0 0,{day}" for day in ["2026-01-05"] * 150 + ["2026-04-05"] * 5 + ["soon"] * 2]
    path.write_text("text,when\n" + "\n".join(lines) + "\n")
    told = profile_file(model_of(), path, Asked(time="when", resamples=20))
    assert told["gaps"] == [["February 2026", "March 2026"]]
    assert [one["few"] for one in told["periods"]] == [False, True]
    assert told["differences"] == []
    assert told["undated"] == 2
    assert "2 rows have no date" in " ".join(told["notes"])


def test_a_column_that_only_some_rows_of_json_have_makes_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("affekt.explore.profile.WINDOW", 4)
    path = tmp_path / "p.jsonl"
    rows = [{"text": "a 1 0 0"}] * 1500 + [{"text": "a 1 0 0", "place": "north", "when": "2026-03-04"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = profile_file(model_of(), path, Asked(("place",), "when", resamples=20))
    assert {one["value"]: one["rows"] for one in told["groups"]["place"]} == {"(none)": 1500, "north": 1}
    assert told["undated"] == 1500


def test_a_column_named_twice_and_groups_called_other_count_once(tmp_path):
    path = tmp_path / "p.csv"
    places = ["(other)"] * 40 + [*"abcdefghijklmnop"]
    path.write_text("text,place\n" + "".join(f"a 1 0 0,{place}\n" for place in places))
    told = profile_file(model_of(), path, Asked(("place", "place"), resamples=20))
    assert sum(one["rows"] for one in told["groups"]["place"]) == told["rows"]


def test_a_sample_keeps_no_more_than_its_own_rows():
    sample = Sample(0, size=2)
    for _ in range(3):
        sample.add(["a", "b"], np.zeros((2, 3), dtype=bool), [[WHOLE], [WHOLE]])
    assert all(one.base is None for one in sample.decided)


def test_rare_groups_are_gathered_and_empty_cells_named(tmp_path):
    path = tmp_path / "p.csv"
    lines = [f"a 1 0 0,{place}" for place in ["", *"abcdefghijklmnop"] * 2 + [""]]
    path.write_text("text,place\n" + "\n".join(lines) + "\n")
    told = profile_file(model_of(), path, Asked(by=("place",), resamples=20))
    values = [one["value"] for one in told["groups"]["place"]]
    assert (values[0], values[-1], len(values)) == ("(none)", "(other)", 13)
    assert sum(one["rows"] for one in told["groups"]["place"]) == told["rows"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(by=("plce",)), "unknown column 'plce': did you mean place"),
        (Asked(time="place"), "holds no date that can be read"),
        (Asked(by=("text",)), "has more than 3 values, which make no groups"),
        (Asked(time="when", every="day"), "fall into 40 periods of a day"),
    ],
)
def test_what_cannot_be_told_is_refused_before_a_model_is_opened(tmp_path, monkeypatch, asked, said):
    monkeypatch.setattr("affekt.explore.profile._MOST_VALUES", 3)
    monkeypatch.setattr("affekt.explore.profile.MOST_PERIODS", 3)
    path = tmp_path / "p.csv"
    days = [date.fromordinal(740000 + day).isoformat() for day in range(40)]
    path.write_text("text,place,when\n" + "\n".join(f"a{day} 1 0 0,x,{day}" for day in days) + "\n")
    with pytest.raises(UsageError, match=said):
        profile_file(SimpleNamespace(), path, asked)


def test_nothing_to_count(tmp_path):
    (tmp_path / "p.csv").write_text("text\n\n")
    with pytest.raises(DataError, match="holds no rows"):
        profile_file(model_of(), tmp_path / "p.csv")
    (tmp_path / "one.csv").write_text("text\na 1 0 0\n")
    told = profile_file(model_of(), tmp_path / "one.csv", Asked(resamples=20))
    assert told["rows"] == 1
    assert told["outliers"] == []


def test_counts_add_up_whatever_the_windows():
    random = np.random.default_rng(0)
    cells = ScoreCells.of(np.eye(3)[random.integers(0, 3, 90)], random.random((90, 3)), single_label=False)
    scores, decided = random.random((50, 3)), random.random((50, 3)) > 0.5
    parts = [[WHOLE, ("c", str(row % 2), None)] for row in range(50)]
    whole, halves = (Tally(LABELS, cells) for _ in range(2))
    whole.add(scores, decided, parts)
    for some in (slice(0, 7), slice(7, 50)):
        halves.add(scores[some], decided[some], parts[some])
    for part, count in whole.counts.items():
        assert halves.counts[part].cells.tolist() == count.cells.tolist()
    assert whole.counts["c", "0", None].rows == 25
    assert whole.together[0, 1] == sum(row[0] and row[1] for row in decided)


def test_a_page_a_table_and_json_hold_the_same(tmp_path):
    path = written(tmp_path / "p.csv", dates=("2026-03-05", "2026-06-05"))
    told = profile_file(model_of(), path, Asked(by=("place",), time="when", resamples=50))
    told["emotions"]["anger"]["typical"][0] = "<script>alert(1)</script>"
    page = read_page(write_profile(told, tmp_path / "p.html"))
    assert page.faults == []
    assert page.all("script") == []
    assert "anger is up" in page.text
    assert "Nothing was posted from April 2026 to May 2026" in " ".join(page.text.split())
    assert [one for one in page.all("svg") if one.get("role") == "img"]
    assert json.loads(write_profile(told, tmp_path / "p.json").read_text()) == told
    with write_profile(told, tmp_path / "p.csv.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (1 + 2 + 2 * 3)
    assert rows[0]["texts"] == "600"
    with pytest.raises(UsageError, match="must end in one of"):
        write_profile(told, tmp_path / "p.txt")


def test_groups_that_a_spreadsheet_would_run_are_made_safe_where_that_is_asked(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("text,place\n" + "a 1 0 0,=cmd|x\na 1 0 0,-5\n" * 3)
    told = profile_file(model_of(), path, Asked(("place",), resamples=20))
    for safe, named in ((False, "=cmd|x"), (True, "'=cmd|x")):
        out = write_profile(told, tmp_path / "out.csv", safe=safe)
        with out.open(newline="") as file:
            assert {row["value"] for row in csv.DictReader(file)} == {"", "-5", named}


def test_a_page_of_one_row_and_of_plain_counts(tmp_path):
    (tmp_path / "one.csv").write_text("text,when\na 1 0 0,2026-03-04\n")
    told = profile_file(model_of(counted=False), tmp_path / "one.csv", Asked(time="when", resamples=20))
    assert read_page(write_profile(told, tmp_path / "p.html")).faults == []
