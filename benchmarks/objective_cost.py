"""What a training step of each objective costs, as a multiple of plain classification's.

The same batches go through each objective in turn, again and again in one process, and the figure is the
median of the ratios to the neighbouring plain step. All encoders are the same; texts are tokenised once.

    python benchmarks/objective_cost.py [--rounds 30] [--data goemotions] [-o FILE.json]
"""

import statistics
import time
from typing import Any

import numpy as np
import torch

from affekt.data import catalog
from affekt.networks.network import TASK
from affekt.recipe.read import parse_recipe
from affekt.training.build import build_network, objective_for
from affekt.training.objectives import Objective, total
from affekt.training.optimizer import build_optimizers, clip_gradients
from affekt.training.rows import TrainingRows, epoch_batches
from common import options_of, tell

BATCH = 32
OBJECTIVES: dict[str, dict[str, Any]] = {
    "classify": {"kind": "classify"},
    "label-aware, copy": {"kind": "label-aware", "views": "copy", "weighting": {"pooling": "mean"}},
    "label-aware, dropout": {"kind": "label-aware", "views": "dropout", "weighting": {"pooling": "mean"}},
    "supervised-contrastive + classify": {"kind": "supervised-contrastive", "classification": 1.0},
    "retrofit": {"kind": "retrofit"},
}


def step(objective: Objective, rows: TrainingRows, optimizers: list[Any], batch: np.ndarray) -> float:
    began = time.perf_counter()
    inputs, targets = rows.batch(batch, torch.device("cpu"))
    torch.autograd.backward(total(objective(inputs, targets)))
    clip_gradients(objective.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--data", default="goemotions")
    options = parser.parse_args()
    torch.set_num_threads(2)
    corpus = catalog.load(options.data)["train"]
    corpus = corpus.select(range(min(len(corpus), BATCH * 200)))
    made = {}
    recipes = {
        name: parse_recipe(
            {
                "name": "cost",
                "data": {"name": options.data},
                "encoder": {"pooling": "mean"},
                "objective": objective_spec,
                "training": {"batch_size": BATCH},
            }
        )
        for name, objective_spec in OBJECTIVES.items()
    }
    for name, recipe in recipes.items():
        objective = objective_for(recipe, build_network(recipe, corpus), corpus)
        objective.train()
        made[name] = (
            objective,
            TrainingRows(corpus, objective.encoders()),
            build_optimizers(objective, recipe.training),
        )
    batches = [batch for _, batch in epoch_batches(recipes["classify"], {TASK: made["classify"][1]}, 0)]
    ratios: dict[str, list[float]] = {name: [] for name in OBJECTIVES}
    for at in range(options.rounds + 3):
        seconds = {name: step(*parts, batches[at]) for name, parts in made.items()}
        if at >= 3:  # the first steps warm caches
            for name, value in seconds.items():
                ratios[name].append(value / seconds["classify"])
    summary = {
        "data": options.data,
        "batch": BATCH,
        "rounds": options.rounds,
        "median_ratio_to_classify": {
            name: round(statistics.median(values), 3) for name, values in ratios.items()
        },
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
