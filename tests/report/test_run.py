import json
import re
from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from affekt.errors import DataError
from affekt.report.page import script_hash
from affekt.report.run import render, write_report
from affekt.report.style import EMOTIONS
from affekt.runs.folder import read_run
from made_runs import ATTACK, EIGHT, SIX, change_metrics
from report.pages import read_page


@pytest.fixture(params=["single", "multi"])
def report(request):
    return request.getfixturevalue(f"{request.param}_report")


def test_the_page_is_well_formed_with_one_title_and_headings_in_order(report):
    assert report.faults == []
    levels = [level for level, _ in report.headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_every_link_of_the_contents_leads_to_a_section(report):
    anchors = {attributes.get("id") for attributes in report.all("section")}
    links = [attributes["href"] for attributes in report.all("a")]
    assert len(links) >= 10
    assert {link.removeprefix("#") for link in links} == anchors


def test_the_page_fetches_nothing_and_works_offline(report):
    sources = [attributes["src"] for attributes in report.all("img")]
    assert len(sources) >= 5
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert report.all("link") == []
    assert all("src" not in attributes for attributes in report.all("script"))
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", report.source))


def test_only_the_page_s_own_script_may_run(report):
    scripts = re.findall(r"<script>(.*?)</script>", report.source, re.DOTALL)
    assert len(scripts) == 1
    (policy,) = [one["content"] for one in report.all("meta") if "http-equiv" in one]
    assert f"script-src {script_hash(scripts[0])};" in policy


def test_texts_of_users_are_shown_as_they_are_and_never_run(report):
    assert report.texts.count(ATTACK) >= 2  # as a mistake and as an example
    assert "<script>alert" not in report.source
    assert "<img src=x" not in report.source


def test_every_picture_has_a_description_and_its_size(report):
    for attributes in report.all("img"):
        assert len(attributes["alt"]) > 10
        assert int(attributes["width"]) > 100
        assert int(attributes["height"]) > 100


def test_the_page_fits_a_phone_and_tables_scroll_in_their_box(report):
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in report.all("meta")
    boxes = [one for one in report.all("div") if one.get("class") == "scroll"]
    assert len(boxes) == len(report.all("table"))
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


def test_what_was_trained_on_what_is_said(report):
    for said in (
        "all-MiniLM-L6-v2",
        "(22.7 M parameters)",
        "made-up",
        "seed 7",
        "classify",
        "22,713,216",
        "0.0003",
        "Batch size",
        "A CPU",
        "3 min 10 s",
        "1 min 1 s",
        "1,434 MB",
        f"affekt train recipes/{report.path.parent.name}.yaml --set seed=7",
    ):
        assert said in report.text, said
    assert "encoder:\n  kind: transformer" in report.text


def test_figures_stand_with_their_intervals_beside_the_published_ones_with_their_encoder(report):
    metrics = json.loads((report.path.parent / "metrics.json").read_text(encoding="utf-8"))
    for choice in metrics["test"].values():
        macro = choice["f1_macro"]
        written = [f"{macro[name]:.3f}".removeprefix("0") for name in ("value", "low", "high")]
        assert written[0] in report.text
        assert f"{written[1]} to {written[2]}" in report.texts
    assert ".462 (bert-base-uncased" in report.text
    assert ".933 (distilbert-base-uncased" in report.text


def test_a_tile_shows_the_highest_published_value_that_was_decided_in_the_same_way(multi_run):
    def change(metrics):
        metrics["published"] = [
            {"metric": "f1_macro", "value": value, "encoder": encoder, "thresholds": thresholds}
            for value, encoder, thresholds in [
                (0.6, "a", "fixed"),
                (0.4, "b", "fitted"),
                (0.5, "c", "fitted"),
            ]
        ]
        for way, value in better.items():
            metrics["dev"][way]["f1_macro"] = {"value": value}

    better = {"fixed": 0.3, "fitted": 0.4}
    change_metrics(multi_run, change)
    page = _page(multi_run)
    assert [text for text in page.texts if text.startswith("published")] == ["published .500 (c)"]
    better = {"fixed": 0.5, "fitted": 0.4}
    change_metrics(multi_run, change)
    page = _page(multi_run)
    assert [text for text in page.texts if text.startswith("published")] == ["published .600 (a)"]
    assert ".600 (a, thresholds fixed)" in page.texts


def test_published_figures_of_the_space_stand_beside_it(multi_run):
    def change(metrics):
        metrics["published"] = [{"metric": "map_at_r", "value": 0.125, "encoder": "a", "source": "b"}]

    change_metrics(multi_run, change)
    assert ".125 (a, b)" in _page(multi_run).texts


def test_warnings_and_skipped_rows_are_prominent(report):
    assert "collapse watch: dev predictions use 2 of the labels; try a lower learning rate." in report.texts
    assert report.source.index("collapse watch") < report.source.index("<h2>")
    assert "1 skipped row" in report.texts
    assert "train.csv:14" in report.texts


def test_every_label_has_its_row_and_columns_sort_by_numbers(report):
    labels = EIGHT if "multi" in str(report.path) else SIX
    (at,) = [
        i
        for i, (tag, one) in enumerate(report.elements)
        if tag == "table" and "sortable" in (one.get("class") or "")
    ]
    rows = [one for tag, one in report.elements[at:] if tag == "th" and one.get("scope") == "row"][
        : len(labels)
    ]
    assert len(rows) == len(labels)
    assert set(labels) <= set(report.texts)
    heads = [one for tag, one in report.elements[at:] if tag == "th" and one.get("scope") == "col"]
    assert sum(one.get("aria-sort") == "descending" for one in heads) == 1


def test_counts_are_whole_even_where_training_wrote_them_with_a_point(single_run):
    def change(metrics):
        for split in metrics["data"]["splits"].values():
            split["label_counts"] = {name: float(count) for name, count in split["label_counts"].items()}

    change_metrics(single_run, change)
    page = read_page(write_report(single_run))
    (said,) = [one["alt"] for one in page.all("img") if one["alt"].startswith("Class distribution")]
    assert ".0" not in said


def test_a_label_has_its_colour_in_table_and_bars(single_report):
    for label in ("joy", "anger", "fear"):
        assert single_report.source.count(f"background:{EMOTIONS[label][0]}") >= 3


def test_a_run_with_one_label_per_text_has_a_confusion_matrix_and_no_thresholds(single_report):
    folder = single_report.path.parent
    assert (folder / "confusion.png").exists()
    assert not (folder / "cooccurrence.png").exists()
    assert not (folder / "thresholds.png").exists()
    assert "Most often confused:" in single_report.text
    assert "the likeliest label" in single_report.text
    assert "Threshold" not in single_report.text


def test_a_run_with_several_labels_has_cooccurrence_thresholds_and_missed_labels(multi_report):
    folder = multi_report.path.parent
    assert (folder / "cooccurrence.png").exists()
    assert (folder / "thresholds.png").exists()
    assert not (folder / "confusion.png").exists()
    assert "one threshold for each label, fitted" in multi_report.text
    assert "Most firmly missed labels" in multi_report.texts
    assert "F1, thresholds fitted on dev" in multi_report.texts  # since .5 did better on dev
    assert "Decided by: thresholds at .5." in multi_report.text
    assert "Jaccard counts a text with no true and no predicted label as 1" in multi_report.text


def test_calibration_is_shown_before_and_after(single_report):
    metrics = json.loads((single_report.path.parent / "metrics.json").read_text(encoding="utf-8"))
    for stage in ("before", "after"):
        assert f"{metrics['calibration'][stage]['ece']:.4f}" in single_report.texts
        assert f"{metrics['calibration'][stage]['brier']:.4f}" in single_report.texts
    assert f"{1 / 0.7:.3f}" in single_report.texts  # the temperature


def test_a_stage_of_calibration_without_a_number_has_a_dash(single_run):
    change_metrics(single_run, lambda metrics: metrics["calibration"]["after"].update(ece={"a": 1}))
    page = _page(single_run)
    at = page.texts.index("Calibration error (ECE)")
    assert page.texts[at + 2] == "–"


def test_mistakes_come_from_dev_so_that_test_stays_unread(single_report):
    assert "They come from dev" in single_report.text
    table = pq.read_table(single_report.path.parent / "predictions.parquet").to_pydict()
    wrong = [
        (max(probabilities), text)
        for split, text, targets, predicted, probabilities in zip(
            *(table[name] for name in ("split", "text", "targets", "predicted", "probabilities")), strict=True
        )
        if split == "dev" and targets.index(1.0) != predicted.index(True)
    ]
    shown = [text for text in single_report.texts if text in {text for _, text in wrong}]
    expected = [text for _, text in sorted(wrong, key=lambda one: -one[0])[:20]]
    assert shown[: len(expected)] == expected


def test_examples_are_bars(single_report):
    assert "I watched a movie last night, it was quite brilliant" in single_report.texts
    assert "90.0%" in single_report.texts
    assert (single_report.path.parent / "example.png").exists()


def test_an_example_s_words_are_marked_with_what_they_carry(single_report):
    label = single_report.texts[single_report.texts.index("happy") + 1].strip("()")
    [mark] = single_report.all("mark")
    assert mark["title"] == f"{label}: 31 points less without it"
    assert "so happy" in re.sub(r"<.*?>", "", single_report.source)


def test_pictures_lie_beside_the_page_and_nothing_half_written_stays(report):
    names = sorted(path.name for path in report.path.parent.iterdir())
    assert not [name for name in names if name.startswith(".")]
    assert {"class_distribution.png", "learning_curves.png", "reliability.png", "figures.png"} <= set(names)
    assert "risk_coverage.png" in names
    assert "How sure is sure enough" in report.texts


def _page(run):
    """The page without its pictures, which take the time."""
    path = run / "page.html"
    path.write_text(render(read_run(run), {}), encoding="utf-8")
    return read_page(path)


def _only(run, *, keep):
    change_metrics(run, lambda metrics: [metrics.pop(name) for name in list(metrics) if name not in keep])


def test_a_run_that_knows_almost_nothing_still_has_a_page(single_run):
    _only(single_run, keep=("format",))
    for name in ("recipe.yaml", "history.jsonl", "predictions.parquet"):
        (single_run / name).unlink()
    page = read_page(write_report(single_run))
    assert page.faults == []
    assert page.headings[0] == (1, "single")
    assert sorted(path.name for path in single_run.iterdir()) == ["metrics.json", "report.html"]


@pytest.mark.parametrize(
    ("opens_in", "said"),
    [
        (["affekt", "transformers"], "affekt, transformers"),
        (["affekt"], "affekt; not in plain transformers"),
    ],
)
def test_a_page_says_what_opens_the_model(single_run, opens_in, said):
    (single_run / "model").mkdir()
    (single_run / "model" / "affekt.json").write_text(json.dumps({"opens_in": opens_in}))
    assert said in _page(single_run).texts


@pytest.mark.parametrize("card", [None, {}, {"opens_in": None}, {"opens_in": 1}])
def test_a_model_that_is_gone_or_of_an_earlier_version_says_nothing_of_it(single_run, card):
    if card is not None:
        (single_run / "model").mkdir()
        (single_run / "model" / "affekt.json").write_text(json.dumps(card))
    assert "The model opens in" not in _page(single_run).texts


def test_an_unlabelled_run_says_so(single_run):
    _only(single_run, keep=("data", "encoder", "timing", "clustering"))
    change_metrics(single_run, lambda m: m["data"].update(labels=[], splits={"train": {"n": 12}}))
    page = _page(single_run)
    assert "unlabelled" in page.text
    assert "12" in page.texts
    assert "The space" in page.texts
    assert "Label by label" not in page.texts


def test_without_a_test_split_dev_figures_are_shown_and_said_to_flatter(multi_run):
    change_metrics(multi_run, lambda metrics: metrics.pop("test"))
    path = multi_run / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 160), path)
    page = _page(multi_run)
    assert "There is no test split" in page.text
    assert "On 160 dev texts" in page.text


def test_an_unfinished_run_is_marked(single_run):
    change_metrics(single_run, lambda metrics: metrics.update(status="stopped"))
    assert "This run is not complete (status: stopped)" in _page(single_run).text


def test_a_run_without_mistakes_says_so(single_run):
    path = single_run / "predictions.parquet"
    table = pq.read_table(path)
    right = [[value > 0.5 for value in row] for row in table["targets"].to_pylist()]
    at = table.column_names.index("predicted")
    pq.write_table(table.set_column(at, "predicted", [right]), path)
    assert "No label was wrongly given." in _page(single_run).texts


def test_names_and_settings_of_users_are_escaped_too(single_run):
    def change(metrics):
        metrics.update(name=ATTACK, command=ATTACK, objective={ATTACK: ATTACK}, warnings=[ATTACK])
        metrics["encoder"]["name"] = ATTACK
        metrics["published"] = [{"metric": "accuracy", "value": 0.9, "encoder": ATTACK, "source": ATTACK}]
        metrics["data"]["skipped"] = [{"where": ATTACK, "reason": ATTACK}]

    change_metrics(single_run, change)
    (single_run / "recipe.yaml").write_text(ATTACK, encoding="utf-8")
    page = _page(single_run)
    assert page.faults == []
    assert "<script>alert" not in page.source
    assert "<img src=x" not in page.source


def test_two_reports_of_one_run_are_the_same_bytes(single_run, single_report):
    assert write_report(single_run).read_text(encoding="utf-8") == single_report.source


def test_a_folder_that_is_no_run_is_a_fault_of_the_user_and_stays_as_it_was(tmp_path):
    with pytest.raises(DataError, match="no finished run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
