"""The fields of `Columns` as options of verbs and keys of recipes, and what messages say of options."""

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

import affekt
from affekt.cli import app
from affekt.cli.options import FIELDS, FORM
from affekt.data.columns import OPTIONS, ColumnOptions, Columns, as_keys, as_options
from affekt.errors import AffektError, DataError, UsageError
from affekt.recipe.read import parse_recipe

ROOT = Path(affekt.__file__).parent
LABELLED = ("evaluate", "map", "cluster", "data inspect", "data faults")
UNLABELLED = ("predict", "embed", "search", "profile")
# which verbs say what is written in a module below the command line
SPEAKERS = {
    "recipe/yaml.py": ("train",),
    "runs/folder.py": ("train",),
    "explore/space.py": ("map", "cluster"),
    "studies/reproduce.py": ("train",),  # the command that made a run
    "studies/sweep.py": ("sweep",),
    "report/sweep.py": ("train",),  # the command that makes the best run
}


def options_of_verbs() -> dict[str, set[str]]:
    """Each verb's options, as in {"data get": {"--out", "--help"}}."""

    def walk(command, name):
        if not hasattr(command, "commands"):
            names = {one for param in command.params for one in (*param.opts, *param.secondary_opts)}
            return {name.strip(): names | {"--help"}}
        parts = [walk(sub, f"{name} {key}") for key, sub in command.commands.items()]
        return {key: names for part in parts for key, names in part.items()}

    return walk(typer.main.get_command(app), "")


VERBS = options_of_verbs()


def strings_of(path):
    """The texts of a module that are no docstrings, those of an f-string as one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and text not in docs]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_a_key_of_recipes_and_an_option_of_every_verb_that_reads_it(name):
    assert name in type(parse_recipe({"name": "x"}).data).model_fields
    options = set(OPTIONS[name].split("/"))
    assert [verb for verb in LABELLED if not options <= VERBS[verb]] == []
    own = {"--labels"}  # of these verbs: the labels to tell
    read = {verb: VERBS[verb] - own for verb in ("predict", "profile")}
    assert [
        verb for verb in UNLABELLED if (options <= read.get(verb, VERBS[verb])) is not (name in FORM)
    ] == []


def test_every_verb_that_reads_rows_says_what_becomes_of_bad_ones():
    assert [
        verb for verb in (*LABELLED, *UNLABELLED, "data split") if "--on-bad-row" not in VERBS[verb]
    ] == []


def test_the_types_of_keywords_are_those_of_the_fields():
    assert get_type_hints(ColumnOptions) == get_type_hints(Columns)


def test_a_recipe_s_columns_are_what_it_says():
    said = {"text": "t", "id": "", "separator": ";", "label_names": ("b", "a"), "single_label": True}
    said |= {"rater": "r", "unclear": "u", "delimiter": ";", "quoted": False, "encoding": "cp1252"}
    assert parse_recipe({"name": "x", "data": said}).data.columns == Columns(**said)
    assert set(said) < {one.name for one in fields(Columns)}


def test_what_a_recipe_leaves_unsaid_of_columns_is_not_in_its_digest():
    plain = parse_recipe({"name": "x", "data": {"train": "a.csv"}})
    same = parse_recipe({"name": "x", "data": {"train": "a.csv", "quoted": True, "delimiter": None}})
    other = parse_recipe({"name": "x", "data": {"train": "a.csv", "quoted": False}})
    assert plain.digest == same.digest
    assert plain.digest.startswith("6e2de705ddf4a592")  # as it was before there were such keys
    assert other.digest != plain.digest


def test_messages_name_only_options_that_their_verb_has():
    named = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
    faults = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        known = {*OPTIONS.values(), "--on-bad-row"} if place == "data/columns.py" else set()
        verbs = SPEAKERS.get(place) or (VERBS if place.startswith("cli/") else ())
        there = known.union(*(VERBS[verb] for verb in verbs))
        there |= {part for option in there for part in option.split("/")}
        faults += [
            f"{place}: {option}"
            for text in strings_of(path)
            for option in named.findall(text)
            if place != "data/packaged.py"  # whose options are pip's
            if option not in there | {"--version", "--width"}  # the program's own, and a page's style
        ]
    assert faults == []


def test_what_readers_say_of_keywords_is_an_option_of_the_verbs_that_use_them():
    keyword = re.compile(r"\b([a-z_]+)=(?:'|True|False|\{)")
    said = {
        name
        for module in ("columns", "files", "read", "targets")
        for text in strings_of(ROOT / "data" / f"{module}.py")
        for name in keyword.findall(text)
    }
    assert {"quoted", "on_bad_row", "id", "delimiter"} <= said
    assert said <= {*FORM, "on_bad_row"}  # so every verb that reads rows has the option


@pytest.mark.parametrize(
    ("said", "options", "keys"),
    [
        ("with quoted=False", "with --no-quotes", "with data.quoted: false"),
        ("with quoted=True", "with --quotes", "with data.quoted: true"),
        ("id='' numbers", "--id '' numbers", "data.id: '' numbers"),
        ("(on_bad_row='skip' leaves", "(--on-bad-row skip leaves", "(data.on_bad_row: 'skip' leaves"),
        ("unquoted=False", "unquoted=False", "unquoted=False"),
    ],
)
def test_keywords_are_said_as_options_or_keys(said, options, keys):
    assert as_options(said) == options
    assert as_keys(said) == keys


@pytest.mark.parametrize("verb_name", [*LABELLED, *UNLABELLED])
def test_a_verb_speaks_of_its_own_options(verb, classifier, tmp_path, verb_name):
    path = tmp_path / "posts.csv"
    path.write_text('text,labels\n"never closed,joy\n', encoding="utf-8")
    words = verb_name.split() if verb_name.startswith("data") else [verb_name, "-m", classifier]
    words += ["joy"] if verb_name == "search" else []
    out = ["-o", tmp_path / "out.npy"] if verb_name == "embed" else []
    with pytest.raises(AffektError) as caught:
        verb(*words, path, *out, *(["--on-bad-row", "fail"]))
    assert "read it with --no-quotes (--on-bad-row skip leaves such rows out" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_training_speaks_of_its_recipe_s_keys(verb, tmp_path):
    (tmp_path / "train.csv").write_text('text,labels\n"never closed,joy\n', encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: x\ndata: {{train: {tmp_path / 'train.csv'}}}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"read it with data\.quoted: false \(data\.on_bad_row: 'skip'"):
        verb("train", recipe, "--out", tmp_path / "run")


@pytest.mark.parametrize("name", ["predict", "embed"])
def test_files_with_their_own_delimiter_quotes_and_encoding_are_read(verb, classifier, tmp_path, name):
    path = tmp_path / "posts.csv"
    path.write_bytes('nr;tweet\na;"wie schön\nb;"ja\n'.encode("cp1252"))
    words = ["--text", "tweet", "--id", "nr", "--delimiter", ";", "--no-quotes", "--encoding", "cp1252"]
    out = tmp_path / "out.parquet"
    verb(name, "-m", classifier, path, "-o", out, *words)
    import pyarrow.parquet as pq

    rows = pq.read_table(out).to_pylist()
    assert [row.get("tweet", row.get("text")) for row in rows] == ['"wie schön', '"ja']
    assert [row.get("nr", row.get("id")) for row in rows] == ["a", "b"]


def test_an_unknown_encoding_is_refused(verb, classifier, tmp_path):
    (tmp_path / "posts.csv").write_text("text\nyes\n", encoding="utf-8")
    with pytest.raises(DataError, match="'latin-99' is no encoding"):
        verb("predict", "-m", classifier, tmp_path / "posts.csv", "--encoding", "latin-99")


@pytest.mark.parametrize("name", ["predict", "cluster"])
def test_safe_cells_are_asked_for(verb, classifier, tmp_path, name):
    path = tmp_path / "posts.csv"
    path.write_text("text\n=1+1\nyes\nno\nso\nwe\ngo\n", encoding="utf-8")
    for option, start in (([], "=1+1"), (["--safe-cells"], "'=1+1")):
        verb(name, "-m", classifier, path, "-o", tmp_path / "out.csv", *option)
        assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1].startswith(start)


def test_safe_cells_of_what_no_spreadsheet_opens_are_refused(verb, classifier, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("text\nyes\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"out\.jsonl: safe cells are for csv and tsv"):
        verb("predict", posts, "-m", classifier, "-o", tmp_path / "out.jsonl", "--safe-cells")
    assert not (tmp_path / "out.jsonl").exists()
