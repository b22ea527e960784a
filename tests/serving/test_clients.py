"""Programs that people have, pointed at the service over a real connection."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from serving.client import LABELS, listening, made_up

TEXTS = ["joy", "a süß text of joy 🙂"]
PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


@pytest.fixture(scope="module")
def model():
    return made_up()


@pytest.fixture(scope="module")
def url(model):
    """A service that knows keys, as those clients send one."""
    with listening(model, keys=("sesame",), texts=40) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with suppress(ImportError):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # read at its first import


def client_of(name):
    return pytest.importorskip(name, reason=f"{name} is not installed (the extra 'clients')")


def near(expected):
    return pytest.approx(np.asarray(expected, float), abs=1e-6)


def test_openai_s_client_gets_vectors_and_its_own_exceptions(url, model):
    openai = client_of("openai")
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="sesame", max_retries=0)
    for form in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        given = client.embeddings.create(model="any", input=TEXTS, **form)
        vectors = [one.embedding for one in given.data]
        if form.get("encoding_format") == "base64":
            vectors = [np.frombuffer(__import__("base64").b64decode(one), "<f4") for one in vectors]
        assert np.array(vectors) == near(model.embed(TEXTS))
        assert [one.index for one in given.data] == [0, 1]
        assert given.usage.total_tokens > 0
    assert len(client.embeddings.create(model="any", input="joy", dimensions=2).data[0].embedding) == 2
    assert [one.id for one in client.models.list()] == ["made-up"]
    with pytest.raises(openai.UnprocessableEntityError, match="token ids"):
        client.embeddings.create(model="any", input=[[1, 2]])
    with pytest.raises(openai.APIStatusError, match="texts at once") as refused:
        client.embeddings.create(model="any", input=["joy"] * 41)
    assert (refused.value.status_code, refused.value.body["type"]) == (413, "invalid_request_error")
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{url}/v1", api_key="other", max_retries=0).models.list()


def test_the_hub_s_client_classifies_and_embeds(url, model):
    hub = client_of("huggingface_hub")
    client = hub.InferenceClient(base_url=url, api_key="sesame")
    row = model.probabilities("joy")[0]
    for more in ({}, {"top_k": 2}, {"function_to_apply": "sigmoid"}):
        found = client.text_classification("joy", **more)
        order = np.argsort(-row)[: more.get("top_k")]
        assert [(one.label, one.score) for one in found] == [
            (LABELS[i], pytest.approx(float(row[i]), abs=1e-6)) for i in order
        ]
    for path in ("/embed", "/pipeline/feature-extraction/any"):
        embedder = hub.InferenceClient(base_url=url + path, api_key="sesame")
        assert embedder.feature_extraction("joy") == near(model.embed("joy"))
        assert embedder.feature_extraction(TEXTS) == near(model.embed(TEXTS))
    with pytest.raises(Exception, match="20,000"):
        client.text_classification("a" * 20_001)
    with pytest.raises(Exception, match="401"):
        hub.InferenceClient(base_url=url, api_key="other").text_classification("joy")


def test_langchain_s_client_of_tei_embeds(url, model):
    langchain = client_of("langchain_huggingface")
    embeddings = langchain.HuggingFaceEndpointEmbeddings(
        model=f"{url}/embed", huggingfacehub_api_token="sesame"
    )
    assert np.array(embeddings.embed_documents(TEXTS)) == near(model.embed(TEXTS))
    assert np.array(embeddings.embed_query("joy")) == near(model.embed("joy")[0])


def test_llama_index_s_client_of_tei_embeds_and_awaits(url, model):
    tei = client_of("llama_index.embeddings.text_embeddings_inference")
    client = tei.TextEmbeddingsInference(
        model_name="any", base_url=url, auth_token="sesame", embed_batch_size=2
    )
    texts = [*TEXTS, "fear"]  # two requests
    assert np.array(client.get_text_embedding_batch(texts)) == near(model.embed(texts))
    assert np.array(client.get_query_embedding("joy")) == near(model.embed("joy")[0])
    awaited = asyncio.run(client.aget_text_embedding_batch(texts))
    assert np.array(awaited) == near(model.embed(texts))


def test_triton_s_client_infers_in_both_forms(url, model):
    triton = client_of("tritonclient.http")
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    headers = {"X-API-Key": "sesame"}  # a copy each: the client writes into what it is given
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("made-up", headers=dict(headers))
    metadata = client.get_model_metadata("made-up", headers=dict(headers))
    assert metadata["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}
    for binary in (True, False):
        tensor = triton.InferInput("text", [2], "BYTES")
        tensor.set_data_from_numpy(np.array([text.encode() for text in TEXTS], object), binary_data=binary)
        wanted = [
            triton.InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "decisions")
        ]
        given = client.infer("made-up", [tensor], outputs=wanted, headers=dict(headers))
        assert given.as_numpy("probabilities") == near(model.probabilities(TEXTS))
        assert given.as_numpy("decisions").shape == (2, 3)
    with pytest.raises(triton.InferenceServerException, match="one model, and its name is made-up"):
        client.infer("other", [tensor], headers=dict(headers))


def test_discourse_s_requests_get_a_flat_list_forty_at_once(url):
    """What Discourse AI posts, in its words, from forty threads; it counts scores above .1."""
    from concurrent.futures import ThreadPoolExecutor
    from urllib.request import Request, urlopen

    def post(number):
        body = json.dumps({"inputs": f"joy {number}", "truncate": True}).encode()
        headers = {"Content-Type": "application/json", "X-API-KEY": "sesame", "Referer": "http://a.example"}
        with urlopen(Request(url, body, headers)) as reply:
            return json.load(reply)

    with ThreadPoolExecutor(40) as threads:
        for found in threads.map(post, range(40)):
            assert [set(one) for one in found] == [{"label", "score"}] * len(LABELS)
            assert {one["label"] for one in found if one["score"] > 0.1} >= {"joy"}


def _commands():
    """The lines of the page that begin with curl and stand in a block, as one reads them."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return [line.strip() for line in lines if re.match(r"    curl ", line)]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.skipif(not PAGE.exists(), reason="the tests do not stand in the repository")
def test_every_command_of_the_page_is_answered_as_it_stands():
    with listening(made_up()) as port:
        commands = _commands()
        assert len(commands) > 12
        for command in commands:
            here = command.replace("localhost:8000", f"127.0.0.1:{port}").replace("affekt-small", "made-up")
            quiet = here.replace("curl ", "curl --silent --show-error --fail --max-time 20 ", 1)
            ended = subprocess.run(["bash", "-c", quiet], capture_output=True, text=True)
            assert (command, ended.returncode, ended.stderr) == (command, 0, "")
            assert ended.stdout
