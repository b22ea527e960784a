"""From a recipe to corpora, networks and objectives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affekt.data.corpus import Corpus, stratified_split
from affekt.decisions import Decisions
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import AffektError, DataError, ModelError, RecipeError
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import ClassificationHead, LabelSpanHead, LinearHead, build_head
from affekt.networks.network import TASK, Network
from affekt.recipe.parts import EncoderSpec
from affekt.recipe.read import parse_recipe
from affekt.recipe.sections import DataSpec, Recipe
from affekt.training.build import (
    build_encoder,
    build_network,
    label_groups,
    label_weights,
    objective_for,
)
from affekt.training.data import load_splits, look_first, normalised, style_of, weighting_texts
from affekt.training.objectives import LabelAwareObjective
from training.toys import SEVERAL, recipe

Tiny = Callable[[str], str]
Data = dict[str, Any]
EMOTIONS = ("anger", "fear", "joy", "love", "sadness", "surprise")


def splits_of(data: Data) -> dict[str, Corpus]:
    return load_splits(DataSpec.model_validate(data))


def csv_file(path: Path, rows: list[str], header: str = "text,labels") -> str:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def alone(tmp_path: Path) -> str:
    """A single file of forty texts without splits."""
    labels = ["joy", "anger", "fear", "joy"]
    return csv_file(tmp_path / "alone.csv", [f"text number {i},{labels[i % 4]}" for i in range(40)])


# --- splits


def test_a_known_data_set_comes_with_its_own_splits() -> None:
    splits = splits_of({"name": "sample"})
    assert list(splits) == ["train", "dev", "test"]
    assert {split: corpus.split for split, corpus in splits.items()} == {name: name for name in splits}


def test_files_are_taken_as_the_splits_they_are_named_for(sample: Data) -> None:
    splits = splits_of(sample)
    assert {split: len(corpus) for split, corpus in splits.items()} == {"train": 42, "dev": 24, "test": 24}
    assert all(corpus.labels == EMOTIONS and corpus.single_label for corpus in splits.values())


def test_several_labels_a_text_stand_in_one_column_with_a_separator(sample: Data) -> None:
    splits = splits_of({**sample, **SEVERAL})
    assert not splits["train"].single_label
    assert splits["train"].targets.sum() > 42


def test_a_single_file_is_cut_in_three_without_overlap(alone: str) -> None:
    splits = splits_of({"train": alone, "dev_share": 0.2, "test_share": 0.3})
    assert {split: len(corpus) for split, corpus in splits.items()} == {"train": 20, "dev": 8, "test": 12}
    ids = [text for corpus in splits.values() for text in corpus.texts]
    assert len(set(ids)) == 40
    for corpus in splits.values():
        assert np.allclose(corpus.targets.mean(0), [0.25, 0.25, 0.5], atol=0.1)  # stratified


def test_the_cut_follows_its_own_seed_and_no_other(alone: str) -> None:
    zero = splits_of({"train": alone})
    assert splits_of({"train": alone, "split_seed": 0})["dev"].texts == zero["dev"].texts
    one = splits_of({"train": alone, "split_seed": 1})
    assert one["dev"].texts != zero["dev"].texts
    assert one["test"].texts != zero["test"].texts
    drawn = stratified_split(Corpus.read(alone), {"train": 0.7, "dev": 0.1, "test": 0.2}, 0)
    assert {split: corpus.digest for split, corpus in zero.items()} == {
        split: corpus.digest for split, corpus in drawn.items()
    }


def test_runs_with_different_seeds_are_judged_on_the_same_texts(alone: str, tmp_path: Path) -> None:
    content = {"name": "x", "data": {"train": alone, "train_share": 0.5}, "encoder": {"kind": "tfidf"}}
    first, second = (parse_recipe({**content, "training": {"seed": seed}}) for seed in (0, 1))
    seen = [look_first(one, tmp_path / "run", resume=False) for one in (first, second)]
    assert seen[0] is not None
    assert seen[1] is not None
    assert {name: one.digest for name, one in seen[0].items()} == {
        name: one.digest for name, one in seen[1].items()
    }


def test_where_there_is_a_test_split_only_dev_is_cut_from_train(alone: str, sample: Data) -> None:
    test = {"train": sample["train"], "test": sample["test"], "labels": "emotion"}
    splits = splits_of(test)
    assert len(splits["test"]) == 24
    assert len(splits["train"]) + len(splits["dev"]) == 42
    assert not set(splits["train"].texts) & set(splits["dev"].texts)


def test_where_there_is_a_dev_split_nothing_is_cut(sample: Data) -> None:
    splits = splits_of({"train": sample["train"], "dev": sample["dev"], "labels": "emotion"})
    assert {split: len(corpus) for split, corpus in splits.items()} == {"train": 42, "dev": 24}


def test_a_column_can_say_which_split_a_row_is_in(tmp_path: Path) -> None:
    rows = [
        f"text {i},{'joy' if i % 2 else 'fear'},{('train', 'validation', 'test')[i % 3]}" for i in range(30)
    ]
    path = csv_file(tmp_path / "all.csv", rows, "text,labels,part")
    splits = splits_of({"train": path, "split_column": "part"})
    assert {split: len(corpus) for split, corpus in splits.items()} == {"train": 10, "dev": 10, "test": 10}


def test_a_file_without_training_rows_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "all.csv", ["a,joy,dev", "b,fear,test"], "text,labels,part")
    with pytest.raises(DataError, match="has no train split, only dev, test"):
        splits_of({"train": path, "split_column": "part"})


@pytest.mark.parametrize("data", [{}, {"name": "sample", "train": "x.csv"}])
def test_data_is_either_a_known_set_or_a_file(data: Data) -> None:
    with pytest.raises(RecipeError, match=r"either data\.name"):
        splits_of(data)


@pytest.mark.parametrize("extra", [{"dev": "x.csv"}, {"test": "x.csv"}, {"split_column": "part"}])
def test_a_known_set_takes_no_splits_of_another(extra: Data) -> None:
    with pytest.raises(RecipeError, match="sample has its own splits"):
        splits_of({"name": "sample", **extra})


def test_shares_that_leave_nothing_to_train_on_are_refused(alone: str) -> None:
    with pytest.raises(RecipeError, match="leave nothing to train on"):
        splits_of({"train": alone, "dev_share": 0.5, "test_share": 0.5})


def test_a_share_of_the_training_texts_keeps_their_labels_in_proportion(sample: Data) -> None:
    splits = splits_of({**sample, "train_share": 0.5})
    assert len(splits["train"]) == 21
    assert splits["train"].split == "train"
    assert (splits["train"].targets.sum(0) >= 3).all()
    assert len(splits["dev"]) == 24
    assert len(splits["test"]) == 24


# --- labels


def test_labels_map_to_a_taxonomy(sample: Data) -> None:
    splits = splits_of({**sample, "taxonomy": "sentiment"})
    assert splits["train"].labels == ("positive", "negative", "ambiguous")
    assert splits["train"].targets.sum(0).tolist() == [14, 21, 7]


def test_an_unknown_taxonomy_is_answered_with_the_near_ones(sample: Data) -> None:
    with pytest.raises(RecipeError, match=r"unknown taxonomy .ekmann.: did you mean ekman"):
        splits_of({**sample, "taxonomy": "ekmann"})


def test_labels_can_be_left_out_with_the_rows_that_have_no_other(sample: Data) -> None:
    splits = splits_of({**sample, "without": ["love", "fear"]})
    assert splits["train"].labels == ("anger", "joy", "sadness", "surprise")
    assert len(splits["train"]) == 28
    several = splits_of({**sample, **SEVERAL, "without": ["love"]})["train"]
    assert 35 <= len(several) < 42  # a text of love and joy stays, as one of joy
    assert (several.targets.sum(1) > 0).all()


def test_shares_of_raters_add_up_to_one_again_when_a_label_is_left_out(tmp_path: Path) -> None:
    rows = ["a,0.5,0.25,0.25", "b,0,1,0", "c,0,0,1", "d,0.2,0.2,0.6"] * 10
    path = csv_file(tmp_path / "soft.csv", [f"{i} {row}" for i, row in enumerate(rows)], "text,joy,fear,none")
    data = {
        "train": path,
        "label_columns": ["joy", "fear", "none"],
        "single_label": True,
        "without": ["none"],
    }
    corpora = splits_of(data).values()
    assert all(np.allclose(corpus.targets.sum(1), 1) for corpus in corpora)
    assert sum(map(len, corpora)) == 30


def test_a_label_that_is_not_there_cannot_be_left_out(sample: Data) -> None:
    with pytest.raises(RecipeError, match=r"data\.without: grief is no label of"):
        splits_of({**sample, "without": ["grief", "joy"]})


def test_rows_with_one_label_become_data_of_one_label(sample: Data) -> None:
    splits = splits_of({**sample, **SEVERAL, "single_rows": True})
    assert splits["train"].single_label
    assert 0 < len(splits["train"]) < 42


def test_labels_may_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    rows = [f"text {i},{i % 2},{i % 3 == 0:d}" for i in range(30)]
    path = csv_file(tmp_path / "columns.csv", rows, "text,joy,fear")
    splits = splits_of({"train": path, "label_columns": ["joy", "fear"]})
    assert splits["train"].labels == ("joy", "fear")
    assert not splits["train"].single_label


def test_declared_label_names_give_the_order_and_refuse_others(alone: str) -> None:
    assert splits_of({"train": alone, "label_names": ["joy", "love", "fear", "anger"]})["dev"].labels == (
        *("joy", "love", "fear", "anger"),
    )
    with pytest.raises(DataError, match="anger"):
        splits_of({"train": alone, "label_names": ["joy", "fear"]})


def test_a_label_that_train_does_not_have_is_a_fault_of_its_row(alone: str, tmp_path: Path) -> None:
    dev = csv_file(tmp_path / "dev.csv", ["fine,joy", "odd,gloom"])
    with pytest.raises(DataError, match=r"dev\.csv:3.*gloom"):
        splits_of({"train": alone, "dev": dev})


def test_bad_rows_are_skipped_and_counted_where_the_recipe_says_so(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path / "bad.csv", [f"t {i},{'joy' if i % 2 else 'fear'}" for i in range(30)] + [",joy"]
    )
    with pytest.raises(DataError, match=r"bad\.csv:32"):
        splits_of({"train": path})
    splits = splits_of({"train": path, "on_bad_row": "skip"})
    assert [len(corpus.skipped) for corpus in splits.values()] == [1, 0, 0]


# --- texts


def test_the_style_is_the_recipes_or_else_the_encoders() -> None:
    assert style_of(recipe()) == "none"
    assert style_of(recipe(encoder={"name": "bertweet"})) == "bertweet"
    assert style_of(recipe(encoder={"name": "bertweet"}, data={"style": "affekt"})) == "affekt"


def test_normalised_texts_change_and_nothing_else_does() -> None:
    corpus = Corpus.build(["@someone so happy https://x.yz"], ["joy"])
    assert normalised(corpus, "none") is corpus
    changed = normalised(corpus, "tweeteval")
    assert changed.texts == ["@user so happy http"]
    assert changed.ids == corpus.ids


# --- networks


TRAIN = Corpus.build(["so happy", "so sad", "and so happy", "what a day"], ["joy", "sadness", "joy", "joy"])


def network_of(encoder: Data, **sections: Any) -> Any:
    return build_network(recipe(encoder=encoder, **sections), TRAIN)


BAG = {"kind": "tfidf", "options": {"min_count": 1}}


@pytest.mark.parametrize(
    ("objective", "head", "projection"),
    [
        ({"kind": "classify"}, True, None),
        ({"kind": "label-aware"}, True, None),
        ({"kind": "logistic"}, False, None),
        ({"kind": "contrastive"}, False, 128),
        ({"kind": "contrastive-unsupervised"}, False, 128),
        ({"kind": "retrofit"}, False, 64),
        ({"kind": "supervised-contrastive"}, False, 128),
        ({"kind": "supervised-contrastive", "projection": None}, False, None),
        ({"kind": "supervised-contrastive", "classification": 0.5}, True, 128),
    ],
)
def test_a_network_has_the_parts_that_its_objective_trains(
    objective: Data, head: bool, projection: int | None
) -> None:
    made = network_of(BAG, objective=objective)
    assert (made.head is not None) is head
    assert (made.projection.width if made.projection is not None else None) == projection


def test_heads_are_made_as_the_recipe_says() -> None:
    made = network_of(BAG, head={"kind": "classification", "dropout": 0.2, "activation": "gelu"}).head
    assert isinstance(made, ClassificationHead)
    assert (made.dropout.p, made.activation) == (0.2, "gelu")
    assert isinstance(network_of(BAG, head={"kind": "linear"}).head, LinearHead)


def test_a_head_starts_at_the_label_prior_or_at_zero() -> None:
    prior = network_of(BAG, head={"kind": "linear", "bias": "prior"}).head.out.bias
    assert prior[0] > prior[1]  # joy is three times as frequent
    assert prior.exp().sum().item() == pytest.approx(1, abs=0.1)
    zero = network_of(BAG, head={"kind": "classification", "bias": "zero"}).head.out.bias
    assert zero.tolist() == [0, 0]


def test_the_seed_decides_all_weights() -> None:
    options = {"kind": "bilstm", "options": {"hidden": 4, "word_dimension": 3, "min_count": 1}}
    first, again = (network_of(options).state_dict() for _ in range(2))
    other = network_of(options, training={"seed": 1}).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["heads.labels.dense.weight"], other["heads.labels.dense.weight"])
    assert any(
        not torch.equal(v, other[n]) for n, v in first.items() if n.startswith("encoder") and v.ndim > 1
    )


def test_frozen_word_embeddings_are_not_trained(tiny: Tiny) -> None:
    made = network_of({"name": tiny("bert")}, training={"frozen_embeddings": True})
    assert not made.encoder.word_embeddings().weight.requires_grad
    assert made.encoder.backbone.encoder.layer[0].output.dense.weight.requires_grad


def test_labels_in_front_of_every_text_have_a_head_that_reads_them(tiny: Tiny) -> None:
    made = network_of({"name": tiny("bert"), "label_words": "labels"}, head={"kind": "label-span"})
    assert isinstance(made.head, LabelSpanHead)
    assert made.encoder.prefix.words == ("joy", "sadness")
    assert made.head.bias[0] > made.head.bias[1]
    inputs = made.encoder.collate(made.encoder.tokenize(["so happy", "so"]))
    assert made(inputs).shape == (2, 2)


@pytest.mark.parametrize("encoder", [BAG, {"kind": "transformer"}])
def test_a_head_that_reads_label_words_needs_them(encoder: Data, tiny: Tiny) -> None:
    place = {} if encoder is BAG else {"name": tiny("bert")}
    with pytest.raises(RecipeError, match=r"set encoder\.label_words to"):
        network_of({**encoder, **place}, head={"kind": "label-span"})


def test_an_encoder_that_is_nowhere_is_a_clear_fault() -> None:
    with pytest.raises(ModelError, match="no-such/encoder"):
        network_of({"name": "no-such/encoder"})


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"kind": "tfidf", "options": {"min_cuont": 1}}, "did you mean min_count"),
        ({"kind": "word-average"}, "needs word vectors"),
        ({"kind": "word-average", "vectors": "nowhere.txt"}, "encoder.vectors = 'nowhere.txt': no such file"),
    ],
)
def test_options_and_files_an_encoder_cannot_use_are_clear_faults(encoder: Data, message: str) -> None:
    with pytest.raises(AffektError, match=message):
        network_of(encoder)


def test_word_vectors_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("so 1 0 0\nhappy 0 1 0\nsad 0 0 1\n")
    made = build_encoder(EncoderSpec(kind="word-average", vectors=str(path)), TRAIN, 0)
    vectors = made(made.collate(made.tokenize(["so happy", "sad", "xyz"]))).vectors
    assert vectors.tolist() == [[0.5, 0.5, 0], [0, 0, 1], [0, 0, 0]]


def test_a_character_aware_encoder_grows_from_a_plain_one_or_is_opened(tmp_path: Path, tiny: Tiny) -> None:
    spec = EncoderSpec(kind="charbert", name=tiny("bert"), max_length=16, options={"character_size": 8})
    grown = build_encoder(spec, TRAIN, 0)
    assert isinstance(grown, CharBertEncoder)
    assert grown.newly_grown
    grown.eval().save(tmp_path)
    opened = build_encoder(EncoderSpec(kind="charbert", name=str(tmp_path)), TRAIN, 0)
    batch = grown.collate(grown.tokenize(["so happy"]))
    assert torch.equal(grown(batch).vectors, opened(batch).vectors)


def test_a_saved_character_aware_encoder_is_read_as_the_recipe_says(tmp_path: Path, tiny: Tiny) -> None:
    build_encoder(EncoderSpec(kind="charbert", name=tiny("bert")), TRAIN, 0).save(tmp_path)
    told = EncoderSpec(kind="charbert", name=str(tmp_path), max_length=8, pooling="mean")
    opened = build_encoder(told, TRAIN, 0)
    assert (opened.max_length, opened.pooling) == (8, "mean")
    with pytest.raises(
        RecipeError, match=r"encoder\.options: character_size: .* is a grown CharBERT already"
    ):
        build_encoder(told.model_copy(update={"options": {"character_size": 8}}), TRAIN, 0)


# --- objectives


def test_balanced_weights_are_one_on_the_whole_and_larger_for_rare_labels() -> None:
    weights = label_weights(TRAIN)
    assert weights.tolist() == pytest.approx([4 / 6, 2.0])
    assert (weights * torch.tensor([3.0, 1.0])).sum().item() == pytest.approx(4)
    assert label_weights(Corpus.build(["a", "b"], ["x", "y"])).tolist() == [1, 1]


def test_a_label_without_a_text_has_a_finite_weight() -> None:
    rare = Corpus.build(["a", "b"], ["x", "x"], label_names=["x", "never"])
    assert torch.isfinite(label_weights(rare)).all()


def test_labels_of_the_hierarchy_have_groups_and_others_have_none() -> None:
    groups = label_groups(("joy", "anger", "love", "surprise", "neutral"))
    assert groups is not None
    assert groups.tolist() == [0, 1, 0, 2, 3]
    assert label_groups(("joy", "zest")) is None


def test_class_weights_reach_the_objective_only_where_asked_for() -> None:
    for choice, expected in (("none", None), ("balanced", [4 / 6, 2.0])):
        told = recipe(encoder=BAG, objective={"kind": "classify", "class_weights": choice})
        weights = objective_for(told, build_network(told, TRAIN), TRAIN).losses[TASK].label_weights
        assert (weights if weights is None else weights.tolist()) == (expected and pytest.approx(expected))


def test_the_weighting_network_is_another_encoder_with_its_own_head(tiny: Tiny) -> None:
    spec = {"kind": "label-aware", "weighting": BAG, "weighting_head": {"kind": "linear"}}
    told = recipe(encoder={"name": tiny("bert")}, objective=spec)
    made = objective_for(told, build_network(told, TRAIN), TRAIN)
    assert isinstance(made, LabelAwareObjective)
    assert type(made.weighting.encoder).__name__ == "TfidfEncoder"
    assert isinstance(made.weighting.head, LinearHead)
    twin = recipe(
        encoder={"name": tiny("bert")}, objective={"kind": "label-aware", "weighting": {"name": tiny("bert")}}
    )
    both = objective_for(twin, build_network(twin, TRAIN), TRAIN)
    assert isinstance(both, LabelAwareObjective)
    assert both.weighting.encoder is not both.network.encoder
    assert not torch.equal(both.weighting.head.dense.weight, both.network.head.dense.weight)  # type: ignore[union-attr]


def test_the_weighting_network_reads_texts_in_a_normalisation_of_its_own() -> None:
    def told(style: str | None, name: str) -> Recipe:
        spec = {"kind": "label-aware", "weighting": {"name": name}}
        return recipe(data={"style": style}, objective=spec)

    raw = Corpus.build(["@ann so happy", "sad"], ["joy", "sadness"])
    texts = weighting_texts(told(None, "vinai/bertweet-base"), raw)
    assert texts is not None
    assert texts.texts[0] == "@USER so happy"
    assert weighting_texts(told("none", "vinai/bertweet-base"), raw) is None  # said for both
    assert weighting_texts(told(None, "all-MiniLM-L6-v2"), raw) is None
    assert weighting_texts(recipe(), raw) is None


def test_fixed_word_embeddings_are_fixed_in_the_weighting_network_too(tiny: Tiny) -> None:
    spec = {"kind": "label-aware", "weighting": {"name": tiny("bert")}}
    told = recipe(encoder={"name": tiny("bert")}, objective=spec, training={"frozen_embeddings": True})
    made = objective_for(told, build_network(told, TRAIN), TRAIN)
    for network in (made.network, *made.extra_networks()):
        assert not network.encoder.word_embeddings().weight.requires_grad  # type: ignore[operator,union-attr]


def test_a_split_without_a_row_left_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,labels\n,joy\n,sadness\n", encoding="utf-8")
    with pytest.raises(AffektError, match="none of the 2 rows"):
        load_splits(DataSpec(train=str(path), on_bad_row="skip"))
    path.write_text("text,labels\nso,joy;sadness\nwhat,joy;sadness\n", encoding="utf-8")
    with pytest.raises(DataError, match="no row is left to use"):
        load_splits(DataSpec(train=str(path), separator=";", single_rows=True))


def test_rows_with_one_label_need_labels(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\nso\nwhat\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"data.single_rows: there are no labels"):
        load_splits(DataSpec(train=str(path), labels=None, single_rows=True))


# --- a head that goes on


def started(
    tiny: Tiny,
    tmp_path: Path,
    start: str,
    activation: str = "tanh",
    labels: tuple[str, ...] = EMOTIONS,
) -> tuple[Any, Any]:
    """Return the head of a saved model of three emotions, and one for labels that starts from it."""
    torch.manual_seed(0)
    encoder = TransformerEncoder.pretrained(tiny("bert"), pooling="mean")
    old = Network(encoder, build_head(encoder, 3, kind="classification", activation="tanh"))
    decisions = Decisions.unfitted(3, single_label=False)
    Model(TorchRuntime(old), ("sadness", "joy", "calm"), False, decisions, "none").save(tmp_path / "old")
    made = recipe(
        encoder={"name": str(tmp_path / "old"), "pooling": "mean"},
        head={"start": start, "activation": activation},
    )
    texts = [f"text {i}" for i in range(len(labels))]
    train = Corpus(texts, np.eye(len(labels)), labels, True, texts)
    return old.classifier, build_network(made, train).classifier


def test_known_labels_go_on_from_the_model_that_the_encoder_comes_from(tiny: Tiny, tmp_path: Path) -> None:
    old, new = started(tiny, tmp_path, "known")
    torch.testing.assert_close(new.out.weight[EMOTIONS.index("joy")], old.out.weight[1])
    torch.testing.assert_close(new.out.weight[EMOTIONS.index("love")], old.out.weight[:2].mean(0))
    torch.testing.assert_close(new.dense.weight, old.dense.weight)


def test_a_fresh_head_takes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    old, new = started(tiny, tmp_path, "fresh")
    assert not torch.equal(new.dense.weight, old.dense.weight)


@pytest.mark.parametrize("change", [{"activation": "relu"}, {"labels": ("dull", "calmer")}])
def test_a_head_that_can_know_nothing_is_refused(tiny: Tiny, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(
        RecipeError, match=r"head.start = 'known': .*old has no head of this form with a label"
    ):
        started(tiny, tmp_path, "known", **change)


def test_how_a_head_starts_is_part_of_a_digest_only_where_it_was_said() -> None:
    assert recipe(head={}).digest == recipe(head={"start": "fresh"}).digest
    assert recipe(head={}).digest != recipe(head={"start": "known"}).digest
