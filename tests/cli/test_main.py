"""What every verb shares: the version, help, faults as one line and exit codes."""

import io
import json
import subprocess
import sys

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
    for verb in ("demo", "data", "train", "evaluate", "predict", "embed", "map", "cluster", "compare"):
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
    assert ended(monkeypatch, "map", "model", "posts.csv", "--limit", "0") == 2
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


def test_progress_off_a_terminal_is_silent(capsys):
    with console.progress("rows") as tick:
        tick(1, 2)
    assert capsys.readouterr() == ("", "")
