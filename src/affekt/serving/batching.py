"""The dynamic batcher: texts of many requests share forward passes of one worker thread.

Texts wait in one bounded queue. A window of them is taken when the oldest has waited long enough or enough
tokens are there, sorted by length, and cut into batches whose padded size keeps within a budget, so that a
long text is never padded for by many short ones. The event loop stays free: the model runs in the thread.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from affekt.serving.metrics import Metrics
from affekt.serving.refusals import Refusal
from affekt.serving.settings import Limits

LONGEST = 512  # tokens beyond which encoders cut
_WINDOW = 16  # budgets of tokens sorted together

Work = Callable[
    [str, Sequence[str]], Sequence[Any]
]  # a kind of answer and texts of that kind → an answer each


def about_tokens(text: str) -> int:
    """Estimate a text's tokens: two marks, and one for every four bytes."""
    return min(
        2 + (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))) // 4, LONGEST
    )


@dataclass(eq=False)
class Waiting:
    """A text in the queue."""

    kind: str
    text: str
    tokens: int
    since: float
    answer: "asyncio.Future[Any]"


class Batcher:
    """A queue of texts before one worker thread.

    Args:
        work: Answers texts of one kind; runs in the thread.
        limits: Bounds of queue and batches.
        metrics: Where batches are counted.
    """

    def __init__(self, work: Work, limits: Limits, metrics: Metrics) -> None:
        self._work = work
        self._limits = limits
        self._metrics = metrics
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()  # tokens for a batch
        self._tokens = 0  # in the queue
        self._held = 0  # texts accepted and not yet answered
        self._rate = 100.0  # texts a second, as of late
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def answers(self, kind: str, texts: Sequence[str]) -> list[Any]:
        """Return an answer for each text, in order.

        Raises:
            Refusal: 429 when the queue has no room for all of them: none is queued then.
        """
        if self._held + len(texts) > self._limits.queue:
            seconds = max(math.ceil(self._held / self._rate), 1)
            raise Refusal(
                429, f"{self._held} texts wait already; try again in {seconds} s.", retry_after=seconds
            )
        loop, now = asyncio.get_running_loop(), time.monotonic()
        waiting = [Waiting(kind, text, about_tokens(text), now, loop.create_future()) for text in texts]
        self._hold(len(waiting))
        try:
            self._queue.extend(waiting)
            self._tokens += sum(one.tokens for one in waiting)
            self._arrived.set()
            if self._tokens >= self._limits.batch_tokens:
                self._enough.set()
            return list(await asyncio.gather(*(one.answer for one in waiting)))
        finally:
            for one in waiting:
                one.answer.cancel()  # of no effect once answered
            self._hold(-len(waiting))

    async def run(self) -> None:
        """Answer what is in the queue, until cancelled."""
        while True:
            await self._arrived.wait()
            await self._fill()
            window = self._taken()
            for batch in batches(window, self._limits.batch_tokens):
                await self._answer(batch)

    def close(self) -> None:
        """Let the thread end with the batch it is at."""
        self.thread.shutdown(wait=False, cancel_futures=True)

    def _hold(self, more: int) -> None:
        self._held += more
        self._metrics.queue.set(self._held)

    async def _fill(self) -> None:
        """Wait until there are tokens for a batch, but not longer than the oldest text may."""
        left = self._queue[0].since + self._limits.longest_wait - time.monotonic()
        if left > 0 and not self._enough.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), left)

    def _taken(self) -> list[Waiting]:
        """Take a window of texts from the queue; those whose request has gone are let go."""
        window: list[Waiting] = []
        tokens, most = 0, _WINDOW * self._limits.batch_tokens
        while self._queue and tokens < most:
            one = self._queue.popleft()
            tokens += one.tokens
            window.append(one)
        self._tokens -= tokens
        if not self._queue:
            self._arrived.clear()
        if self._tokens < self._limits.batch_tokens:
            self._enough.clear()
        return [one for one in window if not one.answer.done()]

    async def _answer(self, batch: list[Waiting]) -> None:
        began = time.monotonic()
        texts = list(dict.fromkeys(one.text for one in batch))  # the same text is worked on once
        kind, loop = batch[0].kind, asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self.thread, self._work, kind, texts)
            answers = dict(zip(texts, found, strict=True))
        except Exception as fault:
            await self._failed(batch, fault)
            return
        for one in batch:
            if not one.answer.done():
                one.answer.set_result(answers[one.text])
        seconds = time.monotonic() - began
        self._rate += 0.1 * (len(batch) / max(seconds, 1e-4) - self._rate)
        self._metrics.batch((one.tokens for one in batch), seconds)

    async def _failed(self, batch: list[Waiting], fault: Exception) -> None:
        """Let a fault meet only the text that causes it: the others are tried by themselves."""
        if len(batch) == 1:
            if not batch[0].answer.done():
                batch[0].answer.set_exception(fault)
            return
        for one in batch:
            await self._answer([one])


def batches(window: Sequence[Waiting], budget: int) -> Iterator[list[Waiting]]:
    """Cut texts, sorted by kind and length, into batches of one kind whose padded tokens keep to a budget.

    A text that is longer than the budget is a batch of its own.
    """
    batch: list[Waiting] = []
    for one in sorted(window, key=lambda one: (one.kind, one.tokens)):
        full = batch and (one.kind != batch[0].kind or (len(batch) + 1) * one.tokens > budget)
        if full:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch
