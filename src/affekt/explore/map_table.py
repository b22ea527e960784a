"""A map as a Parquet table, which embedding-atlas and the served page open."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affekt.data.writing import columns_of, free_name
from affekt.evaluation.arrays import Floats
from affekt.files import written_aside
from affekt.text.surrogates import mended

NEAREST = 15  # neighbours of a text: as many as UMAP looks at by default
NEIGHBOURS = "neighbors"  # spelt as embedding-atlas does


def write_map_table(
    path: Path,
    texts: Sequence[str],
    points: Floats,
    vectors: Floats,
    categories: Mapping[str, Sequence[str]],
    scores: Mapping[str, Floats],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Write a row for each text: text, x, y, categories, the file's own columns, scores, and neighbours.

    Of the file's own `rows` the column of the texts is not written twice; its other names, and those of
    scores, get "_" after them where they are taken. `neighbors` holds the rows that are nearest in the space,
    counted from 0, the nearest first, and how far off they are.
    """
    columns: dict[str, Any] = {
        "text": pa.array(map(mended, texts), pa.string()),
        "x": pa.array(points[:, 0], pa.float32()),
        "y": pa.array(points[:, 1], pa.float32()),
        **{name: pa.array(held, pa.string()) for name, held in categories.items()},
    }
    taken = {*columns, NEIGHBOURS}
    for name, column in columns_of(rows).items():
        if not column.equals(columns["text"]):
            columns[free_name(mended(name), taken)] = column
    for name, held in scores.items():
        columns[free_name(mended(name), taken)] = pa.array(held, pa.float32())
    columns[NEIGHBOURS] = _neighbours(vectors)
    with written_aside(path) as aside:
        pq.write_table(pa.table(columns), aside)


def _neighbours(vectors: Floats) -> pa.StructArray:
    """Return for each vector {"ids", "distances"} of those nearest to it, itself not among them."""
    count, each = len(vectors), min(NEAREST, len(vectors) - 1)
    distances, ids = np.zeros((count, 0)), np.zeros((count, 0))
    if each > 0:
        from sklearn.neighbors import NearestNeighbors

        distances, ids = NearestNeighbors(n_neighbors=each, algorithm="brute").fit(vectors).kneighbors()
    starts = pa.array(np.arange(count + 1) * max(each, 0), pa.int32())
    lists = [
        pa.ListArray.from_arrays(starts, pa.array(np.ravel(held), kind))
        for held, kind in ((ids, pa.int32()), (distances, pa.float32()))
    ]
    return pa.StructArray.from_arrays(lists, ["ids", "distances"])
