"""Takes the pictures of docs/page.md and of the README, from the bundled sample.

    python docs/pictures/take.py            # needs the extra serve, playwright and a Chromium

Teams and days are made up: the sample has none.
"""

import csv
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from affekt.data.catalog import SAMPLE

HERE = Path(__file__).parent
TEXT = "i can't stop smiling, she said yes!! but my brother won't come to the wedding and that hurts"
CALM = ("so happy today", "thank you all so much", "the meeting is at three", "i miss her a lot", "love this")
ANGRY = ("this makes me so angry", "leave me alone", "worst update ever, i hate it", "so sad about this")


def sample(folder: Path) -> Path:
    """Write the sample as a csv, with a team and a day for each post; angry ones come late."""
    draw, path = random.Random(0), folder / "posts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "team", "day"])
        for post in map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines()):
            late = draw.betavariate(4, 2) if post["emotion"] == "anger" else draw.random()
            day = date(2026, 3, 1) + timedelta(days=int(late * 90))
            writer.writerow([post["text"], draw.choice(["support", "shop", "app"]), day.isoformat()])
    return path


def type_(tab: Page, folder: Path) -> None:
    """Type a text that holds two emotions."""
    tab.fill("#text", TEXT)
    tab.wait_for_selector(".words mark")
    tab.evaluate("document.activeElement.blur()")


def file(tab: Page, folder: Path) -> None:
    """Profile the sample by team and over time."""
    tab.set_input_files("#table", str(sample(folder)))
    tab.locator("#file select").nth(1).select_option(label="team")
    tab.click("#file form button.main")
    tab.wait_for_selector("#file .plot canvas")


def map_(tab: Page, folder: Path) -> None:
    """Map the sample, and what it holds of fear."""
    tab.set_input_files("#map-table", str(sample(folder)))
    tab.wait_for_selector("canvas.over")
    tab.locator("#map select").first.select_option("fear")
    tab.click("#map form button:text('Find')")
    tab.wait_for_selector("#map .side .posts")


def stream(tab: Page, folder: Path) -> None:
    """Send calm posts, then angry ones."""
    draw = random.Random(0)
    tab.wait_for_timeout(1500)
    for kind in (CALM, CALM, CALM, CALM, ANGRY, ANGRY):
        tab.fill("#posts", "\n".join(f"{draw.choice(kind)} {'!' * draw.randint(0, 3)}" for _ in range(40)))
        tab.click("#stream form button.main")
        tab.wait_for_timeout(15_500)


def of_few_colours(picture: Image.Image) -> Image.Image:
    """Return a picture in 256 colours: the 64 commonest as they are, and others near to all the rest.

    Chosen by how many pixels have them, most would be greys, and emotions would share colours.
    """
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts)
    few = {"colors": 192, "method": Image.Quantize.MAXCOVERAGE, "dither": Image.Dither.NONE}
    rest = Image.fromarray(colours[order[64:]][None]).quantize(**few).getpalette() or []
    palette = np.concatenate([colours[order[:64]], np.reshape(rest[: 3 * 192], (-1, 3))]).astype(np.int32)
    apart = ((colours[:, None].astype(np.int32) - palette) ** 2).sum(axis=2)
    nearest = apart.argmin(axis=1).astype(np.uint8)
    small = Image.fromarray(nearest[places].reshape(picture.height, picture.width), "P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


VIEWS: dict[str, Callable[[Page, Path], None]] = {"type": type_, "file": file, "map": map_, "stream": stream}
LOOKS: dict[str, dict[str, Any]] = {
    "": {"viewport": {"width": 1280, "height": 800}},
    "-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


def main(names: list[str]) -> None:
    """Take the pictures of some views, or of all."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "affekt", "serve", "--port", address.rpartition(":")[2]]
    service = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        ready = False
        while not ready:
            time.sleep(1)
            with suppress(OSError):
                ready = urllib.request.urlopen(f"{address}/ready").status == 200
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
            options = ["--no-sandbox", "--enable-unsafe-swiftshader"]
            browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=options)
            for name in names or VIEWS:
                for look, settings in LOOKS.items() if name == "type" else [("", LOOKS[""])]:
                    tab = browser.new_context(**settings).new_page()
                    tab.set_default_timeout(300_000)
                    tab.goto(f"{address}/#{name}")
                    tab.wait_for_selector(f"#{name} > *")
                    VIEWS[name](tab, Path(folder))
                    tab.wait_for_timeout(1000)
                    picture = HERE / f"page-{name}{look}.png"
                    tab.screenshot(path=picture, full_page=name != "type")
                    with Image.open(picture) as taken:
                        small = of_few_colours(taken.convert("RGB"))
                    small.save(picture, optimize=True)
                    tab.context.close()
    finally:
        service.terminate()
        service.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
