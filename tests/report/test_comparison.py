import pytest

from affekt.errors import DataError, UsageError
from affekt.report.comparison import write_comparison
from report.conftest import ATTACK, EIGHT, change_metrics, make_run
from report.pages import read_page


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    noise = {"good": 1.0, "poor": 3.0, "third": 2.0}
    return {
        name: make_run(folder / name, EIGHT, single_label=False, seed=seed, noise=amount)
        for seed, (name, amount) in enumerate(noise.items(), start=1)
    }


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "comparison.html"
    return read_page(write_comparison([runs["good"], runs["poor"]], out))


def test_the_page_is_well_formed_offline_and_alone_in_its_folder(page):
    assert page.faults == []
    assert page.all("link") == []
    assert all(one["src"].startswith("data:") for one in page.all("img"))
    assert [path.name for path in page.path.parent.iterdir()] == ["comparison.html"]


def test_figures_stand_side_by_side_and_the_better_is_bold(page):
    assert [text for level, text in page.headings if level == 2] == [
        "The runs",
        "Figures",
        "Differences",
        "Who wins which label",
        "Where they differ most",
    ]
    assert "Thresholds at .5" in page.texts
    assert "Thresholds fitted on dev" in page.texts
    assert any("best" in (one.get("class") or "") for one in page.all("td"))


def test_a_clear_difference_is_called_one(page):
    assert "good is better" in page.texts
    assert "poor is better" not in page.texts
    assert "160 test texts that both predicted" in page.text
    assert "of 8 labels good wins" in page.text.lower()


def test_rows_that_differ_most_come_from_dev_and_are_escaped(page):
    assert "The dev texts for which" in page.text
    assert "<script>alert" not in page.source


def test_the_same_run_twice_has_no_clear_difference(runs, tmp_path):
    page = read_page(write_comparison([runs["good"], runs["good"]], tmp_path / "c.html"))
    assert page.texts.count("no clear difference") == 4
    assert "good (1)" in page.texts
    assert "They give every text the same probabilities." in page.texts


def test_three_runs_are_each_set_against_the_first(runs, tmp_path):
    page = read_page(write_comparison(list(runs.values()), tmp_path / "c.html"))
    headings = [text for _, text in page.headings]
    assert "Differences: poor" in headings
    assert "Differences: third" in headings
    anchors = [one["id"] for one in page.all("section")]
    assert len(set(anchors)) == len(anchors)


def test_runs_with_other_labels_are_shown_but_not_paired(runs, single_run, tmp_path):
    page = read_page(write_comparison([runs["good"], single_run], tmp_path / "c.html"))
    assert "different labels" in page.text
    assert "nothing can be paired" in page.text


def test_names_of_users_are_escaped(runs, single_run, multi_run, tmp_path):
    change_metrics(multi_run, lambda metrics: metrics.update(name=ATTACK))
    page = read_page(write_comparison([multi_run, runs["good"]], tmp_path / "c.html"))
    assert page.faults == []
    assert "<script>alert" not in page.source


def test_one_run_or_a_folder_that_is_none_is_refused(runs, tmp_path):
    with pytest.raises(UsageError, match="at least two"):
        write_comparison([runs["good"]], tmp_path / "c.html")
    with pytest.raises(DataError, match="no finished run"):
        write_comparison([runs["good"], tmp_path], tmp_path / "c.html")
    assert list(tmp_path.iterdir()) == []
