"""The page on which spaces stand beside each other."""

import pytest

from affekt.studies.spaces import write_spaces


def run(name="plain", *, seed=0, data="posts", n=40, f1=None, objective=None, **space):
    found = {
        "name": name,
        "row": "A1",
        "seed": seed,
        "data": {"name": data, "splits": {"test": {"n": 90}}},
        "encoder": {"name": "tiny"},
        "timing": {"epochs": 3},
        "objective": objective or {"kind": "classify"},
        "clustering": {"n": n, "dimension": 8, "ami": space.pop("ami", 0.5), "v_measure": 0.375},
        "space_shift": space,
    }
    return found | ({"test": {"fixed": {"f1_macro": {"value": f1}}}} if f1 is not None else {})


def table(runs, tmp_path):
    lines = write_spaces(runs, tmp_path).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line[:1] == "|"]
    return lines, rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_spaces_of_the_same_texts_are_lines_of_one_table_the_best_groups_first(tmp_path):
    runs = [run("loose", ami=0.2), run("tight", ami=0.4, seed=1, f1=0.5), run("tight", ami=0.6, f1=0.7)]
    lines, _, rows = table(runs, tmp_path)
    assert "## posts, test split, n = 40" in lines
    assert [(row["recipe"], row["seeds"], row["AMI"], row["macro-F1"]) for row in rows] == [
        ("tight", "0, 1", "0.500", "0.600"),
        ("loose", "0", "0.200", ""),
    ]
    assert {(row["dimension"], row["epochs"]) for row in rows} == {("8", "3")}
    assert {row["V-measure"] for row in rows} == {"0.375"}
    assert {row["silhouette"] for row in rows} == {""}


def test_runs_of_several_strengths_of_preservation_are_told_apart(tmp_path):
    retrofit = {"kind": "retrofit", "preservation": 0.5}
    runs = [run(ami=0.1), run("near", objective=retrofit, mean_squared_difference=0.01234)]
    _, _, rows = table(runs, tmp_path)
    assert [(row["recipe"], row["Δemb"]) for row in rows] == [("near, λ = 0.5", "0.0123"), ("plain", "")]


def test_runs_of_the_label_aware_loss_are_told_apart_by_balance_and_temperature(tmp_path):
    kinds = [{"kind": "label-aware", "balance": 0.5, "temperature": t} for t in (0.3, 0.1)]
    runs = [run("aware", objective=kind, ami=0.1 + i) for i, kind in enumerate(kinds)]
    runs = [{**one, "settings": str(i)} for i, one in enumerate(runs)]
    _, _, rows = table(runs, tmp_path)
    assert [row["recipe"] for row in rows] == ["aware, λ = 0.5, τ = 0.1", "aware, λ = 0.5, τ = 0.3"]


def test_runs_of_the_supervised_contrastive_loss_are_told_apart_by_their_views(tmp_path):
    kinds = [
        {"kind": "supervised-contrastive", "contrastive": 0.3, "views": view} for view in ("one", "dropout")
    ]
    runs = [{**run("joint", objective=kind), "settings": kind["views"]} for kind in kinds]
    _, _, rows = table(runs, tmp_path)
    said = {row["recipe"] for row in rows}
    assert said == {"joint, weight = 0.3, views = one", "joint, weight = 0.3, views = dropout"}


@pytest.mark.parametrize(
    "runs",
    [[], [run()], [run(), run("other", n=41)], [run(), run("other", data="others")]],
    ids=["none", "one", "other rows", "other data"],
)
def test_what_stands_alone_is_not_set_beside_anything(runs, tmp_path):
    assert write_spaces(runs, tmp_path) is None
    assert not (tmp_path / "spaces.md").exists()


def test_spaces_of_other_texts_of_the_same_size_stand_in_a_table_of_their_own(tmp_path):
    runs = []
    for name, texts in (("one", "aaaa"), ("two", "aaaa"), ("three", "bbbb"), ("four", "bbbb")):
        runs.append(run(name))
        runs[-1]["data"]["digest"] = f"dev:cccc-test:{texts}-train:{name}"
    lines = write_spaces(runs, tmp_path).read_text(encoding="utf-8").splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [
        f"## posts, test split, n = 40 (texts {texts}: not to be compared with others)"
        for texts in ("aaaa", "bbbb")
    ]
