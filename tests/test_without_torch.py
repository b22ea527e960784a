"""Every verb, and Python, where nothing that trains is installed: it works, or says what to install."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import typer

from affekt.cli import app
from affekt.decisions import Decisions
from affekt.encoders.tfidf import TfidfEncoder
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.heads import build_head
from affekt.networks.network import Network
from made_runs import make_run

SAID = 'this needs torch, which is not installed: pip install "affekt[train]".\n'

SERVES = all(map(find_spec, ("starlette", "uvicorn", "prometheus_client")))

VERBS = {
    "data get": "data get tweeteval-emotion --out got",
    "compare": "compare one two -o page.html",
    "data faults": "data faults posts.csv --model model",
    "data inspect": "data inspect posts.csv",
    "data list": "data list",
    "data split": "data split posts.csv --out parts",
    "reproduce": "reproduce --runs . --out results",
    "demo": "demo --out demo",
    "train": "train demo --out run",
    "sweep": "sweep demo --over training.epochs=1,2 --out swept",
    "evaluate": "evaluate posts.csv --model model",
    "predict": "predict happy --model model",
    "embed": "embed posts.csv -o vectors.npy --model model",
    "search": "search happy posts.csv --model model",
    "map": "map posts.csv --model model",
    "cluster": "cluster posts.csv --model model",
    "profile": "profile posts.csv --model model",
    "export": "export model --out graph",
    "transfer": "transfer posts.csv --model model --out study",
    "audit": "audit --model model",
    "cascade": "cascade model model --data posts.csv --out both",
    "soup": "soup one two --out mean",
    "serve": "serve --model model --port 0",
}
WITHOUT = (
    "compare",
    "data get",
    "data inspect",
    "data list",
    "data split",
    "reproduce",
)  # what needs no model

PYTHON = {
    "from affekt import losses": True,
    "import affekt; affekt.EmotionClassifier()": True,
    "import affekt; affekt.EmotionEmbedder()": True,
    "import affekt; affekt.load('model')": True,
    "import affekt; affekt.load('all-MiniLM-L6-v2')": True,
    "from affekt.training.run import train": True,
    "import affekt.encoders": True,
    "import affekt; affekt.Corpus.read('posts.csv')": False,
    "import affekt.evaluation, affekt.text, affekt.decisions, affekt.inference.model": False,
}

# Blocks what trains, then reads {name: [code, arguments]} and writes {name: [exit status, what was said]}.
PROGRAM = """
import importlib.abc, json, os, sys, tempfile
import matplotlib.pyplot, numpy, pyarrow.parquet, pydantic, rich.table, sklearn.cluster, typer  # once

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "accelerate"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
answers = {}
for name, (code, arguments) in json.load(sys.stdin).items():
    with tempfile.TemporaryFile() as said:
        if not (child := os.fork()):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(said.fileno(), 2)
            status = 0
            try:
                sys.argv = ["affekt", *arguments]
                exec(code, {})
            except SystemExit as ended:
                status = ended.code or 0
            except BaseException as fault:
                status = f"{type(fault).__mro__[1].__name__}: {fault}"
            sys.stderr.flush()
            with open("status.json", "w") as file:
                json.dump(status, file)
            os._exit(0)
        os.waitpid(child, 0)
        said.seek(0)
        with open("status.json") as file:
            answers[name] = [json.load(file), said.read().decode()]
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each verb, and each statement of Python, ends with and says."""
    folder = tmp_path_factory.mktemp("without torch")
    rows = ["text,labels", *(f"some words {i},{'joy' if i % 2 else 'fear'}" for i in range(40))]
    (folder / "posts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    encoder = TfidfEncoder.build(["some words", "happy"], min_count=1)
    network = Network(encoder, build_head(encoder, 2, kind="linear"))
    decisions = Decisions.unfitted(2, single_label=True)
    Model(TorchRuntime(network.eval()), ("fear", "joy"), True, decisions).save(folder / "model")
    for name in ("one", "two"):
        make_run(folder / name, ["fear", "joy", "love"], single_label=True, n=14)
    known = folder / "known" / "tweeteval-emotion"
    known.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (known / f"{split}.csv").write_text("text,label\nso happy,joy\n", encoding="utf-8")
    questions = {
        f"affekt {verb}": ["from affekt.cli import main; main()", line.split()]
        for verb, line in VERBS.items()
        if verb != "serve" or SERVES
    }
    questions |= {code: [code, []] for code in PYTHON}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(questions),
        cwd=folder,
        env=os.environ | {"AFFEKT_DATA": str(known.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return json.loads(done.stdout)


def test_every_verb_is_tried() -> None:
    command = typer.main.get_command(app)
    inner = command.commands.pop("data").commands
    assert {*command.commands, *(f"data {name}" for name in inner)} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_works_or_says_what_to_install(answers: dict[str, list[str]], verb: str) -> None:
    if verb == "serve" and not SERVES:
        pytest.skip("the extra 'serve' is not installed")
    status, said = answers[f"affekt {verb}"]
    if verb in WITHOUT:
        assert status == 0, said
    else:
        assert status == 2
        assert said.endswith(f"affekt: {SAID}")


@pytest.mark.parametrize(("code", "trains"), PYTHON.items())
def test_python_works_or_says_what_to_install(answers: dict[str, list[str]], code: str, trains: bool) -> None:
    expected = f"AffektError: {SAID.strip()}" if trains else 0
    assert answers[code][0] == expected
