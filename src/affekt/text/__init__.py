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
- It is idempotent, but for the names of emoji in `bertweet`. The published normaliser would cut its own
  `I 'm` into `I ' m`: so a pass here knows its output again (a clitic after a word), and passes repeat
  until one changes nothing. Rules take away what no other rule gives back, so there is an end; two or three
  passes are usual. A name in the text, `:red_heart:`, is parted into `: red_heart :` as the published
  normaliser parts it, so the names that the style itself gives are parted if it is applied again.
- Its time grows in proportion to the text.
"""

from collections.abc import Callable

from affekt.errors import UsageError, unknown_name
from affekt.text import bertweet, plain


def _tweeteval(text: str) -> str:
    words = ["@user" if word[:1] == "@" and len(word) > 1 else word for word in text.split(" ")]
    return " ".join(["http" if word.startswith("http") else word for word in words])


STYLES: dict[str, Callable[[str], str]] = {
    "none": str,
    "tweeteval": _tweeteval,
    "bertweet": bertweet.normalized,
    "affekt": plain.normalized,
}


def normalize(text: str, style: str) -> str:
    """Return `text` in the given style, one of `STYLES`.

    >>> normalize("@ann I can't waaaait!! #BestDayEver", "affekt")
    '<user> i can not wait!! best day ever'
    """
    if style not in STYLES:
        raise UsageError(unknown_name("text style", style, STYLES))
    return STYLES[style](text)
