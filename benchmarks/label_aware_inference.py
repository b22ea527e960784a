"""What label-aware inference costs: the eleven emotions of E-c in the input, against the plain text alone.

Both are the same encoder (all-MiniLM-L6-v2) with an untrained head, since weights do not change the cost: one
reads [CLS] labels [SEP] text [SEP] and gives a logit per label word, the other [CLS] text [SEP] with a
classifier on the mean of the states, or on [CLS], whose last layer costs less. Timed is all of inference,
from texts (normalised beforehand) to logits, batches sorted by length. Runs alternate in one process, in
turned order, after one run of each that does not count; the figure is the median of the ratios of neighbours.

    python benchmarks/label_aware_inference.py [--rounds 9] [--texts 2000] [--threads 2] [-o FILE.json]
"""

import os
import statistics
import time
from typing import Any

import numpy as np

from common import options_of, tell

TARGET = 1.6
DATA = "semeval2018-ec-en"


def load_texts(count: int) -> tuple[str, list[str]]:
    """Return where the texts are from, and at most `count` of them, normalised."""
    from affekt.data import catalog
    from affekt.text import normalize

    name = DATA if "AFFEKT_DATA" in os.environ and catalog.find(DATA) else "sample"
    corpus = catalog.load(name)["test"]
    return name, [normalize(text, "affekt") for text in corpus.texts[:count]]


def make_models() -> dict[str, Any]:
    """Return the label-aware model and the two plain ones, with the heads of their recipes."""
    import torch

    from affekt.data.known import DATASETS
    from affekt.data.label_words import label_words
    from affekt.decisions import Decisions
    from affekt.encoders.transformer import TransformerEncoder
    from affekt.inference.model import Model
    from affekt.inference.runtimes.torch import TorchRuntime
    from affekt.networks.heads import build_head
    from affekt.networks.network import Network
    from affekt.recipe.read import read_recipe

    labels = DATASETS[DATA].labels

    def made(recipe_name: str, pooling: str) -> Any:
        torch.manual_seed(0)
        recipe = read_recipe(recipe_name)
        spec, head = recipe.encoder, recipe.head
        words = None if spec.label_words is None else label_words(spec.label_words, labels)
        encoder = TransformerEncoder.pretrained(
            spec.name, pooling=pooling, max_length=spec.max_length, label_words=words
        )
        network = Network(encoder, build_head(encoder, len(labels), kind=head.kind, dropout=head.dropout))
        return Model(
            TorchRuntime(network.eval()), labels, False, Decisions.unfitted(len(labels), single_label=False)
        )

    return {
        "label-aware": made("semeval-labels", "cls"),
        "plain": made("semeval-plain", "mean"),
        "plain-cls": made("semeval-plain", "cls"),
    }


def seconds(model: Any, texts: list[str]) -> float:
    """Return how long a model takes for the logits of all texts."""
    began = time.perf_counter()
    model.logits(texts)
    return time.perf_counter() - began


def measure(models: dict[str, Any], texts: list[str], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round by model; the order is turned from round to round."""
    for model in models.values():
        model.logits(texts)
    taken: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds):
        for name in list(models) if turn % 2 == 0 else reversed(list(models)):
            taken[name].append(seconds(models[name], texts))
    return taken


def ratio_of(taken: dict[str, list[float]], name: str) -> dict[str, Any]:
    """Return the label-aware model's time over another's: the median of the rounds, and all of them."""
    ratios = [a / b for a, b in zip(taken["label-aware"], taken[name], strict=True)]
    return {"median": statistics.median(ratios), "rounds": ratios}


def mean_tokens(model: Any, texts: list[str]) -> float:
    return float(np.mean([len(row) for row in model.runtime.network.encoder.tokenize(texts)]))


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    name, texts = load_texts(options.texts)
    models = make_models()
    taken = measure(models, texts, options.rounds)
    ratio = ratio_of(taken, "plain")
    summary = {
        "data": name,
        "texts": len(texts),
        "labels": len(models["plain"].labels),
        "ratio": ratio,
        "ratio_to_plain_cls": ratio_of(taken, "plain-cls"),
        "target": TARGET,
        "reached": ratio["median"] <= TARGET,
        "texts_per_second": {who: len(texts) / statistics.median(times) for who, times in taken.items()},
        "mean_tokens": {who: mean_tokens(model, texts) for who, model in models.items()},
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
