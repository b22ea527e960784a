import re

import pytest
from jinja2 import Environment

from affekt.report.page import _environment, quoted, render, script_hash
from report.pages import read_page

ATTACK = "<script>alert('x')</script>\"'&"


@pytest.fixture
def ui():
    """The macros that pages are made of."""
    environment: Environment = _environment()
    return environment.get_template("macros.html").module


def page_of(folder, **content):
    """A page of clusters, the smallest there is."""
    path = folder / "page.html"
    path.write_text(render("clusters.html", title=ATTACK, count=1, **content), encoding="utf-8")
    return read_page(path)


def test_text_is_escaped_in_content_and_in_attributes(ui):
    for written in (
        ui.warning(ATTACK, [ATTACK]),
        ui.facts([(ATTACK, ATTACK)]),
        ui.bars([(ATTACK, 0.5)]),
        ui.figures(ATTACK, [ATTACK], [(ATTACK, [(0.5, 0.5, 0.5)])], {ATTACK: [ATTACK]}, caption=ATTACK),
        ui.section([], ATTACK, ATTACK, caller=lambda: ATTACK),
    ):
        assert "<script" not in written
        assert "&lt;script&gt;" in written
        assert "\"'" not in written


def test_a_web_page_s_spelling_of_a_letter_is_that_letter_and_still_escaped(tmp_path):
    assert quoted("you &amp; me &lt;3") == "you & me <3"
    cluster = {"name": "a", "size": 1, "share": 1.0, "typical": ["you &amp; me &lt;script&gt;"]}
    page = page_of(tmp_path, clusters=[cluster], looks={})
    assert "you & me <script>" in page.texts
    assert "<script>" not in page.source


def test_a_table_says_by_which_column_it_comes_sorted_and_has_buttons_to_sort_it(ui):
    heads = [("a", False), ("b", True)]
    written = ui.table("t", heads, sorted=1, caller=lambda: "")
    assert written.count("<button") == 2
    assert 'class="number" aria-sort="descending"' in written
    assert "<button" not in ui.table("t", heads, caller=lambda: "")


def test_a_cell_sorts_by_its_value_and_one_without_a_value_is_last(ui):
    assert ui.cell(0.5).strip() == '<td class="number" data-key="0.5">.500</td>'
    assert ui.cell(None).strip() == '<td class="number" data-key="">–</td>'


def test_figures_are_written_by_their_kind_with_their_intervals(ui):
    rows = [("n", [(182.0, 182.0, 182.0)]), ("accuracy", [(0.5, 0.4, 0.6)]), ("mrr", [None])]
    written = re.sub(r"\s*<[^>]*>\s*", " ", ui.figures("f", ["a"], rows))
    assert " ".join(written.split()) == "Figure a Rows 182 Accuracy .500 .400 to .600 Mean reciprocal rank –"


def test_bars_and_strips_stay_inside_their_track(ui):
    written = ui.bars([("much", 1.7), ("little", -0.2), ("half", 0.5)])
    assert re.findall(r"width:([\d.]+)%", written) == ["100.0", "0.0", "50.0"]
    assert 'x1="0.0" x2="100.0"' in ui.strip(0.5, -0.4, 1.3)


def test_a_bar_has_its_label_s_colour(ui):
    written = ui.bars([("joy", 0.5), ("other", 0.5)], {"joy": ("#123456", 0)})
    assert re.findall(r"background:(\S+?)\"", written) == ["#123456"]


def test_a_page_runs_its_own_scripts_only(tmp_path):
    page = page_of(tmp_path, scripts=["run()"])
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none'")
    assert f"script-src {script_hash('run()')};" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1]
    assert page.faults == []


def test_a_page_without_scripts_allows_none(tmp_path):
    (policy,) = [one["content"] for one in page_of(tmp_path).all("meta") if "http-equiv" in one]
    assert "script-src 'none'" in policy


def test_data_of_a_page_cannot_end_the_element_it_stands_in(tmp_path):
    page = page_of(tmp_path, embedded='["</script><script>alert()</script>"]')
    assert len(page.all("script")) == 1
    assert "<script>alert" not in page.source
