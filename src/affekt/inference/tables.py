"""A model on Arrow tables, as engines that spread rows over machines hand them out: Ray, Spark."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from affekt.data.writing import header_of
from affekt.errors import DataError, UsageError, installed
from affekt.inference.model import load
from affekt.inference.places import check
from affekt.inference.score import WINDOW, scored

BATCH = 2048  # rows that an actor is handed at once


class TableScorer:
    """Gives a table its rows with what a model says of their texts: what one process, or one actor, holds.

    After the columns there are come those that `predict_file` writes: `predicted`, then `score_<label>`. A
    row without a text, or with an empty one, has nulls. Answers do not depend on which rows share a table.

    Args:
        model: Where `load` finds a classifier, on the machine that computes; the ready model unless said.
        text: The column with the texts.
        task: As for `load`.
        taxonomy: Coarser labels, see `Model.coarser`.
        speed: As for `load`.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        text: str = "text",
        task: str | None = None,
        taxonomy: str | None = None,
        speed: str | None = None,
    ) -> None:
        opened = load(model, task=task, device="cpu", speed=speed)
        self._model = (opened if taxonomy is None else opened.coarser(taxonomy)).steady()
        self._decisions, self._text = self._model.deciding(), text

    def schema(self, given: pa.Schema) -> pa.Schema:
        """Return the schema of what comes of tables of one."""
        several = self._decisions.rule == "threshold"
        scores = [f"score_{label}" for label in self._model.labels]
        header = header_of(given.names, ".parquet", "predicted", scores, several=several, types={})
        predicted = pa.field(header.predicted, pa.list_(pa.string()) if several else pa.string())
        return pa.schema([*given, predicted, *((name, pa.float32()) for name in header.scores)])

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return a table with its answers, row by row."""
        if self._text not in table.column_names:
            raise DataError(
                f"the rows have no column {self._text!r} but {', '.join(table.column_names)}; name that of "
                "the texts."
            )
        schema = self.schema(table.schema)
        several = pa.types.is_list(schema.field(table.num_columns).type)
        answers: list[pa.Table] = []
        texts = [_usable(text) for text in table.column(self._text).to_pylist()]
        for at in range(0, len(texts), WINDOW):
            probabilities, named = scored(self._model, self._decisions, texts[at : at + WINDOW])
            decided: Sequence[Any] = named if several else [labels and labels[0] for labels in named]
            columns = [pa.array(list(decided), schema.field(table.num_columns).type)]
            columns += [pa.array(values, from_pandas=True) for values in probabilities.T.copy()]
            answers.append(pa.table(columns, names=schema.names[table.num_columns :]))
        if not answers:
            return schema.empty_table()
        found = pa.concat_tables(answers)
        return pa.table([*table.columns, *found.columns], schema=schema)


def _usable(text: Any) -> str | None:
    return text if isinstance(text, str) and text.strip() else None


def score_dataset(
    dataset: Any,
    model: str | None = None,
    *,
    actors: int = 2,
    batch_size: int = BATCH,
    scorer: Callable[..., Any] = TableScorer,
    **how: Any,
) -> Any:
    """Return a Ray dataset with a model's answers, computed by actors of one core and one model each.

    Ray starts an actor anew that is killed, and hands its rows out again; answers stay the same.

    Args:
        dataset: A `ray.data.Dataset`.
        model: As for `TableScorer`; it must lie in the same place on every machine.
        actors: How many.
        batch_size: Rows that an actor is handed at once.
        scorer: The class of the actors.
        how: More of what `TableScorer` takes.

    Raises:
        MissingError: When Ray is not installed.
        UsageError: When there are no actors, or no rows in a batch.
        ModelError: When there is no such model here.
    """
    with installed():
        from ray.data import ActorPoolStrategy
    if actors < 1 or batch_size < 1:
        raise UsageError(f"{actors} actors and batches of {batch_size} rows: give at least 1 of each.")
    check(model, how.get("speed"))  # before anything starts
    return dataset.map_batches(
        scorer,
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ActorPoolStrategy(size=actors),
        num_cpus=1,
        fn_constructor_kwargs={"model": model, **how},
    )
