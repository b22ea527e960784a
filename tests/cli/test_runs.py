"""`affekt train`, `affekt compare` and `affekt reproduce` as they are typed."""

import json
import subprocess
import sys

import pytest

from affekt.cli.runs import command_line, show_metrics
from affekt.errors import RecipeError, UsageError
from affekt.recipe.read import read_recipe
from affekt.runs.compare import differences, label_differences, pair
from affekt.runs.folder import read_run
from affekt.training.run import train as run_training
from made_runs import EIGHT, SIX, make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "good", EIGHT, single_label=False, seed=1, noise=1.0)
    make_run(folder / "poor", EIGHT, single_label=False, seed=2, noise=3.0)
    make_run(folder / "other", SIX, single_label=True, seed=3)
    return folder


# --- compare


def test_compare_as_json_gives_figures_and_paired_differences(verb, runs, tmp_path):
    out = tmp_path / "page.html"
    found = json.loads(verb("compare", runs / "good", runs / "poor", "--out", out, "--json"))
    assert out.exists()
    good, poor = read_run(runs / "good"), read_run(runs / "poor")
    assert found["first"] == "good"
    assert found["runs"]["poor"]["seed"] == 2
    assert found["runs"]["poor"]["split"] == "test"
    assert found["runs"]["poor"]["figures"] == poor.metrics["test"]
    paired = pair(good, poor, "test")
    against = found["differences"]["poor"]
    assert (against["split"], against["n"]) == ("test", 160)
    assert against["figures"] == differences(paired)
    assert against["figures"]["f1_macro"]["high"] < 0
    assert list(against["labels"]) == EIGHT
    for one in label_differences(paired):
        said = against["labels"][one.label]
        assert (said["first"], said["second"]) == (one.first, one.second)
        assert said["clear"] == one.is_clear
        assert said["winner"] == (
            "good" if one.first > one.second else "poor" if one.second > one.first else None
        )


def test_compare_shows_a_table_of_differences(verb, runs, tmp_path):
    shown = verb("compare", runs / "good", runs / "poor", "--out", tmp_path / "page.html")
    assert "poor minus good: test, n = 160" in shown
    [line] = [line for line in shown.splitlines() if "f1_macro" in line]
    _, difference, low, high, p = line.split()
    assert float(low) < float(difference) < float(high) < 0
    assert float(p) < 0.05
    assert "of 8 labels won clearly: good " in shown


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("markdown", "| figure | verdict | good | poor |"),
        ("latex", r"figure & verdict & good & poor \\"),
        ("csv", "table,figure,verdict,run,value,low,high"),
    ],
)
def test_tables_for_papers_are_all_that_is_printed(form, line, verb, runs, tmp_path):
    words = ("compare", runs / "good", runs / "poor", "--out", tmp_path / "page.html", "--format", form)
    shown = verb(*words).splitlines()
    assert line in shown
    assert "good is better" in "".join(shown)
    assert not any("won clearly" in one for one in shown)


def test_runs_that_cannot_be_paired_are_said_to_be(verb, runs, tmp_path):
    words = ("compare", runs / "good", runs / "other", "--out", tmp_path / "page.html")
    assert json.loads(verb(*words, "--json"))["differences"] == {"other": None}
    verb(*words)


def test_runs_judged_on_other_texts_are_said_to_be(verb, runs, tmp_path, monkeypatch):
    words = ("compare", runs / "good", runs / "drawn", "--out", tmp_path / "page.html")
    make_run(runs / "drawn", EIGHT, single_label=False, seed=1, noise=1.0)
    assert json.loads(verb(*words, "--json"))["same_texts"] is True
    path = runs / "drawn" / "metrics.json"
    path.write_text(path.read_text().replace("ab" * 32, "dev:aa-test:bb-train:cc"))
    assert json.loads(verb(*words, "--json"))["same_texts"] is False
    said: list[str] = []
    monkeypatch.setattr("affekt.cli.console.say", said.append)
    verb(*words)
    assert said[0].startswith("warning: The runs were judged on different texts")


def test_compare_shows_the_spaces_with_rows_and_dimensions(verb, runs, tmp_path):
    good, poor = (read_run(runs / name).metrics["clustering"] for name in ("good", "poor"))
    words = ("compare", runs / "good", runs / "poor", "--out", tmp_path / "page.html")
    shown = verb(*words).partition("poor minus good")[0].partition("mean and range over seeds")[0]
    lines = {
        cells[0]: cells[-2:]
        for line in shown[shown.index("the space") :].splitlines()
        if (cells := line.split())
    }
    assert lines["figure"] == ["good", "poor"]
    assert lines["Rows"] == ["160", "160"]
    assert lines["Adjusted"] == [f"{one['ami']:.3f}".removeprefix("0") for one in (good, poor)]
    assert json.loads(verb(*words, "--json"))["runs"]["good"]["space"]["map_at_r"] == 0.33


@pytest.mark.parametrize("out", ["page.txt", "null"])
def test_compare_writes_pages_and_nothing_else(verb, runs, tmp_path, out):
    with pytest.raises(UsageError, match=r"must end in one of \.html, \.htm"):
        verb("compare", runs / "good", runs / "poor", "--out", tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_compare_needs_two_runs(verb, runs, tmp_path):
    with pytest.raises(UsageError, match="at least two runs"):
        verb("compare", runs / "good", "--out", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


# --- reproduce


def test_reproduce_writes_a_page_for_each_row_named_or_for_all(verb, runs, tmp_path):
    verb("reproduce", "B3", "--runs", runs, "--out", tmp_path / "one")
    assert [path.name for path in (tmp_path / "one").glob("*.md")] == ["row-b3.md"]
    verb("reproduce", "--runs", runs, "--out", tmp_path / "all")
    assert {path.name for path in (tmp_path / "all").glob("*.md")} == {"row-b3.md", "row-c1.md", "spaces.md"}
    text = (tmp_path / "one" / "row-b3.md").read_text(encoding="utf-8")
    assert "0.462 (bert-base-uncased, Huang and Wen)" in text
    assert "Warning: collapse watch" in text


def test_reproduce_names_rows_without_runs(verb, runs, tmp_path):
    with pytest.raises(UsageError, match="no finished run of Z9; there are runs of B3, C1"):
        verb("reproduce", "Z9", "--runs", runs, "--out", tmp_path)


# --- train


def test_an_unknown_recipe_or_key_leaves_nothing(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="demo"):
        verb("train", "dmo")
    with pytest.raises(RecipeError, match=r"training\.epoks"):
        verb("train", "demo", "--set", "training.epoks=3")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_is_shown_as_it_is_when_resumed(verb, runs):
    metrics = json.loads((runs / "other" / "metrics.json").read_text())
    own = runs / "other" / "recipe.yaml"
    own.write_text(read_recipe("demo").to_yaml(), encoding="utf-8")
    shown = verb("train", own, "--out", runs / "other", "--resume", "--no-report", "--json")
    assert json.loads(shown) == metrics


def test_a_fault_in_the_texts_or_the_folder_is_said_before_torch_is_loaded(tmp_path, classifier):
    (tmp_path / "tweets.csv").write_text("text,emotion\nhi,joy\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").touch()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: tiny\ndata:\n  train: {tmp_path / 'tweets.csv'}\n  text: txt\n  labels: emotion\n"
    )
    verbs = [
        (["train", recipe], "has no column 'txt'"),
        (["train", recipe, "--set", "data.train=nowhere.csv"], "nowhere.csv"),
        (["train", recipe, "--out", tmp_path / "mine"], "holds other files"),
        (["demo", "--out", tmp_path / "mine"], "holds other files"),
        (["search", "joy", tmp_path / "tweets.csv", "--text", "txt"], "has no column 'txt'"),
        (["search", "joy", "nowhere.csv", "--model", classifier], "nowhere.csv"),
        (["search", "", tmp_path / "tweets.csv", "--model", classifier], "nothing to look for"),
        (["search", "joy", tmp_path / "tweets.csv", "--model", "./nowhere"], "no such folder"),
        (["compare", tmp_path, tmp_path, "-o", tmp_path / "page.html"], "holds no metrics.json"),
    ]
    program = (
        "import sys\nfrom affekt.cli import main\n"
        f"for words in {[list(map(str, words)) for words, _ in verbs]!r}:\n"
        "    sys.argv = ['affekt', *words]\n"
        "    try:\n        main()\n"
        "    except SystemExit as left:\n        print(left.code, 'torch' in sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert ended.stdout.splitlines() == ["2 False"] * len(verbs), ended.stderr
    for (_, said), line in zip(verbs, ended.stderr.splitlines(), strict=True):
        assert said in line


def test_a_finished_run_of_other_settings_is_not_passed_off_as_this_one(runs):
    (runs / "other" / "recipe.yaml").write_text(read_recipe("demo").to_yaml(), encoding="utf-8")
    changed = read_recipe("demo", ("training.seed=7",))
    with pytest.raises(UsageError, match="another recipe or other settings"):
        run_training(changed, runs / "other", resume=True)


def test_the_demo_s_figures_are_given_as_json(verb, runs, monkeypatch):
    metrics = read_run(runs / "good").metrics
    monkeypatch.setattr("affekt.training.run.train", lambda *_, **__: metrics)
    assert json.loads(verb("demo", "--out", runs / "good", "--json")) == metrics


def test_the_demo_says_first_what_the_ready_model_says(verb, runs, ready, monkeypatch):
    from affekt.inference.model import load

    metrics, opened = read_run(runs / "good").metrics, load(ready)
    monkeypatch.setattr("affekt.training.run.train", lambda *_, **__: metrics)
    monkeypatch.setattr("affekt.inference.model.load", lambda *_: opened)
    shown = verb("demo", "--out", runs / "good")
    assert shown.index("the meeting is at 3pm") < shown.index("f1_macro")


@pytest.mark.usefixtures("no_ready")
def test_the_demo_goes_without_the_ready_model(verb, runs, monkeypatch):
    metrics = read_run(runs / "good").metrics
    monkeypatch.setattr("affekt.training.run.train", lambda *_, **__: metrics)
    told: list[str] = []
    monkeypatch.setattr("affekt.cli.console.say", told.append)
    assert json.loads(verb("demo", "--out", runs / "good", "--json")) == metrics
    assert told[0].endswith("is not installed: pip install affekt-small")


def test_the_command_is_kept_as_it_could_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/affekt", "train", "demo", "--set", "name=a b"])
    assert command_line() == "affekt train demo --set 'name=a b'"


def test_figures_are_shown_by_way_of_deciding(runs, capsys):
    metrics = read_run(runs / "good").metrics
    show_metrics(metrics, runs / "good", as_json=False)
    shown, _ = capsys.readouterr()
    assert "good: test, n = 160" in shown
    assert "thresholds at .5" in shown
    assert "thresholds fitted on dev" in shown
    value = metrics["test"]["fixed"]["f1_macro"]["value"]
    assert f"{value:.3f}".removeprefix("0") in shown
    assert "the space: test" in shown


def test_an_encoder_s_figures_are_shown_without_a_classifier_s(runs, capsys):
    metrics = {**read_run(runs / "good").metrics, "test": None, "dev": None}
    show_metrics(metrics, runs / "good", as_json=False)
    shown = capsys.readouterr().out
    assert "the space: test" in shown
    assert "f1_macro" not in shown
