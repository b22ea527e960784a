"""The mean of weighted token vectors: no layers, so thousands of texts a second; opens in model2vec too."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from affekt.encoders import Batch, Encoded, Encoder, Order
from affekt.encoders.pretrained import load_pretrained
from affekt.encoders.saving import Size, read_options, read_saved_options, read_tensors
from affekt.errors import ModelError, not_whole
from affekt.files import read_json, write_json
from affekt.text.pieces import unknown_id
from affekt.text.surrogates import paired

_COMMON = 1e-3  # the share of all tokens from which a token starts to weigh less than half


@dataclass(frozen=True)
class StaticOptions:
    """What a `StaticEncoder` is made of.

    Attributes:
        dimension: Width of the vectors; of the encoder it starts from at most.
        max_length: Tokens read of a text.
    """

    dimension: Size = 128
    max_length: Size = 128


class StaticEncoder(Encoder):
    """v = Σ w_t e_t / n over the n tokens of a text, with a vector e and a weight w for each token.

    A token that the tokenizer does not know is left out; a text with none other is the zero vector. Once
    trained, weight and vector are one vector in 16 bits, as they are saved.

    Args:
        tokenizer: Of the `tokenizers` library; it cuts texts into as many tokens as are read.
        vectors: (V, d), one for each token.
        weights: (V,) where they start; 1 for all unless said.
        max_length: Tokens read of a text.
    """

    kind = "static"
    has_name = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        vectors: torch.Tensor,
        weights: torch.Tensor | None = None,
        *,
        max_length: int = 128,
    ) -> None:
        super().__init__()
        self.tokenizer, self.unknown = tokenizer, unknown_id(tokenizer)
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)
        count, self.dimension = vectors.shape
        self.options = StaticOptions(dimension=self.dimension, max_length=max_length)
        self.filler = count  # fills rows up; its vector is zero
        self.embedding = nn.Embedding(count + 1, self.dimension, padding_idx=count)
        self.weights = nn.Parameter(torch.ones(count + 1))
        with torch.no_grad():
            self.embedding.weight[:count] = vectors
            if weights is not None:
                self.weights[:count] = weights

    @classmethod
    def from_order(cls, order: Order) -> "StaticEncoder":
        """Start from the token vectors of an encoder, or go on with a static one."""
        options = read_options(cls.kind, StaticOptions, {"max_length": order.max_length, **order.options})
        described = Path(order.name) / "encoder.json"
        with not_whole(described, "description of an encoder"):
            is_static = described.exists() and read_json(described).get("kind") == cls.kind
        if is_static:
            return cls.load(Path(order.name))
        backbone, tokenizer = load_pretrained(order.name, order.revision)
        fast = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(fast, Tokenizer):
            raise ModelError(
                f"encoder.name: the tokenizer of {order.name!r} is plain Python, and a static encoder needs "
                "one of the tokenizers library; start from another encoder."
            )
        own = Tokenizer.from_str(fast.to_str())
        table = backbone.get_input_embeddings().weight.detach()[: own.get_vocab_size()]
        made = cls(own, _principal(table, options.dimension), max_length=options.max_length)
        with torch.no_grad():
            made.weights[: len(table)] = _rarity(made.tokenize(order.texts), len(table))
        return made

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, without special tokens and unknown ones."""
        found = self.tokenizer.encode_batch_fast([paired(text) for text in texts], add_special_tokens=False)
        rows = [[i for i in one.ids if i != self.unknown] for one in found]
        return [row or [self.filler] for row in rows]

    def collate(self, rows: Sequence[list[int]]) -> Batch:
        """Return `ids` and `mask`, each (n, t)."""
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.filler] * (width - len(row)) for row in rows])
        return {"ids": ids, "mask": ids != self.filler}

    def forward(self, batch: Batch) -> Encoded:
        """Return the mean vectors (n, d)."""
        ids = batch["ids"]
        vectors = self.embedding(ids) * self.weights[ids][:, :, None]
        if not self.training:
            vectors = vectors.half().float()
        present = batch["mask"][:, :, None]
        total = torch.where(present, vectors, 0.0).sum(dim=1)
        return Encoded(total / present.sum(dim=1).clamp(min=1))

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Vectors and weights."""
        return [list(self.parameters())]

    def word_embeddings(self) -> nn.Embedding:
        """The token vectors, most rows of which a batch leaves alone."""
        return self.embedding

    def save(self, folder: Path) -> None:
        """Write model.safetensors, tokenizer.json and config.json as model2vec has them, and encoder.json."""
        table = (self.embedding.weight * self.weights[:, None])[: self.filler].detach().cpu().half()
        save_file({"embeddings": table.contiguous()}, folder / "model.safetensors")
        self.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        config = {"model_type": "model2vec", "architectures": ["StaticModel"], "normalize": False}
        config |= {"max_length": self.options.max_length, "embedding_dtype": "float16"}
        write_json(folder / "config.json", config)
        described = {"format": 1, "kind": self.kind, "options": asdict(self.options)}
        write_json(folder / "encoder.json", described)

    @classmethod
    def load(cls, folder: Path) -> "StaticEncoder":
        """Open what `save` wrote, set to evaluation."""
        path = folder / "encoder.json"
        with not_whole(folder, "static encoder"):
            options = read_saved_options(path, cls.kind, StaticOptions, read_json(path)["options"])
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            table = read_tensors(folder / "model.safetensors")["embeddings"]
            if len(table) != tokenizer.get_vocab_size() or table.shape[1] != options.dimension:
                raise ModelError(
                    f"{folder}: its token vectors fit another tokenizer; copy or train it again."
                )
            made = cls(tokenizer, table.float(), max_length=options.max_length)
            made.eval()
            return made


def _principal(table: torch.Tensor, dimension: int) -> torch.Tensor:
    """Return the first principal components of token vectors, scaled to a mean length of 1."""
    centred = (table - table.mean(dim=0)).double().numpy()
    _, directions = np.linalg.eigh(centred.T @ centred)  # the widest last
    found = centred @ directions[:, ::-1][:, :dimension]
    return torch.as_tensor(found / max(np.linalg.norm(found, axis=1).mean(), 1e-12), dtype=torch.float32)


def _rarity(rows: Sequence[Sequence[int]], count: int) -> torch.Tensor:
    """Return a / (a + p) with p each token's share of the texts, scaled so that a running token has 1."""
    ids = np.concatenate([np.zeros(0, dtype=np.int64), *(np.asarray(row) for row in rows)])
    counts = np.bincount(ids[ids < count], minlength=count) + 1.0
    weights = _COMMON / (_COMMON + counts / counts.sum())
    return torch.as_tensor(weights * counts.sum() / (weights @ counts), dtype=torch.float32)
