"""CharBERT (Ma et al. 2020): an encoder that sees the characters of each word-piece beside the piece.

Made from a plain encoder (`from_plain`: the token channel is copied, the character channel is new), from a
published checkpoint's state dict (`load_published`), or from a folder that `save` wrote (`load`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from transformers import PretrainedConfig

from affekt.encoders import Batch, Encoded, Encoder, Order, pooled
from affekt.encoders.charbert.characters import (
    REFERENCE_CHARACTERS,
    CharacterReader,
    CharacterRow,
    CharacterVocabulary,
    ReferenceReader,
)
from affekt.encoders.charbert.network import CHARACTER_SIZE, FAMILIES, CharBert, Shape, from_published, grow
from affekt.encoders.charbert.published import is_published, read_published
from affekt.encoders.fast import use_fast_dropout
from affekt.encoders.pretrained import check_vocabulary, load_pretrained, load_tokenizer
from affekt.encoders.saving import Size, read_saved_options, read_tensors, restore
from affekt.encoders.transformer import POOLINGS, longest_input
from affekt.errors import ModelError, RecipeError, UsageError, not_whole, unknown_name
from affekt.files import read_json, write_json, written_aside

FORMAT = 1
GROWING = ("vocabulary", "character_size")  # options of a CharBERT that is grown
FUSION_RATE = 0.1  # of the encoder's rate, for a fusion that starts at zero


@dataclass(frozen=True)
class CharBertOptions:
    """How a `CharBertEncoder` reads texts."""

    max_length: Size = 128
    pooling: Literal["mean", "cls"] = "mean"


class CharBertEncoder(Encoder):
    """Texts to vectors through the token and the character channel, joined: vectors are 2H wide.

    Args:
        network: the network; where it is compatible, texts are read and padded as the published code does.
        tokenizer: the plain encoder's tokenizer, a fast one unless the network is compatible.
        vocabulary: the rows of the network's character embedding.
        max_length: longest input in pieces, special tokens included.
        pooling: "mean" over the text's positions (as in the paper, padding left out) or "cls", the first one.
    """

    kind = "charbert"
    has_name = True

    def __init__(
        self,
        network: CharBert,
        tokenizer: Any,
        vocabulary: CharacterVocabulary,
        *,
        max_length: int = 128,
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UsageError(unknown_name("pooling", pooling, POOLINGS))
        if len(vocabulary) > network.shape.characters:
            raise ModelError(
                f"the character vocabulary has {len(vocabulary)} rows and the character embedding only "
                f"{network.shape.characters}: give the vocabulary this CharBERT was trained with."
            )
        self.network, self.tokenizer, self.vocabulary, self.pooling = network, tokenizer, vocabulary, pooling
        self.max_length = int(min(max_length, longest_input(network.plain)))
        self.dimension = 2 * int(network.plain.config.hidden_size)
        self.newly_grown = False
        reader = ReferenceReader if network.shape.compatible else CharacterReader
        self._reader = reader(tokenizer, vocabulary, self.max_length)
        use_fast_dropout(network)
        if network.plain.pooler is not None:
            network.plain.pooler.requires_grad_(False)  # kept with the checkpoint, but no vector reads it

    @classmethod
    def from_plain(
        cls,
        plain: Any,
        tokenizer: Any = None,
        *,
        max_length: int = 128,
        pooling: str = "mean",
        vocabulary: CharacterVocabulary | str | Path | None = None,
        character_size: int = CHARACTER_SIZE,
    ) -> "CharBertEncoder":
        """Grow an encoder from a plain BERT or RoBERTa, whose outputs its token channel has at the start.

        A BertModel or RobertaModel is copied, and needs its tokenizer; a folder or a name has one. Characters
        may come as a file of them; None takes the default ones.
        """
        if isinstance(plain, str | Path):
            plain, own_tokenizer = load_pretrained(str(plain))
            tokenizer = tokenizer or own_tokenizer
        if tokenizer is None:
            raise UsageError("CharBertEncoder.from_plain needs the tokenizer of the model it is given.")
        if vocabulary is None:
            vocabulary = CharacterVocabulary.default()
        elif not isinstance(vocabulary, CharacterVocabulary):
            vocabulary = CharacterVocabulary.from_file(Path(vocabulary))
        network = grow(plain, len(vocabulary), character_size=character_size)
        encoder = cls(network, tokenizer, vocabulary, max_length=max_length, pooling=pooling)
        encoder.newly_grown = True
        return encoder

    @classmethod
    def from_order(cls, order: Order) -> "CharBertEncoder":
        """Open a saved or a published CharBERT to train on, or grow one from a plain encoder."""
        reading: dict[str, Any] = {"max_length": order.max_length, "pooling": order.pooling}
        folder = Path(order.name)
        if is_published(folder):
            return cls.load_published(**read_published(folder, order.options), **reading)
        if (folder / "config.json").exists() or not (folder / "encoder.json").exists():
            for option in order.options:
                if option not in GROWING:
                    raise RecipeError(f"encoder.options: {unknown_name('option', option, GROWING)}")
            backbone, tokenizer = load_pretrained(order.name, order.revision)
            return cls.from_plain(backbone, tokenizer, **reading, **order.options)
        if order.options:
            raise RecipeError(
                f"encoder.options: {', '.join(order.options)}: {folder} is a grown CharBERT already, "
                "its characters are settled; leave them out."
            )
        saved = cls.load(folder)
        return cls(saved.network, saved.tokenizer, saved.vocabulary, **reading).eval()

    @classmethod
    def load_published(
        cls,
        state_dict: Mapping[str, torch.Tensor],
        config: PretrainedConfig,
        tokenizer: Any,
        vocabulary: CharacterVocabulary,
        *,
        compatible: bool = False,
        **options: Any,
    ) -> "CharBertEncoder":
        """Make an encoder of a published checkpoint (BERT or RoBERTa form).

        Args:
            state_dict: the checkpoint's tensors; heads are ignored, all else must fit or ModelError names it.
            config: the plain encoder's config.
            tokenizer: the plain encoder's tokenizer.
            vocabulary: the published characters (`CharacterVocabulary.from_file`).
            compatible: read texts and padding exactly as the published code does, faults included.
            options: `max_length` and `pooling`.
        """
        network = from_published(state_dict, config, compatible=compatible)
        return cls(network, tokenizer, vocabulary, **options)

    def tokenize(self, texts: Sequence[str]) -> list[CharacterRow]:
        """Return the pieces, characters and spans of each text."""
        return self._reader.read(texts)

    def collate(self, rows: Sequence[CharacterRow]) -> Batch:
        """Pad rows to the longest, or in the compatible form to the maximum length.

        Returns:
            `ids`, `mask`, `firsts` and `lasts` (n, t), `characters` (n, c) and their `counts` (n,).
        """
        compatible = self.network.shape.compatible
        width = self.max_length if compatible else max(len(row) for row in rows)
        slots = REFERENCE_CHARACTERS * width if compatible else max(len(row.characters) for row in rows)
        lengths = np.array([len(row) for row in rows])
        arrays = {
            "ids": _padded([row.pieces for row in rows], width, self.tokenizer.pad_token_id or 0),
            "mask": np.arange(width) < lengths[:, None],
            "firsts": _padded([row.firsts for row in rows], width, 0),
            "lasts": _padded([row.lasts for row in rows], width, 0),
            "characters": _padded([row.characters for row in rows], slots, 0),
            "counts": np.array([len(row.characters) for row in rows]),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def forward(self, batch: Batch) -> Encoded:
        """Encode a batch, both channels side by side; with "cls" only the first position comes back."""
        read = 1 if self.pooling == "cls" else None
        return pooled(torch.cat(self.network(batch, read), dim=-1), batch["mask"], self.pooling)

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the parameters from the input upwards: the embeddings, then layer by layer.

        The fusion serves every layer and stands with the last. Of an encoder just grown it is in no group
        (see `slow_groups`), nor is the character channel: as new as the head, it learns at the head's rate.
        """
        network, plain = self.network, self.network.plain
        groups = [list(layer.parameters()) for layer in plain.encoder.layer]
        bottom = list(plain.embeddings.parameters())
        if not self.newly_grown:
            bottom += network.characters.parameters()
            groups[-1] += network.fusion.parameters()
        return [bottom, *groups]

    def slow_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Return parameters that learn at a share of the encoder's rate, with it: the fusion, if just grown.

        Its convolution starts at zero, sums 6 H inputs that Adam moves all at once, and serves every layer:
        at the rate of the others it drowns what the plain encoder knows within some dozen steps.
        """
        return [(list(self.network.fusion.parameters()), FUSION_RATE)] if self.newly_grown else []

    def word_embeddings(self) -> nn.Embedding:
        """Return the token embedding, most rows of which a batch leaves alone."""
        return self.network.plain.embeddings.word_embeddings  # type: ignore[no-any-return]

    def save(self, folder: Path) -> None:
        """Write encoder.safetensors, encoder.json and the tokenizer's files.

        There is no config.json: with one, `AutoModel` would open the folder and silently drop the character
        channel.
        """
        description = {
            "format": FORMAT,
            "kind": self.kind,
            "max_length": self.max_length,
            "pooling": self.pooling,
            **asdict(self.network.shape),
            "pooler": self.network.plain.pooler is not None,
            "plain": {k: v for k, v in self.network.plain.config.to_dict().items() if not k.startswith("_")},
            "vocabulary": self.vocabulary.to_json(),
        }
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.network.state_dict().items()}
        self.tokenizer.save_pretrained(folder)
        with written_aside(folder / "encoder.safetensors") as path:
            save_file(tensors, path, metadata={"format": "pt"})
        write_json(folder / "encoder.json", description)

    @classmethod
    def load(cls, folder: Path) -> "CharBertEncoder":
        """Open what `save` wrote, set to evaluation."""
        folder = Path(folder)
        with not_whole(folder, "CharBERT encoder"):
            description = read_json(folder / "encoder.json")
            network = _empty_network(description)
            vocabulary = CharacterVocabulary.from_json(description["vocabulary"])
            reading = {name: description[name] for name in ("max_length", "pooling")}
            options = read_saved_options(folder / "encoder.json", "charbert", CharBertOptions, reading)
            restore(network, read_tensors(folder / "encoder.safetensors"), folder / "encoder.safetensors")
            tokenizer = load_tokenizer(str(folder), str(folder))
            check_vocabulary(tokenizer, network.plain, str(folder))
            return cls(network, tokenizer, vocabulary, **asdict(options)).eval()


def _padded(rows: Sequence[NDArray[np.int32]], width: int, filler: int) -> NDArray[np.int64]:
    """Return the rows as a matrix (n, width), filled up on the right."""
    lengths = np.array([len(row) for row in rows])
    matrix = np.full((len(rows), width), filler, dtype=np.int64)
    matrix[np.arange(width) < lengths[:, None]] = np.concatenate(rows)
    return matrix


def _empty_network(description: dict[str, Any]) -> CharBert:
    """Return a network of the form that `CharBertEncoder.save` described."""
    kind, form = description["kind"], description["format"]
    if (kind, form) != ("charbert", FORMAT):
        raise ModelError(
            f"encoder.json describes {kind!r} in format {form}: wanted is 'charbert' in format {FORMAT}."
        )
    config_class, model = FAMILIES[description["plain"]["model_type"]]
    plain: Any = model(config_class.from_dict(description["plain"]), add_pooling_layer=description["pooler"])
    return CharBert(plain, Shape(**{field.name: description[field.name] for field in fields(Shape)}))
