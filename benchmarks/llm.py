"""A large language model and one of ours on the same texts: quality, seconds and cost beside each other.

    python benchmarks/llm.py DATA --url https://…/v1 --llm NAME [--model affekt-small] [--rows 200]
                             [--prices IN,OUT] [--machine-price .10] [-o FILE.json]

Any endpoint that speaks OpenAI's /chat/completions is asked, once for each text, at temperature 0, for the
labels of the data and nothing else; the key is read from $OPENAI_API_KEY (another variable by --key).
--prices are dollars for a million tokens read and written, as the endpoint counts them; --machine-price is
what an hour of the machine costs that our model runs on. DATA is a known data set or a file; --rows of its
test split are drawn, and averages are over the labels that some of them have. What an answer names beside the
labels is not counted, an answer that is no list of labels, or that a filter withholds, counts as none, and
both are told. What a model thinks aloud in <think> is not its answer. Where ours knows some of the labels
alone, it decides among these.
"""

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import numpy as np

from affekt import evaluation
from affekt.data.catalog import read_split
from affekt.data.corpus import Corpus
from affekt.errors import AffektError, DataError, UsageError, first_line
from affekt.evaluation.figures import HEADLINES
from affekt.inference.model import Model, load
from common import options_of, tell

TRIES = 4  # of a request that a busy or broken endpoint refuses
WAIT = 1.0  # seconds before the second try, twice as long before each further one, unless it says how long
TIMEOUT = 120.0
WITHHELD = {"choices": [{"message": {"content": ""}}]}  # what a filter makes of an answer


@dataclass(frozen=True)
class Endpoint:
    """Where a large language model is asked, and as whom."""

    url: str
    name: str
    key: str = ""
    wait: float = WAIT
    temperature: float | None = 0.0  # None leaves it to the endpoint

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", self.url):
            raise UsageError(f"--url {self.url}: give an address such as http://localhost:8000/v1.")
        if not (self.key.isascii() and self.key.isprintable()):  # a fault of the request would show it
            raise UsageError("the key holds what no request can, such as the end of a line; give it anew.")

    def ask(self, instruction: str, text: str) -> dict[str, Any]:
        """Return the endpoint's answer; DataError when it gives none."""
        messages = [{"role": "system", "content": instruction}, {"role": "user", "content": text}]
        asked: dict[str, Any] = {"model": self.name, "messages": messages}
        if self.temperature is not None:
            asked["temperature"] = self.temperature
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        address = f"{self.url.rstrip('/').removesuffix('/chat/completions')}/chat/completions"
        for attempt in range(TRIES):
            wait = self.wait * 2**attempt
            try:
                request = urllib.request.Request(address, json.dumps(asked).encode(), headers)
                with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                    return dict(json.load(answer))
            except urllib.error.HTTPError as fault:
                told = _told(fault)
                if fault.code == 400 and "content_filter" in told:
                    return WITHHELD
                said = f"{fault.code} {fault.reason}{self.quoted(told)}"
                if fault.code < 500 and fault.code not in (408, 429):
                    break
                wait = _seconds(fault.headers.get("Retry-After"), wait)
            except (OSError, ValueError, TypeError, HTTPException) as fault:
                said = first_line(fault)
            if attempt < TRIES - 1:
                time.sleep(wait)
        raise DataError(f"{self.url}: gives no answer ({said}).")

    def quoted(self, told: str) -> str:
        """Return the message in what an endpoint told of a fault, in brief and without the key."""
        try:
            said = json.loads(told)["error"]
            said = str(said["message"] if isinstance(said, dict) else said)
        except (ValueError, KeyError, TypeError):
            return ""
        said = " ".join(said.split())
        return f": {(said.replace(self.key, '…') if self.key else said)[:300]}"


def _told(fault: urllib.error.HTTPError) -> str:
    try:
        return fault.read().decode(errors="replace")
    except (OSError, HTTPException):
        return ""


def _seconds(said: str | None, otherwise: float) -> float:
    """Return how long an endpoint asks to wait, two minutes at most."""
    return min(float(said), TIMEOUT) if said and re.fullmatch(r"\d+(\.\d+)?", said) else otherwise


@dataclass(frozen=True)
class Answer:
    """What came of a text: the labels named, or None for what is no list of them; and what it took."""

    labels: tuple[str, ...] | None
    unknown: int
    read: int | None  # tokens; None where the endpoint does not count them
    written: int | None
    seconds: float


def instruction_for(labels: Sequence[str], *, single_label: bool) -> str:
    """Return what a model is told to do with each text."""
    how_many = "exactly one label" if single_label else "every label that holds, one or several"
    return (
        f"Which emotions does the text express? The labels are: {', '.join(labels)}. "
        f"Answer with a JSON list of {how_many}, and nothing else."
    )


def labels_in(content: str, labels: Sequence[str]) -> tuple[tuple[str, ...] | None, int]:
    r"""Return the labels that an answer lists, and how many others it does; None where it lists nothing.

    >>> labels_in('```json\n["Joy", "glee"]\n```', ["joy", "fear"])
    (('joy',), 1)
    """
    content = re.sub(r"<think>.*?</think>", "", content, flags=re.DOTALL)
    found = re.search(r"\[[^\[\]]*\]", content)
    try:
        listed = json.loads(found[0]) if found else [json.loads(content)]
    except ValueError:
        listed = [content.strip().strip(".\"'")] if content.strip() else None
    if listed is None:
        return None, 0
    known = {label.casefold(): label for label in labels}
    named = [str(one).strip().casefold() for one in listed]
    own = tuple(dict.fromkeys(known[one] for one in named if one in known))
    others = sum(one not in known for one in named)
    return (own if own or found else None), others


def tokens(answer: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return how many tokens an endpoint says it read and wrote; None where it does not."""
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    read, written = (counts.get(key) for key in ("prompt_tokens", "completion_tokens"))
    return read if isinstance(read, int) else None, written if isinstance(written, int) else None


def spent(answers: Sequence[Answer], prices: tuple[float, float] | None) -> dict[str, Any]:
    """Return tokens a text, and dollars for 1,000; None where the endpoint, or who asks, does not say."""
    known = [(one.read, one.written) for one in answers if one.read is not None and one.written is not None]
    means = np.mean(known, axis=0).tolist() if known else None
    return {
        "tokens_per_text": dict(zip(("read", "written"), means or (None, None), strict=True)),
        "dollars_per_1000": float(np.dot(means, prices)) / 1e3 if means and prices else None,
    }


def asked(endpoint: Endpoint, corpus: Corpus, together: int) -> list[Answer]:
    """Return an answer for each text, so many requests at once."""
    instruction = instruction_for(corpus.labels, single_label=corpus.single_label)

    def one(text: str) -> Answer:
        began = time.monotonic()
        answer = endpoint.ask(instruction, text)
        seconds = time.monotonic() - began
        try:
            content = str(answer["choices"][0]["message"]["content"] or "")
        except (KeyError, IndexError, TypeError) as fault:
            said = endpoint.quoted(json.dumps(answer))
            raise DataError(
                f"{endpoint.url}: answers otherwise than /chat/completions does{said}."
            ) from fault
        named, unknown = labels_in(content, corpus.labels)
        return Answer(named, unknown, *tokens(answer), seconds)

    with ThreadPoolExecutor(together) as pool:
        return list(pool.map(one, corpus.texts))


def decided(answers: Sequence[Answer], corpus: Corpus) -> np.ndarray:
    """Return (n, k) the labels named; of one label a text the first named."""
    held = np.zeros((len(answers), len(corpus.labels)), dtype=np.bool_)
    for row, answer in enumerate(answers):
        for label in (answer.labels or ())[: 1 if corpus.single_label else None]:
            held[row, corpus.labels.index(label)] = True
    return held


def figures(corpus: Corpus, held: np.ndarray) -> dict[str, Any]:
    """Return the headline figures with intervals; averages are over labels that some text has."""
    found = evaluation.classification_intervals(
        corpus.targets, held, labels=corpus.labels, single_label=corpus.single_label, only_present=True
    )
    return {key: found[key] for key in HEADLINES[corpus.single_label]}


def ours_on(model: Model, corpus: Corpus) -> np.ndarray:
    """Return (n, k) what one of our models decides; where texts have one label, the likeliest it shares."""
    shared = [label for label in model.labels if label in corpus.labels]
    if not shared:
        raise DataError(
            f"{corpus.name}: the model knows none of its labels ({', '.join(corpus.labels)}); name another "
            "by --model."
        )
    if corpus.single_label and not (model.single_label and len(shared) == len(model.labels)):
        model = model.one_of(shared)
    decided = model.deciding().decide(model.probabilities(corpus.texts))
    held = np.zeros((len(corpus), len(corpus.labels)), dtype=np.bool_)
    for label in shared:
        held[:, corpus.labels.index(label)] = decided[:, model.labels.index(label)]
    return held


def compared(
    corpus: Corpus,
    endpoint: Endpoint,
    model: str | None,
    *,
    together: int = 8,
    prices: tuple[float, float] | None = None,
    machine_price: float = 0.1,
) -> dict[str, Any]:
    """Return what both make of the texts of a corpus, and what 1,000 texts take and cost."""
    ours = load(model)
    began = time.monotonic()
    own = ours_on(ours, corpus)
    seconds = time.monotonic() - began
    began = time.monotonic()
    answers = asked(endpoint, corpus, together)
    elapsed = time.monotonic() - began
    theirs, n = decided(answers, corpus), len(corpus)
    main, present = HEADLINES[corpus.single_label][0], corpus.present.any(axis=0)
    paired = evaluation.paired_bootstrap(
        corpus.targets[:, present],
        own[:, present],
        theirs[:, present],
        metric=main,
        single_label=corpus.single_label,
    )
    return {
        "data": corpus.name,
        "split": corpus.split,
        "n": n,
        "labels": list(corpus.labels),
        "ours": {
            "model": str(ours.about.get("name", "")),
            "figures": figures(corpus, own),
            "seconds_per_1000": 1000 * seconds / n,
            "dollars_per_1000": 1000 * seconds / n / 3600 * machine_price,
        },
        "llm": {
            "model": endpoint.name,
            "instruction": instruction_for(corpus.labels, single_label=corpus.single_label),
            "figures": figures(corpus, theirs),
            "unreadable": sum(one.labels is None for one in answers),
            "unknown_labels": sum(one.unknown for one in answers),
            "temperature": endpoint.temperature,
            "seconds_per_text": float(np.median([one.seconds for one in answers])),
            "seconds_per_1000": 1000 * elapsed / n,
            "together": together,
            **spent(answers, prices),
        },
        "ours_minus_llm": {main: paired},
    }


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = options_of(__doc__)
    parser.add_argument("data")
    parser.add_argument("--url", required=True, help="of the endpoint, up to and with /v1")
    parser.add_argument("--llm", required=True, metavar="NAME", help="what the endpoint calls the model")
    parser.add_argument("--key", default="OPENAI_API_KEY", metavar="VARIABLE")
    parser.add_argument("--model", help="ours; affekt-small if left out")
    parser.add_argument("--split")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", type=int, default=8)
    parser.add_argument(
        "--no-temperature", action="store_true", help="leave it to the endpoint: some models take no other"
    )
    parser.add_argument("--prices", metavar="IN,OUT")
    parser.add_argument("--machine-price", type=float, default=0.1)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Compare what the words ask for; a fault the user can mend is one line."""
    given = options().parse_args(words)
    try:
        if given.rows < 1 or given.together < 1:
            raise UsageError("--rows and --together are at least 1.")
        try:
            prices = tuple(float(price) for price in given.prices.split(",")) if given.prices else None
        except ValueError:
            prices = ()
        if prices is not None and len(prices) != 2:
            raise UsageError(f"--prices {given.prices}: give dollars for a million tokens, as .15,.60.")
        corpus = read_split(given.data, given.split).require_classes()
        drawn = np.random.default_rng(given.seed).permutation(len(corpus))[: given.rows]
        endpoint = Endpoint(
            given.url,
            given.llm,
            os.environ.get(given.key, "").strip(),
            temperature=None if given.no_temperature else 0.0,
        )
        found = compared(
            corpus.select(np.sort(drawn)),
            endpoint,
            given.model,
            together=given.together,
            prices=(prices[0], prices[1]) if prices else None,
            machine_price=given.machine_price,
        )
    except AffektError as fault:
        print(f"llm: {fault}", file=sys.stderr)
        return 2
    tell({**found, "seed": given.seed}, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
