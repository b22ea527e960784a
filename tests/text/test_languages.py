"""Languages by small words and scripts: told where much tells, not guessed where little does."""

import pytest

from affekt.data import catalog
from affekt.text.languages import languages_of, unread_language

TEXTS = {
    "en": "i was so happy that they have not seen this, and it is the best of what you do",
    "de": "ich bin so froh, dass wir das nicht mit der Bahn und auf dem Weg gemacht haben, auch für mich",
    "fr": "je ne suis pas content, mais c'est la vie et nous avons une maison avec des enfants dans la ville",
    "es": "no me gusta que el perro de mi madre se coma las flores, pero está muy feliz con los niños y yo",
    "it": "non sono felice, ma questo è il giorno più bello della mia vita e ho mangiato anche con gli amici",
    "nl": "ik ben niet blij met het weer, maar wat een dag en je hebt ook van de zon op het strand genoten",
    "ar": "أنا سعيد جدا اليوم لأن الشمس مشرقة والجو جميل في المدينة",
    "ru": "я очень рад, что сегодня светит солнце и мы идём гулять",
    "ja": "今日はとても幸せです。友達と一緒に遊びました。",
    "zh": "今天我很高兴因为太阳出来了我们一起去公园玩然后回家吃饭",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_language_is_known_by_its_small_words_or_its_script(code):
    assert languages_of([TEXTS[code]] * 8)[0] == code


def test_the_bundled_sample_is_english_and_nothing_else():
    corpus = catalog.load("sample")["train"]
    assert languages_of(corpus.texts) == ("en",)
    assert unread_language(corpus.texts, ["en"]) is None


@pytest.mark.parametrize("texts", [[], [""], ["lol 😂 #happy", "@ann omg"], ["12 34"] * 100])
def test_where_too_little_tells_nothing_is_said(texts):
    assert languages_of(texts) == ()
    assert unread_language(texts, ["en"]) is None


def test_two_languages_are_both_named_the_commoner_first():
    assert languages_of([TEXTS["de"]] * 6 + [TEXTS["en"]] * 3)[:2] == ("de", "en")


def test_texts_in_another_language_than_was_read_are_told():
    german = [TEXTS["de"]] * 5
    assert unread_language(german, ["en"]) == "de"
    assert unread_language(german, ["en", "de"]) is None
    assert unread_language(german, []) is None  # of a model that does not say
    assert unread_language([TEXTS["en"]] * 9 + german[:2], ["en"]) is None
