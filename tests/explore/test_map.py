import json
import re

import numpy as np
import pytest

from affekt.errors import UsageError
from affekt.explore.clusters import summarise_clusters
from affekt.explore.map import (
    LONGEST_TEXT,
    MOST_CATEGORIES,
    name_places,
    shown_text,
    write_clusters,
    write_map,
)
from affekt.report.page import script_hash
from made_runs import ATTACK
from report.pages import read_page

N = 60


def _write(folder, *, texts=None, colours=None, clusters=None, n=N):
    rng = np.random.default_rng(0)
    points, texts = rng.normal(size=(n, 2)), texts or [f"text {i}" for i in range(n)]
    assigned = [i % 3 for i in range(n)]
    if clusters is None:
        clusters = summarise_clusters(texts, points, assigned, ["joy"], np.full((n, 1), 0.25))
    colours = colours or {
        "label": [["joy", "anger"][i % 2] for i in range(n)],
        "cluster": [f"group {i}" for i in assigned],
        "sentiment": [["positive", "negative"][i % 2] for i in range(n)],
    }
    names = name_places(points, np.asarray(assigned), clusters)
    write_map(points, texts, colours, clusters, names, folder / "map.html", folder / "map.png", "A map")
    return points


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    _write(folder, texts=[ATTACK, "</script>" + ATTACK] + [f"text {i}" for i in range(2, N)])
    return read_page(folder / "map.html")


def _data(page):
    return json.loads(re.search(r'id="map-data">(.*?)</script>', page.source, re.DOTALL).group(1))


def test_the_page_is_well_formed_and_the_picture_beside_it_is_written(page):
    assert page.faults == []
    assert [text for level, text in page.headings if level < 3] == ["A map", "Map", "Clusters"]
    assert sorted(path.name for path in page.path.parent.iterdir()) == ["map.html", "map.png"]


def test_the_page_works_offline_and_can_send_nothing(page):
    assert all("src" not in one for one in page.all("script"))
    assert page.all("link") == []
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none'")
    scripts = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
    assert policy.split("script-src ")[1].startswith("; ".join(map(script_hash, scripts)) + ";")
    assert len(scripts) == 1
    assert page.path.stat().st_size < 400_000  # most of it the picture


def test_modules_of_the_page_are_one_script_without_what_binds_them(page):
    [script] = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    names = re.findall(r"^(?:const|let|function|async function|class) (\w+)", script, re.MULTILINE)
    assert len(names) == len(set(names)) > 20


def test_every_point_is_there_once_with_a_code_for_each_colouring(page):
    data = _data(page)
    assert len(data["x"]) == len(data["y"]) == len(data["texts"]) == N
    assert [one["name"] for one in data["colourings"]] == ["label", "cluster", "sentiment"]
    for colouring in data["colourings"]:
        named = [colouring["categories"][code] for code in colouring["codes"]]
        assert len(named) == N
    assert named[:2] == ["positive", "negative"]
    assert data["labels"][:2] == [["joy"], ["anger"]]


def test_texts_are_escaped_where_the_page_shows_them_and_end_no_script(page):
    assert _data(page)["texts"][0] == shown_text(ATTACK)
    assert "<script>alert" not in page.source
    assert "</script>" + ATTACK not in page.source


def test_cards_say_what_clusters_hold(page):
    for said in ("joy (2)", "20 texts, 33.3%", "joy", "25.0%"):
        assert said in page.texts, said


def test_names_of_clusters_stand_on_the_map_at_points_of_theirs(page):
    data = _data(page)
    assert len(data["names"]) == len(data["colourings"][1]["categories"]) == 3
    assert len({one["point"] % 3 for one in data["names"]}) == 3


def test_clusters_are_a_page_with_the_share_of_each_emotion(tmp_path):
    texts = [ATTACK, *(f"text {i}" for i in range(5))]
    found = summarise_clusters(texts, np.eye(6), [0, 0, 0, 1, 1, -1], ["joy"], np.full((6, 1), 0.25))
    foremost = ["joy"] * 3 + ["none"] * 3
    page = read_page(write_clusters(found, ["joy"], foremost, tmp_path / "c.html", ATTACK))
    assert page.faults == []
    assert "<script>alert" not in page.source
    assert [text for level, text in page.headings if level == 2] == ["All texts", "Groups"]
    for said in (
        "50.0%",
        "3 texts, 50.0%",
        "noise",
        "6 texts in 3 groups",
    ):
        assert said in page.text, said


def test_texts_are_shown_on_one_line_and_cut():
    shown = shown_text("<b>word</b>\n" * 60)
    assert "\n" not in shown
    assert len(shown) <= LONGEST_TEXT
    assert shown.endswith("…")
    assert shown_text("short") == "short"
    assert shown_text("you &amp; me &lt;3") == "you & me <3"  # as its writer saw it; a page escapes it
    assert shown_text(" \n ") == ""


def test_too_many_categories_leave_the_rarest_as_other(tmp_path):
    _write(tmp_path, n=200, colours={"label": [f"l{min(i, 99)}" for i in range(200)]}, clusters=[])
    (colouring,) = _data(read_page(tmp_path / "map.html"))["colourings"]
    assert len(colouring["categories"]) == MOST_CATEGORIES
    assert colouring["categories"][0] == "l99"
    assert "other" in colouring["categories"]


def test_a_map_of_nothing_to_colour_by_or_of_lengths_that_differ_is_refused(tmp_path):
    for colours, said in (({}, "something to colour by"), ({"label": ["joy"]}, "1 categories of label")):
        with pytest.raises(UsageError, match=said):
            write_map(
                np.zeros((2, 2)), ["a", "b"], colours, [], {}, tmp_path / "a.html", tmp_path / "a.png", "t"
            )
    assert list(tmp_path.iterdir()) == []


def test_a_map_of_one_text_is_a_map(tmp_path):
    _write(tmp_path, n=1, colours={"label": [""]}, clusters=[])
    (colouring,) = _data(read_page(tmp_path / "map.html"))["colourings"]
    assert colouring["categories"] == ["none"]
