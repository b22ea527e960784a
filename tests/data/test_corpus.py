"""What Corpus.read makes of columns, and what it says of rows that can't be used."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data.columns import Columns
from affekt.data.corpus import Corpus
from affekt.data.targets import is_blank
from affekt.data.taxonomies import EKMAN
from affekt.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="tweets.csv"):
        path = tmp_path / name
        if name.endswith(".parquet"):
            pq.write_table(content, path)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
        return path

    return write_file


def rows_as_sets(corpus):
    return [{corpus.labels[i] for i in np.flatnonzero(row)} for row in corpus.targets]


# --- forms of labels


def test_one_plain_label_column_makes_a_single_label_corpus_with_sorted_labels(write):
    path = write("text,emotion\nyay,joy\nboo,anger\nyes,joy\n")
    corpus = Corpus.read(path, text="text", labels="emotion")
    assert (corpus.texts, corpus.labels, corpus.single_label) == (
        ["yay", "boo", "yes"],
        ("anger", "joy"),
        True,
    )
    np.testing.assert_array_equal(corpus.targets, [[0, 1], [1, 0], [0, 1]])
    assert corpus.targets.dtype == np.float32
    assert corpus.class_indices().tolist() == [1, 0, 1]
    assert (corpus.ids, corpus.name, corpus.split) == (["2", "3", "4"], "tweets", "")


def test_delimited_labels_make_a_multi_label_corpus_and_an_empty_cell_means_none(write):
    corpus = Corpus.read(write('text,labels\na,"joy, love,"\nb,\nc,joy\n'), separator=",")
    assert not corpus.single_label
    assert rows_as_sets(corpus) == [{"joy", "love"}, set(), {"joy"}]


def test_list_columns_make_a_multi_label_corpus_in_jsonl_and_parquet(write):
    rows = [{"text": "a", "labels": ["joy", "love", "joy"]}, {"text": "b", "labels": []}]
    for corpus in (
        Corpus.read(write("\n".join(map(json.dumps, rows)), "a.jsonl")),
        Corpus.read(write(pa.Table.from_pylist(rows), "a.parquet")),
    ):
        assert not corpus.single_label
        assert rows_as_sets(corpus) == [{"joy", "love"}, set()]


def test_one_column_per_label_takes_hard_and_soft_values_in_the_order_named(write):
    path = write("text,joy,anger,love\na,1,0,True\nb,0.25,.5,false\n")
    for corpus in (
        Corpus.read(path, labels=["love", "joy"]),
        Corpus.read(path, label_columns=["love", "joy"]),
    ):
        assert (corpus.labels, corpus.single_label) == (("love", "joy"), False)
        np.testing.assert_array_equal(corpus.targets, [[1, 1], [0, 0.25]])


def test_label_columns_can_be_given_other_names(write):
    corpus = Corpus.read(
        write("text,c0,c1\na,1,0\n"), label_columns=["c0", "c1"], label_names=["joy", "fear"]
    )
    assert rows_as_sets(corpus) == [{"joy"}]


def test_a_file_without_labels_makes_an_unlabelled_corpus(write):
    corpus = Corpus.read(write("text\na\nb\n"), labels=None)
    assert (corpus.labels, corpus.targets.shape, corpus.single_label) == ((), (2, 0), False)


def test_single_label_is_what_is_declared_whatever_the_form(write):
    listed = write(pa.table({"text": ["a", "b"], "labels": [["joy"], ["fear"]]}), "a.parquet")
    assert Corpus.read(listed).single_label is False
    assert Corpus.read(listed, single_label=True).single_label is True
    assert Corpus.read(write("text,labels\na,joy\nb,\n"), single_label=False).single_label is False


def test_declared_single_label_rows_must_have_exactly_one(write):
    path = write('text,labels\na,"joy,love"\n')
    with pytest.raises(
        DataError, match=r"tweets\.csv:2: column 'labels' holds 2 labels \(joy, love\) where exactly one"
    ):
        Corpus.read(path, separator=",", single_label=True)
    with pytest.raises(DataError, match=r"tweets\.csv:3: column 'labels' holds no label where exactly one"):
        Corpus.read(write("text,labels\na,joy\nb,\n"))
    with pytest.raises(
        DataError, match=r"tweets\.csv:2: columns 'joy' to 'fear' sum to 1\.5 where one label makes 1"
    ):
        Corpus.read(write("text,joy,fear\na,1,.5\n"), label_columns=["joy", "fear"], single_label=True)


def test_declared_label_names_fix_the_order_and_the_space(write):
    corpus = Corpus.read(write("text,labels\na,joy\nb,anger\n"), label_names=["joy", "sadness", "anger"])
    assert corpus.labels == ("joy", "sadness", "anger")
    np.testing.assert_array_equal(corpus.targets, [[1, 0, 0], [0, 0, 1]])


def test_whole_numbers_count_into_declared_names(write):
    texts = ["a", "b", "c"]
    options = {"labels": "label", "label_names": ["sadness", "joy", "love"]}
    ints = Corpus.read(write(pa.table({"text": texts, "label": [2, 0, 1]}), "a.parquet"), **options)
    floats = Corpus.read(write(pa.table({"text": texts, "label": [2.0, 0.0, 1.0]}), "b.parquet"), **options)
    lists = Corpus.read(write("text\tlabel\na\t2,0\nb\t0\nc\t1\n", "c.tsv"), separator=",", **options)
    assert [next(iter(row)) for row in rows_as_sets(ints)] == ["love", "sadness", "joy"]
    np.testing.assert_array_equal(ints.targets, floats.targets)
    assert rows_as_sets(lists) == [{"love", "sadness"}, {"sadness"}, {"joy"}]


def test_numbers_are_names_where_the_declared_names_are_numbers(write):
    corpus = Corpus.read(write("text,stars\na,1\nb,3\n"), labels="stars", label_names=["1", "2", "3"])
    assert rows_as_sets(corpus) == [{"1"}, {"3"}]
    with pytest.raises(DataError, match="unknown label '0'"):
        Corpus.read(write("text,stars\na,0\n"), labels="stars", label_names=["1", "2", "3"])


def test_undeclared_numbers_are_names_ordered_by_size(write):
    rows = "".join(f"text {label},{label}\n" for label in (10, 9, 0))
    assert Corpus.read(write("text,labels\n" + rows)).labels == ("0", "9", "10")


@pytest.mark.parametrize("odd", ["--1", "-", "1-", "²"])
def test_labels_that_only_resemble_numbers_are_ordered_as_words(odd):
    assert Corpus.build(["a", "b", "c"], ["9", odd, "10"]).labels == tuple(sorted(["9", odd, "10"]))


def test_true_and_false_count_into_two_names(write):
    table = pa.table({"text": ["a", "b"], "sarcastic": [True, False]})
    corpus = Corpus.read(write(table, "a.parquet"), labels="sarcastic", label_names=["plain", "sarcastic"])
    assert rows_as_sets(corpus) == [{"sarcastic"}, {"plain"}]


# --- raters


RATED = (
    "id,text,rater_id,example_very_unclear,joy,fear\n"
    "x,one,1,False,1,0\n"
    "y,two,1,False,0,0\n"
    "x,one,2,False,1,1\n"
    "x,one,3,True,0,0\n"
    "x,one,4,False,0,0\n"
    "y,two,2,False,0,1\n"
)


def test_rows_of_several_raters_become_shares_and_unclear_ones_are_counted(write):
    corpus = Corpus.read(write(RATED), label_columns=["joy", "fear"], rater="rater_id")
    assert (corpus.ids, corpus.texts, corpus.single_label) == (["x", "y"], ["one", "two"], False)
    np.testing.assert_allclose(corpus.targets, [[2 / 3, 1 / 3], [0, 1 / 2]], rtol=1e-6)
    assert [(row.where, row.reason) for row in corpus.skipped] == [
        ("tweets.csv", "1 rows their raters marked example_very_unclear")
    ]


def test_raters_of_texts_without_labels_are_gathered_too(write):
    corpus = Corpus.read(write(RATED), labels=None, rater="rater_id")
    assert corpus.targets.shape == (len(set(corpus.ids)), 0)


def test_raters_in_several_files_are_gathered_together(write):
    header, *rows = RATED.splitlines(keepends=True)
    paths = [write(header + "".join(rows[:3]), "one.csv"), write(header + "".join(rows[3:]), "two.csv")]
    corpus = Corpus.read(paths, label_columns=["joy", "fear"], rater="rater_id")
    np.testing.assert_allclose(corpus.targets, [[2 / 3, 1 / 3], [0, 1 / 2]], rtol=1e-6)


def test_raters_who_choose_one_label_each_make_single_label_shares(write):
    path = write("id,text,rater,labels\nx,one,1,joy\nx,one,2,fear\nx,one,3,joy\ny,two,1,fear\n")
    corpus = Corpus.read(path, rater="rater")
    assert corpus.single_label
    np.testing.assert_allclose(corpus.targets, [[1 / 3, 2 / 3], [1, 0]], rtol=1e-6)


def test_a_rater_who_rates_twice_or_another_text_is_a_fault(write):
    again = write("id,text,rater,labels\nx,one,1,joy\nx,one,1,fear\n")
    with pytest.raises(DataError, match=r"tweets\.csv:3: column 'id' repeats 'x' of tweets\.csv:2"):
        Corpus.read(again, rater="rater", id="id")
    other = write("id,text,rater,labels\nx,one,1,joy\nx,ONE!,2,fear\n")
    with pytest.raises(
        DataError, match=r"tweets\.csv:3: column 'text' differs from what other raters of 'x' saw"
    ):
        Corpus.read(other, rater="rater")


def test_raters_without_ids_are_refused(write):
    with pytest.raises(DataError, match="gathered by id, and there is no id column"):
        Corpus.read(write("text,rater,labels\na,1,joy\n"), rater="rater")


# --- ids, splits, several files


def test_ids_come_from_the_column_named_or_one_called_id_or_the_row_numbers(write):
    path = write("id,key,text,labels\nx,7,a,joy\ny,8,b,fear\n")
    assert Corpus.read(path).ids == ["x", "y"]
    assert Corpus.read(path, id="key").ids == ["7", "8"]
    assert Corpus.read(path, id="").ids == ["2", "3"]


def test_repeated_and_empty_ids_are_faults(write):
    with pytest.raises(
        DataError, match=r"tweets\.csv:4: column 'id' repeats 'x' of tweets\.csv:2; id='' numbers"
    ):
        Corpus.read(write("id,text,labels\nx,a,joy\ny,b,joy\nx,c,fear\n"))
    with pytest.raises(DataError, match=r"tweets\.csv:2: column 'id' is empty"):
        Corpus.read(write("id,text,labels\n,a,joy\n"))


def test_a_file_called_test_is_the_test_split_and_its_folder_gives_the_name(write, tmp_path):
    path = write("text,labels\na,joy\n", "test.csv")
    assert (Corpus.read(path).split, Corpus.read(path).name) == ("test", tmp_path.name)
    assert Corpus.read(path, split="validation").split == "dev"
    assert Corpus.read(path, split="", name="mine").split == ""


def test_one_split_of_a_file_is_taken_by_its_column(write):
    path = write("text,labels,part\na,joy,train\nb,fear,test\nc,joy,val\n")
    corpus = Corpus.read(path, split_column="part", split="dev")
    assert (corpus.texts, corpus.split, corpus.labels) == (["c"], "dev", ("fear", "joy"))
    with pytest.raises(DataError, match="name the split to take from column 'part'"):
        Corpus.read(path, split_column="part")
    with pytest.raises(DataError, match="no split 'other'; it has dev, test, train"):
        Corpus.read(path, split_column="part", split="other")


def test_several_files_are_read_as_one_and_numbered_rows_carry_the_file(write):
    paths = [write("text,labels\na,joy\n", "one.csv"), write("text,labels\nb,fear\n", "two.csv")]
    corpus = Corpus.read(paths)
    assert (corpus.texts, corpus.labels, corpus.ids) == (
        ["a", "b"],
        ("fear", "joy"),
        ["one.csv:2", "two.csv:2"],
    )
    with pytest.raises(DataError, match="different forms"):
        Corpus.read([paths[0], write(pa.table({"text": ["c"], "labels": [["joy"]]}), "c.parquet")])
    with pytest.raises(DataError, match="no file is named"):
        Corpus.read([])


def test_columns_may_be_given_as_one_object_and_overridden(write):
    path = write("tweet;feeling\na;joy\nb;fear\n")
    columns = Columns(text="tweet", labels="feeling", delimiter=";")
    assert Corpus.read(path, columns=columns).labels == ("fear", "joy")
    assert Corpus.read(path, columns=columns, labels=None).labels == ()


# --- faults


def test_a_missing_column_is_answered_with_the_columns_there_are(write):
    with pytest.raises(
        DataError, match=r"tweets\.csv has no column 'emotion', 'text'; its columns are 'id', 'tweet'"
    ):
        Corpus.read(write("id,tweet\n1,a\n"), labels="emotion")


def test_of_many_columns_the_near_ones_are_named_and_the_others_counted(write):
    path = write(",".join([*map("c{}".format, range(30_000)), "Text"]) + "\n")
    with pytest.raises(
        DataError, match=r"no column 'text'; its columns are 'Text', 'c0', .* and 29,981 more$"
    ) as fault:
        Corpus.read(path, labels=None)
    assert len(str(fault.value)) < 300


def test_a_header_of_commas_alone_is_answered_at_once(write):
    with pytest.raises(DataError, match="more than one column named ''"):
        Corpus.read(write("," * 1_000_000 + "\n"))


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_what_parts_the_columns_is_seen_in_a_header_without_commas(write, mark):
    corpus = Corpus.read(write(f"text{mark}labels\na, b{mark}joy\n"))
    assert (corpus.texts, corpus.labels) == (["a, b"], ("joy",))
    assert corpus.notes == (f"tweets.csv: its columns are parted by {mark!r}, unless you name another",)
    assert Corpus.read(write("text,labels\na;b,joy\n")).notes == ()


def test_a_missing_column_of_a_file_whose_header_is_one_column_hints_at_the_delimiter(write):
    with pytest.raises(
        DataError, match="its columns are 'text;labels'; if that is a whole row, read it with delimiter=';'"
    ):
        Corpus.read(write("text;labels\na;joy\n"), delimiter=",")


def test_files_without_rows_are_refused(write):
    with pytest.raises(DataError, match=r"tweets\.csv has no rows"):
        Corpus.read(write("text,labels\n"))
    with pytest.raises(DataError, match=r"a\.parquet has no rows"):
        Corpus.read(
            write(
                pa.table({"text": pa.array([], pa.string()), "labels": pa.array([], pa.string())}),
                "a.parquet",
            )
        )


def test_undecodable_bytes_are_named_with_row_and_column(write):
    with pytest.raises(
        DataError,
        match=r"tweets\.csv:3: column 'text' holds the byte 0xe9 at character 4, which is not UTF-8",
    ):
        Corpus.read(write(b"text,labels\nf\xc3\xadne,joy\ncaf\xe9,joy\n"))
    with pytest.raises(DataError, match=r"tweets\.csv:2: column 'labels' holds the byte 0xe9"):
        Corpus.read(write(b"text,labels\nf\xc3\xadne,fiert\xe9\n"))
    with pytest.raises(DataError, match=r"a\.jsonl:1: column 'text' holds half a surrogate pair"):
        Corpus.read(write('{"text": "half \\ud83d", "labels": "joy"}\n', "a.jsonl"))


def test_undecodable_bytes_in_columns_that_are_not_read_do_no_harm(write):
    assert len(Corpus.read(write(b"text,labels,place\nf\xc3\xadne,joy,Orl\xe9ans\n"))) == 1


@pytest.mark.parametrize("text", ["", "   ", "\u200b\ufeff", "\x00", '"\n \n"'])
def test_texts_that_show_nothing_are_faults(write, text):
    with pytest.raises(DataError, match=r"tweets\.csv:3: column 'text' is empty"):
        Corpus.read(write(f"text,labels\na,joy\n{text},fear\n"))


@pytest.mark.parametrize("text", ["🙂", "👩‍👩‍👧", ".", "\u0301", "x" * 10_000, "\U0001fae8", "你好"])
def test_odd_but_visible_texts_are_kept_as_they_are(write, text):
    assert Corpus.read(write(f"text,labels\n{text},joy\n")).texts == [text]
    assert not is_blank(text)


def test_missing_and_nan_cells_are_empty_and_numbers_are_no_texts(write):
    nulls = write(pa.table({"text": ["a", None], "labels": ["joy", "joy"]}), "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet:2: column 'text' is empty"):
        Corpus.read(nulls)
    nans = write(pa.table({"text": ["a", "b"], "labels": [1.0, float("nan")]}), "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet:2: column 'labels' holds no label"):
        Corpus.read(nans)
    with pytest.raises(DataError, match=r"a\.jsonl:1: column 'text' holds int 7 where a text is wanted"):
        Corpus.read(write('{"text": 7, "labels": "joy"}\n', "a.jsonl"))


def test_a_missing_list_of_labels_is_a_fault_since_an_empty_one_says_none(write):
    table = pa.table({"text": ["a", "b"], "labels": pa.array([["joy"], None])})
    with pytest.raises(DataError, match=r"a\.parquet:2: column 'labels' holds nothing where a list"):
        Corpus.read(write(table, "a.parquet"))
    mixed = write('{"text": "a", "labels": ["joy"]}\n{"text": "b", "labels": "joy"}\n', "a.jsonl")
    with pytest.raises(DataError, match=r"a\.jsonl:2: column 'labels' holds str where a list"):
        Corpus.read(mixed)


def test_an_unknown_label_is_named_with_the_near_ones(write):
    with pytest.raises(
        DataError, match=r"tweets\.csv:3: column 'labels' holds an unknown label 'joyy': did you mean joy"
    ):
        Corpus.read(write("text,labels\na,joy\nb,joyy\n"), label_names=["joy", "fear"])


def test_a_list_written_as_text_is_not_taken_for_a_label(write):
    path = write("text,labels\na,\"['joy', 'love']\"\n")
    for separator in (None, ","):
        with pytest.raises(DataError, match="holds a list written as text"):
            Corpus.read(path, separator=separator)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        *((value, "outside") for value in ("1.5", "-1", "inf", "1e400")),
        *((value, "not a number") for value in ("x", "nan", "")),
    ],
)
def test_shares_must_be_numbers_from_0_to_1(write, value, message):
    with pytest.raises(DataError, match=rf"tweets\.csv:3: column 'joy' holds '{value}', which is {message}"):
        Corpus.read(write(f"text,joy\na,1\nb,{value}\n"), label_columns=["joy"])


def test_label_names_must_differ_and_fit_the_columns(write):
    path = write("text,a,b\nx,1,0\n")
    with pytest.raises(DataError, match="not all different"):
        Corpus.read(path, label_columns=["a", "b"], label_names=["joy", "joy"])
    with pytest.raises(DataError, match="3 label names are given for 2 label columns"):
        Corpus.read(path, label_columns=["a", "b"], label_names=["x", "y", "z"])


BAD = "text,labels\na,joy\n,joy\nb,fear\nc,joyy\nd\n"


def test_the_first_bad_row_stops_the_reading_unless_said_otherwise(write):
    with pytest.raises(
        DataError, match=r"^tweets\.csv:3: column 'text' is empty \(on_bad_row='skip'"
    ) as caught:
        Corpus.read(write(BAD), label_names=["joy", "fear"])
    assert "\n" not in str(caught.value)


def test_skipped_rows_are_left_out_and_listed(write):
    corpus = Corpus.read(write(BAD), label_names=["joy", "fear"], on_bad_row="skip")
    assert corpus.texts == ["a", "b"]
    assert [row.where for row in corpus.skipped] == ["tweets.csv:3", "tweets.csv:5", "tweets.csv:6"]
    assert [row.reason.split(":")[0] for row in corpus.skipped] == [
        "column 'text' is empty",
        "column 'labels' holds an unknown label 'joyy'",
        "the row has 1 fields where the header has 2",
    ]


def test_a_report_lists_every_fault_up_to_twenty_and_counts_the_rest(write):
    with pytest.raises(DataError) as caught:
        Corpus.read(write(BAD), label_names=["joy", "fear"], on_bad_row="report")
    assert str(caught.value).splitlines()[0] == "3 row(s) can't be used; mend or skip them:"
    assert [line.split(":")[1] for line in str(caught.value).splitlines()[1:]] == ["3", "5", "6"]
    with pytest.raises(DataError, match=r"30 row\(s\) can't be used[\s\S]*and 10 more"):
        Corpus.read(write("text,labels\na,joy\n" + ",joy\n" * 30), on_bad_row="report")


def test_skipping_every_row_is_a_fault(write):
    with pytest.raises(
        DataError, match=r"none of the 2 rows of tweets\.csv can be used; the first, tweets\.csv:2"
    ):
        Corpus.read(write("text,labels\n,joy\n,joy\n"), on_bad_row="skip")


def test_an_unknown_way_with_bad_rows_is_refused(write):
    with pytest.raises(DataError, match="'ignore'; it can be 'fail', 'skip' or 'report'"):
        Corpus.read(write("text,labels\na,joy\n"), on_bad_row="ignore")


# --- frames


TABLE = {"text": ["a", "b", "c"], "label": ["joy", "fear", "joy"], "score": [1, 2, 3]}


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(TABLE), pl.DataFrame(TABLE), pa.table(TABLE)], ids=["pd", "pl", "pa"]
)
def test_frames_of_pandas_polars_and_pyarrow_are_read_alike(frame):
    corpus = Corpus.from_frame(frame, text="text", labels="label", split="train")
    assert (corpus.texts, corpus.labels, corpus.single_label) == (["a", "b", "c"], ("fear", "joy"), True)
    assert (corpus.ids, corpus.split) == (["0", "1", "2"], "train")


def test_frames_with_lists_categories_and_gaps_are_read():
    frame = pd.DataFrame({"text": ["a", "b"], "labels": [["joy"], []], "kind": pd.Categorical(["x", "y"])})
    assert rows_as_sets(Corpus.from_frame(frame)) == [{"joy"}, set()]
    assert Corpus.from_frame(frame, labels="kind").labels == ("x", "y")
    with pytest.raises(DataError, match="frame:1: column 'text' is empty"):
        Corpus.from_frame(pd.DataFrame({"text": ["a", np.nan], "labels": ["joy", "joy"]}))


# --- texts and labels at hand


def test_build_takes_one_label_per_text_in_any_container():
    one_each = ["joy", "fear"]
    series = (pd.Series(one_each, index=[7, 9]), pl.Series(one_each))
    for labels in (one_each, tuple(one_each), np.array(one_each), *series):
        for texts in (["a", "b"], np.array(["a", "b"]), pd.Series(["a", "b"]), pl.Series(["a", "b"])):
            corpus = Corpus.build(texts, labels)
            assert (corpus.texts, corpus.labels, corpus.single_label) == (["a", "b"], ("fear", "joy"), True)
            assert all(type(text) is str for text in corpus.texts)
            assert rows_as_sets(corpus) == [{"joy"}, {"fear"}]


def test_build_takes_lists_of_labels_and_arrays():
    listed = Corpus.build(["a", "b"], [["joy", "fear"], []])
    assert (listed.single_label, rows_as_sets(listed)) == (False, [{"joy", "fear"}, set()])
    soft = Corpus.build(["a", "b"], np.array([[0.2, 0.8], [1.0, 0.0]]), ["joy", "fear"], single_label=True)
    assert (soft.single_label, soft.labels, soft.class_indices().tolist()) == (True, ("joy", "fear"), [1, 0])
    assert Corpus.build(["a"], np.ones((1, 3))).labels == ("0", "1", "2")
    assert Corpus.build(["a"], [("joy",)], ["fear", "joy"]).labels == ("fear", "joy")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
def test_build_takes_the_label_names_of_a_frame_unless_told_others(frame):
    table = frame({"joy": [1, 0], "fear": [0, 1]})
    for names, expected in ((None, ("joy", "fear")), (["happy", "afraid"], ("happy", "afraid"))):
        corpus = Corpus.build(["a", "b"], table, names)
        assert (corpus.labels, corpus.single_label) == (expected, False)
        assert corpus.targets.tolist() == [[1, 0], [0, 1]]


def test_build_takes_numbers_that_count_into_names():
    assert rows_as_sets(Corpus.build(["a", "b"], [1, 0], ["joy", "fear"])) == [{"fear"}, {"joy"}]
    assert rows_as_sets(Corpus.build(["a"], [[1, 0]], ["joy", "fear"])) == [{"joy", "fear"}]
    assert Corpus.build(["a", "b"], np.array([3, 10])).labels == ("3", "10")
    assert rows_as_sets(Corpus.build(["a"], np.array([True]), ["no", "yes"])) == [{"yes"}]


def test_build_without_labels_is_unlabelled_and_may_be_empty():
    assert Corpus.build(["a"]).targets.shape == (1, 0)
    assert len(Corpus.build([])) == 0


@pytest.mark.parametrize(
    ("texts", "labels", "names", "message"),
    [
        ("one text", None, None, "not one string; write"),
        (["a", None], None, None, r"texts\[1\] is NoneType None, not a string"),
        (["a"], ["joy", "fear"], None, "there are 1 texts and 2 entries of labels"),
        (["a"], "j", None, r"labels must be a list.*not one string; write \[label\]"),
        (["a", "b"], ["joy", ["fear"]], None, "both single labels and lists"),
        (["a"], ["joyy"], ["joy"], r"labels\[0\] holds an unknown label 'joyy': did you mean joy"),
        (["a"], [3], ["joy"], "unknown label '3'"),
        (["a"], [None], None, r"labels\[0\] is empty"),
        (["a", "b"], ["joy", ""], None, r"labels\[1\] is empty"),
        (["a", "b"], [["joy"], ["joy", " "]], None, r"labels\[1\] is empty"),
        (["a"], np.array([[1.5, 0]]), None, r"labels\[0\] holds \[1.5, 0.0\], which is not all in"),
        (["a"], np.array([[np.nan, 0]]), None, "not all in"),
        (["a"], np.ones((1, 2)), ["joy"], "2 columns and there are 1 label names"),
        (["a"], np.array([["joy", "fear"]]), None, "a table of labels must hold numbers"),
    ],
)
def test_build_names_what_does_not_fit(texts, labels, names, message):
    with pytest.raises(DataError, match=message):
        Corpus.build(texts, labels, names)


def test_build_checks_declared_single_labels():
    with pytest.raises(DataError, match=r"labels\[1\] sums to 2 where exactly one label is wanted"):
        Corpus.build(["a", "b"], [["joy"], ["joy", "fear"]], single_label=True)


# --- the corpus itself


@pytest.fixture
def corpus():
    labels = [["joy"], ["joy", "fear"], [], ["fear"]]
    return Corpus.build(["a", "b", "c", "d"], labels, name="mine", split="dev")


def test_selecting_takes_positions_or_a_mask_and_keeps_the_rest(corpus):
    for rows in ([3, 0], np.array([3, 0])):
        chosen = corpus.select(rows)
        assert (chosen.texts, chosen.ids, chosen.split, chosen.labels) == (
            ["d", "a"],
            ["3", "0"],
            "dev",
            ("fear", "joy"),
        )
        np.testing.assert_array_equal(chosen.targets, corpus.targets[[3, 0]])
    assert corpus.select([True, False, False, True]).texts == ["a", "d"]
    assert len(corpus.select([])) == 0


def test_the_digest_depends_on_texts_targets_labels_and_order_only(corpus):
    again = Corpus.build(corpus.texts, corpus.targets, corpus.labels, name="other")
    assert corpus.digest == again.digest
    assert len(corpus.digest) == 64
    others = [
        Corpus.build(["a", "b", "c", "D"], corpus.targets, corpus.labels),
        Corpus.build(["ab", "", "c", "d"], corpus.targets, corpus.labels),
        Corpus.build(corpus.texts, 1 - corpus.targets, corpus.labels),
        Corpus.build(corpus.texts, corpus.targets, ["fear", "love"]),
        corpus.select([1, 0, 2, 3]),
    ]
    assert len({corpus.digest, *(other.digest for other in others)}) == 6


def test_rows_with_exactly_one_label_make_a_single_label_corpus(corpus):
    single = corpus.single_rows()
    assert (single.texts, single.single_label, single.class_indices().tolist()) == (["a", "d"], True, [1, 0])


def test_shares_count_by_majority():
    soft = Corpus.build(["a", "b", "c"], np.array([[0.6, 0.4], [0.5, 0.5], [0.7, 0.9]]), ["joy", "fear"])
    assert soft.label_counts == {"joy": 2, "fear": 1}
    assert soft.single_rows().texts == ["a"]
    np.testing.assert_array_equal(soft.single_rows().targets, [[1, 0]])


def test_single_label_shares_count_for_the_label_with_most_of_the_vote():
    soft = Corpus.build(
        ["a", "b"], np.array([[0.4, 0.3, 0.3], [0, 0.5, 0.5]]), ["x", "y", "z"], single_label=True
    )
    assert soft.label_counts == {"x": 1, "y": 1, "z": 0}


def test_class_indices_of_a_multi_label_corpus_are_refused(corpus):
    with pytest.raises(DataError, match="mine is not single-label; single_rows"):
        corpus.class_indices()


def test_mapping_labels_keeps_single_label_corpora_single():
    corpus = Corpus.build(["a", "b"], ["grief", "love"]).map_labels(EKMAN)
    assert (corpus.labels, corpus.single_label, corpus.class_indices().tolist()) == (
        ("joy", "sadness"),
        True,
        [1, 0],
    )
    assert Corpus.build(["a"], ["grief"]).map_labels("sentiment").labels == ("negative",)


def test_labels_are_renamed_by_a_mapping_and_the_others_stay():
    corpus = Corpus.build(["a", "b", "c"], [["others", "joy"], ["disgust"], []])
    mapped = corpus.map_labels({"others": "neutral", "disgust": "anger"})
    assert mapped.labels == ("anger", "joy", "neutral")
    assert mapped.targets.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert mapped.texts == corpus.texts


def test_labels_that_become_one_add_their_shares_up_in_a_single_label_corpus():
    shares = np.array([[0.5, 0.25, 0.25], [0, 0, 1]], dtype=np.float32)
    corpus = Corpus.build(["a", "b"], shares, ["joy", "fun", "fear"], single_label=True)
    assert corpus.map_labels({"fun": "joy"}).targets.tolist() == [[0.75, 0.25], [0, 1]]
    known = corpus.map_labels({"fun": "joy"}, only_known=["joy", "sadness"])
    assert (known.texts, known.labels, known.targets.tolist()) == (["a"], ("joy",), [[1.0]])


def test_only_known_labels_stay_with_the_texts_that_have_one_or_never_had_any():
    corpus = Corpus.build(["a", "b", "c"], [["joy", "zest"], ["zest"], []])
    known = corpus.map_labels({}, only_known=["fear", "joy"])
    assert (known.texts, known.labels, known.targets.tolist()) == (["a", "c"], ("joy",), [[1], [0]])
    assert known.ids == ["0", "2"]
    with pytest.raises(DataError, match="has no label of fear, only joy, zest"):
        corpus.map_labels({}, only_known=["fear"])


def test_case_is_ignored_where_that_is_asked_for_and_spelled_as_what_is_known():
    corpus = Corpus.build(["a", "b", "c", "d"], ["Joy", "JOY", "Others", "fear"])
    assert corpus.map_labels({}).labels == corpus.labels
    mapped = corpus.map_labels({"OTHERS": "Neutral"}, only_known=["joy", "neutral"], ignore_case=True)
    assert mapped.labels == ("joy", "neutral")
    assert mapped.class_indices().tolist() == [0, 0, 1]
    assert corpus.map_labels({}, ignore_case=True).labels == ("JOY", "Others", "fear")


def test_a_mapping_of_a_label_that_is_not_there_is_refused():
    with pytest.raises(DataError, match=r"unknown label 'other': did you mean others\?"):
        Corpus.build(["a", "b"], ["others", "joy"]).map_labels({"other": "neutral"})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["joy", "joy"], "holds only the label 'joy'; training needs"),
        ([["joy"], ["joy"]], "holds only the label 'joy'"),
        (None, "has no labels; name the column"),
    ],
)
def test_training_data_must_have_something_to_tell_apart(labels, message):
    with pytest.raises(DataError, match=message):
        Corpus.build(["a", "b"], labels).require_classes()


def test_training_data_with_empty_rows_only_is_refused():
    with pytest.raises(DataError, match="no text with a label"):
        Corpus.build(["a", "b"], [[], []], ["joy"]).require_classes()


def test_training_data_with_two_classes_or_one_label_that_varies_is_fine(corpus):
    assert corpus.require_classes() is corpus
    assert Corpus.build(["a", "b"], ["joy", "fear"]).require_classes()
    assert Corpus.build(["a", "b"], [["joy"], []]).require_classes()


def test_parts_that_do_not_fit_together_are_refused():
    zeros = np.zeros((2, 1))
    with pytest.raises(DataError, match="2 texts, 1 ids, 1 labels and targets of shape"):
        Corpus(["a", "b"], zeros, ("joy",), False, ["1"])
    with pytest.raises(DataError, match="targets must be numbers in"):
        Corpus(["a", "b"], zeros - 1, ("joy",), False, ["1", "2"])
    with pytest.raises(DataError, match="must sum to 1 in every row"):
        Corpus(["a", "b"], zeros, ("joy",), True, ["1", "2"])
    with pytest.raises(DataError, match="not all different"):
        Corpus(["a", "b"], np.zeros((2, 2)), ("joy", "joy"), False, ["1", "2"])


def test_a_corpus_shows_what_it_is_and_not_all_its_texts(corpus):
    assert repr(corpus) == "<Corpus mine dev: 4 texts, multi-label, 2 labels>"


# --- more rows than a batch holds


def test_ids_that_repeat_far_apart_are_each_named_with_where_they_were_first(write):
    rows = [f"{number % 1500},text {number},joy\n" for number in range(1500)]
    rows[1200] = "7,again,joy\n"
    rows[1400] = "7,and again,joy\n"
    path = write("id,text,labels\n" + "".join(rows) + "1200,new there,joy\n3,last,joy\n")
    corpus = Corpus.read(path, on_bad_row="skip")
    assert (len(corpus), corpus.ids[-1], corpus.texts[-1]) == (1499, "1200", "new there")
    assert [(row.where, row.reason.partition(";")[0]) for row in corpus.skipped] == [
        ("tweets.csv:1202", "column 'id' repeats '7' of tweets.csv:9"),
        ("tweets.csv:1402", "column 'id' repeats '7' of tweets.csv:9"),
        ("tweets.csv:1503", "column 'id' repeats '3' of tweets.csv:5"),
    ]


def test_faults_of_many_batches_are_listed_in_the_order_of_the_rows(write):
    rows = [f"text {number},{number % 2}\n" for number in range(3000)]
    for number, bad in ((5, ",1\n"), (1000, "a,2\n"), (1001, "a\n"), (2900, "\u200b,0\n")):
        rows[number] = bad
    corpus = Corpus.read(write("text,joy\n" + "".join(rows)), label_columns=["joy"], on_bad_row="skip")
    assert len(corpus) == 2996
    assert [row.where.split(":")[1] for row in corpus.skipped] == ["7", "1002", "1003", "2902"]
    assert corpus.targets[:6, 0].tolist() == [0, 1, 0, 1, 0, 0]
    assert corpus.ids[997:1000] == ["1000", "1001", "1004"]


def test_rows_that_only_look_doubtful_are_kept(write):
    path = write("text,joy\n\u200bseen,True\nplain,1\n", "a.csv")
    corpus = Corpus.read(path, label_columns=["joy"])
    assert (corpus.texts, corpus.targets.tolist()) == (["\u200bseen", "plain"], [[1.0], [1.0]])
