"""`affekt profile` as it is typed."""

import json

import pytest

from affekt.errors import UsageError


@pytest.fixture
def posts(tmp_path):
    path = tmp_path / "posts.csv"
    rows = [f"i am so happy today {i},2026-0{1 + i % 2}-03,{'ab'[i % 2]}" for i in range(12)]
    path.write_text("text,when,place\n" + "\n".join(rows) + "\n")
    return path


def test_a_file_gets_a_page_beside_it(verb, multi_classifier, posts):
    said = verb(
        "profile", posts, "-m", multi_classifier, "--by", "place", "--time", "when", "--resamples", 20
    )
    assert "plain count" in said
    assert "What posts.csv says" in (posts.parent / "posts.profile.html").read_text(encoding="utf-8")


def test_json_is_printed_alone_and_files_are_written_where_said(verb, classifier, posts, tmp_path):
    out = tmp_path / "table.csv"
    said = verb("profile", posts, "-m", classifier, "--json", "-o", out, "--resamples", 20)
    assert json.loads(said)["rows"] == 12
    assert out.read_text().startswith("column,value,period,label,texts,count,share,low,high\n")
    assert not (posts.parent / "posts.profile.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--compare", "a"], "--compare a: name two groups or periods"),
        (["--compare", "a,b,c"], "and in quotes what holds"),
        (["--zone", "Nowhere"], "'Nowhere' is no time zone"),
        (["-o", "page.txt"], "must end in one of"),
    ],
)
def test_what_makes_no_sense_is_refused(verb, classifier, posts, options, said):
    with pytest.raises(UsageError, match=said):
        verb("profile", posts, "-m", classifier, *options)


def test_a_group_whose_name_holds_a_comma_is_compared_in_quotes(verb, classifier, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("text,place\n" + 'so happy,London\nso sad,"York, NY"\n' * 40)
    words = ("--by", "place", "--compare", '"York, NY", London', "--resamples", 20, "--json")
    told = json.loads(verb("profile", posts, "-m", classifier, *words))
    assert {(one["from"], one["to"]) for one in told["differences"]} == {("York, NY", "London")}


@pytest.mark.parametrize("name", ["posts.csv", "posts.csv/page.html", "folder.html"])
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(verb, posts, monkeypatch, name):
    monkeypatch.setattr("affekt.explore.profile.profile_file", lambda *given, **how: 1 / 0)
    (posts.parent / "folder.html").mkdir()
    before = posts.read_bytes()
    with pytest.raises(UsageError, match=r"is the file to be read|is no folder that|is no plain file"):
        verb("profile", posts, "-o", posts.parent / name)
    assert posts.read_bytes() == before
