"""How fast a label's probability falls when the words that carry it go first, beside words in random order.

    python benchmarks/deletion.py MODEL DATA [--rows 100] [--gradients] [-o FILE.json]

Of each text of the test split that holds a label by the model's own decision, the surest such label is
explained; then its words are taken away one by one, those that carry it most first, and the probability is
averaged over the way down. The lower, the better an explanation names the words; random order is the mean of
--draws orders. With --gradients also by integrated gradients.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affekt.data.catalog import read_split
from affekt.errors import DataError
from affekt.evaluation.intervals import bootstrap
from affekt.inference.explain import Explanation, deletion
from affekt.inference.model import Model, load
from common import options_of, tell

SHORTEST = 3  # words; with fewer there is little order


def curves(
    model: Model, label: str, found: Sequence[Explanation], random: np.random.Generator, draws: int
) -> list[float]:
    """Return the mean probability by each explanation's order, and last by random orders."""
    column = model.labels.index(label)

    def probability(texts: list[str]) -> Any:
        return model.probabilities(texts)[:, column]

    means = []
    for one in found:  # each has pieces of its own: gradients are of the text as the model reads it
        order = sorted(words_of(one), key=lambda at: -one.carries[label][at])
        means.append(deletion(one.pieces, order, probability))
    pieces, words = found[0].pieces, words_of(found[0])
    drawn = [deletion(pieces, random.permutation(words).tolist(), probability) for _ in range(draws)]
    return [*means, float(np.mean(drawn))]


def words_of(explanation: Explanation) -> list[int]:
    """Return the places of the words among the pieces."""
    return [at for at, piece in enumerate(explanation.pieces) if not piece.isspace()]


def compared(model: Model, texts: Sequence[str], *, gradients: bool, draws: int, seed: int) -> dict[str, Any]:
    """Return the mean over texts by each way, and how much lower than random, with intervals over texts."""
    random = np.random.default_rng(seed)
    ways: dict[str, Callable[[str], Explanation]] = {"leaving out": lambda text: model.explain(text)[0]}
    if gradients:
        ways["gradients"] = lambda text: model.explain(text, gradients=True)[0]
    rows = []
    for prediction in model.predict(texts):
        if prediction.labels and len(prediction.text.split()) >= SHORTEST:
            found = [explain(prediction.text) for explain in ways.values()]
            rows.append(curves(model, prediction.labels[0], found, random, draws))
    if not rows:
        raise DataError("the model decides on no label of a text of three words or more; give more --rows.")
    table = np.array(rows)

    def told(values: Any) -> dict[str, float]:
        return dict(bootstrap(np.mean, values, seed=seed)._asdict())

    means = {way: told(table[:, at]) for at, way in enumerate((*ways, "random"))}
    less = {way: told(table[:, -1] - table[:, at]) for at, way in enumerate(ways)}
    return {"n": len(table), "probability": means, "lower_than_random": less}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gradients", action="store_true")
    given = parser.parse_args()
    corpus = read_split(given.data, None)
    drawn = np.sort(np.random.default_rng(given.seed).permutation(len(corpus))[: given.rows])
    texts = corpus.select(drawn).texts
    found = compared(load(given.model), texts, gradients=given.gradients, draws=given.draws, seed=given.seed)
    tell({"data": corpus.name, "model": given.model.name, "seed": given.seed, **found}, given.out)


if __name__ == "__main__":
    main()
