"""Token ids of texts, by a cache of words in front of a tokenizer."""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

from affekt.text.surrogates import paired

_WORDS = 2**17  # kept; when there would be more, all go and come again
_LONGEST = 32  # characters of a word that is kept


class WordCache:
    """Gives the ids that a tokenizer gives, without special tokens, asking it of each word only once.

    A word's ids are its own only where a tokenizer cuts at every space and before anything else that looks
    beyond one: BERT's kind does. Any other is asked for whole texts.

    Args:
        tokenizer: Of the `tokenizers` library; its truncation and padding are turned off.
        max_length: Tokens read of a text, unknown ones too.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        tokenizer.no_padding()
        self._tokenizer, self._max_length = tokenizer, max_length
        self.by_words = _cuts_at_spaces(json.loads(tokenizer.to_str()))
        self._ids: dict[str, list[int]] = {}
        if self.by_words:
            tokenizer.no_truncation()
        else:
            tokenizer.enable_truncation(max_length)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text."""
        whole = [paired(text) for text in texts]
        if not self.by_words:
            return self._read(whole)
        rows = [text.split(" ") for text in whole]
        words = set().union(*rows)
        new = [word for word in words if word not in self._ids]
        if len(self._ids) + len(new) > _WORDS:
            self._ids.clear()
            new = list(words)
        self._ids.update(zip(new, self._read(new), strict=True))
        ids = self._ids.__getitem__
        found = [list(chain.from_iterable(map(ids, row)))[: self._max_length] for row in rows]
        for word in new:
            if len(word) > _LONGEST:
                del self._ids[word]
        return found

    def __len__(self) -> int:
        """How many words are kept."""
        return len(self._ids)

    def _read(self, texts: list[str]) -> list[list[int]]:
        return [one.ids for one in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def _cuts_at_spaces(tokenizer: dict[str, Any]) -> bool:
    """Whether a tokenizer, as its file describes it, gives a text the ids of its words one after another."""
    kinds = [(tokenizer[part] or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    spaced = any(" " in token["content"] for token in tokenizer["added_tokens"])
    return kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"] and not spaced


def unknown_id(tokenizer: Any) -> int | None:
    """Return the id of the token for what a tokenizer does not know, if it has one."""
    model = json.loads(tokenizer.to_str())["model"]
    name = model.get("unk_token")
    found: int | None = model.get("unk_id") if name is None else tokenizer.token_to_id(name)
    return found
