"""Tables from metrics that are small enough to check by hand."""

import json
from pathlib import Path

import pytest

from affekt.errors import AffektError, DataError, UsageError
from affekt.runs.metrics import judged_split
from affekt.studies.reproduce import check_tables, write_tables

PUBLISHED = [
    {"metric": "f1_macro", "value": 0.462, "encoder": "bert-base", "thresholds": "fixed", "source": "A, B"},
    {"metric": "f1_macro", "value": 0.523, "encoder": "bert-large", "thresholds": "fitted", "source": "C"},
    {"metric": "jaccard_empty_zero", "value": 0.5, "encoder": "cnn", "thresholds": "fixed", "source": "D"},
    {"metric": "loss", "value": 0.25, "encoder": "cnn", "thresholds": "fixed", "source": "D|E"},
]


def figure(value):
    return {"value": value, "low": value - 0.01, "high": value + 0.02}


def metrics(seed=0, f1=0.4, **changes):
    return {
        "name": "direct",
        "row": "B3",
        "status": "complete",
        "seed": seed,
        "command": f"affekt train direct --set training.seed={seed}",
        "data": {"name": "posts", "single_label": False, "splits": {"dev": {"n": 50}, "test": {"n": 1234}}},
        "encoder": {"name": "tiny", "parameters": 2_500_000},
        "hardware": {"cpu": "A CPU", "threads": 2, "gpu": None, "precision": "float32"},
        "timing": {
            "epochs": 2,
            "seconds_per_epoch": [10.0, 20.0],
            "total_seconds": 40.0,
            "peak_memory_mb": 900.0,
        },
        "test": {
            "fixed": {"f1_macro": figure(f1), "jaccard_empty_zero": figure(0.3)},
            "fitted": {"f1_macro": figure(f1 + 0.05)},
        },
        "dev": {"fixed": {"f1_macro": figure(0.9)}},
        "clustering": {"silhouette": 0.25, "n": 456, "dimension": 8},
        "retrieval": {"mrr": 0.75},
        "calibration": {"before": {"ece": 0.1, "reliability": [1, 2, 3]}},
        "examples": [{"text": "long"}],
        "warnings": [],
        "published": PUBLISHED,
    } | changes


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def add(runs, folder, content, recipe=None):
    (runs / folder).mkdir()
    (runs / folder / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
    if recipe is not None:
        (runs / folder / "recipe.yaml").write_text(recipe, encoding="utf-8")


def page(runs, *rows):
    path = write_tables(rows, runs, runs.parent / "out")[0]
    return path.read_text(encoding="utf-8")


def cells(text, name):
    [line] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_seeds_that_were_judged_on_other_texts_have_no_common_range(runs):
    for seed, texts in enumerate(("aaaa", "aaaa", "bbbb")):
        content = metrics(seed=seed, f1=0.4 + seed / 10)
        content["data"] |= {"digest": f"dev:cccc-test:{texts}-train:dddd"}
        add(runs, f"run-{seed}", content, f"training: {{seed: {seed}}}")
    text = page(runs, "B3")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert [texts in heading for texts, heading in zip(("aaaa", "bbbb"), headings, strict=True)] == [True] * 2
    assert all("not to be compared with other texts" in heading for heading in headings)
    assert "seeds 0, 1." in text
    assert "seed 2." in text


def test_seeds_of_one_recipe_are_one_line_of_mean_range_and_the_first_s_interval(runs):
    add(runs, "a", metrics(seed=1, f1=0.50), "training: {seed: 1}")
    add(runs, "b", metrics(seed=0, f1=0.40), "training: {seed: 0}")
    text = page(runs, "B3")
    assert text.count("\n## ") == 1
    assert "seeds 0, 1." in text
    assert cells(text, "f1_macro at .5") == [
        "f1_macro at .5",
        "0.450",
        "0.400 to 0.500",
        "[0.390, 0.420]",
        "0.462 (bert-base, A, B)",
    ]
    assert cells(text, "f1_macro with thresholds from dev")[1:] == [
        "0.500",
        "0.450 to 0.550",
        "[0.440, 0.470]",
        "0.523 (bert-large, C)",
    ]
    assert cells(text, "silhouette")[1:4] == ["0.250", "0.250 to 0.250", ""]
    assert (
        "    affekt train direct --set training.seed=0 --out runs/b\n"
        "    affekt train direct --set training.seed=1 --out runs/a\n"
    ) in text


@pytest.mark.parametrize(
    "command",
    [
        "affekt train x --out runs/tried --resume",
        "affekt train x --out=tried --resume",
        "affekt train x --resume",
    ],
)
def test_a_page_s_commands_end_in_the_folders_that_the_runs_are_kept_by(runs, command):
    add(runs, "a b", metrics(command=command))
    assert "\n    affekt train x --resume --out 'runs/a b'\n" in page(runs)


def test_of_runs_with_one_seed_the_newest_is_told_and_the_others_are_named(runs):
    for folder, created, f1 in (("a", "2026-01-02", 0.4), ("b", "2026-01-03", 0.5), ("c", "2026-01-01", 0.6)):
        add(runs, folder, metrics(f1=f1, created=created), "training: {seed: 0}")
    add(runs, "d", metrics(seed=1, f1=0.5, created="2026-01-01"), "training: {seed: 1}")
    text = page(runs)
    assert "seeds 0, 1." in text
    assert cells(text, "f1_macro at .5")[1:3] == ["0.500", "0.500 to 0.500"]
    assert "Left out, for a newer run of the same seed: a, c.\n" in text
    assert "--out runs/a\n" not in text
    for other in ("a", "c"):
        (runs.parent / "out" / "runs" / f"{other}.json").unlink()
        (runs / other / "metrics.json").unlink()
    assert "Left out" not in page(runs)


def test_rows_and_dimensions_of_the_space_are_said_beside_the_split_s(runs):
    add(runs, "a", metrics(overlap_retrieval={"map_at_r": 0.5, "n": 1200}, row="E1"))
    add(runs, "b", metrics(clustering=None, row="B3"))
    assert (
        "\nSpace: n = 456 rows with one label, 8 dimensions; overlap_ figures: n = 1,200, rows that share a "
        "label with another.\n"
    ) in page(runs, "E1")
    assert "Space:" not in page(runs, "B3")


def test_a_space_s_figures_have_the_interval_that_was_measured(runs):
    add(runs, "a", metrics(space_intervals={"mrr": {"low": 0.7, "high": 0.8}}))
    text = page(runs)
    assert cells(text, "mrr")[1:4] == ["0.750", "", "[0.700, 0.800]"]
    assert cells(text, "silhouette")[1:4] == ["0.250", "", ""]


def test_labels_never_predicted_are_counted_in_whole_numbers_and_tenths(runs):
    for seed, never in enumerate((13.0, 14.0)):
        of_seed = metrics(seed=seed)
        of_seed["test"]["fixed"]["never_predicted"] = {"value": never}
        add(runs, str(seed), of_seed)
    assert cells(page(runs), "never_predicted at .5")[1:3] == ["13.5", "13 to 14"]


def test_a_single_run_has_no_range_and_says_what_it_cost(runs):
    add(runs, "a", metrics())
    text = page(runs)
    assert cells(text, "f1_macro at .5")[2] == ""
    assert "posts, test split, n = 1,234; tiny, 2.5 M parameters; seed 0." in text
    assert "2 epochs of 15 s, 40 s in all, peak 900 MB; A CPU, 2 threads, no GPU, float32." in text


def test_every_published_figure_is_shown_with_its_encoder_also_where_we_have_none(runs):
    add(runs, "a", metrics())
    text = page(runs)
    for one in PUBLISHED:
        assert f"{one['value']:.3f} ({one['encoder']}, " in text
    assert cells(text, "jaccard_empty_zero at .5")[1] == "0.300"
    assert cells(text, "loss at .5")[1] == "–"
    assert "D\\|E" in text  # a bar would start another cell


def test_runs_with_other_settings_are_never_averaged(runs):
    add(runs, "a", metrics(f1=0.5), "training: {seed: 0, epochs: 3}")
    add(runs, "b", metrics(f1=0.4), "training: {seed: 0, epochs: 9}")
    text = page(runs)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings)) == 2
    assert "| f1_macro at .5 | 0.450 |" not in text


def test_what_a_recipe_says_of_itself_does_not_part_seeds(runs):
    prose = ("note: one, published: [], examples: [a]", "note: other, published: [{value: 1}], examples: [b]")
    for seed, said in enumerate(prose):
        add(runs, str(seed), metrics(seed=seed), f"{{{said}, training: {{seed: {seed}}}}}")
    assert "seeds 0, 1." in page(runs)


def test_a_run_without_test_is_told_by_its_dev_figures_apart_from_those_with(runs):
    add(runs, "a", metrics())
    add(runs, "b", metrics(seed=1, test=None))
    text = page(runs)
    assert "posts, dev split, n = 50" in text
    assert "| f1_macro at .5 | 0.900 |" in text
    assert "| f1_macro at .5 | 0.400 |" in text


def test_an_encoder_without_classifier_has_figures_of_the_test_split_s_space(runs):
    bare = metrics(space_shift={"mean_squared_difference": 0.125})
    del bare["test"], bare["dev"]
    assert judged_split(bare) == "test"
    add(runs, "a", bare)
    text = page(runs)
    assert "test split, n = 1,234" in text
    assert cells(text, "mrr")[1] == "0.750"
    assert cells(text, "mean_squared_difference")[1] == "0.125"


def test_warnings_are_on_the_page_once(runs):
    add(runs, "a", metrics(warnings=["two labels are never predicted"]))
    add(runs, "b", metrics(seed=1, warnings=["two labels are never predicted", "collapse"]))
    text = page(runs)
    assert text.count("Warning: two labels are never predicted") == 1
    assert text.index("two labels") < text.index("Warning: collapse")


def test_metrics_are_kept_and_make_the_same_tables_when_the_runs_are_gone(runs):
    add(runs, "a", metrics(), "training: {seed: 0}")
    text = page(runs)
    kept = json.loads((runs.parent / "out" / "runs" / "a.json").read_text(encoding="utf-8"))
    assert "examples" not in kept
    assert kept["calibration"] == {"before": {"ece": 0.1}}
    (runs / "a" / "metrics.json").unlink()
    assert page(runs) == text


def test_pages_that_say_what_the_kept_metrics_say_pass_the_check(runs):
    add(runs, "a", metrics(), "training: {seed: 0}")
    written = write_tables((), runs, out := runs.parent / "out")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert set(check_tables(out)) == set(written)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_what_is_damaged_is_named_where_it_lies(runs):
    add(runs, "a", metrics(), "training: {seed: 0}")
    path = write_tables(("B3",), runs, out := runs.parent / "out")[0]
    path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(DataError, match=rf"{path}:1: says"):
        check_tables(out)
    kept = out / "runs" / "a.json"
    kept.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=rf"{kept}: is no run's metrics"):
        check_tables(out)


def test_a_page_that_says_otherwise_is_named_with_its_line(runs):
    add(runs, "a", metrics(), "training: {seed: 0}")
    path = write_tables(("B3",), runs, out := runs.parent / "out")[0]
    text = path.read_text(encoding="utf-8")
    number = next(at for at, line in enumerate(text.splitlines(), 1) if "0.400" in line)
    path.write_text(text.replace("0.400", "0.410"), encoding="utf-8")
    with pytest.raises(DataError, match=rf"row-b3\.md:{number}: says .*0\.410.*0\.400") as fault:
        check_tables(out)
    assert "\n" not in str(fault.value)


def test_pages_that_are_missing_or_of_no_kept_run_fail_the_check(runs):
    add(runs, "a", metrics(), "training: {seed: 0}")
    out = runs.parent / "out"
    for path in write_tables((), runs, out):
        path.unlink()
    (out / "row-z9.md").write_text("# Row Z9\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"row-b3\.md: is missing; .*row-z9\.md: is of a row that no"):
        check_tables(out)
    with pytest.raises(UsageError):
        check_tables(runs)
    write_tables((), runs, out)
    (out / "row-z9.md").unlink()
    (out / "spaces.md").write_text("# Spaces beside each other\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"spaces\.md: is of spaces that no kept run has"):
        check_tables(out)


def test_the_pages_of_results_say_what_the_kept_metrics_say():
    assert check_tables(Path(__file__).parents[2] / "docs" / "results")


def test_an_unfinished_run_is_left_out(runs):
    add(runs, "a", metrics())
    add(runs, "b", metrics(seed=1, status="stopped"))
    assert "seed 0." in page(runs)


def test_a_row_without_a_run_is_refused_and_no_page_written(runs):
    add(runs, "a", metrics())
    with pytest.raises(UsageError, match="no finished run of C1; there are runs of B3"):
        write_tables(("B3", "C1"), runs, runs.parent / "out")
    assert list((runs.parent / "out").glob("*.md")) == []


def test_no_runs_at_all_are_refused(runs):
    with pytest.raises(UsageError, match="any row; there are runs of none"):
        write_tables((), runs, runs.parent / "out")


def test_rows_are_named_in_any_case_and_a_run_of_two_rows_is_found_by_either(runs):
    add(runs, "a", metrics(row="E2+E3"))
    assert page(runs, "e3") == page(runs, "E2")


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        ({}, "name, seed, data.name"),
        (
            {**metrics(), "timing": {"epochs": 1}},
            r"\(it lacks timing.seconds_per_epoch, timing.total_seconds",
        ),
        ({**metrics(), "data": None}, "data.splits"),
    ],
)
def test_metrics_of_something_else_are_named_and_not_kept(runs, content, lacks):
    add(runs, "x", content)
    with pytest.raises(DataError, match=rf"x/metrics\.json: is no run's metrics .*{lacks}"):
        write_tables((), runs, runs.parent / "out")
    (runs / "x" / "metrics.json").unlink()
    add(runs, "a", metrics())
    assert "## direct" in page(runs)


@pytest.mark.parametrize("recipe", ["training: {seed: ", "a: 1\na: 2", "- a list", "a\x00b"])
def test_a_recipe_that_cannot_be_read_is_named(runs, recipe):
    add(runs, "a", metrics(), recipe)
    with pytest.raises(AffektError, match=r"a/recipe\.yaml"):
        write_tables((), runs, runs.parent / "out")


def test_metrics_that_cannot_be_read_are_named(runs):
    (runs / "a").mkdir()
    (runs / "a" / "metrics.json").write_text('{"name"', encoding="utf-8")
    with pytest.raises(DataError, match=r"a/metrics\.json"):
        write_tables((), runs, runs.parent / "out")


def test_with_one_label_per_text_no_threshold_is_spoken_of_and_accuracy_is_told_once(runs):
    test = {"fixed": {"accuracy": figure(0.8), "f1_micro": figure(0.8), "f1_macro": figure(0.6)}}
    single = metrics(test=test, published=[])
    single["data"] = {**single["data"], "single_label": True}
    add(runs, "a", single)
    text = page(runs)
    assert cells(text, "accuracy")[1] == "0.800"
    assert cells(text, "f1_macro")[1] == "0.600"
    assert "f1_micro" not in text
