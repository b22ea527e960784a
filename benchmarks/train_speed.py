"""The training loop against transformers.Trainer: real tokens per second, peak memory, loss curves.

Both train the same classifier ([CLS] → Linear → tanh → dropout → Linear) from the same encoder on the
same texts with the same batch size, dropout, AdamW settings, schedule and clipping, in float32 on two
threads. Runs alternate, each in a process of its own, and the figure is the median of the ratios of
neighbouring runs.

    python benchmarks/train_speed.py [--rounds 5] [--steps 120] [--data goemotions] [-o FILE.json]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

from common import options_of, tell

BATCH, RATE, DROPOUT, SKIPPED = 32, 1e-4, 0.1, 10


def load(data: str, rows: int) -> Any:
    from affekt.data import catalog

    train = catalog.load(data)["train"]
    return train.select(range(min(rows, len(train))))


def stock_model(corpus: Any, seed: int) -> Any:
    """Transformers' own classifier; both sides begin with its weights."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from affekt.encoders.pretrained import locate

    torch.manual_seed(seed)
    kind = "single_label_classification" if corpus.single_label else "multi_label_classification"
    return AutoModelForSequenceClassification.from_pretrained(
        locate("all-MiniLM-L6-v2")[0],
        num_labels=len(corpus.labels),
        problem_type=kind,
        classifier_dropout=DROPOUT,
    )


def run_affekt(data: str, steps: int, seed: int) -> dict[str, Any]:
    import torch

    from affekt.networks.network import TASK
    from affekt.recipe.objectives import Classify
    from affekt.recipe.read import parse_recipe
    from affekt.training.build import build_network
    from affekt.training.loop import Loop
    from affekt.training.objectives import ClassifyObjective, LogitLoss
    from affekt.training.rows import TrainingRows

    torch.set_num_threads(2)
    corpus = load(data, steps * BATCH)
    recipe = parse_recipe(
        {
            "name": "speed",
            "data": {"name": data},
            "head": {"dropout": DROPOUT, "bias": "zero"},
            "training": {
                "epochs": 1,
                "batch_size": BATCH,
                "learning_rate": RATE,
                "warmup": 0.0,
                "seed": seed,
            },
        }
    )
    network = build_network(recipe, corpus)
    start = stock_model(corpus, seed)
    head: Any = network.head
    head.dense.load_state_dict(start.bert.pooler.dense.state_dict())
    head.out.load_state_dict(start.classifier.state_dict())
    del start
    objective = ClassifyObjective(
        network, Classify(), LogitLoss(Classify(), single_label=corpus.single_label)
    )
    rows = TrainingRows(corpus, objective.encoders())
    marks, losses, tokens = [], [], [0.0]
    loop = Loop(recipe, objective, {TASK: rows}, dict)

    def tick(done: int, of: int) -> None:
        marks.append(time.perf_counter())
        sums = loop.progress.sums
        tokens.append(sums["tokens"])
        losses.append(next(value for name, value in sums.items() if name not in {"rows", "tokens"}))

    loop.tick = tick
    loop.run()
    steps_loss = [(b - a) / BATCH for a, b in zip([0.0, *losses], losses, strict=False)]
    return _figures(marks, tokens[1:], steps_loss)


def run_trainer(data: str, steps: int, seed: int) -> dict[str, Any]:
    import torch
    from transformers import (
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    from affekt.encoders.pretrained import locate

    torch.set_num_threads(2)
    corpus = load(data, steps * BATCH)
    place, _ = locate("all-MiniLM-L6-v2")
    tokenizer = AutoTokenizer.from_pretrained(place)
    model = stock_model(corpus, seed)
    encoded = tokenizer(list(corpus.texts), truncation=True, max_length=128)["input_ids"]
    targets = corpus.class_indices().tolist() if corpus.single_label else corpus.targets.tolist()
    dataset = [{"input_ids": ids, "labels": y} for ids, y in zip(encoded, targets, strict=True)]
    collator = DataCollatorWithPadding(tokenizer)
    marks, tokens, losses = [], [0.0], []

    def collate(rows: list[dict[str, Any]]) -> Any:
        tokens.append(tokens[-1] + sum(len(row["input_ids"]) for row in rows))
        return collator(rows)

    class Marks(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            marks.append(time.perf_counter())

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if "loss" in (logs or {}):
                losses.append(float(logs["loss"]))

    arguments = TrainingArguments(
        output_dir="build/trainer",
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=RATE,
        weight_decay=0.01,
        max_grad_norm=1.0,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        use_cpu=True,
    )
    trainer = Trainer(model, arguments, train_dataset=dataset, data_collator=collate, callbacks=[Marks()])
    trainer.train()
    return _figures(marks, tokens[1 : len(marks) + 1], losses)


def _figures(marks: list[float], tokens: list[float], losses: list[float]) -> dict[str, Any]:
    seconds = marks[-1] - marks[SKIPPED - 1]
    return {
        "tokens_per_second": (tokens[-1] - tokens[SKIPPED - 1]) / seconds,
        "seconds_per_step": seconds / (len(marks) - SKIPPED),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "losses": losses,
    }


RUNNERS = {"affekt": run_affekt, "trainer": run_trainer}


def one_run(who: str, data: str, steps: int, seed: int) -> dict[str, Any]:
    command = [
        sys.executable,
        __file__,
        "--who",
        who,
        "--data",
        data,
        "--steps",
        str(steps),
        "--seed",
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--data", default="goemotions")
    parser.add_argument("--who", choices=sorted(RUNNERS), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.who:
        print(json.dumps(RUNNERS[options.who](options.data, options.steps, options.seed)))
        return
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in RUNNERS}
    for seed in range(options.rounds):
        for who in runs if seed % 2 == 0 else reversed(runs):
            runs[who].append(one_run(who, options.data, options.steps, seed))
            print(who, {k: round(v, 3) for k, v in runs[who][-1].items() if k != "losses"}, flush=True)
    ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(*runs.values(), strict=True)]
    last = {who: [statistics.fmean(run["losses"][-30:]) for run in done] for who, done in runs.items()}
    summary = {
        "data": options.data,
        "batch": BATCH,
        "steps": options.steps,
        "ratio_median": statistics.median(ratios),
        "ratios": ratios,
        "tokens_per_second": {
            who: statistics.median(r["tokens_per_second"] for r in done) for who, done in runs.items()
        },
        "peak_memory_mb": {
            who: statistics.median(r["peak_memory_mb"] for r in done) for who, done in runs.items()
        },
        "loss_of_last_30_steps": last,
    }
    tell(summary, options.out)


if __name__ == "__main__":
    main()
