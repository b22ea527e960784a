"""A model on Arrow tables, and in actors of Ray where it is installed."""

import os
import signal
import sys

import numpy as np
import pyarrow as pa
import pytest

from affekt.errors import DataError, MissingError, ModelError, UsageError
from affekt.inference.export import export
from affekt.inference.model import load
from affekt.inference.tables import TableScorer, score_dataset
from tiny import save_classifier

TEXTS = ["so happy today", "i was sad", None, "love", "", "so so sad and then the day got better", "joy"]


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    return str(save_classifier(tiny("bert"), ["fear", "joy"], place / "model", single_label=False))


def test_rows_come_back_with_what_the_model_says_of_them(model):
    table = pa.table({"n": range(len(TEXTS)), "text": TEXTS})
    found = TableScorer(model)(table)
    assert found.column_names == ["n", "text", "predicted", "score_fear", "score_joy"]
    assert found.select(["n", "text"]) == table
    usable = [row for row, text in enumerate(TEXTS) if text]
    expected = load(model).predict([TEXTS[row] for row in usable])
    assert [found["predicted"][row].as_py() for row in usable] == [one.labels for one in expected]
    scores = [[found[f"score_{label}"][row].as_py() for label in ("fear", "joy")] for row in usable]
    assert np.allclose(scores, [list(one.scores.values()) for one in expected], atol=1e-6)
    assert [found[name][2].as_py() for name in found.column_names[2:]] == [None] * 3


def test_answers_do_not_depend_on_which_rows_share_a_table(model):
    scorer, table = TableScorer(model), pa.table({"text": TEXTS})
    alone = pa.concat_tables(scorer(table.slice(row, 1)) for row in range(len(TEXTS)))
    assert alone == scorer(table)


def test_one_label_a_text_no_rows_names_that_are_taken_and_coarser_labels(tiny, model, tmp_path):
    single = save_classifier(tiny("bert"), ["fear", "joy"], tmp_path / "one", single_label=True)
    found = TableScorer(str(single), text="tweet")(pa.table({"tweet": ["happy"], "predicted": [1]}))
    assert found["predicted"].to_pylist() == [1]
    assert found["predicted_"].to_pylist()[0] in ("fear", "joy")
    scorer = TableScorer(model, taxonomy="sentiment")
    nothing = scorer(pa.table({"text": pa.array([], pa.string())}))
    assert (nothing.num_rows, nothing.schema) == (0, scorer.schema(pa.schema([("text", pa.string())])))
    assert "score_positive" in nothing.column_names


def test_rows_without_the_column_are_a_sentence(model):
    with pytest.raises(DataError, match="no column 'text' but tweet"):
        TableScorer(model)(pa.table({"tweet": ["a"]}))


def test_without_ray_a_sentence_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingError, match=r'needs ray, which is not installed: pip install "affekt\[ray\]"'):
        score_dataset(None, model)


class Dying(TableScorer):
    """A scorer whose first process is killed at its second table."""

    def __init__(self, model, *, mark, **how):
        super().__init__(model, **how)
        self.mark, self.seen = mark, 0

    def __call__(self, table):
        self.seen += 1
        if self.seen == 2:
            try:
                os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(table)


@pytest.fixture(scope="module")
def graph(model, tmp_path_factory):
    """The model as a graph, which actors open in a second."""
    export(model, folder := tmp_path_factory.mktemp("tables") / "graph")
    return str(folder)


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="ray is not installed")
    pytest.importorskip("ray.data", reason="ray's data part is not installed")
    path = os.pathsep.join(sys.path)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors need no torch for `tiny`
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    yield ray
    ray.shutdown()


def test_actors_give_what_one_process_gives_also_where_one_is_killed(ray, graph, tmp_path):
    table = pa.table({"n": range(200), "text": [f"{TEXTS[n % 4] or 'love'} {n}" for n in range(200)]})
    expected = TableScorer(graph)(table)
    for how in ({}, {"scorer": Dying, "mark": str(tmp_path / "killed")}):
        dataset = ray.data.from_arrow([table.slice(at, 20) for at in range(0, 200, 20)])
        found = score_dataset(dataset, graph, actors=2, batch_size=10, **how)
        rows = sorted(found.take_all(), key=lambda row: row["n"])
        assert pa.Table.from_pylist(rows, schema=expected.schema) == expected
    assert (tmp_path / "killed").exists()


def test_what_cannot_be_asked_of_ray_is_a_sentence(ray, model, tmp_path):
    with pytest.raises(UsageError, match="give at least 1 of each"):
        score_dataset(None, model, actors=0)
    with pytest.raises(ModelError, match="no such folder"):
        score_dataset(None, str(tmp_path / "none"))
