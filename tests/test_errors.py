"""The exceptions users see."""

import doctest

import pytest

from affekt import errors
from affekt.errors import AffektError, DataError, ModelError, RecipeError, UsageError, unknown_name


@pytest.mark.parametrize("kind", [DataError, RecipeError, ModelError, UsageError])
def test_every_fault_a_user_can_mend_is_of_one_family(kind):
    assert issubclass(kind, AffektError)
    assert str(kind("one sentence.")) == "one sentence."


def test_the_family_holds_nothing_that_python_raises_itself():
    # so that catching it never hides a bug
    assert AffektError.__bases__ == (Exception,)


def test_an_unknown_name_answers_with_the_near_ones_and_all():
    message = unknown_name("encoder", "transfomer", ["transformer", "tfidf", "bilstm"])
    assert (
        message
        == "unknown encoder 'transfomer': did you mean transformer? Known: bilstm, tfidf, transformer."
    )


def test_a_name_near_to_nothing_is_given_all_names():
    assert unknown_name("loss", "zzz", ["focal", "bce"]) == "unknown loss 'zzz': Known: bce, focal."
    many = unknown_name("period", "zzz", [f"day {day:03}" for day in range(750)])
    assert many.endswith("day 058, day 059 and 690 more.")


def test_several_near_names_are_all_offered():
    assert "did you mean tfidf or tfid?" in unknown_name("encoder", "tfidff", ["tfid", "tfidf", "bilstm"])


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(errors)
    assert result.attempted >= 1
    assert result.failed == 0
