import numpy as np
import pytest

from affekt.report.statistics import raw_probabilities, shares, wrongly_given, wrongly_missed

TRUE = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)
PREDICTED = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool)
PROBABILITIES = np.array([[0.9, 0.2, 0.1], [0.3, 0.7, 0.1], [0.1, 0.8, 0.6], [0.8, 0.05, 0.95]])


def test_shares_are_those_of_a_plain_loop_and_nan_for_labels_no_row_holds():
    found = shares(TRUE, PREDICTED)
    for i in range(3):
        rows = [row for row in range(4) if TRUE[row, i]]
        for j in range(3):
            if rows:
                assert found[i, j] == sum(PREDICTED[row, j] for row in rows) / len(rows)
            else:
                assert np.isnan(found[i, j])


def test_rows_of_a_confusion_matrix_sum_to_one():
    rng = np.random.default_rng(0)
    true, predicted = (np.eye(5, dtype=bool)[rng.integers(0, 5, 200)] for _ in range(2))
    np.testing.assert_allclose(shares(true, predicted).sum(axis=1), 1)


def test_raw_probabilities_are_softmax_or_sigmoid_and_survive_large_logits():
    logits = np.array([[1000.0, 0.0, -1000.0], [0.5, -0.5, 2.0]])
    one = raw_probabilities(logits, single_label=True)
    np.testing.assert_allclose(one[0], [1, 0, 0])
    np.testing.assert_allclose(one[1], np.exp(logits[1]) / np.exp(logits[1]).sum())
    several = raw_probabilities(logits, single_label=False)
    np.testing.assert_allclose(several[0], [1, 0.5, 0])
    np.testing.assert_allclose(several[1], 1 / (1 + np.exp(-logits[1])))


def test_wrongly_given_labels_come_surest_first_each_row_once():
    found = wrongly_given(TRUE, PREDICTED, PROBABILITIES, 10)
    assert [(one.row, one.label, one.probability) for one in found] == [
        (3, 2, 0.95),
        (1, 1, 0.7),
        (2, 2, 0.6),
    ]
    assert [one.row for one in wrongly_given(TRUE, PREDICTED, PROBABILITIES, 1)] == [3]


def test_missed_labels_come_least_probable_first():
    found = wrongly_missed(TRUE, PREDICTED, PROBABILITIES, 10)
    assert [(one.row, one.label, one.probability) for one in found] == [(3, 1, 0.05), (1, 0, 0.3)]


@pytest.mark.parametrize("find", [wrongly_given, wrongly_missed])
def test_without_mistakes_or_rows_nothing_is_found(find):
    assert find(TRUE, TRUE, PROBABILITIES, 10) == []
    assert find(TRUE[:0], TRUE[:0], PROBABILITIES[:0], 10) == []
