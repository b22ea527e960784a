"""Texts in a space: which texts, how they are grouped, what is drawn and written."""

import json
import re

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
import torch

from affekt.data.corpus import Corpus
from affekt.decisions import Calibration, Decisions
from affekt.encoders import Encoded, Encoder
from affekt.errors import DataError, UsageError
from affekt.explore.space import (
    Grouping,
    check_outputs,
    cluster_corpus,
    cluster_texts,
    draw_map,
    largest_first,
    read_texts,
)
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import LinearHead
from affekt.networks.network import Network
from report.pages import read_page

SAD, GLAD = "so sad today {}", "what a joy {}"
TEXTS = [form.format(i) for i in range(6) for form in (SAD, GLAD)]


class TwoSidedEncoder(Encoder):
    """Sad texts lie near (1, 0), glad ones near (0, 1)."""

    dimension = 2

    def tokenize(self, texts):
        return [[int("joy" in text), len(text)] for text in texts]

    def collate(self, rows):
        return {"ids": torch.tensor(rows)}

    def forward(self, batch):
        glad = batch["ids"][:, 0].float()
        return Encoded(torch.stack([1 - glad, glad], dim=1) + batch["ids"][:, 1:] / 1000)


def made(*, classifier=True, thresholds=(0.5, 0.5)):
    if not classifier:
        return Model(TorchRuntime(Network(TwoSidedEncoder()).eval()))
    head = LinearHead(2, 2)
    with torch.no_grad():
        head.out.weight.copy_(8 * torch.eye(2))
        head.out.bias.fill_(-4)
    decisions = Decisions("threshold", thresholds, Calibration.none(2))
    return Model(TorchRuntime(Network(TwoSidedEncoder(), head).eval()), ("sadness", "joy"), False, decisions)


def corpus(texts=TEXTS, labels=None):
    return Corpus.build(texts, labels, name="posts")


# --- which texts


def test_without_a_split_it_is_test_and_a_split_has_its_usual_spellings():
    assert read_texts("sample").split == "test"
    assert read_texts("sample", "validation").split == "dev"


def test_an_unknown_split_is_named_with_those_there_are():
    with pytest.raises(DataError, match="no split 'held-out'; its splits are train, dev, test"):
        read_texts("sample", "held-out")


def test_a_file_is_one_split_whatever_its_name_and_has_no_other(tmp_path):
    from affekt.data.catalog import read_split
    from affekt.data.columns import Columns

    path = tmp_path / "train.csv"
    path.write_text("text\nhello\nthere\n")
    assert len(read_split(str(path), None, Columns(labels=None))) == 2
    with pytest.raises(DataError, match="no split 'dev'"):
        read_texts(str(path), "dev")


def test_a_limit_draws_rows_in_their_order_the_same_for_a_seed():
    every = read_texts("sample")
    drawn = read_texts("sample", limit=20, seed=3)
    assert len(drawn) == 20
    assert drawn.ids == sorted(drawn.ids, key=every.ids.index)
    assert drawn.ids == read_texts("sample", limit=20, seed=3).ids
    assert drawn.ids != read_texts("sample", limit=20, seed=4).ids
    with pytest.raises(UsageError, match="at least 1"):
        read_texts("sample", limit=0)
    for seed in (-1, 2**32):
        with pytest.raises(UsageError, match=f"but is {seed}"):
            read_texts("sample", seed=seed)


# --- grouping


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "k-means"}, "did you mean kmeans"),
        ({"method": "hdbscan", "clusters": 3}, "leave it out"),
        ({"clusters": 1}, "at least 2"),
        ({"clusters": -4}, "at least 2"),
        ({"seed": -1}, "the seed must be from 0 to 4294967295, but is -1"),
        ({"seed": 2**32}, "but is 4294967296"),
    ],
)
def test_a_grouping_that_cannot_be_is_refused_when_it_is_made(options, said):
    with pytest.raises(UsageError, match=said):
        Grouping(**options)


@pytest.mark.parametrize(
    ("grouping", "count", "said"),
    [
        (Grouping(), 2, "at least 3"),
        (Grouping(method="hdbscan"), 9, "at least 10"),
        (Grouping(clusters=6), 5, "only 5 texts"),
    ],
)
def test_too_few_texts_for_a_grouping_are_refused(grouping, count, said):
    with pytest.raises(DataError, match=said):
        cluster_texts(np.eye(count), grouping)


def test_the_number_of_clusters_is_the_one_that_parts_the_points_best():
    rng = np.random.default_rng(0)
    centres = np.repeat(10 * np.eye(6), 15, axis=0)
    found = cluster_texts(centres + rng.normal(scale=0.1, size=centres.shape), Grouping())
    groups = found.reshape(6, 15)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0].tolist())) == 6
    assert len(np.unique(cluster_texts(centres + rng.normal(size=centres.shape), Grouping(7)))) == 7


def test_there_are_at_least_five_clusters_unless_told():
    points = np.repeat(10 * np.eye(2), 15, axis=0) + np.random.default_rng(0).normal(scale=0.1, size=(30, 2))
    assert len(np.unique(cluster_texts(points, Grouping()))) >= 5
    assert len(np.unique(cluster_texts(points, Grouping(2)))) == 2


def test_three_texts_and_texts_all_alike_can_be_clustered():
    assert len(set(cluster_texts(np.eye(3), Grouping()).tolist())) == 2
    assert set(cluster_texts(np.ones((10, 3)), Grouping()).tolist()) == {0}


def test_hdbscan_leaves_a_lone_text_out():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 2)) * 0.1 + place for place in (0, 10)] + [[[50.0, -50.0]]])
    found = cluster_texts(points, Grouping(method="hdbscan"))
    assert set(found[:20].tolist()) | set(found[20:40].tolist()) >= {0, 1}
    assert found[40] == -1


# --- clusters of a corpus


def test_a_file_s_columns_and_ids_are_kept_and_the_cluster_stands_beside_them(tmp_path):
    source = tmp_path / "posts.csv"
    rows = [f'p{i},{text},"a, {i}",{i}' for i, text in enumerate(TEXTS)]
    source.write_text("id,text,note,cluster\n" + "\n".join([*rows[:3], "blank,,x,9", *rows[3:]]) + "\n")
    read = read_texts(str(source), on_bad_row="skip")
    for out in (tmp_path / "out.csv", tmp_path / "out.parquet"):
        cluster_corpus(made(), read, [out], Grouping(2), str(source))
    found = pc.read_csv(tmp_path / "out.csv").to_pylist()
    assert [(row["id"], row["note"], row["cluster"]) for row in found] == [
        (f"p{i}", f"a, {i}", i) for i in range(len(TEXTS))
    ]
    assert len({row["cluster_"] for row in found}) == 2
    named = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["cluster_"] for row in named] == [row["cluster_"] for row in found]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_each_text_s_cluster_is_written_in_the_form_the_name_says(tmp_path, suffix):
    out = tmp_path / f"clusters{suffix}"
    texts = [*TEXTS, 'sad, "very"\nsad 🙂']
    cluster_corpus(made(), corpus(texts), [out], Grouping(2))
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    elif suffix == ".csv":
        newlines = pc.ParseOptions(newlines_in_values=True)
        rows = pc.read_csv(out, parse_options=newlines).to_pylist()
    else:
        rows = pq.read_table(out).to_pylist()
    assert [row["text"] for row in rows] == texts
    assert [str(row["id"]) for row in rows] == [str(i) for i in range(len(texts))]
    glad = {row["cluster"] for row in rows if "joy" in row["text"]}
    sad = {row["cluster"] for row in rows if "sad" in row["text"]}
    assert len(glad) == len(sad) == 1
    assert glad != sad


def test_a_cluster_is_told_by_its_emotions_with_scores_words_and_typical_texts(tmp_path):
    found = cluster_corpus(made(), corpus(), [tmp_path / "out.csv"], Grouping(2))
    assert [one["size"] for one in found] == [6, 6]
    by_first = {next(iter(one["emotions"])): one for one in found}
    assert set(by_first) == {"sadness", "joy"}
    probabilities = made().probabilities([text for text in TEXTS if "joy" in text])
    assert by_first["joy"]["emotions"]["joy"] == pytest.approx(float(probabilities[:, 1].mean()), abs=1e-6)
    assert "joy" in by_first["joy"]["words"]
    assert all("joy" in text for text in by_first["joy"]["typical"])
    json.dumps(found, allow_nan=False)


def test_labels_of_the_corpus_count_rather_than_what_the_model_says(tmp_path):
    labelled = corpus(labels=["fear" if "joy" in text else "love" for text in TEXTS])
    found = cluster_corpus(made(), labelled, [tmp_path / "out.csv"], Grouping(2))
    assert sorted(str(one["emotions"]) for one in found) == ["{'fear': 1.0}", "{'love': 1.0}"]


def test_an_encoder_without_classifier_clusters_without_emotions(tmp_path):
    found = cluster_corpus(made(classifier=False), corpus(), [tmp_path / "out.csv"], Grouping(2))
    assert [one["emotions"] for one in found] == [{}, {}]


def test_an_output_of_no_known_kind_is_refused_before_the_model_is_asked(tmp_path):
    with pytest.raises(UsageError, match=r"\.csv, \.tsv, \.jsonl, \.parquet"):
        cluster_corpus(None, corpus(), [tmp_path / "out.xlsx"], Grouping())
    assert list(tmp_path.iterdir()) == []


def test_the_file_to_be_read_is_not_written_over(tmp_path):
    source = tmp_path / "posts.csv"
    source.write_text("text\nhello\n")
    with pytest.raises(UsageError, match="is the file to be read"):
        check_outputs([tmp_path / "page.html", source], str(source))
    check_outputs([tmp_path / "OUT.CSV", tmp_path / "OUT.HTML"], str(source))


# --- the map


def colourings(path):
    source = path.read_text(encoding="utf-8")
    content = source.split('id="map-data">')[1].split("</script>")[0]
    data = json.loads(content)
    return {one["name"]: [one["categories"][code] for code in one["codes"]] for one in data["colourings"]}


def test_a_map_is_a_page_and_a_picture_coloured_by_what_the_model_decides(tmp_path):
    page, picture = draw_map(made(), corpus(), tmp_path / "map.html")
    assert {path.name for path in tmp_path.iterdir()} == {"map.html", "map.png"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert read_page(page).faults == []
    found = colourings(page)
    assert list(found) == ["predicted emotion", "sentiment", "cluster"]
    assert found["predicted emotion"] == ["joy" if "joy" in text else "sadness" for text in TEXTS]
    assert found["sentiment"] == ["positive" if "joy" in text else "negative" for text in TEXTS]


def test_what_passes_no_threshold_is_no_emotion(tmp_path):
    page, _ = draw_map(made(thresholds=(0.5, 0.999999)), corpus(), tmp_path / "map.html")
    assert colourings(page)["predicted emotion"] == ["none" if "joy" in text else "sadness" for text in TEXTS]


def test_labels_of_the_corpus_colour_the_map_the_first_of_several_and_none_of_none(tmp_path):
    labels = [["cold", "damp"], ["damp"], [], *[["cold"]] * 9]
    page, _ = draw_map(made(), corpus(labels=labels), tmp_path / "map.html")
    found = colourings(page)
    assert list(found) == ["label", "cluster"]  # of unknown sentiment
    assert found["label"] == ["cold", "damp", "none", *["cold"] * 9]


def test_clusters_are_numbered_by_size_and_noise_stays_noise():
    assert largest_first(np.array([1, 1, 0, -1, 2, 2, 2])).tolist() == [1, 1, 2, -1, 0, 0, 0]
    assert largest_first(np.array([-1, -1])).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("colour", "first"), [("label", "predicted emotion"), ("sentiment", "sentiment"), ("cluster", "cluster")]
)
def test_the_colour_asked_for_comes_first(tmp_path, colour, first):
    page, _ = draw_map(made(), corpus(), tmp_path / "map.html", colour=colour)
    assert next(iter(colourings(page))) == first
    assert set(colourings(page)) == {"predicted emotion", "sentiment", "cluster"}


def test_a_colour_that_cannot_be_had_is_refused_before_any_text_is_encoded(tmp_path, monkeypatch):
    model, cold = made(), [["cold"]] * len(TEXTS)
    for name in ("embed", "logits_and_vectors"):
        monkeypatch.setattr(model, name, lambda texts: pytest.fail("encoded"))
    with pytest.raises(UsageError, match="nothing to colour by sentiment; choose from label, cluster"):
        draw_map(model, corpus(labels=cold), tmp_path / "map.html", colour="sentiment")
    model.labels = ("cold", "damp")
    with pytest.raises(UsageError, match="nothing to colour by sentiment; choose from label, cluster"):
        draw_map(model, corpus(), tmp_path / "map.html", colour="sentiment")
    assert list(tmp_path.iterdir()) == []


def test_pages_mark_the_words_that_carry_what_the_model_finds_in_typical_texts(tmp_path):
    draw_map(made(), corpus(), tmp_path / "map.html", Grouping(2))
    cluster_corpus(made(), corpus(), [tmp_path / "out.html"], Grouping(2))
    for name in ("map.html", "out.html"):
        read = read_page(tmp_path / name)
        assert read.faults == []
        source = (tmp_path / name).read_text(encoding="utf-8")
        marked = set(re.findall(r'<mark title="(\w+): \d+ points less without it"[^>]*>([^<]+)<', source))
        assert marked == {("joy", "joy")}  # sadness needs no word here: it is what is not joy
        assert "coloured words carry" in source


def test_an_encoder_without_a_classifier_marks_no_word(tmp_path):
    draw_map(made(classifier=False), corpus(labels=["fear"] * 12), tmp_path / "map.html", Grouping(2))
    assert "<mark" not in (tmp_path / "map.html").read_text(encoding="utf-8")


def test_words_of_typical_texts_are_written_as_text(tmp_path):
    posts = [f"{text} <script>alert(1)</script>" for text in TEXTS]
    draw_map(made(), corpus(posts), tmp_path / "map.html", Grouping(2))
    assert read_page(tmp_path / "map.html").faults == []
    assert (
        "<script>alert" not in (tmp_path / "map.html").read_text(encoding="utf-8").split('id="map-data"')[0]
    )


def test_map_and_table_encode_every_text_once(tmp_path, monkeypatch):
    met = []
    stock = TwoSidedEncoder.tokenize
    monkeypatch.setattr(
        TwoSidedEncoder, "tokenize", lambda self, texts: met.extend(texts) or stock(self, texts)
    )
    draw_map(made(), corpus(), tmp_path / "map.html", Grouping(2))
    assert sorted(met[: len(TEXTS)]) == sorted(TEXTS)
    assert len(set(met[len(TEXTS) :]) & set(TEXTS)) == 8  # then the four typical ones of each cluster
    met.clear()
    cluster_corpus(made(), corpus(), [tmp_path / "out.csv"], Grouping(2))
    assert sorted(met) == sorted(TEXTS)


def test_a_picture_that_is_no_earlier_map_s_is_not_written_over_unasked(tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    picture.write_bytes(b"a holiday")
    with pytest.raises(UsageError, match=r"page\.png: is there already, and no map's; .*--picture"):
        draw_map(None, corpus(), page)
    assert picture.read_bytes() == b"a holiday"
    page.write_text("a page of one's own")
    with pytest.raises(UsageError, match="no map's"):
        draw_map(None, corpus(), page)
    _, drawn = draw_map(made(), corpus(), page, picture=tmp_path / "other.png")
    assert (drawn.name, picture.read_bytes()) == ("other.png", b"a holiday")
    assert draw_map(made(), corpus(), page)[1] == picture  # now the page is a map, and may be drawn again


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_map_of_very_few_texts_is_drawn(tmp_path, count):
    page, _ = draw_map(made(classifier=False), corpus(TEXTS[:count]), tmp_path / "map.html", Grouping(5))
    assert len(colourings(page)["cluster"]) == count


def test_a_page_named_as_a_picture_is_refused_before_the_work(tmp_path):
    with pytest.raises(UsageError, match=r"\.html"):
        draw_map(None, corpus(), tmp_path / "map.png")
