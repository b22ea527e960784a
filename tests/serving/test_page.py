"""The page in a real browser, where there is one: Type, File and Stream, and what hostile texts cannot."""

import json
import urllib.request

import pytest

from affekt.serving import page
from serving.browsing import HOSTILE, served
from serving.client import made_up, run, serving


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


# --- Type


def test_type_shows_emotions_and_words_and_a_link_brings_the_text_back(tab):
    with served(made_up()) as (address, _):
        tab.goto(address)
        tab.fill("#text", HOSTILE)
        tab.wait_for_selector(".words mark")
        assert tab.inner_text(".verdict") == "anger and joy"
        assert "88 % for joy" in tab.inner_text(".sure")
        assert tab.locator(".words").text_content().startswith("<img src=x onerror=")
        assert tab.locator(".words img").count() == 0
        assert tab.title().startswith("affekt")
        tab.click("text=Copy a link")
        tab.wait_for_url("**/#type?text=*")
        link = tab.url
        tab.goto("about:blank")
        tab.goto(link)
        tab.wait_for_selector(".words mark")
        assert tab.input_value("#text") == HOSTILE


def test_an_emotion_that_is_pressed_shows_the_words_for_and_against_it(tab):
    with served(made_up()) as (address, _):
        tab.goto(address)
        tab.fill("#text", "joy today")
        tab.wait_for_selector(".words mark")
        tab.click(".bars button:has-text('joy')")
        marks = tab.locator(".words mark").all_text_contents()
        assert [one.strip() for one in marks] == ["joy (carries joy)"]
        assert "it is less likely without them" in tab.inner_text("#type")
        tab.click(".bars button:has-text('anger')")
        assert tab.locator(".bars button[aria-pressed=true]").count() == 1
        assert "carries anger" in tab.locator(".words").text_content()


def test_coarser_labels_are_chosen_and_shared(tab):
    labels = ("anger", "joy", "sadness", "neutral")
    with served(made_up(labels=labels[:3])) as (address, _):
        tab.goto(address)
        tab.fill("#text", "joy")
        tab.wait_for_selector(".verdict:text('joy')")
        if tab.locator("#type fieldset input").count() < 2:
            pytest.skip("the made-up model has no coarser labels")
        tab.check("#type fieldset label:has-text('sentiment') input", force=True)
        tab.wait_for_selector(".verdict:text('positive')")
        tab.click("text=Copy a link")
        tab.wait_for_url("**set=sentiment")
        link = tab.url
        tab.goto("about:blank")
        tab.goto(link)
        tab.wait_for_selector(".verdict:text('positive')")


def test_a_slow_service_is_waited_for_and_only_the_last_text_is_answered(tab):
    with served(made_up(seconds=0.7)) as (address, _):
        tab.goto(address)
        tab.fill("#text", "a")
        tab.wait_for_selector("#type .waiting")
        tab.fill("#text", "joy joy")
        tab.wait_for_selector(".verdict:text('joy')")
        tab.wait_for_selector("#type .card:not(.waiting)")
        assert tab.locator("#fault").is_hidden()


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


def test_a_key_is_asked_for_and_kept_for_the_tab(tab):
    with served(made_up(), keys=("sesame",)) as (address, _):
        tab.goto(address)
        tab.fill("#key", "sesame")
        tab.click("text=Use it")
        tab.fill("#text", "joy")
        tab.wait_for_selector(".verdict:text('joy')")
        assert tab.evaluate("localStorage.length") == 0


# --- File


def posts(path, rows, *, pad="", alike=True):
    """A csv of so many posts of two teams over four weeks, with quotes and what a spreadsheet would run.

    Unless they are alike, none is answered from memory.
    """
    lines = [
        f'{i},"{"joy" if i % 2 else "=1+1"}{pad}, ""quoted""{"" if alike else i}",'
        f"{'ab'[i % 2]},2026-03-{i % 28 + 1:02}"
        for i in range(rows)
    ]
    path.write_text("id,text,team,day\n" + "\n".join(lines) + "\n")
    return path


def test_file_is_scored_profiled_and_kept(tab, tmp_path):
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        tab.wait_for_selector("#file :text('Nothing leaves this machine')")
        tab.set_input_files("#table", str(posts(tmp_path / "posts.csv", 200)))
        tab.wait_for_selector("#file form table tbody tr")
        assert tab.locator("#file form table tbody tr").count() == 3
        tab.locator("#file select").nth(1).select_option(label="team")
        tab.click("#file form button.main")
        tab.wait_for_selector("#file .plot canvas")
        assert "200 rows are scored" in tab.inner_text("#file form [role=status]")
        by_team = tab.locator("#file [aria-label^='Percent of a group']")
        assert by_team.locator("tbody tr").count() == 2
        assert "every week" in tab.inner_text("#file")
        tab.click("#file .plot .chip")
        assert tab.get_attribute("#file .plot .chip", "aria-pressed") == "false"
        tab.check("text=safe to open")
        with tab.expect_download() as download:
            tab.click("text=Keep the scored rows")
        kept = download.value.path().read_bytes().decode().split("\r\n")
        assert kept[0] == "id,text,team,day,emotions,anger,joy,sadness"
        assert kept[1].startswith('0,"\'=1+1, ""quoted""",a,2026-03-01,')
        assert len(kept) == 202


def test_the_scored_file_is_kept_as_parquet_too(tab, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "posts.csv").write_text(f"joy,text\nmine,{HOSTILE}\nyours,é 東京 😀\n")
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        tab.set_input_files("#table", str(tmp_path / "posts.csv"))
        tab.click("#file form button.main")
        with tab.expect_download() as download:
            tab.click("text=as parquet")
        kept = pq.read_table(download.value.path()).to_pydict()
    assert list(kept) == ["joy", "text", "emotions", "anger", "joy_", "sadness"]
    assert kept["text"] == [HOSTILE, "é 東京 😀"]
    assert kept["joy"] == ["mine", "yours"]
    assert kept["joy_"][0] == pytest.approx(0.8808, abs=1e-4)


def test_parquet_and_jsonl_are_read_in_the_browser(tab, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"n": [1, 2], "text": ["joy", "é sad"]}), tmp_path / "posts.parquet")
    (tmp_path / "posts.jsonl").write_text('{"text": "joy"}\n{"text": "sad"}\n')
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        for name in ("posts.parquet", "posts.jsonl"):
            tab.set_input_files("#table", str(tmp_path / name))
            tab.wait_for_selector(f"#file .drop label:text('{name}')")
            tab.click("#file form button.main")
            tab.wait_for_selector("text=2 rows are scored")


def test_a_csv_of_five_megabytes_is_scored_with_progress(tab, tmp_path):
    path = posts(tmp_path / "big.csv", 16_000, pad=" and more" * 34)
    assert path.stat().st_size > 5_000_000
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#file")
        tab.set_input_files("#table", str(path))
        tab.click("#file form button.main")
        tab.wait_for_selector("#file form [role=status]:has-text('of 16,000 rows')")
        tab.wait_for_selector("text=16,000 rows are scored", timeout=120_000)
        assert "50.0 %" in tab.inner_text("#file")


def test_a_service_that_goes_while_a_file_is_scored_is_said_and_the_file_stays(tab, tmp_path):
    with served(made_up(seconds=0.2)) as (address, server):
        tab.goto(f"{address}#file")
        tab.set_input_files("#table", str(posts(tmp_path / "posts.csv", 2000, alike=False)))
        tab.click("#file form button.main")
        tab.wait_for_selector("#file form [role=status]:has-text('of 2,000 rows')")
        server.should_exit = True
        tab.wait_for_selector("#fault:not([hidden])")
        assert tab.is_enabled("#file form button.main")
        assert "posts.csv" in tab.inner_text("#file .drop")


def test_scoring_can_be_stopped(tab, tmp_path):
    with served(made_up(seconds=0.2)) as (address, _):
        tab.goto(f"{address}#file")
        tab.set_input_files("#table", str(posts(tmp_path / "posts.csv", 2000, alike=False)))
        tab.click("#file form button.main")
        tab.click("#file button:text('Stop')")
        tab.wait_for_selector("text=Stopped.")
        assert tab.locator("#fault").is_hidden()


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


# --- Stream


def push(address, texts):
    body = "\n".join(json.dumps({"text": text}) for text in texts).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{address}v1/stream", body)) as reply:
        reply.read()


def test_stream_counts_what_is_pasted_and_what_is_pushed_and_tells_of_a_rise(tab):
    with served(made_up()) as (address, _):
        tab.goto(f"{address}#stream")
        tab.wait_for_timeout(1500)  # until it listens
        tab.fill("#posts", f"{HOSTILE}\nsad")
        tab.click("#stream form button.main")
        tab.wait_for_selector("#stream .posts li")
        shown = tab.locator("#stream .posts li")
        assert shown.count() == 2
        assert HOSTILE in shown.nth(1).inner_text()
        assert tab.locator("#stream .posts img").count() == 0
        tab.wait_for_selector("#stream .tiles .value:text-is('2')")
        push(address, ["sad"] * 150 + ["joy"] * 60)
        tab.wait_for_selector("#stream .tiles .value:text-is('212')")
        tab.wait_for_selector("#stream .alarms li:has-text('joy rises to')")
        assert tab.locator("#stream .plot canvas").count() == 1
        assert tab.title().startswith("affekt")
        with tab.expect_download() as download:
            tab.click("text=Keep what came")
        lines = download.value.path().read_text().splitlines()
        assert len(lines) == 212
        assert set(json.loads(lines[0])) == {"at", "labels"}


def test_stream_says_that_the_service_is_gone_and_keeps_what_was_written(tab):
    with served(made_up()) as (address, server):
        tab.goto(f"{address}#stream")
        tab.wait_for_selector("#posts")
        server.should_exit = True
        tab.wait_for_timeout(1500)
        tab.fill("#posts", "joy")
        tab.click("#stream form button.main")
        tab.wait_for_selector("#fault:not([hidden])")
        assert tab.input_value("#posts") == "joy"
