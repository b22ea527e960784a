"""From a recipe to the modules it names: encoder, network, objective."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affekt.data import catalog
from affekt.data.corpus import Corpus
from affekt.data.label_words import label_words
from affekt.data.taxonomies import SENTIMENT
from affekt.encoders import Encoder, Order
from affekt.encoders.kinds import ENCODERS
from affekt.errors import DataError, RecipeError
from affekt.files import of_run
from affekt.inference.model import load
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import LabelSpanHead, Projection, build_head, set_bias_to_prior, start_as
from affekt.networks.network import TASK, Network
from affekt.recipe.objectives import ClassifyLoss
from affekt.recipe.parts import EncoderSpec, HeadSpec
from affekt.recipe.sections import Recipe
from affekt.training.objectives import LogitLoss, Objective, build_objective


def build_encoder(spec: EncoderSpec, train: Corpus, seed: int) -> Encoder:
    """Make the encoder: from pretrained weights, or fitted on the training texts."""
    kind = ENCODERS[spec.kind]
    _check_encoder(spec, kind)
    order = Order(
        texts=train.texts,
        seed=seed,
        name=of_run(spec.name),
        revision=spec.revision,
        pooling=spec.pooling,
        max_length=spec.max_length,
        label_words=None if spec.label_words is None else label_words(spec.label_words, train.labels),
        vectors=_vectors_path(spec.vectors) if spec.vectors else None,
        options=spec.options,
        layers=spec.layers,
    )
    return kind.from_order(order)


def _check_encoder(spec: EncoderSpec, kind: type[Encoder]) -> None:
    """Refuse keys that this kind of encoder would not read."""
    if spec.label_words is not None and not kind.takes_label_words:
        raise RecipeError(f"encoder.label_words: a {spec.kind} takes none; only a transformer does.")
    if spec.vectors is not None and not kind.takes_vectors:
        able = ", ".join(name for name, other in ENCODERS.items() if other.takes_vectors)
        raise RecipeError(f"encoder.vectors: a {spec.kind} reads no word vectors; {able} do.")
    if spec.layers is not None and not kind.takes_layers:
        able = ", ".join(name for name, other in ENCODERS.items() if other.takes_layers)
        raise RecipeError(f"encoder.layers: a {spec.kind} is not cut to some of its layers; a {able} is.")
    if spec.options and not kind.takes_options:
        raise RecipeError(f"encoder.options: a {spec.kind} has none, but {', '.join(spec.options)} is given.")


def _vectors_path(vectors: str) -> Path:
    """The path of a word-vector file, or of a known data set of vectors."""
    if Path(vectors).exists():
        return Path(vectors)
    found = catalog.find(vectors) if vectors in catalog.DATASETS else None
    if found is None:
        raise DataError(
            f"encoder.vectors = {vectors!r}: no such file, and no data set of that name under $AFFEKT_DATA."
        )
    return found


def _with_head(encoder: Any, spec: HeadSpec, train: Corpus) -> Network:
    if spec.kind == "label-span" and getattr(encoder, "prefix", None) is None:
        raise RecipeError(
            "head.kind = 'label-span': reads label words before the text; set encoder.label_words to labels "
            "and encoder.kind to transformer."
        )
    head = build_head(
        encoder, len(train.labels), kind=spec.kind, dropout=spec.dropout, activation=spec.activation
    )
    if spec.bias == "prior":
        where: Any = head if isinstance(head, LabelSpanHead) else head.out
        set_bias_to_prior(where, np.asarray(train.targets), single_label=train.single_label)
    return Network(encoder, head)


def _start_known(network: Network, recipe: Recipe, corpora: Mapping[str, Corpus]) -> None:
    """Start the heads at what the model in encoder.name knows of their labels; RecipeError if it is none."""
    start = load(recipe.encoder.name)
    other = start.runtime.network.head if isinstance(start.runtime, TorchRuntime) else None
    heads = {TASK: network.classifier, **network.further}
    began = [start_as(heads[task], other, corpus.labels, start.labels) for task, corpus in corpora.items()]
    if not any(began):
        raise RecipeError(
            f"head.start = 'known': {recipe.encoder.name} has no head of this form with a label of the data; "
            "name such a model in encoder.name, set head.activation as it has it, or leave head.start out."
        )


def build_network(recipe: Recipe, train: Corpus, further: Mapping[str, Corpus] | None = None) -> Network:
    """Make encoder, heads and projection; an objective without classification gets no head.

    Args:
        recipe: What to do.
        train: The training texts, of the main corpus where there are several.
        further: Those of the others, by task.
    """
    torch.manual_seed(recipe.training.start)
    encoder = _training_encoder(recipe, recipe.encoder, train, recipe.training.start)
    objective = recipe.objective
    has_head = objective.classifies and not objective.fits_head
    network = _with_head(encoder, recipe.head, train) if has_head else Network(encoder)
    if objective.space is not None:
        network.projection = Projection(encoder.dimension, **objective.space.model_dump())
    for task, corpus in (further or {}).items():
        network.add_head(task, _with_head(encoder, recipe.head, corpus).classifier)
    if has_head and recipe.head.start == "known":
        _start_known(network, recipe, {TASK: train, **(further or {})})
    return network


def _training_encoder(recipe: Recipe, spec: EncoderSpec, train: Corpus, seed: int) -> Any:
    """Make an encoder as it starts into training, its word embeddings fixed where the recipe says so."""
    encoder: Any = build_encoder(spec, train, seed)
    if recipe.training.frozen_embeddings and hasattr(encoder, "word_embeddings"):
        encoder.word_embeddings().weight.requires_grad_(False)
    return encoder


def objective_for(
    recipe: Recipe,
    network: Network,
    train: Corpus,
    weighting_train: Corpus | None = None,
    further: Mapping[str, Corpus] | None = None,
) -> Objective:
    """Make the objective, with its weights per label and any second network.

    Args:
        recipe: What to do.
        network: What is trained.
        train: The training texts as the network reads them.
        weighting_train: The same as Ψ reads them, where it has a normalisation of its own.
        further: Training texts of further corpora, by task.
    """
    spec = recipe.objective
    corpora = {TASK: train, **(further or {})}
    losses = {
        task: LogitLoss(
            spec if isinstance(spec, ClassifyLoss) else ClassifyLoss(),
            single_label=corpus.single_label,
            label_weights=label_weights(corpus)
            if getattr(spec, "class_weights", "none") == "balanced"
            else None,
            groups=label_groups(corpus.labels),
            weight=of_corpus.weight,
        )
        for (task, corpus), of_corpus in zip(corpora.items(), recipe.corpora, strict=False)
    }
    weighting = None
    if spec.weighting_network is not None:
        encoder_spec, head_spec = spec.weighting_network
        texts = weighting_train or train
        encoder = _training_encoder(recipe, encoder_spec, texts, recipe.training.start + 1)
        weighting = _with_head(encoder, head_spec, texts)
    return build_objective(spec, network, losses, weighting)


def label_weights(train: Corpus) -> torch.Tensor:
    """N / (k · n_label), with N labels given in all: rare ones weigh more; 1 where all are equally many."""
    counts = np.maximum(np.asarray(train.targets).sum(0), 1.0)
    return torch.as_tensor(counts.sum() / (len(counts) * counts), dtype=torch.float32)


def label_groups(labels: tuple[str, ...]) -> torch.Tensor | None:
    """The sentiment group of each label, where all of them stand in GoEmotions' hierarchy."""
    group_of = {label: i for i, members in enumerate(SENTIMENT.groups.values()) for label in members}
    if not all(label in group_of for label in labels):
        return None
    return torch.tensor([group_of[label] for label in labels])
