"""Any transformers encoder: BERT, RoBERTa, ELECTRA, DistilBERT and their kin, from a folder or the Hub.

Layers of BERT's shape run through `fast.py`; other families through their own forward pass.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from affekt.encoders import Batch, Encoded, Encoder, Order, pooled
from affekt.encoders.fast import bert_layer, is_bert_shaped, linear, score_bias, use_fast_dropout
from affekt.encoders.layers import keep_layers, layers_of
from affekt.encoders.pretrained import load_pretrained, quiet_transformers
from affekt.encoders.saving import Size, read_saved_options
from affekt.encoders.sentence import write_sentence_transformer
from affekt.errors import UsageError, not_whole, unknown_name
from affekt.files import read_json, write_json
from affekt.text.surrogates import paired

POOLINGS = ("cls", "mean")


@dataclass(frozen=True)
class TransformerOptions:
    """How a `TransformerEncoder` reads texts."""

    pooling: Literal["cls", "mean"]
    max_length: Size
    label_words: tuple[str, ...] | None


@dataclass(frozen=True)
class Prefix:
    """Words put before every text, as in [CLS] words [SEP] text [SEP], and the positions each of them has."""

    words: tuple[str, ...]
    head: tuple[int, ...]  # token ids up to where the text begins
    tail: tuple[int, ...]  # token ids after the text
    spans: tuple[tuple[int, int], ...]  # per word, its first position and the one after its last
    text_segment: int  # the segment id of the text, 0 in families without segments


def build_prefix(tokenizer: Any, words: Sequence[str], *, segmented: bool) -> Prefix:
    """Lay out a word or phrase per label before a text, which is the second segment of a segmented model."""
    # byte-level tokenizers run words together that no space parts
    spaced = [f" {word}" if i else word for i, word in enumerate(words)]
    pieces = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in spaced]
    empty = [word for word, ids in zip(words, pieces, strict=True) if not ids]
    if empty:
        raise UsageError(
            f"label words {empty} map to no token of this tokenizer; give other words in the recipe."
        )
    probe = tokenizer("a", add_special_tokens=False)["input_ids"]
    pair = tokenizer("a", "a", return_token_type_ids=segmented)
    ids, n = pair["input_ids"], len(probe)
    first = next(i for i in range(len(ids)) if ids[i : i + n] == probe)
    second = next(i for i in range(first + n, len(ids)) if ids[i : i + n] == probe)
    label_ids = [i for word in pieces for i in word]
    ends = torch.tensor([len(word) for word in pieces]).cumsum(0).tolist()
    spans = tuple((first + end - len(word), first + end) for word, end in zip(pieces, ends, strict=True))
    return Prefix(
        words=tuple(words),
        head=tuple(ids[:first] + label_ids + ids[first + n : second]),
        tail=tuple(ids[second + n :]),
        spans=spans,
        text_segment=pair["token_type_ids"][second] if segmented else 0,
    )


def longest_input(backbone: Any) -> float:
    """Return how many positions a backbone has; RoBERTa and its kin count on from their padding id."""
    limit = getattr(backbone.config, "max_position_embeddings", None) or math.inf
    table = getattr(getattr(backbone, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return float(limit if padding is None else limit - padding - 1)


def _mend_merges(tokenizer: Any, path: Path) -> None:
    """Write BERTweet's merges with the count that transformers looks for when it reads them.

    It writes them without, and then takes the second half of every merge for its count.
    """
    if path.exists() and hasattr(tokenizer, "bpe_ranks"):
        ranked = sorted(tokenizer.bpe_ranks.items(), key=lambda item: item[1])
        lines = [f"{' '.join(merge)} {rank}\n" for merge, rank in ranked]
        path.write_text("".join(lines), encoding="utf-8")


class TransformerEncoder(Encoder):
    """A pretrained transformer with a pooling: one vector per text.

    Args:
        backbone: A transformers model without a head.
        tokenizer: Its tokenizer.
        pooling: "cls" takes the first position, "mean" the mean over the text's positions.
        max_length: Longest input in tokens, special tokens and label words included.
        label_words: Words put in front of every text (label-aware input); None for plain texts.
    """

    kind = "transformer"
    has_name, takes_label_words, takes_options, in_transformers = True, True, False, True
    takes_layers = True

    def __init__(
        self,
        backbone: Any,
        tokenizer: Any,
        *,
        pooling: str = "cls",
        max_length: int = 128,
        label_words: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UsageError(unknown_name("pooling", pooling, POOLINGS))
        if label_words and pooling != "cls":
            raise UsageError(
                f"{pooling} pooling over label words and text is not defined; set encoder.pooling to cls."
            )
        self.backbone, self.tokenizer, self.pooling = backbone, tokenizer, pooling
        self.dimension: int = backbone.config.hidden_size
        segmented = getattr(backbone.config, "type_vocab_size", 0) > 1
        self.prefix = build_prefix(tokenizer, label_words, segmented=segmented) if label_words else None
        self.max_length = int(min(max_length, longest_input(backbone)))
        if self.prefix and len(self.prefix.head) + len(self.prefix.tail) >= self.max_length:
            raise UsageError(
                f"the {len(self.prefix.words)} label words take {len(self.prefix.head)} of {self.max_length} "
                "positions and leave none for the text; raise encoder.max_length."
            )
        self._bert_shaped = is_bert_shaped(backbone)
        use_fast_dropout(backbone)

    @classmethod
    def pretrained(cls, name: str, *, revision: str | None = None, **options: Any) -> "TransformerEncoder":
        """Load an encoder by name: a folder, a name of `pretrained.KNOWN`, or a Hub model."""
        backbone, tokenizer = load_pretrained(name, revision)
        return cls(backbone, tokenizer, **options)

    @classmethod
    def from_order(cls, order: Order) -> "TransformerEncoder":
        """Load an encoder by its name."""
        backbone, tokenizer = load_pretrained(order.name, order.revision)
        if order.layers is not None:
            keep_layers(backbone, order.layers, order.name)
        return cls(
            backbone,
            tokenizer,
            pooling=order.pooling,
            max_length=order.max_length,
            label_words=order.label_words,
        )

    @property
    def family(self) -> str:
        """The transformers model type, such as "bert", "roberta", "electra" or "distilbert"."""
        return str(self.backbone.config.model_type)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, special tokens and label words included."""
        if len(texts) == 0:
            return []
        clean = [paired(text) for text in texts]
        if self.prefix is None:
            rows = self.tokenizer(clean, truncation=True, max_length=self.max_length)["input_ids"]
            return [row or [self.filler] for row in rows]  # empty only without special tokens
        head, tail = list(self.prefix.head), list(self.prefix.tail)
        room = self.max_length - len(head) - len(tail)
        ids = self.tokenizer(clean, add_special_tokens=False, truncation=True, max_length=room)["input_ids"]
        return [head + row + tail for row in ids]

    @property
    def filler(self) -> int:
        """The token id at padding."""
        return int(self.tokenizer.pad_token_id or 0)

    def collate(self, rows: Sequence[list[int]]) -> Batch:
        """Pad rows to the longest: `ids`, `mask`, and `segments` where label words stand before the text."""
        width = max(len(row) for row in rows)
        ids = torch.tensor([row + [self.filler] * (width - len(row)) for row in rows], dtype=torch.long)
        lengths = torch.tensor([len(row) for row in rows])
        batch = {"ids": ids, "mask": torch.arange(width) < lengths[:, None]}
        if self.prefix and self.prefix.text_segment:
            text = torch.arange(width) >= len(self.prefix.head)
            batch["segments"] = (text & batch["mask"]).long() * self.prefix.text_segment
        return batch

    def forward(self, batch: Batch) -> Encoded:
        """Encode a batch. With label words, only their positions come back as tokens.

        The label words' input embeddings are the same for every text, but from the first attention on each
        of their states depends on the text, so nothing above can be kept from one text to the next. What is
        exact to save is the last layer: it is computed for the leading positions somebody reads.
        """
        read = len(self.prefix.head) if self.prefix else 1 if self.pooling == "cls" else None
        return pooled(self._hidden(batch, read), batch["mask"], self.pooling)

    def _hidden(self, batch: Batch, read: int | None) -> torch.Tensor:
        """The last layer's states (n, t, d), for the first `read` positions where that saves work."""
        segments = {"token_type_ids": batch["segments"]} if "segments" in batch else {}
        if not self._bert_shaped:
            out = self.backbone(input_ids=batch["ids"], attention_mask=batch["mask"].long(), **segments)
            return out.last_hidden_state if read is None else out.last_hidden_state[:, :read]  # type: ignore[no-any-return]
        hidden = self.backbone.embeddings(input_ids=batch["ids"], **segments)
        project = getattr(self.backbone, "embeddings_project", None)  # ELECTRA's small embeddings
        hidden = hidden if project is None else linear(project, hidden)
        bias = score_bias(self.backbone, hidden, batch["mask"])
        layers = self.backbone.encoder.layer
        for layer in layers[:-1]:
            hidden = bert_layer(layer, hidden, bias)
        return bert_layer(layers[-1], hidden, bias, read)

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the embeddings upwards, one group per layer."""
        groups = [list(layer.parameters()) for layer in layers_of(self.backbone) or ()]
        seen = {id(p) for group in groups for p in group}
        below = [p for p in self.backbone.parameters() if id(p) not in seen]
        return [below, *groups]

    def word_embeddings(self) -> nn.Embedding:
        """The token embedding, most rows of which a batch leaves alone."""
        return self.backbone.get_input_embeddings()  # type: ignore[no-any-return]

    def save(self, folder: Path) -> None:
        """Write a folder that `AutoModel` and, unless there are label words, `SentenceTransformer` open."""
        self.tokenizer.model_max_length = self.max_length
        with quiet_transformers():
            self.backbone.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        _mend_merges(self.tokenizer, folder / "bpe.codes")
        if self.prefix is None:
            write_sentence_transformer(
                folder, dimension=self.dimension, pooling=self.pooling, max_length=self.max_length
            )
        words = list(self.prefix.words) if self.prefix else None
        options = {"pooling": self.pooling, "max_length": self.max_length, "label_words": words}
        write_json(folder / "encoder.json", options)

    @classmethod
    def load(cls, folder: Path) -> "TransformerEncoder":
        """Open what `save` wrote."""
        path = folder / "encoder.json"
        with not_whole(path, "transformer encoder"):
            options = read_saved_options(path, "transformer", TransformerOptions, read_json(path))
            return cls.pretrained(str(folder), **asdict(options))
