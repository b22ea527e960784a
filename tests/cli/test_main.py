"""What every verb shares: the version, help, faults as one line and exit codes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import affekt
from affekt import cli
from affekt.cli import console
from affekt.errors import DataError


def ended(monkeypatch, *words, fault=None):
    """Run the command line in this process; return how it exited."""
    monkeypatch.setattr(sys, "argv", ["affekt", *map(str, words)])
    if fault is not None:

        def broken():
            raise fault

        monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code


def test_the_version_is_told():
    outcome = CliRunner().invoke(cli.app, ["--version"])
    assert (outcome.exit_code, outcome.stdout) == (0, f"affekt {affekt.__version__}\n")


def test_affekt_alone_shows_the_verbs():
    shown = CliRunner().invoke(cli.app, []).output
    for verb in (
        "demo",
        "data",
        "train",
        "evaluate",
        "predict",
        "embed",
        "search",
        "map",
        "cluster",
        "compare",
    ):
        assert f"  {verb} " in shown


def test_a_fault_the_user_can_mend_is_one_line_on_stderr_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "affekt", "compare", str(tmp_path / "a"), str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"affekt: {tmp_path / 'a'}: holds no metrics.json")
    assert list(tmp_path.iterdir()) == []


def test_faults_and_interrupts_have_their_exit_codes(monkeypatch, capsys):
    assert ended(monkeypatch, fault=DataError("posts.csv:3: is empty.")) == 2
    assert capsys.readouterr().err == "affekt: posts.csv:3: is empty.\n"
    assert ended(monkeypatch, fault=KeyboardInterrupt()) == 130


def test_a_command_line_that_makes_no_sense_ends_with_2_too(monkeypatch, capsys):
    assert ended(monkeypatch, "sing") == 2
    assert ended(monkeypatch, "map", "-m", "model", "posts.csv", "--limit", "0") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_is_not_hidden(monkeypatch):
    monkeypatch.setattr(cli, "app", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_an_output_that_knows_few_letters_stops_nothing(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(cli, "app", lambda: (console.result("é – 🙂"), console.result_json({"é": 1})))
    cli.main()
    sys.stdout.flush()
    first, rest = raw.getvalue().decode("ascii").split("\n", 1)
    assert first == "? ? ?"
    assert json.loads(rest) == {"é": 1}


# --- figures


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"value": 0.5034, "low": 0.489, "high": 0.517}, ".503 [.489, .517]"),
        ({"value": -0.25}, "-.250"),
        ({"value": 1.0}, "1.000"),
        ({"value": 10.062}, "10.062"),
        (None, "–"),
    ],
)
def test_a_figure_is_shown_with_its_interval(given, shown):
    assert console.interval(given) == shown


def test_counts_are_shown_whole():
    assert console.figure("n", 1234) == "1,234"
    assert console.figure("never_predicted", {"value": 2.0}) == "2"
    assert console.figure("mrr", 0.5) == ".500"


def test_a_table_shows_what_it_is_given_and_takes_no_markup(capsys):
    console.table("[bold]x[/bold]", ["a", "b"], [["[red]text", "1"]])
    shown = capsys.readouterr().out
    assert "[bold]x[/bold]" in shown
    assert "[red]text" in shown


def test_progress_in_a_log_is_silent_for_a_while(capsys):
    with console.progress("rows") as tick:
        tick(1, 2)
    assert capsys.readouterr() == ("", "")


def test_progress_in_a_log_says_now_and_then_how_far_it_is_and_how_long_it_will_take(capsys, monkeypatch):
    clock = iter([0, 10, 31, 40, 3700, 3720])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("rows", every=30) as tick:
        for done in (100, 310, 400, 37_000, 37_500):
            tick(done, 100_000)
    assert capsys.readouterr() == (
        "",
        "rows: 310 of 100,000 (0%), about 2 h 46 min left\n"
        "rows: 37,000 of 100,000 (37%), about 1 h 45 min left\n",
    )


# --- what a terminal could take for orders, and streams that fail

UNWRITTEN = "standard output cannot be written ({}); send it elsewhere, or make room."
ORDERS = "\x1b[31mred\x1b[0m \x9b2J bell\x07 back\x08 \u202ereversed\r"


def test_control_characters_reach_a_terminal_only_as_what_they_are_called(capsys):
    console.say(ORDERS)
    console.result(ORDERS)
    console.result_json({ORDERS: ORDERS})
    console.table(ORDERS, [ORDERS, "b"], [[ORDERS, "1"]])
    out, err = capsys.readouterr()
    assert err == "\\u001b[31mred\\u001b[0m \\u009b2J bell\\u0007 back\\u0008 \\u202ereversed\\u000d\n"
    assert not set(out) & set("\x1b\x9b\x07\x08\u202e\r")
    text = out.split("\n", 1)[1]
    assert json.loads(text[: text.index("}") + 1]) == {ORDERS: ORDERS}


def run(*words, **options):
    command = [sys.executable, "-m", "affekt", *words]
    return subprocess.run(command, capture_output="stdout" not in options, text=True, check=False, **options)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_standard_output_is_one_line_and_exit_code_2():
    with open("/dev/full", "w") as full:
        done = run("data", "list", "--json", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == f"affekt: {UNWRITTEN.format('No space left on device')}\n"


def test_closed_standard_streams_are_one_line_and_exit_code_2():
    shell = '"$0" -m affekt data list >&-'
    done = subprocess.run(["sh", "-c", shell, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"affekt: {UNWRITTEN.format('Bad file descriptor')}\n"
    silent = subprocess.run(["sh", "-c", '"$0" -m affekt sing 2>&- <&-', sys.executable], check=False)
    assert silent.returncode == 2


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ["data", "inspect", f"{LONG}.csv"],
        ["data", "inspect", LONG],
        ["data", "split", "posts.csv", "-o", LONG],
        ["data", "get", "sample", "--out", LONG],
        ["train", LONG],
        ["compare", LONG, LONG],
    ],
)
def test_a_path_that_the_system_refuses_is_one_sentence(words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_text("text,labels\n" + "".join(f"t{i},{'ab'[i % 2]}\n" for i in range(40)))
    assert ended(monkeypatch, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("affekt: xxxx")
    assert line.endswith("…: can't be reached (File name too long); name another one")
    assert [path.name for path in tmp_path.iterdir()] == ["posts.csv"]


def test_a_folder_without_rights_is_one_sentence(monkeypatch, capsys, tmp_path):
    def refuse(path, **how):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    assert ended(monkeypatch, "data", "inspect", tmp_path / "posts.csv") == 2
    expected = f"affekt: {tmp_path}/posts.csv: can't be reached (Permission denied); name another one\n"
    assert capsys.readouterr().err == expected


def test_a_name_that_is_not_utf_8_is_written_to(monkeypatch, capsys, tmp_path):
    (tmp_path / "posts.csv").write_text("text,labels\n" + "".join(f"t{i},{'ab'[i % 2]}\n" for i in range(40)))
    out = os.fsdecode(bytes(tmp_path) + b"/\xff")
    assert ended(monkeypatch, "data", "split", tmp_path / "posts.csv", "-o", out) == 0
    assert sorted(os.listdir(out)) == ["dev.jsonl", "test.jsonl", "train.jsonl"]


def test_a_name_that_is_not_utf_8_is_refused_where_it_cannot_be_written_to(monkeypatch, capsys, tmp_path):
    for words in (["train", "demo", "--out"], ["data", "get", "sample", "--out"]):
        out = os.fsdecode(bytes(tmp_path) + b"/\xff")
        assert ended(monkeypatch, *words, out) == 2
        assert "its name is not UTF-8" in capsys.readouterr().err
