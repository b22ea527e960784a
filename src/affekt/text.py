r"""Tweet normalisation: pure functions from one text to one text, in four styles.

`none`       the text as it is.
`tweeteval`  what the TweetEval models were trained on: split at single blanks, `@someone` becomes `@user`, a
             link becomes `http`.
`bertweet`   what the BERTweet models were trained on: tweet tokens joined by blanks, `@USER`, `HTTPURL`,
             one-character emoji as `:names:`, clitics cut off (`I 'm`). It follows the published normaliser
             as that runs on the installed nltk and emoji (checked with nltk 3.10.4 and emoji 2.16). With
             nltk 3.5, which the models saw, emoji joined by U+200D or made of tags fell into their parts;
             here they stay whole. emoji 0.6 has other names for some emoji.
`affekt`     plain words for encoders that never saw tweets: `<user>`, `<url>`, `<email>` and `<phone>`,
             hashtags cut into words, contractions written out, drawn-out words shortened, emoji as words.

What every style promises:

- It is total. Any `str` gets an answer (halves of surrogate pairs, null bytes, a hundred thousand
  characters), and only the empty text gives the empty text: where nothing would be left, the text itself
  comes back.
- It is idempotent. The published normaliser of `bertweet` is not: it would cut its own `I 'm` into `I ' m`
  and its own `:red_heart:` into three. So a pass here knows its output again (a clitic after a word, the
  name of an emoji), and passes repeat until one changes nothing. Rules take away what no other rule gives
  back, so there is an end; two or three passes are usual.
- Its time grows in proportion to the text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from html import unescape
from html.entities import html5, name2codepoint
from itertools import product
from typing import Any

from affekt.errors import UsageError, unknown_name
from affekt.hashtags import DRAWN_OUT, ranks, segment_hashtag

_MOST_PASSES = 100
_LONGEST_KEPT = 64  # longer pieces are rare and would only fill the caches


def normalize(text: str, style: str) -> str:
    """Return `text` in the given style, one of `STYLES`.

    >>> normalize("@ann I can't waaaait!! #BestDayEver", "affekt")
    '<user> i can not wait!! best day ever'
    """
    if style not in STYLES:
        raise UsageError(unknown_name("text style", style, STYLES))
    return STYLES[style](text)


def _settle(one_pass: Callable[[str], str], text: str) -> str:
    """Repeat `one_pass` until it changes nothing; a pass that would leave nothing is not taken."""
    for _ in range(_MOST_PASSES):
        changed = one_pass(text)
        if not changed or changed == text:
            break
        text = changed
    return text


def _remembered(function: Callable[[str], str]) -> Callable[[str], str]:
    """Cache a function of one word: words come back, texts don't."""
    kept = lru_cache(maxsize=1 << 15)(function)
    return lambda word: kept(word) if len(word) <= _LONGEST_KEPT else function(word)


def _unescape(text: str, resolve: Callable[[str], str | None]) -> str:
    """Replace each `&body;` by `resolve(body)`, nested ones too (`&amp;lt;`), in a single walk.

    None leaves an entity as it is. What an entity stands for is read as if it had been written there.
    """
    if "&" not in text or ";" not in text:
        return text
    pending = re.split(r"([&;\s])", text)[::-1]
    done: list[str] = []
    ampersands: list[int] = []  # places in `done` where an entity may have begun
    while pending:
        piece = pending.pop()
        if piece == ";" and ampersands and len(done) > ampersands[-1] + 1:
            start = ampersands.pop()
            meaning = resolve("".join(done[start + 1 :]))
            if meaning is not None:
                del done[start:]
                pending.extend(reversed(meaning))
                continue
        if piece == "&":
            ampersands.append(len(done))
        elif piece == ";" or piece.isspace():
            ampersands.clear()
        if piece:
            done.append(piece)
    return "".join(done)


# ---- tweeteval


def _tweeteval(text: str) -> str:
    words = ["@user" if word[:1] == "@" and len(word) > 1 else word for word in text.split(" ")]
    return " ".join(["http" if word.startswith("http") else word for word in words])


# ---- bertweet

_LONGEST_RUN = 256  # characters without a blank that nltk's expressions see at once; they are quadratic in it
_MANY_DOTS = 32  # with more, each may begin or end a domain name, and a quarter of the run costs as much
_CLITICS = frozenset({"'m", "'re", "'s", "'ll", "'d", "'ve"})
_CLITIC_INSIDE = re.compile(r"'(?:m|re|s|ll|d|ve)(?= )")
_NEGATIONS = re.compile(r"(?:n't)+(?= )")
_HALF_OF_DAY = re.compile(r" ([ap]) \. m( \.|(?= ))")
_LINK_START = re.compile(r"https?://|www\.", re.IGNORECASE)
_NUMERIC_ENTITY = re.compile(r"(#?x?)(.+)", re.DOTALL)


def _bertweet(text: str) -> str:
    return _settle(_bertweet_pass, text)


def _bertweet_pass(text: str) -> str:
    units = _bertweet_units(_unescape(text, _tokenizer_entity).split())
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
        and 0 < len(unit) < _LONGEST_KEPT - len(word)
    )


def _pieces_of_run(run: str) -> list[str]:
    """Cut a run that is too long; a link in it is one piece, up to the end."""
    link = _LINK_START.search(run)
    text = run[: link.start()] if link else run
    size = _LONGEST_RUN // 4 if text.count(".") > _MANY_DOTS else _LONGEST_RUN
    return [text[start : start + size] for start in range(0, len(text), size)] + ["HTTPURL"] * bool(link)


@_remembered
def _bertweet_unit(unit: str) -> str:
    """Tokenise one unit and normalise its tokens, joined by blanks."""
    if unit in _emoji_names():
        return unit
    if unit.isascii() and unit.isalpha():  # most words: one token as they are
        return _bertweet_token(unit)
    return " ".join(map(_bertweet_token, _tokenizer().tokenize(unit)))


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


# ---- affekt: characters and placeholders

_QUOTES = str.maketrans({**dict.fromkeys("‘’‚‛ʼʹ′´`", "'"), **dict.fromkeys("“”„‟«»", '"')})
# control, format and direction characters, and skin tones, which an emotion model should not see
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U0001f3fb-\U0001f3ff]"
)
_JOINERS = re.compile("[\u200d\ufe00-\ufe0f\U000e0000-\U000e0fff]")  # gone once emoji are words
_STRAY_MARKS = re.compile("[\u0334-\u0338]|(?:(?<=[\\s\u0300-\u036f])|^)[\u0300-\u036f]")
_MARK_RUN = re.compile(r"[^\x00-\u02ff\w\s]{9,}")
_SURROGATE = re.compile("[\ud800-\udfff]")
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


def _affekt(text: str) -> str:
    return _settle(_affekt_pass, text)


def _affekt_pass(text: str) -> str:
    text = _WRITTEN_NEWLINE.sub(" ", _unescape(_canonical(text), _web_entity))
    text = _hide_names(text)
    if "#" in text:
        text = _HASHTAG.sub(lambda found: f" {' '.join(segment_hashtag(found[1]))} ", text)
    text = _REPEATED_SIGN.sub(r"\1\1\1", text)
    if not text.isascii():
        text = _STRAY_MARKS.sub("", _JOINERS.sub("", _emoji_as_words(text)))
    text = " ".join(text.lower().split())
    if " n't" in text or " '" in text:
        text = _CUT_OFF.sub("", text)
    return " ".join(map(_plain_word, text.split()))


def _canonical(text: str) -> str:
    """Return one form for what looks alike: NFKC, straight quotes, nothing invisible, pairs made whole."""
    if text.isascii():
        return _INVISIBLE.sub("", text).replace("`", "'")
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _MARK_RUN.sub(_few_marks, text.translate(_QUOTES))  # NFKC is quadratic in a run of marks
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES)


def _few_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in run[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= 8:
            kept.append(character)
    return "".join(kept)


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


# ---- affekt: drawn-out words and contractions

_REPEATED_SYLLABLE = re.compile(r"([a-z]{2})\1{2,}")
_LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_ENGLISH = re.compile(r"(?<![^\W_])[a-z]+(?:'[a-z]+)*(?![^\W_])")
_SUFFIX = re.compile(r"(?<=[a-z])(?:n't|'(?:m|re|ve|ll|d))(?!(?!n't)[a-z])")
_SUFFIXES = {"n't": " not", "'m": " am", "'re": " are", "'ve": " have", "'ll": " will", "'d": " would"}
_IRREGULAR = {"can't": "can not", "won't": "will not", "shan't": "shall not", "ain't": "is not"}
_IRREGULAR_START = re.compile("^(?:can|won|shan|ain)'t")
_NEGATED = ("do", "did", "does", "is", "was", "are", "were", "have", "has", "had", "could", "should", "would")
_SUBJECTS = ("it", "he", "she", "that", "this", "what", "who", "where", "when", "how", "why", "there", "here")
_WHOLE = {
    **{"let's": "let us", "y'all": "you all", "cannot": "can not"},
    # after other words 's is mostly a possessive, and stays
    **{subject + "'s": subject + " is" for subject in _SUBJECTS},
    # without the apostrophe only where that is no other word: not wont, ill, id, well, were, hell, shell, its
    **{verb + "nt": verb + " not" for verb in _NEGATED},
    **{"cant": "can not", "aint": "is not", "im": "i am", "ive": "i have", "youve": "you have"},
    **{
        "theyve": "they have",
        "weve": "we have",
        "youre": "you are",
        "theyre": "they are",
        "thats": "that is",
    },
}


@_remembered
def _plain_word(word: str) -> str:
    """Shorten and write out one lower-case piece of text between blanks."""
    if DRAWN_OUT.search(word):
        word = _LETTERS.sub(lambda found: _shorten(found[0]), word)
    return _ENGLISH.sub(lambda found: _write_out(found[0]), _REPEATED_SYLLABLE.sub(r"\1\1", word))


def _shorten(word: str) -> str:
    """Cut each run of three letters or more to one or two, as in the commonest known word, or else to two.

    >>> _shorten("cooool"), _shorten("sooo"), _shorten("brrrp")
    ('cool', 'so', 'brrp')
    """
    runs = list(DRAWN_OUT.finditer(word))
    if word in ranks() or not runs:
        return word
    best = min(map("".join, product(*_options(word, runs))), key=_rarity) if len(runs) <= 4 else ""
    return best if best and _rarity(best) < len(ranks()) else DRAWN_OUT.sub(r"\1\1", word)


def _options(word: str, runs: list[re.Match[str]]) -> Iterator[tuple[str, ...]]:
    end = 0
    for run in runs:
        yield (word[end : run.start()],)
        yield (run[1], run[1] * 2)
        end = run.end()
    yield (word[end:],)


def _rarity(word: str) -> int:
    """Return the rank of a word, written out; an unknown one's is the number of known words."""
    known = ranks()
    return max(known.get(part, len(known)) for part in _write_out(word).split())


def _write_out(word: str) -> str:
    """Write out a contraction.

    >>> _write_out("couldn't've"), _write_out("ann's")
    ('could not have', "ann's")
    """
    if "'" not in word or word in _WHOLE:
        return _WHOLE.get(word, word)
    word = _IRREGULAR_START.sub(lambda found: _IRREGULAR[found[0]], word)
    return _SUFFIX.sub(lambda found: _SUFFIXES[found[0]], word)


STYLES: dict[str, Callable[[str], str]] = {
    "none": str,
    "tweeteval": _tweeteval,
    "bertweet": _bertweet,
    "affekt": _affekt,
}
