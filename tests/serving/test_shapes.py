"""The interfaces of others: each gives the native answer's numbers, and refuses as its clients expect."""

import asyncio
import base64
import json
import struct

import numpy as np
import pytest

from serving.client import LABELS, made_up, run, serving

TEXTS = ["joy", "a text of sadness"]
CALLS = {
    "/v1/emotions": "texts",
    "/v1/embeddings": "input",
    "/embed": "inputs",
    "/predict": "inputs",
    "/classify": "input",
    "/": "inputs",
    "/models/made-up": "inputs",
    "/pipeline/text-classification/made-up": "inputs",
    "/pipeline/feature-extraction/made-up": "inputs",
}


def infer(texts, **more):
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    return {"inputs": [tensor], **more}


def ranked(row):
    order = np.argsort(-row)
    return [(LABELS[i], pytest.approx(float(row[i]), abs=1e-6)) for i in order]


def pairs(scores):
    return [(one["label"], one["score"]) for one in scores]


@run
async def test_openai_s_embeddings_are_floats_or_little_endian_base64():
    model = made_up()
    async with serving(model) as client:
        expected = model.embed(TEXTS)
        floats = (await client.post("/v1/embeddings", {"input": TEXTS, "model": "x"})).json
        assert [one["index"] for one in floats["data"]] == [0, 1]
        assert np.float32([one["embedding"] for one in floats["data"]]).tolist() == expected.tolist()
        assert floats["usage"]["prompt_tokens"] == floats["usage"]["total_tokens"] > 0
        packed = (await client.post("/v1/embeddings", {"input": "joy", "encoding_format": "base64"})).json
        vector = np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4")
        assert vector.tolist() == expected[0].tolist()
        listed = (await client.get("/v1/models")).json
        assert listed["data"][0]["id"] == packed["model"] == "made-up"


@run
async def test_fewer_dimensions_are_the_first_ones_scaled_again():
    model = made_up()
    async with serving(model) as client:
        whole = model.embed("joy")[0]
        for path, body in (("/v1/embeddings", {"input": "joy"}), ("/embed", {"inputs": "joy"})):
            given = (await client.post(path, {**body, "dimensions": 2})).json
            [vector] = given if path == "/embed" else [given["data"][0]["embedding"]]
            assert vector == pytest.approx((whole[:2] / np.linalg.norm(whole[:2])).tolist(), abs=1e-6)
            all_of_them = (await client.post(path, {**body, "dimensions": 4})).json
            assert all_of_them == (await client.post(path, body)).json
            assert (await client.post(path, {**body, "dimensions": 5})).status == 422
        asked = {"inputs": "joy", "dimensions": 2, "normalize": False}
        assert (await client.post("/embed", asked)).json == [[3, 1]]


@run
async def test_token_ids_and_wider_vectors_are_refused_in_openai_s_shape():
    async with serving() as client:
        for body in (
            {"input": [1, 2]},
            {"input": [[1], [2]]},
            {"input": "joy", "dimensions": 5},
            {"input": []},
        ):
            reply = await client.post("/v1/embeddings", body)
            assert (reply.status, reply.json["error"]["type"]) == (422, "invalid_request_error")
            assert set(reply.json["error"]) == {"message", "type", "param", "code"}


@run
async def test_tei_gives_a_flat_list_for_one_text_and_lists_for_more():
    model = made_up()
    async with serving(model) as client:
        rows = model.probabilities(TEXTS)
        one = (await client.post("/predict", {"inputs": "joy", "truncate": True})).json
        assert pairs(one) == ranked(rows[0])
        for inputs in (TEXTS, [[text] for text in TEXTS]):
            several = (await client.post("/predict", {"inputs": inputs})).json
            assert [pairs(scores) for scores in several] == [ranked(row) for row in rows]
        raw = (await client.post("/predict", {"inputs": "joy", "raw_scores": True})).json
        assert dict(pairs(raw)) == pytest.approx(
            dict(zip(LABELS, model.logits("joy")[0], strict=True)), abs=1e-4
        )
        assert (await client.post("/predict", {"inputs": [["joy", "pair"]]})).status == 422
        vectors = (await client.post("/embed", {"inputs": "joy"})).json
        assert np.float32(vectors).tolist() == model.embed("joy").tolist()
        plain = (await client.post("/embed", {"inputs": ["joy"], "normalize": False})).json
        assert plain == [[3, 1, 2, 3]]
        info = (await client.get("/info")).json
        assert info["model_type"]["classifier"]["id2label"] == {"0": "anger", "1": "joy", "2": "sadness"}


@run
async def test_several_labels_get_a_sigmoid_and_one_label_a_softmax():
    async with serving(made_up()) as client:
        [item] = (await client.post("/classify", {"input": "joy joy joy joy"})).json["data"]
        assert sum(item["probs"]) > 1.5
    async with serving(made_up(single_label=True)) as client:
        [item] = (await client.post("/classify", {"input": "joy joy joy joy"})).json["data"]
        assert sum(item["probs"]) == pytest.approx(1, abs=1e-6)


@run
async def test_vllm_s_items_have_a_score_for_every_label_in_the_model_s_order():
    model = made_up()
    async with serving(model) as client:
        given = (await client.post("/classify", {"input": TEXTS, "model": "x", "priority": 0})).json
        for i, row in enumerate(model.probabilities(TEXTS)):
            item = given["data"][i]
            assert (item["index"], item["label"], item["num_classes"]) == (i, LABELS[row.argmax()], 3)
            assert np.float32(item["probs"]).tolist() == row.tolist()
        [item] = (await client.post("/classify", {"input": "joy", "use_activation": False})).json["data"]
        assert item["probs"] == pytest.approx(model.logits("joy")[0].tolist(), abs=1e-4)


@run
async def test_the_hub_s_shape_branches_on_parameters():
    model = made_up()
    async with serving(model) as client:
        row = model.probabilities("joy")[0]
        assert pairs((await client.post("/", {"inputs": "joy", "truncate": True})).json) == ranked(row)
        asked = {"inputs": "joy", "parameters": {"top_k": 2, "function_to_apply": "sigmoid"}}
        for path in ("/", "/models/any/name"):
            assert [pairs(scores) for scores in (await client.post(path, asked)).json] == [ranked(row)[:2]]
        several = (await client.post("/", {"inputs": TEXTS})).json
        assert [len(scores) for scores in several] == [3, 3]
        spread = {"inputs": "joy", "parameters": {"function_to_apply": "softmax"}}
        [scores] = (await client.post("/", spread)).json
        assert sum(one["score"] for one in scores) == pytest.approx(1, abs=1e-6)
        assert (await client.post("/", {"inputs": "joy", "parameters": {"top_k": 0}})).status == 422


@run
async def test_kserve_gives_tensors_and_knows_its_model():
    model = made_up()
    async with serving(model) as client:
        rows = model.probabilities(TEXTS)
        path = "/v2/models/made-up/infer"
        given = (await client.post(path, infer(TEXTS, id="7"))).json
        assert (given["id"], given["model_name"]) == ("7", "made-up")
        probabilities, decisions = given["outputs"]
        assert (probabilities["shape"], probabilities["datatype"]) == ([2, 3], "FP32")
        assert np.float32(probabilities["data"]).tolist() == rows.ravel().tolist()
        assert decisions["data"] == (rows > 0.5).ravel().tolist()
        vectors = (await client.post(path, infer(TEXTS, outputs=[{"name": "vectors"}]))).json
        assert vectors["outputs"][0]["shape"] == [2, 4]
        metadata = (await client.get("/v2/models/made-up")).json
        assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
        for known in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/made-up/ready"):
            assert (await client.get(known)).status == 200
        for reply in (
            await client.post("/v2/models/other/infer", infer(TEXTS)),
            await client.get("/v2/models/other"),
        ):
            assert (reply.status, set(reply.json)) == (404, {"error"})
        wrong = infer(TEXTS)
        wrong["inputs"][0]["shape"] = [3]
        assert (await client.post(path, wrong)).status == 422


@run
async def test_kserve_takes_texts_behind_the_json_as_triton_s_client_sends_them():
    packed = b"".join(struct.pack("<I", len(text)) + text.encode() for text in TEXTS)
    tensor = {"name": "t", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(packed)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    async with serving() as client:
        path, told = "/v2/models/made-up/infer", [("Inference-Header-Content-Length", str(len(head)))]
        given = await client.post(path, head + packed, headers=told)
        assert given.json["outputs"] == (await client.post(path, infer(TEXTS))).json["outputs"]
        for body, length in (
            (head + packed[:-1], len(head)),
            (b"[]" + packed, 2),
            (head, 10**9),
            (head, "x"),
        ):
            told = [("Inference-Header-Content-Length", str(length))]
            assert (await client.post(path, body, headers=told)).status == 422


SHAPES = {
    "/v1/emotions": {"error": {"status", "type", "message"}},
    "/v1/embeddings": {"error": {"message", "type", "param", "code"}},
    "/classify": {"error": {"message", "type", "param", "code"}},
    "/embed": {"error", "error_type"},
    "/predict": {"error", "error_type"},
    "/": {"error"},
    "/models/x": {"error"},
}


def shape_of(body):
    return {"error": set(body["error"])} if isinstance(body["error"], dict) else set(body)


@run
async def test_every_interface_says_in_its_own_shape_that_it_is_full_or_not_ready():
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly():
        asyncio.run_coroutine_threadsafe(opened.wait(), loop).result()
        return made_up(0.2)

    async with serving(slowly, wait=False, queue=1, cache=0) as client:

        async def refusals(status):
            for path, shape in SHAPES.items():
                reply = await client.post(path, {CALLS.get(path, "inputs"): "sad"})
                expected = shape | {"estimated_time"} if status == 503 and shape == {"error"} else shape
                assert (path, reply.status, shape_of(reply.json)) == (path, status, expected)
                assert int(reply.headers["retry-after"]) >= 1
            for path in ("/v2/models/made-up/infer",):
                reply = await client.post(path, infer(["sad"]))
                assert (reply.status, set(reply.json)) == (status, {"error"})

        await refusals(503)
        opened.set()
        while client.service.state == "starting":
            await asyncio.sleep(0.001)
        accepted = asyncio.create_task(client.post("/v1/emotions", {"texts": "joy"}))
        await asyncio.sleep(0.01)
        await refusals(429)
        client.service.drain()
        await refusals(503)
        assert (await accepted).status == 200


@run
async def test_every_interface_refuses_in_its_own_shape():
    async with serving(texts=2, characters=30, body=1000, keys=("a key",)) as client:
        key = [("Authorization", "Bearer a key")]
        for path, shape in SHAPES.items():
            field = CALLS.get(path, "inputs")
            refused = {
                401: await client.post(path, {field: "joy"}),
                405: await client("DELETE", path, headers=key),
                413: await client.post(path, {field: ["a", "b", "c"]}, headers=key),
                422: await client.post(path, {field: 3}, headers=key),
            }
            long = await client.post(path, {field: "a" * 31}, headers=key)
            large = await client.post(path, {field: "a" * 1001}, headers=key)
            assert (long.status, large.status) == (413, 413)
            for status, reply in refused.items():
                assert (path, reply.status, shape_of(reply.json)) == (path, status, shape)
            assert (await client.post(path, {field: "joy"}, headers=key)).status == 200


@run
async def test_the_description_has_every_route_with_an_example_that_is_answered():
    async with serving() as client:
        document = (await client.get("/openapi.json")).json
        page = (await client.get("/docs")).text
        assert document["openapi"].startswith("3.1")
        for path, operations in document["paths"].items():
            assert path in page
            if (operation := operations.get("post")) is None:
                continue
            [content] = operation["requestBody"]["content"].values()
            assert content["schema"]["$ref"].rpartition("/")[2] in document["components"]["schemas"]
            for example in content["examples"].values():
                reply = await client.post(
                    path.replace("{model}", "made-up").replace("{name}", "n"), example["value"]
                )
                assert (path, reply.status) == (path, 200)
