"""The page in a real browser, where there is one: what people do with it, and what hostile texts cannot."""

import shutil
import threading
from contextlib import contextmanager

import pytest

from affekt.serving import page
from affekt.serving.app import create_app
from affekt.serving.settings import Limits, Settings
from serving.client import made_up, run, serving

HOSTILE = "<img src=x onerror=\"document.title='gone'\"> joy"


@run
async def test_the_page_s_files_are_served_and_no_others():
    async with serving() as client:
        index = (await client.get("/")).text
        assert index.startswith("<!doctype html>")
        for name in page.FILES:
            reply = await client.get(f"/web/{name}")
            assert (name, reply.status) == (name, 200)
            assert reply.headers["content-type"].startswith(("text/", "image/svg"))
        for name in ("docs.html", "../app.py", "..%2fapp.py", "/etc/passwd", "vendor", ""):
            assert (await client.get(f"/web/{name}")).status == 404


def test_the_page_asks_nobody_else_and_writes_no_html():
    for name, path in page.FILES.items():
        text = path.read_text(encoding="utf-8")
        if name.startswith("vendor/") or path.suffix not in (".js", ".html", ".css"):
            continue
        assert "https://" not in text, name
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), name
        for writing in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert writing not in text, name
        assert "style=" not in text, name  # the policy allows none


@contextmanager
def served(model, **settings):
    """The address of a service that runs in a thread."""
    import uvicorn

    app = create_app(Settings("made-up", Limits(), **settings), lambda: model)
    server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/", server
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """A tab whose scripts may fail nowhere."""
    context = browser.new_context()
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    faults = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    yield opened
    context.close()
    assert faults == []


def test_type_shows_emotions_and_words_and_a_link_brings_the_text_back(tab):
    with served(made_up()) as (address, _):
        tab.goto(address)
        tab.fill("#text", HOSTILE)
        tab.wait_for_selector(".words mark")
        assert "joy (88 %)" in tab.inner_text(".verdict")
        assert tab.locator(".words").text_content().startswith("<img src=x onerror=")
        assert tab.locator(".words img").count() == 0
        assert tab.title().startswith("affekt")
        tab.click("text=Copy a link")
        tab.wait_for_function("location.hash.includes('text=')")
        link = tab.url
        tab.goto("about:blank")
        tab.goto(link)
        tab.wait_for_selector(".words mark")
        assert tab.input_value("#text") == HOSTILE


def test_file_is_scored_profiled_and_kept(tab, tmp_path):
    path = tmp_path / "posts.csv"
    rows = [
        f'{i},"{"joy" if i % 2 else "=1+1"}, ""quoted""",{"ab"[i % 2]},2026-03-{i % 28 + 1:02}'
        for i in range(200)
    ]
    path.write_text("id,text,team,day\n" + "\n".join(rows) + "\n")
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        tab.set_input_files("#table", str(path))
        tab.locator("#file select").nth(1).select_option(label="team")
        tab.click("#file form button.main")
        tab.wait_for_selector("#file .plot canvas")
        assert "200 rows are scored" in tab.inner_text("#file [role=status]")
        assert tab.locator("#file .wide tbody tr").count() == 2
        tab.check("text=safe to open")
        with tab.expect_download() as download:
            tab.click("text=Keep the scored rows")
        kept = download.value.path().read_bytes().decode().split("\r\n")
        assert kept[0] == "id,text,team,day,emotions,anger,joy,sadness"
        assert kept[1].startswith('0,"\'=1+1, ""quoted""",a,2026-03-01,')
        assert len(kept) == 202


def test_parquet_and_jsonl_are_read_in_the_browser(tab, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"n": [1, 2], "text": ["joy", "é sad"]}), tmp_path / "posts.parquet")
    (tmp_path / "posts.jsonl").write_text('{"text": "joy"}\n{"text": "sad"}\n')
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        for name in ("posts.parquet", "posts.jsonl"):
            tab.set_input_files("#table", str(tmp_path / name))
            tab.wait_for_selector(f"#file h2:text('{name}')")
            tab.click("#file form button.main")
            tab.wait_for_selector("text=2 rows are scored")


def test_a_file_that_cannot_be_read_is_said_in_words(tab, tmp_path):
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        for name, content in (
            ("a.parquet", b"PAR1nonsense"),
            ("a.csv", b"text\n"),
            ("a.jsonl", b"{"),
            ("b.csv", b""),
        ):
            (tmp_path / name).write_bytes(content)
            tab.set_input_files("#table", str(tmp_path / name))
            tab.wait_for_selector("#fault:not([hidden])")
            assert len(tab.inner_text("#fault")) > 10


def test_a_map_is_drawn_searched_and_a_part_of_it_told(tab, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text\n" + "".join(f"{'joy ' * (i % 3)}number {i}\n" for i in range(60)))
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#map")
        tab.set_input_files("#map-table", str(path))
        tab.wait_for_selector("canvas.over")
        tab.select_option("#map select", "joy")
        tab.click("#map form button:text('Find')")
        tab.wait_for_selector("#map h2:text('texts')")
        assert "More than elsewhere: joy" in tab.inner_text("#map [aria-live]")
        tab.focus("canvas.over")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#map h2:text('60 texts')")


def test_a_key_is_asked_for_and_kept_for_the_tab(tab):
    with served(made_up(), keys=("sesame",)) as (address, _):
        tab.goto(address)
        tab.fill("#key", "sesame")
        tab.click("text=Use it")
        tab.fill("#text", "joy")
        tab.wait_for_selector(".verdict:text('joy')")
        assert tab.evaluate("localStorage.length") == 0


def test_a_service_that_is_gone_is_said_and_nothing_typed_is_lost(tab):
    with served(made_up()) as (address, server):
        tab.goto(address)
        tab.fill("#text", "joy")
        tab.wait_for_selector(".verdict:text('joy')")
        server.should_exit = True
        tab.wait_for_timeout(500)
        tab.fill("#text", "joy and more")
        tab.wait_for_selector("#fault:has-text('does not answer')")
        assert tab.input_value("#text") == "joy and more"


def test_everything_is_reached_by_keyboard_and_fits_a_phone(browser):
    with served(made_up()) as (address, _):
        context = browser.new_context(viewport={"width": 360, "height": 700})
        tab = context.new_page()
        tab.goto(address)
        tab.wait_for_selector("#text")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        tab.keyboard.press("Tab")
        tab.keyboard.press("ArrowRight")
        assert tab.get_attribute("#tab-file", "aria-selected") == "true"
        assert tab.evaluate("document.activeElement.id") == "tab-file"
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        context.close()
