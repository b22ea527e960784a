"""The routes, one interface a file; each is a projection of the service's answers."""

from affekt.serving.endpoints import Endpoint
from affekt.serving.routes import hugging_face, kserve, native, openai, plain, stream, tei, vllm

ENDPOINTS: tuple[Endpoint, ...] = (
    *native.ENDPOINTS,
    *openai.ENDPOINTS,
    *tei.ENDPOINTS,
    *vllm.ENDPOINTS,
    *hugging_face.ENDPOINTS,
    *kserve.ENDPOINTS,
    *stream.ENDPOINTS,
    *plain.ENDPOINTS,
)
