"""The routes, one interface a file; each is a projection of the service's answers."""

from affekt.serving.endpoints import Endpoint
from affekt.serving.routes import native, plain

ENDPOINTS: tuple[Endpoint, ...] = (*native.ENDPOINTS, *plain.ENDPOINTS)
