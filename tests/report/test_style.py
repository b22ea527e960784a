from importlib.resources import files

import pytest

from affekt.report.style import CATEGORICAL, EMOTIONS, GREY, SENTIMENT, styles


def test_thirty_categories_all_look_different():
    looks = styles([f"label {i}" for i in range(30)])
    assert len(set(looks.values())) == 30


def test_sentiment_runs_from_red_over_yellow_to_blue():
    looks = styles(["negative", "ambiguous", "positive", "neutral"])
    assert {name: colour for name, (colour, _) in looks.items()} == SENTIMENT


def test_sentiment_colours_stay_when_some_texts_have_none():
    assert styles(["positive", "other"]) == {"positive": (SENTIMENT["positive"], 0), "other": (GREY, 0)}


def test_what_stands_for_nothing_is_grey_and_takes_no_colour():
    looks = styles(["noise", "cluster 1"])
    assert looks["noise"] == (GREY, 0)
    assert looks["cluster 1"] == (CATEGORICAL[0], 0)


def test_an_emotion_looks_the_same_whatever_stands_beside_it():
    assert styles(["anger"])["anger"] == styles(["joy", "fear", "anger", "tuesday"])["anger"]
    assert styles(["Anger"])["Anger"] == styles(["anger"])["anger"]


def test_no_two_emotions_look_alike_and_none_like_what_is_no_emotion():
    looks = styles([*EMOTIONS, "none", *(f"label {i}" for i in range(8))])
    assert len(set(looks.values())) == len(looks)


def test_families_of_emotions_are_apart_in_colour():
    firsts = ["joy", "love", "surprise", "sadness", "fear", "anger", "disgust", "neutral"]
    colours = [_rgb(EMOTIONS[name][0]) for name in firsts]
    for i, one in enumerate(colours):
        for other in colours[i + 1 :]:
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 75
    assert EMOTIONS["annoyance"] != EMOTIONS["anger"]


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_on_pages_has_the_contrast_of_wcag_aa(theme):
    css = files("affekt.report").joinpath("web/tokens.css").read_text(encoding="utf-8")
    block = css.split(":root {")[theme + 1].split("}")[0]
    colour = {}
    for part in block.split(";"):
        if part.strip().startswith("--"):
            name, value = part.strip().removeprefix("--").split(":")
            colour[name] = value.strip()
    for ink in ("ink", "faint", "accent"):
        for ground in ("paper", "wash"):
            assert _contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    assert _contrast(colour["warn-ink"], colour["warn-wash"]) >= 4.5
    assert _contrast(colour["bar"], colour["wash"]) >= 3.0
