"""How many texts a second each way of running a model takes, beside transformers' own pipeline.

    python benchmarks/speed.py [--model FOLDER] [--int8 FOLDER] [--onnx FOLDER] [--three FOLDER]
        [--static FOLDER] [--cascade FOLDER] [--judge DATA …] [-o docs/results/speed.json]

Every way reads the same texts in every round, one after the other on one thread, each opened anew so that no
cache is warm; seconds are the processor's, opening left out. The pipeline runs the same encoder under
transformers' own head, an untrained one where the model's is another. Ratios are of one round; the median of
the rounds is told. A way whose folder is not named is left out; the model's own fast variant is its int8 one.
Then each answers one text by the command line, in a process of its own: seconds and memory from the start.
--judge names data sets with the model's labels, on whose test splits macro-F1 is told.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before anything that computes is imported
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import options_of, tell

PIPELINE, PIPELINE_32 = "pipeline", "pipeline, batches of 32"
AIMS = {  # over the pipeline as it comes, and over its batches of 32
    "exact": (4, 2),
    "int8": (6, 2.8),
    "three": (11, None),
    "static": (1000, None),
    "cascade": (12, None),
}

Answering = Callable[[list[str]], Any]


def pipeline(folder: Path, batch: int) -> Callable[[], Answering]:
    """Return what opens transformers' pipeline over the encoder of a model folder."""

    def opening() -> Answering:
        import transformers
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        from affekt.files import CARD, read_json

        quiet: Any = transformers.logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        labels = len(read_json(folder / CARD)["labels"])
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=labels, ignore_mismatched_sizes=True
        )
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        made: Any = transformers.pipeline(
            "text-classification", model=model, tokenizer=tokenizer, top_k=None, device="cpu"
        )
        return lambda texts: made(texts, batch_size=batch, truncation=True)

    return opening


def affekt(folder: Path) -> Callable[[], Answering]:
    """Return what opens a model folder in affekt."""

    def opening() -> Answering:
        from affekt.inference.model import load

        return load(folder, device="cpu").predict

    return opening


def folders_of(given: Any) -> dict[str, Path]:
    """Return the folder of each of affekt's ways."""
    from affekt.errors import ModelError
    from affekt.inference.places import check

    found = {"exact": check(given.model)}
    for name in ("onnx", "int8", "three", "static", "cascade"):
        if folder := getattr(given, name):
            found[name] = check(folder)
    try:
        found.setdefault("int8", check(given.model, "fast"))
    except ModelError as fault:
        print(fault, file=sys.stderr)
    return found


def texts_of(data: str, count: int) -> list[str]:
    """Return some texts of a known data set, drawn from all of its splits."""
    import numpy as np

    from affekt.data import catalog

    texts = [text for split in catalog.load(data).values() for text in split.texts]
    chosen = np.random.default_rng(0).permutation(len(texts))[:count]
    return [texts[i] for i in sorted(chosen)]


def measured(ways: dict[str, Callable[[], Answering]], texts: list[str], rounds: int) -> dict[str, Any]:
    """Return texts a second of each way, and its ratios to the pipeline's."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, opening in ways.items():
            answer = opening()
            answer(texts[:1])
            began = time.process_time()
            answer(texts)
            seconds[name].append(time.process_time() - began)
            print(f"{name}: {len(texts) / seconds[name][-1]:,.0f} texts/s", file=sys.stderr)
    told = {}
    for name, took in seconds.items():
        rates = [len(texts) / one for one in took]
        told[name] = {
            "texts_per_cpu_second": round(statistics.median(rates), 1),
            "least": round(min(rates), 1),
        }
        for base, title in ((PIPELINE, "over_pipeline"), (PIPELINE_32, "over_batches_of_32")):
            if base in seconds and not name.startswith(PIPELINE):
                ratios = [one / other for one, other in zip(seconds[base], took, strict=True)]
                told[name][title] = round(statistics.median(ratios), 2)
    return told


def started(folder: Path) -> dict[str, float]:
    """Return the processor's seconds and the megabytes of one prediction by the command line."""
    words = [
        sys.executable,
        "-m",
        "affekt",
        "predict",
        "i can't stop smiling",
        "--model",
        str(folder),
        "--json",
    ]
    child = os.posix_spawn(
        sys.executable, words, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, used = os.wait4(child, 0)
    assert status == 0, f"{folder} does not answer"
    return {"cpu_seconds": round(used.ru_utime + used.ru_stime, 2), "megabytes": round(used.ru_maxrss / 1024)}


def judged(folder: Path, data: str) -> float | str:
    """Return macro-F1 on a test split, or why there is none."""
    from affekt.data import catalog
    from affekt.inference.export import macro_f1
    from affekt.inference.model import load

    model, test = load(folder), catalog.load(data)["test"]
    if model.labels != tuple(test.labels):
        return "other labels"
    return round(macro_f1(model.deciding(), model.logits(test.texts), test), 4)


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--model", help="the exact model; affekt-small unless said")
    for name in ("onnx", "int8", "three", "static", "cascade"):
        parser.add_argument(f"--{name}", help=f"the folder of the {name} one")
    parser.add_argument("--data", default="tweeteval-emotion")
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-pipeline", action="store_true")
    parser.add_argument("--judge", nargs="*", default=[], metavar="DATA")
    given = parser.parse_args()
    folders = folders_of(given)
    ways = {name: affekt(folder) for name, folder in folders.items()}
    if not given.without_pipeline:
        ways |= {PIPELINE: pipeline(folders["exact"], 1), PIPELINE_32: pipeline(folders["exact"], 32)}
    starts = {name: started(folder) for name, folder in folders.items()}  # while this process is small
    texts = texts_of(given.data, given.texts)
    found = measured(ways, texts, given.rounds)
    for name, folder in folders.items():
        files = [file for file in folder.rglob("*") if file.is_file()]
        if name == "exact":
            files = [file for file in files if not {"fast", "fastest"} & set(file.relative_to(folder).parts)]
        found[name]["folder_megabytes"] = round(sum(file.stat().st_size for file in files) / 1e6, 1)
        found[name]["from_the_start"] = starts[name]
        if given.judge:
            found[name]["f1_macro"] = {data: judged(folder, data) for data in given.judge}
        if name in AIMS and not given.without_pipeline:
            aims = zip(AIMS[name], ("over_pipeline", "over_batches_of_32"), strict=True)
            found[name]["aims"] = {title: aim for aim, title in aims if aim}
    summary = {"data": given.data, "texts": len(texts), "rounds": given.rounds, "threads": 1, "ways": found}
    tell(summary, given.out)


if __name__ == "__main__":
    main()
