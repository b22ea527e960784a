"""The page of a transfer study, and the curves on it."""

import struct

import pytest

from affekt.report import plots
from affekt.report.transfer import figure_name, way_name, write_transfer
from report.pages import read_page


def figure(value, sd=None):
    return {"value": value, "low": value - 0.02, "high": value + 0.03, "sd": sd}


def result(model, way, value, rows=None, difference=None, **about):
    setting = {} if rows is None else {"rows_per_label": rows}
    runs = 1 if rows is None else 10
    figures = dict.fromkeys(("f1", "accuracy"), figure(value, 0.01 if rows else None))
    found = {"data": "irony <b>", "model": model, "way": way, "setting": setting, "runs": runs, "n": 784}
    found |= {"figures": figures, "about": [about] * runs}
    return found if difference is None else found | {"difference": dict.fromkeys(figures, difference)}


@pytest.fixture
def content():
    task = {
        "n": {"train": 2862, "dev": 955, "test": 784},
        "labels": ["non_irony", "irony"],
        "single_label": True,
    }
    task |= {"figure": "f1", "figure_label": "irony"}
    clear = {"value": 0.05, "low": 0.01, "high": 0.09}
    unclear = {"value": -0.01, "low": -0.03, "high": 0.02}
    results = [
        result("plain", "knn", 0.6),
        result("emotional", "knn", 0.65, difference=clear),
        *(result("plain", "probe", 0.4 + rows / 100, rows) for rows in (2, 16)),
        *(result("emotional", "probe", 0.39 + rows / 100, rows, unclear) for rows in (2, 16)),
        result("emotional", "mapped", 0.5, left_out=["boredom"]),
    ]
    models = {"plain": {"from": "plain", "dimension": 384, "labels": 0}}
    models["emotional"] = {"from": "runs/<x>", "dimension": 384, "labels": 28}
    plan = {"draws": 10, "seeds": [0, 1], "limit": 1000, "few_shot": "few-shot", "fine_tune": "fine-tune"}
    return {
        "models": models,
        "data": {"irony <b>": task},
        "results": results,
        "plan": plan,
        "hardware": {"cpu": "a processor", "threads": 2},
        "command": "affekt transfer irony",
        "affekt": "0.1.0",
    }


def test_the_page_sets_models_side_by_side_and_says_what_figures_are_of(content, tmp_path):
    write_transfer(content, tmp_path / "transfer.html")
    page = read_page(tmp_path / "transfer.html")
    assert page.faults == []
    assert (2, "irony <b>") in page.headings
    said = " ".join(page.text.split())
    assert "It is judged by: F1 of irony." in said
    assert "784 of test" in said
    assert ".650 .630 to .680 +.050 (+.010 to +.090)" in said
    assert "probe, frozen, 16 per label" in said
    assert "sd .010" in said
    assert "texts of boredom are left out" in said
    assert "on 1,000 training texts at most" in said
    assert len(page.all("img")) == 1


def test_only_what_is_clearly_better_is_bold(content, tmp_path):
    write_transfer(content, tmp_path / "transfer.html")
    cells = [cell.get("class") for cell in read_page(tmp_path / "transfer.html").all("td")]
    assert cells.count("number best") == 2  # of knn, in the tables of both figures


def test_without_several_numbers_of_rows_there_is_no_curve(content, tmp_path):
    content["results"] = [one for one in content["results"] if one["setting"].get("rows_per_label") != 2]
    content["models"].pop("plain")
    write_transfer(content, tmp_path / "transfer.html")
    assert read_page(tmp_path / "transfer.html").all("img") == []


def test_names_of_rows_and_figures(content):
    assert way_name(result("m", "few-shot", 0.5, 8)) == "few-shot, tuned, 8 per label"
    assert way_name(result("m", "fine-tune", 0.5)) == "fine-tuned"
    assert figure_name({"figure": "recall_macro", "figure_label": ""}) == "Macro recall"


def test_curves_are_drawn_over_any_numbers_of_rows(tmp_path):
    curves = {"one": {2: (0.3, 0.2, 0.4), 64: (0.7, 0.65, 0.75)}, "$other$": {8: (0.5, 0.5, 0.5)}}
    plots.value_curves(curves, tmp_path / "curves.png", "Macro F1", "rows of each label")
    width, height = struct.unpack(">II", (tmp_path / "curves.png").read_bytes()[16:24])
    assert width > 600
    assert height > 400
