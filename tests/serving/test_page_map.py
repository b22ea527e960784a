"""The map in a real browser: texts placed, searched, coloured and told of; maps kept and opened again."""

import numpy as np
import pytest

from affekt.explore.map import write_map
from affekt.explore.map_table import write_map_table
from serving.browsing import HOSTILE, served
from serving.client import made_up

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def texts(path, rows=60):
    lines = [f"{'joy ' * (i % 3)}number {i},{'ab'[i % 2]},2026-03-{i % 28 + 1:02}\n" for i in range(rows)]
    hostile = HOSTILE.replace('"', '""')
    path.write_text(f'text,team,day\n"{hostile}",a,2026-03-01\n' + "".join(lines))
    return path


def opened(tab, address, path):
    tab.goto(f"{address}#map")
    tab.set_input_files("#map-table", str(path))
    tab.wait_for_selector("canvas.over")


def test_texts_are_placed_searched_and_a_part_of_them_told(tab, tmp_path):
    with served(made_up()) as (address, _):
        opened(tab, address, texts(tmp_path / "posts.csv"))
        tab.wait_for_selector("#map .side h2:text-is('61 texts')")
        emotion, colour = tab.locator("#map select").nth(0), tab.locator("#map select").nth(1)
        emotion.select_option("joy")
        tab.click("#map form button:text('Find')")
        tab.wait_for_selector("#map .side h2:text('of 61 texts')")
        assert "joy" in tab.locator("#map .side .chips").inner_text()
        assert HOSTILE in tab.locator("#map .side .posts").inner_text()
        assert tab.locator("#map img").count() == 0
        assert colour.locator("option").all_text_contents() == ["emotion", "cluster", "time", "team"]
        for name, shown in (("cluster", "1:"), ("time", "2026-03-01"), ("team", "a"), ("emotion", "anger")):
            colour.select_option(name)
            assert shown in tab.locator("#map .key").inner_text()
        emotion.select_option("")
        tab.fill("#map input[type=search]", "joy joy")
        tab.click("#map form button:text('Find')")
        tab.wait_for_selector("#map .side h2:text-is('60 of 61 texts')")


def test_a_lasso_and_the_keyboard_choose_texts_and_a_hidden_category_is_not_among_them(tab, tmp_path):
    with served(made_up()) as (address, _):
        opened(tab, address, texts(tmp_path / "posts.csv"))
        tab.click("#map button:text-is('Lasso')")
        box = tab.locator("canvas.over").bounding_box()
        corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.02)]
        tab.mouse.move(box["x"] + 0.01 * box["width"], box["y"] + 0.3 * box["height"])
        tab.mouse.down()
        for x, y in corners:
            tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        tab.mouse.up()
        tab.wait_for_selector("#map .side h2:text('of 61 texts')")
        tab.click("#map button:text-is('Show all')")
        tab.wait_for_selector("#map .side h2:text-is('61 texts')")
        tab.locator("#map select").nth(1).select_option("team")
        tab.click("#map .key .chip:has-text('b')")
        tab.focus("canvas.over")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#map .side h2:text-is('31 of 61 texts')")
        for key in ("+", "ArrowLeft", "ArrowUp", "-", "0"):
            tab.keyboard.press(key)


def test_a_text_of_the_map_says_why(tab, tmp_path):
    with served(made_up()) as (address, _):
        opened(tab, address, texts(tmp_path / "posts.csv"))
        tab.locator("#map select").nth(0).select_option("joy")
        tab.click("#map form button:text('Find')")
        tab.wait_for_selector("#map .side h2:text('of 61 texts')")
        posts = tab.locator("#map .posts li")
        first = next(i for i, said in enumerate(posts.all_inner_texts()) if said.startswith("joy number"))
        posts.nth(first).locator("button:text-is('Why?')").click()
        posts.nth(first).locator("mark").first.wait_for()
        assert posts.nth(first).locator("mark").first.text_content() == "joy (carries joy) "
        assert posts.nth(first).locator("button").count() == 0


def test_a_map_is_kept_as_parquet_and_opened_again(tab, tmp_path):
    with served(made_up()) as (address, _):
        opened(tab, address, texts(tmp_path / "posts.csv"))
        with tab.expect_download() as download:
            tab.click("text=Keep the map")
        kept = tmp_path / "kept.map.parquet"
        download.value.save_as(kept)
        table = pq.read_table(kept)
        assert table.column_names == ["text", "x", "y", "emotions", "cluster", "team", "day", "neighbors"]
        rows = table.to_pylist()
        assert len(rows) == 61
        assert rows[0]["text"] == HOSTILE
        near = rows[5]["neighbors"]  # as embedding-atlas reads it: row numbers, the nearest first
        assert len(near["ids"]) == len(near["distances"]) == 15
        assert 5 not in near["ids"]
        assert near["distances"] == sorted(near["distances"])
        tab.set_input_files("#map-table", str(kept))
        tab.wait_for_selector("#map .drop label:text('kept.map.parquet')")
        tab.wait_for_selector("#map .side h2:text-is('61 texts')")
        names = tab.locator("#map select").nth(1).locator("option").all_text_contents()
        assert names == ["emotion", "cluster", "time", "team"]


def test_a_saved_map_of_100_000_texts_is_moved_and_searched(tab, tmp_path):
    draw = np.random.default_rng(0)
    n = 100_000
    held = draw.choice(["joy", "anger|sadness", "", "fear"], n)
    columns = {
        "text": [f"text {i}" for i in range(n)],
        "x": draw.normal(size=n),
        "y": draw.normal(size=n),
        "emotions": held,
        "day": [f"2026-03-{i % 28 + 1:02}" for i in range(n)],
    }
    pq.write_table(pa.table(columns), tmp_path / "large.parquet")
    with served(made_up()) as (address, _):
        opened(tab, address, tmp_path / "large.parquet")
        tab.wait_for_selector("#map .side h2:text-is('100,000 texts')")
        tab.locator("#map select").nth(0).select_option("fear")
        tab.click("#map form button:text('Find')")
        fear = f"{int((held == 'fear').sum()):,}"
        tab.wait_for_selector(f"#map .side h2:text-is('{fear} of 100,000 texts')")
        tab.locator("#map select").nth(1).select_option("time")
        tab.hover("canvas.over")
        tab.wait_for_selector("#map .tip:not([hidden])")
        assert "text " in tab.inner_text("#map .tip")


def written(folder):
    """A map as `affekt map` writes it, with a hostile text."""
    draw = np.random.default_rng(0)
    shown = [HOSTILE, "</script><script>document.title = 'gone'</script>"]
    shown += [f"text {i}" for i in range(38)]
    places = draw.normal(size=(40, 2))
    colours = {"label": ["joy", "none"] * 20, "cluster": ["a", "b"] * 20}
    names = {"a": tuple(places[0]), "b": tuple(places[1])}
    write_map(places, shown, colours, [], names, folder / "map.html", folder / "map.png", "A map")
    return folder / "map.html"


def test_a_written_map_is_searched_by_itself_and_opens_in_the_page(tab, tmp_path):
    page = written(tmp_path)
    tab.goto(page.as_uri())
    tab.wait_for_selector(".side h2:text-is('40 texts')")
    assert tab.locator("#still").count() == 0
    tab.fill("input[type=search]", "onerror")
    tab.click("button:text-is('Find')")
    tab.wait_for_selector(".side h2:text-is('1 of 40 texts')")
    assert HOSTILE in tab.inner_text(".side .posts")
    tab.fill("input[type=search]", "nowhere")
    tab.click("button:text-is('Find')")
    tab.wait_for_selector("#fault:has-text('No text is like that')")
    with served(made_up()) as (address, _):
        opened(tab, address, page)
        tab.wait_for_selector("#map .side h2:text-is('40 texts')")
        names = tab.locator("#map select").nth(1).locator("option").all_text_contents()
        assert names == ["label", "cluster"]
        assert tab.title().startswith("affekt")


def test_a_table_of_affekt_map_opens_and_each_colouring_is_offered_once(tab, tmp_path):
    draw = np.random.default_rng(0)
    emotions = [["joy", "fear", "none"][i % 3] for i in range(40)]
    told = {"label": emotions, "sentiment": ["positive", "negative"] * 20, "cluster": ["a", "b"] * 20}
    shown = [HOSTILE, *(f"text {i}" for i in range(39))]
    rows = [{"tweet": text, "team": "ab"[i % 2]} for i, text in enumerate(shown)]
    path, places = tmp_path / "map.parquet", draw.normal(size=(40, 2))
    write_map_table(path, shown, places, places, told, {"joy": draw.random(40)}, rows)
    with served(made_up()) as (address, _):
        opened(tab, address, path)
        tab.wait_for_selector("#map .side h2:text-is('40 texts')")
        names = tab.locator("#map select").nth(1).locator("option").all_text_contents()
        assert names == ["emotion", "cluster", "sentiment", "team"]
        assert tab.locator("#map select").nth(0).locator("option").all_text_contents()[1:] == ["joy", "fear"]
        tab.locator("#map select").nth(0).select_option("fear")
        tab.click("#map form button:text('Find')")
        tab.wait_for_selector("#map .side h2:text-is('13 of 40 texts')")


def test_what_is_no_map_is_said_in_words(tab, tmp_path):
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#map")
        for name, content in (
            ("a.html", "<script>document.title = 'gone'</script>"),
            ("a.csv", "text,x,y\na,no,number\n"),
            ("b.csv", "words,x,y\na,1,2\n"),
            ("c.csv", "text\n\n"),
        ):
            (tmp_path / name).write_text(content)
            tab.set_input_files("#map-table", str(tmp_path / name))
            tab.wait_for_selector("#fault:not([hidden])")
            assert len(tab.inner_text("#fault")) > 10
            assert tab.title().startswith("affekt")


# --- the numbers behind it


def asked(tab, address, script, *given):
    tab.goto(address)
    module = "import('/web/layout.js')"
    return tab.evaluate(f"async (given) => {{ const layout = await {module}; {script} }}", list(given))


def test_neighbours_and_directions_are_those_that_plain_algebra_finds(tab):
    draw = np.random.default_rng(0)
    vectors = (draw.normal(size=(80, 6)) * [5, 3, 2, 1, 0.5, 0.1]).astype(np.float32)
    script = """
        const vectors = Float32Array.from(given[0].flat()), count = given[0].length;
        const points = layout.reduced(vectors, count, 6);
        const {ids, distances, each} = layout.neighboursOf(points, count);
        return {points: [...points], ids: [...ids], distances: [...distances], each};"""
    with served(made_up()) as (address, _):
        found = asked(tab, address, script, vectors.tolist())
    points = np.reshape(found["points"], (80, 6))
    middled = vectors - vectors.mean(0)
    _, _, directions = np.linalg.svd(middled, full_matrices=False)
    expected = middled @ directions.T
    np.testing.assert_allclose(np.abs(points[:, :3]), np.abs(expected[:, :3]), atol=1e-2)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.sort(apart, axis=1)[:, : found["each"]]
    np.testing.assert_allclose(np.reshape(found["distances"], (80, -1)), nearest, atol=1e-3)
    ids = np.reshape(found["ids"], (80, -1))
    np.testing.assert_allclose(np.take_along_axis(apart, ids, 1), nearest, atol=1e-3)


def test_groups_far_apart_stay_together_and_are_the_clusters(tab):
    draw = np.random.default_rng(1)
    own = np.repeat([0, 1, 2], [60, 40, 20])
    vectors = draw.normal(size=(120, 20)) + 20 * np.eye(3, 20)[own]
    script = """
        const vectors = Float32Array.from(given[0].flat()), count = given[0].length;
        const points = layout.reduced(vectors, count, 20), neighbours = layout.neighboursOf(points, count);
        const {x, y} = layout.spread(points, count, neighbours);
        return {x: [...x], y: [...y], cluster: [...layout.clustered(points, count, 3)]};"""
    with served(made_up()) as (address, _):
        found = asked(tab, address, script, vectors.tolist())
    assert found["cluster"] == own.tolist()  # the largest first
    places = np.stack([found["x"], found["y"]], 1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    same = own[:, None] == own[None]
    assert apart[same].max() < apart[~same].min()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_texts_have_places_too(tab, count):
    script = """
        const vectors = Float32Array.from(given[0].flat()), count = given[0].length;
        const points = layout.reduced(vectors, count, 4), neighbours = layout.neighboursOf(points, count);
        const {x, y} = layout.spread(points, count, neighbours);
        return [...x, ...y, ...layout.clustered(points, count, 12)];"""
    with served(made_up()) as (address, _):
        numbers = asked(tab, address, script, np.eye(3, 4)[:count].tolist())
    assert np.isfinite(numbers).all()
