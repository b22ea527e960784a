"""Words of the style `affekt`: drawn-out ones shortened, contractions written out."""

import re
from collections.abc import Iterator
from itertools import product

from affekt.text.hashtags import DRAWN_OUT, ranks
from affekt.text.passes import remembered

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
    **{"cant": "can not", "aint": "is not", "im": "i am", "ive": "i have", "thats": "that is"},
    **{who + "ve": who + " have" for who in ("you", "they", "we")},
    **{who + "re": who + " are" for who in ("you", "they")},
}


@remembered
def plain_word(word: str) -> str:
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
