"""Model folders spoiled at random: they open and give numbers, or are refused in one sentence."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import affekt
from affekt.decisions import Decisions
from affekt.encoders.charbert import CharBertEncoder
from affekt.encoders.recurrent import BiLstmEncoder
from affekt.encoders.tfidf import TfidfEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import AffektError
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import Projection, build_head
from affekt.networks.network import Network
from tiny import TEXTS

LABELS = ("anger", "joy", "sadness")
CASES = 30  # of each kind of folder
ODD = [
    None,
    True,
    False,
    -5,
    0,
    3,
    1.5,
    10**30,
    float("nan"),
    "",
    "x",
    "é" * 3,
    [],
    [1],
    ["joy"],
    {},
    {"a": 1},
]

Files = dict[str, bytes]


def classifier(encoder: Any, head: str = "classification", projection: bool = False) -> Model:
    torch.manual_seed(0)
    network = Network(encoder, build_head(encoder, len(LABELS), kind=head))
    if projection:
        network.projection = Projection(encoder.dimension, 4)
    decisions = Decisions.unfitted(len(LABELS), single_label=False)
    return Model(TorchRuntime(network.eval()), LABELS, False, decisions, "tweeteval")


def made(kind: str, tiny: Callable[[str], str]) -> Model:
    """Return a small model of a kind; "plain" is an encoder that affekt did not write."""
    if kind == "charbert":
        return classifier(CharBertEncoder.from_plain(tiny("bert"), character_size=8))
    if kind == "bilstm":
        return classifier(BiLstmEncoder.build(TEXTS, hidden=4, word_dimension=5, min_count=1), "linear")
    if kind == "tfidf":
        return classifier(TfidfEncoder.build(TEXTS, min_count=1), "linear")
    if kind == "label-span":
        encoder = TransformerEncoder.pretrained(tiny("bert"), label_words=["anger", "joy", "sad"])
        return classifier(encoder, "label-span")
    return classifier(TransformerEncoder.pretrained(tiny(kind), pooling="mean"), projection=True)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """Give the files of a whole folder of a kind."""
    kept: dict[str, Files] = {}

    def files(kind: str) -> Files:
        if kind not in kept:
            folder = Path(tiny("roberta"))
            if kind != "plain":
                folder = made(kind, tiny).save(tmp_path_factory.mktemp("whole") / kind)
            found = (path for path in sorted(folder.rglob("*")) if path.is_file())
            kept[kind] = {str(path.relative_to(folder)): path.read_bytes() for path in found}
        return kept[kind]

    return files


# --- spoiling -----------------------------------------------------------------------------------------------


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in JSON; of a long list or mapping the first ones."""
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content if isinstance(content, list) else ())
    )
    return [path, *(place for key, value in list(items)[:60] for place in places(value, (*path, key)))]


def change_value(drawn: random.Random, content: bytes) -> bytes:
    """Put something odd in the place of any value in JSON, take the value out, or double it."""
    described = {"": json.loads(content)}
    *path, last = ("", *drawn.choice(places(described[""])))
    holder: Any = described
    for key in path:
        holder = holder[key]
    if drawn.random() < 0.2 and isinstance(holder, list):
        holder.insert(last, holder[last])
    elif drawn.random() < 0.2 and last != "":
        del holder[last]
    else:
        holder[last] = drawn.choice(ODD)
    return json.dumps(described[""]).encode()


def change_tensor(drawn: random.Random, content: bytes, aside: Path) -> bytes:
    """Put a number that is none into any tensor, or take it out, or change its size or its type."""
    aside.write_bytes(content)
    tensors = load_file(aside)
    name = drawn.choice(sorted(tensors))
    tensor = tensors[name].clone()
    way = drawn.choice(["nan", "infinity", "out", "longer", "integers", "half", "empty", "huge"])
    if way in {"nan", "infinity", "huge"} and tensor.is_floating_point():
        tensor.view(-1)[drawn.randrange(tensor.numel())] = {
            "nan": torch.nan,
            "infinity": -torch.inf,
            "huge": 3e38,
        }[way]
    tensors[name] = {
        "longer": lambda: torch.cat([tensor, tensor]),
        "integers": lambda: tensor.long(),
        "half": lambda: tensor.half(),
        "empty": lambda: tensor.flatten()[:0],
    }.get(way, lambda: tensor)()
    if way == "out":
        del tensors[name]
    save_file(tensors, aside, metadata={"format": "pt"})
    return aside.read_bytes()


def cut(drawn: random.Random, content: bytes) -> bytes:
    """Keep only the beginning of a file, or nothing."""
    return content[: drawn.choice([0, 1, drawn.randrange(len(content) + 1)])]


def flip(drawn: random.Random, content: bytes) -> bytes:
    """Flip a few bits."""
    flipped = bytearray(content)
    for _ in range(drawn.choice([1, 1, 8])):
        flipped[drawn.randrange(len(flipped))] ^= 1 << drawn.randrange(8)
    return bytes(flipped)


def spoil(drawn: random.Random, files: Files, folder: Path) -> str:
    """Write the files into a folder, one or two of them spoiled; return what was done."""
    changed, done = dict(files), []
    for _ in range(drawn.choice([1, 1, 2])):
        name = drawn.choice(sorted(name for name in changed if changed[name]))
        ways = ["cut", "flip", "gone"]
        ways += ["value"] * 6 * name.endswith(".json") + ["tensor"] * 4 * name.endswith(".safetensors")
        way = drawn.choice(ways)
        done.append(f"{name}: {way}")
        try:
            if way == "value":
                changed[name] = change_value(drawn, changed[name])
            elif way == "tensor":
                changed[name] = change_tensor(drawn, changed[name], folder.parent / "aside")
            elif way == "gone":
                del changed[name]
            else:
                changed[name] = {"cut": cut, "flip": flip}[way](drawn, changed[name])
        except Exception:  # what was spoiled already cannot always be spoiled again
            continue
    for name, content in changed.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return ", ".join(done)


# --- what must hold -----------------------------------------------------------------------------------------


def check(folder: Path, done: str) -> str:
    """Open the folder and use it; return what happened where it is none of what may happen."""
    try:
        model = affekt.load(folder)
        numbers = [model.embed(TEXTS)]
        if model.decisions is not None:
            numbers.append(model.probabilities(TEXTS))
            assert len(model.predict(TEXTS)) == len(TEXTS)
        finite = all(np.isfinite(array).all() for array in numbers)
    except AffektError as fault:
        said = str(fault)
        return "" if "\n" not in said and said.endswith(".") else f"{done}: says {said!r}"
    except BaseException as fault:
        return f"{done}: {type(fault).__name__}: {str(fault)[:200]!r}"
    return "" if finite else f"{done}: gives numbers that are none"


def run(kind: str, cases: int, first: int, whole: Callable[[str], Files], tmp_path: Path) -> list[str]:
    found = []
    for seed in range(first, first + cases):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        done = spoil(random.Random(f"{kind} {seed}"), whole(kind), folder)
        if fault := check(folder, done):
            found.append(f"seed {seed}: {fault}")
    return found


KINDS = ("bert", "plain", "label-span", "charbert", "bilstm", "tfidf")


@pytest.mark.parametrize("kind", KINDS)
def test_a_spoiled_folder_is_refused_in_a_sentence_or_gives_numbers(kind, whole, tmp_path):
    assert run(kind, CASES, 0, whole, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_spoiled_folders(kind, whole, tmp_path):
    assert run(kind, 1_700, CASES, whole, tmp_path) == []
