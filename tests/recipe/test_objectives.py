"""What the kinds of objectives say of themselves, and digests that stay what they were."""

from typing import Any

import pytest

from affekt.errors import RecipeError
from affekt.recipe.objectives import OBJECTIVE_SECTIONS
from affekt.recipe.read import parse_recipe, read_recipe

DIGESTS = {  # as they stood when the figures of docs/results were made
    "demo": "c0434cdab3a8e7bcf9dad72f74ea96972e5fadf510597021a5dd3602818ca2e7",
    "goemotions-direct": "b26889ae69046f50335c759ef5a661839401718899b3c454ce8355f01d849155",
    "goemotions-lcl": "f104a884893489bd23a644ca64b9ef0f500c3818a098ab14ff05795ed7d3359b",
    "goemotions-retrofit": "5e0f6e1fcd29d4a1d60719d54137b1a2901b09634cd0ddc21bb2aab9c594fd6e",
    "dair-features": "f5d7d80f9b565104c203da643e91ea0f0ebe976d6e1594e68089afe0eeec8283",
    "semeval-ar": "c2f3e5e4262a65aa5c7ccf7e71e352b8bc1cb2c231992361d17aa6206431318b",
}


REQUIRED = {"distil": {"teachers": ["runs/teacher"]}}


def section(**objective: Any) -> Any:
    objective = {**REQUIRED.get(objective["kind"], {}), **objective}
    return parse_recipe({"name": "x", "objective": objective}).objective


@pytest.mark.parametrize("name", DIGESTS)
def test_a_published_recipe_keeps_its_digest(name: str) -> None:
    assert read_recipe(name).digest == DIGESTS[name]


@pytest.mark.parametrize(
    ("key", "plain", "other"),
    [
        ("training.device", "auto", "cpu"),
        ("training.average", 0.0, 0.9),
        ("training.start_seed", "null", 1),
        ("encoder.layers", "null", [0, 2]),
        ("objective.clip", 0.05, 0.1),
    ],
)
def test_a_key_that_came_later_counts_in_the_digest_only_where_it_says_something(
    key: str, plain: Any, other: Any
) -> None:
    told = ("objective.loss=asymmetric",)
    before = read_recipe("demo", told)
    assert read_recipe("demo", (*told, f"{key}={plain}")).digest == before.digest
    assert read_recipe("demo", (*told, f"{key}={other}")).digest != before.digest
    assert f"{key.split('.')[1]}: {plain}" in before.to_yaml()  # the written recipe is complete


def test_a_later_key_of_the_label_aware_loss_counts_where_it_softens() -> None:
    changed = read_recipe("goemotions-lcl", ("objective.weighting_temperature=8",))
    assert changed.digest != DIGESTS["goemotions-lcl"]


def test_every_kind_stands_under_its_name() -> None:
    for kind, of_kind in OBJECTIVE_SECTIONS.items():
        made = section(kind=kind)
        assert type(made) is of_kind
        assert made.kind == kind


@pytest.mark.parametrize(
    ("objective", "true"),
    [
        ({"kind": "classify"}, {"classifies", "by_gradients", "needs_labels"}),
        ({"kind": "logistic"}, {"classifies", "needs_labels"}),
        ({"kind": "contrastive"}, {"by_gradients", "needs_labels", "is_contrastive", "draws_pairs"}),
        ({"kind": "contrastive", "pairs": "in-batch"}, {"by_gradients", "needs_labels", "is_contrastive"}),
        ({"kind": "contrastive-unsupervised"}, {"by_gradients", "is_contrastive"}),
        ({"kind": "supervised-contrastive"}, {"by_gradients", "needs_labels", "is_contrastive"}),
        (
            {"kind": "supervised-contrastive", "classification": 0.5},
            {"classifies", "by_gradients", "needs_labels", "is_contrastive"},
        ),
        ({"kind": "few-shot"}, {"classifies", "by_gradients", "needs_labels", "is_contrastive"}),
        ({"kind": "label-aware"}, {"classifies", "by_gradients", "needs_labels", "is_contrastive"}),
        (
            {"kind": "label-aware", "views": "synonym"},
            {"classifies", "by_gradients", "needs_labels", "is_contrastive", "changes_texts"},
        ),
        ({"kind": "retrofit"}, {"by_gradients", "needs_labels", "is_contrastive", "keeps_space"}),
        ({"kind": "distil"}, {"classifies", "by_gradients", "needs_labels"}),
    ],
)
def test_a_section_says_what_is_true_of_its_objective(objective: dict[str, Any], true: set[str]) -> None:
    facts = ("classifies", "by_gradients", "needs_labels", "is_contrastive", "keeps_space", "draws_pairs")
    made = section(**objective)
    assert {fact for fact in (*facts, "changes_texts") if getattr(made, fact)} == true


@pytest.mark.parametrize("kind", OBJECTIVE_SECTIONS)
def test_an_objective_classifies_with_the_keys_it_names_for_that(kind: str) -> None:
    keys = OBJECTIVE_SECTIONS[kind].to_classify
    if keys is not None:
        assert section(kind=kind, **keys).classifies
    else:
        assert not section(kind=kind).classifies


def test_only_a_label_aware_objective_has_a_second_network() -> None:
    others = [kind for kind in OBJECTIVE_SECTIONS if section(kind=kind).weighting_network is not None]
    assert others == ["label-aware"]
    made = section(kind="label-aware", weighting={"kind": "tfidf"}, weighting_head={"kind": "linear"})
    encoder, head = made.weighting_network
    assert (encoder.kind, head.kind) == ("tfidf", "linear")


def test_focal_and_asymmetric_losses_have_options_and_others_refuse_them() -> None:
    assert section(kind="classify", loss="focal", gamma=3).gamma == 3
    assert section(kind="classify", loss="asymmetric", clip=0.1).clip == 0.1
    with pytest.raises(RecipeError, match="gamma: is read by loss: focal alone, and loss is auto"):
        section(kind="classify", gamma=3)
    with pytest.raises(RecipeError, match="clip: is read by loss: asymmetric alone, and loss is focal"):
        section(kind="label-aware", loss="focal", clip=0.1)


def test_a_distillation_names_its_teachers_and_one_name_is_a_list_of_one() -> None:
    made = section(kind="distil", teachers="runs/a", texts="more.txt")
    assert (made.teachers, made.texts) == (("runs/a",), ("more.txt",))
    with pytest.raises(RecipeError, match=r"objective\.teachers"):
        section(kind="distil", teachers=[])
    with pytest.raises(RecipeError, match=r"objective\.hard"):
        section(kind="distil", hard=1)
    with pytest.raises(RecipeError, match=r"objective\.temperature"):
        section(kind="distil", temperature=0)


@pytest.mark.parametrize("sampler", ["stratified", "m-per-class"])
def test_batches_by_class_are_refused_where_texts_have_no_labels(sampler: str) -> None:
    objective = {"kind": "distil", "teachers": ["runs/a"]}
    told = {"name": "x", "objective": objective, "training": {"sampler": sampler}}
    assert parse_recipe(told).training.sampler == sampler
    objective["texts"] = ["more.txt"]
    with pytest.raises(RecipeError, match=f"{sampler} reads labels, and objective.texts have none"):
        parse_recipe(told)


def test_averaged_weights_need_steps() -> None:
    with pytest.raises(RecipeError, match=r"training\.average: logistic regression takes no steps"):
        parse_recipe({"name": "x", "objective": {"kind": "logistic"}, "training": {"average": 0.9}})
    with pytest.raises(RecipeError, match=r"training\.average = 1"):
        parse_recipe({"name": "x", "training": {"average": 1}})


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "mps"])
def test_a_device_can_be_named(device: str) -> None:
    assert parse_recipe({"name": "x", "training": {"device": device}}).training.device == device


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", ""])
def test_an_unknown_device_is_refused_with_those_that_there_are(device: str) -> None:
    with pytest.raises(RecipeError, match=f"training.device: '{device}' is no device; auto, cpu, cuda"):
        parse_recipe({"name": "x", "training": {"device": device}})


@pytest.mark.parametrize("seed", [2**31, 2**32, 2**64, -1])
def test_a_seed_is_one_that_every_generator_takes(seed: int) -> None:
    with pytest.raises(RecipeError, match="training\\.seed = "):
        parse_recipe({"name": "x", "training": {"seed": seed}})


def test_heads_are_fitted_at_once_by_these_and_few_rows_are_all_trained_on() -> None:
    assert [kind for kind, one in OBJECTIVE_SECTIONS.items() if one.fits_head] == ["logistic", "few-shot"]
    assert [kind for kind, one in OBJECTIVE_SECTIONS.items() if not one.holds_out] == ["few-shot"]


def test_few_rows_weigh_labels_alike_and_others_as_they_come() -> None:
    assert section(kind="few-shot").class_weights == "balanced"
    assert section(kind="logistic").class_weights == "none"


def test_only_few_rows_are_gone_through_several_times_an_epoch() -> None:
    assert section(kind="few-shot", passes_per_epoch=7).passes == 7
    assert {section(kind=kind).passes for kind in OBJECTIVE_SECTIONS if kind != "few-shot"} == {1}
