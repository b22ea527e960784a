"""When a label-aware run falls to the commonest labels, and what keeps it from it (row B4, traps 5 and 7).

    python benchmarks/lcl_collapse.py RUNS [--share 0.15] [--epochs 4] [--only NAME …]
        [--picture FILE.png] [-o FILE.json]

Every way below trains goemotions-lcl, or without its contrastive term goemotions-direct, on a share of
GoEmotions into a folder of RUNS; runs that are there already are not trained again. After each epoch dev says
how many of the 28 labels are ever decided on at .5, macro-F1, and in how many directions the vectors lie.

An encoder that is "alike" is all-MiniLM-L6-v2 with one constant vector added to what its last layer gives, so
that any two texts have a cosine of .99 before training: so lie the [CLS] vectors of RoBERTa's family, which
was never trained to tell sentences apart.
"""

import json
from pathlib import Path
from typing import Any

from common import options_of, tell

PUBLISHED = {  # as the study trained, but for the encoder and the share of the data
    "training.learning_rate": 4e-5,
    "training.head_learning_rate": 4e-5,
    "training.layer_decay": 1.0,
    "training.schedule": "constant",
    "training.warmup": 0.0,
    "training.batch_size": 16,
    "head.bias": "zero",
    "encoder.pooling": "cls",
}
LCL = {
    "objective.weighting.pooling": "cls",
    "objective.weighting_head.bias": "zero",
    "objective.detach_weights": False,
}
MENDED = {  # what goemotions-lcl does instead, but for the rate
    "training.schedule": "linear",
    "training.warmup": 0.1,
    "training.layer_decay": 0.9,
    "head.bias": "prior",
    "objective.weighting_head.bias": "prior",
    "objective.detach_weights": True,
}
HIGH = {"training.learning_rate": 1e-3, "training.head_learning_rate": 1e-3, "training.epochs": 2}
ALIKE = {"encoder.name": "alike"}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "direct": ("goemotions-direct", PUBLISHED),
    "as published": ("goemotions-lcl", PUBLISHED | LCL),
    "alike, as published": ("goemotions-lcl", PUBLISHED | LCL | ALIKE),
    "rate 1e-3, direct": ("goemotions-direct", PUBLISHED | HIGH),
    "rate 1e-3, as published": ("goemotions-lcl", PUBLISHED | LCL | HIGH),
    "rate 1e-3, mended": ("goemotions-lcl", PUBLISHED | LCL | HIGH | MENDED),
}
COSINE = 0.99  # of two texts, before an "alike" encoder is trained


def make_alike(folder: Path) -> None:
    """Save all-MiniLM-L6-v2 with a constant added to its output, `COSINE` between two texts."""
    import torch

    from affekt.data import catalog
    from affekt.encoders.pretrained import load_pretrained

    model, tokenizer = load_pretrained("all-MiniLM-L6-v2")
    model.eval()
    texts = list(catalog.load("sample")["test"].texts)[:256]
    with torch.no_grad():
        vectors = model(**tokenizer(texts, padding=True, return_tensors="pt")).last_hidden_state[:, 0]
        middle = vectors.mean(dim=0)
        spread = (vectors - middle).square().sum(dim=1).mean()
        # cos = |c|² / (|c|² + spread) for a common vector c and deviations at random
        length = (COSINE / (1 - COSINE) * spread).sqrt()
        shift = torch.randn(len(middle), generator=torch.Generator().manual_seed(0))
        model.encoder.layer[-1].output.LayerNorm.bias += length * shift / shift.norm() - middle
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def trained(name: str, runs: Path, share: float, epochs: int) -> dict[str, Any]:
    """Train one way where it is not trained yet, and return what dev said after each epoch."""
    from affekt.recipe.read import read_recipe
    from affekt.training.run import train

    recipe, settings = WAYS[name]
    own = {"data.train_share": share, "training.epochs": epochs, "training.precision": "auto", "name": name}
    changes = own | settings
    if changes.get("encoder.name") == "alike":
        changes = changes | {"encoder.name": str(runs / "alike")}
        if recipe == "goemotions-lcl":
            changes = changes | {"objective.weighting.name": str(runs / "alike")}
    out = runs / name.replace(" ", "-").replace(",", "")
    metrics = train(
        read_recipe(recipe, tuple(f"{key}={value}" for key, value in changes.items())), out, resume=True
    )
    epochs_of = [
        json.loads(line) for line in (out / "history.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    labels = len(metrics["data"]["labels"])
    return {
        "way": name,
        "settings": settings,
        "decided": [labels - one["dev"]["never_predicted"] for one in epochs_of],
        "f1_macro": [one["dev"]["f1_macro"] for one in epochs_of],
        "rank": [one["dev"].get("effective_rank") for one in epochs_of],
        "starting_rank": epochs_of[0]["dev"].get("starting_rank"),
        "terms": [one["terms"] for one in epochs_of],
        "fitted": metrics["dev"]["fitted"]["f1_macro"]["value"],
        "warnings": metrics["warnings"],
    }


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Draw labels decided on and macro-F1 by epoch, a line for each way."""
    from affekt.report.style import CATEGORICAL, MARKERS, axis_labels, picture, quiet

    with picture(path, 10, 4.4) as figure:
        for ax, key, said in zip(
            figure.subplots(1, 2),
            ("decided", "f1_macro"),
            ("labels decided on, of 28", "macro-F1 at .5, dev"),
            strict=True,
        ):
            quiet(ax, grid="y")
            for at, one in enumerate(found):
                values = one[key]
                look = {"color": CATEGORICAL[at % len(CATEGORICAL)], "marker": MARKERS[at % len(MARKERS)]}
                ax.plot(range(1, len(values) + 1), values, label=one["way"], **look)
            ax.set_ylim(bottom=0)
            ax.xaxis.get_major_locator().set_params(integer=True)
            axis_labels(ax, "epoch", said)
        ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--share", type=float, default=0.15)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if not (options.runs / "alike").exists():
        make_alike(options.runs / "alike")
    found = [trained(name, options.runs, options.share, options.epochs) for name in options.only]
    if options.picture:
        draw(found, options.picture)
    tell({"share": options.share, "ways": found}, options.out)


if __name__ == "__main__":
    main()
