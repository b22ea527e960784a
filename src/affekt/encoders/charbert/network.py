"""CharBERT's network (Ma et al. 2020): two channels through one transformer, fused after every layer.

The token channel starts from a plain encoder's embeddings, the character channel from a recurrent reading of
all characters of the text. Both pass the same layers with the same mask; after each layer, with a and d the
outputs of the token and the character channel:

    m = Conv1d(2H -> H, kernel 3, padding 1)([W_w a ; W_c d])
    token <- LN_w(m + a)        character <- LN_c(m + d)

Unusual here: the two channels are stacked along the batch, so that a layer is called once for both. What the
published checkpoints were trained with (the recurrence and the convolution read padding) is kept under
`compatible`; otherwise padding changes nothing.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import nn
from transformers import BertConfig, BertModel, PretrainedConfig, PreTrainedModel, RobertaConfig, RobertaModel

from affekt.encoders import Batch
from affekt.encoders.fast import bert_layer, padding_bias
from affekt.encoders.saving import check_weights
from affekt.errors import ModelError, unknown_name

# The families whose embeddings and layers have the form CharBERT builds on, by their config's model_type.
FAMILIES: dict[str, tuple[type[PretrainedConfig], type[PreTrainedModel]]] = {
    "bert": (BertConfig, BertModel),
    "roberta": (RobertaConfig, RobertaModel),
}
CHARACTER_SIZE = 256


class Channels(NamedTuple):
    """The two channels' hidden states, (n, t, H) each."""

    tokens: torch.Tensor
    characters: torch.Tensor


@dataclass(frozen=True)
class Shape:
    """What the network's form depends on beside the plain encoder's config.

    Attributes:
        characters: rows of the character embedding.
        character_size: its width.
        norms: pairs of fusion norms: 1, which all layers share as published, or one per layer when grown.
        compatible: padding is read by the recurrence and the convolution, as the published code does.
    """

    characters: int
    character_size: int = CHARACTER_SIZE
    norms: int = 1
    compatible: bool = False


class CharacterChannel(nn.Module):
    """Characters to one vector per piece: the recurrent outputs at its first and at its last character.

    The two directions are separate GRUs; the backward one reads each text reversed within its own length, so
    padding is never read before text. Packed sequences would give the same, at two thirds of the speed.
    """

    def __init__(self, shape: Shape, hidden: int) -> None:
        super().__init__()
        constant = 0 if shape.compatible else None  # published: row 0 keeps its values, which are not zero
        self.embedding = nn.Embedding(shape.characters, shape.character_size, padding_idx=constant)
        self.forward_gru = nn.GRU(shape.character_size, hidden // 4, batch_first=True)
        self.backward_gru = nn.GRU(shape.character_size, hidden // 4, batch_first=True)

    def forward(
        self, characters: torch.Tensor, lengths: torch.Tensor, firsts: torch.Tensor, lasts: torch.Tensor
    ) -> torch.Tensor:
        """Return (n, t, H) from characters (n, c), their counts (n,) and the pieces' spans (n, t)."""
        steps = torch.arange(characters.shape[1], device=characters.device)
        counts = lengths[:, None]
        reverse = torch.where(steps < counts, counts - 1 - steps, steps)  # (n, c)
        onward, _ = self.forward_gru(self.embedding(characters))  # (n, c, H/4)
        backward, _ = self.backward_gru(self.embedding(characters.gather(1, reverse)))
        parts = [
            _take(output, places)
            for ends in (firsts, lasts)
            for output, places in ((onward, ends), (backward, counts - 1 - ends))
        ]
        return torch.cat(parts, dim=-1)


def _take(sequence: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return sequence[i, places[i]] for every row i: (n, c, h) and (n, t) to (n, t, h)."""
    return sequence.gather(1, places[..., None].expand(-1, -1, sequence.shape[-1]))


class Fusion(nn.Module):
    """What the channels tell each other after a layer; one convolution for all layers."""

    def __init__(self, hidden: int, norms: int, epsilon: float) -> None:
        super().__init__()
        self.token_linear = nn.Linear(hidden, hidden, bias=False)
        self.character_linear = nn.Linear(hidden, hidden, bias=False)
        self.convolution = nn.Conv1d(2 * hidden, hidden, kernel_size=3, padding=1)
        self.token_norms = nn.ModuleList(nn.LayerNorm(hidden, eps=epsilon) for _ in range(norms))
        self.character_norms = nn.ModuleList(nn.LayerNorm(hidden, eps=epsilon) for _ in range(norms))

    def forward(self, channels: Channels, layer: int, mask: torch.Tensor | None) -> Channels:
        """Fuse the outputs of a layer; positions where the mask (n, t) is 0 tell their neighbours nothing."""
        tokens, characters = channels
        both = torch.cat([self.token_linear(tokens), self.character_linear(characters)], dim=-1)
        if mask is not None:
            both = both * mask[..., None].to(both.dtype)
        shared = self.convolution(both.transpose(1, 2)).transpose(1, 2)
        at = layer % len(self.token_norms)
        return Channels(self.token_norms[at](shared + tokens), self.character_norms[at](shared + characters))


class CharBert(nn.Module):
    """A plain encoder, whose layers serve both channels, the character channel, the fusion."""

    plain: Any  # a BertModel or RobertaModel; torch's stubs would have its parts be tensors

    def __init__(self, plain: PreTrainedModel, shape: Shape) -> None:
        super().__init__()
        config = plain.config
        self.shape = shape
        self.plain = plain
        self.characters = CharacterChannel(shape, config.hidden_size)
        self.fusion = Fusion(config.hidden_size, shape.norms, config.layer_norm_eps)

    def forward(self, batch: Batch, read: int | None = None) -> Channels:
        """Return both channels of the last layer, at the first `read` positions (all when None).

        A batch has what `CharBertEncoder.collate` makes, and `segments` (n, t) where they are not all 0.
        """
        plain, mask = self.plain, batch["mask"]
        tokens = plain.embeddings(input_ids=batch["ids"], token_type_ids=batch.get("segments"))
        characters, counts = batch["characters"], batch["counts"]
        if self.shape.compatible:
            counts = torch.full_like(counts, characters.shape[1])
        spelled = self.characters(characters, counts, batch["firsts"], batch["lasts"])
        channels = Channels(tokens, spelled)
        bias = padding_bias(mask, tokens.dtype)
        bias = None if bias is None else torch.cat([bias, bias])

        depth = len(plain.encoder.layer)
        for number, layer in enumerate(plain.encoder.layer):
            # the convolution looks one position beyond those that are read
            wanted = read + 1 if read is not None and number == depth - 1 else None
            hidden = bert_layer(layer, torch.cat(channels), bias, wanted)  # (2n, t, H)
            told = None if self.shape.compatible else mask[:, : hidden.shape[1]]
            channels = self.fusion(Channels(*hidden.chunk(2)), number, told)
        return Channels(*(channel[:, :read] for channel in channels))

    def pooled(self, channels: Channels) -> Channels:
        """Return the plain encoder's pooler on both channels, (n, H) each."""
        pooler = self.plain.pooler
        if pooler is None:
            raise ModelError("this CharBERT has no pooler: the plain encoder it was grown from had none.")
        return Channels(pooler(channels.tokens), pooler(channels.characters))


def family(config: PretrainedConfig) -> tuple[type[PretrainedConfig], type[PreTrainedModel]]:
    """Return the config and model classes of a supported family, else raise ModelError."""
    kind = str(config.model_type)
    if kind not in FAMILIES:
        raise ModelError(unknown_name("encoder family for CharBERT", kind, FAMILIES))
    if config.hidden_size % 4:
        raise ModelError(f"hidden_size {config.hidden_size} is not a multiple of 4, as CharBERT needs.")
    return FAMILIES[kind]


def grow(plain: PreTrainedModel, characters: int, *, character_size: int = CHARACTER_SIZE) -> CharBert:
    """Return a CharBERT whose token channel equals a plain encoder at the start; the plain one is copied.

    The convolution starts at zero, so m = 0 and the channels start apart; W_w and W_c start as the identity.
    LN_w would still rescale a layer's output, which has that layer's own gain and bias. So these move: the
    last norm of layer i gets gain 1 and bias 0, and the fusion norms after layer i get what it had.
    Normalising a normalised vector changes nothing, so the token channel is exact at the start. A pair of
    norms for each layer is the one departure from the published form, where all layers share a pair.
    """
    family(plain.config)
    copied: Any = copy.deepcopy(plain)
    layers = copied.encoder.layer
    network = CharBert(copied, Shape(characters, character_size, norms=len(layers)))
    fusion = network.fusion
    with torch.no_grad():
        nn.init.zeros_(fusion.convolution.weight)
        nn.init.zeros_(cast(torch.Tensor, fusion.convolution.bias))
        nn.init.eye_(fusion.token_linear.weight)
        nn.init.eye_(fusion.character_linear.weight)
        for layer, *norms in zip(layers, fusion.token_norms, fusion.character_norms, strict=True):
            last = layer.output.LayerNorm
            for norm in norms:
                norm.load_state_dict(last.state_dict())
            nn.init.ones_(last.weight)
            nn.init.zeros_(last.bias)
    return network


# How names here begin, and how they begin in published state dicts (below an optional "bert." or "roberta.").
_PUBLISHED = (
    ("characters.embedding.", "char_embeddings.char_embeddings."),
    ("characters.forward_gru.", "char_embeddings.rnn_layer."),
    ("characters.backward_gru.", "char_embeddings.rnn_layer."),
    ("fusion.token_linear.", "encoder.word_linear1."),
    ("fusion.character_linear.", "encoder.char_linear1."),
    ("fusion.convolution.", "encoder.fusion_layer."),
    ("fusion.token_norms.0.", "encoder.word_norm."),
    ("fusion.character_norms.0.", "encoder.char_norm."),
    ("plain.", ""),
)
_PARTS = ("embeddings.", "char_embeddings.", "encoder.", "pooler.")  # all other keys belong to heads
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")  # stored by old versions of transformers
_FORM = re.compile(r"^(module\.)?((bert|roberta)\.)?")
_CONVOLUTION = re.compile(r"^encoder\.fusion_layer(_list\.\d+)?\.")


def published_name(name: str) -> str:
    """Return the published name of a tensor of `CharBert`.

    >>> published_name("characters.backward_gru.weight_ih_l0")
    'char_embeddings.rnn_layer.weight_ih_l0_reverse'
    """
    ours, theirs = next(pair for pair in _PUBLISHED if name.startswith(pair[0]))
    return theirs + name.removeprefix(ours) + ("_reverse" if ours == "characters.backward_gru." else "")


def encoder_weights(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the encoder's part of a published state dict, without its first name and without heads.

    The convolution that all layers share, stored once or once per layer, is `encoder.fusion_layer`.
    """
    weights: dict[str, torch.Tensor] = {}
    for key, tensor in state_dict.items():
        name = _FORM.sub("", key)
        if not name.startswith(_PARTS) or name in _BUFFERS:
            continue
        first = weights.setdefault(_CONVOLUTION.sub("encoder.fusion_layer.", name), tensor)
        if first is not tensor and not _same(first, tensor):
            raise ModelError(
                f"{key} differs from the state dict's other copies of it: CharBERT's layers share one fusion "
                "convolution, so this state dict is not one of its checkpoints."
            )
    return weights


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are equal; of tensors without values (device "meta") only the shape counts."""
    if one.is_meta or other.is_meta:
        return one.shape == other.shape
    return torch.equal(one, other)


def from_published(
    state_dict: Mapping[str, torch.Tensor], config: PretrainedConfig, *, compatible: bool = False
) -> CharBert:
    """Return the network of a published checkpoint; heads are ignored, all else must fit.

    Names may begin with "bert." or "roberta."; the config is that of bert-base-cased or roberta-base.
    """
    weights = encoder_weights(state_dict)
    model: Any = family(config)[1]
    table = weights.get("char_embeddings.char_embeddings.weight")
    if table is None or table.dim() != 2:
        raise ModelError(
            "the state dict has no matrix char_embeddings.char_embeddings.weight, so it holds no character "
            "channel: grow one from the plain encoder instead."
        )
    plain = model(config, add_pooling_layer="pooler.dense.weight" in weights)
    network = CharBert(plain, Shape(table.shape[0], table.shape[1], compatible=compatible))
    names = {name: published_name(name) for name in network.state_dict()}
    check_weights(
        weights, {names[name]: tensor for name, tensor in network.state_dict().items()}, "the state dict"
    )
    network.load_state_dict({ours: weights[theirs] for ours, theirs in names.items()}, assign=table.is_meta)
    return network
