"""The style `bertweet`: tweet tokens joined by blanks, as the BERTweet models were trained on."""

import re
from functools import lru_cache
from html.entities import name2codepoint
from typing import Any

from affekt.text.passes import LONGEST_KEPT, remembered, replace_entities, settle

_LONGEST_RUN = 256  # characters without a blank that nltk's expressions see at once; they are quadratic in it
_MANY_DOTS = 32  # with more, each may begin or end a domain name, and a quarter of the run costs as much
_CLITICS = frozenset({"'m", "'re", "'s", "'ll", "'d", "'ve"})
_CLITIC_INSIDE = re.compile(r"'(?:m|re|s|ll|d|ve)(?= )")
_NEGATIONS = re.compile(r"(?:n't)+(?= )")
_HALF_OF_DAY = re.compile(r" ([ap]) \. m( \.|(?= ))")
_LINK_START = re.compile(r"https?://|www\.", re.IGNORECASE)
_NAME = re.compile(r"(?<!\S):\S+:(?!\S)")
_NUMERIC_ENTITY = re.compile(r"(#?x?)(.+)", re.DOTALL)


def normalized(text: str) -> str:
    """Return the text as BERTweet's own normaliser leaves it."""
    if ":" in text:  # an emoji's name that was written as such is three tokens; one that a pass gives stays
        text = _NAME.sub(_parted, text)
    return settle(_bertweet_pass, text)


def _bertweet_pass(text: str) -> str:
    units = _bertweet_units(replace_entities(text, _tokenizer_entity).split())
    text = " ".join(map(_bertweet_unit, units)).replace("cannot ", "can not ")
    if "'" in text:
        text = _NEGATIONS.sub(lambda found: " n't" * (len(found[0]) // 3), text)
        text = text.replace("ca n't", "can't").replace("ai n't", "ain't")  # only these two go back
        text = _CLITIC_INSIDE.sub(r" \g<0>", text)
    if " . m" in text:
        text = _HALF_OF_DAY.sub(lambda found: f" {found[1]}.m{'.' if found[2] else ''}", text)
    return " ".join(text.split())


def _tokenizer_entity(body: str) -> str:
    """Resolve an entity as nltk's tokenizer does: what means nothing vanishes."""
    found = _NUMERIC_ENTITY.match(body)
    prefix, digits = found.groups() if found else ("", body)
    try:
        code = int(digits, 16 if prefix.endswith("x") else 10) if prefix else name2codepoint.get(body, -1)
        return bytes([code]).decode("cp1252") if 0x80 <= code <= 0x9F else chr(code)
    except (ValueError, OverflowError):
        return ""


def _bertweet_units(words: list[str]) -> list[str]:
    """Return what the tokenizer must see as one: a word, `I 'm` put together again, a spaced number."""
    names = _emoji_names()
    words = [word if word in names else word.replace("’", "'").replace("…", "...") for word in words]
    units = [""]
    for place, word in enumerate(words):
        if word[0] == "'" and word in _CLITICS and _carries_clitic(units[-1], words, place):
            units[-1] += word
        elif _goes_on(units[-1], word):
            units[-1] += " " + word
        else:
            units += [word] if len(word) <= _LONGEST_RUN else _pieces_of_run(word)
    return units[1:]


def _carries_clitic(unit: str, words: list[str], place: int) -> bool:
    """Whether `words[place]`, a clitic, was cut off `unit` by an earlier pass; never so several in a row."""
    lowered = unit.lower()
    return (
        place > 0
        and _CLITICS.isdisjoint((words[place - 1], *words[place + 1 : place + 2]))
        and unit not in _emoji_names()
        and not unit.endswith("'")
        and "http" not in lowered
        and "www" not in lowered
    )


def _goes_on(unit: str, word: str) -> bool:
    """Whether a telephone number may run on from `unit` into `word`."""
    return (
        (unit[-1:] in "*-.)" or unit[-1].isdecimal())
        and (word[0] in "*-.)(+" or word[0].isdecimal())
        and 0 < len(unit) < LONGEST_KEPT - len(word)
    )


def _pieces_of_run(run: str) -> list[str]:
    """Cut a run that is too long; a link in it is one piece, up to the end."""
    link = _LINK_START.search(run)
    text = run[: link.start()] if link else run
    size = _LONGEST_RUN // 4 if text.count(".") > _MANY_DOTS else _LONGEST_RUN
    return [text[start : start + size] for start in range(0, len(text), size)] + ["HTTPURL"] * bool(link)


@remembered
def _bertweet_unit(unit: str) -> str:
    """Tokenise one unit and normalise its tokens, joined by blanks."""
    if unit in _emoji_names():
        return unit
    if unit.isascii() and unit.isalpha():  # most words: one token as they are
        return _bertweet_token(unit)
    return " ".join(map(_bertweet_token, _tokenizer().tokenize(unit)))


def _parted(name: re.Match[str]) -> str:
    return " ".join(_tokenizer().tokenize(name[0])) if name[0] in _emoji_names() else name[0]


def _bertweet_token(token: str) -> str:
    if token[0] == "@":
        return "@USER"
    if token[:4].lower() == "http" or token[:3].lower() == "www":
        return "HTTPURL"
    return token if len(token) > 1 or token.isascii() else _single_emoji().get(token, token)


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    from nltk.tokenize.casual import TweetTokenizer

    return TweetTokenizer()


@lru_cache(maxsize=1)
def _single_emoji() -> dict[str, str]:
    """Return the names of all emoji of one character; the sign that asks for a coloured form has none."""
    from emoji import EMOJI_DATA

    return {sign: data["en"] for sign, data in EMOJI_DATA.items() if len(sign) == 1} | {"\ufe0f": ""}


@lru_cache(maxsize=1)
def _emoji_names() -> frozenset[str]:
    return frozenset(_single_emoji().values()) - {""}
