"""Recipes: complete, exact in YAML, and outspoken about every fault at once."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt.errors import RecipeError
from affekt.recipe.objectives import Classify, LabelAware, SupervisedContrastive
from affekt.recipe.read import parse_recipe, read_recipe
from affekt.recipe.sections import Recipe

BUNDLED = sorted(
    entry.name.removesuffix(".yaml")
    for entry in files("affekt.recipes").iterdir()
    if entry.name.endswith(".yaml")
)


def fault_of(content: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(content)
    return str(caught.value)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# --- what holds without being said


def test_a_recipe_with_only_a_name_is_complete() -> None:
    recipe = parse_recipe({"name": "x"})
    assert recipe.encoder.kind == "transformer"
    assert isinstance(recipe.objective, Classify)
    assert recipe.training.epochs == 3


def test_a_recipe_cannot_be_changed_once_made() -> None:
    recipe = parse_recipe({"name": "x"})
    with pytest.raises(ValueError, match="frozen"):
        recipe.training.epochs = 4  # type: ignore[misc]


@pytest.mark.parametrize("section", ["data", "encoder", "head", "objective", "training", "decisions"])
def test_a_section_without_keys_has_its_defaults(section: str, tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, f"name: x\n{section}:\n  # epochs: 3\n"))
    assert recipe == parse_recipe({"name": "x"})


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_recipe_is_valid_and_bears_its_files_name(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert parse_recipe(yaml.safe_load(recipe.to_yaml())) == recipe


def test_there_are_bundled_recipes_and_the_yaml_ending_may_be_said() -> None:
    assert "demo" in BUNDLED
    assert read_recipe("demo.yaml") == read_recipe("demo")


def test_a_folder_with_a_bundled_recipes_name_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_recipe("demo").name == "demo"


def test_a_file_goes_before_a_bundled_recipe_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo.yaml").write_text("name: mine\n")
    monkeypatch.chdir(tmp_path)
    assert read_recipe("demo.yaml").name == "mine"
    assert read_recipe("demo").name == "demo"


# --- there and back


EVERYTHING = {
    "name": "1e-4",  # a string that looks like a number must stay a string
    "row": "B4",
    "note": "colons: dashes - and # no comment, 'quotes' \"too\", ümläut 😀\nand a second line",
    "data": {"train": "yes.csv", "without": ["no", "null", "1.5"], "train_share": 0.5, "labels": None},
    "encoder": {"kind": "bilstm", "options": {"dropout": 0.1, "pooling": "max", "max_words": None}},
    "objective": {"kind": "label-aware", "views": "synonym", "weighting": {"name": "x"}, "balance": 1e-7},
    "training": {
        "learning_rate": 1e-05,
        "early_stopping": {"metric": "f1_macro", "patience": 2},
        "keep": "best",
    },
    "examples": ["", "~", "2020-01-01", "a" * 300],
    "published": [{"metric": "f1_macro", "value": 0.462, "encoder": "bert", "source": "somewhere, p. 3"}],
}


def test_the_yaml_of_a_recipe_reads_back_as_the_same_recipe(tmp_path: Path) -> None:
    recipe = parse_recipe(EVERYTHING)
    again = read_recipe(written(tmp_path, recipe.to_yaml()))
    assert again == recipe
    assert again.digest == recipe.digest
    assert again.to_yaml() == recipe.to_yaml()


def test_the_yaml_is_complete_defaults_included() -> None:
    content = yaml.safe_load(parse_recipe({"name": "x"}).to_yaml())
    for section, model in (("data", "DataSpec"), ("encoder", "EncoderSpec"), ("training", "TrainingSpec")):
        fields = type(getattr(parse_recipe({"name": "x"}), section)).model_fields
        assert set(content[section]) == set(fields), model
    assert set(content) == set(Recipe.model_fields) - {"further"}  # which stands in the list of data
    assert set(content["objective"]) == set(Classify.model_fields)


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12
    ),
    rate=st.floats(1e-30, 1e3),
    option=st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_any_name_rate_and_option_survive_yaml(name: str, rate: float, option: Any) -> None:
    recipe = parse_recipe(
        {"name": name, "training": {"learning_rate": rate}, "encoder": {"options": {"x": option}}}
    )
    from affekt.recipe.yaml import load_yaml

    assert parse_recipe(load_yaml(recipe.to_yaml(), "x")) == recipe


def test_recipes_differ_in_their_digest_when_anything_differs() -> None:
    first = parse_recipe({"name": "x"})
    assert first.digest == parse_recipe({"name": "x", "training": {"epochs": 3}}).digest
    assert first.digest != parse_recipe({"name": "x", "training": {"seed": 1}}).digest


# --- faults


def test_all_faults_come_at_once_each_with_key_value_and_what_is_right() -> None:
    message = fault_of(
        {
            "name": "x",
            "trainig": {},
            "training": {"epochs": 0, "lerning_rate": 1, "schedule": "cosin"},
            "encoder": {"pooling": "max"},
            "objective": {"kind": "label-aware", "temprature": 0.3, "balance": 2},
        }
    )
    lines = message.splitlines()
    assert lines[0] == "recipe has 7 faults:"
    assert len(lines) == 8
    expected = [
        ("trainig = {}", "did you mean training"),
        ("training.epochs = 0", "greater than or equal to 1"),
        ("training.lerning_rate = 1", "did you mean learning_rate"),
        ("training.schedule = 'cosin'", "'linear', 'cosine' or 'constant'"),
        ("encoder.pooling = 'max'", "'cls' or 'mean'"),
        ("objective.temprature = 0.3", "did you mean temperature"),
        ("objective.balance = 2", "less than or equal to 1"),
    ]
    for key, right in expected:
        assert any(line.strip().startswith(f"{key}: ") and right in line for line in lines), key


def test_a_missing_name_is_said_to_be_missing() -> None:
    assert "name: is missing" in fault_of({})


def test_an_empty_name_is_a_fault() -> None:
    assert "name = ''" in fault_of({"name": ""})
    assert "name = None" in fault_of({"name": None})


def test_keys_of_nested_sections_are_checked_with_their_own_names() -> None:
    message = fault_of(
        {
            "name": "x",
            "objective": {"kind": "retrofit", "projection": {"knd": "mlp"}},
            "published": [{"metric": "f1", "value": 0.5, "encoder": "x", "source": "y", "valu": 1}],
            "training": {"early_stopping": {"metrik": "loss"}},
        }
    )
    assert "objective.projection.knd = 'mlp': unknown key 'knd': did you mean kind?" in message
    assert "published.0.valu = 1: unknown key 'valu': did you mean value?" in message
    assert "training.early_stopping.metrik = 'loss': unknown key 'metrik': did you mean metric?" in message


def test_a_key_that_belongs_to_another_objective_is_a_fault() -> None:
    message = fault_of({"name": "x", "objective": {"kind": "classify", "temperature": 0.1}})
    assert "objective.temperature = 0.1: unknown key" in message
    assert "smoothing" in message  # what this objective does know


def test_a_key_called_like_an_objective_keeps_its_name_in_the_message() -> None:
    message = fault_of({"name": "x", "objective": {"kind": "supervised-contrastive", "contrastive": -1}})
    assert "objective.contrastive = -1: input should be greater than 0." in message


def test_an_unknown_objective_answers_with_the_near_ones() -> None:
    message = fault_of({"name": "x", "objective": {"kind": "label-awere"}})
    assert (
        "objective.kind = 'label-awere': unknown objective 'label-awere': did you mean label-aware?"
        in message
    )


def test_an_objective_without_a_kind_is_told_all_kinds() -> None:
    message = fault_of({"name": "x", "objective": {"temperature": 0.1}})
    assert "objective.kind: is missing" in message
    assert "retrofit" in message


@pytest.mark.parametrize("value", [5, "linear", ["a"], True])
@pytest.mark.parametrize("section", ["data", "objective", "training"])
def test_a_value_where_a_section_belongs_is_one_clear_fault(section: str, value: Any) -> None:
    message = fault_of({"name": "x", section: value})
    assert f"{section} = {value!r}: a section with keys of its own belongs here." in message
    assert message.startswith("recipe has 1 fault:")


@pytest.mark.parametrize("value", [5, [1, "joy"], {"joy": 3}])
def test_a_value_that_may_have_several_forms_is_one_fault(value: Any) -> None:
    message = fault_of({"name": "x", "encoder": {"label_words": value}})
    assert message.startswith("recipe has 1 fault:\n  encoder.label_words")


@pytest.mark.parametrize(("value", "threshold"), [(0.3, 0.3), (0, 0.0), (1, 1.0), ("global", 0.5)])
def test_thresholds_are_a_rule_or_a_number_for_all_labels(
    value: Any, threshold: float, tmp_path: Path
) -> None:
    recipe = parse_recipe({"name": "x", "decisions": {"thresholds": value}})
    assert recipe.decisions.plain_threshold == threshold
    assert read_recipe(written(tmp_path, recipe.to_yaml())) == recipe


@pytest.mark.parametrize("value", ["globl", 1.5, -1, True, "0.3"])
def test_thresholds_of_neither_kind_are_one_fault(value: Any) -> None:
    said = fault_of({"name": "x", "decisions": {"thresholds": value}})
    assert re.search(r"1 fault:\n.*decisions\.thresholds: .*a number from 0 to 1\.$", said)


def test_not_a_number_and_infinity_are_no_rates() -> None:
    for value in (float("nan"), float("inf")):
        assert "training.learning_rate" in fault_of({"name": "x", "training": {"learning_rate": value}})


@pytest.mark.parametrize("content", [None, [], "text", 3, [{"name": "x"}]])
def test_what_is_no_mapping_is_refused_with_its_type(content: Any) -> None:
    assert "a recipe is a mapping of keys to values" in fault_of(content)


def test_keeping_the_best_epoch_needs_a_metric_that_says_which_it_is() -> None:
    assert "training: keep: best needs early_stopping.metric" in fault_of(
        {"name": "x", "training": {"keep": "best"}}
    )


def test_a_batch_must_hold_rows_of_two_classes() -> None:
    training = {"sampler": "m-per-class", "rows_per_class": 5, "batch_size": 8}
    assert "rows_per_class: 5 is more than half of batch_size 8" in fault_of(
        {"name": "x", "training": training}
    )


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"objective": {"kind": "contrastive"}, "training": {"sampler": "stratified"}},
            "training.sampler: stratified has no effect on drawn pairs",
        ),
        (
            {"objective": {"kind": "label-aware", "warmup_epochs": 3}, "training": {"epochs": 3}},
            "objective.warmup_epochs: 3 is not less than training.epochs 3",
        ),
        (
            {"objective": {"kind": "logistic"}, "training": {"early_stopping": {"metric": "loss"}}},
            "training.early_stopping: logistic regression is fitted at once",
        ),
        (
            {"training": {"optimizer": "adadelta", "layer_decay": 0.9}},
            "training: head_learning_rate and layer_decay: adadelta has one rate",
        ),
        (
            {"training": {"optimizer": "adadelta", "head_learning_rate": 1e-3}},
            "training: head_learning_rate and layer_decay: adadelta has one rate",
        ),
        (
            {"objective": {"kind": "classify", "loss": "focal", "smoothing": 0.1}},
            "objective: smoothing: focal has none",
        ),
    ],
)
def test_what_would_have_no_effect_is_a_fault(sections: dict[str, Any], said: str) -> None:
    assert f"\n  {said}" in fault_of({"name": "x", **sections})


# --- files


def test_broken_yaml_is_reported_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "name: x\ntraining:\n  epochs: [3\nencoder: {}\n")
    with pytest.raises(RecipeError, match=re.escape(f"{path}:4: not YAML: ")):
        read_recipe(path)


def test_a_key_that_stands_twice_is_reported_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "name: x\ntraining:\n  epochs: 3\n  seed: 1\n  epochs: 4\n")
    with pytest.raises(RecipeError, match=re.escape(f"{path}:5: ") + ".*'epochs' stands twice"):
        read_recipe(path)


@pytest.mark.parametrize(
    "text", ["name: \t\x07", "name: 2020-13-45", "? [a]\n: b", "{", "!!python/object:os.x {}"]
)
def test_whatever_yaml_cannot_read_is_a_recipe_fault(text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError):
        read_recipe(written(tmp_path, text))


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("name: früh".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"recipe\.yaml: cannot be read as UTF-8 text"):
        read_recipe(path)


def test_a_missing_file_is_answered_with_near_bundled_names(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no such file, .*did you mean .*goemotions-direct"):
        read_recipe(tmp_path / "goemotion-direct.yaml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a folder, not a recipe file"):
        read_recipe(tmp_path)


def test_an_empty_file_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is a mapping"):
        read_recipe(written(tmp_path, "# nothing\n"))


def test_a_number_in_exponent_form_is_a_number_in_a_file_too(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, "name: x\nencoder: {options: {dropout: 1e-1, name: '1e-1'}}\n"))
    assert recipe.encoder.options == {"dropout": 0.1, "name": "1e-1"}


# --- --set


def test_changes_reach_nested_sections_and_keep_the_rest(tmp_path: Path) -> None:
    path = written(
        tmp_path, "name: x\ntraining: {epochs: 2, seed: 3}\nobjective: {kind: supervised-contrastive}\n"
    )
    recipe = read_recipe(
        path, ("training.learning_rate=1e-4", "objective.projection.out=16", "encoder.label_words=[a, b]")
    )
    assert recipe.training.learning_rate == 1e-4
    assert (recipe.training.epochs, recipe.training.seed) == (2, 3)
    assert isinstance(recipe.objective, SupervisedContrastive)
    assert recipe.objective.projection is not None
    assert recipe.objective.projection.out == 16
    assert recipe.encoder.label_words == ("a", "b")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("5E+2", 500.0),
        ("-2.5e-1", -0.25),
        ("3", 3),
        ("0.5", 0.5),
        ("nan", "nan"),
        ("a=b", "a=b"),
        ("true", True),
        ("null", None),
        ("'1e-4'", "1e-4"),
        ("infinity", "infinity"),
        ("", None),
    ],
)
def test_a_value_is_read_as_yaml_and_exponents_are_numbers(text: str, value: Any) -> None:
    recipe = read_recipe("demo", (f"encoder.options.x={text}",))
    assert recipe.encoder.options["x"] == value
    assert type(recipe.encoder.options["x"]) is type(value)


def test_a_later_change_goes_over_an_earlier_one() -> None:
    assert read_recipe("demo", ("training.epochs=1", "training.epochs=2")).training.epochs == 2


def test_a_change_can_choose_another_objective() -> None:
    recipe = read_recipe("goemotions-direct", ("objective={kind: label-aware, balance: 0.7}",))
    assert isinstance(recipe.objective, LabelAware)
    assert recipe.objective.balance == 0.7


def test_a_change_to_a_section_that_is_not_there_makes_it(tmp_path: Path) -> None:
    path = written(tmp_path, "name: x\ntraining:\n")
    assert read_recipe(path, ("training.seed=4", "decisions.calibration=none")).training.seed == 4


@pytest.mark.parametrize(
    "change", ["training.epochs", "=3", "training.=3", ".epochs=3", "training..epochs=3", " =1"]
)
def test_a_change_without_key_or_value_says_how_it_is_written(change: str) -> None:
    with pytest.raises(RecipeError, match="write key=value"):
        read_recipe("demo", (change,))


def test_a_change_below_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="epochs holds a value, not a section"):
        read_recipe("demo", ("training.epochs.x=3",))


def test_a_change_to_a_section_that_is_unknown_is_a_fault_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match="unknown key 'trainig': did you mean training"):
        read_recipe("demo", ("trainig.epochs=3",))


def test_a_value_put_over_a_section_is_a_fault_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match="data = 5: a section with keys of its own belongs here"):
        read_recipe("demo", ("data=5",))


def test_a_change_reaches_an_entry_of_a_list_by_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, "name: x\ndata: [{name: sst2}, {name: mustard}]\nexamples: [a, b]\n")
    recipe = read_recipe(path, ("data.1.weight=.5", "data.0.task=films", "examples.1=c"))
    assert [(one.task, one.weight) for one in recipe.corpora] == [("films", 1.0), (None, 0.5)]
    assert recipe.examples == ("a", "c")
    for change in ("data.2.weight=1", "data.x.weight=1", "data.-1.weight=1", "examples.2=c", "data.1.=1"):
        with pytest.raises(
            RecipeError, match=r"a list of 2 has no '.*'; its entries count from 0|write key=value"
        ):
            read_recipe(path, (change,))


def test_a_fault_of_the_first_of_several_corpora_has_its_number(tmp_path: Path) -> None:
    path = written(
        tmp_path, "name: x\ndata: [{name: sst2, weight: -1}, {name: mustard, weight: 0, tsk: a}]\n"
    )
    with pytest.raises(RecipeError) as fault:
        read_recipe(path)
    assert [line.split(":")[0].split(" = ")[0].strip() for line in str(fault.value).splitlines()[1:]] == [
        "data.0.weight",
        "data.1.weight",
        "data.1.tsk",
    ]


def test_a_change_that_is_no_yaml_is_a_recipe_fault() -> None:
    with pytest.raises(RecipeError, match="--set 'note=\\[a': not YAML"):
        read_recipe("demo", ("note=[a",))


def test_a_change_to_a_file_that_holds_no_mapping_does_not_hide_that(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is a mapping"):
        read_recipe(written(tmp_path, "- a\n- b\n"), ("training.epochs=3",))
