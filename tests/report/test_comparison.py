import shutil
from pathlib import Path

import pytest

from affekt.errors import DataError, UsageError
from affekt.report import compared
from affekt.report.compared import compare_runs, comparison_figures
from affekt.report.comparison import write_comparison
from made_runs import ATTACK, EIGHT, change_metrics, make_run
from report.pages import read_page


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    noise = {"good": 1.0, "poor": 3.0, "third": 2.0}
    return {
        name: make_run(folder / name, EIGHT, single_label=False, seed=seed, noise=amount)
        for seed, (name, amount) in enumerate(noise.items(), start=1)
    }


def page_of(runs, out):
    """The page of several runs."""
    write_comparison(compare_runs(runs), out)
    return read_page(out)


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "comparison.html"
    return page_of([runs["good"], runs["poor"]], out)


def test_the_page_is_well_formed_offline_and_alone_in_its_folder(page):
    assert page.faults == []
    assert page.all("link") == []
    assert all(one["src"].startswith("data:") for one in page.all("img"))
    assert [path.name for path in page.path.parent.iterdir()] == ["comparison.html"]


def test_differences_come_first_then_figures_side_by_side(page):
    assert [text for level, text in page.headings if level == 2] == [
        "Differences",
        "Who wins which label",
        "Where they differ most",
        "Figures",
        "The space",
        "The runs",
    ]
    assert "Thresholds at .5" in page.texts
    assert "Thresholds fitted on dev" in page.texts


def test_the_verdict_is_said_first_in_words_and_in_the_first_column(page):
    assert page.texts[page.texts.index("Runs compared", 1) + 1].startswith(
        "poor against good: good is better on"
    )
    for name in ("Macro F1", "Micro F1", "Jaccard", "Accuracy"):
        assert page.texts[page.texts.index(name) + 1] == "good is better"


@pytest.mark.parametrize("best", ["fixed", "fitted"])
def test_the_decisions_that_do_best_on_dev_in_the_first_run_come_first(runs, tmp_path, best):
    def change(metrics):
        for way in ("fixed", "fitted"):
            metrics["dev"][way]["f1_macro"] = {"value": 0.9 if way == best else 0.1}

    first = shutil.copytree(runs["good"], tmp_path / "good")
    change_metrics(first, change)
    texts = page_of([first, runs["poor"]], tmp_path / "page.html").texts
    plain, fitted = texts.index("Thresholds at .5"), texts.index("Thresholds fitted on dev")
    assert (plain < fitted) == (best == "fixed")


def bold(page):
    """How many figures of runs are bold, without those of labels."""
    return sum(one.get("class") == "number best" and "data-key" not in one for one in page.all("td"))


def test_only_what_the_paired_test_supports_is_bold(page, runs, tmp_path):
    assert bold(page) == 4  # the four figures tested, of the choice that the runs decide by
    assert bold(page_of([runs["good"], runs["good"]], tmp_path / "same.html")) == 0
    several = page_of(list(runs.values()), tmp_path / "three.html")
    assert "good is better" in several.texts
    labels = page_of([runs["poor"], runs["third"]], tmp_path / "near.html").source
    assert labels.count(" best") <= labels.count("(clearly)") + labels.count("is better") * 2


def test_a_clear_difference_is_called_one(page):
    assert "good is better" in page.texts
    assert "poor is better" not in page.texts
    assert "160 test texts that both predicted" in page.text
    assert "of 8 labels good wins" in page.text.lower()


def test_rows_that_differ_most_come_from_dev_and_are_escaped(page):
    assert "The dev texts for which" in page.text
    assert "<script>alert" not in page.source


def test_the_same_run_twice_has_no_clear_difference(runs, tmp_path):
    page = page_of([runs["good"], runs["good"]], tmp_path / "c.html")
    assert page.texts.count("no clear difference") == 8  # of the differences, and beside the figures
    assert "good (1)" in page.texts
    assert "They give every text the same probabilities." in page.texts


def test_three_runs_are_each_set_against_the_first(runs, tmp_path):
    page = page_of(list(runs.values()), tmp_path / "c.html")
    headings = [text for _, text in page.headings]
    assert "Differences: poor" in headings
    assert "Differences: third" in headings
    anchors = [one["id"] for one in page.all("section")]
    assert len(set(anchors)) == len(anchors)


def test_runs_with_other_labels_are_shown_but_not_paired(runs, single_run, tmp_path):
    page = page_of([runs["good"], single_run], tmp_path / "c.html")
    assert "different labels" in page.text
    assert "nothing can be paired" in page.text


def test_runs_judged_on_other_texts_are_said_to_be(runs, multi_run, tmp_path):
    def drawn_anew(metrics):
        metrics["data"]["digest"] = "dev:aa-test:bb-train:cc"

    change_metrics(multi_run, drawn_anew)
    page = page_of([runs["good"], multi_run], tmp_path / "c.html")
    assert "judged on different texts" in page.text
    change_metrics(multi_run, lambda metrics: metrics["data"].update(digest="ab" * 32))
    assert "judged on different texts" not in page_of([runs["good"], multi_run], tmp_path / "c.html").text


def test_names_of_users_are_escaped(runs, single_run, multi_run, tmp_path):
    change_metrics(multi_run, lambda metrics: metrics.update(name=ATTACK))
    page = page_of([multi_run, runs["good"]], tmp_path / "c.html")
    assert page.faults == []
    assert "<script>alert" not in page.source


def test_one_run_or_a_folder_that_is_none_is_refused(runs, tmp_path):
    with pytest.raises(UsageError, match="at least two"):
        compare_runs([runs["good"]])
    with pytest.raises(DataError, match="no finished run"):
        compare_runs([runs["good"], tmp_path])


def test_every_difference_is_drawn_once_for_page_and_figures(runs, tmp_path, monkeypatch):
    drawn = []
    for name in ("differences", "label_differences"):
        stock = getattr(compared, name)
        monkeypatch.setattr(compared, name, lambda of, stock=stock: drawn.append(stock) or stock(of))
    found = compare_runs([runs["good"], runs["poor"]])
    write_comparison(found, tmp_path / "c.html")
    comparison_figures(found)
    assert len(drawn) == 2


# --- runs without a classifier, such as retrofitted encoders


@pytest.fixture
def encoders(runs, tmp_path):
    """Two runs that have figures of their spaces alone."""
    folders = []
    for name, ami in (("near", 0.25), ("far", 0.5)):
        folder = Path(shutil.copytree(runs["good"], tmp_path / name))
        (folder / "predictions.parquet").unlink()
        space = {"n": 382, "dimension": 12, "ami": ami, "clusters": 8, "davies_bouldin": 1.0 + ami}
        shift = {"mean_squared_difference": ami / 10, "n": 160}
        retrieval = {"map_at_r": 0.125, "n": 381}

        def change(metrics, space=space, shift=shift, retrieval=retrieval, name=name):
            for key in ("test", "dev", "per_label", "calibration", "decisions"):
                metrics[key] = None
            metrics |= {"name": name, "clustering": space, "space_shift": shift, "retrieval": retrieval}
            metrics["overlap_retrieval"] = {"map_at_r": 0.5, "n": 900}

        change_metrics(folder, change)
        folders.append(folder)
    return folders


def test_figures_of_spaces_are_given_by_name(encoders):
    found = comparison_figures(compare_runs(encoders))
    assert found["runs"]["far"]["split"] == "test"
    space = found["runs"]["far"]["space"]
    assert (space["n"], space["dimension"], space["ami"], space["map_at_r"]) == (382, 12, 0.5, 0.125)
    assert (space["mean_squared_difference"], space["overlap_map_at_r"]) == (0.05, 0.5)
    assert found["differences"] == {"far": None}


def test_spaces_stand_side_by_side_with_rows_and_dimensions(encoders, tmp_path):
    page = page_of(encoders, tmp_path / "c.html")
    assert page.faults == []
    assert "The space" in [text for level, text in page.headings if level == 2]
    shown = page.texts[page.texts.index("Rows") :]
    assert shown[:6] == ["Rows", "382", "382", "Dimensions", "12", "12"]
    at = shown.index("Adjusted mutual information")
    assert shown[at : at + 3] == ["Adjusted mutual information", ".250", ".500"]
    assert shown[shown.index("MAP@R") + 1] == ".125"
    assert shown[shown.index("MAP@R, any shared label") + 1] == ".500"
