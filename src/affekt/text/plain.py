"""The style `affekt`: one form for what looks alike, placeholders for names, emoji and hashtags as words."""

import re
import unicodedata
from functools import lru_cache
from html import unescape
from html.entities import html5

from affekt.text.contractions import plain_word
from affekt.text.hashtags import segment_hashtag
from affekt.text.passes import replace_entities, settle
from affekt.text.surrogates import paired

_QUOTES = str.maketrans({**dict.fromkeys("‘’‚‛ʼʹ′´`", "'"), **dict.fromkeys("“”„‟«»", '"')})
# control, format and direction characters, and skin tones, which an emotion model should not see
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U0001f3fb-\U0001f3ff]"
)
_JOINERS = re.compile("[\u200d\ufe00-\ufe0f\U000e0000-\U000e0fff]")  # gone once emoji are words
_STRAY_MARKS = re.compile("[\u0334-\u0338]|(?:(?<=[\\s\u0300-\u036f])|^)[\u0300-\u036f]")
_MARK_RUN = re.compile(r"[^\x00-\u02ff\w\s]{9,}")
_WRITTEN_NEWLINE = re.compile(r"(?<!\\)\\+(?:(?:r\\+)?n|r(?!\w))", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"<(?:user|url|email|phone)>", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_URL = re.compile(
    r"""(?:https?://|www\.)[^\s<>"]*[^\s<>"'.,;:!?)\]}]
    | (?<![\w@./-]) (?:[a-z0-9-]{1,63}\.){1,4}
      (?: (?:com|org|net|edu|gov|info|co\.uk) (?![\w@]|\.\w) (?:/[^\s<>"]*)?
        | (?:co|ly|io|gl|tv|be|gd|fm|uk|ca|de|fr|es) /[^\s<>"'.,;:!?)\]}][^\s<>"]* )
    | (?<![\w@]) (?:https?|httpurl) (?![\w@]) (?::/*)?""",  # the last: left by another normaliser
    re.IGNORECASE | re.VERBOSE,
)
_USERS = re.compile(r"(?<![\w@])(?:@\w+)+")
_PHONE = re.compile(
    r"(?<![\w.+-])"
    r"(?:(?:\+?\d{1,3}[ .-]?)?(?:\(\d{3}\)|\d{3})[ .-]?\d{3}[ .-]\d{4}|\d{3}-\d{4}|\+\d{9,15})(?![\w-])"
)
_HASHTAG = re.compile(r"(?<!#)#+(\w*[^\W\d_]\w*)")
_LONGEST_EMOJI = 10  # characters: two people kissing, each with a skin tone and a sex
_REPEATED_SIGN = re.compile("([^\\w\\s]\ufe0f?)\\1{3,}")
_CUT_OFF = re.compile(r"(?<=[a-z]) (?=(?:n't|'(?:m|re|ve|ll|d|s))(?![\w']))")


def normalized(text: str) -> str:
    """Return the text in plain words."""
    return settle(plain_pass, text)


def plain_pass(text: str) -> str:
    """Go over the text once."""
    text = _WRITTEN_NEWLINE.sub(" ", replace_entities(_canonical(text), _web_entity))
    text = _hide_names(text)
    if "#" in text:
        text = _HASHTAG.sub(lambda found: f" {' '.join(segment_hashtag(found[1]))} ", text)
    text = _REPEATED_SIGN.sub(r"\1\1\1", text)
    if not text.isascii():
        text = _STRAY_MARKS.sub("", _JOINERS.sub("", _emoji_as_words(text)))
    text = " ".join(text.lower().split())
    if " n't" in text or " '" in text:
        text = _CUT_OFF.sub("", text)
    return " ".join(map(plain_word, text.split()))


def _canonical(text: str) -> str:
    """Return one form for what looks alike: NFKC, straight quotes, nothing invisible, pairs made whole."""
    if text.isascii():
        return _INVISIBLE.sub("", text).replace("`", "'")
    text = _MARK_RUN.sub(_few_marks, paired(text).translate(_QUOTES))  # NFKC is quadratic in a run of marks
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES)


def _few_marks(run: re.Match[str]) -> str:
    kept, marks = "", 0
    for character in run[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        kept += character if marks <= 8 else ""
    return kept


def _web_entity(body: str) -> str | None:
    """Resolve an entity as browsers do, whatever its case; None if it means nothing."""
    if body.startswith("#"):
        meaning = unescape(f"&{body};")
        return None if meaning == f"&{body};" else _canonical(meaning)
    meaning = html5.get(body + ";", html5.get(body.lower() + ";", ""))
    return _canonical(meaning) if meaning else None


def _hide_names(text: str) -> str:
    """Put a placeholder for each link, address, user and telephone number."""
    if "<" in text:
        text = _PLACEHOLDER.sub(r" \g<0> ", text)
    if "@" in text:
        text = _EMAIL.sub(" <email> ", text)
    if "." in text or "http" in text.lower():
        text = _URL.sub(" <url> ", text)
    if "@" in text:
        text = _USERS.sub(lambda found: " <user> " * found[0].count("@"), text)
    return _PHONE.sub(" <phone> ", text)


def _emoji_as_words(text: str) -> str:
    if "\u20e3" not in text and _emoji_characters().isdisjoint(text):
        return text
    return _emoji_run().sub(_run_as_words, text).translate(_QUOTES)


def _run_as_words(run: re.Match[str]) -> str:
    """Name the emoji in a run of their characters, the longest known one first."""
    from emoji import EMOJI_DATA

    signs, place, words = run[0], 0, []
    while place < len(signs):
        sizes = range(min(_LONGEST_EMOJI, len(signs) - place), 0, -1)
        size = next((size for size in sizes if signs[place : place + size] in EMOJI_DATA), 0)
        sign = signs[place : place + size]
        words.append(f" {EMOJI_DATA[sign]['en'].strip(':').replace('_', ' ')} " if size else signs[place])
        place += size or 1
    return "".join(words)


@lru_cache(maxsize=1)
def _emoji_run() -> re.Pattern[str]:
    return re.compile(f"[0-9#*]\ufe0f?\u20e3|[{''.join(_emoji_characters())}\u200d\ufe0f]+")


@lru_cache(maxsize=1)
def _emoji_characters() -> frozenset[str]:
    from emoji import EMOJI_DATA

    parts = set("".join(EMOJI_DATA)) - {"\u200d", "\ufe0f"}
    return frozenset(character for character in parts if not character.isascii())
