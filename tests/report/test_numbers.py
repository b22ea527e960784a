import doctest
import math

import pytest

from affekt.report import numbers
from affekt.report.numbers import as_interval, as_number, figure_text, ordered


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(numbers).failed == 0


@pytest.mark.parametrize("value", [None, "0.5", True, math.nan, math.inf, [0.5], {}])
def test_what_is_no_finite_number_is_none(value):
    assert as_number(value) is None
    assert as_interval(value) is None


def test_an_interval_without_limits_is_its_value():
    assert as_interval({"value": 0.5, "low": None}) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("value", "text"), [(0.9996, "1.000"), (-0.0001, ".000"), (-1.5, "−1.500"), (0, ".000")]
)
def test_figures_have_three_decimals_and_no_false_minus(value, text):
    assert figure_text(value) == text


def test_main_metrics_come_first_and_the_others_keep_their_order():
    assert ordered(["zeta", "accuracy", "alpha", "f1_macro"]) == ["f1_macro", "accuracy", "zeta", "alpha"]


def test_with_one_label_per_text_figures_that_repeat_accuracy_are_left_out():
    assert ordered(["f1_micro", "accuracy", "jaccard", "f1_macro"], single_label=True) == [
        "f1_macro",
        "accuracy",
    ]
