"""Strings that UTF-8 cannot hold."""

import pytest

from affekt.text.surrogates import fault_of, is_sound, mended, paired


@pytest.mark.parametrize("text", ["", "plain", "café 🙂", "\ufffd", "\x00"])
def test_sound_texts_stay_as_they_are(text):
    assert (is_sound(text), fault_of(text), mended(text), paired(text)) == (True, "", text, text)


@pytest.mark.parametrize(
    ("text", "fault", "whole"),
    [
        ("caf\udce9", "holds the byte 0xe9 at character 4, which is not UTF-8", "caf\ufffd"),
        ("\ud83d!", "holds half a surrogate pair at character 1, which is not UTF-8", "\ufffd!"),
        ("é\ude42", "holds half a surrogate pair at character 2, which is not UTF-8", "é\ufffd"),
    ],
)
def test_a_lone_surrogate_is_named_with_its_place_and_mended_in_it(text, fault, whole):
    assert (is_sound(text), fault_of(text), mended(text), paired(text)) == (False, fault, whole, whole)


def test_halves_that_belong_together_can_be_made_whole():
    assert paired("\ud83d\ude42 \ud83d") == "🙂 \ufffd"
    assert mended("\ud83d\ude42") == "\ufffd\ufffd"
