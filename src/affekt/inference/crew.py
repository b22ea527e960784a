"""A crew: processes that each open something once and then answer one task after the other."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import pyarrow as pa

from affekt.errors import AffektError, UsageError

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Crew(Generic[Task, Answer]):
    """So many processes, begun anew rather than forked, each computing with one thread.

    Each has a pipe of its own: it ends when this process does, however that ends, and one that dies is met at
    once. At most one task waits in each, so memory holds as many as there are processes.
    """

    def __init__(self, count: int, opening: Callable[[], Callable[[Task], Answer]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._members: dict[Connection, Any] = {}
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_member, args=(theirs, opening), daemon=True)
            process.start()
            theirs.close()
            self._members[ours] = process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection, process in self._members.items():
            connection.close()
            if fault is not None:
                process.terminate()  # what it writes aside goes with it
            process.join()

    def work(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Yield every task with its answer, as they come.

        Raises:
            AffektError: What a member met with.
            UsageError: When a member was killed.
        """
        busy: dict[Connection, Task | None] = dict.fromkeys(self._members)  # None: it opens
        waiting = iter(tasks)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)  # noqa: S101  nothing else is waited for
                answer, task = self._answer(ready), busy.pop(ready)
                if (following := next(waiting, None)) is not None:
                    ready.send(following)
                    busy[ready] = following
                if task is not None:
                    yield task, answer

    def _answer(self, connection: Connection) -> Any:
        try:
            answer = connection.recv()
        except (EOFError, OSError) as fault:
            process = self._members[connection]
            process.join()
            raise UsageError(
                f"a process that computes ended by itself (status {process.exitcode}), perhaps for lack of "
                "memory; the same call goes on where this one stopped: try it with fewer workers."
            ) from fault
        if isinstance(answer, AffektError):
            raise answer
        return answer


def _member(connection: Connection, opening: Callable[[], Callable[[Any], Any]]) -> None:
    """Open, then answer tasks until there is nobody to ask."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"  # before anything that computes is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever leads says when to end
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            pa.set_memory_pool(pa.system_memory_pool())  # its own keeps tens of megabytes in each process
            answers = opening()
            connection.send(None)
            while True:
                connection.send(answers(connection.recv()))
        except AffektError as fault:
            connection.send(fault)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
