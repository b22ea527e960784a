"""Nothing half-written: what is there is whole, the new or the old."""

import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from affekt import files
from affekt.errors import UsageError
from affekt.files import cache_folder, folder_written_aside, read_json, recover, write_json, written_aside


def fill(folder, **contents: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(content)


def contents(folder) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


# --- files --------------------------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "figures.csv"
    with written_aside(target) as aside:
        aside.write_text("half")
        assert not target.exists()
        assert aside.parent == tmp_path  # beside, so that renaming is one step
        aside.write_text("whole")
    assert contents(tmp_path) == {"figures.csv": "whole"}


def test_folders_on_the_way_are_made(tmp_path):
    with written_aside(tmp_path / "a" / "b" / "c.txt") as aside:
        aside.write_text("x")
    assert contents(tmp_path / "a" / "b") == {"c.txt": "x"}


def test_a_fault_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "figures.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), written_aside(target) as aside:  # noqa: PT012
        aside.write_text("new")
        raise ZeroDivisionError
    assert contents(tmp_path) == {"figures.csv": "old"}


def test_a_full_disk_is_one_sentence_with_the_path(tmp_path):
    target = tmp_path / "figures.csv"
    with (
        pytest.raises(UsageError, match=r"figures\.csv: could not be written \(No space left on device\)"),
        written_aside(target),
    ):
        raise OSError(28, os.strerror(28))
    assert contents(tmp_path) == {}


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="could not be written"), written_aside(tmp_path / "file" / "x"):
        pass


@pytest.mark.parametrize("target", [".", "folder"])
def test_a_folder_is_not_replaced_by_a_file(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "folder", kept="kept")
    with pytest.raises(UsageError, match="could not be written"), written_aside(tmp_path / target) as aside:
        aside.write_text("x")
    assert contents(tmp_path / "folder") == {"kept": "kept"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # as /dev/null is: there, and no file
    with pytest.raises(UsageError, match=r"pipe: could not be written, since it is a folder or a device"):
        write_json(tmp_path / "pipe", {})
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_has_the_rights_that_new_files_have(tmp_path):
    (tmp_path / "plain").touch()
    with written_aside(tmp_path / "ours"):
        pass
    plain, ours = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours"))
    assert ours == plain


def test_two_writers_do_not_meet(tmp_path):
    target = tmp_path / "x"
    with written_aside(target) as one, written_aside(target) as two:
        one.write_text("one")
        two.write_text("two")
        assert one.read_text() == "one"
    assert contents(tmp_path) == {"x": "one"}  # the block that ends last


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path):
    target = tmp_path / "figures.csv"
    target.write_text("old")
    program = (
        "import os, signal, sys; from pathlib import Path; from affekt.files import written_aside\n"
        "with written_aside(Path(sys.argv[1])) as aside:\n"
        "    aside.write_text('new'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert ended.returncode == -9
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    "fault",
    [
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError(28, os.strerror(28)),
        Exception("No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_known_through_every_library(tmp_path, fault):
    said = r"x: could not be written \(No space left on device\); nothing was left there"
    for written in (written_aside, folder_written_aside):
        with pytest.raises(UsageError, match=said), written(tmp_path / "x"):
            raise fault
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("write", "reason"), [(torch.save, "the disk took only a part of it"), (save_file, "File too large")]
)
def test_what_a_full_disk_does_to_weights_is_one_sentence(tmp_path, write, reason):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limit[1]))
    try:
        with (
            pytest.raises(UsageError, match=rf"x: could not be written \({reason}\)"),
            written_aside(tmp_path / "x") as aside,
        ):
            write({"weights": torch.zeros(10_000)}, aside)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert contents(tmp_path) == {}


def test_a_fault_that_is_not_the_disks_stays_what_it_is(tmp_path):
    for written in (written_aside, folder_written_aside):
        with pytest.raises(RuntimeError, match="unknown"), written(tmp_path / "x"):
            raise RuntimeError("unknown")


# --- what killed processes leave ----------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from affekt import files
stock, calls = os.replace, []
def replace(*arguments):
    calls.append(arguments)
    if len(calls) == {rename}:
        os.kill(os.getpid(), signal.SIGKILL)
    stock(*arguments)
files.os.replace = replace
with files.{written}(Path(sys.argv[1])) as aside:
    (aside / "weights" if aside.is_dir() else aside).write_text("new")
"""


def killed(written: str, target, *, rename: int) -> None:
    """Let a process write, and kill it at its first or second renaming."""
    program = KILLED.format(written=written, rename=rename)
    ended = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert ended.returncode == -9


def test_what_a_killed_process_left_of_a_file_goes_with_the_next_writing(tmp_path):
    target = tmp_path / "figures.csv"
    killed("written_aside", target, rename=1)
    assert len(list(tmp_path.iterdir())) == 1
    write_json(target, {})
    assert [path.name for path in tmp_path.iterdir()] == ["figures.csv"]


def test_a_folder_whose_writer_was_killed_between_its_renames_is_put_in_its_place(tmp_path):
    target = tmp_path / "model"
    fill(target, weights="old")
    killed("folder_written_aside", target, rename=2)
    assert not target.exists()
    recover(target)
    assert contents(target) == {"weights": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_next_saving_recovers_too_and_leaves_nothing(tmp_path):
    target = tmp_path / "model"
    fill(target, weights="old")
    killed("folder_written_aside", target, rename=2)
    with pytest.raises(ZeroDivisionError), folder_written_aside(target):
        raise ZeroDivisionError
    assert contents(target) == {"weights": "new"}
    killed("folder_written_aside", target, rename=1)
    with folder_written_aside(target) as aside:
        fill(aside, weights="newest")
    assert contents(target) == {"weights": "newest"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_where_only_the_old_folder_is_left_it_comes_back(tmp_path):
    fill(tmp_path / ".model.0123456789ab.old", weights="old")
    recover(tmp_path / "model")
    assert contents(tmp_path / "model") == {"weights": "old"}


def test_what_somebody_else_is_writing_stays(tmp_path):
    with written_aside(tmp_path / "x") as aside, folder_written_aside(tmp_path / "y") as folder:
        recover(tmp_path / "x")
        recover(tmp_path / "y")
        assert aside.exists()
        assert folder.exists()
        aside.write_text("whole")
    assert (tmp_path / "x").read_text() == "whole"


def test_only_names_made_here_are_taken_for_leftovers(tmp_path):
    names = [
        ".x.swp",
        ".x.0123456789ab.part",
        ".x.0123456789AB",
        ".x.old",
        "x.0123456789ab",
        ".y.0123456789ab",
    ]
    for name in names:
        (tmp_path / name).write_text("kept")
    (tmp_path / ".x.aaaaaaaaaaaa").symlink_to(tmp_path / "x.0123456789ab")
    write_json(tmp_path / "x", {})
    assert {path.name for path in tmp_path.iterdir()} == {*names, ".x.aaaaaaaaaaaa", "x"}


# --- folders ------------------------------------------------------------------------------------------------


def test_a_folder_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "model"
    with folder_written_aside(target) as aside:
        fill(aside, weights="new")
        assert not target.exists()
    assert contents(target) == {"weights": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_is_there_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "model"
    fill(target, weights="old", more="old")
    with folder_written_aside(target) as aside:
        fill(aside, weights="new")
        assert contents(target) == {"weights": "old", "more": "old"}
    assert contents(target) == {"weights": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("fault", [ZeroDivisionError(), KeyboardInterrupt(), OSError(28, "No space left")])
def test_a_fault_while_writing_leaves_the_old_folder(tmp_path, fault):
    target = tmp_path / "model"
    fill(target, weights="old")
    with pytest.raises((type(fault), UsageError)), folder_written_aside(target) as aside:  # noqa: PT012
        fill(aside, weights="half")
        raise fault
    assert contents(target) == {"weights": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_fault_while_renaming_puts_the_old_folder_back(tmp_path, monkeypatch):
    target = tmp_path / "model"
    fill(target, weights="old")
    stock = os.replace

    def failing(source, destination):
        if destination == target.resolve() and (source / "weights").read_text() == "new":
            raise OSError(5, os.strerror(5))
        stock(source, destination)

    monkeypatch.setattr(files.os, "replace", failing)
    with pytest.raises(UsageError, match="could not be written"), folder_written_aside(target) as aside:
        fill(aside, weights="new")
    assert contents(target) == {"weights": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_of_a_link_the_folder_it_leads_to_is_replaced(tmp_path):
    fill(tmp_path / "real", weights="old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with folder_written_aside(tmp_path / "link") as aside:
        fill(aside, weights="new")
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real") == {"weights": "new"}


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "model").write_text("kept")
    with (
        pytest.raises(UsageError, match="could not be written"),
        folder_written_aside(tmp_path / "model") as aside,
    ):
        fill(aside, weights="new")
    assert contents(tmp_path) == {"model": "kept"}


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which file is meant")
def test_what_has_its_name_is_on_the_disk(tmp_path, monkeypatch):
    """Every file is synced before the rename, and the folder that has the new name after it."""
    steps, sync, rename = [], os.fsync, os.replace

    def noted_sync(handle):
        steps.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        sync(handle)

    def noted_rename(source, target):
        steps.append(f"-> {target.name}")
        rename(source, target)

    monkeypatch.setattr(files.os, "fsync", noted_sync)
    monkeypatch.setattr(files.os, "replace", noted_rename)
    with folder_written_aside(tmp_path / "model") as aside:
        fill(aside, weights="new")
    assert steps == ["weights", aside.name, "-> model", tmp_path.name]
    steps.clear()
    with written_aside(tmp_path / "x") as aside:
        aside.write_text("new")
    assert steps == [aside.name, "-> x", tmp_path.name]


# --- JSON ---------------------------------------------------------------------------------------------------


def test_json_is_read_as_it_was_written(tmp_path):
    content = {"labels": ["joy", "größe", "😂"], "value": 0.1 + 0.2, "none": None, "nested": [[1], []]}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content
    assert "größe" in (tmp_path / "x.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused_before_anything_is_written(tmp_path, value):
    write_json(tmp_path / "x.json", {"value": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"value": value})
    assert json.loads((tmp_path / "x.json").read_text()) == {"value": 1}
    assert len(list(tmp_path.iterdir())) == 1


# --- the cache ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "shared", "folder"),
    [
        ("/mine", "/shared", "/mine"),
        ("~/mine", "", "/home/me/mine"),
        ("", "/shared", "/shared/affekt"),
        (None, "relative", "/home/me/.cache/affekt"),
        (None, "", "/home/me/.cache/affekt"),
        (None, None, "/home/me/.cache/affekt"),
    ],
)
def test_the_cache_is_affekts_own_or_in_the_users(monkeypatch, own, shared, folder):
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in (("AFFEKT_CACHE", own), ("XDG_CACHE_HOME", shared)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_a_cache_of_nobody_is_one_sentence(monkeypatch):
    monkeypatch.setenv("AFFEKT_CACHE", "~nobody-here/x")
    with pytest.raises(UsageError, match=r"no cache folder \(.*\); name one in AFFEKT_CACHE"):
        cache_folder()
