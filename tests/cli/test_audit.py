"""`affekt audit` as it is typed."""

import json

import pytest

from affekt.errors import UsageError

QUICK = ("--pairs", "own", "--no-terms", "--resamples", "20")


def test_the_ready_model_is_audited_where_none_is_named(verb, ready, tmp_path):
    printed = verb("audit", *QUICK, "-o", tmp_path / "page.html")
    assert "templates of this project" in printed
    assert (tmp_path / "page.html").exists()


def test_figures_are_json(verb, classifier, tmp_path):
    content = json.loads(verb("audit", "-m", classifier, *QUICK, "-o", tmp_path / "page.html", "--json"))
    assert len(content["kinds"]) == 5
    assert {one["label"] for one in content["kinds"][0]["labels"]} >= {"anger", "joy"}


def test_a_name_that_is_no_page_s_is_refused_before_any_work(verb, tmp_path):
    with pytest.raises(UsageError, match=r"audit\.png"):
        verb("audit", "-m", tmp_path, *QUICK, "-o", tmp_path / "audit.png")
