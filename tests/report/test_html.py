import re

import pytest

from affekt.report.html import (
    Cell,
    Column,
    Markup,
    bars,
    interval_strip,
    join,
    page,
    safe,
    script_hash,
    table,
    tag,
)

ATTACK = "<script>alert('x')</script>\"'&"


def test_text_is_escaped_in_content_and_in_attributes():
    written = tag("p", ATTACK, title=ATTACK)
    assert "<script" not in written
    assert written.count("&lt;script&gt;") == 2
    assert "\"'" not in written.removeprefix('<p title="')


def test_markup_is_not_escaped_twice_and_adding_text_to_it_makes_it_text_again():
    assert safe(tag("b", "x")) == "<b>x</b>"
    assert safe(Markup("<b>") + ATTACK) == safe(str("<b>" + ATTACK))


@pytest.mark.parametrize("cell", [ATTACK, Cell(ATTACK, ATTACK, "text")])
def test_table_cells_keys_and_names_are_escaped(cell):
    written = table([Column(ATTACK), Column("n", numeric=True)], [[cell, cell]], name=ATTACK, caption=ATTACK)
    assert "<script" not in written


def test_a_table_says_by_which_column_it_comes_sorted_and_has_buttons_to_sort_it():
    written = table([Column("a"), Column("b", numeric=True)], [["x", Cell("1", 1.0)]], name="t", sorted_by=1)
    assert written.count("<button") == 2
    assert 'class="number" aria-sort="descending"' in written
    assert 'data-key="1.0"' in written


def test_a_plain_table_has_no_buttons():
    assert "<button" not in table([Column("a")], [["x"]], name="t")


def test_bars_stay_inside_their_track():
    written = bars([("much", 1.7), ("little", -0.2), ("half", 0.5)])
    assert re.findall(r"width:([\d.]+)%", written) == ["100.0", "0.0", "50.0"]


def test_an_interval_outside_its_rail_is_cut():
    assert 'x1="0.0" x2="100.0"' in interval_strip(0.5, -0.4, 1.3)


def test_a_page_runs_its_own_scripts_only():
    written = page("t & t", join([tag("p", ATTACK)]), ["run()"])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', written).group(1)
    assert "default-src 'none'" in policy
    assert script_hash("run()") in policy
    assert "unsafe-inline'; script" in policy
    assert "script-src 'unsafe-inline'" not in policy
    assert "<title>t &amp; t</title>" in written


def test_a_page_without_scripts_allows_none():
    assert "script-src 'none'" in page("t", Markup())
