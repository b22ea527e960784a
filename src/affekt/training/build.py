"""From a recipe to the things it names: corpora, network, objective."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affekt.data import catalog
from affekt.data.columns import Columns
from affekt.data.corpus import Corpus, read_splits, stratified_split
from affekt.data.label_words import label_words
from affekt.data.taxonomies import SENTIMENT, TAXONOMIES
from affekt.encoders.bag import TfidfEncoder, WordAverageEncoder
from affekt.encoders.characters import CharacterCnnEncoder
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.convolutional import WordCnnEncoder
from affekt.encoders.pretrained import known, load_pretrained
from affekt.encoders.recurrent import BiLstmEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.encoders.vectors import read_vectors
from affekt.errors import DataError, RecipeError, unknown_name
from affekt.networks.heads import LabelSpanHead, Projection, build_head, set_bias_to_prior
from affekt.networks.network import Network
from affekt.recipe.objectives import ClassifyLoss
from affekt.recipe.parts import EncoderSpec, HeadSpec
from affekt.recipe.sections import DataSpec, Recipe
from affekt.text import normalize
from affekt.training.objectives import LogitLoss, Objective, build_objective

_FITTED: dict[str, Any] = {
    "bilstm": BiLstmEncoder,
    "word-cnn": WordCnnEncoder,
    "character-cnn": CharacterCnnEncoder,
    "tfidf": TfidfEncoder,
    "word-average": WordAverageEncoder,
}
_ON_WORDS = ("bilstm", "word-cnn", "word-average")
_CHARBERT_OPTIONS = ("vocabulary", "character_size")


def style_of(recipe: Recipe, encoder: EncoderSpec | None = None) -> str:
    """The normalisation of an encoder's texts: the one the recipe names, or that encoder's own."""
    return recipe.data.style or known((encoder or recipe.encoder).name).style


def load_splits(spec: DataSpec, seed: int) -> dict[str, Corpus]:
    """Return train, dev and, where there is one, test; dev is cut from train where there is none."""
    if (spec.name is None) == (spec.train is None):
        raise RecipeError("data: give either data.name (a known data set) or data.train (a file).")
    if spec.name is not None and (spec.dev or spec.test or spec.split_column):
        raise RecipeError(
            f"data: {spec.name} has its own splits; dev, test and split_column go with data.train."
        )
    splits = catalog.load(spec.name) if spec.name else _read(spec)
    if spec.taxonomy is not None:
        if spec.taxonomy not in TAXONOMIES:
            raise RecipeError(f"data.taxonomy: {unknown_name('taxonomy', spec.taxonomy, TAXONOMIES)}")
        splits = {name: corpus.map_labels(TAXONOMIES[spec.taxonomy]) for name, corpus in splits.items()}
    splits = {name: _selected(corpus, spec) for name, corpus in splits.items()}
    splits = _with_dev(splits, spec, seed)
    if spec.train_share < 1:
        shares = {"train": spec.train_share, "rest": 1 - spec.train_share}
        kept = stratified_split(splits["train"], shares, seed)["train"]
        splits["train"] = replace(kept, split="train")
    return splits


def _read(spec: DataSpec) -> dict[str, Corpus]:
    columns = Columns(
        text=spec.text,
        labels=None if spec.label_columns else spec.labels,
        separator=spec.separator,
        label_columns=spec.label_columns,
        label_names=spec.label_names,
        single_label=spec.single_label,
        split_column=spec.split_column,
    )
    paths = {"train": spec.train, "dev": spec.dev, "test": spec.test}
    named = {name: path for name, path in paths.items() if path}
    if spec.split_column:
        return read_splits(str(spec.train), columns=columns, on_bad_row=spec.on_bad_row)
    return read_splits(named, columns=columns, on_bad_row=spec.on_bad_row)


def _selected(corpus: Corpus, spec: DataSpec) -> Corpus:
    if spec.single_rows:
        corpus = corpus.single_rows()
    if not spec.without:
        return corpus
    unknown = set(spec.without) - set(corpus.labels)
    if unknown:
        raise RecipeError(f"data.without: {', '.join(sorted(unknown))} is no label of {corpus.name}.")
    kept = [i for i, label in enumerate(corpus.labels) if label not in spec.without]
    rows = np.flatnonzero(np.asarray(corpus.targets)[:, kept].sum(1) > 0)
    left = corpus.select(rows)
    targets = left.targets[:, kept]
    if corpus.single_label:
        targets = targets / targets.sum(1, keepdims=True)  # shares of raters add up to 1 again
    return replace(left, targets=targets, labels=tuple(corpus.labels[i] for i in kept))


def _with_dev(splits: dict[str, Corpus], spec: DataSpec, seed: int) -> dict[str, Corpus]:
    """Cut a dev split, and with a single file a test split, from train; test rows stay test rows."""
    if "train" not in splits:
        raise DataError(f"{spec.name or spec.train}: has no train split, only {', '.join(splits)}.")
    if "dev" in splits:
        return splits
    shares = {"dev": spec.dev_share}
    if "test" not in splits:
        shares["test"] = spec.test_share
    if sum(shares.values()) >= 1:
        raise RecipeError(f"data.dev_share and data.test_share leave nothing to train on ({shares}).")
    cut = stratified_split(splits["train"], {"train": 1 - sum(shares.values()), **shares}, seed)
    return {**splits, **cut}


def normalised(corpus: Corpus, style: str) -> Corpus:
    """Return a corpus with every text in a normalisation style."""
    return (
        corpus
        if style == "none"
        else replace(corpus, texts=[normalize(text, style) for text in corpus.texts])
    )


def build_encoder(spec: EncoderSpec, train: Corpus, seed: int) -> Any:
    """Make the encoder: from pretrained weights, or fitted on the training texts."""
    _check_encoder(spec)
    if spec.kind == "transformer":
        return TransformerEncoder.pretrained(
            spec.name,
            revision=spec.revision,
            pooling=spec.pooling,
            max_length=spec.max_length,
            label_words=None if spec.label_words is None else label_words(spec.label_words, train.labels),
        )
    if spec.kind == "charbert":
        return _build_charbert(spec)
    vectors = read_vectors(_vectors_path(spec.vectors)) if spec.vectors else None
    options = {**spec.options, "seed": seed}
    if spec.kind in _ON_WORDS:
        options["vectors"] = vectors
    if spec.kind in {"bilstm", "word-cnn"}:
        options.setdefault("max_length", spec.max_length)
    return _FITTED[spec.kind].build(train.texts, **options)


def _check_encoder(spec: EncoderSpec) -> None:
    """Refuse keys that this kind of encoder would not read."""
    if spec.label_words is not None and spec.kind != "transformer":
        raise RecipeError(f"encoder.label_words: a {spec.kind} takes none; only a transformer does.")
    if spec.vectors is not None and spec.kind not in _ON_WORDS:
        raise RecipeError(f"encoder.vectors: a {spec.kind} reads no word vectors; {', '.join(_ON_WORDS)} do.")
    if spec.options and spec.kind == "transformer":
        raise RecipeError(f"encoder.options: a transformer has none, but {', '.join(spec.options)} is given.")


def _build_charbert(spec: EncoderSpec) -> Any:
    folder = Path(spec.name)
    if (folder / "encoder.json").exists() and not (folder / "config.json").exists():
        return _saved_charbert(folder, spec)  # with a config.json it is a plain encoder, to grow from
    for option in spec.options:
        if option not in _CHARBERT_OPTIONS:
            raise RecipeError(f"encoder.options: {unknown_name('option', option, _CHARBERT_OPTIONS)}")
    backbone, tokenizer = load_pretrained(spec.name, spec.revision)
    return CharBertEncoder.from_plain(
        backbone, tokenizer, max_length=spec.max_length, pooling=spec.pooling, **spec.options
    )


def _saved_charbert(folder: Path, spec: EncoderSpec) -> CharBertEncoder:
    """Open a saved CharBERT to train on, read and pooled as the recipe says."""
    if spec.options:
        raise RecipeError(
            f"encoder.options: {', '.join(spec.options)}: {folder} is a grown CharBERT already, "
            "its characters are settled; leave them out."
        )
    saved = CharBertEncoder.load(folder)
    return CharBertEncoder(
        saved.network,
        saved.tokenizer,
        saved.vocabulary,
        max_length=spec.max_length,
        pooling=spec.pooling,
    ).eval()


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


def build_network(recipe: Recipe, train: Corpus) -> Network:
    """Make encoder, head and projection; an objective without classification gets no head."""
    torch.manual_seed(recipe.training.seed)
    encoder = _training_encoder(recipe, recipe.encoder, train, recipe.training.seed)
    objective = recipe.objective
    has_head = objective.classifies and objective.by_gradients
    network = _with_head(encoder, recipe.head, train) if has_head else Network(encoder)
    if objective.space is not None:
        network.projection = Projection(encoder.dimension, **objective.space.model_dump())
    return network


def _training_encoder(recipe: Recipe, spec: EncoderSpec, train: Corpus, seed: int) -> Any:
    """Make an encoder as it starts into training, its word embeddings fixed where the recipe says so."""
    encoder = build_encoder(spec, train, seed)
    if recipe.training.frozen_embeddings and hasattr(encoder, "word_embeddings"):
        encoder.word_embeddings().weight.requires_grad_(False)
    return encoder


def objective_for(
    recipe: Recipe, network: Network, train: Corpus, weighting_train: Corpus | None = None
) -> Objective:
    """Make the objective, with its weights per label and any second network.

    Args:
        recipe: What to do.
        network: What is trained.
        train: The training texts as the network reads them.
        weighting_train: The same as Ψ reads them, where it has a normalisation of its own.
    """
    spec = recipe.objective
    loss = LogitLoss(
        spec if isinstance(spec, ClassifyLoss) else ClassifyLoss(),
        single_label=train.single_label,
        label_weights=label_weights(train) if getattr(spec, "class_weights", "none") == "balanced" else None,
        groups=label_groups(train.labels),
    )

    def weighting() -> Network:
        if spec.weighting_network is None:
            raise TypeError(f"a {spec.kind} objective has no weighting network")
        encoder_spec, head_spec = spec.weighting_network
        texts = weighting_train or train
        encoder = _training_encoder(recipe, encoder_spec, texts, recipe.training.seed + 1)
        return _with_head(encoder, head_spec, texts)

    return build_objective(spec, network, loss, weighting)


def weighting_texts(recipe: Recipe, train: Corpus) -> Corpus | None:
    """The training texts as Ψ reads them, from the raw ones; None unless its normalisation is another."""
    if recipe.objective.weighting_network is None:
        return None
    style = style_of(recipe, recipe.objective.weighting_network[0])
    return None if style == style_of(recipe) else normalised(train, style)


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
