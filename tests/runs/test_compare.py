import numpy as np
import pyarrow.parquet as pq
import pytest

from affekt.evaluation import classification
from affekt.runs.compare import differences, disagreements, label_differences, pair
from affekt.runs.folder import read_run
from made_runs import EIGHT, make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    good = make_run(folder / "good", EIGHT, single_label=False, seed=1, noise=1.0)
    poor = make_run(folder / "poor", EIGHT, single_label=False, seed=2, noise=3.0)
    return read_run(good), read_run(poor)


def test_rows_are_paired_by_id_and_text_whatever_their_order(runs, tmp_path):
    good, poor = runs
    table = pq.read_table(poor.path / "predictions.parquet")
    moved = make_run(tmp_path / "moved", EIGHT, single_label=False, seed=2, noise=3.0)
    order = np.random.default_rng(0).permutation(table.num_rows)[:-7]
    pq.write_table(table.take(order), moved / "predictions.parquet")
    found = pair(good, read_run(moved), "test")
    assert 150 < len(found.first.texts) < 160
    assert found.first.texts == found.second.texts
    np.testing.assert_array_equal(found.first.true, found.second.true)
    at = {text: row for row, text in enumerate(poor.predictions["test"].texts)}
    expected = poor.predictions["test"].probabilities[[at[text] for text in found.second.texts]]
    np.testing.assert_array_equal(found.second.probabilities, expected)


def test_runs_without_shared_rows_or_with_other_labels_are_no_pair(runs, single_run):
    good, poor = runs
    assert pair(good, poor, "train") is None
    assert pair(good, read_run(single_run), "test") is None


def test_the_difference_is_second_less_first_and_clear_for_a_run_much_worse(runs):
    good, poor = runs
    found = differences(pair(good, poor, "test"))
    for metric, one in found.items():
        values = [
            classification(run.predictions["test"].true, run.predictions["test"].predicted.astype(float))[
                metric
            ]
            for run in (poor, good)
        ]
        assert one["difference"] == pytest.approx(values[0] - values[1])
        assert one["low"] <= one["difference"] <= one["high"] < 0


def test_a_run_against_itself_differs_nowhere(runs):
    found = pair(runs[0], runs[0], "test")
    assert all(one["low"] == one["high"] == 0 for one in differences(found).values())
    assert not any(one.is_clear for one in label_differences(found))
    assert disagreements(found) == []


def test_label_differences_are_those_of_each_label_s_f1(runs):
    of = pair(*runs, "test")
    first, second = (
        classification(of.first.true, part.predicted.astype(float), labels=EIGHT)["per_label"]
        for part in (of.first, of.second)
    )
    found = label_differences(of)
    assert [one.label for one in found] == EIGHT
    for one in found:
        assert one.first == pytest.approx(first[one.label]["f1"])
        assert one.second == pytest.approx(second[one.label]["f1"])
        assert one.low <= one.second - one.first <= one.high


def test_disagreements_are_the_widest_gaps_each_row_once(runs):
    of = pair(*runs, "dev")
    gap = np.abs(of.first.probabilities - of.second.probabilities)
    found = disagreements(of, most=15)
    assert len({row for row, _ in found}) == 15
    assert [gap[place] for place in found] == sorted(
        (gap[row].max() for row in range(len(gap))), reverse=True
    )[:15]
