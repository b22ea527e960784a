"""The scikit-learn estimators: what they learn, and that scikit-learn's own tools can use them."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MultiLabelBinarizer
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

import affekt
from affekt.errors import AffektError, ModelError, RecipeError, UsageError
from affekt.estimators import EmotionClassifier, EmotionEmbedder
from affekt.estimators.base import held_out
from affekt.estimators.data import InputError, read_labels, read_texts
from affekt.recipe.sections import Recipe

ENDS = ("i", "love", "so", "day", "the", "and", "was", "play", "today", "now")
STARTS = {"joy": ("so happy", "joy and joy", "i love"), "anger": ("anger now", "i was anger", "the anger")}
STARTS["fear"] = ("fear of", "i fear", "so fear")
ROWS = [(f"{start} {end}", label) for end in ENDS for label, starts in STARTS.items() for start in starts]
TEXTS = [text for text, _ in ROWS]
NAMES = [label for _, label in ROWS]
SETS = [[label, "loud"] if i % 3 == 0 else [label] if i % 10 else [] for i, label in enumerate(NAMES)]
SINGLE = np.equal.outer(NAMES, ["anger", "fear", "joy"])
MATRIX = MultiLabelBinarizer().fit_transform(SETS)


@pytest.fixture(scope="module")
def quick(tiny):
    """Make a classifier that trains in a blink."""

    def make(**options):
        settings = {
            "encoder": tiny("bert"),
            "pooling": "mean",
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 3e-3,
        }
        return EmotionClassifier(**{**settings, **options})

    return make


def plain(**options):
    """A classifier without gradients, for what holds whatever learns."""
    return EmotionClassifier(**{"encoder": "tfidf", "objective": "logistic", **options})


@pytest.fixture(scope="module")
def matrix_fitted():
    return plain().fit(TEXTS, MATRIX)


@pytest.fixture(scope="module")
def one(quick):
    return quick(epochs=4).fit(TEXTS, NAMES)


@pytest.fixture(scope="module")
def several(quick):
    return quick(epochs=4).fit(TEXTS, SETS)


# --- one label per text


def test_it_learns_labels_and_answers_with_them(one):
    assert one.classes_.tolist() == ["anger", "fear", "joy"]
    assert one.predict(TEXTS).dtype == one.classes_.dtype
    assert one.score(TEXTS, NAMES) == np.mean(one.predict(TEXTS) == NAMES) > 0.9
    assert one.predict_labels(TEXTS[:2]) == [[label] for label in one.predict(TEXTS[:2])]


def test_probabilities_are_the_softmax_of_the_decision_function(one):
    scores, probabilities = one.decision_function(TEXTS), one.predict_proba(TEXTS)
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert probabilities.shape == (len(TEXTS), 3)
    assert np.allclose(probabilities, expected, atol=1e-6)
    assert (one.classes_[probabilities.argmax(axis=1)] == one.predict(TEXTS)).all()
    assert log_loss(NAMES, probabilities) < 1


def test_of_two_classes_the_decision_function_is_the_second_ones(quick):
    numbers = [int(name == "joy") for name in NAMES]
    fitted = quick().fit(TEXTS, numbers)
    scores = fitted.decision_function(TEXTS)
    assert scores.shape == (len(TEXTS),)
    assert np.allclose(1 / (1 + np.exp(-scores)), fitted.predict_proba(TEXTS)[:, 1], atol=1e-6)
    assert ((scores > 0) == fitted.predict(TEXTS)).all()
    assert fitted.predict(TEXTS).dtype == np.int64
    assert roc_auc_score(numbers, scores) > 0.9


@pytest.mark.parametrize("labels", [[True, False], [-1, 5], [1.0, 2.0], ["a b", "ü"]])
def test_labels_come_back_in_the_type_they_had(labels):
    given = [labels[name == "joy"] for name in NAMES]
    fitted = plain().fit(TEXTS, given)
    assert fitted.classes_.tolist() == sorted(labels)
    assert type(fitted.predict(TEXTS[:1]).tolist()[0]) is type(labels[0])


def test_fitting_again_gives_the_same_model_and_another_seed_another(quick):
    first, again, other = (
        quick(epochs=1, seed=seed).fit(TEXTS, NAMES).predict_proba(TEXTS) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_fitting_leaves_the_random_numbers_of_others_alone(quick):
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the generator that others may use
    expected = torch.rand(1), np.random.rand(1)  # noqa: NPY002
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    quick(epochs=1).fit(TEXTS, NAMES)
    assert (torch.rand(1), np.random.rand(1)) == expected  # noqa: NPY002


def test_decisions_are_fitted_on_held_out_texts_only(one, quick):
    decisions = one.model_.decisions
    assert decisions.fitted_on["split"] == "dev"
    assert decisions.fitted_on["n"] == 9
    assert one.metrics_["dev"]["fixed"]["per_label"].keys() == {"anger", "fear", "joy"}
    assert [entry["epoch"] for entry in one.metrics_["history"]] == [1, 2, 3, 4]
    none_held_out = quick(epochs=1, dev_share=0).fit(TEXTS, NAMES)
    assert none_held_out.model_.decisions.fitted_on == {}
    assert "dev" not in none_held_out.metrics_


def test_it_is_silent_unless_told_otherwise(quick, capfd):
    quick(epochs=1).fit(TEXTS, NAMES)
    silent = capfd.readouterr()
    quick(epochs=2, verbose=True).fit(TEXTS, NAMES)
    assert (silent.out, silent.err) == ("", "")
    assert [line.split(":")[0] for line in capfd.readouterr().err.splitlines()] == ["epoch 1", "epoch 2"]


# --- several labels per text


def test_several_labels_are_a_matrix_and_lists_of_names(several):
    predicted = several.predict(TEXTS)
    assert several.classes_.tolist() == ["anger", "fear", "joy", "loud"]
    assert predicted.shape == (len(TEXTS), 4)
    assert predicted.dtype == np.int64
    assert set(np.unique(predicted)) == {0, 1}
    names = several.predict_labels(TEXTS)
    assert [sorted(row) for row in names] == [several.classes_[row == 1].tolist() for row in predicted]
    assert (
        several.score(TEXTS, SETS) == several.score(TEXTS, MATRIX) == (predicted == MATRIX).all(axis=1).mean()
    )


def test_probabilities_of_several_labels_are_sigmoids_that_thresholds_decide_on(several):
    probabilities = several.predict_proba(TEXTS)
    assert np.allclose(probabilities, 1 / (1 + np.exp(-several.decision_function(TEXTS))), atol=1e-6)
    thresholds = several.model_.decisions.thresholds
    assert len(set(thresholds)) > 1
    assert np.array_equal(several.predict(TEXTS), probabilities > thresholds)


@pytest.mark.parametrize("form", ["array", "nested", "sparse", "soft"])
def test_a_matrix_of_labels_is_numbered(matrix_fitted, form):
    labels = {
        "array": MATRIX,
        "nested": MATRIX.tolist(),
        "sparse": sparse.csr_matrix(MATRIX),
        "soft": MATRIX * 0.75,
    }
    read = read_labels(labels[form])
    assert (read.classes.tolist(), read.single) == ([0, 1, 2, 3], False)
    assert np.array_equal(read.targets, MATRIX * (0.75 if form == "soft" else 1))
    assert matrix_fitted.classes_.tolist() == [0, 1, 2, 3]
    assert matrix_fitted.predict(TEXTS).shape == MATRIX.shape
    assert matrix_fitted.score(TEXTS, labels[form]) == matrix_fitted.score(TEXTS, MATRIX)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_the_columns_of_a_frame_name_the_labels(kind):
    frame = kind({name: MATRIX[:, column] for column, name in enumerate(["anger", "fear", "joy", "loud"])})
    fitted = plain().fit(TEXTS, frame)
    assert fitted.classes_.tolist() == ["anger", "fear", "joy", "loud"]
    assert fitted.score(TEXTS, frame[["loud", "joy", "anger", "fear"]]) == fitted.score(TEXTS, SETS)


def test_a_label_the_classifier_does_not_know_makes_a_row_wrong(several):
    right = several.predict_labels(TEXTS)
    assert several.score(TEXTS, right) == 1
    assert several.score(TEXTS, [[*right[0], "awe"], *right[1:]]) == pytest.approx(1 - 1 / len(TEXTS))
    assert several.score(TEXTS[:2], [[], []], sample_weight=[0, 1]) == float(not right[1])


@pytest.mark.parametrize("number", [0.0, 0.3, 1.0])
def test_thresholds_may_be_a_number(quick, number):
    fitted = quick(epochs=1, thresholds=number, calibration="none").fit(TEXTS, SETS)
    probabilities = fitted.predict_proba(TEXTS)
    assert fitted.model_.decisions.thresholds == (number,) * 4
    assert np.array_equal(fitted.predict(TEXTS), probabilities > np.float32(number))
    assert fitted.metrics_["dev"]["fixed"]["f1_macro"] == fitted.metrics_["dev"]["fitted"]["f1_macro"]


def test_what_was_fitted_on_few_texts_is_warned_of(several):
    warnings = several.metrics_["decisions"]["warnings"]
    assert warnings[-1] == several.model_.decisions.warnings[-1]
    assert warnings[-1].startswith("dev has 9 texts: ")


# --- weights


def test_equal_weights_change_nothing(quick, one):
    weighted = quick(epochs=4).fit(TEXTS, NAMES, sample_weight=[0.25] * len(TEXTS))
    assert np.array_equal(weighted.predict_proba(TEXTS), one.predict_proba(TEXTS))


def test_a_text_without_weight_is_as_if_it_were_not_there():
    weights = np.arange(len(TEXTS)) % 4 > 0
    kept = [i for i, weight in enumerate(weights) if weight]
    weighted = plain().fit(TEXTS, SETS, sample_weight=weights)
    without = plain().fit([TEXTS[i] for i in kept], [SETS[i] for i in kept])
    assert np.array_equal(weighted.predict_proba(TEXTS), without.predict_proba(TEXTS))


@pytest.mark.parametrize("options", [{"objective": "logistic", "encoder": "tfidf"}, {}])
def test_what_weighs_more_is_believed_more(quick, options):
    weights = np.where(np.array(NAMES) == "joy", 9.0, 1.0)
    weighted, even = (
        quick(**options).fit(["the day"] * 9 + TEXTS, NAMES[:9] + NAMES, sample_weight=given)
        for given in (np.append(weights[:9], weights), None)
    )
    joy = weighted.classes_.tolist().index("joy")
    unsure = ["what now", "the end"]
    assert (weighted.predict_proba(unsure)[:, joy] > even.predict_proba(unsure)[:, joy] + 0.1).all()


@pytest.mark.parametrize(
    "weights",
    [[1.0] * 7, [1.5, 0.5, 1.0, 2.0, 0.25, 0.75, 1.0], [3, 0, 2, 2, 0, 0, 0], [1e9, 1, 1, 1, 1, 1, 1]],
)
def test_a_row_is_drawn_as_often_as_its_weight_says_give_or_take_one(weights):
    corpus = read_labels(list("abababa")).corpus(list("tuvwxyz"))
    part = held_out(corpus, 0, Recipe(name="x"), weights)["train"]
    drawn = np.array([part.texts.count(text) for text in "tuvwxyz"])
    kept = np.array(weights) > 0
    assert len(part) == kept.sum()
    expected = np.array(weights) / sum(weights) * len(part)
    assert (np.abs(drawn - expected) < 1).all()


@pytest.mark.parametrize(("weights", "message"), [
    ([1.0] * 89, r"one number per text \(90\), not of shape \(89,\)"),
    ([1.0] * 89 + [-1.0], "from 0 up"),
    ([1.0] * 89 + [float("nan")], "from 0 up"),
    ([0.0] * 90, "not all of them 0"),
    (["a"] * 90, "must be numbers"),
    (3, "must be numbers, one per text"),
    ([float(name == "joy") for name in NAMES], "holds only the label 'joy'"),
])  # fmt: skip
def test_weights_that_cannot_be_used_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        plain().fit(TEXTS, NAMES, sample_weight=weights)


def test_vectors_are_trained_by_weights_too(tiny):
    weights = [1.0, 0.0] * 45
    weighted = trainable(tiny, epochs=1).fit(TEXTS, NAMES, sample_weight=weights)
    without = trainable(tiny, epochs=1).fit(TEXTS[::2], NAMES[::2])
    assert np.array_equal(weighted.transform(TEXTS), without.transform(TEXTS))


# --- the forms of texts and labels


def frames(values):
    """The same column in every form."""
    return {
        "list": list(values),
        "tuple": tuple(values),
        "array": np.array(values),
        "objects": np.array(values, dtype=object),
        "column": np.array(values)[:, None],
        "pandas": pd.Series(values, index=range(5, 5 + len(values))),
        "categorical": pd.Series(values, dtype="category"),
        "pandas frame": pd.DataFrame({"x": values}),
        "polars": pl.Series(values),
        "polars frame": pl.DataFrame({"x": values}),
        "arrow": pa.array(values),
    }


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("form", list(frames(["a"])))
def test_texts_and_labels_may_come_in_any_form(form):
    texts = read_texts(frames(["a", "\x00b", "🙂", ""])[form])
    labels = read_labels(frames(["joy", "fear", "joy", "joy"])[form])
    assert texts == ["a", "\x00b", "🙂", ""]
    assert {type(text) for text in texts} == {str}
    assert labels.single
    assert labels.classes.tolist() == ["fear", "joy"]
    assert labels.targets.tolist() == [[0, 1], [1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize("form", ["lists", "tuples", "sets", "arrays", "pandas", "polars", "objects"])
def test_several_names_may_come_in_any_form(form):
    rows = [["joy", "fear"], [], ["joy"]]
    objects = np.empty(3, dtype=object)
    objects[:] = rows
    forms = {
        "lists": rows,
        "tuples": [tuple(row) for row in rows],
        "sets": [set(row) for row in rows],
        "arrays": [np.array(row) for row in rows],
        "pandas": pd.Series(rows),
        "polars": pl.Series(rows),
        "objects": objects,
    }
    labels = read_labels(forms[form])
    assert not labels.single
    assert labels.classes.tolist() == ["fear", "joy"]
    assert labels.targets.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_a_column_of_labels_is_warned_of_as_in_scikit_learn():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        read_labels(np.array([["joy"], ["fear"]]))


def test_rows_that_sum_to_one_are_still_several_labels():
    fitted = plain().fit(TEXTS, np.eye(3)[[("anger", "fear", "joy").index(name) for name in NAMES]])
    assert fitted.multilabel_
    assert fitted.model_.decisions.rule == "threshold"


@pytest.mark.parametrize(("texts", "message"), [
    ("so happy", r"not one string; write \[text\]"),
    (["a", 1], "text 1 is int 1, not a string"),
    (["a", None], "text 1 is missing"),
    ([b"a"], "text 0 is bytes b'a'"),
    (pd.Series(["a", float("nan")]), "text 1 is missing"),
    (pd.Series(["a", None], dtype="string"), "text 1 is missing"),
    ([["a"], ["b"]], "text 0 is list"),
    (pd.DataFrame({"text": ["a"], "place": ["b"]}), "one column, and there are 2: text, place"),
    (np.array([["a", "b"]]), "one column, and there are 2;"),
    (np.zeros((2, 2, 2)), "not an array of shape"),
    (np.array("a"), "not an array of shape"),
    (5, "a series is wanted, not int"),
])  # fmt: skip
def test_what_is_no_text_is_named(one, texts, message):
    for method in (one.predict, one.predict_proba, one.decision_function, one.predict_labels):
        with pytest.raises(InputError, match=message):
            method(texts)
    with pytest.raises(ValueError, match=message):
        one.__class__().fit(texts, NAMES)


@pytest.mark.parametrize(("labels", "message"), [
    (None, "requires y to be passed, but the target y is None"),
    (NAMES[:-1], "90 texts and labels for 89"),
    (["joy"] * 90, "y holds only the label 'joy'; training needs texts with different labels"),
    ([["joy"]] * 90, "y holds only the label 'joy'"),
    ([[]] * 90, "y has no labels"),
    ([None, *NAMES[1:]], r"labels\[0\] is missing"),
    ([*NAMES[1:], float("nan")], r"labels\[89\] is missing"),
    ([*NAMES[1:], " "], r"labels\[89\] is missing"),
    ([["joy"], ["joy", ""], *SETS[2:]], r"labels\[1\] holds an empty name; leave it out"),
    ([1, *NAMES[1:]], "partly strings and partly numbers"),
    ([["joy", 1], *SETS[1:]], "hold both strings and numbers"),
    (["joy", *SETS[1:]], r"labels\[0\] is 'joy' where other texts have a list"),
    ([[1], *MATRIX.tolist()[1:]], "must be of one length"),
    (np.linspace(0, 1, 90), "Unknown label type: continuous"),
    (MATRIX * 2, r"shares in \[0, 1\]"),
    (np.full((90, 2), "joy"), "must hold 0 and 1 or shares; pass names as a list per text"),
    (5, "a series is wanted, not int"),
])  # fmt: skip
def test_labels_that_cannot_be_learned_are_named(labels, message):
    for kind in (ValueError, AffektError):
        with pytest.raises(kind, match=message):
            EmotionClassifier().fit(TEXTS, labels)


def test_no_texts_at_all_cannot_be_learned_from_but_can_be_predicted(one, several):
    for empty in ([], np.array([]), pd.Series([], dtype=object)):
        with pytest.raises(InputError, match="no texts to learn from"):
            EmotionClassifier().fit(empty, [])
        assert one.predict(empty).shape == (0,)
        assert one.predict_proba(empty).shape == one.decision_function(empty).shape == (0, 3)
        assert several.predict(empty).shape == (0, 4)


def test_too_few_texts_to_hold_any_out_say_what_to_set(quick):
    with pytest.raises(
        InputError, match=r"dev_share = 0\.1: too few of 2 texts to hold any out .* set it to 0"
    ):
        quick().fit(["i love", "so sad"], ["joy", "fear"])
    fitted = quick(dev_share=0, batch_size=2).fit(["i love", "so sad"], ["joy", "fear"])
    assert set(fitted.predict(["i love"])) <= {"joy", "fear"}


def test_odd_texts_are_predicted(one):
    odd = ["", " ", "\x00", "\ud800", "🎉" * 50, "so " * 5000, "\u200b", "a\r\nb", np.str_("x")]
    assert one.predict(odd).shape == (9,)
    assert np.isfinite(one.predict_proba(odd)).all()


# --- arguments and recipes


def complete(**options):
    return EmotionClassifier(**options)._complete_recipe()


def test_without_arguments_the_defaults_hold():
    recipe = complete()
    assert (recipe.encoder.name, recipe.encoder.pooling, recipe.objective.kind) == (
        "all-MiniLM-L6-v2",
        "cls",
        "classify",
    )
    assert (recipe.training.epochs, recipe.training.learning_rate, recipe.training.layer_decay) == (
        4,
        2e-4,
        0.9,
    )


@pytest.mark.parametrize(("argument", "value", "place"), [
    ("encoder", "some/encoder", ("encoder", "name")),
    ("pooling", "mean", ("encoder", "pooling")),
    ("epochs", 7, ("training", "epochs")),
    ("batch_size", 5, ("training", "batch_size")),
    ("learning_rate", 0.5, ("training", "learning_rate")),
    ("layer_decay", 0.5, ("training", "layer_decay")),
    ("dropout", 0.0, ("head", "dropout")),
    ("seed", 0, ("training", "seed")),
    ("style", "bertweet", ("data", "style")),
    ("thresholds", "global", ("decisions", "thresholds")),
    ("calibration", "platt", ("decisions", "calibration")),
    ("objective", "logistic", ("objective", "kind")),
])  # fmt: skip
def test_every_argument_reaches_the_recipe_over_what_the_recipe_says(argument, value, place):
    recipe = {"training": {"seed": 3, "epochs": 2}, "head": {"dropout": 0.7}, "encoder": {"name": "other"}}
    for given in (None, recipe, complete(recipe=recipe)):
        section = getattr(complete(recipe=given, **{argument: value}), place[0])
        assert getattr(section, place[1]) == value


def test_a_recipe_may_be_a_name_a_path_a_dict_or_an_object(tmp_path):
    bundled = complete(recipe="goemotions-direct")
    (tmp_path / "mine.yaml").write_text(bundled.to_yaml())
    assert isinstance(bundled, Recipe)
    assert bundled == complete(recipe=tmp_path / "mine.yaml") == complete(recipe=bundled)
    assert bundled.decisions.calibration == "platt"
    changed = complete(recipe="goemotions-direct", epochs=1)
    assert changed.training == bundled.training.model_copy(update={"epochs": 1})
    mixed = complete(
        recipe={"training": {"warmup": 0.3}, "objective": {"kind": "classify", "smoothing": 0.1}}
    )
    assert (mixed.training.warmup, mixed.training.epochs, mixed.objective.smoothing) == (0.3, 4, 0.1)


def test_an_objective_of_another_kind_leaves_the_old_ones_options_behind():
    recipe = {"objective": {"kind": "supervised-contrastive", "temperature": 0.5, "classification": 2.0}}
    assert complete(recipe=recipe, objective="supervised-contrastive").objective.temperature == 0.5
    assert complete(recipe=recipe, objective={"temperature": 0.2}).objective.classification == 2.0
    assert complete(recipe=recipe, objective="classify").objective.kind == "classify"
    assert complete(objective="supervised-contrastive").objective.classification == 1.0


def test_an_encoder_may_be_of_a_kind_made_from_the_texts():
    recipe = complete(recipe="goemotions-direct", encoder="tfidf")
    assert recipe.encoder.kind == "tfidf"
    back = complete(recipe=recipe, encoder="some/encoder")
    assert (back.encoder.kind, back.encoder.name) == ("transformer", "some/encoder")
    assert complete(encoder={"max_length": 32}).encoder.max_length == 32


@pytest.mark.parametrize(("options", "message"), [
    ({"epochs": 0, "pooling": "max"}, r"EmotionClassifier has 2 faults:\n.*pooling = 'max'.*\n.*epochs = 0"),
    ({"objective": "clasify"}, "did you mean classify"),
    ({"recipe": "goemotions-drect"}, "did you mean goemotions-direct"),
    ({"recipe": {"trainin": {}}}, "did you mean training"),
    ({"recipe": {"encoder": "distilbert"}, "pooling": "mean"}, "encoder = 'distilbert': a section with keys"),
    ({"recipe": {"encoder": "distilbert"}, "encoder": "bert-base"}, "encoder = 'distilbert': a section"),
    ({"recipe": {"encoder": "a", "training": 0}, "epochs": 1}, "2 faults:\n.*encoder = .*\n.*training = 0"),
])  # fmt: skip
def test_arguments_that_make_no_recipe_are_named(options, message):
    with pytest.raises(RecipeError, match=message):
        EmotionClassifier(**options).fit(TEXTS, NAMES)


def test_a_section_may_be_none_or_an_object():
    recipe = complete()
    assert complete(recipe={"encoder": None}, encoder="some/encoder").encoder.name == "some/encoder"
    training = recipe.training.model_copy(update={"epochs": 7})
    assert complete(recipe={"training": training}, batch_size=5).training.epochs == 7


@pytest.mark.parametrize(("options", "message"), [
    ({"objective": "retrofit"}, "objective 'retrofit' trains no classifier"),
    ({"objective": {"kind": "supervised-contrastive", "classification": 0}}, "trains no classifier"),
    ({"dev_share": 1.0}, "dev_share = 1.0: is a share of the texts"),
    ({"dev_share": -0.1}, "dev_share = -0.1: is a share of the texts"),
    ({"dev_share": float("nan")}, "dev_share = nan: is a share of the texts"),
    ({"dev_share": "x"}, "dev_share = 'x': is a share of the texts"),
    ({"dev_share": True}, "dev_share = True: is a share of the texts"),
    ({"recipe": 5}, "recipe is int"),
])  # fmt: skip
def test_arguments_that_cannot_be_followed_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        EmotionClassifier(**options).fit(TEXTS, NAMES)


@pytest.mark.parametrize("options", [
    {"encoder": "tfidf", "objective": "logistic"},
    {"objective": "logistic", "encoder": None},
    {"objective": "supervised-contrastive"},
    {"objective": {"kind": "classify", "loss": "focal"}, "calibration": "none"},
    {"style": "affekt", "thresholds": "global", "calibration": "platt"},
    {"recipe": {"training": {"early_stopping": {"metric": "accuracy", "patience": 1}, "keep": "best"}}},
])  # fmt: skip
@pytest.mark.parametrize("labels", ["one", "several"])
def test_every_way_of_training_classifies(quick, tiny, options, labels):
    if labels == "one" and options.get("calibration") == "platt":
        pytest.skip("platt calibration is for several labels")
    options = {**options, "encoder": options.get("encoder") or tiny("bert")}
    truth = SINGLE if labels == "one" else MATRIX
    fitted = quick(epochs=6, **options).fit(TEXTS, NAMES if labels == "one" else SETS)
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == truth.shape
    assert probabilities[truth == 1].mean() > probabilities[truth == 0].mean() + 0.1
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(TEXTS), probabilities)


# --- scikit-learn's tools


@pytest.mark.parametrize("estimator", [EmotionClassifier(), EmotionEmbedder()])
@pytest.mark.parametrize("check", [
    checks.check_estimator_cloneable,
    checks.check_estimator_tags_renamed,
    checks.check_valid_tag_types,
    checks.check_estimator_repr,
    checks.check_no_attributes_set_in_init,
    checks.check_do_not_raise_errors_in_init_or_set_params,
    checks.check_mixin_order,
    checks.check_parameters_default_constructible,
    checks.check_get_params_invariance,
    checks.check_set_params,
], ids=lambda check: getattr(check, "__name__", ""))  # fmt: skip
def test_the_checks_of_scikit_learn_that_need_no_numbers(estimator, check):
    check(type(estimator).__name__, clone(estimator))


def test_the_tags_say_what_goes_in():
    for estimator in (EmotionClassifier(), EmotionEmbedder()):
        tags = get_tags(estimator)
        assert (tags.input_tags.string, tags.input_tags.two_d_array) == (True, False)
    assert is_classifier(EmotionClassifier())
    assert get_tags(EmotionClassifier()).classifier_tags.multi_label
    assert get_tags(EmotionEmbedder()).transformer_tags is not None
    assert all(has_fit_parameter(kind(), "sample_weight") for kind in (EmotionClassifier, EmotionEmbedder))


def test_they_say_that_one_column_goes_in_once_they_are_fitted(one, tiny):
    assert one.n_features_in_ == EmotionEmbedder(tiny("bert")).fit(TEXTS).n_features_in_ == 1
    assert not hasattr(EmotionClassifier(), "n_features_in_")
    assert make_pipeline(one).n_features_in_ == 1


def test_before_fitting_they_say_that_they_are_not_fitted():
    classifier = EmotionClassifier()
    for method in ("predict", "predict_proba", "predict_labels", "decision_function"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(classifier, method)(["a"])
    with pytest.raises(NotFittedError):
        classifier.score(["a"], ["joy"])
    for function in (EmotionEmbedder().transform, EmotionEmbedder().get_feature_names_out):
        with pytest.raises(NotFittedError):
            function(["a"])


def test_fitting_changes_no_argument_and_a_clone_is_not_fitted(quick):
    recipe = {"objective": {"kind": "supervised-contrastive"}}
    kept = copy.deepcopy(recipe)
    estimator = quick(epochs=1, recipe=recipe)
    before = estimator.get_params()
    assert estimator.fit(TEXTS, NAMES) is estimator
    assert estimator.get_params() == before
    assert recipe == kept
    with pytest.raises(NotFittedError):
        clone(estimator).predict(["a"])


def test_a_failed_fit_leaves_the_fitted_estimator_as_it_was():
    estimator = plain().fit(TEXTS, NAMES)
    before = estimator.predict_proba(TEXTS)
    with pytest.raises(InputError):
        estimator.fit(TEXTS, ["joy"] * len(TEXTS))
    assert np.array_equal(estimator.predict_proba(TEXTS), before)


def test_cross_validation(quick):
    scores = cross_val_score(quick(), pd.Series(TEXTS), NAMES, cv=2, error_score="raise")
    assert scores.shape == (2,)
    assert scores.min() > 0.5
    found = cross_val_predict(quick(), np.array(TEXTS), NAMES, cv=2, method="predict_proba")
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("processes", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_over_arguments_in_other_processes_too(quick, processes):
    grid = {"epochs": [1, 2], "dropout": [0.0]}
    search = GridSearchCV(quick(), grid, cv=2, n_jobs=processes, error_score="raise", scoring="f1_macro")
    search.fit(TEXTS, NAMES)
    assert search.best_params_["epochs"] in (1, 2)
    assert search.predict(TEXTS[:2]).shape == (2,)
    assert search.best_estimator_.recipe_.head.dropout == 0


@pytest.mark.parametrize("scoring", ["f1_macro", "jaccard_samples", "roc_auc", "average_precision", None])
def test_scorers_of_scikit_learn_take_several_labels(several, scoring):
    from sklearn.metrics import check_scoring

    assert 0 < check_scoring(several, scoring)(several, TEXTS, MATRIX) <= 1


def test_grid_search_over_several_labels():
    search = GridSearchCV(plain(), {"thresholds": ["fixed", 0.3, "global"]}, cv=2, error_score="raise")
    search.fit(TEXTS, MATRIX)
    assert search.best_estimator_.predict(TEXTS).shape == MATRIX.shape


def test_a_pipeline_and_a_column_of_a_frame():
    frame = pd.DataFrame({"text": TEXTS, "n": range(len(TEXTS))})
    pipeline = Pipeline([("pick", FunctionTransformer(lambda x: x["text"])), ("label", plain())])
    pipeline.set_params(label__seed=1).fit(frame, NAMES, label__sample_weight=np.ones(len(TEXTS)))
    assert pipeline.predict_proba(frame).shape == (len(TEXTS), 3)
    assert pipeline.classes_.tolist() == ["anger", "fear", "joy"]


# --- keeping


def test_a_fitted_estimator_is_pickled_and_copied_whole(one, several, tmp_path):
    for fitted in (one, several):
        before = fitted.predict_proba(TEXTS)
        joblib.dump(fitted, tmp_path / "fitted.joblib")
        for kept in (
            pickle.loads(pickle.dumps(fitted)),
            joblib.load(tmp_path / "fitted.joblib"),
            copy.deepcopy(fitted),
        ):
            assert np.array_equal(kept.predict_proba(TEXTS), before)
            assert np.array_equal(kept.predict(TEXTS), fitted.predict(TEXTS))
            assert kept.get_params() == fitted.get_params()
            assert kept.metrics_ == fitted.metrics_
        assert np.array_equal(fitted.predict_proba(TEXTS), before)


def test_a_pickle_holds_no_tensors(one):
    class Watching(pickle.Unpickler):
        def find_class(self, module, name):
            assert not module.startswith(("torch", "transformers", "tokenizers"))
            return super().find_class(module, name)

    assert Watching(io.BytesIO(pickle.dumps(one))).load().classes_.tolist() == one.classes_.tolist()


def test_the_model_is_one_that_affekt_loads(one, tmp_path):
    one.model_.save(tmp_path / "model")
    opened = affekt.load(tmp_path / "model")
    assert np.array_equal(opened.probabilities(TEXTS), one.predict_proba(TEXTS))
    assert opened.labels == tuple(one.classes_)


# --- vectors


def test_vectors_are_those_of_the_model(tiny):
    embedder = EmotionEmbedder(tiny("bert"))
    vectors = embedder.fit_transform(TEXTS)
    model = affekt.load(tiny("bert"))
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, model.embed(TEXTS))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(
        EmotionEmbedder(tiny("bert"), unit=False).fit(TEXTS).transform(TEXTS), model.embed(TEXTS, unit=False)
    )
    assert embedder.transform([]).shape == (0, 32)
    assert embedder.metrics_ == {}


def test_the_default_is_the_packaged_encoder(monkeypatch):
    asked, opened = [], affekt.inference.model.Model(None)
    monkeypatch.setattr("affekt.estimators.embedder.load", lambda name: asked.append(name) or opened)
    monkeypatch.setattr("affekt.inference.model.Model.embed", lambda *_, **__: np.zeros((0, 3), np.float32))
    EmotionEmbedder().fit(["a"])
    assert asked == ["all-MiniLM-L6-v2"]


def test_vectors_have_names_and_come_as_frames(tiny):
    embedder = EmotionEmbedder(tiny("bert")).fit(TEXTS)
    names = [f"emotionembedder{i}" for i in range(32)]
    assert embedder.get_feature_names_out().tolist() == names
    rows = pd.Series(TEXTS, index=[f"r{i}" for i in range(len(TEXTS))])
    frame = embedder.set_output(transform="pandas").transform(rows)
    assert frame.columns.tolist() == names
    assert frame.index.tolist() == rows.index.tolist()
    assert embedder.transform(TEXTS).shape == (len(TEXTS), 32)
    assert isinstance(embedder.set_output(transform="polars").transform(TEXTS), pl.DataFrame)


def test_vectors_feed_other_estimators(tiny):
    pipeline = make_pipeline(EmotionEmbedder(tiny("bert")), LogisticRegression(max_iter=200))
    assert cross_val_score(pipeline, TEXTS, NAMES, cv=2, error_score="raise").min() > 0.4
    columns = ColumnTransformer([("text", EmotionEmbedder(tiny("bert")), "text")], remainder="passthrough")
    found = columns.fit_transform(pd.DataFrame({"text": TEXTS, "n": range(len(TEXTS))}))
    assert found.shape == (len(TEXTS), 33)
    union = FeatureUnion(
        [("a", EmotionEmbedder(tiny("bert"))), ("b", EmotionEmbedder(tiny("bert"), unit=False))]
    )
    assert union.fit_transform(TEXTS).shape == (len(TEXTS), 64)


def trainable(tiny, **options):
    return EmotionEmbedder(
        **{
            "model": tiny("bert"),
            "recipe": {},
            "epochs": 3,
            "batch_size": 16,
            "learning_rate": 3e-3,
            **options,
        }
    )


def spread(vectors):
    """Mean cosine of texts of the same label, less that of texts of different ones."""
    similarity, same = vectors @ vectors.T, np.equal.outer(NAMES, NAMES)
    return similarity[same].mean() - similarity[~same].mean()


def test_with_a_recipe_vectors_learn_the_labels(tiny):
    before = spread(EmotionEmbedder(tiny("bert")).fit_transform(TEXTS))
    embedder = trainable(tiny).fit(TEXTS, NAMES)
    assert spread(embedder.transform(TEXTS)) > before + 0.1
    assert embedder.recipe_.objective.kind == "supervised-contrastive"
    assert [entry["epoch"] for entry in embedder.metrics_["history"]] == [1, 2, 3]
    again = pickle.loads(pickle.dumps(embedder))
    assert np.array_equal(again.transform(TEXTS), embedder.transform(TEXTS))


def test_the_projected_space_has_its_own_size(tiny):
    embedder = trainable(tiny, projected=True, epochs=1).fit(TEXTS, SETS)
    assert embedder.transform(TEXTS).shape == (len(TEXTS), 128)
    assert len(embedder.get_feature_names_out()) == 128
    with pytest.raises(ModelError, match="no projection"):
        EmotionEmbedder(tiny("bert"), projected=True).fit(TEXTS)


def test_vectors_are_trained_without_labels_where_the_recipe_needs_none(tiny):
    unlabelled = {"objective": {"kind": "contrastive-unsupervised"}, "training": {"sampler": "bucketed"}}
    embedder = trainable(tiny, recipe=unlabelled, epochs=1).fit(TEXTS)
    assert embedder.transform(TEXTS[:2]).shape == (2, 32)
    with pytest.raises(InputError, match="requires y to be passed"):
        trainable(tiny).fit(TEXTS)


def test_early_stopping_of_vectors_watches_held_out_texts(tiny):
    stopping = {"training": {"early_stopping": {"metric": "map_at_r", "patience": 1}}}
    embedder = trainable(tiny, recipe=stopping, dev_share=0.2).fit(TEXTS, NAMES)
    assert "map_at_r" in embedder.metrics_["history"][0]["dev"]
    with pytest.raises(UsageError, match="early_stopping needs a dev split"):
        trainable(tiny, recipe=stopping).fit(TEXTS, NAMES)


def test_arguments_of_training_without_a_recipe_are_a_fault(tiny):
    with pytest.raises(UsageError, match="epochs, dev_share: nothing is trained without a recipe"):
        EmotionEmbedder(tiny("bert"), epochs=2, dev_share=0.1).fit(TEXTS, NAMES)


def test_a_recipe_with_a_plain_value_for_a_section_is_refused():
    with pytest.raises(RecipeError, match="encoder = 'distilbert': a section"):
        EmotionEmbedder("x", recipe={"encoder": "distilbert"}).fit(TEXTS, NAMES)


@pytest.mark.parametrize("recipe", [None, {}])
@pytest.mark.parametrize("model", [3, 0, object()])
def test_a_model_of_vectors_is_a_folder_or_a_name(model, recipe):
    with pytest.raises(UsageError, match=f"folder or .* name, not .*{type(model).__name__}"):
        EmotionEmbedder(model, recipe=recipe).fit(TEXTS, NAMES)


def test_vectors_trained_in_a_pipeline_are_tuned_by_grid_search(tiny):
    pipeline = Pipeline([("embed", trainable(tiny)), ("label", LogisticRegression(max_iter=200))])
    search = GridSearchCV(pipeline, {"embed__epochs": [1, 2], "label__C": [1.0]}, cv=2, error_score="raise")
    assert search.fit(TEXTS, NAMES).best_score_ > 0.4


def test_what_is_no_text_has_no_vector(tiny):
    embedder = EmotionEmbedder(tiny("bert")).fit(TEXTS)
    with pytest.raises(ValueError, match="text 0 is int"):
        embedder.transform([1])
    with pytest.raises(ValueError, match="no texts"):
        embedder.fit([])


# --- few texts


def test_few_texts_are_all_trained_on_unless_something_is_to_be_held_out(tiny):
    objective = {"kind": "few-shot", "passes_per_epoch": 2}
    few = {"recipe": "few-shot", "encoder": tiny("bert"), "objective": objective}
    model = EmotionClassifier(**few).fit(TEXTS[:12], NAMES[:12])
    assert model.recipe_.training.sampler == "m-per-class"
    assert "dev" not in model.metrics_
    assert set(model.predict(TEXTS[:12])) <= set(NAMES)
    assert "dev" in EmotionClassifier(**few, dev_share=0.4).fit(TEXTS[:30], NAMES[:30]).metrics_
