"""What the training tests share: an encoder of a few numbers, and recipes that train within a second."""

import csv
from pathlib import Path
from typing import Any

import torch
from torch import nn

from affekt.encoders import Batch, Encoded, Encoder
from affekt.networks.heads import ClassificationHead, Projection
from affekt.networks.network import TASK, Network
from affekt.recipe.read import parse_recipe
from affekt.recipe.sections import Recipe

WORDS = 30
TEXTS = ["so happy", "very very sad", "angry at all of it", "happy and sad", "what", "love love love it so"]
TARGETS = torch.tensor(
    [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]],
    dtype=torch.float64,
)
SINGLE = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 0, 3, 1]]


class ToyEncoder(Encoder):
    """The mean of word vectors, through one layer; words are told apart by the sum of their letters."""

    def __init__(self, dimension: int = 6, dropout: float = 0.0) -> None:
        super().__init__()
        self.dimension = dimension
        self.words = nn.Embedding(WORDS, dimension)
        self.dense = nn.Linear(dimension, dimension)
        self.dropout = nn.Dropout(dropout)

    def tokenize(self, texts: list[str]) -> list[list[int]]:
        return [[1 + sum(map(ord, word)) % (WORDS - 1) for word in text.split()] or [0] for text in texts]

    def collate(self, rows: list[list[int]]) -> Batch:
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        return {"ids": ids, "mask": ids > 0}

    def forward(self, batch: Batch) -> Encoded:
        weights = batch["mask"][:, :, None].to(self.words.weight.dtype)
        mean = (self.words(batch["ids"]) * weights).sum(1) / weights.sum(1).clamp(min=1)
        return Encoded(self.dropout(torch.tanh(self.dense(mean))))

    def layer_groups(self) -> list[list[nn.Parameter]]:
        return [[self.words.weight], list(self.dense.parameters())]

    def word_embeddings(self) -> nn.Embedding:
        return self.words


def network(
    seed: int = 0, *, labels: int = 4, head: bool = True, projection: bool = False, dropout: float = 0.0
) -> Network:
    """A toy network in double precision."""
    torch.manual_seed(seed)
    made = Network(ToyEncoder(dropout=dropout))
    if head:
        made.heads[TASK] = ClassificationHead(6, labels, dropout=dropout)
        nn.init.normal_(made.classifier.out.weight)
    if projection:
        made.projection = Projection(6, 3, hidden=5, dropout=dropout)
    return made.double()


def batch_of(made: Network, texts: list[str] | None = None) -> Batch:
    """A collated batch of texts."""
    encoder = made.encoder
    return encoder.collate(encoder.tokenize(TEXTS if texts is None else texts))  # type: ignore[no-any-return]


def recipe(**sections: Any) -> Recipe:
    """A recipe that says only what a test is about."""
    return parse_recipe({"name": "tiny", **sections})


def sample_files(folder: Path) -> dict[str, Any]:
    """Write a small share of the bundled sample, as many texts of each emotion; return the data section."""
    from affekt.data import catalog

    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    several = catalog.load("sample-multilabel")
    for split, corpus in catalog.load("sample").items():
        classes, wanted = corpus.class_indices(), 7 if split == "train" else 4
        rows = [i for i, one in enumerate(classes) if (classes[:i] == one).sum() < wanted]
        paths[split] = folder / f"{split}.csv"
        with paths[split].open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "emotion", "emotions"])
            for i in rows:
                held = several[split].targets[i] > 0
                names = [name for name, there in zip(corpus.labels, held, strict=True) if there]
                writer.writerow([corpus.texts[i], corpus.labels[classes[i]], "|".join(names)])
    return {**{split: str(path) for split, path in paths.items()}, "labels": "emotion"}


SEVERAL = {"labels": "emotions", "separator": "|"}  # over the section of `sample_files`


def run_recipe(encoder: str | Path, data: dict[str, Any], /, **sections: Any) -> Recipe:
    """A recipe for a whole run with a tiny encoder."""
    told = {
        "data": data,
        "encoder": {"name": str(encoder), "max_length": 12},
        "objective": {"kind": "classify"},
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 2e-3, "checkpoint_seconds": 0},
        "examples": ["so happy"],
    }
    merged = {name: {**told[name], **value} if name in told else value for name, value in sections.items()}
    if sections.get("objective", {}).get("kind", "classify") != "classify":
        merged["objective"] = sections["objective"]
    return parse_recipe({"name": "tiny", **told, **merged})
