"""The page for everybody: keyboard, screen readers, phones, dark and light, less motion."""

import os
from pathlib import Path

import pytest

from affekt.report.style import EMOTIONS
from serving.browsing import served
from serving.client import made_up
from serving.test_page import posts
from serving.test_page_map import written

VIEWS = ("type", "file", "map", "stream")


def filled(tab, address, view, folder):
    """Open a view and put something into it."""
    tab.goto("about:blank")
    tab.goto(f"{address}#{view}")
    if view == "type":
        tab.fill("#text", "joy today")
        tab.wait_for_selector(".words mark")
    if view == "file":
        tab.set_input_files("#table", str(posts(folder / "posts.csv", 60)))
        tab.locator("#file select").nth(1).select_option(label="team")
        tab.click("#file form button.main")
        tab.wait_for_selector("#file .plot canvas")
    if view == "map":
        tab.set_input_files("#map-table", str(posts(folder / "posts.csv", 60)))
        tab.wait_for_selector("canvas.over")
        tab.focus("canvas.over")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#map .side .posts")
    if view == "stream":
        tab.wait_for_timeout(500)
        tab.fill("#posts", "joy\nsad")
        tab.click("#stream form button.main")
        tab.wait_for_selector("#stream .plot canvas")


@pytest.fixture(scope="module")
def axe():
    """The source of axe-core, which finds what people with a screen reader would meet."""
    path = Path(os.environ.get("AXE", "node_modules/axe-core/axe.min.js"))
    if not path.is_file():
        pytest.skip("axe-core is not here; say with AXE where its axe.min.js is")
    return path.read_text(encoding="utf-8")


def serious(tab, axe):
    """What axe finds in a page and calls serious or worse."""
    tab.evaluate(axe)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in bad]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(browser, axe, tmp_path, view, scheme):
    context = browser.new_context(color_scheme=scheme)
    tab = context.new_page()
    with served(made_up()) as (address, _):
        filled(tab, address, view, tmp_path)
        assert serious(tab, axe) == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_written_map(browser, axe, tmp_path, scheme):
    context = browser.new_context(color_scheme=scheme)
    tab = context.new_page()
    tab.goto(written(tmp_path).as_uri())
    tab.wait_for_selector("canvas.over")
    assert serious(tab, axe) == []
    context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone(browser, tmp_path, view):
    context = browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True)
    tab = context.new_page()
    with served(made_up()) as (address, _):
        filled(tab, address, view, tmp_path)
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_tabs_are_reached_and_changed_by_keyboard(tab):
    with served(made_up()) as (address, _):
        tab.goto(address)
        tab.wait_for_selector("#text")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        tab.keyboard.press("Tab")
        tab.keyboard.press("ArrowRight")
        assert tab.get_attribute("#tab-file", "aria-selected") == "true"
        assert tab.evaluate("document.activeElement.id") == "tab-file"
        tab.keyboard.press("End")
        assert tab.evaluate("document.activeElement.id") == "tab-stream"


def test_nothing_moves_where_less_motion_is_wanted(browser):
    context = browser.new_context(reduced_motion="reduce")
    tab = context.new_page()
    with served(made_up()) as (address, _):
        tab.goto(address)
        tab.fill("#text", "joy")
        tab.wait_for_selector(".bars rect")
        moving = "getComputedStyle(document.querySelector('.bars rect')).transitionDuration"
        assert tab.evaluate(moving) == "0s"
    context.close()


def test_an_emotion_has_the_colour_that_it_has_on_written_pages(tab):
    with served(made_up()) as (address, _):
        tab.goto(address)
        script = "async (names) => names.map((await import('/web/colours.js')).colourOf)"
        assert tab.evaluate(script, list(EMOTIONS)) == [colour for colour, _ in EMOTIONS.values()]
