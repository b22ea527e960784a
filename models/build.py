"""The ready model's distribution from a finished run: its model in half precision, and its card.

    python models/build.py RUN [--seed RUN …] [--teacher RUN …] [--unseen FIGURES.json …] [--data NAME …]
                               [--audit FIGURES.json …] [--fast FOLDER] [--fastest FOLDER]

RUN is the run whose model is given away; --seed names others of its recipe, or the runs that it is a soup of,
whose figures stand beside, and --teacher those it was distilled from.
Figures of corpora that it has not seen are what `affekt evaluate DATA --labels ekman --json` writes; --data
names the known data sets it learnt from, where the recipe does not say all of them. --audit is what
`affekt audit --json` writes of it. --fast is its graph, as
`affekt export RUN --int8 --data DATA` writes it, and --fastest a static student or a cascade of it.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jinja2 import Environment, StrictUndefined
from safetensors.numpy import load_file, save_file

from affekt import evaluation
from affekt.data.known import DATASETS
from affekt.data.taxonomies import grouping
from affekt.decisions.groups import Groups, fit_coarser
from affekt.errors import AffektError, DataError, ModelError, UsageError
from affekt.evaluation.classification import FEWEST_OF_LABEL, rare_labels
from affekt.evaluation.figures import figure
from affekt.files import folder_written_aside, read_json, written_aside
from affekt.inference.model import Model, load
from affekt.report.audit import CLEAR
from affekt.report.numbers import as_interval, figure_text
from affekt.runs.folder import RunFolder

HERE = Path(__file__).parent
LIMIT = 48_000_000  # bytes of the model folder, its variants apart
VARIANTS = {"fast": 25_000_000, "fastest": 10_000_000}  # bytes of each, at most
APART = 0.02  # by which half precision may move a probability
SHOWN = ("f1_macro", "f1_micro", "jaccard", "accuracy", "average_precision_macro", "roc_auc_macro")
PROBES = ("i can't stop smiling, she said yes!!", "the meeting is at 3pm", "why would you do that to me", "")


def build(
    run: Path,
    out: Path,
    *,
    seeds: Sequence[Path] = (),
    teachers: Sequence[Path] = (),
    unseen: Sequence[Path] = (),
    data: Sequence[str] = (),
    audits: Sequence[Path] = (),
    variants: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Write the model and the card of a distribution; return what was made.

    `variants` holds folders of faster ones by their speeds, which go along.

    Raises:
        AffektError: When the run is not finished or no classifier, half precision moves its answers, a
            variant has other labels, or a folder grows too large.
    """
    folder = RunFolder(run)
    metrics, model = folder.metrics, load(run)
    if "dev" not in folder.predictions:
        raise DataError(f"{run}: holds no predictions of dev, on which coarser labels are decided.")
    model.coarse = model.coarse or coarser(model, folder)
    with tempfile.TemporaryDirectory() as temporary:
        made = model.save(Path(temporary) / "model")
        halve(made / "model.safetensors")
        apart, size = moved(model, made), weighed(made, LIMIT)
        faster = [faster_row(model, speed, one, made) for speed, one in (variants or {}).items()]
        of_seeds, of_teachers = ([RunFolder(one).metrics for one in runs] for runs in (seeds, teachers))
        card = card_of(model, folder, of_seeds, of_teachers, unseen, data, size, faster, audits)
        with folder_written_aside(out / "affekt_small" / "model") as aside:
            shutil.copytree(made, aside, dirs_exist_ok=True)
    with written_aside(out / "README.md") as aside:
        aside.write_text(card, encoding="utf-8")
    return {"name": metrics["name"], "bytes": size, "moved": apart, "variants": faster}


def faster_row(model: Model, speed: str, folder: Path, made: Path) -> dict[str, Any]:
    """Put a variant into the folder that was made; return what the card says of it."""
    other = load(folder)
    if (other.labels, other.single_label) != (model.labels, model.single_label):
        raise ModelError(f"{folder}: has other labels than the model, whose {speed} variant it should be.")
    other.coarse = other.coarse or model.coarse
    size = weighed(other.save(made / speed), VARIANTS[speed])
    said = other.about.get("graph") or other.about.get("cascade") or {}
    f1, agreement = said.get("f1_macro", {}), said.get("agreement")
    share = agreement["value"] if isinstance(agreement, dict) else agreement
    return {
        "speed": speed,
        "megabytes": f"{size / 1e6:.0f}",
        "n": f"{said['n']:,}" if said else "–",
        "before": figure_text(f1.get("before", f1.get("second"))),
        "after": figure_text(f1.get("after", f1.get("cascade"))),
        "agreement": "–" if share is None else f"{share:.1%}",
    }


def coarser(model: Model, folder: RunFolder) -> dict[str, Any]:
    """Return decisions by coarser labels, fitted on what the run's model said of dev."""
    dev, own = folder.predictions["dev"], model.deciding()
    if dev.logits is None:
        raise DataError(f"{folder.path}: its predictions hold no logits; train again.")
    digest = str(own.fitted_on.get("digest", ""))
    return dict(fit_coarser(own, model.labels, dev.logits, dev.targets, split="dev", digest=digest))


def moved(model: Model, made: Path) -> float:
    """Return how far half precision moves a probability; ModelError where that is too far."""
    apart = float(np.abs(model.probabilities(PROBES) - load(made).probabilities(PROBES)).max())
    if apart > APART:
        raise ModelError(f"half precision moves a probability by {apart:.3f}; these weights need more.")
    return apart


def weighed(made: Path, limit: int) -> int:
    """Return the bytes of a folder; ModelError where they are too many."""
    size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
    if size > limit:
        raise ModelError(f"{made.name} takes {size / 1e6:.1f} MB, more than {limit / 1e6:.0f} MB.")
    return size


def halve(path: Path) -> None:
    """Write the float32 tensors of a file of weights as float16.

    config.json goes on saying float32, by which transformers computes with them.
    """
    tensors = load_file(path)
    largest = max(float(np.abs(tensor).max()) for tensor in tensors.values() if tensor.size)
    if largest > float(np.finfo(np.float16).max):
        raise ModelError(f"{path.name} holds {largest:g}, which half precision cannot.")
    half = {
        name: tensor.astype(np.float16) if tensor.dtype == np.float32 else tensor
        for name, tensor in tensors.items()
    }
    save_file(half, path, metadata={"format": "pt"})


# --- the card


def card_of(
    model: Model,
    folder: RunFolder,
    others: Sequence[Mapping[str, Any]],
    teachers: Sequence[Mapping[str, Any]],
    unseen: Sequence[Path],
    data: Sequence[str],
    size: int,
    faster: Sequence[Mapping[str, Any]],
    audits: Sequence[Path] = (),
) -> str:
    """Return the card as Markdown."""
    metrics = folder.metrics
    final = metrics.get("test") or metrics["dev"]
    ways = [way for way in ("fixed", "fitted") if way in final]
    per_label = metrics["per_label"][ways[-1]]
    soup = metrics.get("soup")
    trained = [*([] if soup and others else [metrics]), *others]
    macro = [run.get("test", run["dev"])[ways[-1]]["f1_macro"]["value"] for run in trained]
    template = (HERE / "card.md.jinja").read_text(encoding="utf-8")
    markdown = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return markdown.from_string(template).render(
        name=metrics["name"],
        labels=model.labels,
        single_label=model.single_label,
        parameters=metrics["encoder"]["parameters"],
        dimension=metrics["encoder"]["dimension"],
        opens_in=[one for one in model.runtime.opens_in if one != "affekt"],
        megabytes=round(size / 1e6),
        data=[described(name, metrics) for name in data or trained_on(folder)],
        source=metrics["data"]["name"],
        seed=f"mean weights of seeds {listed(soup['seeds'])}" if soup else f"seed {metrics['seed']}",
        n=metrics["data"]["splits"]["test" if metrics.get("test") else "dev"]["n"],
        hardware=hardware(metrics["hardware"]),
        ways=[{"title": {"fixed": "at .5", "fitted": "thresholds from dev"}[way]} for way in ways],
        figures=[
            {"title": figure(name).title, "cells": [told(final[way].get(name)) for way in ways]}
            for name in SHOWN
            if name in final[ways[0]]
        ],
        seeds=listed(run["seed"] for run in trained),
        seed_figures=listed(map(figure_text, macro)),
        seed_mean=figure_text(float(np.mean(macro))),
        baselines=baselines(metrics),
        coarser=coarser_figures(model, folder),
        calibration=[
            {
                "title": figure(name).title,
                **{when: told(metrics["calibration"][when][name]) for when in ("before", "after")},
            }
            for name in ("ece", "brier")
            if name in metrics["calibration"]["after"]
        ],
        per_label=[
            {
                "label": label,
                "precision": figure_text(row["precision"]),
                "recall": figure_text(row["recall"]),
                "f1": told({**row, "value": row["f1"]}),
                "support": f"{row['support']:.0f}",
            }
            for label, row in per_label.items()
        ],
        rare=", ".join(rare_labels(per_label)),
        fewest=FEWEST_OF_LABEL,
        unseen=[unseen_row(path) for path in unseen],
        audits=[audited(path) for path in audits],
        faster=faster,
        length=reading_length(folder),
        commands=[
            portable(run["command"] or "affekt train RECIPE")
            for run in (*teachers, *trained, *([metrics] if metrics not in trained else []))
        ],
        version=metrics["affekt"],
        recipe=str(model.about.get("recipe", ""))[:12],
        digest=metrics["data"]["digest"],
        teachers=[f"{one['name']} ({one['encoder']['name']})" for one in teachers],
        epochs=trained[0]["timing"]["epochs"],
        hours=listed(f"{run['timing']['total_seconds'] / 3600:.1f}" for run in trained),
    )


def listed(values: Iterable[Any]) -> str:
    """Return values with commas between them."""
    return ", ".join(map(str, values))


def told(entry: Any) -> str:
    """Return a figure as .503 [.489, .517], without an interval where it has none."""
    found = as_interval(entry)
    if found is None:
        return "–"
    value, low, high = map(figure_text, found)
    return value if low == high == value else f"{value} [{low}, {high}]"


def trained_on(folder: RunFolder) -> list[str]:
    """Return the known data sets that a run's recipe names."""
    recipe = yaml.safe_load(folder.recipe) or {}
    named = [(recipe.get("data") or {}).get("name"), *((recipe.get("objective") or {}).get("texts") or ())]
    return [str(name) for name in dict.fromkeys(named) if name]


def described(name: str, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return what the card says of a corpus."""
    known = DATASETS.get(name)
    own = name == metrics["data"]["name"]
    sizes = {split: one["n"] for split, one in metrics["data"]["splits"].items()} if own else {}
    return {
        "name": Path(name).name,
        "sizes": ", ".join(f"{split} {n:,}" for split, n in sizes.items()),
        "citation": known.citation if known else "texts of its own",
        "licence": (known.licence if known else "") or "unknown",
    }


def hardware(entry: Mapping[str, Any]) -> str:
    """Return a machine in words."""
    return f"{entry['gpu'] or entry['cpu']}, {entry['threads']} threads, {entry['precision']}"


def baselines(metrics: Mapping[str, Any]) -> str:
    """Return what the commonest label and counting words reach."""
    titles = {"majority": "the commonest label", "tfidf": "TF-IDF with logistic regression"}
    found = metrics.get("baselines") or {}
    rows = [f"{titles[name]} {told(found[name].get('f1_macro'))}" for name in titles if found.get(name)]
    return "macro-F1 of " + ", of ".join(rows) if rows else "nothing was measured"


def coarser_figures(model: Model, folder: RunFolder) -> list[dict[str, str]]:
    """Return a row for each taxonomy that the model has decisions for, of the run's final predictions."""
    final = folder.predictions.get("test") or folder.predictions["dev"]
    rows = []
    for name, decisions in model.coarse.items():
        taxonomy = grouping(model.labels, name)
        groups = Groups.of(taxonomy.groups, model.labels, model.deciding())
        single = groups.single_label
        targets, labels = taxonomy.map_targets(final.targets, model.labels, single_label=single)
        probabilities = decisions.probabilities(groups.logits(np.asarray(final.logits)))
        figures = evaluation.classification_intervals(
            targets, decisions.decide(probabilities), labels=labels, single_label=single
        )
        ece = evaluation.calibration(targets, probabilities, single_label=single)["ece"]
        macro, micro = told(figures["f1_macro"]), told(figures.get("f1_micro", figures.get("accuracy")))
        row = {"name": name, "labels": ", ".join(labels), "macro": macro, "micro": micro}
        rows.append({**row, "ece": figure_text(ece)})
    return rows


def unseen_row(path: Path) -> dict[str, str]:
    """Return a row of what `affekt evaluate --json` wrote."""
    found = read_json(path)
    figures = found.get("classification") or {}
    if "judged_labels" not in found:
        raise UsageError(f"{path}: is not what `affekt evaluate DATA --labels ekman --json` writes.")
    return {
        "data": found["data"],
        "split": found["split"] or "all",
        "labels": f"{found['taxonomy']}: {', '.join(found['judged_labels'])}",
        "n": f"{found['n']:,}",
        "macro": told(figures.get("f1_macro")),
        "accuracy": told(figures.get("accuracy")),
    }


def audited(path: Path) -> dict[str, Any]:
    """Return what the card says of an audit: a row for each kind of pairs, and the words for groups."""
    found = read_json(path)
    if not isinstance(found, dict) or not found.get("kinds"):
        raise UsageError(f"{path}: is not what `affekt audit --json` writes.")
    terms = found.get("terms")
    return {
        "source": found["source"],
        "pairs": f"{found['pairs']:,}",
        "kinds": [audited_kind(kind) for kind in found["kinds"]],
        "terms": terms
        and {
            "data": terms["data"],
            "n": f"{terms['with']['n']:,}",
            "rate": f"{terms['with']['rate']:.1%}",
            "same_length": f"{terms['with']['same_length']:.1%}",
            "points": points(terms["with"]),
            "words": listed(
                f"{one['term']} {points(one)}" for one in terms["words"] if one["p_holm"] < CLEAR
            ),
        },
    }


def audited_kind(kind: Mapping[str, Any]) -> dict[str, str]:
    """Return a row of the audit's table: the largest mean change, and the largest in one pair."""
    mean = max(kind["labels"], key=lambda label: abs(label["mean"]))
    worst = max(kind["labels"], key=lambda label: abs(label["worst"]["change"]))
    changed = points({**mean, "value": mean["mean"]})
    return {
        "kind": f"{kind['kind']}: {kind['first']} to {kind['second']}",
        "pairs": f"{kind['pairs']:,}",
        "otherwise": f"{kind['otherwise']:.1%}",
        "mean": f"{mean['label']} {changed}{' *' if mean['p_holm'] < CLEAR else ''}",
        "worst": f"{worst['label']} {100 * worst['worst']['change']:+.1f}",
    }


def points(entry: Mapping[str, float]) -> str:
    """Return a difference of shares in points, as +1.2 (+.4 to +2.0)."""
    value, low, high = (f"{100 * entry[key]:+.1f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def reading_length(folder: RunFolder) -> int:
    """Return after how many pieces the model stops reading."""
    path = folder.path / "model" / "encoder.json"
    options = read_json(path) if path.exists() else {}
    return int(options.get("max_length") or options.get("options", {}).get("max_length") or 128)


def portable(command: str) -> str:
    """Return a command without the folders of the machine it ran on.

    >>> portable("affekt train x --set objective.teachers=/home/me/runs/big --out /tmp/out")
    'affekt train x --set objective.teachers=big --out out'
    """
    return re.sub(r"(?<![\w.])(?:/[^\s/=,'\"]+)*/(?=[^\s/=,'\"]+)", "", command)


def main(words: Sequence[str] | None = None) -> int:
    """Build what the words ask for; a fault the user can mend is one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=Path, action="append", default=[], metavar="RUN")
    parser.add_argument("--teacher", type=Path, action="append", default=[], metavar="RUN")
    parser.add_argument("--unseen", type=Path, nargs="*", action="extend", default=[], metavar="FIGURES.json")
    parser.add_argument("--data", nargs="*", action="extend", default=[], metavar="NAME")
    parser.add_argument("--audit", type=Path, nargs="*", action="extend", default=[], metavar="FIGURES.json")
    for speed in VARIANTS:
        parser.add_argument(f"--{speed}", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=HERE / "affekt-small")
    given = parser.parse_args(words)
    try:
        made = build(
            given.run,
            given.out,
            seeds=given.seed,
            teachers=given.teacher,
            unseen=given.unseen,
            data=given.data,
            audits=given.audit,
            variants={speed: folder for speed in VARIANTS if (folder := getattr(given, speed))},
        )
    except AffektError as fault:
        print(f"build: {fault}", file=sys.stderr)
        return 2
    print(json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
