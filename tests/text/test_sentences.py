import pytest

from affekt.text.sentences import sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("I am happy. You are not!", ["I am happy.", "You are not!"]),
        ('He said "no." Then he left?!', ['He said "no."', "Then he left?!"]),
        ("Dr. J. Smith came. ok", ["Dr. J. Smith came.", "ok"]),
        ("one\n\ntwo", ["one", "two"]),
        ("no end", ["no end"]),
        ("3.5 stars", ["3.5 stars"]),
        ("", [""]),
        ("  ", ["  "]),
    ],
)
def test_texts_are_cut_into_sentences(text, parts):
    assert sentences(text) == parts
