"""The languages of texts, as far as scripts and small words tell: no model, and no certainty."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice

LOOKED_AT = 2_000  # texts that decide
_ENOUGH = 20  # small words, or letters of a script, below which nothing is said
_OF_ONE = 3  # as many where there is but one text
_SHARE = 0.25  # of the evidence, from which a language counts as read

_SMALL_WORDS = {
    "en": "the and is to of you it that this was are with for my have not what be so they he she like i a",
    "de": "der die das und ist ich nicht ein eine zu mit auf für dass wir ihr auch sich den dem aber wie mir",
    "fr": "le la les et est je ne pas un une des que qui vous nous il elle mais avec pour dans sur c'est ce",
    "es": "el la los las y es no que un una de por con para mi me se lo como pero muy está este yo más ya",
    "pt": "os é não que um uma de por com para meu me se mas muito está este eu mais já você isso",
    "it": "il la gli è non che un una di per con mi si ma come sono questo molto anche più ho mio nel della",
    "nl": "de het een en is ik niet van dat je te met op voor maar ook zijn was wat er aan hij ze mijn heb",
}
_SCRIPTS = {
    "ar": "\u0600-\u06ff",
    "ru": "\u0400-\u04ff",
    "el": "\u0370-\u03ff",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "th": "\u0e00-\u0e7f",
    "ja": "\u3040-\u30ff",
    "ko": "\uac00-\ud7af",
    "zh": "\u4e00-\u9fff",
}
_LETTERS = {name: re.compile(f"[{span}]") for name, span in _SCRIPTS.items()}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_LATIN = {
    name: {word: 1 / sum(word in other.split() for other in _SMALL_WORDS.values()) for word in words.split()}
    for name, words in _SMALL_WORDS.items()
}


def languages_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the languages of some texts by their codes, the commonest first; none where too little tells.

    A script stands for its commonest language ("ru" for Cyrillic). A small word that several languages have
    counts for each with its share.

    >>> languages_of(["I was so happy that they have a dog and this is the best of it"] * 3)
    ('en',)
    """
    evidence: Counter[str] = Counter()
    looked_at = list(islice(texts, LOOKED_AT))
    for text in looked_at:
        words = _WORD.findall(text.lower().replace("’", "'"))
        for name, weights in _LATIN.items():
            evidence[name] += sum(weights.get(word, 0) for word in words)  # type: ignore[assignment]
        for name, letters in _LETTERS.items():
            evidence[name] += len(letters.findall(text)) / 4  # type: ignore[assignment]  # letters to words
    if evidence["ja"]:  # writes with Chinese characters too
        evidence["ja"] += evidence.pop("zh", 0)
    total = evidence.total()
    if total < (_ENOUGH if len(looked_at) > 1 else _OF_ONE):
        return ()
    return tuple(name for name, weight in evidence.most_common() if weight >= _SHARE * total)


def unread_language(texts: Iterable[str], read: Iterable[str]) -> str | None:
    """Return the language that most of some texts are in, where it is none of those read; else None.

    Args:
        texts: What is to be scored.
        read: Codes of the languages that a model was trained on; where none are known, nothing is said.
    """
    known = set(read)
    found = languages_of(texts) if known else ()
    return found[0] if found and found[0] not in known else None
