import shutil

import pytest

for package in ("starlette", "uvicorn", "prometheus_client"):
    pytest.importorskip(package, reason="the extra 'serve' is not installed")


@pytest.fixture(scope="module")  # while it is open, a loop runs in which no other can
def browser():
    """A real browser, where there is one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        # in software where there is no graphics card
        options = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        opened = started.chromium.launch(executable_path=chromium, args=options)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """A tab whose scripts may fail nowhere, and ask nobody but the service they came from."""
    context = browser.new_context()
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    faults = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    opened.on("request", lambda one: faults.append(one.url) if elsewhere(one.url) else None)
    yield opened
    context.close()
    assert faults == []


def elsewhere(url):
    return not url.startswith(("http://127.0.0.1:", "blob:", "data:", "about:", "file:"))
