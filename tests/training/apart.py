"""Runs of training in processes of their own, which can be killed or joined.

They are forked from a server that has torch imported already: a new interpreter for each would take longer
than what it does.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["affekt.training.run", "affekt.report.run", "sklearn.cluster", "pyarrow.parquet"]
)
PATIENCE = 300.0  # seconds; a loaded machine is slow


def outcome(function: Callable[..., Any], *args: Any) -> int:
    """Run a function in a process of its own and return how that ended: 0, or −9 where it was killed."""
    process = CONTEXT.Process(target=_alone, args=(function, args))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


def _alone(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    import torch

    torch.set_num_threads(1)
    function(*args)


def together(function: Callable[..., Any], world: int, store: Path, *args: Any) -> list[Any]:
    """Run a function in joined processes (gloo) and return what each returned or raised, by rank."""
    pipes = [CONTEXT.Pipe(duplex=False) for _ in range(world)]
    processes = [
        CONTEXT.Process(target=_joined, args=(function, rank, world, str(store), pipe[1], args))
        for rank, pipe in enumerate(pipes)
    ]
    for process, (_, writes) in zip(processes, pipes, strict=True):
        process.start()
        writes.close()  # so that a process that dies is heard of
    try:
        results = [_received(pipe[0]) for pipe in pipes]
    finally:
        for process in processes:
            process.join(5)
            process.kill()
            process.join()
    return results


def _received(pipe: Connection) -> Any:
    assert pipe.poll(PATIENCE), "a process did not answer"
    try:
        return pipe.recv()
    except EOFError:
        return "killed"


def _joined(
    function: Callable[..., Any], rank: int, world: int, store: str, pipe: Connection, args: tuple[Any, ...]
) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}  # as torchrun does
    os.environ |= {"LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    try:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
        result = function(rank, world, *args)
        dist.barrier()  # nobody leaves while another still needs it
    except Exception as fault:
        result = f"{type(fault).__name__}: {fault}"
    pipe.send(result)
    if dist.is_initialized():
        dist.destroy_process_group()


def train_together(
    rank: int, world: int, recipe: str, out: str, resume: bool, moment: str, count: int
) -> str:
    """Train as one of several processes; return what this one said."""
    said: list[str] = []
    train_and_die(recipe, out, resume, moment, count, said.append)
    return "\n".join(said)


def train_and_die(
    recipe: str,
    out: str,
    resume: bool,
    moment: str,
    count: int,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Train; with a moment, be killed when it has come so many times.

    Args:
        recipe: The recipe's YAML.
        out: The run folder.
        resume: Whether to go on from a checkpoint.
        moment: "batch" (a batch is done), "saving" (half of a checkpoint is written), "predictions" (the run
            is trained and its predictions are being written), or "" (never).
        count: Of the moment.
        say: Hears the log.
    """
    from affekt.recipe.read import parse_recipe
    from affekt.recipe.yaml import load_yaml
    from affekt.runs.folder import RunFolder
    from affekt.training import checkpoint
    from affekt.training.fit import Listener
    from affekt.training.run import train

    left = [count]

    def die_at(name: str) -> None:
        if name == moment:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    save = checkpoint.torch.save

    def half_saved(state: Any, place: Any, **options: Any) -> None:
        save(state, place, **options)
        if not isinstance(place, Path):
            return  # a message to another process
        if moment == "saving" and left[0] == 1:
            content = place.read_bytes()
            place.write_bytes(content[: len(content) // 2])
        die_at("saving")

    write_predictions = RunFolder.write_predictions

    def predictions_written(self: Any, predictions: Any) -> None:
        die_at("predictions")
        write_predictions(self, predictions)

    checkpoint.torch.save = half_saved
    RunFolder.write_predictions = predictions_written  # type: ignore[method-assign]
    listener = Listener(say, lambda done, of: die_at("batch"))
    train(parse_recipe(load_yaml(recipe, "recipe")), Path(out), resume=resume, listener=listener)
