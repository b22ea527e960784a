"""Comparisons as tables: what stands in them, and how they are written."""

import csv
import io

import pytest

from affekt.report.compared import compare_runs
from affekt.report.tables import csv_text, latex, markdown, tables_of
from made_runs import EIGHT, change_metrics, make_run


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, seed, noise in (("good", 1, 1.0), ("poor", 2, 3.0), ("same", 1, 1.0)):
        make_run(folder / name, EIGHT, single_label=False, seed=seed, noise=noise)
        change_metrics(folder / name, lambda metrics, name=name: metrics.update(name=name))
    (folder / "poor" / "recipe.yaml").write_text("name: other\n")
    return folder


def compared(folders, *names):
    return compare_runs([folders / name for name in names])


def row(table, key):
    return next(one for one in table.rows if one.key == key)


def test_each_run_s_figures_stand_beside_the_verdict_of_the_paired_test(folders):
    tables = tables_of(compared(folders, "good", "poor"))
    tested = [table for table in tables if table.is_tested]
    assert len(tested) == 1  # what the runs decide by
    assert tested[0].heads == ["figure", "verdict", "good", "poor"]
    one = row(tested[0], "f1_macro")
    assert (one.verdict, one.better) == ("good is better", (0,))
    assert one.values[0] > one.values[1]
    assert row(tested[0], "hamming").verdict == ""


def test_bold_is_what_the_test_supports_and_nothing_else(folders):
    assert "| Macro F1 | good is better | **" in markdown(tables_of(compared(folders, "good", "poor")))
    assert r"\textbf{" in latex(tables_of(compared(folders, "good", "poor")))
    alike = tables_of(compared(folders, "good", "same"))
    assert "no clear difference" in markdown(alike)
    assert "| **" not in markdown(alike)
    assert r"\textbf{" not in latex(alike)


def test_seeds_of_one_recipe_have_mean_and_range(folders):
    def seeded(metrics):
        metrics["seed"] = 5
        metrics["test"]["fixed"]["accuracy"]["value"] = 0.25

    assert not [table for table in tables_of(compared(folders, "good", "poor")) if "seeds" in table.heading]
    change_metrics(folders / "same", seeded)
    runs = compared(folders, "good", "same", "poor")
    over = next(table for table in tables_of(runs) if "mean and range over seeds" in table.heading)
    assert list(over.columns) == ["good, seeds 1, 5"]
    accuracy = runs.runs["good"].metrics["test"]["fixed"]["accuracy"]["value"]
    [value] = row(over, "accuracy").values
    assert value == pytest.approx(((accuracy + 0.25) / 2, 0.25, accuracy))


def test_seeds_judged_on_other_texts_have_no_range(folders):
    change_metrics(folders / "same", lambda metrics: metrics.update(seed=5))
    change_metrics(folders / "same", lambda metrics: metrics["data"].update(digest="test:ffff"))
    tables = tables_of(compared(folders, "good", "same"))
    assert not [table for table in tables if "seeds" in table.heading]


def test_signs_that_mean_something_in_latex_and_markdown_are_escaped(folders):
    change_metrics(folders / "poor", lambda metrics: metrics.update(name="50% a_b|c"))
    tables = tables_of(compared(folders, "good", "poor"))
    assert r"50\% a\_b|c" in latex(tables)
    assert r"50% a_b\|c" in markdown(tables)
    lines = [line for line in markdown(tables).splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in lines}) <= 2  # with verdicts, and without


def test_csv_has_a_line_for_each_figure_of_each_run_in_full_precision(folders):
    runs = compared(folders, "good", "same")
    lines = list(csv.DictReader(io.StringIO(csv_text(tables_of(runs)))))
    [one] = [
        line
        for line in lines
        if (line["figure"], line["run"], line["verdict"] != "") == ("f1_macro", "good", True)
    ]
    figures = runs.runs["good"].metrics["test"]
    way = "fitted" if "fitted" in figures else "fixed"
    assert {key: float(one[key]) for key in ("value", "low", "high")} == figures[way]["f1_macro"]
