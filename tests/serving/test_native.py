"""affekt's own route: what it says, and what it is told to leave out."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from affekt.decisions.conformal import LabelSets
from affekt.errors import UsageError
from affekt.inference.model import Model
from serving.client import LABELS, made_up, run, serving


@run
async def test_an_answer_has_labels_probabilities_and_the_model_s_version():
    model = made_up()
    async with serving(model) as client:
        reply = await client.post("/v1/emotions", {"texts": ["joy", "a text with joy joy"]})
        assert reply.status == 200
        first, second = reply.json["answers"]
        expected = model.probabilities(["joy", "a text with joy joy"])
        for answer, row in zip((first, second), expected, strict=True):
            assert np.float32(list(answer["scores"].values())) == pytest.approx(np.sort(row)[::-1])
        assert (first["labels"], second["labels"]) == (["joy"], ["anger", "joy"])
        said = reply.json["model"]
        assert (said["name"], said["labels"], said["single_label"]) == ("made-up", list(LABELS), False)
        assert len(said["version"]) == len(said["thresholds"]) == 12


@run
async def test_one_text_is_a_list_of_one_answer_and_top_leaves_out_scores():
    async with serving() as client:
        reply = await client.post("/v1/emotions", {"texts": "joy joy", "top": 1, "vectors": True})
        [answer] = reply.json["answers"]
        assert list(answer["scores"]) == ["joy"]
        assert np.linalg.norm(answer["vector"]) == pytest.approx(1, abs=1e-6)


@run
async def test_what_a_model_cannot_say_is_refused_and_not_made_up():
    async with serving() as client:
        for more in ({"label_set": "nothing"}, {"coverage": 0.9}):
            reply = await client.post("/v1/emotions", {"texts": "joy", **more})
            assert (reply.status, reply.json["error"]["type"]) == (422, "invalid")
    async with serving(made_up(labels=())) as client:
        reply = await client.post("/v1/emotions", {"texts": "joy"})
        assert reply.status == 422
        assert "without a classifier" in reply.json["error"]["message"]


@run
async def test_coarser_labels_and_sets_are_given_where_the_model_has_them():
    class Able(Model):
        def coarser(self, name):
            if name != "ekman":
                raise UsageError(f"no taxonomy {name}")
            return Able(self.runtime, (*LABELS[:2], "other"), False, self.decisions)

    plain = made_up()
    decisions = replace(plain.decisions, sets=LabelSets(100, (0.5,) * 50))
    async with serving(Able(plain.runtime, plain.labels, False, decisions)) as client:
        assert (await client.get("/v1/model")).json["label_sets"] == ["ekman"]
        asked = {"texts": ["joy", "sad"], "label_set": "ekman", "coverage": 0.9}
        reply = await client.post("/v1/emotions", asked)
        assert reply.json["model"]["labels"] == ["anger", "joy", "other"]
        sure = [(answer["set"], answer["abstained"]) for answer in reply.json["answers"]]
        assert sure == [(["joy"], False), ([], True)]


@run
async def test_a_set_is_that_of_the_model_itself():
    plain = made_up()
    model = replace(plain, decisions=replace(plain.decisions, sets=LabelSets(100, (0.5,) * 50)))
    texts = ["joy", "sad", "joy joy anger", ""]
    async with serving(model) as client:
        for coverage in (0.6, 0.9):
            reply = await client.post("/v1/emotions", {"texts": texts, "coverage": coverage})
            answers = reply.json["answers"]
            found = [None if answer["abstained"] else answer["set"] for answer in answers]
            assert found == model.sets(texts, coverage=coverage)
        assert (await client.post("/v1/emotions", {"texts": texts, "coverage": 0.9999})).status == 422


@run
async def test_a_word_carries_what_is_less_likely_without_it():
    model = made_up()
    async with serving(model) as client:
        text = " great  joy now"
        [answer] = (await client.post("/v1/emotions", {"texts": [text], "why": True})).json["answers"]
        assert "".join(piece["text"] for piece in answer["why"]) == text
        whole = model.probabilities(text)[0]
        for piece in answer["why"]:
            if piece["text"].isspace():
                assert piece["carries"] == {}
                continue
            less = whole - model.probabilities(text.replace(piece["text"], ""))[0]
            assert piece["carries"] == pytest.approx(dict(zip(LABELS, less, strict=True)), abs=1e-3)
        for empty in ("", "  "):
            [answer] = (await client.post("/v1/emotions", {"texts": [empty], "why": True})).json["answers"]
            assert all(piece["carries"] == {} for piece in answer["why"])
        many = await client.post("/v1/emotions", {"texts": ["joy"] * 17, "why": True})
        assert many.status == 413


@run
async def test_health_is_at_once_and_readiness_after_the_warm_up():
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly():
        asyncio.run_coroutine_threadsafe(asked.wait(), loop).result()
        return made_up()

    async with serving(slowly, wait=False) as client:
        assert (await client.get("/health")).json == {"status": "starting"}
        for reply in (await client.get("/ready"), await client.post("/v1/emotions", {"texts": "joy"})):
            assert (reply.status, reply.headers["retry-after"]) == (503, "2")
        asked.set()
        while client.service.state == "starting":
            await asyncio.sleep(0.001)
        assert (await client.get("/ready")).status == 200
        client.service.drain()
        assert (await client.post("/v1/emotions", {"texts": "joy"})).status == 503


@run
async def test_a_recent_text_is_answered_from_the_cache_which_is_bounded():
    for cache, times in ((2**20, 1), (0, 2), (500, 2)):
        model = made_up()
        async with serving(model, cache=cache) as client:
            warm = len(model.runtime.batches)
            for text in ("joy", "other", "joy"):
                await client.post("/v1/emotions", {"texts": text})
            assert sum(batch == ["joy"] for batch in model.runtime.batches[warm:]) == times
            assert client.service._cache.bytes <= max(cache, 0)
