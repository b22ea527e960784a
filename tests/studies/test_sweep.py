"""A sweep: what is tried, what is trained, and what dev says of it."""

import json
from math import log

import numpy as np
import pytest

from affekt.errors import PlaceError, RecipeError, UsageError
from affekt.report.sweep import short_names, winner_command
from affekt.runs.folder import RunFolder
from affekt.studies.sweep import PAGE, TABLE, Axis, Search, sweep
from report.pages import read_page

C = "objective.inverse_regularisation"


WORDS = {"happy glad": "joy", "so happy": "joy", "very glad": "joy", "afraid scared": "fear"}


@pytest.fixture
def recipe(tmp_path):
    """Logistic regression on TF-IDF of texts whose words give the label away: a run takes a moment."""
    lines = [f"{words} {i},{label}" for i in range(20) for words, label in WORDS.items()]
    for split, rows in {"train": lines[:40], "dev": lines[40:60], "test": lines[60:]}.items():
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,labels", *rows]) + "\n")
    path = tmp_path / "quick.yaml"
    files = ", ".join(f"{split}: {tmp_path}/{split}.csv" for split in ("train", "dev", "test"))
    path.write_text(
        f"name: quick\ndata: {{{files}}}\nencoder: {{kind: tfidf, options: {{components: 4}}}}\n"
        "objective: {kind: logistic}\n"
    )
    return str(path)


def axes(*said):
    return tuple(map(Axis.read, said))


def settings(*said, **asked):
    return Search(axes(*said), **asked).settings()


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("objective.temperature=.05,.1,.3", (0.05, 0.1, 0.3)),
        (" training.epochs = 1, 2 ", (1, 2)),
        ("encoder.layers=[0, 2],[1]", ([0, 2], [1])),
        ("encoder.name=one,two", ("one", "two")),
        ("training.keep=best", ("best",)),
        ("data.style=null,none", (None, "none")),
    ],
)
def test_an_axis_has_the_values_that_yaml_says(said, values):
    axis = Axis.read(said)
    assert (axis.key, axis.values, axis.is_range) == (said.split("=")[0].strip(), values, False)


@pytest.mark.parametrize(
    "said",
    ["", "x", "x=", "=1", "x=[1", "x=1,1", "x=2..1", "x=a..b", "x=1..1", "x=true..3", "x=1...inf"],
)
def test_what_is_no_axis_is_refused_in_one_line(said):
    with pytest.raises(UsageError) as fault:
        Axis.read(said)
    assert "\n" not in str(fault.value)


def test_a_grid_has_every_combination_the_last_key_first():
    assert settings("a=1,2", "b=x,y") == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_settings_of_a_grid_are_drawn_without_repeats_and_again_the_same():
    drawn = settings("a=1,2,3", "b=4,5,6", random=5)
    assert len({tuple(one.items()) for one in drawn}) == 5
    assert drawn == settings("a=1,2,3", "b=4,5,6", random=5)
    assert drawn != settings("a=1,2,3", "b=4,5,6", random=5, draw_seed=1)
    assert len(settings("a=1,2", random=9)) == 2


def test_a_range_is_drawn_by_its_logarithm_or_whole_or_evenly():
    assert all(0.05 <= one["x"] <= 0.5 for one in settings("x=.05...5", random=20))
    rates = [one["rate"] for one in settings("rate=1e-5..1e-1", random=400)]
    assert all(1e-5 <= rate <= 1e-1 for rate in rates)
    assert np.mean([log(rate) for rate in rates]) == pytest.approx(log(1e-3), abs=0.4)
    assert {one["epochs"] for one in settings("epochs=1..3", random=50)} == {1, 2, 3}
    assert np.mean([one["x"] for one in settings("x=0..1.0", random=400)]) == pytest.approx(0.5, abs=0.05)


def test_settings_of_a_range_are_drawn_without_repeats():
    drawn = settings("a=1..3", "b=x,y", random=5)
    assert len({tuple(one.items()) for one in drawn}) == 5
    assert len(settings("a=1..3", "b=x,y", random=9)) == 6
    assert [one["x"] for one in settings("x=.12341...12342", random=9)] == [0.12341]  # four digits


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ([], {}),
        (["a=1"], {"seeds": ()}),
        (["a=1"], {"seeds": (-1,)}),
        (["a=1", "a=2"], {}),
        (["training.seed=1,2"], {}),
        (["a=1"], {"figure": "nosuch"}),
        (["a=1"], {"figure": "support"}),
        (["a=1..2"], {}),
        (["a=1..2000"], {"random": 1001}),
        (["a=1"], {"random": 0}),
        ([f"{key}=1,2,3,4,5,6,7,8,9,10" for key in "abcd"], {}),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_one_line(said, asked):
    with pytest.raises(UsageError) as fault:
        settings(*said, **asked)
    assert "\n" not in str(fault.value)


def test_settings_are_judged_on_dev_over_seeds_and_test_is_not_read(recipe, tmp_path):
    out, said, ticks = tmp_path / "out", [], []
    told = sweep(
        recipe,
        Search(axes(f"{C}=1e-6,1.0"), seeds=(0, 1)),
        out,
        command="affekt sweep x",
        say=said.append,
        tick=lambda *at: ticks.append(at),
    )
    assert (told["figure"], told["n"]) == ("accuracy", 20)
    best, other = told["settings"]
    assert (best["setting"], other["setting"]) == ({C: 1.0}, {C: 1e-6})
    for one in told["settings"]:
        runs = [RunFolder(out / name) for name in one["runs"]]
        values = [run.metrics["dev"]["fixed"]["accuracy"]["value"] for run in runs]
        assert one["by_seed"] == pytest.approx(values)
        assert one["value"] == pytest.approx(np.mean(values))
        assert one["low"] <= one["value"] <= one["high"]
        assert one["sd"] == pytest.approx(np.std(values, ddof=1))
        assert all("test" not in run.metrics and set(run.predictions) == {"dev"} for run in runs)
    assert other["behind"]["value"] == pytest.approx(other["value"] - best["value"])
    assert other["behind"]["high"] < 0
    assert ticks[0] == (0, 4)
    assert ticks[-1] == (4, 4)
    assert json.loads((out / TABLE).read_text()) == json.loads(json.dumps(told))
    page = read_page(out / PAGE)
    assert len(page.all("img")) == 1
    assert f"--set {C}=1.0" in (out / PAGE).read_text()


def test_what_is_finished_is_not_trained_again_and_a_further_value_is_added(recipe, tmp_path):
    out = tmp_path / "out"
    first = sweep(recipe, Search(axes(f"{C}=1.0")), out)
    (run,) = first["settings"][0]["runs"]
    before = (out / run / "metrics.json").stat().st_mtime_ns
    second = sweep(recipe, Search(axes(f"{C}=1.0,2.0")), out)
    assert (out / run / "metrics.json").stat().st_mtime_ns == before
    assert run in {name for one in second["settings"] for name in one["runs"]}
    assert len(second["settings"]) == 2


def test_a_setting_whose_training_fails_is_listed_last_with_the_reason(recipe, tmp_path):
    told = sweep(recipe, Search(axes(f"data.train=nosuch.csv,{tmp_path}/train.csv")), tmp_path / "out")
    assert [len(one["runs"]) for one in told["settings"]] == [1, 0]
    assert told["settings"][1]["setting"] == {"data.train": "nosuch.csv"}
    assert "seed 0: nosuch.csv" in told["settings"][1]["faults"][0]
    assert "seed 0: nosuch.csv" in (tmp_path / "out" / PAGE).read_text()


def test_a_run_that_another_process_trains_is_no_setting_s_fault(recipe, tmp_path, monkeypatch):
    def busy(*given, **how):
        raise PlaceError("out: another process is training into this folder; name another one.")

    monkeypatch.setattr("affekt.studies.sweep._train_without_test", busy)
    with pytest.raises(PlaceError, match="another process"):
        sweep(recipe, Search(axes(f"{C}=1.0,2.0")), tmp_path / "out")
    assert not (tmp_path / "out" / TABLE).exists()


def test_what_the_recipe_cannot_be_is_refused_before_anything_is_trained(recipe, tmp_path):
    with pytest.raises(RecipeError):
        sweep(recipe, Search(axes("objective.nosuch=1,2")), tmp_path / "out")
    with pytest.raises(UsageError, match="no run came to its end"):
        sweep(recipe, Search(axes("data.train=nosuch.csv")), tmp_path / "out")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="is a file"):
        sweep(recipe, Search(axes(f"{C}=1.0")), file)


def test_a_figure_that_the_runs_lack_is_said_after_the_first(recipe, tmp_path):
    with pytest.raises(UsageError, match="dev figure"):
        sweep(recipe, Search(axes(f"{C}=1.0"), figure="f1"), tmp_path / "out")


def test_settings_are_compared_by_a_figure_of_the_space_too(recipe, tmp_path):
    told = sweep(
        recipe, Search(axes("encoder.options.components=2,4"), figure="davies_bouldin"), tmp_path / "out"
    )
    assert told["settings"][0]["value"] <= told["settings"][1]["value"]
    for one in told["settings"]:
        run = RunFolder(tmp_path / "out" / one["runs"][0])
        assert one["value"] == pytest.approx(run.metrics["clustering"]["davies_bouldin"])
        assert "behind" not in one


def test_a_space_in_one_point_is_not_the_best_and_n_is_of_the_rows_of_the_space(recipe, tmp_path):
    search = Search(axes("encoder.options.components=2,4"), figure="davies_bouldin")
    best, other = sweep(recipe, search, tmp_path / "out")["settings"]
    path = tmp_path / "out" / other["runs"][0] / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["clustering"] |= {"davies_bouldin": 0.0, "n": 19}  # 0 stands for undefined
    path.write_text(json.dumps(metrics))
    assert best["value"] > 0
    told = sweep(recipe, search, tmp_path / "out")["settings"]
    assert [one["setting"] for one in told] == [best["setting"], other["setting"]]
    search = Search(axes(f"encoder.options.components={other['setting'].popitem()[1]}"), figure="ami")
    assert sweep(recipe, search, tmp_path / "out")["n"] == 19


def test_the_best_setting_is_told_as_a_recipe_takes_it():
    best = {"setting": {"a.keep": True, "a.style": None, "a.name": "x y", "a.rate": 1e-05}}
    told = winner_command({"recipe": "r", "changes": ["b=1"], "settings": [best]})
    changes = ("b=1", "a.keep=true", "a.style=null", "'a.name=x y'", "a.rate=1e-05")
    assert told == " ".join(["affekt train r", *(f"--set {change}" for change in changes)])


def test_keys_are_shown_by_their_last_parts_where_these_differ():
    assert short_names(["a.rate", "b.epochs"]) == ["rate", "epochs"]
    assert short_names(["a.rate", "b.rate"]) == ["a.rate", "b.rate"]
