"""What CharBERT's reading costs: pieces, characters and their spans, as a share of a training step.

The character encoder grown from all-MiniLM-L6-v2 takes the steps of the goemotions-charbert recipe; each
batch's texts are tokenised and collated anew, and timed beside the step on them. A run tokenises a text once
and not in every epoch, so its real share is smaller still.

    python benchmarks/charbert_tokenization.py [--rounds 30] [--threads 2] [-o FILE.json]
"""

import statistics
import time
from typing import Any

from common import options_of, tell

TARGET = 0.15


def measure(rounds: int) -> list[tuple[float, float]]:
    """Return the seconds of reading and of the step, batch by batch, after three that do not count."""
    import numpy as np

    from affekt.data import catalog
    from affekt.networks.network import TASK
    from affekt.recipe.read import read_recipe
    from affekt.training.build import build_network, objective_for
    from affekt.training.optimizer import build_optimizers
    from affekt.training.rows import TrainingRows, epoch_batches
    from objective_cost import step

    recipe = read_recipe("goemotions-charbert")
    corpus = catalog.load("goemotions")["train"]
    corpus = corpus.select(np.arange(min(len(corpus), recipe.training.batch_size * (rounds + 3))))
    objective = objective_for(recipe, build_network(recipe, corpus), corpus)
    objective.train()
    rows = TrainingRows(corpus, objective.encoders())
    optimizers = build_optimizers(objective, recipe.training)
    encoder: Any = objective.encoders()["text"]
    taken = []
    for _, batch in epoch_batches(recipe, {TASK: rows}, 0)[: rounds + 3]:
        texts = [corpus.texts[row] for row in batch]
        began = time.perf_counter()
        encoder.collate(encoder.tokenize(texts))
        reading = time.perf_counter() - began
        taken.append((reading, step(objective, rows, optimizers, batch)))
    return taken[3:]


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    taken = measure(options.rounds)
    share = statistics.median(reading / step for reading, step in taken)
    summary = {
        "share_of_a_step": share,
        "reading_seconds": statistics.median(reading for reading, _ in taken),
        "step_seconds": statistics.median(step for _, step in taken),
        "target": TARGET,
        "reached": share <= TARGET,
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
