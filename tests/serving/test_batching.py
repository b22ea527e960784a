"""The batcher: who shares a batch, who is turned away, and that nobody accepted is forgotten."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from affekt.serving.batching import Batcher, Waiting, about_tokens, batches
from affekt.serving.metrics import Metrics
from affekt.serving.refusals import Refusal
from affekt.serving.settings import Limits
from serving.client import run


class Work:
    """Answers a text by its length, slowly, and notes its batches."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.batches = []

    def __call__(self, kind, texts):
        self.batches.append((kind, list(texts)))
        time.sleep(self.seconds)
        if "BOOM" in texts:
            raise ValueError("no such text")
        return [(kind, len(text)) for text in texts]


@asynccontextmanager
async def batching(work, **limits):
    batcher = Batcher(work, Limits(**limits), Metrics())
    task = asyncio.create_task(batcher.run())
    yield batcher
    task.cancel()
    batcher.close()


def waiting(*tokens, kind="scores"):
    return [Waiting(kind, str(i), count, 0.0, asyncio.Future()) for i, count in enumerate(tokens)]


@run
async def test_batches_are_sorted_by_length_and_keep_to_the_budget():
    made = list(batches([*waiting(9, 1, 5, 1, 5, 30), *waiting(2, kind="vectors")], 10))
    assert [[one.tokens for one in batch] for batch in made] == [[1, 1], [5, 5], [9], [30], [2]]
    assert {one.kind for one in made[-1]} == {"vectors"}
    assert list(batches([], 10)) == []


def test_tokens_are_estimated_by_bytes_and_never_beyond_what_encoders_read():
    assert [about_tokens(text) for text in ("", "four", "é" * 8, "a" * 10**5)] == [2, 3, 6, 512]


@run
async def test_requests_that_come_together_share_a_batch_and_get_their_own_answers():
    work = Work()
    async with batching(work, longest_wait=0.05) as batcher:
        texts = [["a", "bbb"], ["cc"], ["a"]]
        answers = await asyncio.gather(*(batcher.answers("scores", some) for some in texts))
        assert answers == [[("scores", 1), ("scores", 3)], [("scores", 2)], [("scores", 1)]]
        assert work.batches == [("scores", ["a", "bbb", "cc"])]  # the same text once


@run
async def test_a_full_batch_does_not_wait_and_a_lone_text_waits_no_longer_than_told():
    async with batching(Work(), longest_wait=5, batch_tokens=10) as batcher:
        await asyncio.wait_for(batcher.answers("scores", ["a" * 40]), 1)
    async with batching(Work(), longest_wait=0.02) as batcher:
        began = time.monotonic()
        await batcher.answers("scores", ["a"])
        assert 0.01 < time.monotonic() - began < 1


@run
async def test_beyond_the_queue_s_bound_all_of_a_request_is_refused_with_a_time_to_come_back():
    work = Work(0.05)
    async with batching(work, queue=4, longest_wait=0) as batcher:
        accepted = [asyncio.create_task(batcher.answers("scores", [str(i), f"{i}+"])) for i in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await batcher.answers("scores", ["one more"])
        assert refused.value.status == 429
        assert refused.value.retry_after >= 1
        assert [len(answers) for answers in await asyncio.gather(*accepted)] == [2, 2]
        assert await batcher.answers("scores", ["a", "b", "c", "d"])  # there is room again


@run
async def test_the_loop_answers_others_while_the_model_works():
    async with batching(Work(0.1), longest_wait=0) as batcher:
        slow = asyncio.create_task(batcher.answers("scores", ["a"]))
        began = time.monotonic()
        for _ in range(5):
            await asyncio.sleep(0.002)
        assert time.monotonic() - began < 0.09
        await slow


@run
async def test_a_text_that_the_model_fails_on_fails_alone():
    async with batching(Work(), longest_wait=0.02) as batcher:
        asked = [batcher.answers("scores", [text]) for text in ("a", "BOOM", "b")]
        first, fault, last = await asyncio.gather(*asked, return_exceptions=True)
        assert (first, last) == ([("scores", 1)], [("scores", 1)])
        assert isinstance(fault, ValueError)


@run
async def test_who_goes_away_makes_room_and_is_not_worked_for():
    work = Work(0.05)
    async with batching(work, queue=3, longest_wait=0) as batcher:
        first = asyncio.create_task(batcher.answers("scores", ["first"]))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(batcher.answers("scores", ["gone", "gone too"]))
        await asyncio.sleep(0)
        gone.cancel()
        await first
        assert await batcher.answers("scores", ["a", "b", "c"])
        assert not any("gone" in batch for _, batch in work.batches)


@run
async def test_many_requests_at_once_are_all_answered_rightly():
    async with batching(Work(0.001), queue=5000, batch_tokens=64) as batcher:
        texts = ["x" * (i % 50) for i in range(2000)]
        answers = await asyncio.gather(*(batcher.answers("scores", [text]) for text in texts))
        assert [answer for [(_, answer)] in answers] == [i % 50 for i in range(2000)]
